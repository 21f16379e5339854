"""
smtplib's connection with an end: every wait has a limit of its own, and all waits together one instant.

Socket time-outs begin anew with each byte, so a server that drips its greeting, its answers or its acknowledgements would hold
a worker for hours.
"""

import math
import smtplib
import socket
import ssl
import time
from collections.abc import Callable

MAX_REPLY = 65_536
PIECE = 16_384


class Lines:
    """What a server says, line by line; never waits longer than `allowance` permits, never keeps more than MAX_REPLY of one reply."""

    def __init__(self, line: socket.socket, allowance: Callable[[], float]) -> None:
        self.pending = bytearray()
        self._line = line
        self._allowance = allowance
        self._first = b""
        self._length = 0

    @property
    def heard(self) -> bytes:
        """The first line of the running reply, or as much of it as has come."""
        return self._first or bytes(self.pending)

    def begin(self) -> None:
        """The next line is the first of a new reply."""
        self._first, self._length = b"", 0

    def readline(self, limit: int = MAX_REPLY) -> bytes:
        """The next line with its end, at most `limit` bytes; what there is of it if the server hung up. Raises OSError."""
        while b"\n" not in self.pending and len(self.pending) < limit:
            self._line.settimeout(self._allowance())
            piece = self._line.recv(PIECE)
            if not piece:
                break
            self._length += len(piece)
            if self._length > MAX_REPLY:
                raise OSError("the reply has no end")
            self.pending += piece
        length = min(self.pending.find(b"\n") + 1 or len(self.pending), limit)
        line = bytes(self.pending[:length])
        del self.pending[:length]
        self._first = self._first or line
        return line

    def close(self) -> None:
        """Nothing to do: the socket is not ours. smtplib closes what it reads from."""


class TimedSmtp(smtplib.SMTP):
    """
    One connection, with TLS from the first byte if there is a `context`. limit() sets what the next waits may take.

    Raises what smtplib raises; TimeoutError where the time is over before anything was tried.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        our_name: str,
        context: ssl.SSLContext | None,
        step: float,
        until: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect and hear the greeting; each wait takes `step` seconds at most, all end at `until` of the clock `monotonic`."""
        self._context = context
        self._monotonic = monotonic
        self.lines: Lines | None = None
        self.limit(step, until)
        super().__init__(host, port, local_hostname=our_name, timeout=step)

    def limit(self, step: float, until: float) -> None:
        """From now on each wait takes `step` seconds at most, and all are over at the instant `until`."""
        self._step, self._until = step, until

    def allowance(self) -> float:
        """Seconds that the next wait may take. Raises TimeoutError if there are none left."""
        left = self._until - self._monotonic()
        if left <= 0:
            raise TimeoutError("the conversation took too long")
        return min(left, self._step)

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        """Send all of it, piece by piece, so that a receiver that takes its time is noticed."""
        view = memoryview(s.encode(self.command_encoding) if isinstance(s, str) else s)
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        try:
            while view:
                self.sock.settimeout(self.allowance())
                view = view[self.sock.send(view[:PIECE]) :]
        except OSError as error:
            self.close()
            raise smtplib.SMTPServerDisconnected("the line broke while we spoke") from error

    def getreply(self) -> tuple[int, bytes]:
        """The next reply, code and words."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        if self.file is None:
            self.file = self.lines = Lines(self.sock, self.allowance)
        if self.lines is not None:
            self.lines.begin()
        reply = super().getreply()
        if self.sock is not None:
            # A TLS handshake may follow, and takes its limit from the socket.
            self.sock.settimeout(max(min(self._until - self._monotonic(), self._step), 0.001))
        return reply

    def early_line(self) -> bytes | None:
        """A line that came unasked: None if none did, empty if the server hung up. Waits only for the rest of one that has begun."""
        if self.sock is None or self.lines is None:
            return b""
        self.lines.begin()
        if not self.lines.pending:
            self.sock.settimeout(0)
            try:
                self.lines.pending += self.sock.recv(PIECE)
            except (BlockingIOError, ssl.SSLWantReadError):
                return None
        return self.lines.readline(2048) if self.lines.pending else b""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect to the first address that answers; smtplib alone would grant each address its own time-out."""
        failure: OSError = OSError("the name has no address")
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                line = socket.create_connection((str(address[0]), port), self.allowance())
            except OSError as error:
                failure = error
                continue
            try:
                # The final dot follows the body as a write of its own: else it waits for the receiver's delayed word that the body came.
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line.settimeout(self.allowance())
                return line if self._context is None else self._context.wrap_socket(line, server_hostname=host)
            except OSError:
                line.close()
                raise
        raise failure
