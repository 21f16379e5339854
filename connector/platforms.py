"""
What every kind of store looks like to us: the Platform protocol, its declared capabilities, and the errors it may raise.

Adapters (`integrations/<platform>/adapter.py`) implement it, `integrations.registry` lists them, nothing else knows them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from connector.canonical import Event, Headers, Order, Product, ShopProfile
from connector.errors import ConnectorError

PlatformName = Literal["shopify", "woocommerce"]


class PlatformError(ConnectorError):
    """Something went wrong with a platform. Carries platform, call and status; never a token or personal data."""

    def __init__(self, message: str, *, platform: str, call: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.platform = platform
        self.call = call
        self.status = status


class TransientError(PlatformError):
    """The same call may succeed later: time-outs, 5xx, HTML instead of JSON, a truncated answer."""


class ThrottledError(TransientError):
    """Too many calls; `retry_after` says how many seconds the platform asks us to wait."""

    def __init__(self, message: str, *, platform: str, retry_after: float, call: str = "", status: int | None = None) -> None:
        super().__init__(message, platform=platform, call=call, status=status)
        self.retry_after = retry_after


class AccessLost(PlatformError):
    """Our credentials are dead: mark the shop, stop politely, tell the merchant."""


class NotPermitted(PlatformError):
    """A field or scope is withheld: keep the rest and record it."""


class Rejected(PlatformError):
    """The platform understood and refuses for good; the message keeps its words."""


class Gone(PlatformError):
    """The record asked for does not exist any more."""


class PayloadError(PlatformError):
    """An authentic body that makes no sense: quarantine it. `reason` is a short stable word for counting."""

    def __init__(self, message: str, *, platform: str, reason: str = "payload") -> None:
        super().__init__(message, platform=platform, call="parse")
        self.reason = reason


class BadSignature(PlatformError):
    """A request that the platform did not sign: answer 401, keep nothing."""


class InstallRefused(PlatformError):
    """An install that must not go on: wrong state, forged callback, missing permission. The message is for the merchant."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a platform can and cannot do, declared instead of discovered; shown to merchants as it is.

    `shop_in_path`: each shop has its own webhook address (`/webhooks/{platform}/{shop_key}`) and its own secret.
    """

    shop_in_path: bool
    tracks_carts: bool
    has_product_reads: bool
    registers_webhooks: bool


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to call one shop: its address (bare host name) and opened credentials (names are the adapter's own)."""

    shop_id: int
    domain: str
    credentials: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeliveryMeta:
    """
    What the door learns from a verified request without reading its body's meaning.

    `shop_ref`: Shopify's `{shop}.myshopify.com`, WooCommerce's key in our address. `key`: 32 bytes that repeat exactly
    when the platform repeats the delivery. `triggered_at`: the platform's own time, if it gives one.
    """

    topic: str
    shop_ref: str
    key: bytes
    triggered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """
    What `parse` may know beside the body: topic, when the platform triggered it (else when we received it).

    `triggered_at`: the platform's own time, if it told one; every Checkout, Customer and Order of the delivery carries it.
    """

    topic: str
    at: datetime
    shop_country: str | None = None
    triggered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InstallStart:
    """The first step of an install: where to send the browser, and what must be remembered (sealed) until the callback."""

    url: str
    remember: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Callback:
    """A request that finishes an install: its query pairs in order and its raw body."""

    query: Sequence[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Installation:
    """A proven install: the shop's address, sealed-to-be credentials, granted scopes, and what the platform says of the shop."""

    domain: str
    credentials: Mapping[str, str]
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...]
    profile: ShopProfile


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The webhook subscriptions after `subscribe`: what was there, what had to be made."""

    present: tuple[str, ...]
    created: tuple[str, ...]


class Platform(Protocol):
    """A kind of store. Plain `def` methods; safe to call from many threads; no state but its clients."""

    name: PlatformName
    can: Capabilities
    topics: frozenset[str]
    """What `parse` understands; any other topic is kept, answered, counted and left alone."""
    compliance_topics: frozenset[str]
    """Privacy topics that are kept even for unknown and uninstalled shops."""
    farewell_topics: frozenset[str]
    """Topics that are applied after an uninstall, beside the compliance topics."""

    def app_secrets(self) -> tuple[bytes, ...]:
        """The secrets that sign every shop's deliveries, newest first; empty if each shop has its own or none is set."""
        ...

    def is_ping(self, headers: Headers, body: bytes) -> bool:
        """True for the unsigned greeting a platform sends to a new address: answer 200, keep nothing."""
        ...

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta:
        """Check the signature on the raw bytes in constant time. Raises BadSignature for anything else than a genuine one."""
        ...

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        """What a delivery of one of `topics` means. Raises PayloadError if it makes no sense."""
        ...

    def begin_install(
        self, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, now: datetime
    ) -> InstallStart:
        """
        Check the request that starts an install and say where to send the browser.

        `state` is a one-time random text (A-Z a-z 0-9 - _). Raises InstallRefused.
        """
        ...

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Check the callback, get and prove the credentials by calling the shop. Raises InstallRefused or PlatformError."""
        ...

    def subscribe(self, access: Access, address: str, secret: str) -> Subscriptions:
        """Make sure the shop's webhooks come to `address`; idempotent. Where the app's configuration does it: what that names."""
        ...

    def refresh(self, access: Access, now: datetime) -> Mapping[str, str] | None:
        """
        New credentials if the held ones end soon, None while they hold.

        The caller lets one refresh per shop run at a time and stores its outcome before using it. Raises AccessLost if somebody
        must sign in again; on TransientError the same credentials are presented again later.
        """
        ...

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        """Products by platform id, at most 50 a call; ids that are gone come back with `is_deleted`."""
        ...

    def read_orders_since(self, access: Access, since: datetime) -> list[Order]:
        """Orders whose record changed at or after `since`, oldest first."""
        ...
