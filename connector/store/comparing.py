"""Our rows as the records they were made of, and how they compare with what a store says now: many records by a few statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from connector.canonical import (
    Channel,
    Checkout,
    Consent,
    ConsentState,
    Customer,
    LineItem,
    Order,
    PaymentState,
    Phone,
    Product,
    Resource,
    Stage,
    Variant,
)
from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.reading import Change
from connector.rules.comparing import Difference, differences, digest_of, fill_untold, is_equal, resource_of
from connector.store.db import Session, run
from connector.store.upserts import as_array, as_json

MOST_CANDIDATES = 200
WHOLE = 1 << 256
Key = tuple[str, str]
Held = Mapping[Key, tuple[Any, bool]]
"""Records of ours by key, each with whether it is deleted."""


@dataclass(slots=True)
class Compared:
    """
    How records of a store compare with ours.

    `news`: those that must be written, `missing` here or `changed`, completed with what the store does not tell. `newer`: ours is newer
    than what was read; no difference. The digests are sums over all that was compared, but for those: equal exactly if nothing differs.
    """

    news: list[Change] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    unchanged: int = 0
    missing: int = 0
    changed: int = 0
    newer: int = 0
    store_digest: int = 0
    ours_digest: int = 0


def compare(
    session: Session,
    shop_id: int,
    records: Sequence[Change],
    *,
    read_at: datetime | None = None,
    is_withheld: bool = False,
    is_digested: bool = True,
) -> Compared:
    """
    Compare records of any kinds, some hundreds at once; of one that is named twice the newest counts. Digests only if wanted.

    `read_at`: when the store was asked; of two versions of one second what was told since then is the newer one.
    """
    compared = Compared()
    by_kind: dict[Resource, dict[Key, Change]] = {}
    for record in sorted(records, key=lambda one: one.source_version):
        by_kind.setdefault(resource_of(record), {})[_key(record)] = record
    for kind, told in by_kind.items():
        held = _LOADERS[kind](session, shop_id, [key[1] for key in told])
        for key, record in told.items():
            _compare_one(compared, kind, held.get(key), record, read_at, is_withheld=is_withheld, is_digested=is_digested)
    return compared


def load(session: Session, shop_id: int, kind: Resource, platform_ids: Sequence[str]) -> dict[str, Change]:
    """Records of ours that are not deleted, by platform id; of discount codes by the code in lower case."""
    return {key[1]: record for key, (record, is_deleted) in _LOADERS[kind](session, shop_id, platform_ids).items() if not is_deleted}


def complete_checkouts(session: Session, shop_id: int, listed: Sequence[Checkout]) -> tuple[list[Checkout], list[Checkout]]:
    """
    Checkouts of a list that tells neither token nor e-mail, phone or consent: each under the name by which we keep it, and with those
    of ours; and beside them those that we do not keep at all. Nothing is guessed.
    """
    wanted = [{"cart_token": one.cart_token, "number": one.number} for one in listed]
    rows = run(session, _OF_LISTED, {"shop": shop_id, "rows": as_json(wanted)})
    names: dict[tuple[str, str], str] = {}
    for platform_id, cart_token, number in rows:
        names |= {("number", number): platform_id} if number else {}
        names |= {("cart_token", cart_token): platform_id} if cart_token else {}
    held = _load_checkouts(session, shop_id, sorted(set(names.values())))
    whole: list[Checkout] = []
    unknown: list[Checkout] = []
    for one in listed:
        name = names.get(("cart_token", one.cart_token or "")) or names.get(("number", one.number or ""))
        ours = held.get((Stage.CHECKOUT.value, name)) if name else None
        if ours is None:
            unknown.append(one)
        else:
            whole.append(_whole(ours[0], one))
    return whole, unknown


def missing_here_or_there(
    session: Session,
    run_id: int,
    shop_id: int,
    kind: Resource,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    created_since: datetime | None = None,
) -> list[str]:
    """Records of ours that are not deleted, in a span of changes, which this run has not seen in the store: some of them, by id."""
    values = {"shop": shop_id, "run": run_id, "resource": kind.value, "since": since, "until": until, "created": created_since}
    return [row[0] for row in run(session, _unseen(kind), values | {"limit": MOST_CANDIDATES})]


def _compare_one(
    compared: Compared,
    kind: Resource,
    kept: tuple[Any, bool] | None,
    record: Change,
    read_at: datetime | None,
    *,
    is_withheld: bool,
    is_digested: bool,
) -> None:
    if kept is None:
        compared.missing += 1
        compared.news.append(record)
        compared.differences.append(Difference(kind, record.platform_id, "missing", {}))
        if is_digested:
            compared.store_digest = (compared.store_digest + digest_of(record)) % WHOLE
        return
    ours, is_deleted = kept
    if ours.source_version > record.source_version and not is_deleted:
        compared.newer += 1
        return
    theirs = fill_untold(ours, record, is_withheld=is_withheld)
    is_same = not is_deleted and is_equal(ours, theirs)
    if not is_same and not is_deleted and _was_told_since(ours, record, read_at):
        compared.newer += 1
        return
    if is_digested:
        compared.store_digest = (compared.store_digest + digest_of(theirs)) % WHOLE
        compared.ours_digest = (compared.ours_digest + (0 if is_deleted else digest_of(ours))) % WHOLE
    if is_same:
        compared.unchanged += 1
        return
    found = differences(ours, theirs) | ({"is_deleted": ("yes", "no")} if is_deleted else {})
    compared.changed += 1
    compared.news.append(_as_told(record, theirs))
    compared.differences.append(Difference(kind, record.platform_id, "changed", found))


def _was_told_since(ours: Any, record: Change, read_at: datetime | None) -> bool:
    """Whether ours was told after the store was asked, at the version that it then had: writing by `precedence.rank` keeps ours."""
    told_at = getattr(ours, "triggered_at", None)
    return read_at is not None and told_at is not None and ours.source_version == record.source_version and told_at > read_at


def _as_told(record: Change, whole: Change) -> Change:
    """As it is to be written: that we think an order disputed is no word of the store's, and must not outdo one that is on its way."""
    return replace(whole, is_disputed=record.is_disputed) if isinstance(record, Order) and isinstance(whole, Order) else whole


