"""The pretend WooCommerce store: its settings, sessions, orders (drafts included), customers and webhooks, held in memory."""

import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Literal

from connector.errors import NotFound
from integrations.sandbox.woocommerce_cart import Cart, Consent
from integrations.sandbox.woocommerce_catalogue import CATALOGUE, HOST, ORIGIN, Product, Variation
from integrations.sandbox.woocommerce_coupon_use import discounts
from integrations.sandbox.woocommerce_coupons import CouponBook

__all__ = ("CENT", "HOST", "ORIGIN", "VAT", "VERSION", "Product", "Variation")

CENT = Decimal("0.01")
VAT = Decimal("0.20")
VERSION = "10.5.0"
FIRST_WITHOUT_DRAFTS = (10, 8)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a shopper types into the checkout; `phone` is free text, empty texts are not given."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    address_1: str = ""
    city: str = ""
    postcode: str = ""
    country: str = "FR"


@dataclass(slots=True)
class Item:
    """One line of a cart or an order; `price` is the gross unit price, `discount` what coupons take off the line (gross)."""

    id: int
    product: Product
    variation: Variation | None
    quantity: int
    discount: Decimal = Decimal(0)

    @property
    def reference(self) -> str:
        """The id of what is bought: the variation's, else the product's."""
        return str(self.variation.id if self.variation else self.product.id)

    @property
    def key(self) -> str:
        """The cart item's key: the same thing has the same key in every cart."""
        return hashlib.blake2b(f"{self.product.id}_{self.reference}".encode(), digest_size=16).hexdigest()

    @property
    def price(self) -> Decimal:
        """Gross price of one."""
        return self.variation.price if self.variation else self.product.price

    @property
    def gross(self) -> Decimal:
        """Price by quantity, VAT included, before coupons."""
        return self.price * self.quantity

    @property
    def net(self) -> Decimal:
        """Price by quantity without VAT, to the cent, before coupons."""
        return net_of(self.gross)

    @property
    def paid(self) -> Decimal:
        """What is paid for the line, VAT included."""
        return self.gross - self.discount

    @property
    def paid_net(self) -> Decimal:
        """What is paid for the line without VAT."""
        return net_of(self.paid)

    @property
    def name(self) -> str:
        """What the line is called."""
        return f"{self.product.name} - {self.variation.option}" if self.variation else self.product.name


@dataclass(slots=True)
class Order:
    """An order or a draft of one; the id stays the same from the opened checkout page on."""

    id: int
    key: str
    created_at: datetime
    modified_at: datetime
    items: list[Item]
    status: str = "checkout-draft"
    contact: Contact = field(default_factory=Contact)
    customer_id: int = 0
    method: str = "bacs"
    method_title: str = ""
    paid_at: datetime | None = None
    completed_at: datetime | None = None
    created_via: str = "store-api"
    coupons: list[str] = field(default_factory=list)
    cart_token: str = ""
    status_before_trash: str = ""
    refunds: list[Decimal] = field(default_factory=list)

    @property
    def shipping_net(self) -> Decimal:
        """Flat rate, VAT excluded; an empty order ships nothing."""
        return Decimal("4.90") if self.items else Decimal(0)

    @property
    def shipping_tax(self) -> Decimal:
        """VAT on shipping."""
        return (self.shipping_net * VAT).quantize(CENT, ROUND_HALF_UP)

    @property
    def cart_tax(self) -> Decimal:
        """VAT on all lines, as they are paid."""
        return sum((item.paid - item.paid_net for item in self.items), Decimal(0))

    @property
    def discount_net(self) -> Decimal:
        """What coupons take off, VAT excluded."""
        return sum((item.net - item.paid_net for item in self.items), Decimal(0))

    @property
    def discount_tax(self) -> Decimal:
        """The VAT of what coupons take off."""
        return sum((item.discount for item in self.items), Decimal(0)) - self.discount_net

    @property
    def total(self) -> Decimal:
        """What is to be paid, all included."""
        return sum((item.paid for item in self.items), Decimal(0)) + self.shipping_net + self.shipping_tax

    @property
    def pay_path(self) -> str:
        """Path and query of the page that takes the payment."""
        return f"/checkout/order-pay/{self.id}/?pay_for_order=true&key={self.key}"


@dataclass(slots=True)
class Customer:
    """A registered user; `role` is customer, subscriber or administrator."""

    id: int
    contact: Contact
    created_at: datetime
    modified_at: datetime
    role: str = "customer"


