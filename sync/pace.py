"""
Breathing: after a drain a shop rests as long as the drain took, a tenth of a second at most, so that the next one finds more.

A drain costs much the same for one delivery as for fifty. Without a rest a worker that keeps up drains ever smaller batches and
takes the processor from the door; with it a busy machine makes larger ones by itself. Alone on a quiet machine it is a few
milliseconds, and a shop that had to wait in line anyway does not rest at all.
"""

import threading
import time

LONGEST_SECONDS = 0.1
MOST_SHOPS = 10_000


class Pace:
    """When each shop was drained in this process. Thread-safe."""

    def __init__(self) -> None:
        self._rested_at: dict[int, float] = {}
        self._lock = threading.Lock()

    def wait(self, shop_id: int) -> None:
        """Wait until the shop has rested."""
        with self._lock:
            left = self._rested_at.get(shop_id, 0.0) - time.monotonic()
        if left > 0:
            time.sleep(left)

    def note(self, shop_id: int, seconds: float) -> None:
        """A drain that took so long has ended."""
        now = time.monotonic()
        with self._lock:
            if len(self._rested_at) >= MOST_SHOPS:
                self._rested_at = {shop: at for shop, at in self._rested_at.items() if at > now}
            self._rested_at[shop_id] = now + min(seconds, LONGEST_SECONDS)
