"""The dashboard: what became of abandoned checkouts in some days, and how the account's shops are doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import notices, offer_browsing, offers, reports, shops
from connector.store.access_tables import NoticeRow
from connector.store.automation_tables import AutomationRow
from connector.store.db import Session, app_now
from connector.store.notices import Cause
from connector.store.offers import OfferView
from connector.store.reports import DayFigures, Figures, LastDelivery, ShopDays
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, reading
from connector.web.formats import PLATFORM_TITLES, SHOP_STATES, Moment, duration, moment
from connector.web.inputs import known_id
from connector.web.merchant.first_sync import FirstSync, first_syncs
from connector.web.merchant.offer_saving import can_send_mail
from connector.web.merchant.offers import whys_of
from connector.web.merchant.period import PRESETS, Period, read_period, today_in
from connector.web.merchant.phrases import NOTICES, SHOP_KINDS, ago_text, amount_text, count_text, day_text, share_text
from connector.web.tables import address

PATH = "/app"
OFFER_CAUSES = frozenset({Cause.OFFER_SUSPENDED.value, Cause.OFFER_ENDING.value})
"""Offers speak for themselves here, each with its reason as it is at this moment."""

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class Total:
    """The figures of one currency over all days (SQ-09), ready to be read."""

    currency: str
    abandoned: str
    abandoned_value: str
    unreachable: str
    sent: str
    recovered: str
    recovered_value: str
    rate: str


@dataclass(frozen=True, slots=True)
class DayLine:
    """The figures of one day and currency."""

    day: str
    iso: str
    abandoned: str
    abandoned_value: str
    sent: str
    recovered: str
    recovered_value: str


@dataclass(frozen=True, slots=True)
class ShopCard:
    """How one shop is doing. `heard`: when its last webhook came and which; empty if none ever did."""

    public_id: str
    name: str
    platform: str
    state: str
    state_kind: str
    is_on: bool
    delay_text: str
    heard: str
    heard_topic: str
    heard_at: Moment | None


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """Something the owners must know. `shop_id` is empty where it is about no shop."""

    text: str
    shop: str
    shop_id: str
    at: Moment


@dataclass(frozen=True, slots=True)
class StoppedOffer:
    """An offer that cannot be given now, or that will stop soon (`stops_at`)."""

    name: str
    url: str
    shop: str
    whys: tuple[str, ...]
    stops_at: Moment | None


@dataclass(frozen=True, slots=True)
class PresetLink:
    """A range of days to choose."""

    text: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """The whole page; without `shops` there is nothing to tell yet. `shop`: the public id of the one it is about, or empty for all."""

    shops: tuple[ShopCard, ...]
    options: tuple[tuple[str, str], ...]
    shop: str
    first: str
    last: str
    period: str
    presets: tuple[PresetLink, ...]
    problem: str
    totals: tuple[Total, ...]
    days: tuple[DayLine, ...]
    notices: tuple[NoticeLine, ...]
    first_syncs: tuple[FirstSync, ...]
    stopped: tuple[StoppedOffer, ...]
    may_connect: bool
    may_offer: bool

    @property
    def offer_shop(self) -> str:
        """The store for which one click begins an offer (SH-32): the chosen one, or the only one; empty where one must choose."""
        return self.shop or (self.shops[0].public_id if len(self.shops) == 1 else "")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the page is made of."""

    shops: Sequence[ShopRow]
    automations: Mapping[int, AutomationRow]
    heard: Mapping[int, LastDelivery]
    notices: Sequence[NoticeRow]
    first_syncs: tuple[FirstSync, ...]
    stopped: Sequence[tuple[ShopRow, OfferView]]
    figures: Sequence[DayFigures]
    period: Period
    now: datetime


@router.get("/app")
def show_dashboard(ask: Viewer, shop: str = "") -> Response:
    """The figures of all shops of the account, or of one."""
    with ask.transaction() as session:
        chosen = ask.shop(session, known_id(shop)) if shop else None
        loaded = _load(ask, session, chosen)
    return ask.render("dashboard.html", dashboard_page(ask, loaded, "" if chosen is None else chosen.public_id))


def dashboard_page(ask: MemberAsk, loaded: _Loaded, chosen: str) -> DashboardPage:
    """Put it together in the reader's language."""
    period, language = loaded.period, ask.language
    totals = reports.total_by_currency(loaded.figures)
    return DashboardPage(
        shops=tuple(_card(ask, loaded, row) for row in loaded.shops),
        options=(("", ask.gettext("All stores")), *((row.public_id, row.name) for row in loaded.shops)),
        shop=chosen,
        first=period.first.isoformat(),
        last=period.last.isoformat(),
        period=f"{day_text(period.first, language)} – {day_text(period.last, language)}",
        presets=tuple(_preset(ask, days, period, chosen) for days in PRESETS),
        problem=ask.gettext(period.problem) if period.problem else "",
        totals=tuple(_total(currency, figures, language) for currency, figures in totals.items()),
        days=tuple(_day(one, period, language) for one in sorted(loaded.figures, key=lambda one: (-one.day, one.currency))),
        notices=tuple(_notice(ask, row, loaded.shops) for row in loaded.notices),
        first_syncs=loaded.first_syncs,
        stopped=tuple(_stopped(ask, row, seen) for row, seen in loaded.stopped),
        may_connect=ask.may(Permission.CONNECT),
        may_offer=ask.may(Permission.AUTOMATE),
    )


