"""The pretend WooCommerce store: its catalogue, sessions, orders (drafts included), customers and webhooks, held in memory."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

from connector.errors import NotFound

CENT = Decimal("0.01")
VAT = Decimal("0.20")
HOST = "boutique.test"
ORIGIN = f"https://{HOST}"
VERSION = "10.5.0"


@dataclass(frozen=True, slots=True)
class Variation:
    """A variation of a variable product."""

    id: int
    option: str
    sku: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """A simple or variable product; prices include 20 % VAT; `hue` colours its picture."""

    id: int
    name: str
    slug: str
    category: str
    description: str
    sku: str
    price: Decimal
    hue: int
    attribute: str = ""
    variations: tuple[Variation, ...] = ()

    @property
    def image_url(self) -> str:
        """Where the store serves the picture."""
        return f"{ORIGIN}/wp-content/uploads/2026/11/{self.slug}.png"


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
    """One line of an order; `price` is the gross unit price."""

    id: int
    product: Product
    variation: Variation | None
    quantity: int

    @property
    def price(self) -> Decimal:
        """Gross price of one."""
        return self.variation.price if self.variation else self.product.price

    @property
    def gross(self) -> Decimal:
        """Price by quantity, VAT included."""
        return self.price * self.quantity

    @property
    def net(self) -> Decimal:
        """Price by quantity without VAT, to the cent."""
        return (self.gross / (1 + VAT)).quantize(CENT, ROUND_HALF_UP)

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
        """VAT on all lines."""
        return sum((item.gross - item.net for item in self.items), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What is to be paid, all included."""
        return sum((item.gross for item in self.items), Decimal(0)) + self.shipping_net + self.shipping_tax

    @property
    def pay_path(self) -> str:
        """Path and query of the page that takes the payment."""
        return f"/checkout/order-pay/{self.id}/?pay_for_order=true&key={self.key}"


@dataclass(slots=True)
class Customer:
    """A registered customer."""

    id: int
    contact: Contact
    created_at: datetime
    modified_at: datetime


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


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A REST key; `permissions` is read, write or read_write."""

    id: int
    key: str
    secret: str
    permissions: str


@dataclass(slots=True)
class Session:
    """A shopper's session: what is in the cart (SKU to quantity) and which draft belongs to it."""

    cart: dict[str, int]
    order_id: int | None = None
    message: str = ""


CATALOGUE = (
    Product(16, "Bougie parfumée « Lavande »", "bougie-lavande", "Bougies", "Cire végétale, 40 heures.", "BOUG-LAV", Decimal("24.90"), 265),
    Product(19, "Savon de Marseille", "savon-de-marseille", "Savons", "Huile d’olive, 72 %.", "SAVON-MRS", Decimal("8.60"), 95),
    Product(24, "Coffret découverte", "coffret-decouverte", "Coffrets", "Trois savons et une bougie.", "COF-DEC", Decimal("59.00"), 20),
    Product(
        36, "Huile d’olive AOP", "huile-dolive-aop", "Épicerie fine", "Première pression à froid.", "HUILE", Decimal("9.50"), 62, "Volume",
        (Variation(37, "250 ml", "HUILE-250", Decimal("9.50")), Variation(38, "500 ml", "HUILE-500", Decimal("16.00"))),
    ),
)  # fmt: skip


@dataclass(slots=True)
class Store:
    """
    Everything the pretend store knows. Take `lock` around changes; all times come from `now` (aware UTC).

    Currency EUR, prices include VAT, site time Europe/Paris.
    """

    now: Callable[[], datetime]
    name: str = "Savonnerie du Port"
    currency: str = "EUR"
    timezone: str = "Europe/Paris"
    products: dict[int, Product] = field(default_factory=lambda: {product.id: product for product in CATALOGUE})
    orders: dict[int, Order] = field(default_factory=dict)
    customers: dict[int, Customer] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    keys: dict[int, ApiKey] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: "count[int]" = field(default_factory=lambda: count(1000 + secrets.randbelow(1_000_000)))

    def make_item(self, reference: str, quantity: int) -> Item:
        """A new line for a SKU or a product or variation id. Raises NotFound for anything that is not sold here."""
        for product in self.products.values():
            if not product.variations and reference in {product.sku, str(product.id)}:
                return Item(next(self.numbers), product, None, quantity)
            for variation in product.variations:
                if reference in {variation.sku, str(variation.id)}:
                    return Item(next(self.numbers), product, variation, quantity)
        raise NotFound(f"the pretend store sells nothing with the SKU or id {reference}")

    def fill(self, cart: dict[str, int]) -> list[Item]:
        """New lines for a cart; line ids are new each time, as in a real draft."""
        return [self.make_item(reference, quantity) for reference, quantity in cart.items() if quantity > 0]

    def find_order(self, order_id: int) -> Order:
        """The order or draft with that id. Raises NotFound."""
        if order_id not in self.orders:
            raise NotFound("no order has this id")
        return self.orders[order_id]

    def open_draft(self, cart: dict[str, int], contact: Contact, customer_id: int = 0) -> Order:
        """A new draft, as the block checkout makes on opening its page."""
        now = self.now()
        order = Order(next(self.numbers), f"wc_order_{secrets.token_hex(7)[:13]}", now, now, self.fill(cart))
        order.contact, order.customer_id = contact, customer_id
        self.orders[order.id] = order
        return order

    def open_session(self, cart: dict[str, int]) -> str:
        """A new shopper's session; returns its key."""
        key = secrets.token_urlsafe(24)
        self.sessions[key] = Session(cart)
        return key
