"""
Going through one of a store's lists by several calls at once, without losing a record while others change, appear and vanish.

Pages are asked for ahead at places that overlap by some records. Each answer is a piece of the list as it was at one moment: all that
stood between its first record and its last. If its first one stands before the last that was passed, nothing can be missing between the
two, whenever they were read; where it does not, records have slipped between, and the walk one page after the other (`walks`) goes
on from the last one passed until the piece joins again. It begins each stretch, too, so a short list costs one call.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise

import msgspec

from connector.platforms import Rejected
from integrations.woocommerce import client, walks
from integrations.woocommerce.ahead import Ahead, Patience
from integrations.woocommerce.calling import Call
from integrations.woocommerce.client import Listed
from integrations.woocommerce.pace import pace_of
from integrations.woocommerce.walks import SECOND, Place, Source, Step

OVERLAP = 3
"""By so many records two pages overlap: as many may vanish between the reading of the two before that is noticed."""
MOST_PATCHES = 3
"""So many pages are read one after the other for a piece to join; then the rest is asked for anew."""
MOST_STRAYS = 6
"""
Where no piece joined, a store is read one page after the other for 2, 4, 8, … pages, at most two to the power of this: it knows no
`offset`, or very many records changed at one instant.
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """A piece of a list: so many records from a place on, counted from 0."""

    offset: int
    size: int

    def is_last(self, found: Listed) -> bool:
        """Whether the list ended with it."""
        return self.offset + self.size >= found.total if found.total is not None else len(found.ids) < self.size


