"""
Shopify's own JSON, only the fields we read; keys keep Shopify's words.

msgspec and not Pydantic: measured on a signed 6 KB checkout body it decodes about four times faster, and applying
deliveries is the hot path. Decimals are read from the digits of the text, never through a float.

Tolerance is in the types: a field may be missing or null, unknown fields are skipped, objects that are empty arrays in
real bodies (`shipping_address: []`) are accepted, and line `properties` ({}, [] or null) are not read at all.
Lines stay raw bytes here; `lines` reads them as `Line`.
What makes no sense without a field is decided in `mapping`, so that each gap gets its own reason word.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec

from connector.platforms import PayloadError

PLATFORM = "shopify"

# Ids exceed 2**53 and are numbers or texts depending on the topic.
Id = int | str
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# The bound keeps price × quantity exact within 28 digits and far inside the database's integers.
Quantity = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
T = TypeVar("T")


class Address(msgspec.Struct, frozen=True):
    """A postal address; `country_code` is ISO 3166-1 alpha-2."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    country_code: str | None = None


class CustomerBody(msgspec.Struct, frozen=True):
    """`customers/create|update` and the `customer` inside checkouts and orders; no consent since 2025-01."""

    id: Id | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    default_address: Address | list[Any] | None = None
    admin_graphql_api_id: str | None = None


class Code(msgspec.Struct):
    """A discount code as used."""

    code: str | None = None


class ShippingLine(msgspec.Struct):
    """A chosen shipping method."""

    title: str | None = None
    code: str | None = None


class Amount(msgspec.Struct):
    """One side of a MoneyBag in webhook spelling."""

    amount: Decimal | None = None
    currency_code: str | None = None


class AmountSet(msgspec.Struct):
    """The same amount in the shop's and in the buyer's currency."""

    shop_money: Amount | None = None
    presentment_money: Amount | None = None


class Line(msgspec.Struct):
    """A line of a checkout (`key`), an order (`id`) or a cart (both, and the price sets)."""

    quantity: Quantity
    key: Id | None = None
    id: Id | None = None
    title: str | None = None
    presentment_title: str | None = None
    name: str | None = None
    variant_title: str | None = None
    sku: str | None = None
    product_id: Id | None = None
    variant_id: Id | None = None
    price: Decimal | None = None
    line_price: Decimal | None = None
    price_set: AmountSet | None = None
    line_price_set: AmountSet | None = None


class CheckoutBody(msgspec.Struct):
    """`checkouts/create|update`, version 2026-04 and later (no `id`)."""

    token: Id | None = None
    cart_token: Id | None = None
    name: str | None = None
    abandoned_checkout_url: str | None = None
    email: str | None = None
    phone: str | None = None
    sms_marketing_phone: str | None = None
    buyer_accepts_marketing: bool | None = None
    buyer_accepts_sms_marketing: bool | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    completed_at: Instant | None = None
    closed_at: Instant | None = None
    currency: str | None = None
    presentment_currency: str | None = None
    customer_locale: str | None = None
    total_price: Decimal | None = None
    subtotal_price: Decimal | None = None
    total_discounts: Decimal | None = None
    total_tax: Decimal | None = None
    taxes_included: bool | None = None
    discount_codes: list[Code] | None = None
    shipping_lines: list[ShippingLine] | None = None
    line_items: list[msgspec.Raw] | None = None
    billing_address: Address | list[Any] | None = None
    shipping_address: Address | list[Any] | None = None
    customer: CustomerBody | list[Any] | None = None
    admin_graphql_api_id: str | None = None


class CartBody(msgspec.Struct):
    """`carts/create|update`: `id` = `token`, lines, no contact data, no currency of its own."""

    token: Id | None = None
    id: Id | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    line_items: list[msgspec.Raw] | None = None
    abandoned_checkout_url: str | None = None
    admin_graphql_api_id: str | None = None


class RefundTransaction(msgspec.Struct):
    """Money that was given back (`refund`) with this refund, or should have been; in the currency that the buyer paid with."""

    kind: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class Refund(msgspec.Struct):
    """One refund of an order."""

    transactions: list[RefundTransaction] | None = None


class OrderBody(msgspec.Struct):
    """`orders/create|updated|paid|cancelled`; plain amounts are in the shop's currency."""

    id: Id | None = None
    name: str | None = None
    checkout_token: Id | None = None
    cart_token: Id | None = None
    email: str | None = None
    contact_email: str | None = None
    phone: str | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    processed_at: Instant | None = None
    cancelled_at: Instant | None = None
    currency: str | None = None
    customer_locale: str | None = None
    financial_status: str | None = None
    total_price: Decimal | None = None
    subtotal_price: Decimal | None = None
    total_discounts: Decimal | None = None
    total_tax: Decimal | None = None
    taxes_included: bool | None = None
    test: bool | None = None
    discount_codes: list[Code] | None = None
    refunds: list[Refund] | None = None
    line_items: list[msgspec.Raw] | None = None
    billing_address: Address | list[Any] | None = None
    shipping_address: Address | list[Any] | None = None
    customer: CustomerBody | list[Any] | None = None
    abandoned_checkout_url: str | None = None
    admin_graphql_api_id: str | None = None


