"""Shopify as a Platform: ties signature, events, client and install together; no logic of its own."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from connector.budget import Budget
from connector.canonical import Event, Headers, Order, Product
from connector.capabilities import Capabilities
from connector.config import Settings
from connector.platforms import (
    Access,
    Callback,
    Checkup,
    Codes,
    DeliveryContext,
    DeliveryMeta,
    Embedded,
    Installation,
    InstallStart,
    KeyInstall,
    PlatformName,
    Reads,
    Subscriptions,
)
from integrations.shopify import events, install, subscriptions, tokens
from integrations.shopify.client import Client
from integrations.shopify.discounts import ShopifyCodes
from integrations.shopify.embedded import ShopifyEmbedded
from integrations.shopify.reading import ShopifyReads, read_orders, read_products
from integrations.shopify.signature import verify_webhook
from integrations.transport import Transport


class ShopifyPlatform:
    """The Shopify adapter; safe to call from many threads, holds nothing but its transport and settings."""

    name: PlatformName = "shopify"
    can = Capabilities(
        shop_in_path=False,
        tracks_carts=True,
        has_product_reads=True,
        registers_webhooks=False,
        exports=True,
        lists_whole_checkouts=False,
        fallback_mark=subscriptions.MARK,
        meters_calls=True,
    )
    codes: Codes | None = None
    topics = events.TOPICS
    compliance_topics = events.COMPLIANCE_TOPICS
    farewell_topics = events.FAREWELL_TOPICS
    checkup: Checkup | None = None
    key_install: KeyInstall | None = None

    def __init__(self, transport: Transport, settings: Settings, budget: Budget | None = None) -> None:
        self._transport = transport
        self._settings = settings
        self._wanted_scopes = install.wanted_scopes(settings)
        self._client = Client(transport, budget)
        self.reads: Reads | None = ShopifyReads(self._client)
        self.codes = ShopifyCodes(self._client)
        self.embedded: Embedded | None = ShopifyEmbedded(self._client, settings)

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
        return events.parse(context, body, self._wanted_scopes)

    def begin_install(
        self, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, now: datetime
    ) -> InstallStart:
        """Check Shopify's signed opening request and lead to its permission page; `return_url` is not used. Raises InstallRefused."""
        return install.begin(query, state, callback_url, now, self._settings)

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Check the callback, get an expiring token pair and read the shop. Raises InstallRefused or PlatformError."""
        return install.finish(callback, remembered, state, now, self._settings, self._client)

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        """The `silent` topics, for this shop alone; the rest is what shopify.app.toml subscribes. See `subscriptions.subscribe`."""
        return subscriptions.subscribe(self._client, access, address, silent, self.topics - self.compliance_topics)

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        """The next token pair if the access token ends within five minutes or is refused. Raises AccessLost or TransientError."""
        if not is_refused and tokens.is_fresh(access, now):
            return None
        return tokens.refresh(access, now, self._settings, self._transport)

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        """Products by numeric id, in the order asked; unknown ids come back with `is_deleted`. Raises PlatformError."""
        return read_products(self._client, access, ids)

    def read_orders_since(self, access: Access, since: datetime) -> list[Order]:
        """Orders changed at or after `since`, oldest change first; of the last 60 days (scope read_orders). Raises PlatformError."""
        return list(read_orders(self._client, access, since))
