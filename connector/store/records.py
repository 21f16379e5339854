"""Canonical records -> rows: checkouts and orders with their lines, customers; many at once, newest wins."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from connector.canonical import Checkout, Customer, DisputeChanged, LineItem, Order, Phone
from connector.rules.abandonment import ActivityClock
from connector.rules.identity import normalise_email
from connector.rules.precedence import Rank, rank
from connector.store.checkouts import Kept, State, Terms, Touched, expect_due, find_kept
from connector.store.db import Session, run
from connector.store.ids import public_id, public_ids
from connector.store.upserts import Key, Written, add_children, as_json, lower_instants, place_children, upsert_newest
from connector.store.versions import History, load_histories, save_versions

R = TypeVar("R", Checkout, Order, Customer)
CHECKOUT_KEY = ("stage", "platform_id")
RECORD_KEY = ("platform_id",)
ORDER_INSTANTS = ("placed_at", "paid_at")
_DISPUTES = """
    update orders o set is_disputed = r.is_disputed, disputed_at = r.disputed_at,
        is_quiet = o.is_quiet or (%(is_quiet)s and o.is_disputed <> r.is_disputed
            and not exists (select 1 from orders_to_judge j where j.order_id = o.id))
    from json_populate_recordset(null::orders, cast(%(rows)s as json)) r
    where o.shop_id = %(shop)s and o.platform_id = r.platform_id
      and o.platform_id = any(array(select json_array_elements_text(cast(%(ids)s as json))))
      and (o.disputed_at is null or o.disputed_at < r.disputed_at)
    returning o.id
"""
# Shopify tells a customer's language where it is asked, and in no webhook: that takes it back from nobody.
_TOLD_ONCE = (("language", "coalesce(excluded.language, customers.language)"),)
# What a sync tells makes a kept checkout quiet if it is a newer version; or another content at the same instant that could begin
# something which had not begun: what waits already goes on waiting.
_QUIETER_CHECKOUT = """
    checkouts.is_quiet or excluded.source_version > checkouts.source_version
    or (excluded.source_digest <> checkouts.source_digest
        and (checkouts.due_at is null or excluded.email_norm is distinct from checkouts.email_norm))
"""
# The same of an order, whatever its instant; but one that the store itself told to be good, and that offers have yet to look at,
# must not miss what it earned.
_QUIETER_ORDER = """
    orders.is_quiet or (
        excluded.source_digest <> orders.source_digest
        and not (orders.paid_at is not null and orders.payment_state in ('paid', 'partially_refunded') and orders.cancelled_at is null
                 and exists (select 1 from orders_to_judge j where j.order_id = orders.id))
    )
"""
_WAKE_UP = """
    update {table} t set is_quiet = false
    from json_populate_recordset(null::{table}, cast(%(rows)s as json)) r
    where t.shop_id = %(shop)s and t.platform_id = r.platform_id and t.is_quiet and t.source_version <= r.source_version
      and t.platform_id = any(array(select json_array_elements_text(cast(%(ids)s as json))))
    returning t.id
