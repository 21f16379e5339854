"""A store's records by pages: which list each kind comes from, and what its records are to us."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import msgspec

from connector.canonical import Checkout, Customer, Event, Order, Product, Removed, Resource
from connector.codes import CodeState
from connector.platforms import PayloadError, Rejected
from connector.reading import Change, Count, Page
from integrations.woocommerce import abreast, client, walks
from integrations.woocommerce.ahead import Patience
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
    if what is Resource.CHECKOUT and place.part != ORDER_PAGES:
        page = _carts(call, routes, since, until, place)
        if page is not None:
            return page
        place = Place(part=ORDER_PAGES)
    return _read(call, what, since, until, _walk(call, what, since, until).alone(place))


def pages_of(
    call: Call,
    routes: CartRoutes,
    what: Resource,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    patience: Patience,
) -> Iterator[Page]:
    """As `page_of`, page after page; but for carts, and for customers since an instant, read ahead by several calls at once."""
    place = walks.place_of(cursor)
    while what is Resource.CHECKOUT and place.part != ORDER_PAGES:
        page = patience.ask(partial(_carts, call, routes, since, until, place))
        place = walks.place_of(page.cursor) if page else Place(part=ORDER_PAGES)
        if page is not None:
            yield page
    for step in abreast.steps(_walk(call, what, since, until), place, patience):
        yield _read(call, what, since, until, step)


def _walk(call: Call, what: Resource, since: datetime | None, until: datetime | None) -> abreast.Walk:
    """The way through the list of a kind: by number for all, by change for what changed since. Of customers no store knows the changes."""
    if what is Resource.CHECKOUT:
        source, other = _unpaid(), _unpaid(is_old=True)
    elif what in SOURCES:
        source, other = SOURCES[what], None
    else:
        raise Rejected(f"WooCommerce gives no {what.value} this way", platform=PLATFORM, call="changes")
    if what is Resource.CUSTOMER:
        return abreast.ByNumber(call, source) if since is None else abreast.NewestFirst(call, source, since)
    if since is None:
        return abreast.ByNumber(call, source, until, other)
    return abreast.ByChange(call, source, since, until, other)


def _read(call: Call, what: Resource, since: datetime | None, until: datetime | None, step: Step) -> Page:
    """What a step of such a walk brought."""
    match what:
        case Resource.ORDER:
            return _page(step, lambda raw: [one for one in _bought(raw) if isinstance(one, Order)], until)
        case Resource.CHECKOUT:
            return _page(step, lambda raw: [one for one in _bought(raw) if isinstance(one, Checkout)], until)
        case Resource.CUSTOMER:
            page = _page(step, lambda raw: [to_customer(decode(raw, CustomerBody), None)], None)
            return page if since is None else replace(page, records=_registered(page.records, since, until))
        case Resource.PRODUCT:
            return _products(call, step, until)
    return _page(step, lambda raw: [to_code_state(decode(raw, CouponBody))], until)


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


def _carts(call: Call, routes: CartRoutes, since: datetime | None, until: datetime | None, place: Place) -> Page | None:
    """The plugin's carts, before the orders that wait for payment; None without the plugin."""
    step = routes.changed(call, since, until, place)
    if step is None:
        return None
    following = msgspec.structs.replace(step.place, part=CART_PAGES) if step.place else Place(part=ORDER_PAGES)
    return replace(_page(step, _cart, until), cursor=following.text())


def _unpaid(*, is_old: bool = False) -> Source:
    """Orders that nobody paid yet. Where the block checkout is taken out, WooCommerce does not know the status of its drafts."""
    return Source("unpaid", ORDERS.path, {"status": UNPAID if is_old else f"{DRAFT},{UNPAID}"})


def _tolerant(ask: Callable[[Source], R], first: Source, other: Source) -> R:
    try:
        return ask(first)
    except Rejected:
        return ask(other)


def _bought(raw: msgspec.Raw) -> list[Event]:
    return order_events(decode(raw, OrderBody), None)


def _cart(raw: msgspec.Raw) -> list[Event]:
    return cart_events(decode(raw, CartBody), None)


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
    page = _page(step, lambda raw: [to_product(decode(raw, ProductBody))], until)
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
