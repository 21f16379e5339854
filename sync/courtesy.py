"""
Who syncs makes room for what cannot wait.

Threads of one process share the interpreter, and a sync wants it all the time: a delivery or an e-mail in between would wait for its
turn again and again. So a sync rests after each batch during which its process had other work in hand, longer than the batch took. How
many shops wait in other processes does not matter: they have their own interpreters.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 3.0
"""A rest is so many times as long as the batch before it: a quarter of the time is the sync's while there is other work, all of it else."""
LONGEST_SECONDS = 1.0
"""Long enough for others, and far shorter than a lease."""


class Courtesy:
    """What work other than syncing this process has in hand, and had lately. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_hand = 0
        self._begun = 0

    @contextmanager
    def other_work(self) -> Iterator[None]:
        """Inside the block there is work that a sync makes room for."""
        with self._lock:
            self._in_hand += 1
            self._begun += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_hand -= 1

    def begun(self) -> int:
        """How much other work was begun until now: what to compare with later."""
        with self._lock:
            return self._begun

    def rest(self, since: int, seconds: float) -> float:
        """Seconds to rest after a batch that took `seconds` and before which so much had been begun; 0 if there was no other work."""
        with self._lock:
            is_alone = not self._in_hand and self._begun == since
        return 0.0 if is_alone else min(SHARE * seconds, LONGEST_SECONDS)
