"""What the driver knows of its own requests: acknowledged, failed, or nobody knows."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.chaos.posts import Post

Outcome = Literal["ok", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: `failed` was refused or answered 4xx/5xx, `unknown` was cut or timed out after it had been sent."""

    number: int
    key: bytes
    outcome: Outcome
    seconds: float
    status: int
    ended_at: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What an acknowledged delivery must have left: the digest of its body, and the row it speaks of (kind, platform id)."""

    digest: bytes
    entity: tuple[str, str] | None


class Ledger:
    """
    All attempts, in memory and (with `path`) line by line on disk. Thread-safe.

    A key is `ok` once one of its attempts was; else `unknown` once one of them was; else `failed`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.attempts: list[Attempt] = []
        self.expected: dict[bytes, Expected] = {}
        self._best: dict[bytes, Outcome] = {}
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8") if path is not None else None

    def expect(self, post: Post) -> None:
        """Remember what a post carries, before it is sent for the first time."""
        with self._lock:
            self.expected[post.key] = Expected(hashlib.sha256(post.body).digest(), post.entity)

    def note(self, number: int, key: bytes, outcome: Outcome, seconds: float, status: int = 0) -> None:
        """One attempt has ended. `status` 0: there was no answer."""
        attempt = Attempt(number, key, outcome, seconds, status, time.monotonic())
        with self._lock:
            self.attempts.append(attempt)
            if _rank(outcome) > _rank(self._best.get(key)):
                self._best[key] = outcome
            if self._file is not None:
                line = {"number": number, "key": key.hex(), "outcome": outcome, "seconds": round(seconds, 4), "status": status}
                self._file.write(json.dumps(line) + "\n")
                self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def ok(self) -> set[bytes]:
        """Keys that were acknowledged."""
        return self._keys("ok")

    @property
    def failed(self) -> set[bytes]:
        """Keys that were refused each time they were sent."""
        return self._keys("failed")

    @property
    def unknown(self) -> set[bytes]:
        """Keys that were never acknowledged and may have been kept nevertheless."""
        return self._keys("unknown")

    def counts(self) -> dict[str, int]:
        """Attempts by outcome."""
        with self._lock:
            found = {"ok": 0, "failed": 0, "unknown": 0}
            for attempt in self.attempts:
                found[attempt.outcome] += 1
            return found

    def p99(self) -> float:
        """Seconds within which 99 of 100 answered attempts were answered; 0 without any."""
        times = sorted(self._times("ok"))
        return times[min(len(times) - 1, int(len(times) * 0.99))] if times else 0.0

    def longest(self) -> float:
        """Seconds that the longest attempt took, however it ended; 0 without any."""
        return max(self._times(None), default=0.0)

    def _keys(self, outcome: Outcome) -> set[bytes]:
        with self._lock:
            return {key for key, best in self._best.items() if best == outcome}

    def _times(self, outcome: Outcome | None) -> list[float]:
        with self._lock:
            return [attempt.seconds for attempt in self.attempts if outcome is None or attempt.outcome == outcome]


def _rank(outcome: Outcome | None) -> int:
    return 0 if outcome is None else ("failed", "unknown", "ok").index(outcome) + 1
