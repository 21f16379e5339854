"""
How many points a shop still takes from us, kept in this process; and what each of our calls costs, as learnt from its answers.

Reckoned like Shopify's own bucket: a call's requested cost is set aside before it is sent, and what it did not use comes back with
its answer. So several callers of one shop never count on the same points. The estimate is never raised by an answer: the calls that
are still under way are missing from what the answer says.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ASSUMED_MAXIMUM, ASSUMED_PER_SECOND = 1000.0, 50.0
"""Until a shop's first answer: the smallest bucket that is known of."""
ASSUMED_COST = 50.0
DEAREST = 1000.0
"""One query may cost no more."""
MOST_REMEMBERED = 512
MOST_KEYS = 10_000


@dataclass(slots=True)
class _Bucket:
    """A shop's points at an instant of this process's own clock."""

    available: float
    maximum: float
    per_second: float
    at: float

    def refill(self, now: float) -> None:
        self.available = min(self.maximum, self.available + max(0.0, now - self.at) * self.per_second)
        self.at = max(self.at, now)


class LocalBudget:
    """A Budget for one process; several processes that call one shop need the one in the database. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def reserve(self, key: str, points: float) -> float:
        """Set `points` aside; returns the seconds until the bucket holds them, 0 for the first call of all."""
        with self._lock:
            bucket = self._bucket(key)
            bucket.available -= points
            return max(0.0, -bucket.available) / bucket.per_second

    def give_back(self, key: str, points: float) -> None:
        """Points that were set aside and not used; below zero: more were used than set aside."""
        with self._lock:
            bucket = self._bucket(key)
            bucket.available = min(bucket.maximum, bucket.available + points)

    def learn(self, key: str, available: float, maximum: float, per_second: float) -> None:
        """What the platform says of its bucket; a bucket larger than assumed was larger from the start."""
        if maximum <= 0 or per_second <= 0:
            return
        with self._lock:
            bucket = self._bucket(key)
            bucket.available = min(bucket.available + maximum - bucket.maximum, available)
            bucket.maximum, bucket.per_second = maximum, per_second

    def _bucket(self, key: str) -> _Bucket:
        now = self._monotonic()
        if key not in self._buckets:
            if len(self._buckets) >= MOST_KEYS:
                # The one that was not used for longest has long been full again.
                del self._buckets[min(self._buckets, key=lambda one: self._buckets[one].at)]
            self._buckets[key] = _Bucket(ASSUMED_MAXIMUM, ASSUMED_MAXIMUM, ASSUMED_PER_SECOND, now)
        bucket = self._buckets[key]
        bucket.refill(now)
        return bucket


class CallCosts:
    """
    What each document is reckoned to cost before it runs: what Shopify said the last time, at first what a table says.

    The size of the question counts too: how many are asked for, or how many ids are given.
    """

    def __init__(self, table: Mapping[str, float]) -> None:
        self._table = table
        self._learnt: dict[tuple[str, str], float] = {}

    def expect(self, document: str, variables: Mapping[str, Any]) -> float:
        """The points to set aside."""
        return self._learnt.get((document, _size(variables))) or self._table.get(document, ASSUMED_COST)

    def learn(self, document: str, variables: Mapping[str, Any], requested: float) -> None:
        """What Shopify reckoned."""
        # What cannot be is no lesson: points of nothing would send calls at once, too many would never send one.
        if 0 < requested <= DEAREST and (len(self._learnt) < MOST_REMEMBERED or (document, _size(variables)) in self._learnt):
            self._learnt[document, _size(variables)] = requested


def _size(variables: Mapping[str, Any]) -> str:
    """All numbers among the variables and the lengths of all lists."""
    sizes = ((name, len(value) if isinstance(value, list) else value) for name, value in sorted(variables.items()))
    return ",".join(f"{name}={size}" for name, size in sizes if isinstance(size, int) and not isinstance(size, bool))
