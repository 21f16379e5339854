"""What reading from a store gives: pages of records, counts, exports, and what can be bought at this moment. Frozen values."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from connector.canonical import Record, Removed
from connector.codes import CodeState

Change = Record | CodeState
"""Anything that can be read from a store again."""


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some of a store's records. `cursor`: where the next page begins, None after the last.

    `unreadable`: platform ids of records that made no sense, with the reason (`id: reason`). `withheld`: what the platform keeps
    from us for want of an approval or a scope; then an absent value says nothing. `gone`: records that the store remembers only to say
    so.
    """

    records: tuple[Change, ...]
    cursor: str | None = None
    unreadable: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    gone: tuple[Removed, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """How many records there are; `is_exact` False: at least so many."""

    number: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Export:
    """
    A store's own job that writes many records into one file. `state`: running, ready or failed; `objects`: lines written so far.

    A failed one may leave a part: it never counts as complete. `url` is signed and lives for days; None when nothing was found.
    """

    platform_id: str
    state: Literal["running", "ready", "failed"]
    objects: int = 0
    url: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LineNow:
    """What a store says at this moment of something in a checkout; `price` in the shop's currency. Gone from the store: not available."""

    product_id: str
    variant_id: str | None
    is_available: bool
    price: Decimal | None = None
    title: str | None = None