@dataclass(slots=True)
class Webhook:
    """A subscription; `failures` counts failed deliveries in a row, `needs_ping` until a ping was answered 200."""

    id: int
    name: str
    topic: str
    delivery_url: str
    secret: str
    created_at: datetime
    modified_at: datetime | None = None
    status: str = "active"
    failures: int = 0
    needs_ping: bool = True
    last_success_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A REST key; `permissions` is read, write or read_write."""

    id: int
    key: str
    secret: str
    permissions: str


@dataclass(slots=True)
class Session:
    """
    A shopper's session: the cart (id to quantity), the draft that belongs to it, and what was typed.

    `token` names the plugin's cart, `came_back_to` the one whose link was followed; `customer_id` is 0 for guests; `resting_until`
    is when a cart may be caught again after an order.
    """

    cart: dict[str, int]
    order_id: int | None = None
    message: str = ""
    changes: tuple[str, ...] = ()
    customer_id: int = 0
    contact: Contact = field(default_factory=Contact)
    coupons: list[str] = field(default_factory=list)
    stage: str = "cart"
    token: str = ""
    consents: dict[str, Consent] = field(default_factory=dict)
    is_opted_out: bool = False
    resting_until: datetime | None = None
    came_back_to: str = ""
    locale: str = ""


@dataclass(slots=True)
class Plugin:
    """
    The companion plugin as it is installed: on or off, what it may catch, the key of its links, its carts.

    `home` is the address it was switched on at: a copy of the site at another address catches and sends nothing.
    """

    is_active: bool = False
    capture: Literal["everyone", "opt_in", "logged_in", "off"] = "everyone"
    link_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    home: str = ORIGIN
    version: str = "1.0.0"
    carts: dict[str, Cart] = field(default_factory=dict)


@dataclass(slots=True)
class Store:
    """
    Everything the pretend store knows. Take `lock` around changes; all times come from `now` (aware UTC).

    Currency EUR, prices include VAT, site time Europe/Paris. `hpos` is the current order storage, `checkout` the kind of checkout
    page; both and `version` may be changed while it runs. `owner_has_rights` is False once the owner of keys and webhooks was demoted.
    `coming_soon`: what of the site visitors do not see yet.
    """

    now: Callable[[], datetime]
    name: str = "Savonnerie du Port"
    currency: str = "EUR"
    timezone: str = "Europe/Paris"
    locale: str = "fr_FR"
    version: str = VERSION
    wordpress: str = "6.9.7"
    hpos: bool = True
    checkout: Literal["block", "classic"] = "block"
    home: str = ORIGIN
    owner_has_rights: bool = True
    coming_soon: Literal["", "site", "store"] = ""
    active_plugins: tuple[str, ...] = ()
    products: dict[int, Product] = field(default_factory=lambda: {product.id: product for product in CATALOGUE})
    orders: dict[int, Order] = field(default_factory=dict)
    customers: dict[int, Customer] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    keys: dict[int, ApiKey] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    plugin: Plugin = field(default_factory=Plugin)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: "count[int]" = field(default_factory=lambda: count(1000 + secrets.randbelow(1_000_000)))
    coupons: CouponBook = field(init=False)

    def __post_init__(self) -> None:
        self.coupons = CouponBook(self.now, self.numbers, self.timezone)

    @property
    def has_drafts(self) -> bool:
        """Whether opening the checkout page makes an order: the block checkout's before 10.8."""
        return self.checkout == "block" and self.release < FIRST_WITHOUT_DRAFTS

    @property
    def release(self) -> tuple[int, int]:
        """The first two numbers of the version."""
        major, minor = (int(part) for part in self.version.split(".")[:2])
        return major, minor

    def make_item(self, reference: str, quantity: int) -> Item:
        """A new line for a SKU or a product or variation id. Raises NotFound for anything that is not sold here."""
        for product in self.products.values():
            if product.status != "publish":
                continue
            if not product.variations and reference in {product.sku, str(product.id)}:
                return Item(next(self.numbers), product, None, quantity)
            for variation in product.variations:
                if reference in {variation.sku, str(variation.id)}:
                    return Item(next(self.numbers), product, variation, quantity)
        raise NotFound(f"the pretend store sells nothing with the SKU or id {reference}")

    def fill(self, cart: dict[str, int], codes: Sequence[str] = ()) -> list[Item]:
        """New lines for a cart with its coupons; line ids are new each time, as in a real draft. What is not sold is left out."""
        items = []
        for reference, quantity in cart.items():
            try:
                item = self.make_item(reference, quantity)
            except NotFound:
                continue
            left = item.product.stock_of(item.variation)
            item.quantity = quantity if left is None else min(quantity, left)
            if item.quantity > 0:
                items.append(item)
        for item, off in zip(items, discounts(self.coupons, codes, [item.gross for item in items]), strict=True):
            item.discount = off
        return items

    def find_order(self, order_id: int) -> Order:
        """The order or draft with that id. Raises NotFound."""
        if order_id not in self.orders:
            raise NotFound("no order has this id")
        return self.orders[order_id]

    def open_order(self, items: list[Item], contact: Contact, customer_id: int = 0) -> Order:
        """A new order; a draft until somebody places it."""
        now = self.now()
        order = Order(next(self.numbers), f"wc_order_{secrets.token_hex(7)[:13]}", now, now, items)
        order.contact, order.customer_id = contact, customer_id
        order.created_via = "checkout" if self.checkout == "classic" else "store-api"
        self.orders[order.id] = order
        return order

    def open_session(self, cart: dict[str, int]) -> str:
        """A new shopper's session; returns its key. Raises NotFound for what is not sold here."""
        key = secrets.token_urlsafe(24)
        self.sessions[key] = Session({self.make_item(reference, 1).reference: quantity for reference, quantity in cart.items()})
        return key


def net_of(gross: Decimal) -> Decimal:
    """A gross amount without VAT, to the cent."""
    return (gross / (1 + VAT)).quantize(CENT, ROUND_HALF_UP)
