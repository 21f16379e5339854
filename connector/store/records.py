"""Canonical records -> rows: checkouts, orders, customers, products with their lines; many at once, newest wins."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import text

from connector.canonical import Checkout, Customer, LineItem, Order, Phone, Product
from connector.rules.abandonment import ActivityClock
from connector.rules.identity import normalise_email
from connector.rules.precedence import Rank, rank
from connector.store.checkouts import Kept, State, Terms, Touched, expect_due, find_kept
from connector.store.db import Session, run
from connector.store.ids import public_id
from connector.store.upserts import Key, Written, as_json, lower_instants, place_children, replace_children, upsert_newest
from connector.store.versions import History, load_histories, save_versions

R = TypeVar("R", Checkout, Order, Customer)
CHECKOUT_KEY = ("stage", "platform_id")
RECORD_KEY = ("platform_id",)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A record with its key and its rank, computed once."""

    record: Any
    key: Key
    rank: Rank


def save_checkouts(session: Session, shop: Terms, checkouts: Sequence[Checkout]) -> dict[int, Touched]:
    """
    Write checkouts, their lines and all their versions. The caller holds the shop's inbox, so that nobody else does.

    Returns every checkout whose rows may have changed, by id. Each row is written once, with what `settle` will find unless
    an order or a removal says otherwise. Rows are written in the order of their ids, as others lock them.
    """
    if not checkouts:
        return {}
    ranked = _ranked(checkouts)
    chosen, completed = _newest(ranked), _earliest(ranked, "completed_at")
    shop_id = cast(int, shop.id)
    kept = find_kept(session, shop_id, chosen)
    clock = ActivityClock(shop.activity_clock)
    known = load_histories(session, [one.id for one in kept.values()], clock)
    histories = {key: known.get(kept[key].id, History()) if key in kept else History() for key in chosen}
    for one in ranked:
        histories[one.key].add(one.rank, one.record)
    active = {key: history.last_activity(clock) for key, history in histories.items()}
    in_order = [*kept, *(key for key in chosen if key not in kept)]
    rows = [_checkout_row(chosen[key], kept.get(key), completed[key], active[key], shop.threshold_minutes) for key in in_order]
    written = upsert_newest(
        session, shop_id, "checkouts", rows, CHECKOUT_KEY, keep=("public_id",), least=("completed_at",), tell=State._fields
    )
    unchanged = [key for key in chosen if key not in written]
    lower_instants(
        session, shop_id, "checkouts", _instants(unchanged, CHECKOUT_KEY, "completed_at", completed), CHECKOUT_KEY, "completed_at"
    )
    _place_lines(session, shop_id, rows, kept, {key: (row, chosen[key].record.lines) for key, row in written.items()})
    ids = {key: one.id for key, one in kept.items()} | {key: row.id for key, row in written.items()}
    if len(ids) < len(chosen):  # somebody else wrote something newer between our look and our write
        ids = {key: one.id for key, one in find_kept(session, shop_id, chosen).items()}
    save_versions(session, shop_id, [row for key, history in histories.items() for row in history.new_rows(ids[key])])
    trusted = {*kept, *(key for key, row in written.items() if row.is_new)}
    return {
        checkout_id: Touched(active[key] if key in trusted else None, State._make(written[key].told) if key in written else None)
        for key, checkout_id in ids.items()
    }


def _place_lines(
    session: Session,
    shop_id: int,
    rows: Sequence[Mapping[str, Any]],
    kept: Mapping[Key, Kept],
    written: Mapping[Key, tuple[Written, Sequence[LineItem]]],
) -> None:
    """Write the lines of those checkouts whose lines are others than they were: most versions change something else."""
    digests = {(row["stage"], row["platform_id"]): row["lines_digest"] for row in rows}
    changed = {key: one for key, one in written.items() if key not in kept or kept[key].lines_digest != digests[key]}
    most = {row.id: kept[key].line_count if key in kept else 0 if row.is_new else len(lines) + 1 for key, (row, lines) in changed.items()}
    lines_of = {row.id: lines for row, lines in changed.values()}
    counts = {parent: len(lines) for parent, lines in lines_of.items() if most[parent] > len(lines)}
    place_children(session, shop_id, "checkout_lines", "checkout_id", counts, _line_rows("checkout_id", lines_of))


