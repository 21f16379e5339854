"""The calls of the API, version 1. Reads only: whatever changes something is done by people in the pages."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from connector.errors import NotFound
from connector.rules.permissions import Scope
from connector.store import exposing, overview, shops
from connector.store.checkouts import facts_of
from connector.store.overview import Found
from connector.store.tables import ShopRow
from connector.web.api import shapes
from connector.web.api.errors import NOTHING, ApiError, ApiRoute
from connector.web.api.keys import ApiAsk, calling
from connector.web.api.shapes import money
from connector.web.inputs import known_id
from connector.web.states import checkout_state

MOST, PAGE = 100, 50
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

router = APIRouter(prefix="/api", route_class=ApiRoute)
ShopsReader = Annotated[ApiAsk, Depends(calling(Scope.SHOPS_READ))]
CheckoutsReader = Annotated[ApiAsk, Depends(calling(Scope.CHECKOUTS_READ))]


@router.get("/v1/shops")
def list_shops(ask: ShopsReader) -> shapes.Shops:
    """Every store of the key's account."""
    with ask.transaction() as session:
        return shapes.Shops(shops=[_shop(row) for row in shops.list_shops(session)])


@router.get("/v1/checkouts")
def list_checkouts(
    ask: CheckoutsReader, shop: str | None = None, before: str | None = None, limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE
) -> shapes.Checkouts:
    """A page of checkouts, newest first; `before` is the id of the last one of the page before."""
    with ask.transaction() as session:
        shop_id = None if shop is None else _find_shop(ask, shops.find_shop(session, known_id(shop))).id
        cursor = None if before is None else known_id(before)
        rows = exposing.list_checkouts(session, ask.account_id, shop_id, cursor, limit + 1)
    shown = rows[:limit]
    query = urlencode({name: value for name, value in (("shop", shop), ("limit", limit)) if value is not None})
    follows = f"/api/v1/checkouts?{query}&before={shown[-1].public_id}" if len(rows) > limit else None
    return shapes.Checkouts(checkouts=[shapes.Checkout(**_checkout(row, row.shop)) for row in shown], next=follows)


@router.get("/v1/checkouts/{checkout}")
def show_checkout(ask: CheckoutsReader, checkout: str) -> shapes.CheckoutDetail:
    """One checkout with its lines, the decision about it, its messages and its order."""
    with ask.transaction() as session:
        shop = _find_shop(ask, shops.get_shop(session, overview.find_checkout_shop(session, known_id(checkout))))
        assert shop.id is not None
        found = overview.load_checkout(session, ask.parts.services.vault, shop.id, checkout)
    return _detail(found, shop.public_id)


@router.api_route("/{rest:path}", methods=METHODS, include_in_schema=False)
def show_nothing(rest: str) -> Response:
    """Any other address of the API."""
    raise ApiError(404, "not_found", NOTHING)


def _find_shop(ask: ApiAsk, row: ShopRow) -> ShopRow:
    if row.account_id != ask.account_id:
        raise NotFound("There is no such shop.")
    return row


def _shop(row: ShopRow) -> shapes.Shop:
    return shapes.Shop(
        id=row.public_id,
        name=row.name,
        platform=row.platform,
        domain=row.domain,
        url=row.url,
        state=row.state,
        currency=row.currency,
        timezone=row.timezone,
        installed_at=row.installed_at,
    )


def _checkout(row: Any, shop: str) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "shop_id": shop,
        "number": row.number,
        "stage": row.stage,
        "state": checkout_state(facts_of(row), row.converted_at).name.lower(),
        "email": row.email,
        "phone": row.phone_e164 or row.checkout_phone_e164,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "total": money(row.total, row.currency),
        "created_at": row.created_at,
        "last_activity_at": row.last_activity_at,
        "abandoned_at": row.abandoned_at,
        "converted_at": row.converted_at,
        "recovery_url": row.recovery_url,
    }


def _detail(found: Found, shop: str) -> shapes.CheckoutDetail:
    row, order = found.row, found.order
    decided = max(found.decisions, key=lambda one: one.decided_at, default=None)
    return shapes.CheckoutDetail(
        **_checkout(row, shop),
        lines=[
            shapes.Line(
                title=line.title,
                variant_title=line.variant_title,
                quantity=line.quantity,
                unit_price=money(line.unit_price, row.currency),
                total=money(line.total, row.currency),
                image_url=line.image_url,
            )
            for line in found.lines
        ],
        decision=None if decided is None else shapes.Decision(reason=decided.reason, decided_at=decided.decided_at),
        messages=[
            shapes.Message(
                id=message.public_id,
                channel=message.channel,
                state=message.state,
                queued_at=message.queued_at,
                sent_at=message.handed_over_at,
                clicked_at=message.clicked_at,
            )
            for message in found.messages
        ],
        order=None
        if order is None
        else shapes.Order(id=order.public_id, number=order.number, total=money(order.total, order.currency), placed_at=order.placed_at),
    )
