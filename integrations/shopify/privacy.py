"""
The three compliance topics: their bodies and what they ask for.

Only the body is signed, the topic and the shop are claims of headers: a body goes only for the topic whose keys it has, and only for
the shop that it names. Source: shopify.dev, "Privacy law compliance".
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connector.canonical import DataRequested, Event, Person, PersonRedacted, ShopRedacted
from connector.platforms import DeliveryContext
from integrations.shopify.payloads import Id, payload_error
from integrations.shopify.values import text

Ids = list[Id | None] | None | msgspec.UnsetType
Meaning = Callable[[Any, DeliveryContext], list[Event]]


class PersonPart(msgspec.Struct, frozen=True):
    """Whom a request is about; a guest has no id, and any of these may be missing."""

    id: Id | None = None
    email: str | None = None
    phone: str | None = None


class ReferencePart(msgspec.Struct, frozen=True):
    """The platform's own number of a data request."""

    id: Id | None = None


class PrivacyBody(msgspec.Struct, frozen=True):
    """All three bodies; which keys are there tells them apart."""

    shop_id: Id | None = None
    shop_domain: str | None = None
    customer: PersonPart | msgspec.UnsetType | None = msgspec.UNSET
    orders_requested: Ids = msgspec.UNSET
    orders_to_redact: Ids = msgspec.UNSET
    data_request: ReferencePart | msgspec.UnsetType | None = msgspec.UNSET


def to_data_requested(body: PrivacyBody, context: DeliveryContext) -> list[Event]:
    """`customers/data_request`. Raises PayloadError (`wrong_topic`, `wrong_shop`, `missing_shop`, `missing_person`)."""
    _check_shop(body, context)
    if body.orders_to_redact is not msgspec.UNSET or (body.data_request is msgspec.UNSET and body.orders_requested is msgspec.UNSET):
        raise payload_error("wrong_topic")
    reference = text(body.data_request.id) if isinstance(body.data_request, ReferencePart) else None
    return [DataRequested(_person(body.customer, body.orders_requested), context.at, reference)]


def to_person_redacted(body: PrivacyBody, context: DeliveryContext) -> list[Event]:
    """`customers/redact`. Raises as `to_data_requested`."""
    _check_shop(body, context)
    if body.orders_to_redact is msgspec.UNSET or body.data_request is not msgspec.UNSET or body.orders_requested is not msgspec.UNSET:
        raise payload_error("wrong_topic")
    return [PersonRedacted(_person(body.customer, body.orders_to_redact), context.at)]


def to_shop_redacted(body: PrivacyBody, context: DeliveryContext) -> list[Event]:
    """`shop/redact`. Raises PayloadError (`wrong_topic`, `wrong_shop`, `missing_shop`)."""
    _check_shop(body, context)
    parts = (body.customer, body.orders_requested, body.orders_to_redact, body.data_request)
    if any(part is not msgspec.UNSET for part in parts):
        raise payload_error("wrong_topic")
    return [ShopRedacted(context.at)]


def _check_shop(body: PrivacyBody, context: DeliveryContext) -> None:
    domain = text(body.shop_domain)
    if domain is None or text(body.shop_id) is None:
        raise payload_error("missing_shop")
    if context.shop_domain is not None and domain.lower() != context.shop_domain.lower():
        raise payload_error("wrong_shop")


def _person(part: PersonPart | msgspec.UnsetType | None, orders: Ids) -> Person:
    customer = part if isinstance(part, PersonPart) else PersonPart()
    ids = tuple(order for order in map(text, orders if isinstance(orders, list) else []) if order is not None)
    person = Person(customer_id=text(customer.id), email=text(customer.email), phone=text(customer.phone), order_ids=ids)
    if person == Person():
        raise payload_error("missing_person")
    return person


MEANINGS: Mapping[str, tuple[type[PrivacyBody], Meaning]] = {
    "customers/data_request": (PrivacyBody, to_data_requested),
    "customers/redact": (PrivacyBody, to_person_redacted),
    "shop/redact": (PrivacyBody, to_shop_redacted),
}
