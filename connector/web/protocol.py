"""
The edge: what every connection must keep to before an application sees anything of it.

uvicorn's protocol with limits of time and size that it does not have. A request head arrives within ten seconds and 64 KiB,
a whole request within half a minute; whoever is slower is told so (408) and cut off. Whoever takes nothing of an answer for half
a minute is cut off too; whoever takes it slowly gets all of it.
Nothing is measured with timers: the server looks through all connections twice a second. Costs a request under a microsecond.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connector.metrics import Counter

HEAD_SECONDS = 10.0
REQUEST_SECONDS = 28.0
ANSWER_SECONDS = 30.0
LEAST_TAKEN = 4 * 1024
"""Bytes of an answer within ANSWER_SECONDS; less is no reading, only holding on to a connection."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 32 * 1024 * 1024
MAX_HEAD = 64 * 1024


class HeadTooLarge(Exception):
    """Raised inside the parser, which then stops."""


class EdgeProtocol(HttpToolsProtocol):
    """One connection. `check` is called now and then by the server; `refused` counts what was cut off in this process."""

    refused = Counter("connector_http_requests_refused_total", "Requests that were cut off before anybody could answer them.", "reason")
    transport: "_Line"  # type: ignore[assignment]
    _since = 0.0
    _head_bytes = 0
    _idle_bytes = 0
    _begun = 0
    _may_be_long = False
    _is_deaf = False
    _taken_at: float | None = None
    """While an answer waits to be taken: when some of it was last taken."""
    _untaken: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's, on a line that can linger."""
        self._since = self.loop.time()
        super().connection_made(_Line(transport, self))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """As uvicorn's, counting the bytes that bring a request no further."""
        if self._is_deaf:
            self._idle_bytes += len(data)
            if self._idle_bytes > LINGER_BYTES:
                self.transport.abort()
            return
        was_in_head, was_in_body = self._is_in_head(), self._is_in_body()
        before = len(self.cycle.body) if was_in_body else 0
        begun = self._begun
        self._may_be_long = self._head_bytes + len(data) > MAX_HEAD
        super().data_received(data)
        if was_in_head or (not was_in_body and self._begun == begun + 1):
            # Nothing but head so far, if there is still no end of it.
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD and self._is_in_head():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif was_in_body and self._is_in_body() and len(self.cycle.body) == before:
            # The frame of chunks, or trailers: nobody needs much of them.
            self._idle_bytes += len(data)
            if self._idle_bytes > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request: its time begins."""
        self._since = self.loop.time()
        self._head_bytes = self._idle_bytes = 0
        self._begun += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """As uvicorn's, for heads of bearable size."""
        if self._may_be_long and len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD:
            raise HeadTooLarge
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's; a request that was answered before it was read to its end is not read on."""
        if not self.pipeline and self.cycle.more_body:
            self.transport.close()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser stopped."""
        too_large = self._may_be_long and self._is_in_head()
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST)

    def _unsupported_upgrade_warning(self) -> None:
        # The parser takes whatever follows for another protocol: answer, then close.
        self.cycle.keep_alive = False
        self._is_deaf = True

    def pause_writing(self) -> None:
        """The other side reads too slowly."""
        self.await_reader()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        if not self.transport.is_leaving:
            self._taken_at = None
        super().resume_writing()

    def await_reader(self) -> None:
        """From now on the other side has to take what waits for it."""
        self._taken_at, self._untaken = self.loop.time(), None

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone."""
        self.transport.abort_at = self.loop.time()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: let what runs come to its end, and nobody else."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.hang_up()
        else:
            self.cycle.keep_alive = False

    def check(self, now: float) -> None:
        """Cut the connection off if it is beyond one of the limits."""
        line, waited = self.transport, now - self._since
        if line.abort_at is not None and now > line.abort_at:
            line.abort()
        elif self._taken_at is not None:
            if self._takes_nothing(now, self._taken_at):
                self.refused.add("slow_reader")
                line.cut()
        elif line.is_closing():
            return
        elif self._is_in_head():
            if waited > HEAD_SECONDS:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._is_in_body():
            if waited > REQUEST_SECONDS:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.timeout_keep_alive_task is None and self._is_idle() and waited > HEAD_SECONDS:
            # Connected and silent, or dripping line breaks between requests.
            line.hang_up()

    def is_reading(self) -> bool:
        """Whether the other side may still be sending a request."""
        return self._is_deaf or self._is_in_head() or (self.cycle is not None and self.cycle.more_body)

    def deafen(self) -> None:
        """From now on throw away what comes in."""
        self._is_deaf = True
        self.flow.resume_reading()

    def _takes_nothing(self, now: float, taken_at: float) -> bool:
        """True if for too long hardly anything of what waits was taken."""
        untaken = self.transport.untaken()
        if self._untaken is None:
            self._untaken = untaken
        elif self._untaken - untaken >= LEAST_TAKEN:
            self._untaken, self._taken_at = untaken, now
            return False
        return now - taken_at > ANSWER_SECONDS

    def _is_in_head(self) -> bool:
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _is_in_body(self) -> bool:
        cycle = self.cycle
        return cycle is not None and cycle.scope is self.scope and cycle.more_body and not cycle.response_complete

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer in the application's place, and close."""
        cycle = self.cycle
        self._is_deaf = True
        self.refused.add(str(status.value))
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # Whole requests came before this one: they get their answers, then it is over.
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        words = f"{status.phrase.lower()}\n".encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(words)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + words)
        self.transport.close()


class _Line:
    """
    A transport that closes so that its last words are heard.

    Closing a socket while the other side is sending resets the connection, and the answer may be lost on its way. So only our
    half is closed at first; what still comes in is thrown away until the other side has understood, or a moment is over.
    """

    __slots__ = ("_protocol", "_transport", "abort", "abort_at", "get_extra_info", "is_leaving", "pause_reading", "resume_reading", "write")

    def __init__(self, transport: asyncio.Transport, protocol: EdgeProtocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self.abort_at: float | None = None
        self.is_leaving = False
        self.write, self.abort, self.get_extra_info = transport.write, transport.abort, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def is_closing(self) -> bool:
        """True as soon as nothing more should be written."""
        return self.abort_at is not None or self._transport.is_closing()

    def close(self) -> None:
        """Close, politely where somebody may be talking."""
        if self.is_closing():
            return
        if not self._protocol.is_reading():
            self.hang_up()
            return
        self.abort_at = self._protocol.loop.time() + LINGER_SECONDS
        self._protocol.deafen()
        self._transport.write_eof()

    def hang_up(self) -> None:
        """Close; what was written still goes out, as long as it is taken."""
        self.abort_at, self.is_leaving = None, True
        self._protocol.await_reader()
        self._transport.close()

    def cut(self) -> None:
        """End it at once for both sides; the kernel, too, forgets what nobody takes. Without that it would keep it for minutes."""
        self.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def untaken(self) -> int:
        """Bytes that the other side has not taken: those that wait here, and where the kernel tells it, those that wait there."""
        try:
            told = fcntl.ioctl(self.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            told = bytes(4)
        return self._transport.get_write_buffer_size() + int(struct.unpack("i", told)[0])
