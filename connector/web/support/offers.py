"""A store's offers as support sees them: how each stands and why, what happened to it, whom it was given to, and why an order got none."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.offers import CodeMode
from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import grants, members, offer_browsing, offer_tracing, offers, shops
from connector.store.db import Session
from connector.store.offer_browsing import GivenLine
from connector.store.offer_tables import OfferEventRow
from connector.store.offer_tracing import Traced
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import StaffAsk, staff_reading
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.offer_waiting import waiting_of
from connector.web.merchant.offers import gives_of, state_of, whys_of
from connector.web.offer_phrases import (
    DECISIONS,
    EVENTS,
    GRANT_KINDS,
    GRANT_REASONS,
    GRANT_STATES,
    OFFER_KINDS,
    OFFER_STATES,
    said,
    why_suspended,
)
from connector.web.support.masks import DOTS, masked_email, masked_phone
from connector.web.tables import address, read_text

ORDERS, GRANTS = 20, 50
COUNTED = N_("%(state)s: %(count)s")
NOT_DECIDED = N_("Nobody has decided about it: it is not paid yet, or no offer was published then")
LEARNED = N_("Learned by a sync: it earns nothing, unless the store itself tells of it")

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One offer. `counts`: how many grants are in which state."""

    url: str
    name: str
    state: str
    state_kind: str
    since: Moment
    whys: tuple[str, ...]
    gives: str
    code: str
    stops_at: Moment | None
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """Why an order earned an offer or did not. `code` is the word that never changes."""

    name: str
    at: Moment
    reason: str
    code: str
    is_granted: bool
    offer: str
    offer_url: str
    grant: str
    grant_kind: str
    grant_reason: str
    decided_at: Moment | None


@dataclass(frozen=True, slots=True)
class SupportOffersPage:
    """All offers of a store, deleted ones too, and its orders: those that are asked for (`typed`), else the last ones."""

    shop_name: str
    shop_url: str
    timezone: str
    offers: tuple[OfferLine, ...]
    typed: str
    clear_url: str
    orders: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class HappeningLine:
    """One step in an offer's life."""

    at: Moment
    text: str
    code: str
    why: str
    who: str
    version: int


@dataclass(frozen=True, slots=True)
class GrantLine:
    """One person who was given it, masked."""

    public_id: str
    email: str
    phone: str
    order: str
    code: str
    version: int
    state: str
    state_kind: str
    reason: str
    given_at: Moment
    opened_at: Moment | None


@dataclass(frozen=True, slots=True)
class SupportOfferPage:
    """One offer. `waiting`: what the store has still to do; `older`: where the list of people goes on."""

    shop_name: str
    shop_url: str
    timezone: str
    public_id: str
    line: OfferLine
    version: int
    waiting: tuple[str, ...]
    events: tuple[HappeningLine, ...]
    grants: tuple[GrantLine, ...]
    newest: str
    older: str


@router.get("/support/shops/{shop}/offers")
def show_offers(ask: Looker, shop: str) -> Response:
    """The list, and the answer to "why did this order get no offer"."""
    typed = read_text(ask.request.query_params.get("order", ""))
    row = _shop(ask, shop)
    assert row.id is not None
    with ask.transaction(row.id) as session:
        found = offers.list_offers(session, row, can_send_mail=_can_send(ask), with_deleted=True)
        lines = tuple(_offer(ask, session, row, one) for one in found)
        traced = offer_tracing.find_orders(session, row.id, typed, ORDERS) if typed else offer_tracing.list_lately(session, row.id, ORDERS)
    url = f"/support/shops/{row.public_id}"
    page = SupportOffersPage(
        shop_name=row.name,
        shop_url=url,
        timezone=row.timezone,
        offers=lines,
        typed=typed,
        clear_url=f"{url}/offers" if typed else "",
        orders=tuple(_order(ask, row, one) for one in traced),
    )
    return ask.render("support_offers.html", page)


@router.get("/support/shops/{shop}/offers/{offer}")
def show_offer(ask: Looker, shop: str, offer: str) -> Response:
    """One offer, also one that is deleted: for the merchant it is gone, for us it is kept."""
    row, before = _shop(ask, shop), ask.request.query_params.get("before", "")
    assert row.id is not None
    with ask.transaction(row.id) as session:
        seen = offers.get_offer(session, row, known_id(offer), can_send_mail=_can_send(ask), with_deleted=True)
        assert seen.offer.id is not None
        given = offer_browsing.list_given(session, seen.offer.id, known_id(before) if before else None, GRANTS + 1)
        events = offers.list_events(session, seen.offer.id)
        people = {f"member {one.public_id}": masked_email(one.email) for one in members.list_members(session, row.account_id)}
        line, waiting = _offer(ask, session, row, seen), waiting_of(ask, session, row, seen.offer.id)
    place = zone(row.timezone)
    page = SupportOfferPage(
        shop_name=row.name,
        shop_url=f"/support/shops/{row.public_id}",
        timezone=row.timezone,
        public_id=seen.offer.public_id,
        line=line,
        version=seen.offer.version,
        waiting=waiting.texts,
        events=tuple(_happening(ask, event, people, place) for event in events),
        grants=tuple(_grant(ask, one, place, is_unique=seen.version.mode == CodeMode.UNIQUE) for one in given[:GRANTS]),
        newest=line.url if before else "",
        older=address(line.url, {"before": given[GRANTS - 1].grant.public_id}) if len(given) > GRANTS else "",
    )
    return ask.render("support_offer.html", page)


