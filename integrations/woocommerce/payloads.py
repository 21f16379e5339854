"""
WooCommerce's JSON, only the fields we read (REST v3; webhook bodies have the same shape).

Plugins filter these bodies, so every optional field may be absent, null or "", numbers may come as text and texts as numbers.
Times ending in `_gmt` carry no zone and are UTC. A line's `price` is a JSON float and deliberately not read.
"""

from typing import Any, Final, Literal, TypeVar

import msgspec

from connector import decoding
from connector.platforms import PayloadError

PLATFORM: Final[Literal["woocommerce"]] = "woocommerce"
Text = str | int | float | bool | None
Number = str | int | float | None
T = TypeVar("T")


class Address(msgspec.Struct, frozen=True):
    """A billing or shipping address; only billing has an e-mail."""

    first_name: Text = None
    last_name: Text = None
    company: Text = None
    country: Text = None
    email: Text = None
    phone: Text = None


class Image(msgspec.Struct, frozen=True):
    """A picture; `src` is "" where there is none."""

    src: Text = None


class Line(msgspec.Struct, frozen=True):
    """One order line: `subtotal` before, `total` after discounts, both without tax; `name` includes a variation's attributes."""

    id: Number = None
    name: Text = None
    parent_name: Text = None
    product_id: Number = None
    variation_id: Number = None
    quantity: Number = None
    subtotal: Number = None
    subtotal_tax: Number = None
    total: Number = None
    total_tax: Number = None
    sku: Text = None
    image: Image | None = None


class ShippingLine(msgspec.Struct, frozen=True):
    """A chosen shipping method."""

    method_title: Text = None


class CouponLine(msgspec.Struct, frozen=True):
    """A coupon used in the order; codes are lower-case."""

    code: Text = None


class Refund(msgspec.Struct, frozen=True):
    """A refund's head; `total` is what was given back, as a negative amount."""

    id: Number = None
    total: Number = None


class Link(msgspec.Struct, frozen=True):
    """One entry of `_links`."""

    href: Text = None


class Links(msgspec.Struct, frozen=True):
    """The record's own address is `self[0].href`."""

    own: list[Link] | None = msgspec.field(default=None, name="self")


class Meta(msgspec.Struct, frozen=True):
    """One entry of a record's meta data; plugins write anything."""

    key: Text = None
    value: msgspec.Raw = msgspec.Raw(b"null")


class OrderBody(msgspec.Struct, frozen=True):
    """An order in any status, drafts included."""

    id: int | str
    status: str
    currency: str
    total: Number
    date_created_gmt: str
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    number: Text = None
    version: Text = None
    created_via: Text = None
    prices_include_tax: Text = None
    customer_id: Number = None
    discount_total: Number = None
    discount_tax: Number = None
    total_tax: Number = None
    payment_method: Text = None
    payment_url: Text = None
    billing: Address | None = None
    shipping: Address | None = None
    line_items: list[Line] | None = None
    shipping_lines: list[ShippingLine] | None = None
    coupon_lines: list[CouponLine] | None = None
    refunds: list[Refund] | None = None
    meta_data: list[Meta] | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class CustomerBody(msgspec.Struct, frozen=True):
    """An account of the store; guests have none."""

    id: int | str
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    email: Text = None
    first_name: Text = None
    last_name: Text = None
    billing: Address | None = None
    shipping: Address | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class DeletedBody(msgspec.Struct, frozen=True):
    """All that a `*.deleted` delivery says."""

    id: int | str


class ActionBody(msgspec.Struct, frozen=True):
    """A topic `action.…`: the name of a WordPress action and its first argument, if that is no object."""

    action: str
    arg: int | str


class Category(msgspec.Struct, frozen=True):
    """A product category; names come with HTML entities."""

    name: Text = None


class ProductBody(msgspec.Struct, frozen=True):
    """A product; descriptions are HTML."""

    id: int | str
    name: Text = None
    permalink: Text = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    description: Text = None
    short_description: Text = None
    categories: list[Category] | None = None
    images: list[Image] | None = None


class ErrorData(msgspec.Struct, frozen=True):
    """The status that WordPress puts into an error."""

    status: int | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """A REST error; it also arrives as a signed webhook body when the object is gone or the webhook's owner lost rights."""

    code: str | int
    message: str = ""
    data: ErrorData | None = None


class WebhookBody(msgspec.Struct, frozen=True):
    """A webhook as REST shows it; the secret and the failure count are never shown."""

    id: int
    status: str = ""
    topic: str = ""
    delivery_url: str = ""


class Environment(msgspec.Struct, frozen=True):
    """Part of the system status."""

    home_url: Text = None
    site_url: Text = None
    version: Text = None
    language: Text = None


class StatusSettings(msgspec.Struct, frozen=True):
    """Part of the system status."""

    currency: Text = None


class SystemStatus(msgspec.Struct, frozen=True):
    """Readable only with the rights of a shop manager and a key that may read."""

    environment: Environment
    settings: StatusSettings


class SiteIndex(msgspec.Struct, frozen=True):
    """WordPress's own index; `timezone_string` is "" where the site uses a plain offset."""

    name: Text = None
    url: Text = None
    home: Text = None
    timezone_string: Text = None
    gmt_offset: Number = None


class Setting(msgspec.Struct, frozen=True):
    """One entry of a settings group."""

    id: str
    value: Any = None


class Grant(msgspec.Struct, frozen=True):
    """What wc-auth posts to the callback address: unsigned, and it does not name the store."""

    user_id: str | int
    consumer_key: str
    consumer_secret: str
    key_permissions: str


def decode(body: bytes | msgspec.Raw, shape: type[T]) -> T:
    """
    Read a webhook body into one of the shapes.

    Raises PayloadError with reason `empty`, `not_json`, `store_error_body` (a signed REST error) or `shape`.
    """
    try:
        return decoding.decode(body, shape)
    except msgspec.ValidationError as error:
        raise _misshapen(body, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if not bytes(body).strip():
            raise PayloadError("the body is empty", platform=PLATFORM, reason="empty") from error
        raise PayloadError("the body is not JSON", platform=PLATFORM, reason="not_json") from error


def _misshapen(body: bytes | msgspec.Raw, error: msgspec.ValidationError) -> PayloadError:
    try:
        told = decoding.decode(body, ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return PayloadError(f"unexpected shape: {error}", platform=PLATFORM, reason="shape")
    return PayloadError(f"the store sent its own error: {told.code}", platform=PLATFORM, reason="store_error_body")
