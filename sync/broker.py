"""
The doorbell: dramatiq on Redis between processes, or in memory within one. Losing it loses no work: rows say what is to be done.

Wakes are coalesced: while one for a shop and job has not been answered, another is not queued; the mark is cleared before
the work claims its rows, so no wake is lost. Between processes the marks lie in Redis and vanish after seconds, so that a
wake that got lost there, or died with its worker, holds up the next one no longer than that.
"""

import threading
import time

import dramatiq
import redis
import structlog
from dramatiq import Consumer, Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Callbacks, Pipelines, Retries, ShutdownNotifications, TimeLimit

from connector.config import Settings
from connector.store.db import Wake
from sync.actors import declare
from sync.hearing import CHANNEL, Hearing, HearingConsumer
from sync.jobs import QUEUE_OF, Job, Queue
from sync.lookout import Lookout
from sync.services import Services

HEARTBEAT_MS = 5_000
ALWAYS = 1_000_000
IDLE_MS = 1_000
"""How often an idle thread looks whether it should leave."""
MARK_SECONDS = 5
ANSWER_SECONDS = 3.0
CONNECT_SECONDS = 2.0
NAMESPACE = "dramatiq"
MARKS = "connector:mark"
MOST_WAITING = 5_000
"""So many wakes may wait in a queue; without workers for hours they would be millions. The sweep rings for the rest later."""
MOST_SYNCS = 2
"""So many shops one process pulls at the same time: more would only take the processor from each other, and from deliveries."""
PAUSE_SECONDS = 1.0
"""After a failure nobody waits for the doorbell for so long: a server that hangs would cost every ring a time-out."""

log = structlog.get_logger()


def make_broker(settings: Settings) -> dramatiq.Broker:
    """
    The broker for these settings; opens no connection yet.

    On Redis a dead worker's wakes come back within seconds (short heartbeat, maintenance on every command); dramatiq's own
    defaults took minutes. Retries are off: rows say what is to be done again. No wake is too old: its age would be the
    difference of two machines' clocks, and a worker whose clock is ahead would drop everything.
    """
    middleware = [TimeLimit(), ShutdownNotifications(), Callbacks(), Pipelines(), Retries(max_retries=0)]
    if settings.redis_url is None:
        broker: dramatiq.Broker = StubBroker(middleware=middleware)
    else:
        # A pool of our own making: dramatiq makes one of an address without looking at the time-outs beside it.
        pool = redis.ConnectionPool.from_url(
            settings.redis_url.get_secret_value(), socket_timeout=ANSWER_SECONDS, socket_connect_timeout=CONNECT_SECONDS
        )
        broker = _ClosingRedisBroker(  # type: ignore[no-untyped-call]
            client=redis.Redis(connection_pool=pool),
            namespace=NAMESPACE,
            middleware=middleware,
            heartbeat_timeout=HEARTBEAT_MS,
            maintenance_chance=ALWAYS,
        )
    for queue in Queue:
        broker.declare_queue(queue.value)
    return broker


class _ClosingRedisBroker(RedisBroker):
    """dramatiq leaves the connections to the garbage collector; we close what we opened. Its consumers hear the bell."""

    hearing: Hearing | None = None

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer that waits for the channel; outside a Workforce one of dramatiq's own."""
        if self.hearing is None:
            return super().consume(queue_name, prefetch, timeout)
        return HearingConsumer(self.hearing, self, queue_name, prefetch)

    def close(self) -> None:
        super().close()
        self.client.connection_pool.disconnect()


class Bell:
    """Rings jobs. With `services` it can also answer: declare the actors and run a worker."""

    def __init__(self, broker: dramatiq.Broker, services: Services) -> None:
        self._broker = broker
        self._services = services
        self._marks: _LocalMarks | _RedisMarks = _RedisMarks(broker.client) if isinstance(broker, RedisBroker) else _LocalMarks()
        self._actors = declare(broker, services, self.clear)
        self._paused_until = 0.0

    def ring(self, wake: Wake) -> None:
        """Ask for a job on a shop. Never raises: if the doorbell is out of order the next sweep finds the work."""
        if time.monotonic() < self._paused_until:
            return
        try:
            if self._marks.add(wake):
                self._actors[Job(wake.job)].send(wake.shop_id)
                self._marks.announce(wake)
        except Exception as error:
            self._pause("bell.out_of_order", wake, error)
            self.clear(wake)

    def clear(self, wake: Wake) -> None:
        """The wake is being answered: from now on a new one counts. Never raises: a mark in Redis also ends by itself."""
        if time.monotonic() < self._paused_until and isinstance(self._marks, _RedisMarks):
            return
        try:
            self._marks.discard(wake)
        except redis.RedisError as error:
            self._pause("bell.mark_stays", wake, error)

    def is_in_order(self) -> bool:
        """True if rings can be heard."""
        try:
            return self._marks.can_be_reached()
        except redis.RedisError:
            return False

    def _pause(self, what: str, wake: Wake, error: Exception) -> None:
        if isinstance(self._marks, _RedisMarks):
            self._paused_until = time.monotonic() + PAUSE_SECONDS
        log.warning(what, job=wake.job, error=type(error).__name__)

    def is_silent(self) -> bool:
        """True if no wake waits in this process; on Redis, where others answer too, if nothing is marked as waiting."""
        return self._marks.is_empty()

    def worker(self, threads: int) -> "Workforce":
        """Threads that answer, that many for each queue; start() and stop() them."""
        return Workforce(self._broker, threads, Lookout(self._services, self.is_in_order, self.ring))