def _load(ask: MemberAsk, session: Session, chosen: ShopRow | None) -> _Loaded:
    rows, now = shops.list_shops(session), app_now(session)
    ids = [row.id for row in rows if row.id is not None]
    about = [row for row in rows if chosen is None or row.id == chosen.id]
    period = read_period(ask.request.query_params, today_in([zone(row.timezone) for row in about], now))
    spans = [ShopDays(row.id, period.starts(zone(row.timezone))) for row in about if row.id is not None]
    return _Loaded(
        shops=rows,
        automations=reports.automations_of(session, ids),
        heard=reports.last_deliveries(session, ids),
        notices=[one for one in notices.list_open(session, ask.account_id) if one.cause not in OFFER_CAUSES],
        first_syncs=first_syncs(ask, session, rows),
        stopped=_stopping(ask, session, rows),
        figures=reports.daily_figures(session, spans),
        period=period,
        now=now,
    )


def _total(currency: str, figures: Figures, language: str) -> Total:
    return Total(
        currency=currency,
        abandoned=count_text(figures.abandoned, language),
        abandoned_value=amount_text(figures.abandoned_value, currency, language),
        unreachable=count_text(figures.unreachable, language),
        sent=count_text(figures.sent, language),
        recovered=count_text(figures.recovered, language),
        recovered_value=amount_text(figures.recovered_value, currency, language),
        rate=share_text(figures.rate, language),
    )


def _day(one: DayFigures, period: Period, language: str) -> DayLine:
    day, figures = period.day(one.day), one.figures
    return DayLine(
        day=day_text(day, language),
        iso=day.isoformat(),
        abandoned=count_text(figures.abandoned, language),
        abandoned_value=amount_text(figures.abandoned_value, one.currency, language),
        sent=count_text(figures.sent, language),
        recovered=count_text(figures.recovered, language),
        recovered_value=amount_text(figures.recovered_value, one.currency, language),
    )


def _card(ask: MemberAsk, loaded: _Loaded, row: ShopRow) -> ShopCard:
    assert row.id is not None
    heard, language = loaded.heard.get(row.id), ask.language
    return ShopCard(
        public_id=row.public_id,
        name=row.name,
        platform=PLATFORM_TITLES.get(row.platform, row.platform),
        state=ask.gettext(SHOP_STATES[row.state]),
        state_kind=SHOP_KINDS[row.state],
        is_on=loaded.automations[row.id].is_on,
        delay_text=duration(row.threshold_minutes, language),
        heard="" if heard is None else ago_text(heard.at, loaded.now, language),
        heard_topic="" if heard is None else heard.topic,
        heard_at=None if heard is None else moment(heard.at, zone(row.timezone), language),
    )


def _notice(ask: MemberAsk, row: NoticeRow, known: Sequence[ShopRow]) -> NoticeLine:
    shop = next((one for one in known if one.id == row.shop_id), None)
    return NoticeLine(
        text=ask.gettext(NOTICES.get(row.cause, row.cause)),
        shop="" if shop is None else shop.name,
        shop_id="" if shop is None else shop.public_id,
        at=moment(row.at, zone("UTC" if shop is None else shop.timezone), ask.language),
    )


def _stopping(ask: MemberAsk, session: Session, rows: Sequence[ShopRow]) -> list[tuple[ShopRow, OfferView]]:
    """Offers that were published and cannot be given now, or will stop soon."""
    running = offer_browsing.shops_with_offers(session, [row.id for row in rows if row.id is not None])
    seen = [(row, one) for row in rows if row.id in running for one in offers.list_offers(session, row, can_send_mail=can_send_mail(ask))]
    return [(row, one) for row, one in seen if whys_of(ask, one) or one.stops_at is not None]


def _stopped(ask: MemberAsk, row: ShopRow, seen: OfferView) -> StoppedOffer:
    return StoppedOffer(
        name=seen.offer.name,
        url=f"/app/shops/{row.public_id}/offers/{seen.offer.public_id}",
        shop=row.name,
        whys=whys_of(ask, seen),
        stops_at=None if seen.stops_at is None else moment(seen.stops_at, zone(row.timezone), ask.language),
    )


def _preset(ask: MemberAsk, days: int, period: Period, chosen: str) -> PresetLink:
    text = ask.ngettext("%(num)d day", "%(num)d days", days) % {"num": days}
    return PresetLink(text, address(PATH, {"days": str(days), "shop": chosen}), period.preset == days)
