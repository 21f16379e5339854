"""
What pretend stores do wrong: one vocabulary for what they send and for what they answer, on command or at random by seed.

README.md beside this file has the table of all kinds.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from connector.errors import ConnectorError


class Kind(StrEnum):
    """One way to misbehave. A word means the same in both directions as far as it can."""

    REPEAT = "repeat"
    REORDER = "reorder"
    AGAIN = "again"
    DELAY = "delay"
    DROP = "drop"
    SLOW = "slow"
    TRUNCATE = "truncate"
    SHORT = "short"
    LOSE = "lose"
    THROTTLE = "throttle"
    REFUSE = "refuse"
    ERROR = "error"
    HTML = "html"
    EMPTY = "empty"
    SHAPE = "shape"


DAY = 86_400.0
DELIVERIES: Mapping[Kind, float] = MappingProxyType(
    {
        Kind.REPEAT: 0.0,
        Kind.REORDER: 0.0,
        Kind.AGAIN: 3 * DAY,
        Kind.DELAY: 2400.0,
        Kind.DROP: 0.0,
        Kind.SLOW: 0.5,
        Kind.TRUNCATE: 0.0,
    }
)
"""What a webhook can suffer, with its usual seconds: AGAIN and DELAY on the virtual clock, SLOW in real ones."""
ANSWERS: Mapping[Kind, float] = MappingProxyType(
    {
        Kind.THROTTLE: 2.0,
        Kind.REFUSE: 0.0,
        Kind.DROP: 0.0,
        Kind.LOSE: 0.0,
        Kind.DELAY: 1.0,
        Kind.SLOW: 1.0,
        Kind.ERROR: 0.0,
        Kind.HTML: 0.0,
        Kind.TRUNCATE: 0.0,
        Kind.SHORT: 0.0,
        Kind.EMPTY: 0.0,
        Kind.SHAPE: 0.0,
    }
)
"""What an API call can suffer, with its usual real seconds; THROTTLE only asks for them."""
PASSING = frozenset(ANSWERS) - {Kind.REFUSE}
"""Answers after which the same call may succeed; REFUSE means that somebody took our rights away."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour. `status` None: the usual one. `number` chooses between variants of a kind; 0 is the usual one."""

    kind: Kind
    seconds: float = 0.0
    status: int | None = None
    number: int = 0


class Faults:
    """
    The faults of one store in one direction; each call or delivery takes at most one. Safe to use from many threads.

    Commands come first, in their order; without one the dice decide, if at_random() was called.
    """

    def __init__(self, usual: Mapping[Kind, float]) -> None:
        self._usual = usual
        self._queue: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        self._injected: Counter[Kind] = Counter()
        self._chance = 0.0
        self._kinds: tuple[Kind, ...] = ()
        self._seed = 0
        self._pace = 1.0
        self._calls: Counter[str] = Counter()

    def spoil_next(
        self, kind: Kind, times: int = 1, *, after: int = 0, seconds: float | None = None, status: int | None = None, number: int = 0
    ) -> None:
        """
        The next calls (or deliveries) suffer this, `after` so many that go well; status and number choose variants.

        Raises ConnectorError for a kind that does not occur in this direction.
        """
        self._check([kind])
        fault = Fault(kind, self._usual[kind] if seconds is None else seconds, status, number)
        with self._lock:
            self._queue.extend([None] * after + [fault] * times)

    def throttle_next(self, times: int = 1, seconds: float = 2.0, status: int | None = None) -> None:
        """Answered "too many calls"; `seconds` is the wait asked for, 429 a status that Shopify's GraphQL gives only rarely."""
        self.spoil_next(Kind.THROTTLE, times, seconds=seconds, status=status)

    def refuse_next(self, times: int = 1, status: int | None = None) -> None:
        """Answered as if our credentials had been revoked (401) or lost their right (403)."""
        self.spoil_next(Kind.REFUSE, times, status=status)

    def fail_next(self, times: int = 1, status: int = 503) -> None:
        """Answered with a 5xx: 500 in the platform's own words, the others as a proxy's HTML page."""
        self.spoil_next(Kind.ERROR, times, status=status)

    def html_next(self, times: int = 1, status: int = 200) -> None:
        """Answered with an HTML page where JSON belongs."""
        self.spoil_next(Kind.HTML, times, status=status)

    def delay_next(self, times: int = 1, seconds: float = 1.0) -> None:
        """Answered as usual, but `seconds` late (a delivery: on the virtual clock)."""
        self.spoil_next(Kind.DELAY, times, seconds=seconds)

    def slow_next(self, times: int = 1, seconds: float = 1.0) -> None:
        """The body comes in many small pieces, the last one after `seconds`."""
        self.spoil_next(Kind.SLOW, times, seconds=seconds)

    def at_random(self, chance: float, kinds: Iterable[Kind], seed: int, pace: float = 1.0) -> None:
        """
        From now on each call suffers one of `kinds` with this `chance` from 0 to 1; `pace` multiplies their usual seconds.

        Repeatable: what the n-th call of a name suffers depends on seed, name and n alone, whatever other threads call meanwhile.
        """
        chosen = tuple(sorted(set(kinds)))
        self._check(chosen)
        with self._lock:
            self._chance, self._kinds, self._seed, self._pace = chance, chosen, seed, pace
            self._calls.clear()

    def stop(self) -> None:
        """No more faults, neither at random nor those still commanded. What was counted stays counted."""
        with self._lock:
            self._chance = 0.0
            self._queue.clear()

    @property
    def counts(self) -> dict[str, int]:
        """How many were injected so far, by kind."""
        with self._lock:
            return {kind.value: number for kind, number in sorted(self._injected.items())}

    def count(self, kind: Kind) -> None:
        """One more was injected, decided elsewhere."""
        with self._lock:
            self._injected[kind] += 1

    def take(self, name: str) -> Fault | None:
        """What the next call (or delivery) of this name suffers, if anything."""
        with self._lock:
            fault = self._queue.popleft() if self._queue else self._draw(name)
            if fault is not None:
                self._injected[fault.kind] += 1
        return fault

    def _draw(self, name: str) -> Fault | None:
        if not self._kinds or self._chance <= 0:
            return None
        self._calls[name] += 1
        dice = random.Random(f"{self._seed}:{name}:{self._calls[name]}")  # noqa: S311 - repeatable on purpose
        if dice.random() >= self._chance:
            return None
        kind = dice.choice(self._kinds)
        return Fault(kind, self._usual[kind] * self._pace, number=dice.randrange(1000))

    def _check(self, kinds: Iterable[Kind]) -> None:
        strange = [kind.value for kind in kinds if kind not in self._usual]
        if strange:
            raise ConnectorError(f"these faults do not occur here: {', '.join(strange)}; possible are {', '.join(sorted(self._usual))}")
