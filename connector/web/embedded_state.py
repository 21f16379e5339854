"""What our page inside Shopify's admin shows: how the shop is connected, the switch, and what needs attention."""

from dataclasses import dataclass

from connector.rules.permissions import Permission, Role, member_may
from connector.store import automations, notices, reports
from connector.store.access_tables import MemberRow
from connector.store.db import Session
from connector.store.notices import Cause
from connector.store.tables import ShopRow
from connector.web.embedded_asking import AdminAsk
from connector.web.formats import PLATFORM_TITLES, duration
from connector.web.language import N_, translator
from connector.web.merchant.phrases import NOTICES, shop_state
from connector.web.withholding import withheld_note

INCOMPLETE = N_("The connection is incomplete.")
NOT_GRANTED = N_("These permissions were not granted:")
GRANT = N_("Grant them in Shopify; until then what needs them is missing here.")


@dataclass(frozen=True, slots=True)
class Attention:
    """Something to look at. `names` are the platform's own words for what `text` speaks of; `cure` says what helps."""

    kind: str
    title: str
    text: str
    names: tuple[str, ...] = ()
    cure: str = ""


@dataclass(frozen=True, slots=True)
class StatePage:
    """
    The inside of the page. Without a shop there is nothing but the `problem`.

    `may_enter`: whether the person is a member, and so has the full app.
    """

    shop_name: str = ""
    state_text: str = ""
    state_kind: str = ""
    is_on: bool = False
    delay_text: str = ""
    queued: int = 0
    may_enter: bool = False
    may_switch: bool = False
    attention: tuple[Attention, ...] = ()
    problem: str = ""


def state_page(ask: AdminAsk, session: Session, shop: ShopRow, member: MemberRow | None, problem: str = "") -> StatePage:
    """Everything as of now, in the language of the admin."""
    assert shop.id is not None
    automation = automations.get_automation(session, shop.id)
    state_text, state_kind = shop_state(shop.state, shop.missing_scopes, ask.language)
    return StatePage(
        shop_name=shop.name,
        state_text=state_text,
        state_kind=state_kind,
        is_on=automation.is_on,
        delay_text=duration(shop.threshold_minutes, ask.language),
        queued=reports.queued_count(session, shop.id),
        may_enter=member is not None,
        may_switch=member is not None and member_may(Role(member.role), Permission.AUTOMATE),
        attention=tuple(_attention(ask, session, shop)),
        problem=problem,
    )


def _attention(ask: AdminAsk, session: Session, shop: ShopRow) -> list[Attention]:
    words = translator(ask.language).gettext
    found = []
    if shop.missing_scopes:
        found.append(Attention("warn", words(INCOMPLETE), words(NOT_GRANTED), tuple(shop.missing_scopes), words(GRANT)))
    if (withheld := withheld_note(shop.withheld, PLATFORM_TITLES[shop.platform], words)).text:
        found.append(Attention("warn", withheld.title, withheld.text, cure=withheld.cure))
    for notice in notices.list_open(session, shop.account_id):
        if notice.shop_id in (None, shop.id) and notice.cause in NOTICES:
            found.append(Attention("info" if notice.cause == Cause.DATA_REQUEST_READY else "warn", "", words(NOTICES[notice.cause])))
    return found
