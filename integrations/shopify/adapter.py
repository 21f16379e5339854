"""Shopify as a Platform: ties signature, events, client and install together; no logic of its own."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from connector import clock
from connector.canonical import Event, Headers, Order, Product
from connector.config import Settings
from connector.platforms import (
    Access,
    Callback,
    Capabilities,
    Codes,
    DeliveryContext,
    DeliveryMeta,
    Embedded,
    Installation,
    InstallStart,
    PlatformName,
    Reads,
    Subscriptions,
)
from integrations.shopify import client, events, install, tokens
from integrations.shopify.queries import PRODUCT_PAGE
from integrations.shopify.reads import product_gid, to_listed_order, to_products
from integrations.shopify.signature import verify_webhook
from integrations.transport import Transport


class ShopifyPlatform:
    """The Shopify adapter; safe to call from many threads, holds nothing but its transport and settings."""

    name: PlatformName = "shopify"
    can = Capabilities(shop_in_path=False, tracks_carts=True, has_product_reads=True, registers_webhooks=False)
    reads: Reads | None = None
    codes: Codes | None = None
    embedded: Embedded | None = None
    topics = events.TOPICS
    compliance_topics = events.COMPLIANCE_TOPICS
    farewell_topics = events.FAREWELL_TOPICS

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    def app_secrets(self) -> tuple[bytes, ...]:
        """The client secret, then the previous one; empty ones are left out."""
        return tuple(install.app_secrets(self._settings))

    def is_ping(self, headers: Headers, body: bytes) -> bool:
        """False: Shopify greets no new address."""
        return False

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta:
        """Check the signature; the shop is the one the header names, `shop_key` is not used. Raises BadSignature."""
        return verify_webhook(headers, body, secrets)

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        """What a delivery of one of `topics` means. Raises PayloadError."""
        return events.parse(context, body)

    def begin_install(
        self, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, now: datetime
    ) -> InstallStart:
        """Check Shopify's signed opening request and lead to its permission page; `return_url` is not used. Raises InstallRefused."""
        return install.begin(query, state, callback_url, now, self._settings)

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Check the callback, get an expiring token pair and read the shop. Raises InstallRefused or PlatformError."""
        return install.finish(callback, remembered, state, now, self._settings, self._transport)

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        """No call: the app's configuration (shopify.app.toml) subscribes every shop that installs the app."""
        return Subscriptions(present=tuple(sorted(self.topics | self.compliance_topics)), created=())

    def refresh(self, access: Access, now: datetime) -> Mapping[str, str] | None:
        """The next token pair if the access token ends within five minutes. Raises AccessLost or TransientError."""
        if tokens.is_fresh(access.credentials, now):
            return None
        return tokens.refresh(access, now, self._settings, self._transport)

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        """Products by numeric id, in the order asked; unknown ids come back with `is_deleted`. Raises PlatformError."""
        products: list[Product] = []
        for start in range(0, len(ids), PRODUCT_PAGE):
            part = ids[start : start + PRODUCT_PAGE]
            reply = client.read_products(self._transport, access, [product_gid(one) for one in part if one.isascii() and one.isdigit()])
            products += to_products(part, reply.data, clock.now(), is_complete=not reply.gaps)
        return products

    def read_orders_since(self, access: Access, since: datetime) -> list[Order]:
        """Orders changed at or after `since`, oldest change first; of the last 60 days (scope read_orders). Raises PlatformError."""
        orders = (to_listed_order(node) for node in client.read_orders(self._transport, access, since))
        return [order for order in orders if order.source_version >= since]
