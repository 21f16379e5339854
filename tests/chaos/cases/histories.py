"""
RL-107: any permutation, repetition, replay and loss with a later read of one cart's or order's events ends in one state.
RL-108: a newer state is never overwritten by an older one, on whichever topic or read the older one comes late.

Many shoppers' histories are told to one shop as they happened, and to other shops of their own in other ways; then all
that these shops' rows say must be the same. Which shopper it was shows in the rows that differ.
"""

import itertools
import json
import random
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from connector.canonical import Checkout, Customer, Order
from connector.platforms import DeliveryContext, Platform
from connector.rules.precedence import Rank, rank
from connector.store.db import Database
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.report import Row
from tests.chaos.size import Size
from tests.chaos.telling import (
    BATCHES,
    PLATFORMS,
    apply_waiting,
    empty_services,
    fresh_shop,
    pass_a_day,
    replay,
    shopify_history,
    tell,
    unapplied,
    woo_history,
)
from tests.conftest import TestShop
from tests.sync.digest import digest, versions
from tests.sync.stories import BEGIN
from tests.sync.world import Arrival, keep

HISTORIES, LATE = 5_000, 10_000
AT_ONCE = 100
"""Histories in one shop; all of one batch are applied by the same statements."""
UNREADABLE = ("checkouts/delete", "orders/delete", "customers/merge", "discounts/delete", "products/delete")
"""What no read can tell: it finds records as they are."""
FORWARD = ("opened", "corrected", "edited", "recalculated", "discounted", "second", "carted", "ordered", "paid", "renamed")
"""What makes newer versions and takes nothing away."""
DERIVED = {
    "last_activity_at",
    "due_at",
    "converted_at",
    "converted_by",
    "converted_by_order",
    "abandoned_at",
    "contact",
    "completed_at",
    "placed_at",
    "paid_at",
}
"""What is computed from every version that was seen, and so differs if some were not."""

Digest = list[tuple[str, str]]


@dataclass
class Tally:
    """What was tried in a run, broken on purpose, and found wrong."""

    trials: int = 0
    faults: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def break_on_purpose(self, what: str, count: int) -> None:
        """Count faults of a kind."""
        self.faults += count
        self.figures[what] = self.figures.get(what, 0) + count

    def row(self, id: str, title: str, seed: int) -> Row:
        """The row of the table."""
        return Row(id, title, self.trials, self.faults, self.violations, seed, {name: str(count) for name, count in self.figures.items()})


@dataclass(frozen=True, slots=True)
class Told:
    """One event of one history: `history` and `place` say where it belongs, `copy` that it was told before."""

    history: int
    place: int
    arrival: Arrival


