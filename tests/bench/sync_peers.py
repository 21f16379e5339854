"""
How the peers of the sync store an order: the usual ways of an ORM, on our own tables.

They do less than we do: no contacts, versions, privacy, texts made plain or numbers in one form; the customer is taken from the order.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from connector.store.ids import public_id
from connector.store.tables import CustomerRow, OrderLineRow, OrderRow


def save_order(engine: Engine, shop_id: int, order: Mapping[str, Any]) -> None:
    """
    A session and a commit of its own: each row is merged, so that an order which is there already is brought up to date.

    The keys of customer and order are looked up first, for they are ours and not the store's.
    """
    with Session(engine) as session:
        customer, values = customer_values(shop_id, order), order_values(shop_id, order)
        found = select(CustomerRow.id).where(col(CustomerRow.shop_id) == shop_id, CustomerRow.platform_id == customer["platform_id"])
        session.merge(CustomerRow(id=session.exec(found).one_or_none(), public_id=public_id("cus"), **customer))
        known = select(OrderRow.id).where(col(OrderRow.shop_id) == shop_id, OrderRow.platform_id == values["platform_id"])
        row = session.merge(OrderRow(id=session.exec(known).one_or_none(), public_id=public_id("ord"), **values))
        session.flush()
        assert row.id is not None
        for line in line_rows(shop_id, row.id, order):
            session.merge(line)
        session.commit()


def add_orders(engine: Engine, shop_id: int, orders: Sequence[Mapping[str, Any]]) -> None:
    """The rows of a page at once: into empty tables, without a look at what is there."""
    with Session(engine) as session:
        rows = [OrderRow(public_id=public_id("ord"), **order_values(shop_id, order)) for order in orders]
        session.add_all(CustomerRow(public_id=public_id("cus"), **customer_values(shop_id, order)) for order in orders)
        session.add_all(rows)
        session.flush()
        for row, order in zip(rows, orders, strict=True):
            assert row.id is not None
            session.add_all(line_rows(shop_id, row.id, order))
        session.commit()


def order_values(shop_id: int, order: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an order."""
    billing, changed = order["billing"], _instant(order["date_modified_gmt"])
    return {
        "shop_id": shop_id,
        "platform_id": str(order["id"]),
        "number": order["number"],
        "platform_status": order["status"],
        "payment_state": "paid",
        "customer_platform_id": str(order["customer_id"]),
        "email": billing["email"],
        "email_norm": billing["email"].lower(),
        "phone_raw": billing["phone"],
        "phone_e164": billing["phone"],
        "first_name": billing["first_name"],
        "last_name": billing["last_name"],
        "country": billing["country"],
        "currency": order["currency"],
        "total": Decimal(order["total"]),
        "discount_total": Decimal(order["discount_total"]),
        "tax_total": Decimal(order["total_tax"]),
        "taxes_included": order["prices_include_tax"],
        "discount_codes": [line["code"] for line in order["coupon_lines"]],
        "created_at": _instant(order["date_created_gmt"]),
        "placed_at": _instant(order["date_created_gmt"]),
        "paid_at": _instant(order["date_paid_gmt"]),
        "source_version": changed,
        "source_triggered_at": changed,
        "source_digest": "",
    }


def customer_values(shop_id: int, order: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the order's customer."""
    billing, changed = order["billing"], _instant(order["date_modified_gmt"])
    return {
        "shop_id": shop_id,
        "platform_id": str(order["customer_id"]),
        "email": billing["email"],
        "email_norm": billing["email"].lower(),
        "first_name": billing["first_name"],
        "last_name": billing["last_name"],
        "phone_raw": billing["phone"],
        "phone_e164": billing["phone"],
        "country": billing["country"],
        "created_at": _instant(order["date_created_gmt"]),
        "source_version": changed,
        "source_triggered_at": changed,
        "source_digest": "",
    }


def line_rows(shop_id: int, order_id: int, order: Mapping[str, Any]) -> list[OrderLineRow]:
    """The rows of its lines."""
    return [
        OrderLineRow(
            order_id=order_id,
            position=position,
            shop_id=shop_id,
            key=str(line["id"]),
            product_id=str(line["product_id"]),
            title=line["name"],
            sku=line["sku"],
            quantity=line["quantity"],
            unit_price=Decimal(line["subtotal"]),
            total=Decimal(line["total"]),
            image_url=line["image"]["src"],
        )
        for position, line in enumerate(order["line_items"])
    ]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
