"""Webhooks of one store, made and healed."""

import re

from connector.platforms import Gone, Rejected, Subscriptions
from integrations.woocommerce import carts, client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.payloads import PLATFORM

TOPICS = (
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "product.created",
    "product.updated",
    "product.deleted",
    "coupon.created",
    "coupon.updated",
    "coupon.deleted",
    "coupon.restored",
    # What is deleted for good sends no `*.deleted`.
    "action.woocommerce_delete_order",
    "action.woocommerce_delete_coupon",
    carts.TOPIC,
)
# WooCommerce decodes HTML entities in a secret before it signs with it.
_SECRET = re.compile(r"[A-Za-z0-9]{1,200}")


def subscribe(call: Call, address: str, secret: str) -> Subscriptions:
    """
    Make sure that every topic has exactly one active webhook with our address.

    A disabled one is deleted and made anew: switched on again it would keep its failure count and go off at the next
    failure. Whether an active one has our secret cannot be read, so `secret` must stay the same for a shop.
    Raises Rejected for a secret that WooCommerce would change, PlatformError of the calls.
    """
    if not _SECRET.fullmatch(secret):
        raise Rejected("a webhook secret must be 1 to 200 letters and digits", platform=PLATFORM, call="subscribe")
    ours = [webhook for webhook in client.list_webhooks(call) if webhook.delivery_url == address and webhook.topic in TOPICS]
    present: list[str] = []
    for webhook in ours:
        if webhook.status == "active" and webhook.topic not in present:
            present.append(webhook.topic)
        else:
            _delete(call, webhook.id)
    created = [topic for topic in TOPICS if topic not in present]
    for topic in created:
        client.create_webhook(call, topic, address, secret)
    return Subscriptions(present=tuple(topic for topic in TOPICS if topic in present), created=tuple(created))


def _delete(call: Call, number: int) -> None:
    try:
        client.delete_webhook(call, number)
    except Gone:
        return
