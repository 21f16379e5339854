"""Canonical records -> rows: checkouts, orders, customers, products with their lines; many at once, newest wins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Checkout, Customer, LineItem, Order, Phone, Product
from connector.rules.abandonment import fingerprint, quantities
from connector.rules.identity import normalise_email
from connector.rules.precedence import Rank, rank
from connector.store.ids import public_id
from connector.store.upserts import as_json, lower_instants, replace_children, upsert_newest

R = TypeVar("R", Checkout, Order, Customer)
Key = tuple[str, ...]
CHECKOUT_KEY = ("shop_id", "stage", "platform_id")
RECORD_KEY = ("shop_id", "platform_id")


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record with its rank, computed once."""

    record: Any
    rank: Rank


def newest(records: Iterable[R]) -> dict[Key, Ranked]:
    """The newest version of each record in a batch, by key."""
    chosen: dict[Key, Ranked] = {}
    for record in records:
        ranked = Ranked(record, rank(record))
        key = (record.stage.value, record.platform_id) if isinstance(record, Checkout) else (record.platform_id,)
        held = chosen.get(key)
        if held is None or ranked.rank > held.rank:
            chosen[key] = ranked
    return chosen


def save_checkouts(session: Session, shop_id: int, checkouts: Sequence[Checkout]) -> list[int]:
    """Write checkouts, their lines and all their versions; return the ids of every checkout whose rows may have changed."""
    if not checkouts:
        return []
    chosen = newest(checkouts)
    rows = [_checkout_row(shop_id, r) for r in chosen.values()]
    written = set(upsert_newest(session, "checkouts", rows, CHECKOUT_KEY, keep=("public_id",), least=("completed_at",)))
    ids = _checkout_ids(session, shop_id, [key[1] for key in chosen])
    fresh = {checkout_id: chosen[key].record.lines for key, checkout_id in ids.items() if checkout_id in written}
    replace_children(session, "checkout_lines", "checkout_id", list(fresh), _line_rows(shop_id, "checkout_id", fresh))
    lowered = lower_instants(session, "checkouts", [_instants(shop_id, c, "completed_at") for c in checkouts], CHECKOUT_KEY, "completed_at")
    versions = [_version_row(shop_id, ids[c.stage.value, c.platform_id], c) for c in checkouts]
    _save_versions(session, versions)
    return sorted({*written, *lowered, *(row["checkout_id"] for row in versions)})


def _save_versions(session: Session, versions: Sequence[Mapping[str, Any]]) -> None:
    """Of the same content at the same instant only the latest trigger is kept, whichever delivery came first."""
    latest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in sorted(versions, key=lambda row: row["source_triggered_at"]):
        latest[row["checkout_id"], row["source_version"], row["source_digest"]] = row
    columns = ", ".join(versions[0])
    statement = f"""
        insert into checkout_versions ({columns})
        select {columns} from jsonb_populate_recordset(null::checkout_versions, cast(:rows as jsonb))
        on conflict (checkout_id, source_version, source_digest) do update set source_triggered_at = excluded.source_triggered_at
        where excluded.source_triggered_at > checkout_versions.source_triggered_at
    """
    session.execute(text(statement), {"rows": as_json(list(latest.values()))})


def save_orders(session: Session, shop_id: int, orders: Sequence[Order]) -> list[int]:
    """Write orders and their lines; return the ids of those whose rows changed."""
    if not orders:
        return []
    chosen = newest(orders)
    rows = [_order_row(shop_id, r) for r in chosen.values()]
    written = set(upsert_newest(session, "orders", rows, RECORD_KEY, keep=("public_id",), least=("placed_at",)))
    ids = _record_ids(session, "orders", shop_id, [key[0] for key in chosen])
    fresh = {order_id: chosen[platform_id,].record.lines for platform_id, order_id in ids.items() if order_id in written}
    replace_children(session, "order_lines", "order_id", list(fresh), _line_rows(shop_id, "order_id", fresh))
    lowered = lower_instants(session, "orders", [_instants(shop_id, o, "placed_at") for o in orders], RECORD_KEY, "placed_at")
    return sorted({*written, *lowered})