"""


class Ranked(NamedTuple):
    """A record with its key and its rank, computed once."""

    record: Any
    key: Key
    rank: Rank


def save_checkouts(
    session: Session, shop: Terms, checkouts: Sequence[Checkout], *, is_quiet: bool = False, read_at: datetime | None = None
) -> dict[int, Touched]:
    """
    Write checkouts, their lines and all their versions. The caller holds the shop's inbox, so that nobody else does.

    `is_quiet`: a sync tells of them. Until the store itself tells the same or something newer, they begin nothing.
    `read_at`: when they were read, if a sync reads.
    Returns every checkout whose rows may have changed, by id. Each row is written once, with what `settle` will find unless
    an order or a removal says otherwise. Rows are written in the order of their ids, as others lock them.
    """
    if not checkouts:
        return {}
    ranked = _ranked(checkouts, read_at)
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
    rows = [
        _checkout_row(chosen[key], kept.get(key), completed[key], active[key], shop.threshold_minutes, is_quiet=is_quiet)
        for key in in_order
    ]
    written = _write_checkouts(session, shop_id, rows, is_quiet=is_quiet)
    unchanged = [key for key in chosen if key not in written]
    if not is_quiet:
        _wake_up(session, shop_id, "checkouts", [chosen[key] for key in unchanged if key in kept and kept[key].is_quiet])
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


def _write_checkouts(session: Session, shop_id: int, rows: Sequence[Mapping[str, Any]], *, is_quiet: bool) -> dict[Key, Written]:
    return upsert_newest(
        session,
        shop_id,
        "checkouts",
        rows,
        CHECKOUT_KEY,
        keep=("public_id",),
        least=("completed_at",),
        computed=(("is_quiet", _QUIETER_CHECKOUT),) if is_quiet else (),
        tell=State._fields,
    )


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


def save_orders(
    session: Session, shop_id: int, orders: Sequence[Order], *, is_quiet: bool = False, read_at: datetime | None = None
) -> list[int]:
    """
    Write orders and their lines; return the ids of those whose rows changed.

    `is_quiet`: a sync tells of them. An order that only a sync told of as it is earns nothing, until the store itself tells of it; and
    what a sync tells of a version that is over changes nothing. `read_at`: when they were read, if a sync reads.
    """
    ranked = _ranked(orders, read_at)
    chosen, instants = _newest(ranked), {column: _earliest(ranked, column) for column in ORDER_INSTANTS}
    rows = [
        _order_row(name, one, *(told[key] for told in instants.values()), is_quiet=is_quiet)
        for name, (key, one) in zip(public_ids("ord", len(chosen)), chosen.items(), strict=True)
    ]
    written = upsert_newest(
        session,
        shop_id,
        "orders",
        rows,
        RECORD_KEY,
        keep=("public_id",),
        least=ORDER_INSTANTS,
        computed=(("is_quiet", _QUIETER_ORDER),) if is_quiet else (),
    )
    lines = {row.id: chosen[key].record.lines for key, row in written.items()}
    counts = {row.id: len(lines[row.id]) for row in written.values() if not row.is_new}
    add_children(session, shop_id, "order_lines", _line_rows("order_id", {one: lines[one] for one in lines.keys() - counts.keys()}))
    place_children(session, shop_id, "order_lines", "order_id", counts, _line_rows("order_id", {one: lines[one] for one in counts}))
    if is_quiet:
        return sorted(lines)
    unchanged = [key for key in chosen if key not in written]
    lowered: set[int] = set()
    for column, told in instants.items():
        earlier = _instants(unchanged, RECORD_KEY, column, told)
        lowered.update(lower_instants(session, shop_id, "orders", earlier, RECORD_KEY, column))
    woken = _wake_up(session, shop_id, "orders", [chosen[key] for key in unchanged])
    return sorted({*lines, *lowered, *woken})


def _wake_up(session: Session, shop_id: int, table: str, told: Sequence[Ranked]) -> list[int]:
    """What only a sync had told, and the store itself tells now, as it is kept or newer; returns the ids of those that were quiet."""
    rows = [{"platform_id": one.record.platform_id, "source_version": one.rank.version} for one in told]
    if not rows:
        return []
    values = {"shop": shop_id, "rows": as_json(rows), "ids": as_json([one.record.platform_id for one in told])}
    return [row[0] for row in run(session, _WAKE_UP.format(table=table), values)]


def save_disputes(session: Session, shop_id: int, disputes: Sequence[DisputeChanged], *, is_quiet: bool = False) -> list[int]:
    """
    Write whether payments are disputed, the newest word of each order; return the ids of the orders of which that changed.

    `is_quiet`: a sync tells it; what such an order earned may come back, and sends nothing.
    """
    newest = {one.order_id: one for one in sorted(disputes, key=lambda one: one.at)}
    rows = [{"platform_id": one.order_id, "is_disputed": one.is_disputed, "disputed_at": one.at} for one in newest.values()]
    if not rows:
        return []
    return [
        row[0]
        for row in run(session, _DISPUTES, {"shop": shop_id, "rows": as_json(rows), "ids": as_json(list(newest)), "is_quiet": is_quiet})
    ]


def save_customers(
    session: Session,
    shop_id: int,
    customers: Sequence[Customer],
    contact_ids: Mapping[str, int] | None = None,
    *,
    read_at: datetime | None = None,
) -> list[int]:
    """
    Write customers, pointing at the Contact of their e-mail if `contact_ids` names it; return the ids of those whose rows changed.

    `read_at`: when they were read, if a sync reads.
    """
    newest = _newest(_ranked(customers, read_at)).values()
    names = public_ids("cus", len(newest))
    rows = [_customer_row(name, one, contact_ids or {}) for name, one in zip(names, newest, strict=True)]
    written = upsert_newest(session, shop_id, "customers", rows, RECORD_KEY, keep=("public_id",), computed=_TOLD_ONCE)
    return [row.id for row in written.values()]


def _phone(prefix: str, phone: Phone | None) -> dict[str, str | None]:
    return {f"{prefix}_raw": phone.raw if phone else None, f"{prefix}_e164": phone.e164 if phone else None}


def _ranked(records: Iterable[R], read_at: datetime | None) -> list[Ranked]:
    return [Ranked(record, _key(record), rank(record, read_at)) for record in records]


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
    ranked: Ranked,
    kept: Kept | None,
    completed_at: datetime | None,
    last_activity_at: datetime,
    threshold_minutes: int,
    *,
    is_quiet: bool,
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
        "due_at": expect_due(checkout, kept, completed_at, last_activity_at, threshold_minutes, is_quiet=is_quiet),
        "is_quiet": is_quiet,
        "line_count": len(checkout.lines),
        "lines_digest": _lines_digest(checkout.lines),
        **_version(ranked.rank),
    }


def _order_row(name: str, ranked: Ranked, placed_at: datetime | None, paid_at: datetime | None, *, is_quiet: bool) -> dict[str, Any]:
    order: Order = ranked.record
    return {
        "public_id": name,
        **_common(order),
        "platform_status": order.platform_status,
        "payment_state": order.payment_state.value,
        "checkout_token": order.checkout_token,
        "is_test": order.is_test,
        "placed_at": placed_at,
        "paid_at": paid_at,
        "refunded_total": order.refunded_total,
        "cancelled_at": order.cancelled_at,
        "is_quiet": is_quiet,
        **_version(ranked.rank),
    }


def _customer_row(name: str, ranked: Ranked, contact_ids: Mapping[str, int]) -> dict[str, Any]:
    customer: Customer = ranked.record
    email = normalise_email(customer.email)
    return {
        "public_id": name,
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