class RemovedBody(msgspec.Struct):
    """`orders|customers|products/delete` (`id`), `checkouts/delete` (`cart_token`, no token). Whole records have a time or a title."""

    id: Id | None = None
    cart_token: Id | msgspec.UnsetType | None = msgspec.UNSET
    created_at: Any = None
    title: Any = msgspec.UNSET
    admin_graphql_api_id: str | None = None


class ConsentWords(msgspec.Struct):
    """What a consent topic says: the state in any letter case, and since when, under one of two names."""

    state: str | None = None
    consent_updated_at: Instant | None = None
    updated_at: Instant | None = None


class ConsentBody(msgspec.Struct):
    """
    The three consent topics. The customer is `customer_id` (e-mail, WhatsApp) or `id` (SMS), the address has a name for each.

    A body of another topic lacks the key of its consent, which may itself be null; `created_at` tells a whole customer.
    """

    id: Id | None = None
    customer_id: Id | None = None
    email_address: str | None = None
    phone: str | None = None
    phone_number: str | None = None
    email_marketing_consent: ConsentWords | msgspec.UnsetType | None = msgspec.UNSET
    sms_marketing_consent: ConsentWords | msgspec.UnsetType | None = msgspec.UNSET
    whats_app_marketing_consent: ConsentWords | msgspec.UnsetType | None = msgspec.UNSET
    created_at: Any = None


class MergeBody(msgspec.Struct):
    """`customers/merge`: two gids and how far the merge came."""

    admin_graphql_api_customer_kept_id: str | None = None
    admin_graphql_api_customer_deleted_id: str | None = None
    status: str | None = None


class ProductBody(msgspec.Struct):
    """`products/create|update`: only which product it is; the rest is read from the API, where it is whole."""

    id: Id | None = None
    variants: Any = msgspec.UNSET
    admin_graphql_api_id: str | None = None


class VariantBody(msgspec.Struct):
    """`variants/in_stock|out_of_stock`: only which product it belongs to."""

    product_id: Id | None = None
    admin_graphql_api_id: str | None = None


class StockBody(msgspec.Struct):
    """`inventory_levels/update`: names neither product nor variant."""

    inventory_item_id: Id | None = None
    admin_graphql_api_id: str | None = None


class DiscountBody(msgspec.Struct):
    """`discounts/*`: which discount it is; `redeem_code` only if one code of it came or went. None of the others tells a code."""

    admin_graphql_api_id: str | None = None
    redeem_code: Code | msgspec.UnsetType | None = msgspec.UNSET
    deleted_at: Any = None


class DisputeBody(msgspec.Struct):
    """`disputes/create|update`: a dispute of Shopify Payments. It tells no time of its change."""

    id: Id | None = None
    order_id: Id | None = None
    type: str | None = None
    status: str | None = None
    initiated_at: Any = msgspec.UNSET


class ScopesBody(msgspec.Struct):
    """`app/scopes_update`: the scopes before and now."""

    current: list[str] | None = None
    previous: list[str] | msgspec.UnsetType | None = msgspec.UNSET


class ShopBody(msgspec.Struct):
    """`app/uninstalled` and `shop/update`: the shop resource. Only which keys are there is of interest, values are null in samples."""

    myshopify_domain: Any = msgspec.UNSET
    shop_owner: Any = msgspec.UNSET
    plan_name: Any = msgspec.UNSET
    iana_timezone: Any = msgspec.UNSET


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """
    Decode a webhook body or a line of one.

    Raises PayloadError (`empty`, `not_json`, `bad_money`, `bad_time`, `wrong_shape`), never anything else.
    """
    if not body.strip():
        raise payload_error("empty")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise payload_error(_reason(str(error)), str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise payload_error("not_json", type(error).__name__) from error


def payload_error(reason: str, detail: str = "") -> PayloadError:
    """A PayloadError of this platform; `detail` names shapes and paths, never values."""
    return PayloadError(f"Shopify payload: {reason}{f' ({detail})' if detail else ''}", platform=PLATFORM, reason=reason)


def _reason(message: str) -> str:
    # msgspec gives no code, but its messages name the type that was expected.
    if "decimal" in message:
        return "bad_money"
    return "bad_time" if "datetime" in message else "wrong_shape"
