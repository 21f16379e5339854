"""The calls of the API about offers: how they stand, what they did, and what an order earned. Reads only."""

import re
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from connector.errors import NotFound
from connector.rules.permissions import Scope
from connector.store import exposing, grants, offer_numbers, offers, shops
from connector.store.db import Session, app_now
from connector.store.grants import GrantView
from connector.store.offer_numbers import OfferNumbers
from connector.store.offer_tables import OfferVersionRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.api import offer_shapes as shapes
from connector.web.api.errors import ApiRoute
from connector.web.api.keys import ApiAsk, calling
from connector.web.api.shapes import Decision, money
from connector.web.inputs import known_id

_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

router = APIRouter(prefix="/api/v1/shops/{shop}", route_class=ApiRoute)
OffersReader = Annotated[ApiAsk, Depends(calling(Scope.OFFERS_READ))]


@router.get("/offers")
def list_offers(ask: OffersReader, shop: str) -> shapes.Offers:
    """Every offer of a store, with its numbers of the last thirty days."""
    with ask.transaction() as session:
        row = _shop(ask, session, shop)
        found = offers.list_offers(session, row, can_send_mail=_can_send(ask))
        numbers = offer_numbers.numbers_of(session, row, [_id(one) for one in found], app_now(session))
    return shapes.Offers(offers=[shapes.Offer(**_offer(row, one, numbers[_id(one)])) for one in found])


@router.get("/offers/{offer}")
def show_offer(ask: OffersReader, shop: str, offer: str) -> shapes.OfferDetail:
    """One offer with its words, its steps and its numbers."""
    with ask.transaction() as session:
        row = _shop(ask, session, shop)
        found = offers.get_offer(session, row, known_id(offer), can_send_mail=_can_send(ask))
        numbers = offer_numbers.numbers(session, row, _id(found), app_now(session))
        events = offers.list_events(session, _id(found))
        counts = grants.count_by_state(session, _id(found))
    version = found.version
    return shapes.OfferDetail(
        **_offer(row, found, numbers),
        headline=version.headline,
        text=version.body,
        minimum_order=None if version.minimum_order is None else money(version.minimum_order, row.currency),
        grants=counts,
        events=[
            shapes.Event(
                at=event.at, action=event.action, state=event.to_state, reason=event.reason, detail=event.detail, version=event.version
            )
            for event in events
        ],
    )


@router.get("/orders/{order}/grant")
def show_grant(ask: OffersReader, shop: str, order: str) -> shapes.OrderGrant:
    """What an order (by the id that it has in the store) earned, or why it earned nothing."""
    if not _ORDER_ID.fullmatch(order):
        raise NotFound("There is no such order.")
    with ask.transaction() as session:
        row = _shop(ask, session, shop)
        assert row.id is not None
        bought = exposing.find_order(session, row.id, order)
        assert bought.id is not None
        decided = grants.decision_of(session, bought.id)
        found = grants.of_order(session, row, order, can_send_mail=_can_send(ask))
    return shapes.OrderGrant(
        order_id=order,
        decision=None if decided is None else Decision(reason=decided.reason, decided_at=decided.decided_at),
        grant=None if found is None else _grant(ask, found),
    )


def _shop(ask: ApiAsk, session: Session, shop: str) -> ShopRow:
    row = shops.find_shop(session, known_id(shop))
    if row.account_id != ask.account_id:
        raise NotFound("There is no such shop.")
    return row


def _can_send(ask: ApiAsk) -> bool:
    return ask.parts.services.mail is not None


def _id(view: OfferView) -> int:
    assert view.offer.id is not None
    return view.offer.id


def _offer(shop: ShopRow, view: OfferView, numbers: OfferNumbers) -> dict[str, Any]:
    offer = view.offer
    return {
        "id": offer.public_id,
        "shop_id": shop.public_id,
        "name": offer.name,
        "state": offer.state,
        "reason": offer.reason,
        "detail": offer.detail,
        "is_given": view.is_given,
        "version": offer.version,
        "terms": _terms(view.version),
        "created_at": offer.created_at,
        "state_at": offer.state_at,
        "activated_at": offer.activated_at,
        "ends_at": view.ends_at,
        "stops_at": view.stops_at,
        "numbers": shapes.Numbers(
            since=numbers.since,
            until=numbers.until,
            recipients=numbers.recipients,
            orders=numbers.orders,
            sales=[money(one.amount, one.currency) for one in numbers.sales],
            net=[money(one.amount, one.currency) for one in numbers.net],
        ),
    }


def _terms(version: OfferVersionRow) -> shapes.Terms:
    return shapes.Terms(
        mode=version.mode,
        code=version.code,
        kind=version.kind,
        value=_exact(version.value),
        currency=version.currency,
        minimum_subtotal=_exact(version.minimum_subtotal),
    )


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _grant(ask: ApiAsk, view: GrantView) -> shapes.Grant:
    grant = view.grant
    return shapes.Grant(
        id=grant.public_id,
        offer_id=view.offer.offer.public_id,
        version=view.version.version,
        state=grant.state,
        reason=grant.reason,
        hidden=view.hidden,
        code=grant.code,
        link_url=f"{ask.parts.settings.public_url.rstrip('/')}/o/{grant.link_token}",
        granted_at=grant.granted_at,
        ends_at=view.ends_at,
        opened_at=grant.opened_at,
        used_at=grant.used_at,
    )
