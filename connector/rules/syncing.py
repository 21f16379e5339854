"""
What a sync is made of: its kinds and states, what it covers, its slices, and how far it is.

A run covers a scope by slices, each one kind of record over a span of time, or a single record. Every slice goes on from its own
checkpoint, and ends only if as many records were read as the store said there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from connector.canonical import Resource
from connector.errors import Refused

RESOURCES = (Resource.PRODUCT, Resource.CUSTOMER, Resource.ORDER, Resource.CHECKOUT, Resource.DISCOUNT_CODE)
"""What is synced, in this order: an order finds its customer, a checkout the order that it became."""
EXPORT_FROM = 250
"""From so many records on a store that writes files is asked for one: below that pages are sooner there."""
OVERLAP = timedelta(minutes=2)
"""What changed right before a span began is read as well: the clocks of a store's own parts differ."""
MAX_ATTEMPTS = 50
"""So many failures without a page between them, over more than seven hours: then a slice has failed."""
MAX_SHORT = 2
"""So often a slice may bring fewer records than the store counts before it fails."""


class RunKind(StrEnum):
    """BACKFILL: the first pull of a shop. RECONCILE: what webhooks missed. RESYNC: asked for by somebody."""

    BACKFILL = "backfill"
    RECONCILE = "reconcile"
    RESYNC = "resync"


class RunState(StrEnum):
    """WAITING for its first turn; DONE, FAILED and CANCELLED are for good."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SliceState(StrEnum):
    """SKIPPED: the store does not show us this kind of record."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


ACTIVE = (RunState.WAITING, RunState.RUNNING, RunState.PAUSED)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run covers: kinds of records changed at or after `since` and before `until` (None: whenever), or one record of one kind."""

    resources: tuple[Resource, ...] = RESOURCES
    since: datetime | None = None
    until: datetime | None = None
    platform_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "resources": [one.value for one in self.resources],
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "platform_id": self.platform_id,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Scope":
        """The scope that was kept."""
        since, until = (datetime.fromisoformat(kept[name]) if kept.get(name) else None for name in ("since", "until"))
        return cls(tuple(Resource(one) for one in kept["resources"]), since, until, kept.get("platform_id"))


@dataclass(frozen=True, slots=True)
class SliceSpec:
    """One slice of a plan."""

    resource: Resource
    since: datetime | None = None
    until: datetime | None = None
    platform_id: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """How many records the store says there are; `is_exact` False: at least or at most so many."""

    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a run is. `total` is None until the store said how many there are; `rate`: records a second; `eta_seconds`: of what is left.
    """

    done: int
    total: int | None
    rate: float | None
    eta_seconds: float | None


def check_scope(scope: Scope, now: datetime) -> Scope:
    """Return a scope that makes sense. Raises Refused."""
    if not scope.resources or any(one not in RESOURCES for one in scope.resources):
        raise Refused("Say what to read again: products, customers, orders, checkouts or codes.")
    if scope.platform_id is not None and (len(scope.resources) != 1 or scope.since or scope.until):
        raise Refused("One record is of one kind, and of no span of time.")
    if scope.platform_id is not None and not scope.platform_id.strip():
        raise Refused("Say the record's id in the store.")
    if scope.since and scope.until and scope.since >= scope.until:
        raise Refused("The span must begin before it ends.")
    if scope.since and scope.since >= now:
        raise Refused("The span lies in the future: there is nothing to read yet.")
    return scope


def plan(scope: Scope, high_water: datetime) -> list[SliceSpec]:
    """
    The slices of a scope: each kind by itself; of an open end what changed since the run began comes at the end once more.

    So what is edited while the run goes on is seen by it, however long it takes.
    """
    if scope.platform_id is not None:
        return [SliceSpec(scope.resources[0], platform_id=scope.platform_id)]
    kinds = [one for one in RESOURCES if one in scope.resources]
    slices = [SliceSpec(kind, scope.since, scope.until) for kind in kinds]
    if scope.until is None:
        slices += [SliceSpec(kind, high_water - OVERLAP) for kind in kinds]
    return slices


def wants_export(count: int, *, can_export: bool, until: datetime | None) -> bool:
    """Whether a file is sooner there than pages. A file ends where the store is, so a span that ends before comes by pages."""
    return can_export and until is None and count >= EXPORT_FROM


def is_short(seen: int, expected: int | None, *, is_exact: bool) -> bool:
    """Whether fewer records came than the store said there were. More is no harm: they came to be meanwhile."""
    return expected is not None and is_exact and seen < expected


def progress(seen: Sequence[int], expected: Sequence[int | None], began: datetime | None, now: datetime) -> Progress:
    """
    How far a run is whose slices have seen so many records, of as many as the store said each.

    More may come than was said: records that came to be meanwhile.
    """
    done = sum(seen)
    known = [max(a, b) for a, b in zip(seen, expected, strict=True) if b is not None]
    total = sum(known) if len(known) == len(seen) else None
    seconds = (now - began).total_seconds() if began else 0.0
    rate = done / seconds if done and seconds > 0 else None
    eta = (total - done) / rate if total is not None and rate else None
    return Progress(done, total, rate, eta)
