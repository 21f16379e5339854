"""Reads that take several calls: products with the missing ones, orders page by page."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from connector.canonical import Order, Product
from connector.platforms import PayloadError, TransientError
from integrations.woocommerce import client
from integrations.woocommerce.client import MAX_PAGES, PAGE_SIZE, Call
from integrations.woocommerce.mapping import gone_products, order_events, to_product
from integrations.woocommerce.payloads import PLATFORM, DeletedBody, OrderBody, ProductBody, decode
from integrations.woocommerce.values import identifier, instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger()


def products(call: Call, ids: Sequence[str]) -> list[Product]:
    """
    Products by id; those the store does not give (deleted, in the bin, no number) come back as deleted.

    An absence has no time of its own: it counts from the answer's `Date` header or the newest change seen in the same
    answer, whichever is later, else from 1970. Unreadable products are left out and logged.
    """
    askable = [number for number in dict.fromkeys(ids) if number.isascii() and number.isdigit()]
    answers, answered_at = client.read_products(call, askable) if askable else ([], None)
    found: list[Product] = []
    unreadable: set[str] = set()
    for raw in answers:
        number = identifier(decode(bytes(raw), DeletedBody).id)
        try:
            found.append(to_product(decode(bytes(raw), ProductBody)))
        except PayloadError as error:
            unreadable.add(number)
            log.warning("product.unreadable", shop_id=call.access.shop_id, platform_id=number, reason=error.reason)
    newest = max([EPOCH, *(product.source_version for product in found), *([answered_at] if answered_at else [])])
    return found + gone_products([number for number in ids if number not in unreadable], found, newest)


def orders_since(call: Call, since: datetime) -> list[Order]:
    """
    Placed orders whose record changed at or after `since`, oldest change first, each once in its newest version.

    The store's filter is strictly greater, in whole seconds, so a second earlier is asked for. Page numbers shift while
    orders change, so each full page moves the instant forward instead; pages are counted only within one second.
    Orders that make no sense are left out and logged, so that one of them cannot stop the rest.
    Raises TransientError for a store that repeats a page (a cache that ignores the query), other PlatformError of the calls.
    """
    after, page = since.replace(microsecond=0) - timedelta(seconds=1), 1
    found: dict[str, Order] = {}
    before: list[msgspec.Raw] = []
    for _ in range(MAX_PAGES):
        part = client.read_orders(call, after, page)
        if page > 1 and part and part == before:
            raise TransientError(
                "the store answers every page alike: something there caches its REST API", platform=PLATFORM, call="orders"
            )
        before = part
        newest: datetime | None = None
        for raw in part:
            newest = _keep(call, raw, found) or newest
        if len(part) < PAGE_SIZE:
            break
        page += 1
        if newest is not None and newest - timedelta(seconds=1) > after:
            after, page = newest - timedelta(seconds=1), 1
    changed = [order for order in found.values() if order.source_version >= since.replace(microsecond=0)]
    return sorted(changed, key=lambda order: order.source_version)


def _keep(call: Call, raw: msgspec.Raw, found: dict[str, Order]) -> datetime | None:
    """Keep the order if it is placed (and forget it if it no longer is); its time of change, if it can be read."""
    try:
        body = decode(bytes(raw), OrderBody)
        events = order_events(body, None)
        changed_at = instant(body.date_modified_gmt)
    except PayloadError as error:
        log.warning("order.unreadable", shop_id=call.access.shop_id, reason=error.reason)
        return None
    found.pop(str(body.id), None)
    found.update({event.platform_id: event for event in events if isinstance(event, Order)})
    return changed_at
