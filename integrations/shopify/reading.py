"""
What a Shopify store can be asked at any time: records by pages and one by one, counts, what can be bought now, exports.

Search filters find what an index knows, which follows the records by seconds. What a filter does not do exactly (whole days, unknown
words) is done here again, on the records themselves.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from connector import clock
from connector.canonical import Channel, Checkout, Customer, Order, Product, Record, Resource, ShopProfile
from connector.codes import CodeState
from connector.platforms import Access, NotPermitted, PayloadError, Rejected, TransientError
from connector.reading import Change, Count, Export, LineNow, Page
from integrations.shopify import bulk, paging, queries
from integrations.shopify.ahead import pages_ahead
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.discount_reads import discount_now, discounts_changed
from integrations.shopify.legs import REACH, Leg, leg_of
from integrations.shopify.nodes import (
    ByGid,
    CheckoutNode,
    Connection,
    CountNode,
    CustomerNode,
    Node,
    OrderNode,
    ProductNode,
    SaleNode,
    gid,
    numeric_id,
)
from integrations.shopify.numbers import numbers_page
from integrations.shopify.paging import PATIENCE
from integrations.shopify.profile import is_open, read_shop
from integrations.shopify.queries_codes import CODE_PAGE
from integrations.shopify.reads import BUYABLE, to_listed_checkout, to_listed_order, to_product, to_products, to_read_customer
from integrations.shopify.values import money, text

AHEAD, BEHIND = timedelta(hours=14), timedelta(hours=12)
"""How far a shop's own day may be from that of UTC."""
SHORT = timedelta(days=1)
ORDERS_SHOWN, CHECKOUTS_SHOWN = timedelta(days=60), timedelta(days=90)
MOST_LINES = 50
_PLAIN = re.compile(r"[A-Za-z0-9_\-]+")
_COUNTS = {
    Resource.ORDER: queries.COUNT_ORDERS,
    Resource.CUSTOMER: queries.COUNT_CUSTOMERS,
    Resource.PRODUCT: queries.COUNT_PRODUCTS,
    Resource.CHECKOUT: queries.COUNT_CHECKOUTS,
    Resource.DISCOUNT_CODE: queries.COUNT_CODES,
}
_ADMIN = {
    Resource.ORDER: "orders",
    Resource.CUSTOMER: "customers",
    Resource.PRODUCT: "products",
    Resource.CHECKOUT: "checkouts",
    Resource.DISCOUNT_CODE: "discounts",
}
_CONSENT_TOPICS = {
    Channel.EMAIL: "customers_email_marketing_consent/update",
    Channel.SMS: "customers_marketing_consent/update",
    Channel.WHATSAPP: "customers_whats_app_marketing_consent/update",
}
Listed = TypeVar("Listed", OrderNode, ProductNode, CustomerNode, CheckoutNode)


class CountAnswer(Node):
    """`Count…`; null where counting is not permitted."""

    found: CountNode | None


class SaleAnswer(ByGid):
    """`OnSaleNow`: null where there is no such product or variant."""

    nodes: list[SaleNode | None]


