"""An SMTP server that records what reaches it, and dies, refuses or falls silent at a chosen point."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Literal

Point = Literal["connect", "mail", "rcpt", "data", "dot", "after_250"]
POINTS: tuple[Point, ...] = ("connect", "mail", "rcpt", "data", "dot", "after_250")
IDLE_SECONDS = 300.0
RESET = struct.pack("ii", 1, 0)
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<?([^>\s]+)>?")
_ADDRESS = re.compile(r"<([^>]*)>")


@dataclass(frozen=True, slots=True)
class SinkMail:
    """
    A complete message that arrived (its final dot was read). `is_answered`: 250 was written back; else the
    sender heard nothing.

    `arrived_at` is `time.monotonic()` of this machine, independent of any database clock.
    """

    message_id: str
    recipient: str
    arrived_at: float
    is_answered: bool
    raw: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """A recipient that was named to the sink, however it went on: who, when, and what was answered to it (0: nothing)."""

    recipient: str
    at: float
    code: int


@dataclass(slots=True)
class _Plan:
    """Something planned for a point: die there, or answer this."""

    point: Point
    answer: str


class _Dead(Exception):
    """This connection ends here, without a word."""


class SmtpSink:
    """
    Listens on 127.0.0.1. Each connection has a thread, so that a hook may take its time.

    `on_point` is called with the name of every point that a connection reaches, before it is answered: connect, mail, rcpt, data
    (before 354), dot (message complete, before 250), after_250.
    """

    def __init__(self, port: int = 0) -> None:
        self.on_point: Callable[[str], None] = lambda point: None
        self.mails: list[SinkMail] = []
        self.attempts: list[Attempt] = []
        self.reached: dict[str, int] = dict.fromkeys(POINTS, 0)
        self.faults = 0
        self._plans: list[_Plan] = []
        self._changed = threading.Condition()
        self._healthy = threading.Event()
        self._healthy.set()
        self._stopping = threading.Event()
        self._lines: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="smtp-sink", daemon=True)

    def start(self) -> "SmtpSink":
        """Listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; what was recorded stays readable."""
        self._stopping.set()
        self._healthy.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in list(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def die_at(self, point: Point, times: int = 1) -> None:
        """The next `times` connections that reach this point are reset there, without an answer to it."""
        self._plan(point, "", times)

    def answer(self, code: int, times: int = 1, *, at: Point = "rcpt", words: str = "") -> None:
        """The next `times` that reach this point are answered with this code instead (at `dot`: nothing was accepted)."""
        words = words or ("4.2.1 try again later" if code < 500 else "5.1.1 no such mailbox")
        self._plan(at, f"{code} {words}", times)

    def hang(self) -> None:
        """From now on nobody is answered anything, until `heal()`."""
        self._healthy.clear()

    def heal(self) -> None:
        """Answer again, and forget what was planned."""
        with self._changed:
            self._plans.clear()
        self._healthy.set()

    @property
    def count(self) -> int:
        """How many complete messages arrived."""
        return len(self.mails)

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until that many messages arrived."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.mails) >= count, seconds)

    def _plan(self, point: Point, answer: str, times: int) -> None:
        with self._changed:
            self._plans.extend([_Plan(point, answer) for _ in range(times)])

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._lines.add(line)
            threading.Thread(target=self._serve, args=(line,), name="smtp-sink-line", daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        line.settimeout(IDLE_SECONDS)
        try:
            with line.makefile("rb") as reader:
                _Conversation(self, line, reader).run()
        except _Dead:
            with contextlib.suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except (OSError, ValueError):
            pass
        finally:
            self._lines.discard(line)
            line.close()

    def at(self, point: Point) -> str:
        """A connection is here: tell the hook, wait if we hang, and return what to answer instead of the usual."""
        with self._changed:
            self.reached[point] += 1
            plan = next((plan for plan in self._plans if plan.point == point), None)
            if plan is not None:
                self._plans.remove(plan)
                self.faults += 1
        self.on_point(point)
        if not self._healthy.is_set():
            with self._changed:
                self.faults += 1
            self._healthy.wait()
            if self._stopping.is_set():
                raise _Dead
        if plan is not None and not plan.answer:
            raise _Dead
        return "" if plan is None else plan.answer

    def note_attempt(self, recipient: str, code: int) -> None:
        """A recipient was named."""
        with self._changed:
            self.attempts.append(Attempt(recipient, time.monotonic(), code))

    def keep(self, recipient: str, raw: bytes, *, is_answered: bool) -> None:
        """A complete message is here."""
        found = _MESSAGE_ID.search(raw)
        mail = SinkMail(found.group(1).decode("ascii", "replace") if found else "", recipient, time.monotonic(), is_answered, raw)
        with self._changed:
            self.mails.append(mail)
            self._changed.notify_all()


class _Conversation:
    """SMTP with one client."""

    def __init__(self, sink: SmtpSink, line: socket.socket, reader: IO[bytes]) -> None:
        self._sink = sink
        self._line = line
        self._reader = reader
        self._recipient = ""

    def run(self) -> None:
        """Greet, and answer until the client goes."""
        self._say(self._sink.at("connect") or "220 sink.test ESMTP")
        while text := self._read():
            verb = text[:4].upper()
            if verb == "QUIT":
                self._say("221 bye")
                return
            self._answer(verb, text)

    def _answer(self, verb: str, text: str) -> None:
        if verb == "EHLO":
            self._say("250-sink.test\r\n250 8BITMIME")
        elif verb == "MAIL":
            self._say(self._sink.at("mail") or "250 2.1.0 OK")
        elif verb == "RCPT":
            self._take_recipient(text)
        elif verb == "DATA":
            self._take_message()
        else:
            self._say("250 OK" if verb in ("HELO", "RSET", "NOOP") else "500 5.5.1 unknown")

    def _take_recipient(self, text: str) -> None:
        found = _ADDRESS.search(text)
        self._recipient, code = (found.group(1) if found else ""), 0
        try:
            answer = self._sink.at("rcpt") or "250 2.1.5 OK"
            code = int(answer[:3])
        finally:
            self._sink.note_attempt(self._recipient, code)
        self._say(answer)

    def _take_message(self) -> None:
        refusal = self._sink.at("data")
        self._say(refusal or "354 go on")
        if refusal:
            return
        lines: list[bytes] = []
        while (line := self._read_line()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        raw = b"".join(lines)
        try:
            answer = self._sink.at("dot")
        except _Dead:
            self._sink.keep(self._recipient, raw, is_answered=False)
            raise
        if answer:
            self._say(answer)
            return
        # Before the answer: who was told 250 must find the message here.
        self._sink.keep(self._recipient, raw, is_answered=True)
        self._say("250 2.0.0 accepted")
        self._sink.at("after_250")

    def _say(self, text: str) -> None:
        self._line.sendall(f"{text}\r\n".encode())

    def _read(self) -> str:
        return self._read_line().decode("utf-8", "replace").strip()

    def _read_line(self) -> bytes:
        line: bytes = self._reader.readline(1_000_000)
        if not line:
            raise ConnectionError("the client is gone")
        return line
