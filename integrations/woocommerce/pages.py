"""A store's records by pages: which list each kind comes from, and what its records are to us."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from connector.canonical import Checkout, Customer, Event, Order, Product, Removed, Resource
from connector.codes import CodeState
from connector.platforms import PayloadError, Rejected
from connector.reading import Change, Count, Page
from integrations.woocommerce import client, walks
from integrations.woocommerce.calling import Call
from integrations.woocommerce.cart_routes import CartRoutes
from integrations.woocommerce.carts import CartBody, cart_events
from integrations.woocommerce.coupons import CouponBody, to_code_state
from integrations.woocommerce.mapping import order_events, to_customer, to_product
from integrations.woocommerce.payloads import PLATFORM, CustomerBody, OrderBody, ProductBody, decode
from integrations.woocommerce.variants import with_variants
from integrations.woocommerce.walks import Place, Source, Step

MOST_PRODUCTS = 25
"""On a page of products, for each that has variations takes one more call."""
CART_PAGES, ORDER_PAGES = "carts", "orders"
DRAFT, UNPAID = "checkout-draft", "pending,failed,cancelled"
ORDERS = Source("orders", "wc/v3/orders")
CUSTOMERS = Source("customers", "wc/v3/customers", {"role": "all"})
"""Without the role only those of role "customer" are listed: whoever also writes the shop's blog would be missing."""
PRODUCTS = Source("products", "wc/v3/products", {"status": "any"}, most=MOST_PRODUCTS)
COUPONS = Source("coupons", "wc/v3/coupons", {"status": "any"})
"""Without it a list shows published coupons only: a suspended one would seem to be gone. (class-wc-rest-coupons-controller.php; seen)"""
SOURCES = {Resource.ORDER: ORDERS, Resource.CUSTOMER: CUSTOMERS, Resource.PRODUCT: PRODUCTS, Resource.DISCOUNT_CODE: COUPONS}
COUNTED_PAGES = 3
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Before there was WordPress."""
R = TypeVar("R")


def page_of(call: Call, routes: CartRoutes, what: Resource, since: datetime | None, until: datetime | None, cursor: str | None) -> Page:
    """
    Records changed at or after `since` (a minute more) and before `until`. Raises PlatformError.

    Of customers, whose changes cannot be asked for, those who registered then, newest first; all of them by number without `since`.
    Coupons come when their title or state changed: of amounts, ends, limits and uses WooCommerce keeps no time.
    """
    place = walks.place_of(cursor)
    match what:
        case Resource.ORDER:
            step = walks.by_change(call, ORDERS, since, until, place)
            return _page(step, lambda raw: [one for one in _bought(raw) if isinstance(one, Order)], until)
        case Resource.CHECKOUT:
            return _checkouts(call, routes, since, until, place)
        case Resource.CUSTOMER:
            step = walks.by_id(call, CUSTOMERS, place) if since is None else walks.newest_first(call, CUSTOMERS, since, place)
            page = _page(step, lambda raw: [to_customer(decode(bytes(raw), CustomerBody), None)], None)
            return page if since is None else replace(page, records=_registered(page.records, since, until))
        case Resource.PRODUCT:
            step = walks.by_change(call, PRODUCTS, since, until, place)
            return _products(call, step, until)
        case Resource.DISCOUNT_CODE:
            step = walks.by_change(call, COUPONS, since, until, place)
            return _page(step, lambda raw: [to_code_state(decode(bytes(raw), CouponBody))], until)
    raise Rejected(f"WooCommerce gives no {what.value} this way", platform=PLATFORM, call="changes")


def ids_of(call: Call, what: Resource, cursor: str | None) -> tuple[list[str], str | None]:
    """
    The numbers of all records of a kind, by pages; orders, drafts and unpaid ones among them.

    What we keep and is not among them was deleted for good, or is in the bin: of the first no store sends anything.
    """
    if what not in SOURCES:
        raise Rejected(f"WooCommerce numbers no {what.value}", platform=PLATFORM, call="ids")
    source = SOURCES[what]
    bare = replace(source, params={**source.params, "_fields": "id"}, most=client.PAGE_SIZE)
    step = walks.by_id(call, bare, walks.place_of(cursor))
    return [one for one in step.ids if one], step.place.text() if step.place else None


def count_of(call: Call, routes: CartRoutes, what: Resource, since: datetime | None, until: datetime | None) -> Count:
    """How many records `page_of` would give; inexact where a status does not tell what an order is to us."""
    match what:
        case Resource.ORDER:
            every, unpaid = _counted(call, ORDERS, since, until), _counted(call, _unpaid(), since, until, other=_unpaid(is_old=True))
            return Count(max(every - unpaid, 0), is_exact=unpaid == 0)
        case Resource.CHECKOUT:
            unpaid = _counted(call, _unpaid(), since, until, other=_unpaid(is_old=True))
            return Count(unpaid + routes.count(call, since), is_exact=unpaid == 0)
        case Resource.CUSTOMER if since is not None or until is not None:
            return _registrations(call, routes, since, until)
        case Resource.CUSTOMER:
            return Count(client.count_records(call, "count", CUSTOMERS.path, CUSTOMERS.params))
        case Resource.PRODUCT | Resource.DISCOUNT_CODE:
            return Count(_counted(call, SOURCES[what], since, until))
    raise Rejected(f"WooCommerce counts no {what.value}", platform=PLATFORM, call="count")


def _checkouts(call: Call, routes: CartRoutes, since: datetime | None, until: datetime | None, place: Place) -> Page:
    """The plugin's carts, then the orders that wait for payment."""
    if place.part != ORDER_PAGES:
        step = routes.changed(call, since, until, place)
        if step is not None:
            page = _page(step, _cart, until)
            following = msgspec.structs.replace(step.place, part=CART_PAGES) if step.place else Place(part=ORDER_PAGES)
            return replace(page, cursor=following.text())
        place = Place(part=ORDER_PAGES)
    step = _tolerant(lambda source: walks.by_change(call, source, since, until, place), _unpaid(), _unpaid(is_old=True))
    return _page(step, lambda raw: [one for one in _bought(raw) if isinstance(one, Checkout)], until)