def _key(record: Change) -> Key:
    if isinstance(record, Checkout):
        return record.stage.value, record.platform_id
    if isinstance(record, CodeState):
        return "", record.code.lower()
    return "", record.platform_id


def _whole(ours: Checkout, listed: Checkout) -> Checkout:
    """A listed checkout with what only its webhook told."""
    return replace(
        listed,
        platform_id=ours.platform_id,
        token=ours.token,
        cart_token=listed.cart_token or ours.cart_token,
        email=ours.email,
        phone=ours.phone,
        checkout_phone=ours.checkout_phone,
        first_name=ours.first_name,
        last_name=ours.last_name,
        company=ours.company,
        language=ours.language,
        country=ours.country or listed.country,
        shipping_method=ours.shipping_method,
        accepts_email=ours.accepts_email,
        accepts_sms=ours.accepts_sms,
        consents=(),
        lines=_keyed(ours.lines, listed.lines),
        closed_at=ours.closed_at,
    )


def _keyed(ours: Sequence[LineItem], listed: Sequence[LineItem]) -> tuple[LineItem, ...]:
    """Listed lines under the keys, and with the images, that webhooks gave them, where variant and place are the same."""
    return tuple(
        replace(line, key=ours[number].key, image_url=ours[number].image_url)
        if number < len(ours) and ours[number].variant_id == line.variant_id
        else line
        for number, line in enumerate(listed)
    )


def _load_orders(session: Session, shop_id: int, ids: Sequence[str]) -> dict[Key, tuple[Any, bool]]:
    rows = _rows(session, shop_id, "orders", _ORDER, ids)
    lines = _lines(session, "order_lines", "order_id", [row["id"] for row in rows])
    return {("", row["platform_id"]): (_order(row, lines.get(row["id"], ())), row["deleted_at"] is not None) for row in rows}


def _load_checkouts(session: Session, shop_id: int, ids: Sequence[str]) -> dict[Key, tuple[Any, bool]]:
    rows = _rows(session, shop_id, "checkouts", _CHECKOUT, ids)
    lines = _lines(session, "checkout_lines", "checkout_id", [row["id"] for row in rows])
    return {(row["stage"], row["platform_id"]): (_checkout(row, lines.get(row["id"], ())), row["deleted_at"] is not None) for row in rows}


def _load_customers(session: Session, shop_id: int, ids: Sequence[str]) -> dict[Key, tuple[Any, bool]]:
    rows = _rows(session, shop_id, "customers", _CUSTOMER, ids)
    addresses = {row["email_norm"] for row in rows} | {row["phone_e164"] for row in rows}
    said: dict[str, list[Consent]] = {}
    if known := sorted(one for one in addresses if one):
        for channel, address, state, source, at in run(session, _CONSENTS, {"shop": shop_id, "addresses": known}):
            said.setdefault(address, []).append(Consent(Channel(channel), ConsentState(state), at, source))
    return {("", row["platform_id"]): (_customer(row, said), row["deleted_at"] is not None) for row in rows}