def _shop(ask: StaffAsk, shop: str) -> ShopRow:
    with ask.system("support asks for a shop") as session:
        return shops.find_shop(session, known_id(shop))


def _can_send(ask: StaffAsk) -> bool:
    return ask.parts.services.mail is not None


def _offer(ask: StaffAsk, session: Session, shop: ShopRow, seen: OfferView) -> OfferLine:
    assert seen.offer.id is not None
    place, state = zone(shop.timezone), state_of(seen)
    counts = grants.count_by_state(session, seen.offer.id)
    return OfferLine(
        url=f"/support/shops/{shop.public_id}/offers/{seen.offer.public_id}",
        name=seen.offer.name,
        state=ask.gettext(said(OFFER_STATES, state)),
        state_kind=OFFER_KINDS.get(state, ""),
        since=moment(seen.offer.state_at, place, ask.language),
        whys=whys_of(ask, seen),
        gives=gives_of(seen.version, shop, ask.language),
        code=seen.version.code or "",
        stops_at=moment_or_none(seen.stops_at, place, ask.language),
        counts=tuple(
            ask.gettext(COUNTED) % {"state": ask.gettext(words), "count": counts[word]}
            for word, words in GRANT_STATES.items()
            if word in counts
        ),
    )


def _order(ask: StaffAsk, shop: ShopRow, traced: Traced) -> OrderLine:
    place, decision, offer, grant = zone(shop.timezone), traced.decision, traced.offer, traced.grant
    return OrderLine(
        name=traced.order.number or traced.order.platform_id,
        at=moment(traced.order.placed_at, place, ask.language),
        reason=ask.gettext(said(DECISIONS, decision.reason) if decision else LEARNED if traced.order.is_quiet else NOT_DECIDED),
        code=decision.reason if decision else "",
        is_granted=grant is not None,
        offer=offer.name if offer else "",
        offer_url=f"/support/shops/{shop.public_id}/offers/{offer.public_id}" if offer else "",
        grant=ask.gettext(said(GRANT_STATES, grant.state)) if grant else "",
        grant_kind=GRANT_KINDS.get(grant.state, "") if grant else "",
        grant_reason=ask.gettext(said(GRANT_REASONS, grant.reason)) if grant and grant.reason else "",
        decided_at=moment_or_none(decision.decided_at if decision else None, place, ask.language),
    )


def grant_text(ask: StaffAsk, state: str, reason: str | None) -> str:
    """How a grant stands, and why, in the reader's language."""
    words = [ask.gettext(said(GRANT_STATES, state)), ask.gettext(said(GRANT_REASONS, reason)) if reason else ""]
    return " · ".join(word for word in words if word)


def _happening(ask: StaffAsk, event: OfferEventRow, people: Mapping[str, str], place: tzinfo) -> HappeningLine:
    return HappeningLine(
        at=moment(event.at, place, ask.language),
        text=ask.gettext(said(EVENTS, event.action)),
        code=f"{event.from_state or '—'} → {event.to_state}",
        why=" ".join(ask.gettext(text) for text in why_suspended(event.reason, event.detail)),
        who=people.get(event.actor) or event.actor,
        version=event.version,
    )


def _grant(ask: StaffAsk, line: GivenLine, place: tzinfo, *, is_unique: bool) -> GrantLine:
    grant, order = line.grant, line.order
    # A code of one's own is as good as money.
    code = f"{DOTS}{grant.code[-3:]}" if grant.code and is_unique else grant.code or ""
    return GrantLine(
        public_id=grant.public_id,
        email=masked_email(grant.email),
        phone=masked_phone(grant.phone_e164),
        order="" if order is None else order.number or order.platform_id,
        code=code,
        version=line.version,
        state=ask.gettext(said(GRANT_STATES, grant.state)),
        state_kind=GRANT_KINDS.get(grant.state, ""),
        reason=ask.gettext(said(GRANT_REASONS, grant.reason)) if grant.reason else "",
        given_at=moment(grant.granted_at, place, ask.language),
        opened_at=moment_or_none(grant.opened_at, place, ask.language),
    )