def save_customers(session: Session, shop_id: int, customers: Sequence[Customer]) -> list[int]:
    """Write customers; return the ids of those whose rows changed."""
    rows = [_customer_row(shop_id, r) for r in newest(customers).values()]
    return upsert_newest(session, "customers", rows, RECORD_KEY, keep=("public_id",))


def save_products(session: Session, shop_id: int, products: Sequence[Product], read_at: datetime) -> None:
    """Write products as just read from the store, with their variants; an older reading never replaces a newer one."""
    if not products:
        return
    rows = [_product_row(shop_id, p, read_at) for p in {p.platform_id: p for p in products}.values()]
    columns = list(rows[0])
    sets = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in (*RECORD_KEY, "public_id"))
    statement = f"""
        insert into products ({", ".join(columns)})
        select {", ".join(columns)} from jsonb_populate_recordset(null::products, cast(:rows as jsonb))
        on conflict (shop_id, platform_id) do update set {sets}
        where excluded.source_version >= products.source_version or excluded.is_deleted returning id
    """
    from_json = {"rows": as_json(rows)}
    written = set(session.execute(text(statement), from_json).scalars())
    ids = _record_ids(session, "products", shop_id, [p.platform_id for p in products])
    kept = {ids[p.platform_id]: p for p in products if ids[p.platform_id] in written and not p.is_deleted}
    replace_children(
        session, "product_variants", "product_id", list(kept), [v for i, p in kept.items() for v in _variant_rows(shop_id, i, p)]
    )


def unknown_product_ids(session: Session, shop_id: int, limit: int) -> list[str]:
    """Products that lines of open checkouts refer to and that were never read."""
    statement = text("""
        select distinct l.product_id from checkout_lines l
        join checkouts c on c.id = l.checkout_id and c.converted_at is null and c.completed_at is null
        where l.shop_id = :shop and l.product_id is not null
          and not exists (select 1 from products p where p.shop_id = :shop and p.platform_id = l.product_id)
        order by l.product_id limit :limit
    """)
    return list(session.execute(statement, {"shop": shop_id, "limit": limit}).scalars())


def _checkout_ids(session: Session, shop_id: int, platform_ids: Sequence[str]) -> dict[Key, int]:
    statement = text("select stage, platform_id, id from checkouts where shop_id = :shop and platform_id = any(:ids)")
    return {(row[0], row[1]): row[2] for row in session.execute(statement, {"shop": shop_id, "ids": list(platform_ids)})}


def _record_ids(session: Session, table: str, shop_id: int, platform_ids: Sequence[str]) -> dict[str, int]:
    statement = text(f"select platform_id, id from {table} where shop_id = :shop and platform_id = any(:ids)")
    return {row[0]: row[1] for row in session.execute(statement, {"shop": shop_id, "ids": list(platform_ids)})}


def _phone(prefix: str, phone: Phone | None) -> dict[str, str | None]:
    return {f"{prefix}_raw": phone.raw if phone else None, f"{prefix}_e164": phone.e164 if phone else None}


def _version(r: Rank) -> dict[str, Any]:
    return {"source_version": r.version, "source_triggered_at": r.triggered_at, "source_progress": r.progress, "source_digest": r.digest}


def _common(shop_id: int, record: Checkout | Order, prefix: str) -> dict[str, Any]:
    return {
        "public_id": public_id(prefix),
        "shop_id": shop_id,
        "platform_id": record.platform_id,
        "number": record.number,
        "cart_token": record.cart_token,
        "customer_platform_id": record.customer_id,
        "email": record.email,
        "email_norm": normalise_email(record.email),
        **_phone("phone", record.phone),
        "first_name": record.first_name,
        "last_name": record.last_name,
        "country": record.country,
        "language": record.language,
        "currency": record.currency,
        "total": record.total,
        "subtotal": record.subtotal,
        "discount_total": record.discount_total,
        "tax_total": record.tax_total,
        "taxes_included": record.taxes_included,
        "discount_codes": record.discount_codes,
        "created_at": record.created_at,
    }


