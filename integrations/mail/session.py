"""
One SMTP connection, and one hand-over on it, step by step.

smtplib's own `sendmail` cannot say on which side of the final dot a connection died, and that is the one thing that
decides whether a message may be sent again. So DATA is spoken here: body, then a look whether the receiver is still
there, then the dot.
"""

import math
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from connector.errors import ConfigError
from integrations.mail.line import TimedSmtp

CONNECT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 30.0
# RFC 5321 §4.5.3.2.6 wants ten minutes for the answer to the final dot; a worker cannot wait that long, two catch the slow filters.
ANSWER_TIMEOUT = 120.0

_REFUSAL = re.compile(r"([45]\d\d)[ -]?(.*)")
# All lines of a reply carry the same code, so the first one is the verdict.
_VERDICT = re.compile(rb"([245]\d\d)[ -]([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over. `is_local`: the host is this machine, where TLS proves nothing."""

    host: str
    port: int
    is_tls: bool
    is_local: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: its code and its words on one line."""

    code: int
    words: str


class NoAnswer(Exception):
    """The connection ended or fell silent; `is_ambiguous` once the final dot may have arrived."""

    def __init__(self, words: str, *, is_ambiguous: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.is_ambiguous = is_ambiguous


class NotReady(Exception):
    """A connection on which mail cannot be handed over: nobody there, no encryption, wrong password."""


def parse_server(url: str) -> Server:
    """Read `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`. Raises ConfigError, which never repeats the password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("SMTP_URL is not an address; write smtp://user:password@host:587") from error
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path.strip("/") or parts.query:
        raise ConfigError("SMTP_URL must look like smtp://user:password@host:587 or smtps://user:password@host:465")
    is_tls = parts.scheme == "smtps"
    return Server(
        host=host,
        port=port or (465 if is_tls else 587),
        is_tls=is_tls,
        is_local=_is_local(host),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


class Session:
    """An open connection, greeted, encrypted and logged in. Not for use by two threads at once."""

    def __init__(
        self,
        server: Server,
        timeout: float = COMMAND_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        *,
        until: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect; everything up to a final dot must be over at `until`. Raises NotReady; nothing was handed over then."""
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._monotonic = monotonic
        try:
            self._smtp = _connect(server, min(CONNECT_TIMEOUT, timeout), until, monotonic)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise NotReady(_reason(error)) from error
        try:
            _prepare(self._smtp, server)
            self.begin(until)
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            self.close()
            raise NotReady(_reason(error)) from error
        except NotReady:
            self.close()
            raise

    def begin(self, until: float) -> None:
        """A new hand-over: everything up to its final dot must be over at `until` of the clock."""
        self._smtp.limit(self._timeout, until)

    def command(self, line: str) -> Answer:
        """One command and its answer. Raises NoAnswer; no message was complete then."""
        try:
            return _answer(*self._smtp.docmd(line))
        except (OSError, smtplib.SMTPException) as error:
            raise NoAnswer(_reason(error)) from error

    def hand_over(self, message: bytes) -> Answer:
        """
        Send the body after a 354, then the final dot, and return the verdict.

        A refusal that comes before the dot (too large, shutting down) is returned without sending the dot. Raises NoAnswer.
        """
        body = re.sub(rb"(?m)^\.", b"..", message)
        try:
            self._smtp.send(body if body.endswith(b"\r\n") else body + b"\r\n")
            early = self._early_answer()
        except (OSError, smtplib.SMTPException) as error:
            raise NoAnswer(_reason(error)) from error
        if early is not None:
            return early
        # From here on the receiver may hold a complete message, whatever we are told or not told. Its answer has a time of its
        # own: it must not become unknown because the way up to the dot was slow.
        self._smtp.limit(self._answer_timeout, self._monotonic() + self._answer_timeout)
        try:
            self._smtp.send(b".\r\n")
            return _answer(*self._smtp.getreply())
        except (OSError, smtplib.SMTPException) as error:
            verdict = _VERDICT.match(self._smtp.lines.heard if self._smtp.lines else b"")
            if verdict is not None:
                # Said in time, though the words behind the code drip or broke off.
                return _answer(int(verdict.group(1)), verdict.group(2))
            raise NoAnswer(_reason(error), is_ambiguous=True) from error

    def close(self) -> None:
        """Hang up without a word; a QUIT could wait for a receiver that is gone."""
        self._smtp.close()

    def _early_answer(self) -> Answer | None:
        """A refusal that already lies in the line before the dot, None for nothing. Raises SMTPServerDisconnected for its end."""
        line = self._smtp.early_line()
        if line is None:
            return None
        if not line:
            raise smtplib.SMTPServerDisconnected("closed during DATA")
        refusal = _REFUSAL.match(line.decode("utf-8", "replace"))
        if refusal is None:
            raise smtplib.SMTPServerDisconnected("out of step")
        return Answer(int(refusal.group(1)), refusal.group(2).strip())


def _connect(server: Server, step: float, until: float, monotonic: Callable[[], float]) -> TimedSmtp:
    context = _context(server) if server.is_tls else None
    return TimedSmtp(server.host, server.port, our_name=_our_name(), context=context, step=step, until=until, monotonic=monotonic)


def _prepare(smtp: smtplib.SMTP, server: Server) -> None:
    smtp.ehlo_or_helo_if_needed()
    if not server.is_tls:
        if smtp.has_extn("starttls"):
            smtp.starttls(context=_context(server))
            smtp.ehlo_or_helo_if_needed()
        elif not server.is_local:
            raise NotReady("the mail server offers no STARTTLS, and nothing is sent unencrypted")
    if server.user:
        smtp.login(server.user, server.password)


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.is_local:
        # 127.0.0.1 has no name a certificate could prove; what reaches it never left this machine.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _our_name() -> str:
    # Not getfqdn(), smtplib's default: it asks the resolver and may hang for seconds.
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _answer(code: int, words: bytes) -> Answer:
    return Answer(code, " ".join(words.decode("utf-8", "replace").split()))


def _reason(error: BaseException) -> str:
    """The kind of failure, and the receiver's code where there is one; never its words, which may name people."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    return type(error).__name__
