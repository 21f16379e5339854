"""
Who asked to be left alone, and until when.

A platform that is asked too often says how long to wait. Until then nobody in this process asks it again for that shop; then
the work is rung for. No thread waits meanwhile. All of it is forgotten with the process: rows say what is to be done, and the
sweep finds it.
"""

import threading
import time
from collections.abc import Callable

from connector.store.db import Wake

SHORTEST_SECONDS = 0.1
LONGEST_SECONDS = 600.0
"""Whoever asks for more is asked again after this: work does not rest for hours because of one answer."""


class Pauses:
    """Work that rests. Thread-safe; `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[Wake, float] = {}

    def pause(self, wake: Wake, seconds: float) -> None:
        """Let this work rest for so long, within bounds; a second pause never shortens the first."""
        end = self._clock() + min(max(seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
        with self._lock:
            self._until[wake] = max(end, self._until.get(wake, end))

    def is_paused(self, wake: Wake) -> bool:
        """True until its time has come."""
        with self._lock:
            return self._until.get(wake, 0.0) > self._clock()

    def take_over(self) -> list[Wake]:
        """The work whose time has come, the longest waiting first; each is told once."""
        now = self._clock()
        with self._lock:
            over = sorted((wake for wake, end in self._until.items() if end <= now), key=self._until.__getitem__)
            for wake in over:
                del self._until[wake]
        return over
