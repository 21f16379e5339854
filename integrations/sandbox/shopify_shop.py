"""The pretend Shopify shop: its catalogue, people, checkouts and orders, held in memory."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import count

from connector.errors import NotFound

CENT = Decimal("0.01")
TAX_RATE = Decimal("0.08")
DOMAIN = "demo.myshopify.com"
SHOP_ID = 68310245521


@dataclass(frozen=True, slots=True)
class Variant:
    """A buyable form of a product; price in the shop's currency, tax excluded."""

    id: int
    title: str
    sku: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the catalogue; `hue` colours its picture."""

    id: int
    title: str
    handle: str
    kind: str
    description: str
    hue: int
    variants: tuple[Variant, ...]

    @property
    def image_url(self) -> str:
        """Where Shopify would serve the picture."""
        return f"https://{DOMAIN}/cdn/shop/files/{self.handle}.png?v=1"


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address as somebody typed it."""

    first_name: str | None
    last_name: str | None
    address1: str = "12 Mill Street"
    city: str = "Portland"
    zip: str = "04101"
    province: str = "Maine"
    province_code: str = "ME"
    country: str = "United States"
    country_code: str = "US"
    phone: str | None = None
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Shopper:
    """A person with a customer record: `phone` is the record's own, the address may hold another one."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    address: Address | None = None


@dataclass(slots=True)
class Customer:
    """A customer record of the shop."""

    id: int
    shopper: Shopper
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class Line:
    """One line of a checkout or order."""

    id: int
    product: Product
    variant: Variant
    quantity: int

    @property
    def total(self) -> Decimal:
        """Price by quantity, tax excluded."""
        return self.variant.price * self.quantity


@dataclass(slots=True)
class Checkout:
    """A started purchase; `number` is what `name` shows after its `#`."""

    token: str
    cart_token: str
    number: int
    key: str
    created_at: datetime
    updated_at: datetime
    lines: list[Line]
    email: str | None = None
    phone: str | None = None
    accepts_marketing: bool = False
    customer: Customer | None = None
    address: Address | None = None
    is_taxed: bool = False
    gateway: str | None = None
    completed_at: datetime | None = None
    order_id: int | None = None

    @property
    def subtotal(self) -> Decimal:
        """All lines, tax excluded."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def tax(self) -> Decimal:
        """Tax on all lines; zero until the platform has worked it out."""
        return (self.subtotal * TAX_RATE).quantize(CENT) if self.is_taxed else Decimal(0)

    @property
    def path(self) -> str:
        """Path of the storefront's recovery page, without the key."""
        return f"/{SHOP_ID}/checkouts/ac/{self.cart_token}/recover"


@dataclass(slots=True)
class Order:
    """A placed purchase, made from its checkout."""

    id: int
    number: int
    checkout: Checkout
    address: Address
    created_at: datetime
    updated_at: datetime
    financial_status: str
    gateway: str
    cancelled_at: datetime | None = None


def _product(number: int, title: str, kind: str, hue: int, text: str, *variants: tuple[str, str, str]) -> Product:
    handle = title.lower().replace(" ", "-")
    forms = tuple(
        Variant(43_000_000_000_000 + number * 100 + place, name, sku, Decimal(price)) for place, (name, sku, price) in enumerate(variants)
    )
    return Product(7_900_000_000_000 + number, title, handle, kind, text, hue, forms)


CATALOGUE = (
    _product(
        1, "Cedar Candle", "Candles", 28, "Slow-burning soy wax with cedar and smoke.",
        ("Small", "CEDAR-S", "18.00"), ("Large", "CEDAR-L", "32.00"),
    ),
    _product(2, "Sea Salt Soap", "Soap", 195, "A firm bar with coarse sea salt.", ("Default Title", "SALT-SOAP", "9.50")),
    _product(
        3, "Linen Towel", "Textiles", 78, "Washed linen that dries quickly.",
        ("Oat", "TOWEL-OAT", "24.00"), ("Moss", "TOWEL-MOSS", "24.00"),
    ),
    _product(4, "Lavender Bath Oil", "Bath", 270, "Five drops are enough for a bath.", ("Default Title", "BATH-OIL", "21.90")),
)  # fmt: skip


@dataclass(slots=True)
class Shop:
    """
    Everything the pretend shop knows. Take `lock` around changes; all times come from `now` (aware UTC).

    Currency USD, prices without tax, time zone America/New_York.
    """

    now: Callable[[], datetime]
    name: str = "Harbour & Pine"
    currency: str = "USD"
    timezone: str = "America/New_York"
    products: dict[int, Product] = field(default_factory=lambda: {product.id: product for product in CATALOGUE})
    customers: dict[int, Customer] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: "count[int]" = field(default_factory=lambda: count(5_000_000_000_000 + secrets.randbelow(10**12)))
    order_numbers: "count[int]" = field(default_factory=lambda: count(1001))

    def find_line(self, sku: str, quantity: int) -> Line:
        """A new line for one variant. Raises NotFound for an unknown SKU."""
        for product in self.products.values():
            for variant in product.variants:
                if variant.sku == sku:
                    return Line(next(self.numbers), product, variant, quantity)
        raise NotFound(f"the pretend shop sells nothing with the SKU {sku}")

    def find_checkout(self, token: str) -> Checkout:
        """The checkout with that token. Raises NotFound."""
        if token not in self.checkouts:
            raise NotFound("no checkout has this token")
        return self.checkouts[token]

    def find_order(self, order_id: int) -> Order:
        """The order with that id. Raises NotFound."""
        if order_id not in self.orders:
            raise NotFound("no order has this id")
        return self.orders[order_id]

    def open_checkout(self, lines: list[Line]) -> Checkout:
        """A new checkout with fresh tokens."""
        now = self.now()
        checkout = Checkout(
            secrets.token_hex(16), f"c1-{secrets.token_hex(16)}", next(self.numbers), secrets.token_hex(16), now, now, lines
        )
        self.checkouts[checkout.token] = checkout
        return checkout

    def keep_customer(self, shopper: Shopper) -> Customer:
        """The customer record of that e-mail address, made or changed to fit."""
        now = self.now()
        for customer in self.customers.values():
            if customer.shopper.email.lower() == shopper.email.lower():
                if customer.shopper != shopper:
                    customer.shopper, customer.updated_at = shopper, now
                return customer
        customer = Customer(next(self.numbers), shopper, now, now)
        self.customers[customer.id] = customer
        return customer

    def place_order(self, checkout: Checkout, financial_status: str, gateway: str) -> Order:
        """Complete a checkout; a guest with an e-mail address becomes a customer, as on Shopify."""
        now = self.now()
        address = checkout.address or Address(None, "Buyer", phone=checkout.phone)
        if checkout.customer is None and checkout.email:
            checkout.customer = self.keep_customer(Shopper(checkout.email, address.first_name, address.last_name, None, address))
        order = Order(next(self.numbers), next(self.order_numbers), checkout, address, now, now, financial_status, gateway)
        checkout.address, checkout.gateway = address, gateway
        checkout.completed_at = checkout.updated_at = now
        checkout.order_id = order.id
        self.orders[order.id] = order
        return order