def _load_products(session: Session, shop_id: int, ids: Sequence[str]) -> dict[Key, tuple[Any, bool]]:
    rows = _rows(session, shop_id, "products", _PRODUCT, ids)
    variants: dict[int, list[Variant]] = {}
    keys = [row["id"] for row in rows]
    if keys:
        names = ", ".join(_VARIANT)
        statement = f"select product_id, {names} from product_variants where product_id = any(cast(%(ids)s as bigint[]))"
        for product_id, *values in run(session, statement, {"ids": as_array(keys)}):
            variants.setdefault(product_id, []).append(Variant(*values))
    return {("", row["platform_id"]): (_product(row, variants.get(row["id"], [])), row["is_deleted"]) for row in rows}


def _load_codes(session: Session, shop_id: int, ids: Sequence[str]) -> dict[Key, tuple[Any, bool]]:
    names = ", ".join(_CODE)
    statement = f"""
        select {names}, deleted_at is not null from discount_codes
        where shop_id = %(shop)s and code_key = any(%(ids)s) and read_at is not null and platform_id is not null
    """
    found: dict[Key, tuple[Any, bool]] = {}
    for *values, is_deleted in run(session, statement, {"shop": shop_id, "ids": [one.lower() for one in ids]}):
        row = dict(zip(_CODE, values, strict=True))
        row |= {"kind": CodeKind(row["kind"]), "status": CodeStatus(row["status"])}
        row["restrictions"] = tuple(Restriction(one) for one in row["restrictions"])
        found["", row["code"].lower()] = CodeState(**row), is_deleted
    return found


