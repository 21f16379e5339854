"""Topic -> what its body means. One table, read by `parse` and declared as `TOPICS`."""

from collections.abc import Callable, Collection
from typing import TypeVar

from connector import decoding
from connector.canonical import Channel, Event, Resource, Uninstalled
from connector.platforms import DeliveryContext
from integrations.shopify.consents import to_consent
from integrations.shopify.hints import check_shop, to_discount, to_merge, to_scopes, to_stale_product, to_stale_shop, to_stock
from integrations.shopify.mapping import embedded_customer, to_cart, to_checkout, to_customer, to_order, to_removed
from integrations.shopify.payloads import (
    CartBody,
    CheckoutBody,
    ConsentBody,
    CustomerBody,
    DiscountBody,
    DisputeBody,
    MergeBody,
    OrderBody,
    ProductBody,
    RemovedBody,
    ScopesBody,
    ShopBody,
    StockBody,
    VariantBody,
    decode,
    payload_error,
)
from integrations.shopify.payments import to_dispute
from integrations.shopify.privacy import MEANINGS

S = TypeVar("S")
Reader = Callable[[DeliveryContext, bytes], list[Event]]

COMPLIANCE_TOPICS = frozenset(MEANINGS)
FAREWELL_TOPICS = frozenset({"app/uninstalled"})
_SCOPES_TOPIC = "app/scopes_update"
_SCOPES = decoding.decoder(ScopesBody)


def parse(context: DeliveryContext, body: bytes, wanted_scopes: Collection[str] = ()) -> list[Event]:
    """
    The events of one delivery; `wanted_scopes`: those we ask for, whatever was granted.

    Raises: PayloadError for a body that makes no sense, and for a topic that is in neither TOPICS nor COMPLIANCE_TOPICS.
    """
    reader = _READERS.get(context.topic)
    if reader is not None:
        return reader(context, body)
    if context.topic in _COMPLIANCE:
        return _COMPLIANCE[context.topic](context, body)
    if context.topic == _SCOPES_TOPIC:
        return [to_scopes(decode(_SCOPES, body), wanted_scopes, context.at)]
    raise payload_error("unknown_topic")


def _reader(shape: type[S], meaning: Callable[[S, DeliveryContext], list[Event]]) -> Reader:
    decoder = decoding.decoder(shape)
    return lambda context, body: meaning(decode(decoder, body), context)


def _checkout(body: CheckoutBody, context: DeliveryContext) -> list[Event]:
    country, triggered_at = context.shop_country, context.triggered_at
    return [to_checkout(body, country, triggered_at), *embedded_customer(body.customer, country, triggered_at)]


def _order(body: OrderBody, context: DeliveryContext) -> list[Event]:
    country, triggered_at = context.shop_country, context.triggered_at
    order = to_order(body, country, triggered_at, is_news_of_payment=context.topic == "orders/paid")
    return [order, *embedded_customer(body.customer, country, triggered_at)]


def _cart(body: CartBody, context: DeliveryContext) -> list[Event]:
    return [to_cart(body, context.triggered_at)]


def _customer(body: CustomerBody, context: DeliveryContext) -> list[Event]:
    return [to_customer(body, context.shop_country, context.triggered_at)]


def _removed(resource: Resource) -> Callable[[RemovedBody, DeliveryContext], list[Event]]:
    return lambda body, context: [*to_removed(body, resource, context.at)]


def _uninstalled(body: ShopBody, context: DeliveryContext) -> list[Event]:
    check_shop(body)
    return [Uninstalled(context.at)]


def _consent(channel: Channel) -> Callable[[ConsentBody, DeliveryContext], list[Event]]:
    return lambda body, context: [to_consent(body, channel, context.at, context.shop_country)]


def _merge(body: MergeBody, context: DeliveryContext) -> list[Event]:
    return to_merge(body, context.at)


def _stale_product(body: ProductBody | VariantBody, context: DeliveryContext) -> list[Event]:
    return [to_stale_product(body, context.at)]


def _stock(body: StockBody, context: DeliveryContext) -> list[Event]:
    return [to_stock(body, context.at)]


def _discount(*, is_removal: bool = False, is_of_code: bool = False) -> Callable[[DiscountBody, DeliveryContext], list[Event]]:
    return lambda body, context: to_discount(body, context.at, is_removal=is_removal, is_of_code=is_of_code)


def _dispute(body: DisputeBody, context: DeliveryContext) -> list[Event]:
    return to_dispute(body, context.at)


def _stale_shop(body: ShopBody, context: DeliveryContext) -> list[Event]:
    return [to_stale_shop(body, context.at)]


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
    "customers/merge": _reader(MergeBody, _merge),
    "customers_email_marketing_consent/update": _reader(ConsentBody, _consent(Channel.EMAIL)),
    "customers_marketing_consent/update": _reader(ConsentBody, _consent(Channel.SMS)),
    "customers_whats_app_marketing_consent/update": _reader(ConsentBody, _consent(Channel.WHATSAPP)),
    "products/create": _reader(ProductBody, _stale_product),
    "products/update": _reader(ProductBody, _stale_product),
    "products/delete": _reader(RemovedBody, _removed(Resource.PRODUCT)),
    "variants/in_stock": _reader(VariantBody, _stale_product),
    "variants/out_of_stock": _reader(VariantBody, _stale_product),
    "inventory_levels/update": _reader(StockBody, _stock),
    "discounts/create": _reader(DiscountBody, _discount()),
    "discounts/update": _reader(DiscountBody, _discount()),
    "discounts/delete": _reader(DiscountBody, _discount(is_removal=True)),
    "discounts/redeemcode_added": _reader(DiscountBody, _discount(is_of_code=True)),
    "discounts/redeemcode_removed": _reader(DiscountBody, _discount(is_of_code=True)),
    "disputes/create": _reader(DisputeBody, _dispute),
    "disputes/update": _reader(DisputeBody, _dispute),
    "shop/update": _reader(ShopBody, _stale_shop),
    "app/uninstalled": _reader(ShopBody, _uninstalled),
}
_COMPLIANCE: dict[str, Reader] = {topic: _reader(shape, meaning) for topic, (shape, meaning) in MEANINGS.items()}
TOPICS = frozenset({*_READERS, _SCOPES_TOPIC})
"""Without bulk_operations/finish (nothing waits for it yet) and customers/purchasing_summary (figures of Shopify's own)."""
