"""The context of the overview: every shop with its automation, its checkouts and what came in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from connector.rules.abandonment import LONGEST_MINUTES, SHORTEST_MINUTES
from connector.store import automations, overview, shops
from connector.store.db import Session
from connector.store.inbox_tables import DeliveryRow, UnknownShopRow
from connector.store.overview import Listed
from connector.store.sealed import Vault
from connector.store.tables import ShopRow
from connector.web.formats import PLATFORM_TITLES, SHOP_STATES, Moment, duration, moment, money, zone
from connector.web.support.deciding import Judge
from connector.web.support.phrases import DELIVERY_STATES, MESSAGE_STATES, reason_text
from connector.web.support.states import checkout_state

PAGE = 50
SHORT_PAGE = 10
MANY_SHOPS = 5


@dataclass(frozen=True, slots=True)
class CheckoutLine:
    """One checkout of a list."""

    public_id: str
    who: str
    total: str
    started_at: Moment
    active_at: Moment | None
    state: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """One delivery that made no sense, and why."""

    number: int
    topic: str
    reason: str
    received_at: Moment


@dataclass(frozen=True, slots=True)
class ShopSection:
    """One shop of the overview. `older` leads to the next page of its checkouts, `newest` back to the first; empty: no link."""

    public_id: str
    name: str
    platform: str
    domain: str
    state: str
    state_text: str
    missing_scopes: tuple[str, ...]
    installed_at: Moment
    timezone: str
    is_on: bool
    minutes: int
    delay_text: str
    checkouts: tuple[CheckoutLine, ...]
    older: str
    newest: str
    counts: tuple[tuple[str, int], ...]
    quarantined: tuple[QuarantinedLine, ...]


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """Somebody who sends us authentic deliveries without being connected."""

    platform: str
    shop_ref: str
    topic: str
    count: int
    last_at: Moment


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """All shops, or one of them. `days` is how far back deliveries are counted."""

    shops: tuple[ShopSection, ...]
    unknown: tuple[UnknownLine, ...]
    days: int
    shortest: int
    longest: int


def overview_page(sections: Sequence[ShopSection], unknown: Sequence[UnknownShopRow]) -> OverviewPage:
    """The whole page."""
    lines = (
        UnknownLine(PLATFORM_TITLES.get(u.platform, u.platform), u.shop_ref, u.topic, u.count, moment(u.last_at, zone("UTC")))
        for u in unknown
    )
    return OverviewPage(tuple(sections), tuple(lines), overview.DAYS, SHORTEST_MINUTES, LONGEST_MINUTES)


def shop_section(session: Session, vault: Vault, shop_id: int, before: str | None, size: int = PAGE) -> ShopSection:
    """One shop with `size` of its checkouts, from the one after `before` on (a checkout's public id; None: the newest)."""
    shop, automation = shops.get_shop(session, shop_id), automations.get_automation(session, shop_id)
    place = zone(shop.timezone)
    listed = overview.list_checkouts(session, shop_id, before, size + 1)
    shown, is_more = listed[:size], len(listed) > size
    judge = Judge(session, vault, shop, automation, [one.facts for one in shown if one.reason is None])
    counts = overview.delivery_counts(session, shop_id)
    return ShopSection(
        public_id=shop.public_id,
        name=shop.name,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        domain=shop.domain,
        state=shop.state,
        state_text=SHOP_STATES[shop.state],
        missing_scopes=tuple(shop.missing_scopes),
        installed_at=moment(shop.installed_at, place),
        timezone=shop.timezone,
        is_on=automation.is_on,
        minutes=shop.threshold_minutes,
        delay_text=duration(shop.threshold_minutes),
        checkouts=tuple(_checkout(one, judge, place) for one in shown),
        older=f"{_link(shop)}&before={shown[-1].row.public_id}" if is_more else "",
        newest=_link(shop) if before else "",
        counts=tuple((DELIVERY_STATES[state], count) for state, count in counts.items()),
        quarantined=tuple(_quarantined(row, place) for row in overview.quarantined(session, shop_id)),
    )


def _link(shop: ShopRow) -> str:
    return f"/?shop={shop.public_id}"


def _checkout(one: Listed, judge: Judge, place: tzinfo) -> CheckoutLine:
    row = one.row
    return CheckoutLine(
        public_id=row.public_id,
        who=row.email or "—",
        total=money(row.total, row.currency),
        started_at=moment(row.created_at, place),
        active_at=None if row.last_activity_at is None else moment(row.last_activity_at, place),
        state=checkout_state(one.facts, row.converted_at).value,
        reason=reason_text(one.reason or judge.verdict(one.facts).reason),
        message="" if one.message_state is None else MESSAGE_STATES[one.message_state],
    )


def _quarantined(row: DeliveryRow, place: tzinfo) -> QuarantinedLine:
    assert row.id is not None
    return QuarantinedLine(row.id, row.topic, row.reason or "", moment(row.received_at, place))
