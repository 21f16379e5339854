"""
Logs: one line of JSON for each event on standard output, with its time in UTC.

Writing never fails and never waits as far as the work can tell: lines go through a bounded queue to a thread of their own,
and what a full disk, a closed pipe or a reader that stands still does not take is dropped and counted. What libraries say
through the standard library comes out in the same form, as one line without the values of variables.
"""

import atexit
import contextlib
import io
import json
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable
from typing import Any

import structlog

from connector.metrics import Counter, Family

MOST_LINES = 10_000
LONGEST_LINE = 16_384
LONGEST_WORDS = 300
FLUSH_SECONDS = 1.0
QUIET = {"uvicorn.error": logging.ERROR, "uvicorn.access": logging.CRITICAL}


def configure() -> None:
    """Send all logs of this process to standard output. Called once, by the command line."""
    if _Out.current is None:
        out = _Out.current = _Out(sys.__stdout__.fileno() if sys.__stdout__ is not None else 1)
        sys.stdout, sys.stderr = SafeText(out), SafeText(out)
        atexit.register(out.flush)
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
                _one_line,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=lambda *names: out,
            cache_logger_on_first_use=True,
        )
        logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
        logging.captureWarnings(True)
        for name, level in QUIET.items():
            logging.getLogger(name).setLevel(level)


def families() -> Iterable[Family]:
    """How many lines were lost."""
    return [_lost.family()]


class _Out:
    """A file descriptor behind a queue. Its methods are what structlog expects of a logger."""

    current: "_Out | None" = None

    def __init__(self, descriptor: int, most: int = MOST_LINES) -> None:
        self._descriptor = descriptor
        self._most = most
        self._lines: deque[bytes] = deque()
        self._news = threading.Condition(threading.Lock())
        self._is_writing = False
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def msg(self, line: str) -> None:
        """Write a line soon; never raises, never waits."""
        self.put(line[:LONGEST_LINE] + "\n")

    debug = info = warning = error = critical = exception = fatal = log = msg

    def put(self, text: str) -> None:
        """The same for any piece of text."""
        with self._news:
            if len(self._lines) >= self._most:
                _lost.add()
                return
            self._lines.append(text.encode("utf-8", "backslashreplace"))
            self._news.notify_all()

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until everything is written, a second at most; false if it is not."""
        with self._news:
            return self._news.wait_for(lambda: not self._lines and not self._is_writing, seconds)

    def _work(self) -> None:
        while True:
            with self._news:
                self._is_writing = False
                self._news.notify_all()
                self._news.wait_for(lambda: bool(self._lines))
                lines = list(self._lines)
                self._lines.clear()
                self._is_writing = True
            self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        rest = memoryview(b"".join(lines))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            _lost.add(by=max(1, bytes(rest).count(b"\n")))


class SafeText(io.TextIOBase):
    """A text stream over the same queue, in place of standard output: whoever prints cannot stumble over it either."""

    encoding = "utf-8"

    def __init__(self, out: "_Out") -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write it soon."""
        if text:
            self._out.put(text)
        return len(text)

    def flush(self) -> None:
        """Nothing to wait for."""

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether a person reads along."""
        with contextlib.suppress(OSError):
            return os.isatty(self.fileno())
        return False

    def fileno(self) -> int:
        """Where it goes in the end."""
        return self._out._descriptor


class _FromLibraries(logging.Handler):
    """What libraries log: name, words and, of an error, its kind and where it happened. Values may be personal data."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            words = record.getMessage().strip().split("\n", 1)[0][:LONGEST_WORDS]
            fields: dict[str, Any] = {"library": record.name, "words": words}
            if record.exc_info and record.exc_info[0] is not None:
                fields["error"] = record.exc_info[0].__name__
                fields["where"] = [
                    f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(record.exc_info[2])[-5:]
                ]
            structlog.get_logger().log(record.levelno, "library", **fields)


def _one_line(logger: Any, method: str, event: structlog.types.EventDict) -> str:
    """JSON escapes line breaks and control characters, so that nothing inside a value can look like another line."""
    first = {name: event.pop(name) for name in ("at", "level", "event") if name in event}
    return json.dumps({**first, **event}, default=str, ensure_ascii=True)


_lost = Counter("connector_log_lines_lost_total", "Lines of the log that could not be written.")
