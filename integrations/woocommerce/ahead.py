"""
Reading ahead: several calls of one store at once, as many as it bears, their answers in the order asked.

What is read and not taken yet is bounded, so memory stays as it is however long the list. A store that asks us to wait, or fails for
a moment, is asked for the same again after a while; what lasts longer is raised where the answer would have been.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Generic, TypeVar

from connector.platforms import ThrottledError, TransientError
from integrations.woocommerce.pace import Pace

SPARE = 4
"""So many answers may wait for an earlier one, or to be taken, beside as many as run."""
LOOK_SECONDS = 0.5
A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often the same is asked for again, after which first wait (doubled each time), and how long a store's own word is heeded."""

    tries: int = 3
    first_seconds: float = 1.0
    longest_seconds: float = 10.0

    def ask(self, read: Callable[[], R], stopping: Event | None = None, rest: Callable[[float], None] = lambda seconds: None) -> R:
        """What `read` gives at last; `rest` is told of each wait, `stopping` ends it. Raises what was raised last."""
        stopping = stopping or Event()
        for tried in count(1):
            try:
                return read()
            except TransientError as error:
                wait = error.retry_after if isinstance(error, ThrottledError) else self.first_seconds * 2 ** (tried - 1)
                if tried >= self.tries or wait > self.longest_seconds:
                    raise
                rest(wait)
                if stopping.wait(wait):
                    raise
        raise AssertionError


PATIENCE = Patience()


class Ahead(Generic[A, R]):
    """
    Iterate over it within its context: pairs of what was asked and what came. Leaving the context ends it; nobody waits for calls that run.

    `plan`: what to ask next, None for nothing at present; called by one thread at a time. `read`: ask it.
    """

    def __init__(self, pace: Pace, plan: Callable[[], A | None], read: Callable[[A], R], patience: Patience) -> None:
        self._pace, self._plan, self._read, self._patience = pace, plan, read, patience
        self._changed = Condition()
        self._stopping = Event()
        self._ready: dict[int, tuple[A, R | Exception]] = {}
        self._begun = self._taken = self._running = 0
        self._rest_until = 0.0

    def __enter__(self) -> "Ahead[A, R]":
        with self._changed:
            self._begin_more()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[tuple[A, R]]:
        while True:
            with self._changed:
                self._begin_more()
                while self._taken not in self._ready:
                    if self._taken == self._begun and not self._is_resting():
                        return
                    self._changed.wait(LOOK_SECONDS)
                    self._begin_more()
                asked, found = self._ready.pop(self._taken)
                self._taken += 1
            if isinstance(found, Exception):
                raise found
            yield asked, found

    def _begin_more(self) -> None:
        while (number := self._next()) is not None:
            Thread(target=self._work, args=number, name="woocommerce", daemon=True).start()

    def _next(self) -> tuple[int, A] | None:
        """What to ask now and its number, if the store bears one call more and not too much waits to be taken."""
        at_once = self._pace.at_once
        if self._stopping.is_set() or self._is_resting() or self._running >= at_once or self._begun - self._taken >= at_once + SPARE:
            return None
        asked = self._plan()
        if asked is None:
            return None
        number = self._begun
        self._begun += 1
        self._running += 1
        return number, asked

    def _work(self, number: int, asked: A) -> None:
        following: tuple[int, A] | None = (number, asked)
        while following is not None:
            number, asked = following
            found: R | Exception
            try:
                found = self._patience.ask(partial(self._read, asked), self._stopping, self._rest)
            except Exception as error:
                found = error
            with self._changed:
                self._ready[number] = asked, found
                self._running -= 1
                following = self._next()
                self._begin_more()
                self._changed.notify_all()

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._rest_until = max(self._rest_until, time.monotonic() + seconds)

    def _is_resting(self) -> bool:
        return time.monotonic() < self._rest_until
