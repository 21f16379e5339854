"""One shop: how it is connected, and its abandoned-checkout automation."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from connector.canonical import Channel
from connector.errors import Refused
from connector.rules import activation
from connector.rules.abandonment import ActivityClock
from connector.store import automations, installs, overview, shops
from connector.store.db import Session, wake_after_commit
from connector.store.tables import ShopRow
from connector.web.auth import USER, require_operator
from connector.web.composition import Composition
from connector.web.inputs import Fields, Parts, known_id
from connector.web.merchant.forms import AutomationChange, read_change
from connector.web.merchant.views import automation_page, shop_page
from connector.web.pages import render
from connector.web.subscribing import subscribe, webhook_address
from sync.jobs import Job

router = APIRouter(dependencies=[Depends(require_operator)])


def shop_id_of(public_id: str, parts: Parts) -> int:
    """The shop that an address names. Raises NotFound."""
    with parts.db.system_transaction("which shop a page is about") as session:
        shop = shops.find_shop(session, known_id(public_id))
    assert shop.id is not None
    return shop.id


ShopId = Annotated[int, Depends(shop_id_of)]


@router.get("/shops/{public_id}")
def show_shop(shop_id: ShopId, parts: Parts) -> Response:
    """What the store granted, where it is, and whether its webhooks arrive."""
    with parts.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        page = shop_page(
            shop,
            automations.get_automation(session, shop_id),
            overview.topics_heard(session, shop_id),
            installs.last_webhook_check(session, shop_id),
            registers=parts.services.platforms[shop.platform].can.registers_webhooks,
            address=webhook_address(parts, shop.platform, shop.shop_key),
        )
    return render("shop.html", page)


@router.post("/shops/{public_id}/webhooks")
def register_webhooks(public_id: str, shop_id: ShopId, parts: Parts) -> Response:
    """Have what is missing of the shop's webhooks made again; the shop's page tells how it went."""
    with parts.db.transaction(shop=shop_id) as session:
        if shops.get_shop(session, shop_id).state == "uninstalled":
            raise Refused("The shop is uninstalled. Connect it again first.")
    subscribe(parts, shop_id, USER)
    return RedirectResponse(f"/shops/{public_id}", 303)


@router.get("/shops/{public_id}/automation")
def show_automation(shop_id: ShopId, parts: Parts) -> Response:
    """The switch, the delay, the clock and the merchant's own text."""
    return _show(parts, shop_id, {}, "")


@router.post("/shops/{public_id}/automation")
def change_automation(public_id: str, shop_id: ShopId, fields: Fields, parts: Parts) -> Response:
    """Save what was posted, all or nothing. What may not be is shown again as typed, with the reason."""
    try:
        change = read_change(fields)
        with parts.db.transaction(shop=shop_id) as session:
            cancelled = _apply(session, parts, shop_id, change)
    except Refused as error:
        return _show(parts, shop_id, fields, str(error))
    parts.metrics.messages_cancelled(Channel.EMAIL.value, cancelled)
    return RedirectResponse("/" if fields.get("back") == "overview" else f"/shops/{public_id}/automation", 303)


def _apply(session: Session, parts: Composition, shop_id: int, change: AutomationChange) -> int:
    """
    Write a change; returns how many messages it cancelled.

    Checkouts are locked before the shop, and the shop before its automation: the lock order of `store.outgoing`.
    """
    shop = shops.get_shop(session, shop_id)
    clock = change.clock or ActivityClock(shop.activity_clock)
    minutes = shop.threshold_minutes if change.minutes is None else change.minutes
    if (minutes, clock.value) != (shop.threshold_minutes, shop.activity_clock):
        shops.set_threshold(session, shop_id, minutes, clock)
        wake_after_commit(session, Job.ABANDON.value, shop_id)
    if change.extra_text is not None:
        automations.get_automation(session, shop_id, lock=True).extra_text = change.extra_text or None
    if change.is_on is True:
        _turn_on(session, parts, shop)
    elif change.is_on is False:
        return automations.turn_off(session, shop, USER)
    return 0


def _turn_on(session: Session, parts: Composition, shop: ShopRow) -> None:
    settings = parts.settings
    activation.check(activation.facts(shop, can_send_mail=settings.sandbox or settings.can_send_mail))
    automations.turn_on(session, shop, USER)


def _show(parts: Composition, shop_id: int, typed: Mapping[str, str], problem: str) -> Response:
    with parts.db.transaction(shop=shop_id) as session:
        page = automation_page(shops.get_shop(session, shop_id), automations.get_automation(session, shop_id), typed, problem)
    return render("automation.html", page, status=422 if problem else 200)
