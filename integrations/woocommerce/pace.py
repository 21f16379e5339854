"""
How hard each store is asked: so many calls at once, pages of so many records.

Both fall when a store answers slowly, with 5xx or 429, or not at all, and rise again while it answers quickly: a small server that
sells must not be slowed down by us. Kept in memory, beside the transport through which a store is called.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

from connector.platforms import ThrottledError, TransientError
from integrations.transport import Answer, Transport
from integrations.woocommerce.payloads import PLATFORM

MOST_AT_ONCE, FIRST_AT_ONCE = 4, 2
MOST_RECORDS, LEAST_RECORDS = 100, 10
"""A page: WooCommerce's own maximum (101 is answered 400), and so few that no server is troubled by them."""
SLOW_SECONDS, QUICK_SECONDS = 5.0, 2.0
QUICK_CALLS, QUICK_PAGES = 4, 2
"""So many quick answers in a row let the pace rise."""
MORE_RECORDS = 20
WAIT_SECONDS = 30.0
"""So long a call waits for its turn."""
T = TypeVar("T")
R = TypeVar("R")


class Pace:
    """What one store bears at present. Thread-safe."""

    def __init__(self, now: Callable[[], float] = time.monotonic, wait_seconds: float = WAIT_SECONDS) -> None:
        self._now = now
        self._wait_seconds = wait_seconds
        self._condition = Condition()
        self._running = 0
        self._at_once = FIRST_AT_ONCE
        self._records = MOST_RECORDS
        self._quick_calls = 0
        self._quick_pages = 0

    @property
    def at_once(self) -> int:
        """How many calls may run at the same time."""
        return self._at_once

    @property
    def records(self) -> int:
        """How many records a page should hold."""
        return self._records

    def run(self, call: str, send: Callable[[], Answer], records: int = 0, *, is_read: bool = True) -> Answer:
        """
        Send when it is this call's turn, and learn from how long it took. `records`: how many at most the answer holds, if it is a page.

        Writes may take their time: what a store does then (mails, pings) says nothing of how busy it is.
        Raises ThrottledError if the turn does not come, and whatever `send` raises.
        """
        self._begin(call)
        began, status = self._now(), 0
        try:
            answer = send()
            status = answer.status
        except TransientError:
            status = 599
            raise
        finally:
            self._end(status, self._now() - began if is_read else 0.0, records)
        return answer

    def _begin(self, call: str) -> None:
        with self._condition:
            if not self._condition.wait_for(lambda: self._running < self._at_once, self._wait_seconds):
                raise ThrottledError("the store is busy with our own calls", platform=PLATFORM, call=call, retry_after=self._wait_seconds)
            self._running += 1

    def _end(self, status: int, seconds: float, records: int) -> None:
        with self._condition:
            self._running -= 1
            if status >= 500 or status in (429, 430):
                self._fall(self._at_once // 2, self._records // 2)
            elif seconds >= SLOW_SECONDS:
                self._fall(self._at_once - 1, self._records * 3 // 4 if records else self._records)
            elif status and seconds <= QUICK_SECONDS:
                self._rise(records)
            self._condition.notify_all()

    def _fall(self, at_once: int, records: int) -> None:
        self._at_once, self._records = max(at_once, 1), max(records, LEAST_RECORDS)
        self._quick_calls = self._quick_pages = 0

    def _rise(self, records: int) -> None:
        self._quick_calls += 1
        if self._quick_calls >= QUICK_CALLS:
            self._at_once, self._quick_calls = min(self._at_once + 1, MOST_AT_ONCE), 0
        # Small answers say nothing of how long large ones take. Walks ask for a little less than a page.
        if records * 2 > self._records:
            self._quick_pages += 1
            if self._quick_pages >= QUICK_PAGES:
                self._records, self._quick_pages = min(self._records + MORE_RECORDS, MOST_RECORDS), 0


_paces: "WeakKeyDictionary[Transport, dict[str, Pace]]" = WeakKeyDictionary()
_lock = Lock()


def pace_of(transport: Transport, domain: str) -> Pace:
    """The pace of the store at this address, the same for all who call it through one transport."""
    with _lock:
        return _paces.setdefault(transport, {}).setdefault(domain, Pace())


def side_by_side(pace: Pace, things: Iterable[T], do: Callable[[T], R]) -> Iterator[R]:
    """Do the same with each thing, as many at once as the store bears; the outcomes in the order of the things. The first error ends it."""
    wanted = list(things)
    if len(wanted) < 2 or pace.at_once < 2:
        yield from map(do, wanted)
        return
    with ThreadPoolExecutor(min(len(wanted), pace.at_once), "woocommerce") as pool:
        try:
            yield from pool.map(do, wanted)
        finally:
            pool.shutdown(cancel_futures=True)
