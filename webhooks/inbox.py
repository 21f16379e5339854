"""
The inbox: keep many deliveries in one commit, and let each request wait for its own.

There is no timer: whatever arrived while the last commit ran is the next batch. Where a commit takes long, as over a slow
line, further connections begin with the next batch before it is back, so that no request waits for two commits. Everything is
bounded: rows, bytes, the size of a batch and the time that a request waits. Nothing here knows SQL or a platform.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from connector.errors import ConnectorError
from connector.store.deliveries import Incoming
from connector.store.keeping import StoreUnavailable
from webhooks.bell import Bell

WATCH_SECONDS = 0.05
PATIENCE_SECONDS = 0.1

log = structlog.get_logger()


class NotKept(ConnectorError):
    """A delivery was not acknowledged: the sender should try again."""


class InboxFull(NotKept):
    """More waits already than we are willing to hold in memory."""


class Unkeepable(NotKept):
    """The database refuses this very delivery, as when its shop was deleted a moment ago."""


class Keeps(Protocol):
    """Where batches go; `connector.store.keeping.Keeper` is one."""

    @property
    def is_open(self) -> bool: ...
    async def open(self) -> None: ...
    async def keep(self, rows: Sequence[Incoming], seconds: float) -> set[int]: ...
    def abort(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much the inbox holds, and for how long.

    `wait_seconds` is what a request waits at most, a quarter of a second more or less: platforms hang up after five.
    `statement_seconds` is how long one attempt may take before its connection is cut off.
    """

    rows: int = 5_000
    bytes: int = 64 * 1024 * 1024
    batch_rows: int = 500
    batch_bytes: int = 8 * 1024 * 1024
    wait_seconds: float = 2.75
    statement_seconds: float = 2.0
    pause_seconds: float = 0.05
    longest_pause_seconds: float = 1.0


class _Waiting:
    """One request that waits for its commit."""

    __slots__ = ("done", "row", "size", "until", "was_tried")

    def __init__(self, row: Incoming, size: int, until: float, done: asyncio.Future[None]) -> None:
        self.row = row
        self.size = size
        self.until = until
        self.done = done
        self.was_tried = False


