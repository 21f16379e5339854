"""
What every kind of store looks like to us: the Platform protocol, its declared capabilities, and the errors it may raise.

Adapters (`integrations/<platform>/adapter.py`) implement it, `integrations.registry` lists them, nothing else knows them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from connector.canonical import Event, Headers, Order, Product, Resource, ShopProfile
from connector.capabilities import Capabilities
from connector.checkups import Check
from connector.codes import CodeState, DiscountCode, IssuedCodes
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
from connector.reading import Change, Count, Export, LineNow, Page

__all__ = (
    "AccessLost",
    "BadSignature",
    "CodeTaken",
    "Gone",
    "InstallRefused",
    "NotPermitted",
    "OtherSite",
    "PayloadError",
    "PlatformError",
    "Rejected",
    "ShopClosed",
    "ThrottledError",
    "TransientError",
)
"""The errors, which stand beside for the size of this module only; all else here is offered too."""

PlatformName = Literal["shopify", "woocommerce"]


@dataclass(frozen=True, slots=True)
class Access:
    """What is needed to call one shop: its address (bare host name) and opened credentials (names are the adapter's own)."""

    shop_id: int
    domain: str
    credentials: Mapping[str, str] = field(repr=False)

    @property
    def ends_at(self) -> datetime | None:
        """When the credentials end, by `expires_at` (ISO 8601, aware) of any adapter; None: not before somebody revokes them."""
        end = self.credentials.get("expires_at")
        return datetime.fromisoformat(end) if end else None


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


class Reads(Protocol):
    """What a store can be asked at any time. Everything raises PlatformError."""

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """Records changed at or after `since` (None: all) and before `until`, by pages, oldest change first where the platform can."""
        ...

    def count(self, access: Access, what: Resource, since: datetime | None = None, until: datetime | None = None) -> Count:
        """How many `changes` would give."""
        ...

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """One record as it is now, None if it is gone."""
        ...

    def shop_now(self, access: Access) -> ShopProfile:
        """The shop as it is now."""
        ...

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        """The orders that came of a checkout, by what links them."""
        ...

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        """Whether (product id, variant id) can be bought now and for how much, in the order asked; at most 50 at once."""
        ...

    def begin_export(self, access: Access, what: Resource, since: datetime | None = None) -> Export:
        """Have the store write all records of a kind into a file. Raises Rejected if it runs too many already."""
        ...

    def look_at_export(self, access: Access, platform_id: str) -> Export:
        """How far it is."""
        ...

    def read_export(self, access: Access, export: Export, what: Resource) -> Iterator[Page]:
        """What a ready export holds. Raises TransientError if the file is cut, expired or holds fewer objects than announced."""
        ...

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        """The topics of which at least one delivery must have come because of this change after `since`; one set, any of it."""
        ...

    def admin_url(self, domain: str, what: Resource, platform_id: str) -> str:
        """The page of the platform's admin where a merchant sees this record."""
        ...


class Codes(Protocol):
    """Discount codes of one store. Everything raises PlatformError; codes are compared without letter case."""

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """
        Make sure that this code exists, exactly as wanted; looked up before anything is made, so doing it twice makes one.

        Raises: CodeTaken if the store has a different discount under it, Rejected with the store's words.
        """
        ...

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """Give a discount more codes of its own, any number of them; those it has already are left alone."""
        ...

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """The code as the store has it now, None if it has none of this name."""
        ...

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Codes whose code or title fits some words, by pages."""
        ...

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """From now on the store refuses it; doing it twice is fine. Raises Gone."""
        ...

    def resume_code(self, access: Access, platform_id: str) -> None:
        """Undo `suspend_code`. Raises Gone."""
        ...

    def delete_code(self, access: Access, platform_id: str) -> None:
        """Take the discount away; one that is gone already is fine."""
        ...

    def withdraw_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> None:
        """
        From now on the store refuses these codes, which `issue_codes` gave a discount; its others go on. Twice is fine, so is gone.
        """
        ...

    def restore_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """Undo `withdraw_codes`. Raises Gone."""
        ...

    def clear_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
        """
        Take those of these codes of a discount that nobody used out of the store; returns those that are not there any more.

        What was used stays, as a record. The discount itself, and its other codes, stay too.
        """
        ...

    def use_url(self, shop_url: str, code: str) -> str | None:
        """An address of the store that applies the code, None where the platform has no such thing."""
        ...


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