def _unpaid(*, is_old: bool = False) -> Source:
    """Orders that nobody paid yet. Where the block checkout is taken out, WooCommerce does not know the status of its drafts."""
    return Source("unpaid", ORDERS.path, {"status": UNPAID if is_old else f"{DRAFT},{UNPAID}"})


def _tolerant(ask: Callable[[Source], R], first: Source, other: Source) -> R:
    try:
        return ask(first)
    except Rejected:
        return ask(other)


def _bought(raw: msgspec.Raw) -> list[Event]:
    return order_events(decode(bytes(raw), OrderBody), None)


def _cart(raw: msgspec.Raw) -> list[Event]:
    return cart_events(decode(bytes(raw), CartBody), None)


def _page(step: Step, read: Callable[[msgspec.Raw], Sequence[Event | CodeState]], until: datetime | None) -> Page:
    """What the records of a step are to us. One that makes no sense is named and does not hold up the others."""
    records: list[Change] = []
    gone: list[Removed] = []
    unreadable: list[str] = []
    for number, raw in zip(step.ids, step.records, strict=True):
        try:
            found = read(raw)
        except PayloadError as error:
            unreadable.append(f"{number}: {error.reason}")
            continue
        for one in found:
            if isinstance(one, Removed):
                gone.append(one)
            elif isinstance(one, Change) and (until is None or one.source_version < until):
                records.append(one)
    cursor = step.place.text() if step.place else None
    return Page(tuple(records), cursor, tuple(unreadable), gone=tuple(gone))


def _products(call: Call, step: Step, until: datetime | None) -> Page:
    """Products with their variations."""
    page = _page(step, lambda raw: [to_product(decode(bytes(raw), ProductBody))], until)
    raws = dict(zip(step.ids, step.records, strict=True))
    found = with_variants(call, [(one, raws[one.platform_id]) for one in page.records if isinstance(one, Product)])
    return replace(page, records=tuple(found))


def _registered(records: Sequence[Change], since: datetime, until: datetime | None) -> tuple[Change, ...]:
    """Those who registered in a span of time."""
    first = since.replace(microsecond=0) - walks.OVERLAP
    dated = [one for one in records if isinstance(one, Customer) and one.created_at is not None and one.created_at >= first]
    return tuple(one for one in dated if until is None or (one.created_at is not None and one.created_at < until))


def _counted(call: Call, source: Source, since: datetime | None, until: datetime | None, other: Source | None = None) -> int:
    def ask(one: Source) -> int:
        params = walks.span(one, walks.first_instant(one, since), until)
        return client.count_records(call, "count", one.path, {**one.params, **params})

    return _tolerant(ask, source, other) if other else ask(source)


def _registrations(call: Call, routes: CartRoutes, since: datetime | None, until: datetime | None) -> Count:
    """Counted one by one, over a few pages."""
    number, cursor = 0, None
    for _ in range(COUNTED_PAGES):
        page = page_of(call, routes, Resource.CUSTOMER, since or LONG_AGO, until, cursor)
        number, cursor = number + len(page.records), page.cursor
        if cursor is None:
            return Count(number)
    return Count(number, is_exact=False)
