"""
The doorbell: dramatiq on Redis between processes, or in memory within one. Losing it loses no work, only minutes at most.

Wakes are coalesced: while one for a shop and job has not been answered, another is not queued; the mark is cleared before
the work claims its rows, so no wake is lost.
"""

import threading

import dramatiq
import structlog
from dramatiq import Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AgeLimit, Callbacks, Pipelines, Retries, ShutdownNotifications, TimeLimit

from connector.config import Settings
from connector.store.db import Wake
from sync.actors import declare
from sync.jobs import Job, Queue
from sync.services import Services

HEARTBEAT_MS = 5_000
ALWAYS = 1_000_000
IDLE_MS = 50
MARK_SECONDS = 60

log = structlog.get_logger()


def make_broker(settings: Settings) -> dramatiq.Broker:
    """
    The broker for these settings; opens no connection yet.

    On Redis a dead worker's wakes come back within seconds (short heartbeat, maintenance on every command); dramatiq's own
    defaults took minutes. Retries are off: rows say what is to be done again.
    """
    middleware = [AgeLimit(), TimeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries(max_retries=0)]
    if settings.redis_url is None:
        broker: dramatiq.Broker = StubBroker(middleware=middleware)
    else:
        url = settings.redis_url.get_secret_value()
        broker = RedisBroker(  # type: ignore[no-untyped-call]
            url=url,
            middleware=middleware,
            heartbeat_timeout=HEARTBEAT_MS,
            maintenance_chance=ALWAYS,
            socket_timeout=10,
            socket_connect_timeout=5,
        )
    for queue in Queue:
        broker.declare_queue(queue.value)
    return broker


class Bell:
    """Rings jobs. With `services` it can also answer: declare the actors and run a worker."""

    def __init__(self, broker: dramatiq.Broker, services: Services) -> None:
        self._broker = broker
        self._marks: set[Wake] = set()
        self._lock = threading.Lock()
        self._actors = declare(broker, services, self.clear)

    def ring(self, wake: Wake) -> None:
        """Ask for a job on a shop. Never raises: if the doorbell is out of order the next sweep finds the work."""
        with self._lock:
            if wake in self._marks:
                return
            if self._is_local:
                self._marks.add(wake)
        try:
            self._actors[Job(wake.job)].send(wake.shop_id)
        except Exception as error:
            self.clear(wake)
            log.warning("bell.out_of_order", job=wake.job, error=type(error).__name__)

    def clear(self, wake: Wake) -> None:
        """The wake is being answered: from now on a new one counts."""
        with self._lock:
            self._marks.discard(wake)

    def is_silent(self) -> bool:
        """True if no wake waits in this process."""
        with self._lock:
            return not self._marks

    def worker(self, threads: int) -> Worker:
        """A worker with that many threads; start() and stop() it."""
        return Worker(self._broker, worker_threads=threads, worker_timeout=IDLE_MS)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._broker, StubBroker)
