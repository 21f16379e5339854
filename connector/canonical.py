"""
The canonical model: what a store's checkouts, customers, products, orders and codes mean to us.

Frozen values without behaviour. Platform ids are text and kept unchanged. Money is an exact Decimal with its
ISO 4217 currency, never a float. Times are aware UTC. Raw texts that people typed are kept beside what we read in them.
A record's `triggered_at` is the platform's own time of the delivery that brought it (finer than `source_version`), if it tells one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Resource(StrEnum):
    """The kinds of records a platform has."""

    CHECKOUT = "checkout"
    ORDER = "order"
    CUSTOMER = "customer"
    PRODUCT = "product"
    DISCOUNT_CODE = "discount_code"
    SHOP = "shop"


class Channel(StrEnum):
    """A way to reach a person. WhatsApp: consent is kept, nothing is sent."""

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"


class ConsentState(StrEnum):
    """What the platform last told us about marketing consent; absent is UNKNOWN, never UNSUBSCRIBED."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class Stage(StrEnum):
    """How far the shopper came: CART before any checkout page, CHECKOUT from then on."""

    CART = "cart"
    CHECKOUT = "checkout"


class PaymentState(StrEnum):
    """Where the money of an order is, in the words of the field."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number: what was written, and E.164 (`+33645678901`) when it parses for its country, else None."""

    raw: str
    e164: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """One channel's consent as one record tells it, valid from `at`."""

    channel: Channel
    state: ConsentState
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Customer:
    """
    A person in one Shop (AC-47 to AC-51).

    `phone` follows AC-62: customer record, else default shipping address, else None.
    """

    platform_id: str
    source_version: datetime
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: Phone | None = None
    country: str | None = None
    language: str | None = None
    created_at: datetime | None = None
    consents: tuple[Consent, ...] = ()
    triggered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """
    One buyable form of a Product; price in the shop's currency.

    `is_available`: whether shoppers can buy it, None if the platform did not say. `inventory_item_id`: what its stock is counted under.
    """

    platform_id: str
    title: str | None = None
    sku: str | None = None
    price: Decimal | None = None
    image_url: str | None = None
    is_available: bool | None = None
    inventory_item_id: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product (AC-52 to AC-54, AC-59, AC-61). `description` is plain text; `category` is the product type or first category."""

    platform_id: str
    source_version: datetime
    title: str
    category: str | None = None
    categories: tuple[str, ...] = ()
    description: str | None = None
    image_url: str | None = None
    url: str | None = None
    is_deleted: bool = False
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class LineItem:
    """
    One line of a Checkout or Order (AC-52 to AC-61).

    `key` identifies the line within its record and is unique there (adapters disambiguate repeated keys).
    `unit_price` and `total` are in the record's currency, as the shop shows them to shoppers (tax included where the shop does).
    """

    key: str
    title: str
    quantity: int
    unit_price: Decimal
    total: Decimal
    product_id: str | None = None
    variant_id: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class Checkout:
    """
    A purchase somebody started.

    `platform_id`: Shopify checkout (or cart) token, WooCommerce draft order id. `token` is what an Order names in
    `checkout_token`; `cart_token` links carts, checkouts and orders. `checkout_phone` is what was typed in the
    checkout, kept apart from the customer's `phone` (AC-62). `completed_at` is set once an order came of it,
    `closed_at` once it ended without one. `created_at` is the cart date (AC-57), `source_version` the platform's own
    update instant. `consents`: what dated boxes say of its e-mail address and typed phone, where the platform tells when.
    """

    platform_id: str
    source_version: datetime
    created_at: datetime
    currency: str
    total: Decimal
    stage: Stage = Stage.CHECKOUT
    token: str | None = None
    cart_token: str | None = None
    number: str | None = None
    customer_id: str | None = None
    email: str | None = None
    phone: Phone | None = None
    checkout_phone: Phone | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    country: str | None = None
    language: str | None = None
    subtotal: Decimal | None = None
    discount_total: Decimal | None = None
    tax_total: Decimal | None = None
    taxes_included: bool = False
    shipping_method: str | None = None
    discount_codes: tuple[str, ...] = ()
    lines: tuple[LineItem, ...] = ()
    accepts_email: bool = False
    accepts_sms: bool = False
    recovery_url: str | None = None
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    triggered_at: datetime | None = None
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """
    A placed purchase; unpaid ones paid offline count (SW-10), WooCommerce drafts, pending and failed ones do not reach here.

    `placed_at` is the instant of placing as near as this version of the record tells, `paid_at` that of the payment, None while it is
    not paid; over several versions the earliest counts. `refunded_total`: what was given back so far, None where that is not told.
    `is_disputed`: whether a chargeback is open or lost, None where that is not told. `is_test` orders never trigger anything.
    """

    platform_id: str
    source_version: datetime
    created_at: datetime
    placed_at: datetime
    currency: str
    total: Decimal
    payment_state: PaymentState
    number: str | None = None
    platform_status: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    customer_id: str | None = None
    email: str | None = None
    phone: Phone | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    language: str | None = None
    subtotal: Decimal | None = None
    discount_total: Decimal | None = None
    tax_total: Decimal | None = None
    taxes_included: bool = False
    discount_codes: tuple[str, ...] = ()
    lines: tuple[LineItem, ...] = ()
    cancelled_at: datetime | None = None
    is_test: bool = False
    triggered_at: datetime | None = None
    paid_at: datetime | None = None
    refunded_total: Decimal | None = None
    is_disputed: bool | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """A record that no longer exists in the store. `platform_id` or, where the platform gives only that, `cart_token`."""

    resource: Resource
    at: datetime
    platform_id: str | None = None
    cart_token: str | None = None


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """The merchant removed the app; every token is dead from `at` on."""

    at: datetime


@dataclass(frozen=True, slots=True)
class ConsentChanged:
    """What the platform says of one address's consent, apart from the customer's record; `address`: e-mail, or phone as E.164."""

    address: str
    consent: Consent
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerMerged:
    """Two customer records became one: `merged_id` is gone, what was its belongs to `kept_id`."""

    at: datetime
    kept_id: str
    merged_id: str


@dataclass(frozen=True, slots=True)
class DisputeChanged:
    """Whether an order's payment is disputed by a chargeback that is open or lost, as of `at`; the order itself says nothing of it."""

    order_id: str
    is_disputed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Stale:
    """Something of a record changed and the platform does not say what: it must be read again. For a shop: the shop itself."""

    resource: Resource
    platform_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StockMoved:
    """The stock counted under `inventory_item_id` changed."""

    inventory_item_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ScopesChanged:
    """The merchant gave or took scopes: `granted` with all they imply, and those we ask for and do not have."""

    granted: tuple[str, ...]
    missing: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a privacy request is about, in the platform's own words; often only some of it is told. `order_ids`: orders to be redacted."""

    customer_id: str | None = None
    email: str | None = None
    phone: str | None = None
    order_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataRequested:
    """A shopper wants to know what is stored of them; the merchant must have it within 30 days. `reference` is the platform's."""

    person: Person
    at: datetime
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class PersonRedacted:
    """Everything of this person must be erased within 30 days."""

    person: Person
    at: datetime


@dataclass(frozen=True, slots=True)
class ShopRedacted:
    """Everything of this shop must be erased within 30 days."""

    at: datetime


Record = Checkout | Order | Customer | Product
PrivacyRequest = DataRequested | PersonRedacted | ShopRedacted
Event = (
    Record | Removed | Uninstalled | ConsentChanged | CustomerMerged | DisputeChanged | Stale | StockMoved | ScopesChanged | PrivacyRequest
)


@dataclass(frozen=True, slots=True)
class ShopProfile:
    """
    What a platform says of a shop. `contact_email` and `address` go into message footers; `language` is BCP 47.

    `is_open`: whether any shopper can enter the store, or it is behind a password or "coming soon"; None where that is not told.
    """

    name: str
    currency: str
    timezone: str
    url: str
    platform_shop_id: str | None = None
    language: str | None = None
    country: str | None = None
    contact_email: str | None = None
    address: str | None = None
    taxes_included: bool = False
    hosts: tuple[str, ...] = field(default=())
    is_open: bool | None = None


Headers = Mapping[bytes, bytes]
"""HTTP headers with lower-case names, as ASGI gives them."""
