"""
What the GraphQL Admin API answers when we read records: only what our documents ask for.

Protected fields that are not approved come back as null, so nearly all may be null. But what decides anything (identity, versions,
links, lists) must be there: an answer without it is another answer and must not read as "there is none".
Source: GraphQL Admin API 2026-10.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
N = TypeVar("N")


class Node(msgspec.Struct, rename="camel"):
    """GraphQL spells its fields in camelCase."""


class PageInfo(Node):
    """Where a page ends."""

    has_next_page: bool
    end_cursor: str | None = None


class Nodes(Node, Generic[N]):
    """A connection of which we ask no further page. Never null and never absent in Shopify: without nodes it is no answer."""

    nodes: list[N]


class Connection(Nodes[N], Generic[N]):
    """One page of nodes, and whether there are more: without either it must not read as "there are none"."""

    page_info: PageInfo


class ImageNode(Node):
    """An image's address."""

    url: str | None = None


class PreviewNode(Node):
    """The still picture of any kind of media."""

    image: ImageNode | None = None


class MediaNode(Node):
    """A product's or variant's media."""

    preview: PreviewNode | None = None


class Reference(Node):
    """A record of which only the gid was asked."""

    id: str


class VariantNode(Node):
    """A variant; `price` is decimal text in the shop's currency."""

    id: str
    media: Nodes[MediaNode]
    title: str | None = None
    sku: str | None = None
    price: Decimal | None = None
    available_for_sale: bool | None = None
    inventory_item: Reference | None = None


class ProductNode(Node):
    """A product with a page of its variants."""

    id: str
    variants: Connection[VariantNode]
    updated_at: Instant | None
    title: str | None = None
    product_type: str | None = None
    description: str | None = None
    online_store_url: str | None = None
    status: str | None = None
    featured_media: MediaNode | None = None


class MoneyNode(Node):
    """One side of a MoneyBag."""

    amount: Decimal | None = None
    currency_code: str | None = None


class MoneyBag(Node):
    """An amount in the shop's currency, and in the buyer's where we ask for that."""

    shop_money: MoneyNode = msgspec.field(default_factory=MoneyNode)
    presentment_money: MoneyNode = msgspec.field(default_factory=MoneyNode)


class AddressNode(Node):
    """A postal address."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    country_code: str | None = msgspec.field(default=None, name="countryCodeV2")


class EmailNode(Node):
    """A customer's default e-mail address and what it allows."""

    email_address: str | None = None
    marketing_state: str | None = None
    marketing_updated_at: Instant | None = None


class ConsentNode(Node):
    """What a phone number allows on one channel."""

    state: str | None = None
    updated_at: Instant | None = None


class PhoneNode(Node):
    """A customer's default phone number and what it allows."""

    phone_number: str | None = None
    sms_marketing_consent: ConsentNode | None = None
    whats_app_marketing_consent: ConsentNode | None = None


class _Person(Node, kw_only=True):
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    default_email_address: EmailNode | None = None
    default_phone_number: PhoneNode | None = None
    default_address: AddressNode | None = None


class PersonNode(_Person, kw_only=True):
    """The customer of an order or a checkout; null for guests without data."""

    id: str | None = None


class CustomerNode(_Person, kw_only=True):
    """A customer as a record of its own."""

    id: str
    updated_at: Instant | None
    created_at: Instant | None = None


AnyPerson = PersonNode | CustomerNode


class OrderLineNode(Node):
    """A line of an order."""

    id: str
    quantity: int
    title: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    original_unit_price_set: MoneyBag = msgspec.field(default_factory=MoneyBag)
    product: Reference | None = None
    variant: Reference | None = None


class TransactionNode(Node):
    """Money that moved, or should have: `SALE` and `CAPTURE` bring it in."""

    kind: str
    status: str
    processed_at: Instant | None = None


class DisputeNode(Node):
    """A dispute about an order's payment: `CHARGEBACK` or `INQUIRY` as it began, and where it is."""

    initiated_as: str
    status: str


class OrderNode(Node):
    """An order with a page of its lines."""

    id: str
    line_items: Connection[OrderLineNode]
    created_at: Instant | None
    updated_at: Instant | None
    cancelled_at: Instant | None
    test: bool | None
    checkout_token: str | None
    cart_token: str | None
    display_financial_status: str | None
    name: str | None = None
    processed_at: Instant | None = None
    email: str | None = None
    currency_code: str | None = None
    customer_locale: str | None = None
    taxes_included: bool | None = None
    discount_codes: list[str] | None = None
    total_price_set: MoneyBag | None = None
    subtotal_price_set: MoneyBag | None = None
    total_discounts_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None
    total_refunded_set: MoneyBag | None = None
    transactions: list[TransactionNode] | None = None
    disputes: list[DisputeNode] | None = None
    customer: PersonNode | None = None
    shipping_address: AddressNode | None = None
    billing_address: AddressNode | None = None


class CheckoutLineNode(Node):
    """A line of an abandoned checkout; its total is what the buyer would pay, discounts taken off."""

    id: str
    quantity: int
    title: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    original_unit_price_set: MoneyBag = msgspec.field(default_factory=MoneyBag)
    image: ImageNode | None = None
    product: Reference | None = None
    variant: Reference | None = None


class CheckoutNode(Node):
    """An abandoned checkout with a page of its lines. It has no token, e-mail address, phone number or consent of its own."""

    id: str
    name: str
    line_items: Connection[CheckoutLineNode]
    created_at: Instant | None
    updated_at: Instant | None
    completed_at: Instant | None
    abandoned_checkout_url: str | None
    discount_codes: list[str] | None = None
    taxes_included: bool | None = None
    subtotal_price_set: MoneyBag | None = None
    total_price_set: MoneyBag | None = None
    total_discount_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None
    customer: PersonNode | None = None
    shipping_address: AddressNode | None = None
    billing_address: AddressNode | None = None


class ScopeNode(Node):
    """One granted scope."""

    handle: str


class InstallationNode(Node):
    """Our app in this shop."""

    access_scopes: list[ScopeNode]


class ByGid(Node, kw_only=True):
    """An answer to a question by gid, and the scopes we have at that moment."""

    current_app_installation: InstallationNode | None = None

    def may(self, scope: str) -> bool:
        """False if we are known not to have it; `write_x` implies `read_x`."""
        if self.current_app_installation is None:
            return True
        granted = {one.handle for one in self.current_app_installation.access_scopes}
        return not granted.isdisjoint({scope, scope.replace("read_", "write_", 1)})


class CountNode(Node):
    """How many; `precision` is EXACT or AT_LEAST."""

    count: int
    precision: str


class SaleNode(Node):
    """A variant as it can be bought now, or a product with the first of its variants."""

    id: str
    title: str | None = None
    price: Decimal | None = None
    available_for_sale: bool | None = None
    status: str | None = None
    product: "SaleProduct | None" = None
    variants: "Nodes[SaleVariant] | None" = None


class SaleProduct(Node):
    """The product of such a variant."""

    id: str
    status: str | None = None
    title: str | None = None


class SaleVariant(Node):
    """A variant of such a product."""

    price: Decimal | None = None
    available_for_sale: bool | None = None


def numeric_id(gid: str) -> str:
    """`gid://shopify/Product/42` -> `42`, the form that webhooks use; a query part behind the number is dropped."""
    return gid.rsplit("/", 1)[-1].split("?", 1)[0]


def gid(kind: str, number: str) -> str:
    """`Product`, `42` -> `gid://shopify/Product/42`."""
    return f"gid://shopify/{kind}/{number}"
