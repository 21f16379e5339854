"""The pretend WooCommerce's webhook machine: one attempt, late bodies, pings, and the switch-off at the seventh failure in a row."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connector.errors import ConnectorError
from integrations.sandbox.delivery import Built, Delivery, DeliveryMachine, Outgoing, Policy
from integrations.sandbox.woocommerce_bodies import (
    CUSTOMER_GONE,
    ORDER_GONE,
    PRODUCT_GONE,
    RIGHTS_LOST,
    customer_json,
    encode,
    order_json,
    product_json,
    variation_json,
)
from integrations.sandbox.woocommerce_store import Store, Webhook

Payload = Callable[[int | str], dict[str, Any]]
MOST_FAILURES = 5
"""A failure that finds the counter above this switches the webhook off: the seventh in a row."""


class Hooks:
    """
    Delivers what the store's webhooks subscribed to. `deliveries` holds every row.

    `payloads` has bodies that others make, by resource ("coupon") or whole topic; each gets the record's id.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], outgoing: Outgoing, seed: int, timeout: float) -> None:
        self._store = store
        self._now = now
        self._outgoing = outgoing
        self._salt = secrets.token_bytes(16)
        self.payloads: dict[str, Payload] = {}
        policy = Policy(timeout, (), lambda status: 200 <= status < 303)
        self.deliveries = DeliveryMachine(now, policy, outgoing.post, seed)

    def fire(self, topics: tuple[str, ...], argument: int | str) -> None:
        """Queue the topics for one record; its state is read when a delivery leaves. Pending equals are merged."""
        with self._store.lock:
            hooks = [(topic, hook) for topic in topics for hook in self._store.webhooks.values() if hook.topic == topic]
            deliveries = [self._delivery(topic, hook, argument) for topic, hook in hooks if hook.status == "active"]
        self.deliveries.submit(*deliveries)

    def ping(self, webhook: Webhook) -> bool:
        """The unsigned greeting `webhook_id=N`; True if it was answered exactly 200. Failing is no obstacle."""
        headers = {"User-Agent": self._user_agent(), "Content-Type": "application/x-www-form-urlencoded"}
        try:
            status = self._outgoing.post(webhook.delivery_url, headers, urlencode({"webhook_id": webhook.id}).encode())
        except ConnectorError:
            return False
        webhook.needs_ping = status != 200
        return status == 200

    def _delivery(self, topic: str, webhook: Webhook, argument: int | str) -> Delivery:
        return Delivery(
            id=secrets.token_hex(16),
            topic=topic,
            url=webhook.delivery_url,
            build=lambda: self._build(topic, webhook, argument),
            after=lambda is_delivered: self._count(webhook, is_delivered),
            merge_key=(webhook.id, argument),
        )

    def _build(self, topic: str, webhook: Webhook, argument: int | str) -> Built:
        with self._store.lock:
            body = encode(self._payload(topic, argument))
        resource, _, event = topic.partition(".")
        digest = hmac.new(webhook.secret.encode(), body, hashlib.sha256).digest()
        moment = f"{webhook.id}{int(self._now().timestamp())}".encode()
        headers: Mapping[str, str] = {
            "User-Agent": self._user_agent(),
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": f"{self._store.home}/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": base64.b64encode(digest).decode(),
            "X-WC-Webhook-ID": str(webhook.id),
            # Shared by two deliveries of one webhook in the same second, as in WooCommerce.
            "X-WC-Webhook-Delivery-ID": hashlib.blake2b(moment, key=self._salt, digest_size=16).hexdigest(),
        }
        return headers, body

    def _payload(self, topic: str, argument: int | str) -> dict[str, Any]:
        """The record as it is now. One that is gone, or that the webhook's owner may not see, gives a REST error, signed like any."""
        resource, _, event = topic.partition(".")
        if event == "deleted":
            return {"id": argument}
        made = self.payloads.get(topic) or (None if resource == "action" else self.payloads.get(resource))
        if resource == "action":
            return made(argument) if made else {"action": event, "arg": argument}
        if not self._store.owner_has_rights:
            return RIGHTS_LOST
        if made:
            return made(argument)
        match resource:
            case "customer":
                customer = self._store.customers.get(int(argument))
                return customer_json(self._store, customer) if customer else CUSTOMER_GONE
            case "product":
                return self._product(int(argument))
        order = self._store.orders.get(int(argument))
        return order_json(self._store, order) if order is not None else ORDER_GONE

    def _product(self, number: int) -> dict[str, Any]:
        """A product; a variation goes out under its own id, with its parent's beside it."""
        for product in self._store.products.values():
            if product.id == number:
                return product_json(self._store, product)
            for variation in product.variations:
                if variation.id == number:
                    return variation_json(self._store, product, variation)
        return PRODUCT_GONE

    def _user_agent(self) -> str:
        return f"WooCommerce/{self._store.version} Hookshot (WordPress/{self._store.wordpress})"

    def _count(self, webhook: Webhook, is_delivered: bool) -> None:
        with self._store.lock:
            if is_delivered:
                webhook.failures, webhook.last_success_at = 0, self._now()
            elif webhook.failures > MOST_FAILURES:
                webhook.status = "disabled"
            else:
                webhook.failures += 1
        if webhook.needs_ping:
            self.ping(webhook)
