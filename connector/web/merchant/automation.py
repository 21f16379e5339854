"""The abandoned-checkout automation of a shop: all its settings, and turning it off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import Refused
from connector.rules.abandonment import PRESET_MINUTES
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import automations, reports
from connector.store.automation_tables import AutomationRow
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import Moment, duration, moment_or_none
from connector.web.merchant.changing import save_posted, turn_off
from connector.web.merchant.checkouts import show_list
from connector.web.merchant.forms import MAX_EXTRA_TEXT, Delays, delays

CHECKOUTS = "checkouts"
AUTOMATION = "automation"

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Reader = Annotated[MemberAsk, Depends(reading(Permission.AUTOMATE))]
Actor = Annotated[MemberAsk, Depends(acting(Permission.AUTOMATE))]


@dataclass(frozen=True, slots=True)
class AutomationPage:
    """The form, as it is or as it was typed. `since`: when it was turned on or off last."""

    shop_id: str
    shop_name: str
    is_on: bool
    since: Moment | None
    delay_text: str
    delays: Delays
    clock: str
    extra_text: str
    most_text: int
    problem: str
    may_change: bool


@dataclass(frozen=True, slots=True)
class OffPage:
    """The question before turning off: what is queued would be cancelled. `back`: the page to return to."""

    shop_id: str
    shop_name: str
    is_on: bool
    queued: int
    back: str
    back_url: str


def automation_page(ask: MemberAsk, shop: ShopRow, automation: AutomationRow, typed: Mapping[str, str], problem: str) -> AutomationPage:
    """What is saved, overlaid by what was `typed` and refused."""
    changed_at = automation.activated_at if automation.is_on else automation.deactivated_at
    return AutomationPage(
        shop_id=shop.public_id,
        shop_name=shop.name,
        is_on=automation.is_on,
        since=moment_or_none(changed_at, zone(shop.timezone), ask.language),
        delay_text=duration(shop.threshold_minutes, ask.language),
        delays=delays(PRESET_MINUTES, shop.threshold_minutes, typed, ask.language),
        clock=typed.get("clock", shop.activity_clock),
        extra_text=typed.get("extra_text", automation.extra_text or ""),
        most_text=MAX_EXTRA_TEXT,
        problem=problem,
        may_change=ask.may(Permission.AUTOMATE),
    )


@router.get("/app/shops/{shop}/automation")
def show_automation(ask: Viewer, shop: str) -> Response:
    """The switch, the delay, the clock and the merchant's own text."""
    return _show(ask, shop, {}, "")


@router.post("/app/shops/{shop}/automation")
def change_automation(ask: Actor, shop: str) -> Response:
    """Save what was posted, all or nothing. What may not be is shown again as typed, with the reason."""
    is_from_list = ask.fields.get("back") == CHECKOUTS
    try:
        save_posted(ask, shop)
    except Refused as error:
        return (show_list if is_from_list else _show)(ask, shop, ask.fields, ask.refusal(error))
    done = "automation-on" if ask.fields.get("is_on") == "on" else "saved"
    return ask.redirect(_back_url(shop, CHECKOUTS if is_from_list else AUTOMATION), done)


@router.get("/app/shops/{shop}/automation/off")
def ask_before_off(ask: Reader, shop: str, back: str = AUTOMATION) -> Response:
    """Ask once more, and say how many queued messages will be cancelled (SQ-20)."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        is_on, queued = automations.get_automation(session, row.id).is_on, reports.queued_count(session, row.id)
    return ask.render("automation_off.html", OffPage(row.public_id, row.name, is_on, queued, back, _back_url(row.public_id, back)))


@router.post("/app/shops/{shop}/automation/off")
def turn_automation_off(ask: Actor, shop: str) -> Response:
    """Turn it off. What is off already stays so."""
    turn_off(ask, shop)
    return ask.redirect(_back_url(shop, ask.fields.get("back", "")), "automation-off")


def _show(ask: MemberAsk, shop: str, typed: Mapping[str, str], problem: str) -> Response:
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        page = automation_page(ask, row, automations.get_automation(session, row.id), typed, problem)
    return ask.render("automation.html", page, status=422 if problem else 200)


def _back_url(shop: str, back: str) -> str:
    """Where one came from: one of two pages of the shop, whatever was asked for."""
    return f"/app/shops/{shop}/{CHECKOUTS if back == CHECKOUTS else AUTOMATION}"
