"""
Open-loop load: every post leaves at its time, whether or not earlier ones were answered.

One thread with an event loop and a few lines of HTTP/1.1, so that a thousand requests may hang at once and the machine is
left to those who are tested. Connections are kept alive and used again.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.ledger import Ledger, Outcome
from tests.chaos.posts import Post

Targets = Callable[[], Sequence[int]] | Sequence[int]
Posts = Iterator[Post] | Callable[[int], Post]
MOST_AT_ONCE = 2000


class _Unsent(Exception):
    """Nothing of the request left: the server cannot have it."""


@dataclass(slots=True)
class _Line:
    """A connection to one target."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Driver:
    """
    Posts `total` webhooks at `rate` a second to the `targets` (ports on loopback; a function is asked before each attempt).

    `posts` yields them or makes the number-th (from 0). Each attempt is noted in `ledger`: refused connections and 4xx/5xx
    as failed, cut or silent after sending as unknown. `retries` more attempts follow for what was not acknowledged, after
    `retry_seconds` and then twice as long each time, with the same webhook id, as platforms do.
    """

    def __init__(
        self,
        targets: Targets,
        posts: Posts,
        rate: float,
        total: int,
        seconds_per_request: float = 5.0,
        retries: int = 0,
        *,
        retry_seconds: float = 0.5,
        ledger: Ledger | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.ledger = ledger if ledger is not None else Ledger()
        self.latest = 0.0
        """Seconds by which the latest post left after its time: how far the driver itself fell behind."""
        self._targets = targets
        self._posts = posts
        self._rate = rate
        self._total = total
        self._limit = seconds_per_request
        self._retries = retries
        self._pause = retry_seconds
        self._rng = rng or random.Random(0)
        self._idle: dict[int, list[_Line]] = {}
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, name="driver", daemon=True)

    def start(self) -> "Driver":
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Begin no more posts; what is under way is finished."""
        self._stopping.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the end, retries included; false if it did not come in time. Raises what the posts raised."""
        self._thread.join(seconds)
        if self._errors:
            raise self._errors[0]
        return not self._thread.is_alive()

    @property
    def is_running(self) -> bool:
        """True until everything was posted and answered."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._drive())
        except Exception as error:
            self._errors.append(error)

    async def _drive(self) -> None:
        began = time.monotonic()
        room = asyncio.Semaphore(MOST_AT_ONCE)
        under_way: set[asyncio.Task[None]] = set()
        for number in range(self._total):
            due = began + number / self._rate
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if self._stopping.is_set():
                break
            await room.acquire()
            self.latest = max(self.latest, time.monotonic() - due)
            post = next(self._posts, None) if isinstance(self._posts, Iterator) else self._posts(number)
            if post is None:
                break
            self.ledger.expect(post)
            task = asyncio.create_task(self._deliver(number, post))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            task.add_done_callback(lambda done: room.release())
            task.add_done_callback(self._note_error)
        while under_way:
            await asyncio.wait(under_way)
        for lines in self._idle.values():
            for line in lines:
                line.writer.transport.abort()

    def _note_error(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._errors.append(error)

    async def _deliver(self, number: int, post: Post) -> None:
        pause, last = self._pause, -1
        for _ in range(1 + self._retries):
            last = self._choose(last)
            began = time.monotonic()
            outcome, status = await self._attempt(last, post)
            self.ledger.note(number, post.key, outcome, time.monotonic() - began, status)
            if outcome == "ok":
                return
            await asyncio.sleep(pause if self._retries else 0)
            pause = min(pause * 2, 10.0)

    def _choose(self, last: int) -> int:
        """Any target; a repetition goes to another one if there is one, as a load balancer would send it."""
        ports = list(self._targets() if callable(self._targets) else self._targets)
        return self._rng.choice([port for port in ports if port != last] or ports or [1])

    async def _attempt(self, port: int, post: Post) -> tuple[Outcome, int]:
        try:
            async with asyncio.timeout(self._limit):
                status = await self._post(port, post)
        except (_Unsent, ConnectionRefusedError):
            return "failed", 0
        except (OSError, EOFError, ValueError, TimeoutError):
            return "unknown", 0
        return ("ok" if 200 <= status < 300 else "failed"), status

    async def _post(self, port: int, post: Post) -> int:
        """One request, on an idle connection that is still open or on a new one."""
        idle = self._idle.setdefault(port, [])
        while idle:
            line = idle.pop()
            if line.reader.at_eof() or line.writer.is_closing():
                line.writer.transport.abort()
                continue
            return await self._exchange(port, line, post)
        try:
            line = _Line(*await asyncio.open_connection("127.0.0.1", port))
        except (OSError, TimeoutError) as error:
            raise _Unsent from error
        return await self._exchange(port, line, post)

    async def _exchange(self, port: int, line: _Line, post: Post) -> int:
        try:
            line.writer.write(_request(port, post))
            head = await line.reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            length, closes = 0, False
            for field in head.lower().split(b"\r\n")[1:]:
                name, _, value = field.partition(b":")
                length = int(value) if name == b"content-length" else length
                closes = closes or (name == b"connection" and value.strip() == b"close")
            if length:
                await line.reader.readexactly(length)
        except BaseException:
            with contextlib.suppress(Exception):
                line.writer.transport.abort()
            raise
        if closes:
            line.writer.close()
        else:
            self._idle[port].append(line)
        return status


def _request(port: int, post: Post) -> bytes:
    fields = {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(post.body)), **post.headers}
    lines = [f"POST {post.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + post.body
