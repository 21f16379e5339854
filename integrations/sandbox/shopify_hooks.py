"""How the pretend Shopify tells the app what happened: signed deliveries to the app's own and to the shop's own subscriptions."""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from integrations.sandbox.app_configuration import COMPLIANCE_TOPICS, AppConfiguration
from integrations.sandbox.delivery import Built, Delivery, DeliveryMachine
from integrations.sandbox.shopify_bodies import Body
from integrations.sandbox.shopify_merchant_bodies import without_withheld
from integrations.sandbox.shopify_shop import DOMAIN, Shop
from integrations.sandbox.shopify_tokens import Tokens

Topics = Sequence[tuple[str, Body]]


@dataclass(slots=True)
class Hooks:
    """
    Webhooks of one shop to one app.

    App-specific subscriptions stand in the app's configuration and are never taken away; `silent` topics of theirs do not leave all
    the same. Shop-specific ones (`shop.subscriptions`) go after too many failures. A topic with both is delivered twice.
    """

    shop: Shop
    app: AppConfiguration
    tokens: Tokens
    now: Callable[[], datetime]
    deliveries: DeliveryMachine
    silent: set[str] = field(default_factory=set)

    def send(self, bodies: Topics) -> None:
        """Submit what one action caused; without an installed app only privacy topics leave."""
        event = str(uuid.uuid4())
        self.deliveries.submit(*[one for topic, body in bodies for one in self._deliveries(topic, body, event)])

    def _deliveries(self, topic: str, body: Body, event: str) -> list[Delivery]:
        if not self.tokens.is_installed and topic not in COMPLIANCE_TOPICS:
            return []
        told = without_withheld(topic, body, self.shop.withheld)
        raw = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        made = [] if topic in self.silent else [self._delivery(topic, address, event, raw) for address in self.app.addresses(topic)]
        for subscription in self.shop.subscriptions.of(topic):
            delivery = self._delivery(topic, subscription.uri, event, raw, subscription.name)
            delivery.after = partial(self._end, subscription.id)
            made.append(delivery)
        return made

    def _end(self, subscription: int, went_well: bool) -> None:
        with self.shop.lock:
            if went_well:
                self.shop.subscriptions.delivered(subscription)
            else:
                self.shop.subscriptions.failed(subscription)

    def _delivery(self, topic: str, address: str, event: str, body: bytes, name: str | None = None) -> Delivery:
        webhook_id = str(uuid.uuid4())
        digest = hmac.new(self.app.client_secret.encode(), body, hashlib.sha256).digest()
        nanoseconds = f"{self.now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}{secrets.randbelow(1000):03d}Z"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": DOMAIN,
            "X-Shopify-API-Version": self.app.api_version,
            "X-Shopify-Webhook-Id": webhook_id,
            "X-Shopify-Event-Id": event,
            "X-Shopify-Triggered-At": nanoseconds,
        }
        if name is not None:
            headers["X-Shopify-Name"] = name
        built: Built = (headers, body)
        return Delivery(webhook_id, topic, address, lambda: built)