def save_orders(session: Session, shop_id: int, orders: Sequence[Order]) -> list[int]:
    """Write orders and their lines; return the ids of those whose rows changed."""
    ranked = _ranked(orders)
    chosen, placed = _newest(ranked), _earliest(ranked, "placed_at")
    rows = [_order_row(one, placed[key]) for key, one in chosen.items()]
    written = upsert_newest(session, shop_id, "orders", rows, RECORD_KEY, keep=("public_id",), least=("placed_at",))
    lines = {row.id: chosen[key].record.lines for key, row in written.items()}
    counts = {row.id: len(lines[row.id]) for row in written.values() if not row.is_new}
    place_children(session, shop_id, "order_lines", "order_id", counts, _line_rows("order_id", lines))
    unchanged = [key for key in chosen if key not in written]
    lowered = lower_instants(session, shop_id, "orders", _instants(unchanged, RECORD_KEY, "placed_at", placed), RECORD_KEY, "placed_at")
    return sorted({*lines, *lowered})


def save_customers(
    session: Session, shop_id: int, customers: Sequence[Customer], contact_ids: Mapping[str, int] | None = None
) -> list[int]:
    """Write customers, pointing at the Contact of their e-mail if `contact_ids` names it; return the ids of those whose rows changed."""
    rows = [_customer_row(one, contact_ids or {}) for one in _newest(_ranked(customers)).values()]
    return [row.id for row in upsert_newest(session, shop_id, "customers", rows, RECORD_KEY, keep=("public_id",)).values()]


