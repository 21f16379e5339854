"""What may be done with a resync, and what it proved when it ended."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from connector.canonical import Resource
from connector.errors import Refused
from connector.rules.syncing import ACTIVE, RESOURCES, RunState, Scope, SliceState, check_scope

SHORTEST, LONGEST = 5, 500
"""Signs of a reason."""
LONGEST_ID = 200
WHAT: Mapping[str, tuple[Resource, ...]] = {
    "all": RESOURCES,
    "orders": (Resource.ORDER,),
    "customers": (Resource.CUSTOMER,),
    "checkouts": (Resource.CHECKOUT,),
    "products": (Resource.PRODUCT,),
    "codes": (Resource.DISCOUNT_CODE,),
}
"""What can be asked for, by its word on the command line and in forms."""


class Act(StrEnum):
    """What somebody may do with a run. APPLY: write what its dry run found."""

    APPLY = "apply"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class Verdict(StrEnum):
    """What a run that ended says of the store and us. INCOMPLETE: not everything that was asked for could be read."""

    EQUAL = "equal"
    DIFFERS = "differs"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """What one slice found. `remaining`: records that are not as the store has them, after all; sums are hexadecimal digests."""

    resource: Resource
    state: SliceState
    missing: int = 0
    changed: int = 0
    unchanged: int = 0
    newer: int = 0
    unreadable: int = 0
    unrecoverable: int = 0
    remaining: int = 0
    store_sum: str = ""
    ours_sum: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What a run that ended proves. `compared` records were compared in every field that the store's API returns, `differing` are not equal.

    `store_digest` and `ours_digest` are of all that was compared, and equal exactly if nothing differs. Outside the comparison are
    `newer`: webhooks told of a later state meanwhile; `unreadable`: made no sense; `unrecoverable`: the store does not tell enough of
    them; `hidden`: kinds that the store does not show us.
    """

    verdict: Verdict
    compared: int
    missing: int
    changed: int
    differing: int
    newer: int
    unreadable: int
    unrecoverable: int
    hidden: tuple[Resource, ...]
    store_digest: str
    ours_digest: str

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs, and everything was read."""
        return self.verdict is Verdict.EQUAL


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody typed: a word of WHAT, one id or none, days of the shop's own calendar (`until` counts too)."""

    what: str = "all"
    platform_id: str = ""
    since: str = ""
    until: str = ""


def read_scope(asked: Asked, place: tzinfo, now: datetime) -> Scope:
    """What is to be read, of what was typed. Raises Refused."""
    resources = WHAT.get(asked.what)
    if resources is None:
        raise Refused("Say what to read again: products, customers, orders, checkouts or codes.")
    platform_id = asked.platform_id.strip()
    if len(platform_id) > LONGEST_ID or not platform_id.isprintable():
        raise Refused("This is no id of a record.")
    since, until = _day(asked.since), _day(asked.until)
    scope = Scope(
        resources=resources,
        since=datetime.combine(since, time(), place) if since else None,
        until=datetime.combine(until + timedelta(days=1), time(), place) if until else None,
        platform_id=platform_id or None,
    )
    return check_scope(scope, now)


def check_applicable(acts: Collection[Act]) -> None:
    """Raises Refused for a run that cannot be applied; `acts`: what may be done with it."""
    if Act.APPLY not in acts:
        raise Refused("There is nothing to apply: only a dry run that came to its end and found differences can be applied.")


def check_shop(state: str) -> None:
    """Raises Refused for a shop of which nothing can be read."""
    if state != "connected":
        raise Refused("The shop is not connected. Connect it again first.")


def acts_of(state: str, *, is_dry_run: bool, has_differences: bool) -> tuple[Act, ...]:
    """What may be done with a run in this state. Only a dry run that came to its end and found something can be applied."""
    if state == RunState.DONE:
        return (Act.APPLY,) if is_dry_run and has_differences else ()
    if state not in ACTIVE:
        return ()
    return (Act.RESUME, Act.CANCEL) if state == RunState.PAUSED else (Act.PAUSE, Act.CANCEL)


def check_reason(typed: str) -> str:
    """The reason on one line. Raises Refused for one that says nothing, or too much."""
    reason = " ".join(typed.split())
    if len(reason) < SHORTEST:
        raise Refused("Please say in a few words why, with at least {shortest} signs.", shortest=SHORTEST)
    if len(reason) > LONGEST:
        raise Refused("Please keep it short: up to {longest} signs.", longest=LONGEST)
    return reason


def prove(slices: Iterable[SliceCounts], state: str) -> Proof | None:
    """What a run of these slices proves; None while it goes on, and of one that was cancelled before it ended."""
    found = list(slices)
    if state not in (RunState.DONE, RunState.FAILED):
        return None
    differing = sum(one.remaining for one in found)
    read = [one for one in found if one.state is not SliceState.SKIPPED]
    is_whole = state == RunState.DONE and bool(read) and all(one.state is SliceState.DONE for one in read)
    store_digest, ours_digest = (_digest(sums) for sums in ([one.store_sum for one in read], [one.ours_sum for one in read]))
    verdict = Verdict.EQUAL if is_whole else Verdict.INCOMPLETE
    if is_whole and (differing or store_digest != ours_digest):
        verdict = Verdict.DIFFERS
    return Proof(
        verdict=verdict,
        compared=sum(one.missing + one.changed + one.unchanged for one in read),
        missing=sum(one.missing for one in found),
        changed=sum(one.changed for one in found),
        differing=differing,
        newer=sum(one.newer for one in found),
        unreadable=sum(one.unreadable for one in found),
        unrecoverable=sum(one.unrecoverable for one in found),
        hidden=tuple(dict.fromkeys(one.resource for one in found if one.state is SliceState.SKIPPED)),
        store_digest=store_digest,
        ours_digest=ours_digest,
    )


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise Refused("This is no day: write it like 2026-11-30.") from error
    if not 2000 <= day.year < 2100:
        raise Refused("This is no day: write it like 2026-11-30.")
    return day


def _digest(sums: Iterable[str]) -> str:
    """The sum of the digests of slices, as 64 hexadecimal digits; the order of the slices does not matter."""
    return f"{sum(int(one or '0', 16) for one in sums) % 2**256:064x}"
