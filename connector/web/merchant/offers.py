"""The offers of a shop: where each stands, what it did in the last 30 days, and when it will stop."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.canonical import Money
from connector.messages.offer_words import gives
from connector.rules.offers import OfferState, lacking
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import offer_numbers, offers, shops
from connector.store.db import app_now
from connector.store.offer_numbers import OfferNumbers
from connector.store.offer_tables import OfferVersionRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.asking import Ask
from connector.web.auth import MemberAsk, reading
from connector.web.formats import Moment, moment_or_none, money
from connector.web.merchant.offer_saving import can_send_mail
from connector.web.merchant.phrases import count_text, day_text
from connector.web.offer_phrases import OFFER_KINDS, OFFER_STATES, REQUIREMENTS, said, why_suspended

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of the last 30 days, ready to be read; `first` and `last`: the days that count. Sales are one text for each currency."""

    recipients: str
    orders: str
    sales: tuple[str, ...]
    net: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One offer of the list. `whys`: why it is not given; `stops_at`: when it will stop by itself, if that is near."""

    public_id: str
    name: str
    gives: str
    code: str
    state: str
    state_kind: str
    whys: tuple[str, ...]
    figures: Figures
    ends_at: Moment | None
    stops_at: Moment | None


@dataclass(frozen=True, slots=True)
class OffersPage:
    """The list. `requirements`: what the store lacks for any offer (SH-01)."""

    shop_id: str
    shop_name: str
    others: tuple[tuple[str, str], ...]
    requirements: tuple[str, ...]
    offers: tuple[OfferLine, ...]
    timezone: str
    may_change: bool


@router.get("/app/offers")
def choose_shop(ask: Viewer) -> Response:
    """To the offers of the first shop; without shops to the page that says so."""
    with ask.transaction() as session:
        known = shops.list_shops(session)
    return ask.redirect(f"/app/shops/{known[0].public_id}/offers" if known else "/app")


@router.get("/app/shops/{shop}/offers")
def show_offers(ask: Viewer, shop: str) -> Response:
    """All offers that are not deleted, newest first."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        found = offers.list_offers(session, row, can_send_mail=can_send_mail(ask))
        ids = [one.offer.id for one in found if one.offer.id is not None]
        numbers = offer_numbers.numbers_of(session, row, ids, app_now(session))
        lacks = lacking(offers.standing(row, can_send_mail=can_send_mail(ask)))
        known = [(one.public_id, one.name) for one in shops.list_shops(session)]
    page = OffersPage(
        shop_id=row.public_id,
        shop_name=row.name,
        others=tuple(known),
        requirements=tuple(ask.gettext(said(REQUIREMENTS, one)) for one in lacks),
        offers=tuple(_line(ask, row, one, numbers[one.offer.id]) for one in found if one.offer.id is not None),
        timezone=row.timezone,
        may_change=ask.may(Permission.AUTOMATE),
    )
    return ask.render("offers.html", page)


def figures(numbers: OfferNumbers, language: str) -> Figures:
    """Numbers in the reader's language."""
    return Figures(
        recipients=count_text(numbers.recipients, language),
        orders=count_text(numbers.orders, language),
        sales=_amounts(numbers.sales, language),
        net=_amounts(numbers.net, language),
        first=day_text(numbers.since, language),
        last=day_text(numbers.until, language),
    )


def whys_of(ask: Ask, seen: OfferView) -> tuple[str, ...]:
    """
    Why an offer is not given at this moment, in the reader's language: the problem that there is now, else the one that was written down.

    A draft, and one that was deactivated, has no problem to tell of.
    """
    if seen.state not in (OfferState.ACTIVE, OfferState.SUSPENDED):
        return ()
    if seen.problem is not None:
        texts = why_suspended(seen.problem.reason.value, seen.problem.detail)
    else:
        texts = why_suspended(seen.offer.reason, seen.offer.detail)
    return tuple(ask.gettext(text) for text in texts)


def gives_of(version: OfferVersionRow, shop: ShopRow, language: str) -> str:
    """What a version gives; empty while nobody has said so."""
    return gives(version.kind, version.value, version.currency or shop.currency, version.minimum_subtotal, language) if version.kind else ""


def state_of(seen: OfferView) -> OfferState:
    """The state as people are to see it: an active offer with a problem is suspended, whether or not that is written down yet."""
    return OfferState.SUSPENDED if seen.state is OfferState.ACTIVE and seen.problem is not None else seen.state


def _line(ask: MemberAsk, shop: ShopRow, seen: OfferView, numbers: OfferNumbers) -> OfferLine:
    place, state = zone(shop.timezone), state_of(seen)
    return OfferLine(
        public_id=seen.offer.public_id,
        name=seen.offer.name,
        gives=gives_of(seen.version, shop, ask.language),
        code=seen.version.code or "",
        state=ask.gettext(said(OFFER_STATES, state)),
        state_kind=OFFER_KINDS.get(state, ""),
        whys=whys_of(ask, seen),
        figures=figures(numbers, ask.language),
        ends_at=moment_or_none(seen.ends_at, place, ask.language),
        stops_at=moment_or_none(seen.stops_at, place, ask.language),
    )


def _amounts(amounts: tuple[Money, ...], language: str) -> tuple[str, ...]:
    return tuple(money(one.amount, one.currency, language) for one in amounts)
