"""What a WooCommerce store can be asked at any time: records by pages and one by one, counts, what can be bought now."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from connector.canonical import Checkout, Customer, Order, Product, Resource, ShopProfile
from connector.codes import CodeState
from connector.platforms import Access, Gone, PayloadError, Rejected, TransientError
from connector.reading import Change, Count, Export, LineNow, Page
from integrations.transport import Transport
from integrations.woocommerce import client, reading
from integrations.woocommerce.ahead import PATIENCE, Patience
from integrations.woocommerce.calling import Call
from integrations.woocommerce.cart_routes import CartRoutes
from integrations.woocommerce.carts import TOPIC, cart_events, is_token
from integrations.woocommerce.coupons import coupon_now
from integrations.woocommerce.lines import lines_now
from integrations.woocommerce.links import admin_page, is_checkout_link
from integrations.woocommerce.mapping import DRAFTS, UNPAID, cart_token, order_events, to_customer
from integrations.woocommerce.pages import ORDERS, count_of, ids_of, page_of, pages_of
from integrations.woocommerce.payloads import PLATFORM, CustomerBody, OrderBody, decode
from integrations.woocommerce.profile import read_profile
from integrations.woocommerce.values import optional_id
from integrations.woocommerce.variants import is_number
from integrations.woocommerce.visibility import is_open

RECENT_ORDERS = 100
"""So many are looked through for the cart that one of them came of, where the plugin cannot be asked."""
MARKED = "id,status,currency,total,date_created_gmt,meta_data"
ORDER_TOPICS = frozenset({"order.created", "order.updated", "order.restored"})


class WooReads:
    """`Reads` of WooCommerce; safe to call from many threads, holds its client and which stores lately had no plugin."""

    def __init__(self, transport: Transport, patience: Patience = PATIENCE) -> None:
        self._transport, self._patience = transport, patience
        self._routes = CartRoutes()

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """
        Records changed at or after `since`, and up to a minute before, and before `until`; see `pages.page_of` for what a store can tell.

        Without `since` all, by number. Checkouts are the plugin's carts, then the orders that wait for payment. Keep `since` and `until`
        while paging. A page may hold no record and still not be the last.
        """
        return page_of(self._call(access), self._routes, what, since, until, cursor)

    def pages(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Iterator[Page]:
        """
        As `changes`, page after page, by as many calls at once as the store bears; see `abreast.steps`.

        A store that asks us to wait, or fails for a moment, is waited for. Cursors are those of `changes`.
        """
        return pages_of(self._call(access), self._routes, what, since, until, cursor, self._patience)

    def reaches_back(self, access: Access, what: Resource, now: datetime) -> datetime | None:
        """None: a store shows all that it has."""
        return None

    def ids(self, access: Access, what: Resource, cursor: str | None = None) -> tuple[list[str], str | None]:
        """The numbers of all records of a kind by pages, with the cursor for the next: see `pages.ids_of`."""
        return ids_of(self._call(access), what, cursor)

    def count(self, access: Access, what: Resource, since: datetime | None = None, until: datetime | None = None) -> Count:
        """
        How many `changes` would give. Not exact where unpaid orders are among them, for not all of these are checkouts of shoppers:
        then at least so many orders, and at most so many checkouts.
        """
        return count_of(self._call(access), self._routes, what, since, until)

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """
        One record as it is now, None if it is gone, in the bin, or nothing to us.

        An order's number names a checkout as long as nothing is bought and an order from then on: what it is now is told, whichever
        was asked for. A cart's token needs the plugin: without it TransientError.
        """
        call = self._call(access)
        if what is Resource.CHECKOUT and is_token(platform_id):
            return self._cart_now(call, platform_id)
        if not is_number(platform_id):
            return None
        match what:
            case Resource.ORDER | Resource.CHECKOUT:
                return _bought_now(call, platform_id, Checkout if what is Resource.CHECKOUT else Order)
            case Resource.CUSTOMER:
                return _customer_now(call, platform_id)
            case Resource.PRODUCT:
                return next((one for one in reading.products(call, [platform_id]) if not one.is_deleted), None)
            case Resource.DISCOUNT_CODE:
                return coupon_now(call, platform_id)
        raise Rejected(f"WooCommerce gives no {what.value} this way", platform=PLATFORM, call="record")

    def shop_now(self, access: Access) -> ShopProfile:
        """The shop as it is now, and whether shoppers can enter it."""
        call = self._call(access)
        return replace(read_profile(call), is_open=is_open(call))

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        """
        The orders that came of a checkout: the order it became, else the one that carries its cart.

        Without the plugin, or when it knows no such cart any more, the newest hundred orders are looked through.
        """
        call = self._call(access)
        if token is not None and is_number(token):
            order = _bought_now(call, token)
            if isinstance(order, Order):
                return [order]
        name = next((one for one in (token, cart_token) if one is not None and is_token(one)), None)
        if name is None:
            return []
        found = [_bought_now(call, number) for number in self._numbers_of(call, name)]
        # The checkout that was asked for goes by its cart's name; the order by itself says its own number.
        return [replace(one, checkout_token=token) for one in found if isinstance(one, Order) and one.cart_token == name]

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        """Whether (product id, variation id) can be bought now and for how much, in the order asked; at most 50 at once."""
        return lines_now(self._call(access), wanted)

    def begin_export(self, access: Access, what: Resource, since: datetime | None = None) -> Export:
        """There is none: raises Rejected."""
        raise _no_export()

    def look_at_export(self, access: Access, platform_id: str) -> Export:
        """There is none: raises Rejected."""
        raise _no_export()

    def read_export(self, access: Access, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
        """There is none: raises Rejected."""
        raise _no_export()

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        """
        The topics of which at least one delivery must have come because of this change after `since`; one set, any of it.

        Drafts of the checkout page oblige to nothing: with the older storage their changes have no time.
        """
        if change.source_version < since:
            return frozenset()
        match change:
            case Order():
                return ORDER_TOPICS
            case Checkout():
                if is_token(change.platform_id):
                    return frozenset({TOPIC})
                return frozenset() if is_checkout_link(change.recovery_url) else ORDER_TOPICS
            case Customer():
                return frozenset({"customer.created", "customer.updated"})
            case Product():
                return frozenset({"product.created", "product.updated"})
            case CodeState():
                return frozenset({"coupon.created", "coupon.updated", "coupon.restored"})

    def admin_url(self, domain: str, what: Resource, platform_id: str) -> str:
        """The page of WordPress's admin where a merchant sees this record; its first page for a cart, which has none."""
        return admin_page(domain, what, platform_id)

    def _call(self, access: Access) -> Call:
        return Call(self._transport, access)

    def _cart_now(self, call: Call, token: str) -> Checkout | None:
        try:
            cart = self._routes.one(call, token)
        except Gone:
            return None
        if cart is None:
            raise TransientError("the plugin that knows this cart does not answer", platform=PLATFORM, call="cart", status=404)
        return next((one for one in cart_events(cart, None) if isinstance(one, Checkout)), None)

    def _numbers_of(self, call: Call, token: str) -> list[str]:
        """The numbers of the orders that came of a cart. Drafts and unpaid orders of the same cart may stand beside them."""
        try:
            cart = self._routes.one(call, token)
        except Gone:
            cart = None
        if cart is not None:
            return [number] if (number := optional_id(cart.order_id)) else []
        params = {"per_page": str(RECENT_ORDERS), "orderby": "date", "order": "desc", "_fields": MARKED}
        listed = client.list_records(call, "orders_of", ORDERS.path, params)
        return [number for number, raw in zip(listed.ids, listed.records, strict=True) if number and _is_bought_of(raw, token)]


def _bought_now(call: Call, number: str, first: type[Order | Checkout] = Order) -> Order | Checkout | None:
    """What it is now. What was paid once and waits for its money again is both: then `first`."""
    try:
        body = client.read_record(call, "order", f"{ORDERS.path}/{number}")
    except Gone:
        return None
    found = [one for one in order_events(decode(body, OrderBody), None) if isinstance(one, Order | Checkout)]
    return min(found, key=lambda one: not isinstance(one, first), default=None)


def _customer_now(call: Call, number: str) -> Customer | None:
    try:
        body = client.read_record(call, "customer", f"wc/v3/customers/{number}")
    except Gone:
        return None
    return to_customer(decode(body, CustomerBody), None)


def _is_bought_of(raw: msgspec.Raw, token: str) -> bool:
    try:
        body = decode(raw, OrderBody)
    except PayloadError:
        return False
    return cart_token(body) == token and body.status not in DRAFTS | UNPAID


def _no_export() -> Rejected:
    return Rejected("WooCommerce writes no files for us", platform=PLATFORM, call="export")