class Stretch:
    """A part of a list that is asked for ahead, by pieces that overlap; `total`: how many there are about, until an answer says it."""

    def __init__(self, call: Call, source: Source, params: Mapping[str, str], offset: int, overlap: int, total: int | None) -> None:
        self._call, self._source, self._params = call, source, params
        self._offset, self._overlap, self._total = offset, overlap, total
        self._is_over = False

    def plan(self) -> Ask | None:
        """The next piece; None if there is none as far as is known."""
        if self._is_over or (self._total is not None and self._offset and self._offset + self._overlap >= self._total):
            return None
        size = min(self._source.most, pace_of(self._call.transport, self._call.access.domain).records)
        ask = Ask(self._offset, size)
        self._offset += size - min(self._overlap, size // 2)
        return ask

    def read(self, ask: Ask) -> Listed:
        """A piece as it is now. Raises PlatformError."""
        asked = {**self._source.params, **self._params, "per_page": str(ask.size), "offset": str(ask.offset)}
        found = client.list_records(self._call, self._source.name, self._source.path, asked, key=self._source.key)
        # Past the end of its orders a store says that there are none at all.
        self._total = found.total if found.total or not ask.offset else self._total
        self._is_over = self._is_over or (found.total is None and ask.is_last(found))
        return found


class Walk(ABC):
    """
    A way through a list, one page after the other: each step's place says where anybody can go on.

    `other`: the list in the words of stores that do not know those of `source`.
    """

    def __init__(self, call: Call, source: Source, other: Source | None = None) -> None:
        self.call, self.source, self._other = call, source, other

    def alone(self, place: Place) -> Step:
        """The next page by itself. Raises PlatformError."""
        try:
            return self.ask(place)
        except Rejected:
            if self._other is None:
                raise
            self.source, self._other = self._other, None
            return self.ask(place)

    @abstractmethod
    def ask(self, place: Place) -> Step:
        """The page that follows a place."""


class AheadWalk(Walk):
    """A way through a list of which parts may be read ahead. What was passed is kept in it."""

    def alone(self, place: Place) -> Step:
        """The next page by itself, as far as it is new. Raises PlatformError."""
        return self.passed(super().alone(place))

    @abstractmethod
    def passed(self, step: Step) -> Step:
        """Note how far this step came; what of it is new."""

    @abstractmethod
    def stretch(self, step: Step) -> Stretch | None:
        """What may be read ahead behind a step; None where only one page after the other is safe."""

    @abstractmethod
    def joins(self, ask: Ask, found: Listed) -> bool:
        """Whether a piece follows what was passed without a gap, and brings something."""

    @abstractmethod
    def is_passed(self, found: Listed) -> bool:
        """Whether all of a piece was passed already."""

    @abstractmethod
    def take(self, place: Place, ask: Ask, found: Listed) -> Step:
        """What a piece that joins brings, and the place behind it."""


class ByNumber(AheadWalk):
    """All records of a list, by number, but for those that changed at or after `until`."""

    def __init__(self, call: Call, source: Source, until: datetime | None = None, other: Source | None = None) -> None:
        super().__init__(call, source, other)
        self._params = walks.numbers(until)
        self._last = ""

    def ask(self, place: Place) -> Step:
        """See `walks.by_id`."""
        return walks.by_id(self.call, self.source, place, self._params)

    def passed(self, step: Step) -> Step:
        """The last number."""
        self._last = step.place.last if step.place else ""
        return step

    def stretch(self, step: Step) -> Stretch | None:
        """From any place behind a record with a number."""
        place = step.place
        if place is None or not place.last or place.tries:
            return None
        return Stretch(self.call, self.source, self._params, max(place.seen - OVERLAP, 0), OVERLAP, step.total)

    def joins(self, ask: Ask, found: Listed) -> bool:
        """Numbers only grow: none is missing if a smaller one or the same stands before the new ones."""
        numbers = [int(one) for one in found.ids if one]
        last = int(self._last)
        return bool(numbers) and numbers[0] <= last < numbers[-1] and all(a < b for a, b in pairwise(numbers))

    def is_passed(self, found: Listed) -> bool:
        """No number in it is larger."""
        last = int(self._last)
        return bool(found.ids) and all(int(one) <= last for one in found.ids if one)

    def take(self, place: Place, ask: Ask, found: Listed) -> Step:
        """What stands behind the last one passed."""
        first = walks.beyond_last(found.ids, self._last, 0) or 0
        last = next(one for one in reversed(found.ids) if one)
        following = msgspec.structs.replace(place, seen=ask.offset + ask.size, last=last, tries=0)
        self._last = last
        return _step(ask, found, following, first)


class ByChange(AheadWalk):
    """Records that changed at or after `since` (a minute more) and before `until`, oldest change first; unchanged ones once."""

    def __init__(
        self, call: Call, source: Source, since: datetime | None, until: datetime | None = None, other: Source | None = None
    ) -> None:
        super().__init__(call, source, other)
        self._since, self._until = since, until
        self._newest: datetime | None = None
        self._site: int | None = None
        self._run = 1
        self._recent: list[dict[str, msgspec.Raw]] = []

    def ask(self, place: Place) -> Step:
        """See `walks.by_change`."""
        return walks.by_change(self.call, self.source, self._since, self._until, place)

    def passed(self, step: Step) -> Step:
        """All before an instant; what comes again just as it was, for pages overlap, is left out."""
        if step.place is not None and step.place.after is not None and not step.place.seen:
            self._newest = step.place.after + SECOND
        self._run = _longest_run([walks.told(head, self.source.tells) for head in step.heads])
        known = [any(page.get(number) == raw for page in self._recent) for number, raw in zip(step.ids, step.records, strict=True)]
        self._recent = [*self._recent[-1:], dict(zip(step.ids, step.records, strict=True))]
        if not any(known):
            return step
        new = [position for position, is_known in enumerate(known) if not is_known]
        return replace(
            step,
            ids=[step.ids[position] for position in new],
            records=[step.records[position] for position in new],
            heads=[step.heads[position] for position in new],
        )

    def stretch(self, step: Step) -> Stretch | None:
        """From an instant before which all is passed, and not where clocks were put back, for there the order is another."""
        place = step.place
        if place is None or place.after is None or place.seen or self.source.is_exact:
            return None
        if place.wary is not None and place.after < place.wary:
            return None
        self._site = place.offset
        left = None if step.total is None else max(step.total - len(step.records), 0) + OVERLAP
        return Stretch(self.call, self.source, walks.span(self.source, place.after, self._until), 0, OVERLAP + self._run, left)

    def joins(self, ask: Ask, found: Listed) -> bool:
        """
        The first changed before the last one passed: of one instant, others may stand on either side of it.

        The first piece of a stretch holds all from its instant on.
        """
        times = self._times(found)
        if not times or self._newest is None or times[-1] <= self._newest:
            return False
        return ask.offset == 0 or times[0] < self._newest

    def is_passed(self, found: Listed) -> bool:
        """All changed before the last one passed."""
        times = self._times(found)
        return bool(times) and self._newest is not None and times[-1] < self._newest

    def take(self, place: Place, ask: Ask, found: Listed) -> Step:
        """What was not passed yet, or looks different now."""
        newest = self._times(found)[-1]
        following = Place(part=place.part, after=newest - SECOND, offset=place.offset, wary=place.wary)
        step = _step(ask, found, following)
        if self._until is not None and newest >= self._until:
            step = replace(step, place=None)
        return self.passed(step)

    def _times(self, found: Listed) -> list[datetime]:
        """When each changed; [] where that cannot be trusted: out of order, or site time is not as far ahead as it was."""
        times = [at for head in found.heads if (at := walks.told(head, self.source.tells)) is not None]
        is_even = all(walks.offset_of(head) == self._site for head in found.heads)
        return times if is_even and len(times) == len(found.heads) and all(a <= b for a, b in pairwise(times)) else []


class NewestFirst(Walk):
    """Customers who registered at or after `since` (a minute more), one page after the other."""

    def __init__(self, call: Call, source: Source, since: datetime) -> None:
        super().__init__(call, source)
        self._since = since

    def ask(self, place: Place) -> Step:
        """See `walks.newest_first`."""
        return walks.newest_first(self.call, self.source, self._since, place)


def steps(walk: Walk, place: Place, patience: Patience) -> Iterator[Step]:
    """
    All that follows a place, as fast as the store bears. Raises PlatformError; then the last step's place is where to go on.

    Closing the iterator ends the reading ahead.
    """
    strays = alone = 0
    while True:
        step = _alone(walk, place, patience)
        yield step
        if step.place is None:
            return
        place, alone = step.place, alone + 1
        if not isinstance(walk, AheadWalk) or alone < 2**strays or (stretch := walk.stretch(step)) is None:
            continue
        reached, joined = yield from _abreast(walk, place, stretch, patience)
        if reached is None:
            return
        place, alone, strays = reached, 0, 0 if joined else min(strays + 1, MOST_STRAYS)


def _abreast(walk: AheadWalk, place: Place, stretch: Stretch, patience: Patience) -> Generator[Step, None, tuple[Place | None, bool]]:
    """A stretch as far as it holds: where it ended, None if that is the end of all, and whether any piece behind its first joined."""
    joined, idle = False, 0
    with Ahead(pace_of(walk.call.transport, walk.call.access.domain), stretch.plan, stretch.read, patience) as pieces:
        for ask, found in pieces:
            patches = 0
            while not walk.joins(ask, found) and not walk.is_passed(found):
                if patches >= MOST_PATCHES:
                    return place, joined
                step, patches = _alone(walk, place, patience), patches + 1
                yield step
                if step.place is None:
                    return None, joined
                place = step.place
            if walk.is_passed(found):
                idle += 1
                if idle >= MOST_PATCHES:
                    return place, joined
                continue
            step, joined, idle = walk.take(place, ask, found), joined or ask.offset > 0, 0
            yield step
            if step.place is None:
                return None, joined
            place = step.place
    return place, joined


def _alone(walk: Walk, place: Place, patience: Patience) -> Step:
    return patience.ask(lambda: walk.alone(place))


def _step(ask: Ask, found: Listed, following: Place, first: int = 0) -> Step:
    is_last = ask.is_last(found)
    return Step(
        found.records[first:], found.ids[first:], found.heads[first:], None if is_last else following, found.answered_at, found.total
    )


def _longest_run(times: Sequence[datetime | None]) -> int:
    """How many records at most changed at the same instant, one after the other."""
    return max((sum(1 for _ in group) for _, group in groupby(times)), default=1)
