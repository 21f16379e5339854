"""
What a store can be asked with its credentials: its records, and its discount codes. The two larger parts of the Platform protocol.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connector.canonical import Order, Resource, ShopProfile
from connector.codes import CodeState, DiscountCode, IssuedCodes
from connector.reading import Change, Count, Export, LineNow, Page


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
class Listing:
    """
    Records of a kind to be read page after page: those that changed at or after `since` and before `until`, behind a `cursor`; or what
    a ready `export` holds but for its first `skip` pages.
    """

    what: Resource
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    export: Export | None = None
    skip: int = 0

    def read(self, reads: "Reads", access: Access) -> Iterator[Page]:
        """Its pages. Raises PlatformError."""
        if self.export is not None:
            return reads.read_export(access, self.export, self.what, self.skip)
        return reads.pages(access, self.what, self.since, self.until, self.cursor)


class Reads(Protocol):
    """What a store can be asked at any time. Everything raises PlatformError."""

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """Records changed at or after `since` (None: all) and before `until`, by pages, oldest change first where the platform can."""
        ...

    def pages(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Iterator[Page]:
        """
        As `changes`, page after page, read ahead as far as the store bears.

        Each page's cursor says where to go on after it, None after the last. Closing the iterator ends the reading ahead.
        """
        ...

    def ids(self, access: Access, what: Resource, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """The ids of all records of a kind by pages, with the cursor for the next: what we keep and is not among them may be gone."""
        ...

    def reaches_back(self, access: Access, what: Resource, now: datetime) -> datetime | None:
        """Records from before this instant may be there and are not shown to us; None: all are."""
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

    def read_export(self, access: Access, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
        """
        What a ready export holds, but for its first `skip` pages: the same pages in the same order each time.

        Raises TransientError if the file is cut, expired or holds fewer objects than announced.
        """
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