class Workforce:
    """One dramatiq worker for each queue, so that no kind of work can take the threads of another; and a lookout."""

    def __init__(self, broker: dramatiq.Broker, threads: int, lookout: Lookout) -> None:
        self._broker = broker
        self._lookout = lookout
        self._looking = threading.Thread(target=lookout.run, name="lookout", daemon=True)
        self._hearing = Hearing(broker.client, [queue.value for queue in Queue]) if isinstance(broker, _ClosingRedisBroker) else None
        self._workers = [_QueueWorker(broker, queue, min(threads, MOST_SYNCS) if queue is Queue.SYNC else threads) for queue in Queue]

    def start(self) -> None:
        """Begin. dramatiq enforces the time limits of actors only in a process that says it has booted."""
        self._broker.emit_after("process_boot")
        if self._hearing is not None and isinstance(self._broker, _ClosingRedisBroker):
            self._broker.hearing = self._hearing
            self._hearing.start()
        for worker in self._workers:
            worker.start()
        self._looking.start()

    def stop(self, timeout: int) -> None:
        """Finish what runs, for `timeout` milliseconds at most; what waits is left to others."""
        self._lookout.stop()
        leaving = [threading.Thread(target=worker.stop, kwargs={"timeout": timeout}) for worker in self._workers]
        for thread in leaving:
            thread.start()
        if self._hearing is not None:
            self._hearing.stop()
        for thread in (*leaving, self._looking):
            thread.join(timeout / 1000)


class _QueueWorker(Worker):
    """
    dramatiq's worker for one queue.

    dramatiq expects one worker in a process: each adds a middleware to the broker that tells it of queues declared later, and
    a second one is complained about. Ours know their queue beforehand and listen to it without being told. Nobody listens to
    dramatiq's queues of delayed messages: we delay none.
    """

    def __init__(self, broker: dramatiq.Broker, queue: Queue, threads: int) -> None:
        super().__init__(broker, queues={queue.value}, worker_threads=threads, worker_timeout=IDLE_MS)
        self._queue = queue.value

    def start(self) -> None:
        """Begin to listen and to work, in dramatiq's own order."""
        self.broker.emit_before("worker_boot", self)
        self._add_consumer(self._queue)
        for _ in range(self.worker_threads):
            self._add_worker()
        self.broker.emit_after("worker_boot", self)


class _LocalMarks:
    """What has been rung for and not been answered, within this process."""

    def __init__(self) -> None:
        self._wakes: set[Wake] = set()
        self._lock = threading.Lock()

    def add(self, wake: Wake) -> bool:
        """Mark; false if it was marked."""
        with self._lock:
            is_new = wake not in self._wakes
            self._wakes.add(wake)
            return is_new

    def discard(self, wake: Wake) -> None:
        """Take the mark away."""
        with self._lock:
            self._wakes.discard(wake)

    def announce(self, wake: Wake) -> None:
        """Whoever answers in this process waits at the queue itself."""

    def can_be_reached(self) -> bool:
        """Always."""
        return True

    def is_empty(self) -> bool:
        """True if nothing is marked."""
        with self._lock:
            return not self._wakes


class _RedisMarks:
    """The same between processes."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def add(self, wake: Wake) -> bool:
        """Mark; false if it was marked, or if too many wait already. Raises RedisError."""
        with self._client.pipeline(transaction=False) as line:
            line.set(_mark(wake), 1, nx=True, ex=MARK_SECONDS)
            line.llen(f"{NAMESPACE}:{QUEUE_OF[Job(wake.job)].value}")
            is_new, waiting = line.execute()
        return bool(is_new) and waiting < MOST_WAITING

    def discard(self, wake: Wake) -> None:
        """Take the mark away. Raises RedisError."""
        self._client.delete(_mark(wake))

    def announce(self, wake: Wake) -> None:
        """Say on the channel that its queue has been rung for. Raises RedisError."""
        self._client.publish(CHANNEL, QUEUE_OF[Job(wake.job)].value)

    def can_be_reached(self) -> bool:
        """True if the server answers. Raises RedisError."""
        return bool(self._client.ping())

    def is_empty(self) -> bool:
        """True if nothing is marked. Raises RedisError."""
        return next(iter(self._client.scan_iter(f"{MARKS}:*", count=1000)), None) is None


def _mark(wake: Wake) -> str:
    return f"{MARKS}:{wake.job}:{wake.shop_id}"
