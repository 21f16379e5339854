"""
How hard each store is asked: so many calls at once, pages of so many records, as `steering` judges it.

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
from integrations.woocommerce.steering import LEAST_RECORDS, Answered, Steering

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
        self._singles = 0
        self._steering = Steering()

    @property
    def at_once(self) -> int:
        """How many calls may run at the same time."""
        return self._steering.at_once

    @property
    def records(self) -> int:
        """How many records a page should hold."""
        return self._steering.records

    def run(self, call: str, send: Callable[[], Answer], records: int = 0, *, kind: str = "", is_read: bool = True) -> Answer:
        """
        Send when it is this call's turn, and learn from how long it took.

        `records`: how many at most the answer holds, if it is a page; pages of one `kind` are alike and take about the same time.

        Pages let single records go first: somebody waits for these. Writes may take their time: what a store does then (mails, pings)
        says nothing of how busy it is. Raises ThrottledError if the turn does not come, and whatever `send` raises.
        """
        records = records if records >= LEAST_RECORDS else 0
        beside = self._begin(call, is_page=records > 0)
        began, status = self._now(), 0
        try:
            answer = send()
            status = answer.status
        except TransientError:
            status = 599
            raise
        finally:
            self._end(Answered(status, began, self._now() - began if is_read else 0.0, kind or call, records, beside))
        return answer

    def _begin(self, call: str, *, is_page: bool) -> int:
        with self._condition:
            self._singles += not is_page
            try:
                is_free = self._condition.wait_for(
                    lambda: self._running < self._steering.at_once and not (is_page and self._singles), self._wait_seconds
                )
            finally:
                self._singles -= not is_page
            if not is_free:
                raise ThrottledError("the store is busy with our own calls", platform=PLATFORM, call=call, retry_after=self._wait_seconds)
            self._running += 1
            self._condition.notify_all()
            return self._running

    def _end(self, answer: Answered) -> None:
        with self._condition:
            self._running -= 1
            self._steering.note(answer)
            self._condition.notify_all()


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
