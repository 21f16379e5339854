"""How a process leaves: told once, in its own time; told twice, at once. All of it fits into half a minute."""

import threading
import time

LONGEST_SECONDS = 28.0
"""From the signal to the exit; supervisors kill after thirty."""


class Departure:
    """Whether this process was told to end, and how much of its time is left."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._at = 0.0

    @property
    def has_begun(self) -> bool:
        """True once it was told."""
        return self._told.is_set()

    def begin(self) -> None:
        """Tell it. Safe in a signal handler; only the first time counts."""
        if not self._told.is_set():
            self._at = time.monotonic()
            self._told.set()

    def wait(self) -> None:
        """Sleep until it is told."""
        self._told.wait()

    def elapsed(self) -> float:
        """Seconds since it was told; 0 before."""
        return time.monotonic() - self._at if self._told.is_set() else 0.0

    def left(self, most: float) -> float:
        """Seconds that a step of leaving may take: `most`, or what is left of all; always a little."""
        return max(0.5, min(most, LONGEST_SECONDS - self.elapsed()))
