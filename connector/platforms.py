"""
What every kind of store looks like to us: the Platform protocol, its declared capabilities, and the errors it may raise.

Adapters (`integrations/<platform>/adapter.py`) implement it, `integrations.registry` lists them, nothing else knows them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from connector.asked import Access, Codes, Reads
from connector.canonical import Event, Headers, Order, Product, ShopProfile
from connector.capabilities import Capabilities
from connector.checkups import Check
from connector.platform_errors import (
    AccessLost,
    BadSignature,
    CodeTaken,
    Gone,
    InstallRefused,
    NotPermitted,
    OtherSite,
    PayloadError,
    PlatformError,
    Rejected,
    ShopClosed,
    ThrottledError,
    TransientError,
)

__all__ = (
    "Access",
    "AccessLost",
    "BadSignature",
    "CodeTaken",
    "Codes",
    "Gone",
    "InstallRefused",
    "NotPermitted",
    "OtherSite",
    "PayloadError",
    "PlatformError",
    "Reads",
    "Rejected",
    "ShopClosed",
    "ThrottledError",
    "TransientError",
)
"""What stands beside for the size of this module only; all else here is offered too."""

PlatformName = Literal["shopify", "woocommerce"]


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
    `shop_domain`, `shop_hosts`: the shop under which it was kept and all host names it goes by, for bodies that must name one of them.
    """

    topic: str
    at: datetime
    shop_country: str | None = None
    triggered_at: datetime | None = None
    shop_domain: str | None = None
    shop_hosts: Collection[str] = ()


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
    """Webhooks after `subscribe`: what was there, was made, and was stray and taken away; topics `refused`, each with the reason."""

    present: tuple[str, ...]
    created: tuple[str, ...]
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AdminSession:
    """A person who has our page open inside the platform's admin: which shop, which user of it, and the token that proves both."""

    domain: str
    user_id: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AdminUser:
    """Who that person is. An address that is not verified is None. `sees_customers`: whether the platform shows them shoppers."""

    user_id: str
    is_owner: bool
    email: str | None = None
    name: str | None = None
    language: str | None = None
    sees_customers: bool = False


class Embedded(Protocol):
    """Being a page inside the platform's admin."""

    def check_frame(self, query: Sequence[tuple[str, str]]) -> str:
        """The shop's domain of a request that opens our page in the admin. Raises InstallRefused for a foreign shop or host."""
        ...

    def open_session(self, token: str, now: datetime) -> AdminSession:
        """Check a session token. Raises BadSignature."""
        ...

    def install(self, session: AdminSession, now: datetime) -> Installation:
        """Trade the session token for credentials of the shop. Raises InstallRefused (a new session token helps) or PlatformError."""
        ...

    def who(self, session: AdminSession, now: datetime) -> AdminUser:
        """The person behind a session. Raises as `install`."""
        ...


class Checkup(Protocol):
    """Examining the connection to one store."""

    def examine(self, access: Access, address: str) -> Sequence[Check]:
        """
        Every check, in the order in which a merchant should mend them. `address`: where this shop's webhooks must go.

        A store that cannot be asked gives checks that say so; nothing of a platform is raised.
        """
        ...


class KeyInstall(Protocol):
    """Connecting a store with keys that its merchant made by hand and pasted."""

    def install_by_keys(self, address: str, key: str, secret: str) -> Installation:
        """Prove keys against the store at this address. Raises InstallRefused with the reason for the merchant, or PlatformError."""
        ...


class Platform(Protocol):
    """A kind of store. Plain `def` methods; safe to call from many threads; no state but its clients."""

    name: PlatformName
    can: Capabilities
    reads: Reads | None
    """None: not to be had from this platform yet."""
    codes: Codes | None
    """None: as `reads`."""
    embedded: Embedded | None
    """None: this platform's admin shows no pages of ours."""
    checkup: Checkup | None
    """None: there is nothing to examine that `reads` does not tell."""
    key_install: KeyInstall | None
    """None: merchants of this platform cannot make keys by hand."""
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

        `state` is a one-time random text (A-Z a-z 0-9 - _). Raises InstallRefused, BadSignature for what was not signed lately.
        """
        ...

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Check the callback, get and prove the credentials by calling the shop. Raises as `begin_install`, or PlatformError."""
        ...

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        """
        Make sure the shop's webhooks come to `address`; idempotent.

        Where the app's configuration subscribes every shop, only `silent` topics (those that are not heard) are subscribed for
        this shop, and subscriptions of its own that are not wanted any more are removed. Elsewhere `silent` is not used.
        """
        ...

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        """
        New credentials if the held ones end soon or, `is_refused`, if the shop does not take them any more; None while they hold, or
        if there is no such thing.

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
