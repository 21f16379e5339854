"""
Mail servers on loopback that accept, refuse, stall and die at chosen points.

Test files take the fixtures by importing them: `from tests.integrations.mail_servers import sender_fixture, start_fixture`.
"""

import asyncio
import email
import logging
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from connector.messages.envelope import Envelope
from integrations.mail.smtp import SmtpSender

LINK = "https://connector.example/u/" + "0123456789abcdef" * 6
ENVELOPE = Envelope(
    message_id="msg_01@shop.example",
    sender='"Café Noir" <connector@shop.example>',
    to="camille.martin@customer.example",
    subject="Votre panier vous attend — à bientôt",
    html="<p>Bonjour à vous</p>\n" + "<p>" + "x" * 2_000 + "</p>",
    text="Bonjour à vous\n.\n..two dots\nFin",
    headers={"List-Unsubscribe": f"<{LINK}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
)


class Catcher:
    """An aiosmtpd handler that keeps what it accepts and answers as told."""

    def __init__(self, rcpt: str | None = None, data: str | None = None, mail: str | None = None) -> None:
        self.rcpt, self.data, self.mail = rcpt, data, mail
        self.messages: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.peers: set[tuple[str, int]] = set()
        self.is_encrypted: list[bool] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.mail is not None:
            return self.mail
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.rcpt is not None:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.peers.add(session.peer)
        self.is_encrypted.append(session.ssl is not None)
        if self.data is not None:
            return self.data
        self.messages.append(envelope.content)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        return "250 2.0.0 queued as 4711"

    def message(self) -> EmailMessage:
        """The one message that was accepted."""
        (content,) = self.messages
        message = email.message_from_bytes(content, policy=modern)
        assert isinstance(message, EmailMessage)
        return message


class DiesAfterDot(Catcher):
    """Takes the whole message and hangs up instead of answering."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(envelope.content)
        server.transport.abort()
        return "250 nobody hears this"


class Slow(Catcher):
    """Thinks for longer than anybody waits."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(envelope.content)
        await asyncio.sleep(5.0)
        return "250 at last"


class DiesMidData(SMTP):
    """Says 354, reads a little and hangs up."""

    async def smtp_DATA(self, arg: str) -> None:
        await self.push("354 go on")
        await self._reader.read(1_000)
        self.transport.abort()


class DiesAtData(SMTP):
    """Hangs up when it hears DATA."""

    async def smtp_DATA(self, arg: str) -> None:
        self.transport.abort()


Start = Callable[..., Controller]


@pytest.fixture(name="start")
def start_fixture() -> Iterator[Start]:
    """Starts aiosmtpd servers on loopback and stops them at the end."""
    running: list[Controller] = []

    def begin(handler: Catcher, protocol: type[SMTP] = SMTP, **options: Any) -> Controller:
        class Loopback(Controller):
            def factory(self) -> SMTP:
                return protocol(self.handler, **self.SMTP_kwargs)

        controller = Loopback(handler, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        running.append(controller)
        return controller

    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    yield begin
    for controller in running:
        controller.stop(no_assert=True)


@pytest.fixture(name="sender_for")
def sender_fixture() -> Iterator[Callable[..., SmtpSender]]:
    """Makes senders for a controller and closes them at the end."""
    made: list[SmtpSender] = []

    def make(controller: Controller, scheme: str = "smtp", **options: Any) -> SmtpSender:
        made.append(SmtpSender(f"{scheme}://127.0.0.1:{controller.port}", **{"timeout": 5.0, "answer_timeout": 5.0, **options}))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
