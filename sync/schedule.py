"""
What runs when. Any number of schedulers may run: everything they do is claimed by rows or safe to do twice.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sync import access, backfill, code_watch, erase, listening, sweep
from sync.services import Services

EXPIRE_SECONDS = 5.0
PRODUCTS_SECONDS = 30.0
CLEAN_SECONDS = 600.0
FORGET_SECONDS = 60.0
WEEKLY_SECONDS = 600.0
LISTEN_SECONDS = 60.0
PRIVACY_SECONDS = 600.0
CODES_SECONDS = 60.0
BACKFILL_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Turn:
    what: Callable[[Services], object]
    every: float
    next_at: float = 0.0


class Scheduler:
    """Looks for due work every tick. Start it in a thread with `run`, end it with `stop`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._stop = threading.Event()
        self._turns = [
            _Turn(sweep.sweep, services.settings.tick_seconds),
            _Turn(sweep.expire, EXPIRE_SECONDS),
            _Turn(sweep.find_products, PRODUCTS_SECONDS),
            _Turn(sweep.clean, CLEAN_SECONDS),
            _Turn(sweep.forget, FORGET_SECONDS),
            _Turn(access.weekly, WEEKLY_SECONDS),
            _Turn(listening.ring, LISTEN_SECONDS),
            _Turn(erase.watch, PRIVACY_SECONDS),
            _Turn(code_watch.look, CODES_SECONDS),
            _Turn(backfill.begin_due, BACKFILL_SECONDS),
        ]

    def run(self) -> None:
        """Work until stopped. A turn that fails is logged and comes round again."""
        while not self._stop.is_set():
            now = time.monotonic()
            for turn in self._turns:
                if now >= turn.next_at:
                    turn.next_at = now + turn.every
                    self._take(turn)
            self._stop.wait(max(0.01, min(turn.next_at for turn in self._turns) - time.monotonic()))

    def stop(self) -> None:
        """End after the current turn."""
        self._stop.set()

    def _take(self, turn: _Turn) -> None:
        try:
            turn.what(self._services)
            if turn.what is sweep.sweep:
                self._services.metrics.sweep_succeeded()
        except Exception as error:
            log.warning("schedule.failed", turn=turn.what.__name__, error=type(error).__name__)
