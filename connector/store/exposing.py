"""An account's checkouts over all its shops, and orders by their store's ids, for programs. Reads only; the transaction decides."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, text
from sqlmodel import Session, col

from connector.errors import NotFound
from connector.store.tables import OrderRow


def list_checkouts(session: Session, account_id: int, shop_id: int | None, before: str | None, limit: int) -> Sequence[Row[Any]]:
    """
    Checkouts of an account, or of one of its shops, newest first, from the one after `before` (a public id) on.

    Rows hold the checkout, and the public id of its shop as `shop`. A cart whose checkout is there as well is left out: it is the
    same purchase. Raises NotFound for a `before` that the transaction cannot see.
    """
    values = {"account": account_id, "shop": shop_id, "limit": limit, "at": None, "id": None}
    if before is not None:
        cursor = session.execute(_CURSOR, {"before": before}).one_or_none()
        if cursor is None:
            raise NotFound("There is no such checkout.")
        values |= {"at": cursor.created_at, "id": cursor.id}
    return session.execute(_LIST, values).all()


def find_order(session: Session, shop_id: int, platform_id: str) -> OrderRow:
    """An order of a shop by the id that it has in its store. Raises NotFound."""
    statement = select(OrderRow).where(col(OrderRow.shop_id) == shop_id, col(OrderRow.platform_id) == platform_id)
    row = session.scalars(statement).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return row


_CURSOR = text("select created_at, id from checkouts where public_id = :before")
# The newest of each shop by that shop's own index, then the newest of those. Whether a cart has its checkout is looked up cart by cart:
# of an `exists` the planner may make a list of all checkouts that there are.
_LIST = text("""
    select s.public_id as shop, c.* from shops s cross join lateral (
        select c.* from checkouts c
        where c.shop_id = s.id
          and (cast(:id as bigint) is null or (c.created_at, c.id) < (cast(:at as timestamptz), cast(:id as bigint)))
          and (c.stage <> 'cart' or c.cart_token is null or (
            select k.id from checkouts k where k.shop_id = s.id and k.cart_token = c.cart_token and k.stage = 'checkout' limit 1) is null)
        order by c.created_at desc, c.id desc limit :limit
    ) c
    where s.account_id = :account and (cast(:shop as bigint) is null or s.id = :shop)
    order by c.created_at desc, c.id desc limit :limit
""")
