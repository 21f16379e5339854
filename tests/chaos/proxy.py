"""A TCP proxy that spoils connections on command: PostgreSQL, Redis and SMTP all look the same to it."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, as a machine that vanished and came back would answer."""

Target = int | tuple[str, int] | Path


class FaultProxy:
    """
    Listens on 127.0.0.1:`port` (0: any) and passes everything on to `target`: a loopback port, a host and port, or a socket's path.

    All faults may be set at any time, from any thread, and count in `faults`. `heal()` takes them all away for everything
    that is said from then on; a connection that was half open meanwhile has lost bytes and stays silent for ever.
    """

    def __init__(self, target: Target, port: int = 0, *, rng: random.Random | None = None) -> None:
        self.target: tuple[str, int] | Path = ("127.0.0.1", target) if isinstance(target, int) else target
        self.faults = 0
        self.connections = 0
        self.delay_seconds = 0.0
        self._rng = rng or random.Random(0)
        self._chance = 0.0
        self._limit: int | None = None
        self._mode = ""
        self._pairs: set[_Pair] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    def start(self) -> "FaultProxy":
        """Listen; returns once connections are taken."""
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        """End with all connections; may be called twice, or without start()."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
        self._listener.close()
        if not self._thread.is_alive() and not self._loop.is_closed():
            self._loop.close()

    def drop(self, chance: float) -> None:
        """Cut a connection at random: with this chance for each chunk that passes."""
        self._chance = chance

    def cut_after(self, count: int) -> None:
        """Cut each connection once so many more bytes (both ways together) have passed on it."""
        for pair in list(self._pairs):
            pair.passed = 0
        self._limit = count

    def cut(self) -> int:
        """Cut everything that is connected now; returns how many. New connections are welcome."""
        return self._call(self._cut_all)

    def half_open(self) -> None:
        """Accept, read, never answer: what is connected and what comes stays open in silence."""
        self._mode = "half_open"

    def refuse(self) -> None:
        """Cut what is connected and close whatever comes at once."""
        self._mode = "refuse"
        self.cut()

    def heal(self) -> None:
        """No more faults; new connections pass at once."""
        self.delay_seconds, self._chance, self._limit, self._mode = 0.0, 0.0, None, ""

    @property
    def is_healthy(self) -> bool:
        """True if nothing is spoilt now."""
        return not (self.delay_seconds or self._chance or self._limit is not None or self._mode)

    def _call(self, work: Callable[[], int]) -> int:
        """Do something in the loop's own thread, and wait for it."""
        if not self._thread.is_alive():
            return 0
        done: Future[int] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(work()))
        return done.result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await self._loop.create_server(lambda: _Side(_Pair(self)), sock=self._listener)
        self._ready.set()
        await self._end.wait()
        server.close()
        for pair in list(self._pairs):
            pair.cut()
        await asyncio.sleep(0)

    def _cut_all(self) -> int:
        pairs = [pair for pair in self._pairs if pair.front is not None]
        for pair in pairs:
            self.faults += 1
            pair.cut()
        return len(pairs)

    def admit(self, pair: "_Pair") -> None:
        """A connection came in."""
        self.connections += 1
        self._pairs.add(pair)
        if self._mode == "refuse":
            self.faults += 1
            pair.cut()
        elif self._mode == "half_open":
            self._silence(pair)
        else:
            pair.opening = self._loop.create_task(pair.open(self.target))

    def release(self, pair: "_Pair") -> None:
        """A connection is over."""
        self._pairs.discard(pair)

    def passes(self, pair: "_Pair", size: int) -> bool:
        """Whether a chunk may pass; cuts the connection or falls silent if not."""
        if self._mode == "half_open":
            self._silence(pair)
        if pair.is_silent:
            return False
        pair.passed += size
        if (self._limit is not None and pair.passed > self._limit) or (self._chance and self._rng.random() < self._chance):
            self.faults += 1
            pair.cut()
            return False
        return True

    def _silence(self, pair: "_Pair") -> None:
        if not pair.is_silent:
            self.faults += 1
            pair.is_silent = True

    def later(self, pair: "_Pair", side: "_Side", data: bytes) -> None:
        """Deliver a chunk, after the delay if there is one; chunks never overtake each other."""
        if self.delay_seconds:
            self.faults += 1
        due = self._loop.time() + self.delay_seconds
        if side.waiting or self.delay_seconds:
            side.waiting.append((max(due, side.waiting[-1][0]) if side.waiting else due, data))
            if len(side.waiting) == 1:
                self._loop.call_at(side.waiting[0][0], self._deliver, pair, side)
        else:
            pair.write(side, data)

    def _deliver(self, pair: "_Pair", side: "_Side") -> None:
        if pair.is_over:
            side.waiting.clear()
            return
        while side.waiting and side.waiting[0][0] <= self._loop.time() + 0.001:
            data = side.waiting.popleft()[1]
            if not pair.is_silent:
                pair.write(side, data)
        if side.waiting:
            self._loop.call_at(side.waiting[0][0], self._deliver, pair, side)