def _rows(session: Session, shop_id: int, table: str, columns: Sequence[str], ids: Sequence[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    statement = f"select {', '.join(columns)} from {table} where shop_id = %(shop)s and platform_id = any(%(ids)s)"
    return [dict(zip(columns, row, strict=True)) for row in run(session, statement, {"shop": shop_id, "ids": list(ids)})]


def _lines(session: Session, table: str, parent: str, ids: Sequence[int]) -> dict[int, list[LineItem]]:
    found: dict[int, list[LineItem]] = {}
    if ids:
        statement = f"""
            select {parent}, {", ".join(_LINE)} from {table} where {parent} = any(cast(%(ids)s as bigint[])) order by {parent}, position
        """
        for parent_id, *values in run(session, statement, {"ids": as_array(ids)}):
            found.setdefault(parent_id, []).append(LineItem(*values))
    return found


def _order(row: Mapping[str, Any], lines: Iterable[LineItem]) -> Order:
    return Order(
        **{name: row[name] for name in _ORDER_SAME},
        triggered_at=row["source_triggered_at"],
        customer_id=row["customer_platform_id"],
        payment_state=PaymentState(row["payment_state"]),
        phone=_phone(row, "phone"),
        discount_codes=tuple(row["discount_codes"]),
        lines=tuple(lines),
    )


def _checkout(row: Mapping[str, Any], lines: Iterable[LineItem]) -> Checkout:
    return Checkout(
        **{name: row[name] for name in _CHECKOUT_SAME},
        triggered_at=row["source_triggered_at"],
        customer_id=row["customer_platform_id"],
        stage=Stage(row["stage"]),
        phone=_phone(row, "phone"),
        checkout_phone=_phone(row, "checkout_phone"),
        discount_codes=tuple(row["discount_codes"]),
        lines=tuple(lines),
    )


def _customer(row: Mapping[str, Any], said: Mapping[str, Sequence[Consent]]) -> Customer:
    of_email = [one for one in said.get(row["email_norm"] or "", ()) if one.channel is Channel.EMAIL]
    of_phone = [one for one in said.get(row["phone_e164"] or "", ()) if one.channel is not Channel.EMAIL]
    return Customer(
        **{name: row[name] for name in _CUSTOMER_SAME},
        triggered_at=row["source_triggered_at"],
        phone=_phone(row, "phone"),
        consents=(*of_email, *of_phone),
    )


def _product(row: Mapping[str, Any], variants: Iterable[Variant]) -> Product:
    return Product(**{name: row[name] for name in _PRODUCT_SAME}, categories=tuple(row["categories"]), variants=tuple(variants))


def _phone(row: Mapping[str, Any], prefix: str) -> Phone | None:
    raw = row[f"{prefix}_raw"]
    return Phone(raw, row[f"{prefix}_e164"]) if raw is not None else None


@cache
def _unseen(kind: Resource) -> str:
    table, alive, created = _WALKED[kind]
    return f"""
        select distinct t.platform_id from {table} t
        where t.shop_id = %(shop)s and {alive} and t.platform_id is not null
          and (%(since)s::timestamptz is null or t.source_version >= %(since)s)
          and (%(until)s::timestamptz is null or t.source_version < %(until)s)
          and (%(created)s::timestamptz is null or {created} >= %(created)s)
          and not exists (select 1 from sync_seen s where s.shop_id = t.shop_id and s.run_id = %(run)s
                          and s.resource = %(resource)s and s.platform_id = t.platform_id)
        limit %(limit)s
    """


_WALKED = {
    Resource.ORDER: ("orders", "t.deleted_at is null", "t.created_at"),
    Resource.CUSTOMER: ("customers", "t.deleted_at is null", "coalesce(t.created_at, t.source_version)"),
    Resource.PRODUCT: ("products", "not t.is_deleted", "t.source_version"),
    Resource.DISCOUNT_CODE: ("discount_codes", "t.deleted_at is null", "t.source_version"),
    Resource.CHECKOUT: ("checkouts", "t.deleted_at is null", "t.created_at"),
}
_LINE = ("key", "title", "quantity", "unit_price", "total", "product_id", "variant_id", "variant_title", "sku", "image_url")
_VARIANT = ("platform_id", "title", "sku", "price", "image_url", "is_available", "inventory_item_id")
_BOUGHT = (
    *("platform_id", "source_version", "created_at", "currency", "total", "number", "cart_token", "email", "first_name", "last_name"),
    *("country", "language", "subtotal", "discount_total", "tax_total", "taxes_included"),
)
_ORDER_SAME = (
    *_BOUGHT,
    *("placed_at", "platform_status", "checkout_token", "cancelled_at", "is_test", "paid_at", "refunded_total", "is_disputed"),
)
_KEPT = ("id", "deleted_at", "source_triggered_at")
_ORDER = (*_KEPT, "customer_platform_id", "payment_state", "phone_raw", "phone_e164", "discount_codes", *_ORDER_SAME)
_CHECKOUT_SAME = (
    *_BOUGHT,
    *("token", "company", "shipping_method", "accepts_email", "accepts_sms", "recovery_url", "completed_at", "closed_at"),
)
_CHECKOUT = (
    *(*_KEPT, "stage", "customer_platform_id", "phone_raw", "phone_e164", "checkout_phone_raw", "checkout_phone_e164"),
    *("discount_codes", *_CHECKOUT_SAME),
)
_CUSTOMER_SAME = ("platform_id", "source_version", "email", "first_name", "last_name", "company", "country", "language", "created_at")
_CUSTOMER = (*_KEPT, "email_norm", "phone_raw", "phone_e164", *_CUSTOMER_SAME)
_PRODUCT_SAME = ("platform_id", "source_version", "title", "category", "description", "image_url", "url", "is_deleted")
_PRODUCT = ("id", "categories", *_PRODUCT_SAME)
_CODE = (
    *("platform_id", "source_version", "code", "kind", "status", "title", "value", "currency", "starts_at", "ends_at", "usage_limit"),
    *("used", "once_per_customer", "minimum_subtotal", "restrictions"),
)
_CONSENTS = "select channel, address, state, source, at from consents where shop_id = %(shop)s and address = any(%(addresses)s)"
_OF_LISTED = """
    select c.platform_id, c.cart_token, c.number
    from json_to_recordset(cast(%(rows)s as json)) r (cart_token text, number text)
    cross join lateral (
        (select platform_id, cart_token, number from checkouts
         where shop_id = %(shop)s and cart_token = r.cart_token and stage = 'checkout' limit 1)
        union all
        (select platform_id, cart_token, number from checkouts
         where shop_id = %(shop)s and number = r.number and stage = 'checkout' limit 1)
    ) c
"""
_LOADERS: Mapping[Resource, Callable[[Session, int, Sequence[str]], dict[Key, tuple[Any, bool]]]] = {
    Resource.ORDER: _load_orders,
    Resource.CHECKOUT: _load_checkouts,
    Resource.CUSTOMER: _load_customers,
    Resource.PRODUCT: _load_products,
    Resource.DISCOUNT_CODE: _load_codes,
}
