"""Topic -> what its body means. One table, read by `parse` and declared as `TOPICS`."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from connector.canonical import Event, Resource, Uninstalled
from connector.platforms import DeliveryContext
from integrations.shopify.mapping import check_shop, embedded_customer, to_cart, to_checkout, to_customer, to_order, to_removed
from integrations.shopify.payloads import CartBody, CheckoutBody, CustomerBody, OrderBody, RemovedBody, ShopBody, decode, payload_error

S = TypeVar("S")
Reader = Callable[[DeliveryContext, bytes], list[Event]]

COMPLIANCE_TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
FAREWELL_TOPICS = frozenset({"app/uninstalled"})


def parse(context: DeliveryContext, body: bytes) -> list[Event]:
    """The events of one delivery. Raises: PayloadError for a body that makes no sense, and for a topic not in `TOPICS`."""
    reader = _READERS.get(context.topic)
    if reader is None:
        raise payload_error("unknown_topic")
    return reader(context, body)


def _reader(shape: type[S], meaning: Callable[[S, DeliveryContext], list[Event]]) -> Reader:
    decoder = msgspec.json.Decoder(shape)
    return lambda context, body: meaning(decode(decoder, body), context)


def _checkout(body: CheckoutBody, context: DeliveryContext) -> list[Event]:
    country, triggered_at = context.shop_country, context.triggered_at
    return [to_checkout(body, country, triggered_at), *embedded_customer(body.customer, country, triggered_at)]


def _order(body: OrderBody, context: DeliveryContext) -> list[Event]:
    country, triggered_at = context.shop_country, context.triggered_at
    return [to_order(body, country, triggered_at), *embedded_customer(body.customer, country, triggered_at)]


def _cart(body: CartBody, context: DeliveryContext) -> list[Event]:
    return [to_cart(body, context.triggered_at)]


def _customer(body: CustomerBody, context: DeliveryContext) -> list[Event]:
    return [to_customer(body, context.shop_country, context.triggered_at)]


def _removed(resource: Resource) -> Callable[[RemovedBody, DeliveryContext], list[Event]]:
    return lambda body, context: [*to_removed(body, resource, context.at)]


def _uninstalled(body: ShopBody, context: DeliveryContext) -> list[Event]:
    check_shop(body)
    return [Uninstalled(context.at)]


_READERS: dict[str, Reader] = {
    "checkouts/create": _reader(CheckoutBody, _checkout),
    "checkouts/update": _reader(CheckoutBody, _checkout),
    "checkouts/delete": _reader(RemovedBody, _removed(Resource.CHECKOUT)),
    "carts/create": _reader(CartBody, _cart),
    "carts/update": _reader(CartBody, _cart),
    "orders/create": _reader(OrderBody, _order),
    "orders/updated": _reader(OrderBody, _order),
    "orders/paid": _reader(OrderBody, _order),
    "orders/cancelled": _reader(OrderBody, _order),
    "orders/delete": _reader(RemovedBody, _removed(Resource.ORDER)),
    "customers/create": _reader(CustomerBody, _customer),
    "customers/update": _reader(CustomerBody, _customer),
    "customers/delete": _reader(RemovedBody, _removed(Resource.CUSTOMER)),
    "app/uninstalled": _reader(ShopBody, _uninstalled),
}
TOPICS = frozenset(_READERS)