def save_products(session: Session, shop_id: int, products: Sequence[Product], read_at: datetime) -> None:
    """Write products as just read from the store, with their variants; an older reading never replaces a newer one."""
    if not products:
        return
    rows = [_product_row(shop_id, p, read_at) for p in {p.platform_id: p for p in products}.values()]
    columns = list(rows[0])
    sets = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in ("shop_id", "platform_id", "public_id"))
    statement = f"""
        insert into products ({", ".join(columns)})
        select {", ".join(columns)} from json_populate_recordset(null::products, cast(:rows as json))
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


def names_unknown_products(session: Session, shop_id: int, checkouts: Iterable[Checkout]) -> bool:
    """Whether a line of these checkouts refers to a product that was never read. Looks at products only, however many lines there are."""
    named = {line.product_id for checkout in checkouts for line in checkout.lines if line.product_id is not None}
    statement = """
        select exists (select 1 from json_array_elements_text(cast(%(ids)s as json)) as named (id)
            where (select p.id from products p where p.shop_id = %(shop)s and p.platform_id = named.id limit 1) is null)
    """
    return bool(named) and bool(run(session, statement, {"shop": shop_id, "ids": as_json(sorted(named))})[0][0])


def unknown_product_ids(session: Session, shop_id: int, limit: int) -> list[str]:
    """Products that lines of open checkouts refer to and that were never read."""
    statement = text("""
        select distinct l.product_id from checkout_lines l
        join checkouts c on c.id = l.checkout_id and c.shop_id = :shop and c.converted_at is null and c.completed_at is null
        where l.product_id is not null
          and not exists (select 1 from products p where p.shop_id = :shop and p.platform_id = l.product_id)
        order by l.product_id limit :limit
    """)
    return list(session.execute(statement, {"shop": shop_id, "limit": limit}).scalars())


def _record_ids(session: Session, table: str, shop_id: int, platform_ids: Sequence[str]) -> dict[str, int]:
    statement = text(f"select platform_id, id from {table} where shop_id = :shop and platform_id = any(:ids)")
    return {row[0]: row[1] for row in session.execute(statement, {"shop": shop_id, "ids": list(platform_ids)})}


def _phone(prefix: str, phone: Phone | None) -> dict[str, str | None]:
    return {f"{prefix}_raw": phone.raw if phone else None, f"{prefix}_e164": phone.e164 if phone else None}


def _ranked(records: Iterable[R]) -> list[Ranked]:
    return [Ranked(record, _key(record), rank(record)) for record in records]


def _key(record: Checkout | Order | Customer) -> Key:
    return (record.stage.value, record.platform_id) if isinstance(record, Checkout) else (record.platform_id,)


def _newest(ranked: Iterable[Ranked]) -> dict[Key, Ranked]:
    """The newest version of each record, by key."""
    chosen: dict[Key, Ranked] = {}
    for one in ranked:
        held = chosen.get(one.key)
        if held is None or one.rank > held.rank:
            chosen[one.key] = one
    return chosen


def _earliest(ranked: Iterable[Ranked], field: str) -> dict[Key, datetime | None]:
    """The earliest instant that any version of each record tells, by key."""
    earliest: dict[Key, datetime | None] = {}
    for one in ranked:
        told, held = getattr(one.record, field), earliest.get(one.key)
        earliest[one.key] = min(told, held) if told and held else told or held
    return earliest


def _instants(keys: Iterable[Key], columns: tuple[str, ...], column: str, told: Mapping[Key, datetime | None]) -> list[dict[str, Any]]:
    return [{**dict(zip(columns, key, strict=True)), column: told[key]} for key in keys]


def _version(r: Rank) -> dict[str, Any]:
    return {"source_version": r.version, "source_triggered_at": r.triggered_at, "source_progress": r.progress, "source_digest": r.digest}


def _common(record: Checkout | Order) -> dict[str, Any]:
    return {
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


def _checkout_row(
    ranked: Ranked, kept: Kept | None, completed_at: datetime | None, last_activity_at: datetime, threshold_minutes: int
) -> dict[str, Any]:
    checkout: Checkout = ranked.record
    return {
        "public_id": kept.public_id if kept else public_id("chk"),
        **_common(checkout),
        "stage": checkout.stage.value,
        "token": checkout.token,
        **_phone("checkout_phone", checkout.checkout_phone),
        "company": checkout.company,
        "shipping_method": checkout.shipping_method,
        "accepts_email": checkout.accepts_email,
        "accepts_sms": checkout.accepts_sms,
        "recovery_url": checkout.recovery_url,
        "completed_at": completed_at,
        "closed_at": checkout.closed_at,
        "last_activity_at": last_activity_at,
        "due_at": expect_due(checkout, kept, completed_at, last_activity_at, threshold_minutes),
        "line_count": len(checkout.lines),
        "lines_digest": _lines_digest(checkout.lines),
        **_version(ranked.rank),
    }


def _order_row(ranked: Ranked, placed_at: datetime | None) -> dict[str, Any]:
    order: Order = ranked.record
    return {
        "public_id": public_id("ord"),
        **_common(order),
        "platform_status": order.platform_status,
        "payment_state": order.payment_state.value,
        "checkout_token": order.checkout_token,
        "is_test": order.is_test,
        "placed_at": placed_at,
        "cancelled_at": order.cancelled_at,
        **_version(ranked.rank),
    }


def _customer_row(ranked: Ranked, contact_ids: Mapping[str, int]) -> dict[str, Any]:
    customer: Customer = ranked.record
    email = normalise_email(customer.email)
    return {
        "public_id": public_id("cus"),
        "platform_id": customer.platform_id,
        "contact_id": contact_ids.get(email) if email else None,
        "email": customer.email,
        "email_norm": email,
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


def _lines_digest(lines: Sequence[LineItem]) -> str:
    """32 hex digits over everything that lines say, in their order."""
    return hashlib.sha256(msgspec.json.encode(lines)).hexdigest()[:32]


def _line_rows(parent: str, lines_of: Mapping[int, Sequence[LineItem]]) -> list[dict[str, Any]]:
    return [
        {
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
