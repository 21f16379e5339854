"""
Who reads a store for a sync: the thread that asks, or a process that this one starts for it.

To read a page is work of the interpreter, as much as to write it, and all threads of a process share one interpreter. Read apart, a
second processor reads while the first one writes, and an e-mail beside a sync does not wait for the decoding of its pages.
"""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import structlog

from connector import clock, wire
from connector.asked import Access, Listing
from connector.metrics import Metrics
from connector.platforms import Platform, TransientError
from connector.reading import Page
from connector.wire import CallEnded, Failed, Network, PageBrought, Request

IDLE_SECONDS = 60.0
"""A process that reads nothing for so long is ended: it holds 50 MiB and more, and most of the time nothing is synced."""
SILENT_SECONDS = 600.0
"""Of a process that brought no page for so long nothing more is expected: each of its calls has a limit of half a minute, and few tries."""
FILE_SILENT_SECONDS = 3600.0
"""The same of a file: it is fetched, for half an hour at most, and sorted before there is a first page."""
END_SECONDS = 5.0
MOMENT_SECONDS = 1.0
"""A process that dies closes its lines a moment before it can be seen to have ended."""
COMMAND = (sys.executable, "-P", "-m", "integrations.reader")
"""Without the directory we are called in: what lies there is not ours."""

log = structlog.get_logger()


class Reader(Protocol):
    """Reads what a store lists."""

    def pages(self, platform: Platform, access: Access, listing: Listing) -> Iterator[Page]:
        """Page after page. Raises PlatformError. Closing the iterator ends the reading."""
        ...


class ReadsHere:
    """In the thread that asks."""

    def pages(self, platform: Platform, access: Access, listing: Listing) -> Iterator[Page]:
        """As `Listing.read`."""
        assert platform.reads is not None
        return listing.read(platform.reads, access)


class ReadsApart:
    """
    In a process of its own, which is begun with the first listing, ended when idle, and begun anew if it died or hangs; close() at the end.

    Calls that are metered stay here: they are as fast as their points come, whoever makes them, and the points are reckoned in the
    database. Thread-safe.
    """

    def __init__(self, network: Network, metrics: Metrics, *, command: Sequence[str] = COMMAND, idle_seconds: float = IDLE_SECONDS) -> None:
        self._network, self._metrics, self._command, self._idle_seconds = network, metrics, command, idle_seconds
        self._here = ReadsHere()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._readings = 0
        self._idle: threading.Timer | None = None

    def pages(self, platform: Platform, access: Access, listing: Listing) -> Iterator[Page]:
        """
        As `Listing.read`.

        And TransientError if the process cannot be started, dies or hangs; BrokenReading for an error of our own in it.
        """
        if platform.can.meters_calls and listing.export is None:
            return self._here.pages(platform, access, listing)
        return self._read(Request(platform.name, access, listing, clock.offset()))

    def close(self) -> None:
        """End the process; what it still reads is not waited for."""
        with self._lock:
            self._stop_waiting()
            self._end()

    def _read(self, request: Request) -> Iterator[Page]:
        with self._opened(request.platform) as (line, process), line.makefile("rb") as stream:
            line.settimeout(SILENT_SECONDS if request.listing.export is None else FILE_SILENT_SECONDS)
            try:
                wire.send(line, request)
                for answer in wire.read_answers(stream):
                    self._count(answer.calls)
                    if isinstance(answer, PageBrought):
                        yield wire.to_page(answer)
                    elif isinstance(answer, Failed):
                        raise wire.to_error(answer)
            except TimeoutError as error:
                self._kill(process)
                raise TransientError("the process that reads is silent", platform=request.platform, call="pages") from error
            except (OSError, EOFError) as error:
                _let_end(process)
                raise TransientError("the process that reads has ended", platform=request.platform, call="pages") from error

    @contextmanager
    def _opened(self, platform: str) -> Iterator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
        """Our end of a new line to the process, and the process. Raises TransientError if there is none to be had."""
        ours, theirs = socket.socketpair()
        with ours:
            try:
                with theirs, self._lock:
                    self._stop_waiting()
                    socket.send_fds(self._started(), [b"+"], [theirs.fileno()])
                    process = self._process
                    assert process is not None
                    self._readings += 1
            except OSError as error:
                raise TransientError("no process to read with", platform=platform, call="pages") from error
            try:
                yield ours, process
            finally:
                self._over()

    def _over(self) -> None:
        with self._lock:
            self._readings -= 1
            if not self._readings and self._process is not None:
                self._idle = threading.Timer(self._idle_seconds, self._rest)
                self._idle.daemon = True
                self._idle.start()

    def _rest(self) -> None:
        with self._lock:
            if not self._readings:
                self._end()

    def _stop_waiting(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.cancel()

    def _started(self) -> socket.socket:
        """The line to the process that runs. Raises OSError."""
        if self._line is not None and self._process is not None and self._process.poll() is None:
            return self._line
        self._end()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(self._command, stdin=theirs.fileno())
            except OSError:
                ours.close()
                raise
        self._line = ours
        wire.send(ours, self._network)
        log.info("reader.begun", pid=self._process.pid)
        return ours

    def _kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process that hangs; whatever else it reads is read again by the next one."""
        with self._lock:
            if process is self._process:
                log.warning("reader.hangs", pid=process.pid)
                process.kill()
                self._end()

    def _end(self) -> None:
        line, self._line = self._line, None
        process, self._process = self._process, None
        if line is not None:
            line.close()
        if process is not None:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.info("reader.ended", pid=process.pid, code=process.returncode)

    def _count(self, calls: Sequence[CallEnded]) -> None:
        for one in calls:
            if one.is_throttled:
                self._metrics.throttled(one.platform, one.call, one.seconds)
            else:
                self._metrics.call_ended(one.platform, one.call, one.outcome, one.seconds)


def _let_end(process: "subprocess.Popen[bytes]") -> None:
    """Whoever asks next must not take a process that is dying for one that reads."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(MOMENT_SECONDS)
