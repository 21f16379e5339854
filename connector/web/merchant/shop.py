"""One shop: how it is connected, and whether its webhooks arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import Refused
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import automations, checkups, installs, overview
from connector.store.automation_tables import AutomationRow
from connector.store.checkups import KeptCheckup
from connector.store.installs import WebhookCheck
from connector.store.overview import TopicHealth
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import PLATFORM_TITLES, Moment, duration, moment, moment_or_none
from connector.web.language import N_
from connector.web.merchant.connection import Examination, PluginPanel, examination, plugin_panel
from connector.web.merchant.first_sync import FirstSync, first_syncs
from connector.web.merchant.phrases import shop_state
from connector.web.subscribing import subscribe, webhook_address
from connector.web.withholding import WithheldNote, withheld_note

FIRST_SYNC_SHOWN_FOR = timedelta(days=7)
UNINSTALLED = N_("The shop is uninstalled. Connect it again first.")

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Actor = Annotated[MemberAsk, Depends(acting(Permission.AUTOMATE))]


@dataclass(frozen=True, slots=True)
class TopicLine:
    """One topic that was heard lately."""

    topic: str
    count: int
    quarantined: int
    last_at: Moment


@dataclass(frozen=True, slots=True)
class ShopPage:
    """
    How a shop is connected. `check_words` is empty if its webhooks were never registered by us.

    `stranger_host`: another address that speaks in the shop's name, `is_paused`: nothing is sent until the shop itself answers.
    """

    shop_id: str
    name: str
    platform: str
    domain: str
    url: str
    state: str
    state_text: str
    state_kind: str
    again_url: str
    installed_at: Moment
    uninstalled_at: Moment | None
    currency: str
    timezone: str
    contact: tuple[str, ...]
    hosts: tuple[str, ...]
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    withheld: WithheldNote
    first_syncs: tuple[FirstSync, ...]
    is_on: bool
    delay_text: str
    registers: bool
    address: str
    check_at: Moment | None
    is_ready: bool
    check_words: str
    topics: tuple[TopicLine, ...]
    has_checkup: bool
    examination: Examination | None
    plugin: PluginPanel
    stranger_host: str
    is_paused: bool
    may_change: bool
    may_connect: bool


@router.get("/app/shops/{shop}")
def show_shop(ask: Viewer, shop: str) -> Response:
    """What the store granted, where it is, and whether its webhooks arrive."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        page = shop_page(
            ask,
            row,
            automations.get_automation(session, row.id),
            overview.topics_heard(session, row.id),
            installs.last_webhook_check(session, row.id),
            checkups.last_checkup(session, row.id),
            first_syncs(ask, session, [row], FIRST_SYNC_SHOWN_FOR),
        )
    return ask.render("shop.html", page)


@router.post("/app/shops/{shop}/webhooks")
def register_webhooks(ask: Actor, shop: str) -> Response:
    """Have what is missing of the shop's webhooks made again; the shop's page tells how it went."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        if row.state == "uninstalled":
            raise Refused(UNINSTALLED)
    subscribe(ask.parts, row.id, ask.who())
    return ask.redirect(f"/app/shops/{row.public_id}", "webhooks-checked")


def shop_page(
    ask: MemberAsk,
    shop: ShopRow,
    automation: AutomationRow,
    topics: Sequence[TopicHealth],
    check: WebhookCheck | None,
    kept: KeptCheckup | None,
    synced: tuple[FirstSync, ...],
) -> ShopPage:
    """Everything about the connection."""
    place, language, parts = zone(shop.timezone), ask.language, ask.parts
    state_text, state_kind = shop_state(shop.state, shop.missing_scopes, language)
    platform = parts.services.platforms[shop.platform]
    registers = platform.can.registers_webhooks
    return ShopPage(
        shop_id=shop.public_id,
        name=shop.name,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        domain=shop.domain,
        url=shop.url,
        state=shop.state,
        state_text=state_text,
        state_kind=state_kind,
        again_url="/connect/woocommerce" if registers else "",
        installed_at=moment(shop.installed_at, place, language),
        uninstalled_at=moment_or_none(shop.uninstalled_at, place, language),
        currency=shop.currency,
        timezone=shop.timezone,
        contact=tuple(text for text in (shop.contact_email, shop.contact_address) if text),
        hosts=tuple(shop.hosts),
        scopes=tuple(shop.scopes),
        missing_scopes=tuple(shop.missing_scopes),
        withheld=withheld_note(shop.withheld, PLATFORM_TITLES.get(shop.platform, shop.platform), ask.gettext),
        first_syncs=synced,
        is_on=automation.is_on,
        delay_text=duration(shop.threshold_minutes, language),
        registers=registers,
        address=webhook_address(parts, shop.platform, shop.shop_key),
        check_at=None if check is None else moment(check.at, place, language),
        is_ready=check is not None and check.is_ready,
        check_words="" if check is None else check.words,
        topics=tuple(TopicLine(t.topic, t.count, t.quarantined, moment(t.last_at, place, language)) for t in topics),
        has_checkup=platform.checkup is not None,
        examination=None if kept is None else examination(kept, shop, language),
        plugin=plugin_panel(kept, has_checkup=platform.checkup is not None),
        stranger_host=shop.stranger_host or "",
        is_paused=shop.stranger_at is not None,
        may_change=ask.may(Permission.AUTOMATE),
        may_connect=ask.may(Permission.CONNECT),
    )
