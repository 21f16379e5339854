"""The pretend Shopify shop: its catalogue, people, checkouts and orders, held in memory."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from connector.errors import NotFound
from integrations.sandbox.shopify_bulk import BulkJobs
from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_discount_book import DiscountBook
from integrations.sandbox.shopify_search import REACH
from integrations.sandbox.shopify_subscription_book import SubscriptionBook

CENT = Decimal("0.01")
TAX_RATE = Decimal("0.08")
DOMAIN = "demo.myshopify.com"
SHOP_ID = 68310245521
INVENTORY_ITEMS = 2_000_000_000_000
OPENED_AT = datetime(2026, 1, 1, tzinfo=UTC)
STOCKED_AT = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(slots=True)
class Variant:
    """
    A buyable form of a product; price in the shop's currency, tax excluded.

    `stock` is what lies on the shelf: orders do not take from it, so that a long play does not run dry. `sells_when_empty`: the
    merchant goes on selling without stock.
    """

    id: int
    title: str
    sku: str
    price: Decimal
    stock: int = 40
    sells_when_empty: bool = False

    @property
    def is_available(self) -> bool:
        """Whether shoppers can buy it now."""
        return self.stock > 0 or self.sells_when_empty

    @property
    def inventory_item_id(self) -> int:
        """What its stock is counted under."""
        return self.id + INVENTORY_ITEMS


@dataclass(slots=True)
class Product:
    """A product of the catalogue; `hue` colours its picture."""

    id: int
    title: str
    handle: str
    kind: str
    description: str
    hue: int
    variants: list[Variant]
    created_at: datetime
    updated_at: datetime
    is_published: bool = True

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


@dataclass(frozen=True, slots=True)
class Marketing:
    """One channel's consent in Shopify's words, in lower case: `subscribed`, `single_opt_in`; `source` is who collected it."""

    state: str
    at: datetime
    level: str = "single_opt_in"
    source: str = "shopify"


@dataclass(slots=True)
class Customer:
    """A customer record of the shop; a consent that nobody ever gave or refused is None."""

    id: int
    shopper: Shopper
    created_at: datetime
    updated_at: datetime
    email_marketing: Marketing | None = None
    sms_marketing: Marketing | None = None
    whatsapp_marketing: Marketing | None = None
    note: str | None = None


@dataclass(slots=True)
class Line:
    """One line of a checkout or order; `unit_price` is what the variant cost when the shopper last saw it here."""

    id: int
    product: Product
    variant: Variant
    quantity: int
    unit_price: Decimal

    @property
    def total(self) -> Decimal:
        """Price by quantity, tax excluded."""
        return self.unit_price * self.quantity


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
    discount_code: str | None = None
    discount: Decimal = Decimal(0)

    @property
    def subtotal(self) -> Decimal:
        """All lines, tax excluded, after the discount."""
        return sum((line.total for line in self.lines), Decimal(0)) - self.discount

    @property
    def tax(self) -> Decimal:
        """Tax on all lines; zero until the platform has worked it out."""
        return (self.subtotal * TAX_RATE).quantize(CENT) if self.is_taxed else Decimal(0)

    @property
    def path(self) -> str:
        """Path of the storefront's recovery page, without the key."""
        return f"/{SHOP_ID}/checkouts/ac/{self.cart_token}/recover"


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back."""

    id: int
    at: datetime
    amount: Decimal


@dataclass(slots=True)
class Dispute:
    """What a shopper's bank wants of the merchant, in the words of webhooks: `chargeback` or `inquiry`; `needs_response`, `won`, `lost`."""

    id: int
    kind: str
    began_as: str
    status: str
    at: datetime
    finalized_at: datetime | None = None


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
    is_test: bool = False
    paid_at: datetime | None = None
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """What was to be paid."""
        return self.checkout.subtotal + self.checkout.tax

    @property
    def refunded(self) -> Decimal:
        """What was given back so far."""
        return sum((one.amount for one in self.refunds), Decimal(0))


def make_product(number: int, title: str, kind: str, hue: int, text: str, *variants: tuple[str, str, str]) -> Product:
    """The product with that number; its variants as (title, SKU, price)."""
    handle = title.lower().replace(" ", "-")
    forms = [
        Variant(43_000_000_000_000 + number * 100 + place, name, sku, Decimal(price)) for place, (name, sku, price) in enumerate(variants)
    ]
    return Product(7_900_000_000_000 + number, title, handle, kind, text, hue, forms, OPENED_AT, STOCKED_AT)


