"""Faults on command: what a pretend store's API does wrong next."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal

Kind = Literal["throttle", "error", "html", "slow"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour; `seconds` is the wait asked for (throttle) or taken (slow), in real seconds."""

    kind: Kind
    status: int = 200
    seconds: float = 0.0


class Faults:
    """A queue of faults; each API call takes at most one. Safe to use from many threads."""

    def __init__(self) -> None:
        self._queue: deque[Fault] = deque()
        self._lock = threading.Lock()

    def throttle_next(self, times: int = 1, seconds: float = 2.0) -> None:
        """The next calls are answered "too many calls"; `seconds` is the wait asked for."""
        self._add(Fault("throttle", 429, seconds), times)

    def fail_next(self, times: int = 1, status: int = 503) -> None:
        """The next calls are answered with a 5xx status."""
        self._add(Fault("error", status), times)

    def html_next(self, times: int = 1, status: int = 200) -> None:
        """The next calls are answered with an HTML page where JSON belongs."""
        self._add(Fault("html", status), times)

    def slow_next(self, times: int = 1, seconds: float = 1.0) -> None:
        """The next calls wait `seconds` before they are answered as usual."""
        self._add(Fault("slow", seconds=seconds), times)

    def take(self) -> Fault | None:
        """The next fault that changes the answer; slowness is waited out here."""
        with self._lock:
            fault = self._queue.popleft() if self._queue else None
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
            return None
        return fault

    def _add(self, fault: Fault, times: int) -> None:
        with self._lock:
            self._queue.extend([fault] * times)
