"""
When a shop's webhooks did not come: a gap, from when to when, and what it cost.

Single deliveries get lost now and then. A gap is a time that is known (webhooks were off, or a topic was silent), or one in which
several changes in a row were not told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from connector.canonical import Resource
from connector.rules.zones import zone

RUN = 3
"""So many changes in a row that nobody told of are no chance."""
APART = timedelta(minutes=20)
"""Gaps that are closer together are one: shops are looked at every ten minutes."""
_NAMES: Mapping[Resource, tuple[str, str]] = {
    Resource.ORDER: ("order", "orders"),
    Resource.CHECKOUT: ("checkout", "checkouts"),
    Resource.CUSTOMER: ("customer", "customers"),
    Resource.PRODUCT: ("product", "products"),
    Resource.DISCOUNT_CODE: ("code", "codes"),
}


@dataclass(frozen=True, slots=True)
class Noted:
    """
    A change of a store that a delivery must have told of: when, and whether none did (`is_missed`).

    `is_lost`: the store tells too little of it to have it now.
    """

    resource: Resource
    platform_id: str
    at: datetime
    is_missed: bool
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """
    A time in which webhooks did not come: what was recovered by kind, what cannot be, and how many messages went out because of it.

    `is_outage`: not only something that cannot be had any more, but webhooks that stayed away.
    """

    since: datetime
    until: datetime
    recovered: Mapping[Resource, int] = field(default_factory=dict)
    lost: tuple[tuple[Resource, str], ...] = ()
    topics: tuple[str, ...] = ()
    messages: int = 0
    is_outage: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed in it."""
        return not self.recovered and not self.lost


Span = tuple[datetime, datetime]


def find_gap(noted: Sequence[Noted], known: Sequence[Span] = (), topics: Iterable[str] = (), off: Span | None = None) -> Gap | None:
    """
    The gap that these changes show, None if there is none.

    `known`: times in which it is no wonder that something was not told; `off`: one in which webhooks were off for certain, a gap
    whether or not anything changed. `topics`: those that were off or silent.
    """
    spans = [*known, *([off] if off else [])]
    missed = [one for one in noted if one.is_missed]
    outage = {one for one in missed if any(since <= one.at < until for since, until in spans)} | _runs(noted)
    part = outage | {one for one in missed if one.is_lost}
    if not part:
        return Gap(*off, topics=tuple(sorted(topics))) if off else None
    recovered: dict[Resource, int] = {}
    for one in part:
        if not one.is_lost:
            recovered[one.resource] = recovered.get(one.resource, 0) + 1
    latest = max(one.at for one in part)
    return Gap(
        since=min(one.at for one in part),
        until=max(latest, off[1]) if off else latest,
        recovered=recovered,
        lost=tuple(sorted((one.resource, one.platform_id) for one in part if one.is_lost)),
        topics=tuple(sorted(topics)),
        is_outage=bool(outage) or off is not None,
    )


def joined(earlier: Gap, later: Gap) -> Gap | None:
    """Both as one gap, None if they are too far apart. `later` was found after `earlier`."""
    if later.since > earlier.until + APART or later.until < earlier.since - APART:
        return None
    # A time in which nothing changed says nothing of when it began.
    starts = [one.since for one in (earlier, later) if not one.is_empty] or [earlier.since, later.since]
    kinds = {*earlier.recovered, *later.recovered}
    return replace(
        earlier,
        since=min(starts),
        until=max(earlier.until, later.until),
        recovered={kind: earlier.recovered.get(kind, 0) + later.recovered.get(kind, 0) for kind in kinds},
        lost=tuple(sorted({*earlier.lost, *later.lost})),
        topics=tuple(sorted({*earlier.topics, *later.topics})),
        is_outage=earlier.is_outage or later.is_outage,
    )


def gap_words(gap: Gap, timezone: str) -> str:
    """A gap in a line: `02:10–05:40, 37 orders recovered, 0 messages`, by the clocks of the shop."""
    parts = [_span_words(gap, timezone)]
    counted = [f"{count} {_NAMES[kind][count != 1]}" for kind in _NAMES if (count := gap.recovered.get(kind, 0))]
    if counted:
        parts.append(f"{', '.join(counted)} recovered")
    if gap.lost:
        lost = [[kind for kind, _ in gap.lost].count(kind) for kind in _NAMES]
        named = [f"{count} {_NAMES[kind][count != 1]}" for kind, count in zip(_NAMES, lost, strict=True) if count]
        parts.append(f"{', '.join(named)} not recoverable")
    if gap.is_empty:
        parts.append("nothing was missed")
    parts.append("1 message" if gap.messages == 1 else f"{gap.messages} messages")
    return ", ".join(parts)


def _runs(noted: Sequence[Noted]) -> set[Noted]:
    """What was not told several times in a row: of one kind, or of all kinds together."""
    in_order = sorted(noted, key=lambda one: one.at)
    found: set[Noted] = set()
    for kind in (None, *Resource):
        of_kind = [one for one in in_order if kind is None or one.resource is kind]
        for is_missed, group in groupby(of_kind, key=lambda one: one.is_missed):
            run = list(group)
            if is_missed and len(run) >= RUN:
                found.update(run)
    return found


def _span_words(gap: Gap, timezone: str) -> str:
    since, until = (one.astimezone(zone(timezone)) for one in (gap.since, gap.until))
    if since.date() != until.date():
        return f"{since:%-d %b %H:%M} – {until:%-d %b %H:%M}"
    if (since.hour, since.minute) == (until.hour, until.minute):
        return f"{since:%H:%M}"
    return f"{since:%H:%M}–{until:%H:%M}"