def run_histories(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-107."""
    tally = Tally()
    told: list[tuple[TestShop, str, Digest]] = []
    with empty_services(directory) as services:
        left, group = size.count(HISTORIES, least=2 * AT_ONCE), 0
        while left > 0:
            count = min(AT_ONCE, left)
            name = f"{PLATFORMS[group % 2]} group {group}"
            shop, expected = _tell_group(services, PLATFORMS[group % 2], count, random.Random(f"{seed}:{group}"), name, tally)
            told.append((shop, name, expected))
            left, group = left - count, group + 1
        pass_a_day(services)
        for shop, name, expected in told:
            tally.break_on_purpose("replayed after a day", replay(services, shop))
            _compare(tally, f"{name}, replayed after a day", digest(services.db, shop.id), expected)
        tally.violations += unapplied(services)
    return [tally.row("RL-107", "any order, repetition, replay and loss of events ends in one state", seed)]


def _tell_group(services: Services, platform: str, count: int, choice: random.Random, name: str, tally: Tally) -> tuple[TestShop, Digest]:
    """Tell the same histories in all ways but the replay; returns the shop that heard them shuffled, and what its rows say."""
    make = shopify_history if platform == "shopify" else woo_history
    histories = [make(number, choice) for number in range(count)]
    in_order = _in_order(histories)
    tally.trials += count
    straight, shuffled = fresh_shop(services, platform), fresh_shop(services, platform)
    _tell(services, straight, in_order, [count])
    _tell(services, shuffled, _shuffle(in_order, choice, tally), choice.sample(BATCHES, 3))
    expected = digest(services.db, straight.id)
    _compare(tally, f"{name}, shuffled and repeated", digest(services.db, shuffled.id), expected)

    read_later = [_read_later(services.platforms[platform], number, history) for number, history in enumerate(histories)]
    reads = [told for found, _ in read_later for told in found]
    missed = _miss_some(in_order, {place for _, untold in read_later for place in untold}, choice, tally)
    partly, partly_shuffled = fresh_shop(services, platform), fresh_shop(services, platform)
    _tell(services, partly, [*missed, *reads], [count])
    _tell(services, partly_shuffled, _shuffle([*missed, *reads], choice, tally), choice.sample(BATCHES, 3))
    _tell(services, straight, reads, [count])
    known = digest(services.db, partly.id)
    _compare(tally, f"{name}, some missed, then read, shuffled", digest(services.db, partly_shuffled.id), known)
    _compare(tally, f"{name}, some missed, then read", _said(known), _said(digest(services.db, straight.id)))
    return shuffled, expected


def _tell(services: Services, shop: TestShop, told: Sequence[Told], batches: Sequence[int]) -> None:
    tell(services, shop, [one.arrival for one in told], batches)


def _in_order(histories: Sequence[Sequence[Arrival]]) -> list[Told]:
    """All histories at once, event by event as they happened."""
    each = [[Told(number, place, arrival) for place, arrival in enumerate(history)] for number, history in enumerate(histories)]
    return [told for turn in itertools.zip_longest(*each) for told in turn if told is not None]


def _shuffle(in_order: Sequence[Told], choice: random.Random, tally: Tally) -> list[Told]:
    """One to five of each, in any order; counts copies, and events told after a later one of their own history."""
    told = [one for one in in_order for _ in range(choice.choice((1, 1, 1, 2, 5)))]
    choice.shuffle(told)
    furthest: dict[int, int] = {}
    late = 0
    for one in told:
        late += one.place < furthest.get(one.history, -1)
        furthest[one.history] = max(one.place, furthest.get(one.history, -1))
    tally.break_on_purpose("late", late)
    tally.break_on_purpose("repeated", len(told) - len(in_order))
    return told


def _miss_some(in_order: Sequence[Told], never: Set[tuple[int, int]], choice: random.Random, tally: Tally) -> list[Told]:
    """A third of the events never come; those of `never` always do."""
    heard = [one for one in in_order if (one.history, one.place) in never or choice.random() > 1 / 3]
    tally.break_on_purpose("missed", len(in_order) - len(heard))
    return heard


def _read_later(platform: Platform, number: int, history: Sequence[Arrival]) -> tuple[list[Told], set[tuple[int, int]]]:
    """
    What a read finds an hour after the last event, and the events of which no read can tell.

    A read finds each record as it is. It cannot tell that something was removed, nor, of a WooCommerce order that was placed,
    what its draft was like.
    """
    newest = _newest(platform, history)
    untold = {place for place, arrival in enumerate(history) if arrival.topic in UNREADABLE}
    if platform.name == "woocommerce":
        untold |= set(newest)
        newest = [len(history) - 1]
    read_at = max((arrival.at for arrival in history if arrival.at is not None), default=BEGIN + timedelta(days=1)) + timedelta(hours=1)
    found = [replace(history[place], at=read_at + timedelta(seconds=place)) for place in newest]
    reads = [Told(number, len(history) + turn, arrival) for turn, arrival in enumerate(found)]
    return reads, {(number, place) for place in untold}


def _records(platform: Platform, arrival: Arrival) -> dict[tuple[str, str], Rank]:
    """The records that a webhook tells a version of, with the rank of that version."""
    context = DeliveryContext(arrival.topic, arrival.at or BEGIN, "FR")
    return {
        (f"{type(event).__name__} {getattr(event, 'stage', '')}", event.platform_id): rank(replace(event, triggered_at=arrival.at))
        for event in platform.parse(context, arrival.body)
        if isinstance(event, Checkout | Customer | Order)
    }


def _newest(platform: Platform, history: Sequence[Arrival]) -> list[int]:
    """The places in a history of those events that tell the newest version of some record."""
    best: dict[tuple[str, str], tuple[Rank, int]] = {}
    for place, arrival in enumerate(history):
        for record, version in _records(platform, arrival).items():
            best[record] = max(best.get(record, (version, place)), (version, place))
    return sorted({place for _, place in best.values()})


def _said(rows: Digest) -> Digest:
    """Only what the platform said of its records, without versions, and without what is computed from all of them."""
    kept = []
    for table, row in rows:
        if table in ("checkouts", "orders", "customers"):
            kept.append((table, json.dumps({k: v for k, v in json.loads(row).items() if k not in DERIVED}, sort_keys=True)))
        elif table in ("checkout_lines", "order_lines", "removals"):
            kept.append((table, row))
    return sorted(kept)


def _compare(tally: Tally, what: str, found: Digest, expected: Digest) -> None:
    """Two tellings of the same histories must have left the same rows; every row that only one has is a violation."""
    if found == expected:
        return
    seen, due = set(found), set(expected)
    tally.violations += [f"{what}: a row too much in {table}: {row[:400]}" for table, row in sorted(seen - due)]
    tally.violations += [f"{what}: a row is missing in {table}: {row[:400]}" for table, row in sorted(due - seen)]
    if seen == due:
        tally.violations.append(f"{what}: the same rows, but {len(found)} and not {len(expected)} of them")


def run_late(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-108."""
    tally, goal, group = Tally(), size.count(LATE, least=500), 0
    with empty_services(directory) as services:
        while tally.trials < goal:
            _tell_late(
                services, PLATFORMS[group % 2], random.Random(f"{seed}:late:{group}"), f"{PLATFORMS[group % 2]} group {group}", tally
            )
            group += 1
        tally.violations += unapplied(services)
    return [tally.row("RL-108", "a newer state is never overwritten by an older one", seed)]


def _tell_late(services: Services, platform: str, choice: random.Random, name: str, tally: Tally) -> None:
    """The newest of each record first, then all older ones one by one; after each nothing may be older than before, or other."""
    if platform == "shopify":
        histories = [shopify_history(number, choice, FORWARD, shortest=6) for number in range(AT_ONCE)]
    else:
        histories = [woo_history(number, choice, pauses=(1, 60)) for number in range(AT_ONCE)]
    newest, late = zip(*(_part(services.platforms[platform], history) for history in histories), strict=True)
    shop = fresh_shop(services, platform)
    tell(services, shop, [arrival for arrivals in newest for arrival in arrivals], [500])
    before, said = versions(services.db, shop.id), _said(digest(services.db, shop.id))
    for arrivals in late:
        choice.shuffle(arrivals)
    for turn in itertools.zip_longest(*late):
        arrivals = [_come_late(arrival, choice, tally) for arrival in turn if arrival is not None]
        keep(services.db, shop, arrivals)
        apply_waiting(services, shop, [choice.choice(BATCHES)])
        tally.trials += len(arrivals)
        before = _watch(services.db, shop, name, before, tally)
        _compare(tally, f"{name}, after older versions", _said(digest(services.db, shop.id)), said)


def _part(platform: Platform, history: Sequence[Arrival]) -> tuple[list[Arrival], list[Arrival]]:
    """The newest event of each record, and all others."""
    newest = _newest(platform, history)
    return [history[place] for place in newest], [arrival for place, arrival in enumerate(history) if place not in newest]


def _come_late(arrival: Arrival, choice: random.Random, tally: Tally) -> Arrival:
    """The same version on its own topic, on a sister topic, or as what a read found, which has no time of its own."""
    kind, _, verb = arrival.topic.partition("/")
    way = choice.choice(("late", "late on another topic", "late from a read"))
    sisters = {"checkouts": ("create", "update"), "carts": ("create", "update"), "orders": ("create", "updated", "paid")}.get(kind, (verb,))
    tally.break_on_purpose(way, 1)
    if way == "late on another topic" and verb:
        return replace(arrival, topic=f"{kind}/{choice.choice([sister for sister in sisters if sister != verb] or [verb])}")
    return replace(arrival, at=None) if way == "late from a read" else arrival


def _watch(db: Database, shop: TestShop, name: str, before: Mapping[str, object], tally: Tally) -> Mapping[str, object]:
    after = versions(db, shop.id)
    tally.violations += [
        f"{name}: {record} went from {version} back to {after.get(record)}"
        for record, version in before.items()
        if record not in after or after[record] < version  # type: ignore[operator]
    ]
    return after


CASES = (Case("histories", ("RL-107",), run_histories, seconds=35), Case("late", ("RL-108",), run_late, seconds=6))
