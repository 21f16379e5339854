"""WooCommerce as a Platform: ties signature, mapping, client and install together."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

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
from integrations.transport import Transport
from integrations.woocommerce import install, mapping, reading, signature, subscriptions
from integrations.woocommerce.calling import Call
from integrations.woocommerce.checkup import WooCheckup
from integrations.woocommerce.coupons import WooCodes
from integrations.woocommerce.install import WooKeyInstall
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.reads import WooReads


class WooCommercePlatform:
    """Stores that run WooCommerce 9 to 11, reached with REST keys that a shop manager granted."""

    name: PlatformName = PLATFORM
    can = Capabilities(
        shop_in_path=True,
        tracks_carts=False,
        has_product_reads=True,
        registers_webhooks=True,
        tells_code_use=False,
        locks_codes_to_email=True,
        # Customers cannot be listed by change at all, and of coupons only title and state have a time (woocommerce.md 1.2, 1.5).
        undated=frozenset({"customer", "discount_code"}),
    )
    reads: Reads | None
    codes: Codes | None
    embedded: Embedded | None = None
    checkup: Checkup | None = None
    key_install: KeyInstall | None = None
    topics = frozenset(subscriptions.TOPICS)
    compliance_topics: frozenset[str] = frozenset()
    farewell_topics: frozenset[str] = frozenset()

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings
        self.checkup = WooCheckup(transport, settings)
        self.codes = WooCodes(transport)
        self.key_install = WooKeyInstall(transport, settings)
        self.reads = WooReads(transport)

    def app_secrets(self) -> tuple[bytes, ...]:
        """None: each store's webhooks have their own secret."""
        return ()

    def is_ping(self, headers: Headers, body: bytes) -> bool:
        """See `signature.is_ping`."""
        return signature.is_ping(headers, body)

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta:
        """See `signature.verify`."""
        return signature.verify(headers, body, secrets, shop_key)

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        """See `mapping.to_events`."""
        return mapping.to_events(context, body)

    def begin_install(
        self, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, now: datetime
    ) -> InstallStart:
        """See `install.begin`; outside sandbox mode our own address must be https, or the store refuses it."""
        return install.begin(self._transport, query, state, callback_url, return_url, is_sandbox=self._settings.sandbox)

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """See `install.finish`."""
        return install.finish(self._transport, callback, remembered, state, is_sandbox=self._settings.sandbox)

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        """See `subscriptions.subscribe`."""
        return subscriptions.subscribe(Call(self._transport, access), address, secret)

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        """None: REST keys live until somebody revokes them, and then for good."""
        return None

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        """See `reading.products`."""
        return reading.products(Call(self._transport, access), ids)

    def read_orders_since(self, access: Access, since: datetime) -> list[Order]:
        """See `reading.orders_since`."""
        return reading.orders_since(Call(self._transport, access), since)