def _catalogue() -> dict[int, Product]:
    """What every pretend shop sells on its first day."""
    products = (
        make_product(
            1, "Cedar Candle", "Candles", 28, "Slow-burning soy wax with cedar and smoke.",
            ("Small", "CEDAR-S", "18.00"), ("Large", "CEDAR-L", "32.00"),
        ),
        make_product(2, "Sea Salt Soap", "Soap", 195, "A firm bar with coarse sea salt.", ("Default Title", "SALT-SOAP", "9.50")),
        make_product(
            3, "Linen Towel", "Textiles", 78, "Washed linen that dries quickly.",
            ("Oat", "TOWEL-OAT", "24.00"), ("Moss", "TOWEL-MOSS", "24.00"),
        ),
        make_product(4, "Lavender Bath Oil", "Bath", 270, "Five drops are enough for a bath.", ("Default Title", "BATH-OIL", "21.90")),
    )  # fmt: skip
    return {product.id: product for product in products}


@dataclass
class Shop:
    """
    Everything the pretend shop knows. Take `lock` around changes; all times come from `now` (aware UTC).

    Currency USD, prices without tax, time zone America/New_York. `withheld`: the groups of personal data that Shopify has not
    approved this app for, of `customer`, `name`, `email`, `phone` and `address`. `has_password`: shoppers do not get in without one.
    `is_frozen`: Shopify has closed the shop until its bill is paid. `search_reach`: so many records of one search can be paged through.
    """

    now: Callable[[], datetime]
    name: str = "Harbour & Pine"
    email: str = "owner@harbour-and-pine.example"
    contact_email: str = "hello@harbour-and-pine.example"
    withheld: set[str] = field(default_factory=set)
    has_password: bool = False
    is_frozen: bool = False
    search_reach: int = REACH
    currency: str = "USD"
    timezone: str = "America/New_York"
    products: dict[int, Product] = field(default_factory=_catalogue)
    customers: dict[int, Customer] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: "count[int]" = field(default_factory=lambda: count(5_000_000_000_000 + secrets.randbelow(10**12)))
    order_numbers: "count[int]" = field(default_factory=lambda: count(1001))
    bucket: Bucket = field(default_factory=Bucket)
    discounts: DiscountBook = field(init=False)
    subscriptions: SubscriptionBook = field(init=False)
    bulk: BulkJobs = field(init=False)

    def __post_init__(self) -> None:
        self.discounts = DiscountBook(self.now, self.numbers, self.timezone)
        self.subscriptions = SubscriptionBook(self.now, self.numbers)
        self.bulk = BulkJobs(self.now, self.numbers, f"https://{DOMAIN}")

    def find_variant(self, sku: str) -> tuple[Product, Variant]:
        """The variant with that SKU and its product. Raises NotFound."""
        for product in self.products.values():
            for variant in product.variants:
                if variant.sku == sku:
                    return product, variant
        raise NotFound(f"the pretend shop sells nothing with the SKU {sku}")

    def find_line(self, sku: str, quantity: int) -> Line:
        """A new line for one variant. Raises NotFound for an unknown SKU."""
        product, variant = self.find_variant(sku)
        return Line(next(self.numbers), product, variant, quantity, variant.price)

    def is_buyable(self, line: Line) -> bool:
        """Whether what stands in a line can be bought at this moment."""
        return line.product.id in self.products and line.product.is_published and line.variant.is_available

    def find_product(self, product_id: int) -> Product:
        """The product with that id. Raises NotFound."""
        if product_id not in self.products:
            raise NotFound("no product has this id")
        return self.products[product_id]

    def find_customer(self, customer_id: int) -> Customer:
        """The customer with that id. Raises NotFound."""
        if customer_id not in self.customers:
            raise NotFound("no customer has this id")
        return self.customers[customer_id]

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

    def recovery_url(self, checkout: Checkout) -> str:
        """The address that leads a shopper back to a checkout."""
        return f"https://{DOMAIN}{checkout.path}?key={checkout.key}"

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
        order.paid_at = now if financial_status == "paid" else None
        checkout.address, checkout.gateway = address, gateway
        checkout.completed_at = checkout.updated_at = now
        checkout.order_id = order.id
        self.orders[order.id] = order
        return order