def _checkout_row(shop_id: int, ranked: Ranked) -> dict[str, Any]:
    checkout: Checkout = ranked.record
    return {
        **_common(shop_id, checkout, "chk"),
        "stage": checkout.stage.value,
        "token": checkout.token,
        **_phone("checkout_phone", checkout.checkout_phone),
        "company": checkout.company,
        "shipping_method": checkout.shipping_method,
        "accepts_email": checkout.accepts_email,
        "accepts_sms": checkout.accepts_sms,
        "recovery_url": checkout.recovery_url,
        "completed_at": checkout.completed_at,
        "closed_at": checkout.closed_at,
        **_version(ranked.rank),
    }


def _order_row(shop_id: int, ranked: Ranked) -> dict[str, Any]:
    order: Order = ranked.record
    return {
        **_common(shop_id, order, "ord"),
        "platform_status": order.platform_status,
        "payment_state": order.payment_state.value,
        "checkout_token": order.checkout_token,
        "is_test": order.is_test,
        "placed_at": order.placed_at,
        "cancelled_at": order.cancelled_at,
        **_version(ranked.rank),
    }


def _customer_row(shop_id: int, ranked: Ranked) -> dict[str, Any]:
    customer: Customer = ranked.record
    return {
        "public_id": public_id("cus"),
        "shop_id": shop_id,
        "platform_id": customer.platform_id,
        "email": customer.email,
        "email_norm": normalise_email(customer.email),
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "company": customer.company,
        **_phone("phone", customer.phone),
        "country": customer.country,
        "language": customer.language,
        "created_at": customer.created_at,
        **_version(ranked.rank),
    }


def _product_row(shop_id: int, product: Product, read_at: datetime) -> dict[str, Any]:
    return {
        "public_id": public_id("prd"),
        "shop_id": shop_id,
        "platform_id": product.platform_id,
        "title": product.title,
        "category": product.category,
        "categories": product.categories,
        "description": product.description,
        "image_url": product.image_url,
        "url": product.url,
        "is_deleted": product.is_deleted,
        "read_at": read_at,
        "source_version": product.source_version,
    }


def _variant_rows(shop_id: int, product_id: int, product: Product) -> list[dict[str, Any]]:
    return [
        {
            "shop_id": shop_id,
            "product_id": product_id,
            "platform_id": variant.platform_id,
            "title": variant.title,
            "sku": variant.sku,
            "price": variant.price,
            "image_url": variant.image_url,
        }
        for variant in product.variants
    ]


def _line_rows(shop_id: int, parent: str, lines_of: Mapping[int, Sequence[LineItem]]) -> list[dict[str, Any]]:
    return [
        {
            "shop_id": shop_id,
            parent: parent_id,
            "position": position,
            "key": line.key,
            "product_id": line.product_id,
            "variant_id": line.variant_id,
            "title": line.title,
            "variant_title": line.variant_title,
            "sku": line.sku,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "total": line.total,
            "image_url": line.image_url,
        }
        for parent_id, lines in lines_of.items()
        for position, line in enumerate(lines)
    ]


def _version_row(shop_id: int, checkout_id: int, checkout: Checkout) -> dict[str, Any]:
    return {
        "shop_id": shop_id,
        "checkout_id": checkout_id,
        **_version(rank(checkout)),
        "fingerprint": fingerprint(checkout),
        "quantities": quantities(checkout),
    }


def _instants(shop_id: int, record: Checkout | Order, column: str) -> dict[str, Any]:
    row = {"shop_id": shop_id, "platform_id": record.platform_id, column: getattr(record, column)}
    return row | {"stage": record.stage.value} if isinstance(record, Checkout) else row


def shops_with_unknown_products(session: Session, limit: int) -> list[int]:
    """Connected shops with open checkouts whose lines name products that were never read."""
    statement = text("""
        select distinct c.shop_id from checkouts c join shops s on s.id = c.shop_id and s.state = 'connected'
        join checkout_lines l on l.checkout_id = c.id and l.product_id is not null
        where c.converted_at is null and c.completed_at is null and c.last_activity_at > app_now() - interval '3 days'
          and not exists (select 1 from products p where p.shop_id = c.shop_id and p.platform_id = l.product_id)
        limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())
