"""
The server: uvicorn that leaves politely, with every connection kept to the limits of `protocol`.

Told to end (SIGTERM) it says so to load balancers at once (/readyz, and `Connection: close` on every answer) and goes
on serving for a grace; then it stops accepting, finishes what runs and lets the application keep what waits. Told again, or
from the keyboard, it skips the grace.
"""

import asyncio
import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import uvicorn

from connector.web.departure import Departure
from connector.web.protocol import EdgeProtocol

FINISH_SECONDS = 10
KEEP_ALIVE_SECONDS = 30
CHECK_TICKS = 5
START_SECONDS = 10.0
CLOSE = (b"connection", b"close")


class Server(uvicorn.Server):
    """Serves until `departure` begins, then for `grace_seconds` more."""

    def __init__(self, config: uvicorn.Config, departure: Departure, grace_seconds: float) -> None:
        super().__init__(config)
        self._departure = departure
        self._grace_seconds = grace_seconds

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again; an interrupt from the keyboard says so to the caller."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if signal.SIGINT in self._captured_signals:
            raise KeyboardInterrupt

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: the first begins the grace, the second ends it. A person at the keyboard need not wait for a load balancer."""
        self._captured_signals.append(sig)
        self.should_exit = self._departure.has_begun or sig == signal.SIGINT
        self.force_exit = len(self._captured_signals) > 2
        self._departure.begin()
        self._say_goodbye()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        is_over = await super().on_tick(counter)
        if counter % CHECK_TICKS == 0:
            now = self._now()
            for connection in list(self.server_state.connections):
                if isinstance(connection, EdgeProtocol):
                    connection.check(now)
        if self._departure.has_begun:
            self._say_goodbye()
            is_over = is_over or self._departure.elapsed() >= self._grace_seconds
        return is_over

    def _say_goodbye(self) -> None:
        """Every answer from now on closes its connection; uvicorn makes the list anew each second."""
        if CLOSE not in self.server_state.default_headers:
            self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def listen(app: Any, host: str, port: int, departure: Departure, grace_seconds: float) -> None:
    """Serve until told to end. Raises KeyboardInterrupt if that was done from the keyboard."""
    Server(_config(app, host, port), departure, grace_seconds).run()


@contextlib.contextmanager
def listening(app: Any, host: str, port: int) -> Iterator[None]:
    """The same in a thread, for as long as the block runs."""
    server = Server(_config(app, host, port), Departure(), 0.0)
    thread = threading.Thread(target=server.run, name="listening", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def allow_connections() -> None:
    """Take as many open files as this account may have: each connection is one."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _config(app: Any, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=EdgeProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
