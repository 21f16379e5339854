"""
The Sender for plain SMTP: at most once, by a written promise (see README.md beside this file).

What a receiver does is never raised but returned, sorted by what may be done next.
"""

import re
import time
from collections.abc import Callable
from threading import Lock

from connector.messages.envelope import Envelope, Handover, SendResult
from integrations.mail.mime import BadMailbox, message_bytes, plain_address
from integrations.mail.session import ANSWER_TIMEOUT, COMMAND_TIMEOUT, Answer, NoAnswer, NotReady, Session, parse_server

IDLE_SECONDS = 30.0
BEFORE_DOT_SECONDS = 180.0
"""
From the first attempt to connect to the final dot, all waits together. With the wait for the verdict that makes five minutes:
a hand-over never outlives the six minutes for which its message is leased.
"""
MAX_DETAIL = 200

# The receiver wants other credentials or encryption: the operator's to cure, not the message's fault.
_OUR_FAULT = frozenset((530, 534, 535, 538))
# RFC 3463: addresses that are wrong, gone or moved. Other 5.x.x (policy, full, spam) say nothing about the address.
_BAD_ADDRESS = frozenset(("5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"))
_BAD_ADDRESS_CODES = frozenset((550, 551, 553))
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")
_ANY_ADDRESS = re.compile(r"<?[^\s<>@,;:\"']+@[^\s<>@,;:\"']+>?")


class SmtpSender:
    """
    Hands messages to one mail server. Safe to use from many threads; each uses its own connection while it sends.

    A connection is used again within 30 s, and never after an error.
    """

    def __init__(
        self,
        smtp_url: str,
        *,
        timeout: float = COMMAND_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
        before_dot: float = BEFORE_DOT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Seconds: `timeout` for each command, `before_dot` for all of them, `answer_timeout` for the verdict. Raises ConfigError."""
        self._server = parse_server(smtp_url)
        self._timeout = timeout
        self._answer_timeout = answer_timeout
        self._before_dot = before_dot
        self._monotonic = monotonic
        self._lock = Lock()
        self._idle: list[tuple[float, Session]] = []

    def send(self, envelope: Envelope) -> SendResult:
        """Hand over one message, once. Never raises for what the other side does."""
        try:
            sender, to = plain_address(envelope.sender), plain_address(envelope.to)
            message = message_bytes(envelope)
        except BadMailbox as error:
            return SendResult(Handover.REFUSED, error.words, is_bad_address=error.is_malformed)
        except ValueError as error:
            return SendResult(Handover.REFUSED, f"this message cannot be written: {type(error).__name__}")
        try:
            session = self._session()
        except NotReady as error:
            return SendResult(Handover.RETRY, f"no connection: {error}")
        result, is_reusable = _converse(session, sender, to, message)
        if is_reusable:
            with self._lock:
                self._idle.append((self._monotonic(), session))
        else:
            session.close()
        return result

    def close(self) -> None:
        """Hang up all idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, session in idle:
            session.close()

    def _session(self) -> Session:
        """A connection that just answered, or a new one. Raises NotReady."""
        until = self._monotonic() + self._before_dot
        while (idle := self._take_idle()) is not None:
            idle.begin(until)
            try:
                if idle.command("RSET").code == 250:
                    return idle
            except NoAnswer:
                pass  # hung up while it was idle; nothing was said on it, so a new one may take over
            idle.close()
        return Session(self._server, self._timeout, self._answer_timeout, until=until, monotonic=self._monotonic)

    def _take_idle(self) -> Session | None:
        oldest = self._monotonic() - IDLE_SECONDS
        with self._lock:
            stale = [session for used_at, session in self._idle if used_at < oldest]
            self._idle = [pair for pair in self._idle if pair[0] >= oldest]
            fresh = self._idle.pop()[1] if self._idle else None
        for session in stale:
            session.close()
        return fresh


def _converse(session: Session, sender: str, to: str, message: bytes) -> tuple[SendResult, bool]:
    """One hand-over; and whether the connection may be used again."""
    try:
        for step, line in (("MAIL", f"MAIL FROM:<{sender}>"), ("RCPT", f"RCPT TO:<{to}>"), ("DATA", "DATA")):
            answer = session.command(line)
            if answer.code != 354 if step == "DATA" else not 200 <= answer.code < 300:
                return _refusal(answer, step, sender, to), answer.code >= 400 and answer.code != 421
        answer = session.hand_over(message)
    except NoAnswer as error:
        handover = Handover.UNKNOWN if error.is_ambiguous else Handover.RETRY
        return SendResult(handover, f"no answer: {error.words}"), False
    if 200 <= answer.code < 300:
        return SendResult(Handover.SENT, _detail(answer, sender, to)), True
    if 400 <= answer.code < 600:
        return _refusal(answer, "DATA", sender, to), False
    # Neither yes nor no after a complete message: only a person may decide.
    return SendResult(Handover.UNKNOWN, _detail(answer, sender, to)), False


def _refusal(answer: Answer, step: str, sender: str, to: str) -> SendResult:
    detail = _detail(answer, sender, to)
    if not 500 <= answer.code < 600 or answer.code in _OUR_FAULT:
        return SendResult(Handover.RETRY, detail)
    return SendResult(Handover.REFUSED, detail, is_bad_address=step == "RCPT" and _is_bad_address(answer))


def _is_bad_address(answer: Answer) -> bool:
    status = _STATUS.match(answer.words)
    return status.group() in _BAD_ADDRESS if status else answer.code in _BAD_ADDRESS_CODES


def _detail(answer: Answer, *addresses: str) -> str:
    """The receiver's code and words: short, printable, without the addresses that receivers like to repeat."""
    words = "".join(sign if sign.isprintable() else " " for sign in answer.words)
    for address in addresses:
        words = re.sub(re.escape(address), "[address]", words, flags=re.IGNORECASE)
    words = _ANY_ADDRESS.sub("[address]", words)
    local = addresses[-1].rpartition("@")[0]
    if len(local) > 2:
        words = re.sub(rf"\b{re.escape(local)}\b", "[address]", words, flags=re.IGNORECASE)
    return f"{answer.code} {words}"[:MAX_DETAIL].strip()
