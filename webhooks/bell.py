"""The bell: wakes shops from a thread of its own, so that a slow queue never holds up a delivery."""

import threading
import time
from collections.abc import Callable, Set
from queue import SimpleQueue

import structlog

STOP_SECONDS = 5.0
REST_SECONDS = 0.02

log = structlog.get_logger()


class Bell:
    """Calls `wake(shop_id)`. Shops that are rung again before their turn came are woken once; a failing wake is only logged."""

    def __init__(self, wake: Callable[[int], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._due: set[int] = set()
        self._signal: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="bell", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wake what is still due, then end; waits five seconds at most."""
        self._signal.put(False)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def ring(self, shop_ids: Set[int]) -> None:
        """Wake these shops soon; never blocks."""
        with self._lock:
            is_first = not self._due
            self._due |= shop_ids
        if is_first and shop_ids:
            self._signal.put(True)

    def _work(self) -> None:
        while self._signal.get():
            with self._lock:
                due, self._due = self._due, set()
            for shop_id in sorted(due):
                try:
                    self._wake(shop_id)
                except Exception as error:
                    log.warning("wake.failed", shop_id=shop_id, error=type(error).__name__)
            # Under load a thread that woke up after every commit would take the interpreter from the door.
            time.sleep(REST_SECONDS)
