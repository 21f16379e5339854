"""
What the GraphQL Admin API answers when we read products and orders, and how that maps to our records.

Shapes hold only what `client` asks for. Protected fields that are not approved come back as null, so nearly all may be null.
Source: GraphQL Admin API 2026-10.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

import msgspec

from connector.canonical import LineItem, Order, Product, Variant
from connector.rules.identity import choose_phone, normalise_email
from integrations.shopify.mapping import first_named
from integrations.shopify.values import country_code, currency, instant, money, optional_instant, payment_state, text, total, web_address

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


class VariantNode(Node):
    """A variant; `price` is decimal text in the shop's currency."""

    id: str
    media: Nodes[MediaNode]
    title: str | None = None
    sku: str | None = None
    price: Decimal | None = None


class ProductNode(Node):
    """A product with a page of its variants."""

    id: str
    variants: Connection[VariantNode]
    title: str | None = None
    product_type: str | None = None
    description: str | None = None
    online_store_url: str | None = None
    updated_at: Instant | None = None
    featured_media: MediaNode | None = None


class MoneyNode(Node):
    """One side of a MoneyBag."""

    amount: Decimal | None = None


class MoneyBag(Node):
    """An amount; we ask for the shop's currency only, as the order's webhook gives it."""

    shop_money: MoneyNode = msgspec.field(default_factory=MoneyNode)


class Reference(Node):
    """A record of which only the gid was asked."""

    id: str


class AddressNode(Node):
    """A postal address."""

    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    country_code: str | None = msgspec.field(default=None, name="countryCodeV2")


class EmailNode(Node):
    """A customer's default e-mail address."""

    email_address: str | None = None


class PhoneNode(Node):
    """A customer's default phone number."""

    phone_number: str | None = None


class OrderCustomer(Node):
    """The customer of an order; null for guests without data."""

    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    default_email_address: EmailNode | None = None
    default_phone_number: PhoneNode | None = None
    default_address: AddressNode | None = None


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


class OrderNode(Node):
    """An order with a page of its lines."""

    id: str
    line_items: Connection[OrderLineNode]
    name: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    processed_at: Instant | None = None
    cancelled_at: Instant | None = None
    test: bool | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    email: str | None = None
    currency_code: str | None = None
    customer_locale: str | None = None
    display_financial_status: str | None = None
    taxes_included: bool | None = None
    discount_codes: list[str] | None = None
    total_price_set: MoneyBag | None = None
    subtotal_price_set: MoneyBag | None = None
    total_discounts_set: MoneyBag | None = None
    total_tax_set: MoneyBag | None = None
    customer: OrderCustomer | None = None
    shipping_address: AddressNode | None = None
    billing_address: AddressNode | None = None


def to_products(ids: Sequence[str], nodes: Sequence[ProductNode | None], at: datetime, is_complete: bool) -> list[Product]:
    """
    Map what was found for `ids`; what was not found is deleted as of `at`.

    Unless the answer is not complete (`is_complete` false: something was withheld): then an absent product says nothing.
    """
    found = {numeric_id(node.id): to_product(node) for node in nodes if node is not None}
    missing = Product(platform_id="", source_version=at, title="", is_deleted=True)
    everything = [found.get(one) or (replace(missing, platform_id=one) if is_complete else None) for one in ids]
    return [product for product in everything if product is not None]


def to_product(node: ProductNode, description_limit: int = 500) -> Product:
    """
    Map a product read by GraphQL: `category` is the product type (AC-53), prices are in the shop's currency.

    Raises: PayloadError (`bad_money`, `missing_time`) for a node that makes no sense.
    """
    return Product(
        platform_id=numeric_id(node.id),
        source_version=instant(node.updated_at),
        title=text(node.title) or "",
        category=text(node.product_type),
        description=(text(node.description) or "")[:description_limit] or None,
        image_url=_image(node.featured_media),
        url=web_address(node.online_store_url),
        variants=tuple(
            Variant(
                platform_id=numeric_id(variant.id),
                title=text(variant.title),
                sku=text(variant.sku),
                price=money(variant.price),
                image_url=next((url for media in variant.media.nodes if (url := _image(media))), None),
            )
            for variant in node.variants.nodes
        ),
    )


def to_listed_order(node: OrderNode, shop_country: str | None = None) -> Order:
    """
    Map an order read by GraphQL to the same record its webhook gives: shop currency, ids as the webhook's numbers.

    Raises: PayloadError as `to_order`.
    """
    customer = node.customer or OrderCustomer()
    default = customer.default_address or AddressNode()
    shipping = node.shipping_address or AddressNode()
    billing = node.billing_address or AddressNode()
    country = country_code(default.country_code) or country_code(shipping.country_code) or shop_country
    first_name, last_name = first_named(*((who.first_name, who.last_name) for who in (customer, shipping, billing)))
    created_at = instant(node.created_at)
    return Order(
        platform_id=numeric_id(node.id),
        source_version=instant(node.updated_at),
        created_at=created_at,
        placed_at=optional_instant(node.processed_at) or created_at,
        currency=currency(node.currency_code),
        total=total(_amount(node.total_price_set)),
        payment_state=payment_state(node.display_financial_status),
        number=text(node.name),
        platform_status=(text(node.display_financial_status) or "").lower() or None,
        checkout_token=text(node.checkout_token),
        cart_token=text(node.cart_token),
        customer_id=numeric_id(customer.id) if customer.id else None,
        email=normalise_email(node.email) or normalise_email((customer.default_email_address or EmailNode()).email_address),
        phone=choose_phone(text((customer.default_phone_number or PhoneNode()).phone_number), text(default.phone), country),
        first_name=first_name,
        last_name=last_name,
        country=country_code(shipping.country_code) or country_code(billing.country_code) or country_code(default.country_code),
        language=text(node.customer_locale),
        subtotal=money(_amount(node.subtotal_price_set)),
        discount_total=money(_amount(node.total_discounts_set)),
        tax_total=money(_amount(node.total_tax_set)),
        taxes_included=bool(node.taxes_included),
        discount_codes=tuple(code for raw in node.discount_codes or () if (code := text(raw))),
        lines=tuple(_listed_line(line) for line in node.line_items.nodes),
        cancelled_at=optional_instant(node.cancelled_at),
        is_test=bool(node.test),
    )


def _listed_line(line: OrderLineNode) -> LineItem:
    unit_price = total(line.original_unit_price_set.shop_money.amount)
    return LineItem(
        key=numeric_id(line.id),
        title=text(line.title) or "",
        quantity=line.quantity,
        unit_price=unit_price,
        total=unit_price * line.quantity,
        product_id=numeric_id(line.product.id) if line.product else None,
        variant_id=numeric_id(line.variant.id) if line.variant else None,
        variant_title=text(line.variant_title),
        sku=text(line.sku),
    )


def numeric_id(gid: str) -> str:
    """`gid://shopify/Product/42` -> `42`, the form that webhooks use; a query part behind the number is dropped."""
    return gid.rsplit("/", 1)[-1].split("?", 1)[0]


def product_gid(product_id: str) -> str:
    """`42` -> `gid://shopify/Product/42`."""
    return f"gid://shopify/Product/{product_id}"


def _amount(bag: MoneyBag | None) -> Decimal | None:
    return None if bag is None else bag.shop_money.amount


def _image(media: MediaNode | None) -> str | None:
    return web_address(media.preview.image.url) if media and media.preview and media.preview.image else None