class _Pair:
    """A connection from a client and, once it is open, the one to the server."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.front: _Side | None = None
        self.back: _Side | None = None
        self.early: list[bytes] = []
        self.passed = 0
        self.is_silent = False
        self.is_over = False
        self.opening: asyncio.Task[None] | None = None

    async def open(self, target: tuple[str, int] | Path) -> None:
        """Connect to the server; if that fails the client is cut off."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(10):
                if isinstance(target, Path):
                    await loop.create_unix_connection(lambda: _Side(self, is_back=True), str(target))
                else:
                    await loop.create_connection(lambda: _Side(self, is_back=True), *target)
        except OSError:
            self.cut()

    def write(self, source: "_Side", data: bytes) -> None:
        """Pass data on to the other side; an empty chunk is the end of what this side says."""
        other = self.other(source)
        if other is None:
            self.early.append(data)
        elif not other.transport.is_closing():
            if data:
                other.transport.write(data)
            elif other.is_ended:
                other.transport.close()
                source.transport.close()
            elif other.transport.can_write_eof():
                other.transport.write_eof()

    def other(self, side: "_Side") -> "_Side | None":
        """The opposite end."""
        return self.back if side is self.front else self.front

    def close(self, side: "_Side") -> None:
        """One end is gone: so is the other, once it has got what was said before."""
        if self.opening is not None and self.back is None:
            self.opening.cancel()
        other = self.other(side)
        if other is not None:
            other.transport.close()
        self.is_over = True
        self.proxy.release(self)

    def cut(self) -> None:
        """End both sides with a reset."""
        if self.opening is not None:
            self.opening.cancel()
        for side in (self.front, self.back):
            if side is not None:
                line = side.transport.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.transport.abort()
        self.is_over = True
        self.proxy.release(self)


class _Side(asyncio.Protocol):
    """One end of a pair."""

    transport: asyncio.Transport

    def __init__(self, pair: _Pair, *, is_back: bool = False) -> None:
        self._pair = pair
        self._is_back = is_back
        self.is_ended = False
        self.waiting: deque[tuple[float, bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        line = transport.get_extra_info("socket")
        if line.family != socket.AF_UNIX:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = self._pair
        if not self._is_back:
            pair.front = self
            pair.proxy.admit(pair)
            return
        pair.back = self
        if pair.is_over:
            transport.abort()
            return
        early, pair.early = pair.early, []
        for data in early:
            if pair.front is not None:
                pair.write(pair.front, data)

    def data_received(self, data: bytes) -> None:
        pair = self._pair
        if not pair.is_over and pair.proxy.passes(pair, len(data)):
            pair.proxy.later(pair, self, data)

    def eof_received(self) -> bool:
        pair = self._pair
        self.is_ended = True
        if not pair.is_silent and not pair.is_over:
            pair.proxy.later(pair, self, b"")
        return True  # the other direction stays open: an answer may still be on its way

    def connection_lost(self, error: Exception | None) -> None:
        if not self._pair.is_over:
            self._pair.close(self)

    def pause_writing(self) -> None:
        other = self._pair.other(self)
        if other is not None and not other.transport.is_closing():
            other.transport.pause_reading()

    def resume_writing(self) -> None:
        other = self._pair.other(self)
        if other is not None and not other.transport.is_closing():
            other.transport.resume_reading()