class ShopifyReads:
    """`Reads` of Shopify; safe to call from many threads, holds nothing but its client."""

    def __init__(self, client: Client, reach: int = REACH) -> None:
        self._client, self._reach = client, reach

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """
        Records changed at or after `since` and before `until`, oldest change first; checkouts by id, for want of another order, and
        customers of a short span newest first.

        Orders reach back 60 days. A page may hold no record and still not be the last. Keep `since` and `until` while paging. Of a very
        long list some records may come twice: see `legs`.
        """
        leg = leg_of(cursor)
        begin = datetime.fromisoformat(leg.start) if leg.start and what is not Resource.CHECKOUT else since
        match what:
            case Resource.ORDER:
                orders = paging.orders_page(self._client, access, _search(begin, until), leg.after)
                return self._page(orders.data, orders.gaps, to_listed_order, since, until, leg)
            case Resource.PRODUCT:
                products = paging.products_page(self._client, access, _search(begin, until), leg.after)
                return self._page(products.data, products.gaps, to_product, since, until, leg)
            case Resource.CUSTOMER:
                # Of a shop's last minutes the whole day would have to be passed first.
                newest_first = since is not None and until is not None and until - since < SHORT
                customers = paging.customers_page(self._client, access, _days(begin, until), leg.after, newest_first=newest_first)
                if _is_past(customers.data.nodes, since, until, newest_first):
                    customers.data.page_info.has_next_page = False
                return self._page(customers.data, customers.gaps, to_read_customer, since, until, leg, can_go_on=not newest_first)
            case Resource.CHECKOUT:
                words = [_search(since, until), *([f"id:>={int(leg.start) + 1}"] if leg.start else [])]
                checkouts = paging.checkouts_page(self._client, access, " ".join(filter(None, words)), leg.after)
                return self._page(checkouts.data, checkouts.gaps, to_listed_checkout, since, until, leg)
            case Resource.DISCOUNT_CODE:
                page = discounts_changed(self._client, access, begin, until, leg.after)
                end = page.records[-1].source_version.isoformat() if page.records else ""
                return replace(page, cursor=leg.following(page.cursor, CODE_PAGE, end, self._reach), withheld=_fields(page.withheld))
        raise _not_listed(what)

    def pages(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Iterator[Page]:
        """As `changes`, page after page, read ahead by one. A shop that takes no more points is waited for, up to a minute a page."""
        patient = ShopifyReads(self._client.with_patience(PATIENCE), self._reach)
        return pages_ahead(lambda at: patient.changes(access, what, since, until, at), cursor, self._client.sleep)

    def ids(self, access: Access, what: Resource, cursor: str | None = None) -> tuple[list[str], str | None]:
        """The numbers of all records of a kind by pages of 250, lowest first. Rejected for checkouts, which we know by their tokens."""
        return numbers_page(self._client, access, what, cursor, self._reach)

    def reaches_back(self, access: Access, what: Resource, now: datetime) -> datetime | None:
        """Of orders 60 days, unless we may read all; of abandoned checkouts about three months."""
        if what is Resource.ORDER and "read_all_orders" not in access.credentials.get("scope", "").replace(",", " ").split():
            return now - ORDERS_SHOWN
        return now - CHECKOUTS_SHOWN if what is Resource.CHECKOUT else None

    def count(self, access: Access, what: Resource, since: datetime | None = None, until: datetime | None = None) -> Count:
        """How many `changes` would give; beyond what Shopify counts exactly, at least so many."""
        if what not in _COUNTS:
            raise _not_listed(what)
        words = [_search(since, until)] if since or until else []
        if what is Resource.DISCOUNT_CODE:
            words.insert(0, "method:code")
        reply = self._client.query(access, "count", _COUNTS[what], {"query": " ".join(words) or None}, CountAnswer)
        if reply.data.found is None:
            raise NotPermitted("counting is not permitted", platform=PLATFORM, call="count", status=200)
        return Count(reply.data.found.count, reply.data.found.precision == "EXACT")

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """
        One record as it is now, None if it is gone.

        Checkouts by the number that `changes` tells, not by token. An order that Shopify does not show is gone or older than 60
        days: that is NotPermitted, unless we may read all orders.
        """
        if what not in _COUNTS or (what is Resource.CHECKOUT and not _is_number(platform_id)):
            raise _not_listed(what)
        if what is Resource.DISCOUNT_CODE:
            return discount_now(self._client, access, platform_id)
        if not _is_number(platform_id):
            return None
        match what:
            case Resource.PRODUCT:
                products = read_products(self._client, access, [platform_id])
                if not products:
                    raise NotPermitted("the product is withheld from us", platform=PLATFORM, call="products", status=200)
                return None if products[0].is_deleted else products[0]
            case Resource.CUSTOMER:
                customer = paging.customer_now(self._client, access, gid("Customer", platform_id)).data
                return to_read_customer(customer) if customer else None
            case Resource.ORDER:
                order = paging.order_now(self._client, access, gid("Order", platform_id)).data
                if order is None and "read_all_orders" not in access.credentials.get("scope", ""):
                    raise NotPermitted("the order is gone, or older than 60 days", platform=PLATFORM, call="order", status=200)
                return to_listed_order(order) if order else None
        checkout = paging.checkout_now(self._client, access, gid("AbandonedCheckout", platform_id)).data
        return to_listed_checkout(checkout) if checkout else None

    def shop_now(self, access: Access) -> ShopProfile:
        """The shop as it is now, and whether its online store is open."""
        profile, _ = read_shop(self._client, access)
        return replace(profile, is_open=is_open(self._client, access))

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        """The orders that came of a checkout: by its own token, else, if that finds none, by its cart's."""
        for name, value in (("checkout_token", text(token)), ("cart_token", text(cart_token))):
            if value is None:
                continue
            found = [to_listed_order(node) for node in paging.orders_found(self._client, access, f"{name}:{_quoted(value)}").data]
            # A filter that Shopify does not know is left out, and then everything is found.
            if orders := [order for order in found if getattr(order, name) == value]:
                return orders
        return []

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        """Whether (product id, variant id) can be bought now and for how much, in the order asked; at most 50 at once."""
        if len(wanted) > MOST_LINES:
            raise Rejected(f"at most {MOST_LINES} lines at once", platform=PLATFORM, call="lines")
        ids = [_sale_gid(*one) for one in wanted]
        asked = [one for one in dict.fromkeys(ids) if one is not None]
        if not asked:
            return [LineNow(*one, is_available=False) for one in wanted]
        reply = self._client.query(access, "lines", queries.ON_SALE, {"ids": asked}, SaleAnswer)
        if len(reply.data.nodes) != len(asked):
            raise TransientError("unreadable answer: lines are missing from it", platform=PLATFORM, call="lines")
        if None in reply.data.nodes and (reply.gaps or not reply.data.may("read_products")):
            raise NotPermitted("products are withheld from us", platform=PLATFORM, call="lines", status=200)
        found = dict(zip(asked, reply.data.nodes, strict=True))
        return [_line_now(one, found.get(name) if name else None) for one, name in zip(wanted, ids, strict=True)]

    def begin_export(self, access: Access, what: Resource, since: datetime | None = None) -> Export:
        """Have Shopify write all records of a kind into a file; it runs five at once. Raises Rejected if it runs too many already."""
        return bulk.begin(self._client, access, what, _days(since, None) if what is Resource.CUSTOMER else _search(since, None))

    def look_at_export(self, access: Access, platform_id: str) -> Export:
        """How far it is."""
        return bulk.look(self._client, access, platform_id)

    def read_export(self, access: Access, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
        """
        What a ready export holds, the same pages each time, without the first `skip` of them.

        Raises TransientError if the file is cut, expired or holds fewer objects than announced.
        """
        return bulk.read(self._client.transport, export, what, skip)

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        """The topics of which at least one delivery must have come because of this change after `since`; one set, any of it."""
        if change.source_version < since:
            return frozenset()
        match change:
            case Order():
                return frozenset({"orders/create" if change.created_at >= since else "orders/updated"})
            case Checkout():
                return frozenset({"checkouts/create" if change.created_at >= since else "checkouts/update"})
            case Customer():
                if change.created_at is not None and change.created_at >= since:
                    return frozenset({"customers/create"})
                fresh = (_CONSENT_TOPICS[one.channel] for one in change.consents if one.at >= since)
                return frozenset({"customers/update", *fresh})
            case Product():
                return frozenset({"products/create", "products/update"})
            case CodeState():
                return frozenset(f"discounts/{word}" for word in ("create", "update", "redeemcode_added", "redeemcode_removed"))

    def admin_url(self, domain: str, what: Resource, platform_id: str) -> str:
        """The page of the admin where a merchant sees this record; the list where Shopify knows it under another number."""
        if what not in _ADMIN:
            return f"https://{domain}/admin"
        return f"https://{domain}/admin/{_ADMIN[what]}" + (f"/{platform_id}" if _is_number(platform_id) else "")

    def _page(
        self,
        found: Connection[Listed],
        gaps: Sequence[str],
        to_record: Callable[[Listed], Record],
        since: datetime | None,
        until: datetime | None,
        leg: Leg,
        *,
        can_go_on: bool = True,
    ) -> Page:
        """The records of a span of time out of one page. One that makes no sense is named and does not hold up the others."""
        after = paging.next_cursor(found, leg.after, "changes")
        records, unreadable = bulk.mapped(found.nodes, to_record)
        kept = tuple(
            one for one in records if (since is None or one.source_version >= since) and (until is None or one.source_version < until)
        )
        cursor = leg.following(after, len(found.nodes), _end(found.nodes) if can_go_on else "", self._reach)
        return Page(kept, cursor, unreadable, _fields(gaps))


def read_products(client: Client, access: Access, ids: Sequence[str]) -> list[Product]:
    """
    Products by numeric id, in the order asked; unknown ids come back with `is_deleted`.

    Raises PlatformError; NotPermitted if nothing of what was asked for is shown to us.
    """
    products: list[Product] = []
    for start in range(0, len(ids), queries.PRODUCT_PAGE):
        part = ids[start : start + queries.PRODUCT_PAGE]
        reply = paging.products_by_gid(client, access, [gid("Product", one) for one in part if _is_number(one)])
        products += to_products(part, reply.data, clock.now(), is_complete=not reply.gaps)
    return products


def read_orders(client: Client, access: Access, since: datetime) -> Iterator[Order]:
    """Orders changed at or after `since`, oldest change first. Raises PlatformError; PayloadError for one that makes no sense."""
    reads, cursor = ShopifyReads(client), None
    seen: set[tuple[str, str | None]] = set()
    while True:
        page = reads.changes(access, Resource.ORDER, since, None, cursor)
        yield from (record for record in page.records if isinstance(record, Order))
        for one in page.unreadable:
            raise PayloadError(f"Shopify order {one}", platform=PLATFORM, reason=one.rpartition(": ")[2])
        cursor = page.cursor
        if cursor is None:
            return
        place = leg_of(cursor).place
        if place in seen:
            raise paging.astray("orders")
        seen.add(place)


def _end(nodes: Sequence[OrderNode | ProductNode | CustomerNode | CheckoutNode]) -> str:
    """Where a leg that ends with these begins again: the instant of the last change, or the last number."""
    last = nodes[-1] if nodes else None
    if isinstance(last, CheckoutNode):
        return numeric_id(last.id)
    return last.updated_at.isoformat() if last is not None and last.updated_at is not None else ""


def _is_past(nodes: Sequence[CustomerNode], since: datetime | None, until: datetime | None, newest_first: bool) -> bool:
    """Whether the last of a page lies behind the span: then so do all that follow."""
    last = nodes[-1].updated_at if nodes else None
    if last is None:
        return False
    return since is not None and last < since if newest_first else until is not None and last >= until


def _fields(gaps: Sequence[str]) -> tuple[str, ...]:
    """What is withheld, without the numbers of the records it is withheld from."""
    return tuple(dict.fromkeys(".".join(part for part in gap.split(".") if not part.isdigit()) for gap in gaps))


def _search(since: datetime | None, until: datetime | None) -> str:
    """The filter for a span of time; Shopify's instants are whole seconds."""
    words = [] if since is None else [f"updated_at:>='{_instant(since)}'"]
    if until is not None:
        whole = until.replace(microsecond=0)
        words.append(f"updated_at:<'{_instant(whole if whole == until else whole + timedelta(seconds=1))}'")
    return " ".join(words)


def _days(since: datetime | None, until: datetime | None) -> str:
    """The filter for all days, by whatever clock, that a span of time touches: customers are found by whole days only."""
    words = [] if since is None else [f"updated_at:>='{(since.astimezone(UTC) - BEHIND).date().isoformat()}'"]
    if until is not None:
        words.append(f"updated_at:<='{(until.astimezone(UTC) + AHEAD).date().isoformat()}'")
    return " ".join(words)


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _quoted(value: str) -> str:
    """A value of a search; one that could be read as more than a value is put in quotes."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_number(platform_id: str) -> bool:
    return platform_id.isascii() and platform_id.isdigit()


def _sale_gid(product_id: str, variant_id: str | None) -> str | None:
    """What to ask for a line: its variant, else its product; None for what Shopify cannot know."""
    kind, number = ("Product", product_id) if variant_id is None else ("ProductVariant", variant_id)
    return gid(kind, number) if _is_number(number) else None


def _line_now(wanted: tuple[str, str | None], node: SaleNode | None) -> LineNow:
    """
    A line as it is now. Of a product without a named variant: whether any of the first few can be bought.

    Whether a product is published is not looked at: stores without the online sales channel publish none and sell all the same.
    """
    if node is None:
        return LineNow(*wanted, is_available=False)
    if node.product is not None:
        is_buyable = node.product.status is None or node.product.status in BUYABLE
        return LineNow(*wanted, is_buyable and bool(node.available_for_sale), money(node.price), text(node.product.title))
    is_buyable = node.status is None or node.status in BUYABLE
    variants = node.variants.nodes if node.variants else []
    prices = {variant.price for variant in variants}
    price = money(prices.pop()) if len(prices) == 1 else None
    return LineNow(*wanted, is_buyable and any(variant.available_for_sale for variant in variants), price, text(node.title))


def _not_listed(what: Resource) -> Rejected:
    return Rejected(f"Shopify gives no {what.value} this way", platform=PLATFORM, call="changes")
