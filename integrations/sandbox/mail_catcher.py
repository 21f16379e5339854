"""Takes every e-mail that the app hands over and shows it to people; refuses or breaks off when told to."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response

from integrations.sandbox.web import Call, notice, page, redirect, route

HTML_POLICY = "default-src 'none'; img-src http: https: data:; style-src 'unsafe-inline'; form-action http: https:"
STORE = "Mailbox"
WORDS = {
    421: "4.3.2 going down, closing connection",
    450: "4.2.1 try again later",
    452: "4.3.1 no room at the moment",
    550: "5.1.1 no such mailbox",
    552: "5.2.2 mailbox full",
    554: "5.7.1 not wanted here",
}


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One accepted message: envelope, parsed content, virtual time of arrival. `number` counts from 1."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    arrived_at: datetime

    @property
    def subject(self) -> str:
        """The decoded subject; empty if there is none."""
        return str(self.message.get("subject", ""))

    @property
    def html(self) -> str:
        """The decoded HTML part; empty if there is none."""
        return self._part("html")

    @property
    def text(self) -> str:
        """The decoded plain text part; empty if there is none."""
        return self._part("plain")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


@dataclass(slots=True)
class _Refusal:
    """A planned misbehaviour: an answer at RCPT or after the data, a broken connection after the final dot, or a long silence."""

    answer: str = ""
    at_data: bool = False
    keeps: bool = False
    seconds: float = 0.0


class MailCatcher:
    """
    An SMTP server on 127.0.0.1 and its mailbox pages.

    `rewrite` is applied to the HTML part when people look at it (images of pretend stores are elsewhere for them).
    """

    def __init__(self, now: Callable[[], datetime], rewrite: Callable[[str], str] = str) -> None:
        self._now = now
        self._rewrite = rewrite
        self._mails: list[CaughtMail] = []
        self._plans: list[_Refusal] = []
        self._changed = threading.Condition()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self._server = _SmtpServer(_Handler(self), listener)
        self.app = Starlette(
            routes=[
                route("/", lambda call: redirect("/mailbox")),
                route("/mailbox", self._list),
                route("/mailbox/{n:int}", self._show),
                route("/mailbox/{n:int}/html", self._html),
            ]
        )

    @property
    def smtp_url(self) -> str:
        """`smtp://127.0.0.1:port`, without encryption or password."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._server.start()

    def stop(self) -> None:
        """End; messages stay readable. May be called twice, or without start()."""
        self._server.stop()

    def messages(self, to: str | None = None) -> list[CaughtMail]:
        """What was accepted so far in order of arrival, or only what went to one address."""
        with self._changed:
            return [mail for mail in self._mails if to is None or to in mail.recipients]

    def wait_for(self, count: int, timeout: float = 10.0, to: str | None = None) -> list[CaughtMail]:
        """Wait until at least `count` messages are there, at most `timeout` real seconds; returns what is there then."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.messages(to)) >= count, timeout)
            return self.messages(to)

    def clear(self) -> None:
        """Forget all messages."""
        with self._changed:
            self._mails.clear()

    def refuse_next(self, times: int = 1, code: int = 450, *, at_data: bool = False) -> None:
        """The next messages are refused with this code (4xx for now, 5xx for good), at RCPT or after the data; 421 also hangs up."""
        self._plan(_Refusal(f"{code} {WORDS.get(code, WORDS[450 if code < 500 else 550])}", at_data), times)

    def die_next(self, times: int = 1, *, keeps: bool = True) -> None:
        """The next connections break off after the final dot, before an answer; `keeps`: the message was taken all the same."""
        self._plan(_Refusal(at_data=True, keeps=keeps), times)

    def hang_next(self, times: int = 1, seconds: float = 30.0, *, at_data: bool = True) -> None:
        """The next messages get their answer only after `seconds`, at RCPT or after the data: most senders have left by then."""
        self._plan(_Refusal("250 2.0.0 at last", at_data, keeps=True, seconds=seconds), times)

    def _plan(self, refusal: _Refusal, times: int) -> None:
        with self._changed:
            self._plans.extend([refusal] * times)

    def take_plan(self, at_data: bool) -> _Refusal | None:
        """The next planned misbehaviour, if it belongs to this stage of the conversation."""
        with self._changed:
            return self._plans.pop(0) if self._plans and self._plans[0].at_data is at_data else None

    def keep(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Add an accepted message to the mailbox."""
        message = message_from_bytes(raw, policy=policy.default)
        with self._changed:
            self._mails.append(CaughtMail(len(self._mails) + 1, sender, tuple(recipients), message, raw, self._now().astimezone(UTC)))
            self._changed.notify_all()

    def _list(self, call: Call) -> Response:
        return page("mailbox.html", store=STORE, title="Messages", mails=list(reversed(self.messages())))

    def _show(self, call: Call) -> Response:
        mail = self._find(call)
        if mail is None:
            return notice(STORE, "No such message", "It may have been cleared.", 404)
        headers = [(name, str(value)) for name, value in mail.message.items()]
        title = mail.subject or "(no subject)"
        return page("mail.html", store=STORE, title=title, mail=mail, headers=headers, has_html=bool(mail.html), text=mail.text)

    def _html(self, call: Call) -> Response:
        """The HTML part as a mail program would show it: no scripts, nothing loaded but images."""
        mail = self._find(call)
        if mail is None or not mail.html:
            return notice(STORE, "No HTML part", "This message has only text, or it was cleared.", 404)
        return HTMLResponse(self._rewrite(mail.html), headers={"content-security-policy": HTML_POLICY})

    def _find(self, call: Call) -> CaughtMail | None:
        return next((mail for mail in self.messages() if mail.number == int(call.parts["n"])), None)


class _Handler:
    """aiosmtpd's callbacks."""

    def __init__(self, catcher: MailCatcher) -> None:
        self._catcher = catcher

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        plan = self._catcher.take_plan(at_data=False)
        if plan is not None:
            await _wait_or_leave(server, plan)
            if not plan.keeps:
                return plan.answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        plan = self._catcher.take_plan(at_data=True)
        if plan is None or plan.keeps:
            self._catcher.keep(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        if plan is not None and not plan.answer:
            server.transport.abort()
        if plan is not None:
            await _wait_or_leave(server, plan)
        return "250 2.0.0 accepted" if plan is None else plan.answer


async def _wait_or_leave(server: Any, plan: _Refusal) -> None:
    """The silence of a plan; and the end of the connection shortly after a 421."""
    if plan.seconds:
        await asyncio.sleep(plan.seconds)
    if plan.answer.startswith("421"):
        asyncio.get_running_loop().call_later(0.02, server.transport.close)


class _SmtpServer:
    """aiosmtpd's protocol in an event loop of its own thread; stop() leaves neither connections nor the loop behind."""

    def __init__(self, handler: _Handler, listener: socket.socket) -> None:
        self._handler = handler
        self._listener = listener
        self._connections: list[SMTP] = []
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mail-catcher", daemon=True)

    def start(self) -> None:
        """Returns once connections are accepted."""
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> None:
        """End; may be called without start()."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(5)
            self._loop = None
        self._listener.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(self._protocol, sock=self._listener)
        self._ready.set()
        await self._end.wait()
        server.close()
        for connection in self._connections:
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()
        await asyncio.sleep(0)

    def _protocol(self) -> SMTP:
        connection = SMTP(self._handler, enable_SMTPUTF8=True, hostname="mail.catcher.test", loop=self._loop)
        self._connections = [one for one in self._connections if one.transport is not None and not one.transport.is_closing()]
        self._connections.append(connection)
        return connection
