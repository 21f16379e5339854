"""Reads that take several calls: products with their variations and the missing ones, all orders since an instant."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from connector.canonical import Order, Product
from connector.platforms import Gone, PayloadError, TransientError
from integrations.woocommerce import client, walks
from integrations.woocommerce.calling import Call
from integrations.woocommerce.client import MAX_PAGES, PAGE_SIZE
from integrations.woocommerce.mapping import gone_products, order_events, to_product
from integrations.woocommerce.pace import pace_of, side_by_side
from integrations.woocommerce.pages import ORDERS
from integrations.woocommerce.payloads import PLATFORM, DeletedBody, OrderBody, ProductBody, decode
from integrations.woocommerce.values import identifier, optional_id
from integrations.woocommerce.variants import is_number, read_on_sale, with_variants

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger()


def products(call: Call, ids: Sequence[str]) -> list[Product]:
    """
    Products by id with their variations; those the store does not give (deleted, in the bin, no number) come back as deleted.

    Of a variation's number, which webhooks name as if it was a product, its product comes too. An absence has no time of its own: it
    counts from the answer's `Date` header or the newest change seen in the same answer, whichever is later, else from 1970.
    Unreadable products are left out and logged.
    """
    askable = [number for number in dict.fromkeys(ids) if is_number(number)]
    records, answered_at = _listed(call, askable)
    missing = [number for number in askable if number not in records]
    parents = set(side_by_side(pace_of(call.transport, call.access.domain), missing, lambda one: _parent(call, one)))
    if more := [parent for parent in parents if parent is not None and parent not in records]:
        records |= _listed(call, more)[0]
    readable: list[tuple[Product, msgspec.Raw]] = []
    for number, raw in records.items():
        try:
            readable.append((to_product(decode(raw, ProductBody)), raw))
        except PayloadError as error:
            log.warning("product.unreadable", shop_id=call.access.shop_id, platform_id=number, reason=error.reason)
    found = with_variants(call, readable)
    newest = max([EPOCH, *(product.source_version for product in found), *([answered_at] if answered_at else [])])
    return found + gone_products([number for number in ids if number not in records], found, newest)


def orders_since(call: Call, since: datetime) -> list[Order]:
    """
    Placed orders whose record changed at or after `since`, oldest change first, each once in its newest version.

    Orders that make no sense are left out and logged, so that one of them cannot stop the rest.
    Raises TransientError for a store that repeats a page (a cache that ignores the query), other PlatformError of the calls.
    """
    found: dict[str, Order] = {}
    place = walks.Place()
    for _ in range(MAX_PAGES):
        step = walks.by_change(call, ORDERS, since, None, place)
        for raw in step.records:
            _keep(call, raw, found)
        if step.place is None:
            changed = [order for order in found.values() if order.source_version >= since.replace(microsecond=0)]
            return sorted(changed, key=lambda order: order.source_version)
        place = step.place
    raise TransientError("the list of orders does not end", platform=PLATFORM, call="orders")


def _listed(call: Call, ids: Sequence[str]) -> tuple[dict[str, msgspec.Raw], datetime | None]:
    """The products among `ids` that exist outside the bin, and the store's own time of the answer."""
    records: dict[str, msgspec.Raw] = {}
    answered_at = None
    for start in range(0, len(ids), PAGE_SIZE):
        part = ids[start : start + PAGE_SIZE]
        params = {"include": ",".join(part), "per_page": str(PAGE_SIZE), "status": "any"}
        listed = client.list_records(call, "products", "wc/v3/products", params)
        records |= {identifier(decode(raw, DeletedBody).id): raw for raw in listed.records}
        answered_at = answered_at or listed.answered_at
    return records, answered_at


def _parent(call: Call, number: str) -> str | None:
    """The product of which this is a variation; None if it is none, or gone."""
    try:
        one = read_on_sale(client.read_record(call, "product", f"wc/v3/products/{number}", {"_fields": "id,parent_id"}))
    except Gone:
        return None
    return optional_id(one.parent_id) if one else None


def _keep(call: Call, raw: msgspec.Raw, found: dict[str, Order]) -> None:
    """Keep the order if it is placed, and forget it if it no longer is."""
    try:
        body = decode(raw, OrderBody)
        events = order_events(body, None)
    except PayloadError as error:
        log.warning("order.unreadable", shop_id=call.access.shop_id, reason=error.reason)
        return
    found.pop(str(body.id), None)
    found.update({event.platform_id: event for event in events if isinstance(event, Order)})
