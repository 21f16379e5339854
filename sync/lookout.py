"""
Workers that cannot hear the bell look for work themselves: without Redis everything goes on, a second later.

They also ring for what rested because a platform asked for that.
"""

import threading
from collections.abc import Callable

import structlog

from connector.store.db import Wake
from sync import actors, sweep
from sync.services import Services

LOOK_SECONDS = 1.0

log = structlog.get_logger()


class Lookout:
    """
    Start it in a thread of a worker process with `run`, end it with `stop`.

    `can_hear`: whether rings reach this process; `ring`: asks for work, and never raises.
    """

    def __init__(self, services: Services, can_hear: Callable[[], bool], ring: Callable[[Wake], None]) -> None:
        self._services = services
        self._can_hear = can_hear
        self._ring = ring
        self._stop = threading.Event()

    def run(self) -> None:
        """Look once a second; while the bell cannot be heard do what is due, shop by shop."""
        was_heard = True
        while not self._stop.wait(LOOK_SECONDS):
            is_heard = self._can_hear()
            if is_heard != was_heard:
                log.warning("bell.back" if is_heard else "bell.silent")
            was_heard = is_heard
            for wake in self._services.pauses.take_over():
                self._ring(wake)
            if not is_heard:
                self._do_what_is_due()

    def stop(self) -> None:
        """End after the current shop."""
        self._stop.set()

    def _do_what_is_due(self) -> None:
        try:
            due = sweep.find_due(self._services)
        except Exception as error:
            log.warning("lookout.failed", error=type(error).__name__)
            return
        for job, shop_id in due:
            if self._stop.is_set():
                return
            try:
                actors.WORK[job](self._services, shop_id)
            except Exception as error:
                log.warning("job.failed", job=job.value, shop_id=shop_id, error=type(error).__name__)