class Inbox:
    """
    Between the door and the database: one flusher with its connection, and `helpers` for times when that is slow.

    `wake(shop_id)` is called after the commit, at most once per batch and shop, from a thread of its own: it may block.
    """

    def __init__(self, keeper: Keeps, wake: Callable[[int], None], limits: Limits | None = None, helpers: Sequence[Keeps] = ()) -> None:
        self._keeper = keeper
        self._idle = list(helpers)
        self._helpers = tuple(helpers)
        self._helping: set[asyncio.Task[None]] = set()
        self._limits = limits or Limits()
        self._bell = Bell(wake)
        self._queue: deque[_Waiting] = deque()
        self._rows = 0
        self._bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._now: Callable[[], float] = time.monotonic
        self._arrival: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self._is_failing = False

    async def start(self) -> None:
        """Begin to take deliveries. A database that is away is waited for in the background."""
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._is_stopping = False
        self._bell.start()
        self._tasks = [asyncio.create_task(self._flush()), asyncio.create_task(self._watch())]
        for helper in list(self._idle):
            self._send_for_help(helper)

    async def stop(self) -> None:
        """Take nothing more, keep what waits (as long as requests wait), ring the last wakes, close the connection."""
        self._is_stopping = True
        flusher, watch = self._tasks
        self._notice_arrival()
        await flusher
        watch.cancel()
        await asyncio.wait([watch, *self._helping])
        while self._queue:  # what a helper put back when the flusher had gone
            self._finish(self._queue.popleft(), NotKept("the inbox is closed"))
        for keeper in (self._keeper, *self._helpers):
            await keeper.close()
        await asyncio.to_thread(self._bell.stop)

    @property
    def waiting(self) -> int:
        """How many deliveries wait for their commit."""
        return self._rows

    @property
    def is_failing(self) -> bool:
        """True if the database did not take the last batch, and none since."""
        return self._is_failing

    def hope(self) -> None:
        """Somebody wrote where we write, and it went well: the next batch will show."""
        self._is_failing = False

    async def keep(self, row: Incoming) -> None:
        """
        Return once the delivery is on disk, or was before.

        Raises InboxFull at once, or NotKept after less than three seconds: it may have been kept nevertheless.
        """
        size = len(row.body) + len(row.headers)
        if self._loop is None or self._is_stopping:
            raise NotKept("the inbox is closed")
        if self._rows >= self._limits.rows or self._bytes + size > self._limits.bytes:
            raise InboxFull("the inbox is full")
        done = self._loop.create_future()
        self._rows += 1
        self._bytes += size
        self._queue.append(_Waiting(row, size, self._now() + self._limits.wait_seconds, done))
        if self._arrival is not None:
            self._notice_arrival()
        await done

    def _notice_arrival(self) -> None:
        arrival, self._arrival = self._arrival, None
        if arrival is not None and not arrival.done():
            arrival.set_result(None)

    async def _next_arrival(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival

    async def _flush(self) -> None:
        failures = 0
        while self._queue or not self._is_stopping:
            if failures:
                await asyncio.sleep(min(self._limits.pause_seconds * 2 ** min(failures - 1, 10), self._limits.longest_pause_seconds))
            try:
                if not self._keeper.is_open:
                    await self._keeper.open()
                if self._queue:
                    await self._keep_batch(self._keeper, self._take())
                elif not self._is_stopping:
                    await self._next_arrival()
                failures = 0
            except Exception as error:
                # Whatever it is: a flusher that ended would leave every request hanging.
                failures += 1
                self._is_failing = True
                log.warning("inbox.unavailable", reason=f"{type(error).__name__}: {error}", failures=failures, waiting=self._rows)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < self._limits.batch_rows:
            size += self._queue[0].size
            if batch and size > self._limits.batch_bytes:
                break
            batch.append(self._queue.popleft())
        return batch

    def _send_for_help(self, helper: Keeps) -> None:
        self._idle.remove(helper)
        task = asyncio.create_task(self._help(helper))
        self._helping.add(task)
        task.add_done_callback(self._helping.discard)

    async def _help(self, helper: Keeps) -> None:
        """Keep one batch beside the flusher; the first time only get ready, since opening a connection takes long where help is needed."""
        try:
            if not helper.is_open:
                await helper.open()
                await helper.keep([], self._limits.statement_seconds)
            if self._queue:
                await self._keep_batch(helper, self._take())
        except Exception as error:
            log.info("inbox.no_help", reason=f"{type(error).__name__}: {error}")
            await helper.close()
            await asyncio.sleep(0 if self._is_stopping else self._limits.longest_pause_seconds)
        finally:
            self._idle.append(helper)

    async def _keep_batch(self, keeper: Keeps, batch: list[_Waiting]) -> None:
        """Keep what still waits. A batch that is refused is halved until the bad rows stand alone: they fail, no other does."""
        parts = [batch]
        while parts:
            now = self._now()
            part = [waiting for waiting in parts.pop() if self._still_waits(waiting, now)]
            if not part:
                continue
            unique = {waiting.row.key: waiting.row for waiting in part}
            seconds = min(self._limits.statement_seconds, max(0.05, part[0].until - now))
            try:
                shop_ids = await keeper.keep(list(unique.values()), seconds)
            except StoreUnavailable:
                for waiting in part:
                    waiting.was_tried = True
                for rest in (*parts, part):
                    self._queue.extendleft(reversed(rest))
                await keeper.close()
                raise
            except Exception as error:
                if len(part) > 1:
                    parts += (part[len(part) // 2 :], part[: len(part) // 2])
                else:
                    row = part[0].row
                    log.error("delivery.refused", platform=row.platform, topic=row.topic, shop_id=row.shop_id, reason=str(error))
                    self._finish(part[0], Unkeepable(f"the delivery could not be kept: {error}"))
            else:
                self._is_failing = False
                for waiting in part:
                    self._finish(waiting)
                    # It may have been kept the first time, when only the answer was lost: then it is not new now.
                    if waiting.was_tried and waiting.row.shop_id is not None:
                        shop_ids.add(waiting.row.shop_id)
                self._bell.ring(shop_ids)

    def _still_waits(self, waiting: _Waiting, now: float) -> bool:
        if waiting.until > now and not waiting.done.done():
            return True
        self._finish(waiting, NotKept("the database did not keep the delivery in time"))
        return False

    def _finish(self, waiting: _Waiting, error: NotKept | None = None) -> None:
        self._rows -= 1
        self._bytes -= waiting.size
        if waiting.done.done():  # the request was cancelled
            return
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)

    async def _watch(self) -> None:
        """Let nothing wait for longer than promised, whatever the database does; send for help when the flusher is slow."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = self._now()
            while self._queue and not self._still_waits(self._queue[0], now):
                self._queue.popleft()
            if self._queue and self._idle and now - self._queue[0].until + self._limits.wait_seconds > PATIENCE_SECONDS:
                self._send_for_help(self._idle[0])
