"""Connections to the mail server: reuse, encryption, credentials, the address they are made from."""

import email
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from connector.errors import ConfigError
from connector.messages.envelope import Handover, SendResult
from integrations.mail.session import parse_server
from integrations.mail.smtp import SmtpSender
from tests.integrations.mail_servers import ENVELOPE, Catcher, DiesAfterDot, DiesMidData, Start, sender_fixture, start_fixture  # noqa: F401 - fixtures
from tests.integrations.throwaway import make_certificate


def test_one_connection_carries_many_messages(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    sender = sender_for(start(catcher))
    assert [sender.send(ENVELOPE).handover for _ in range(3)] == [Handover.SENT] * 3
    assert len(catcher.peers) == 1


def test_a_connection_survives_a_refused_recipient(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher(rcpt="450 later")
    sender = sender_for(start(catcher))
    sender.send(ENVELOPE)
    first = sender._idle[0][1]
    catcher.rcpt = None
    assert sender.send(ENVELOPE).handover is Handover.SENT
    assert sender._idle[0][1] is first


def test_a_connection_that_was_idle_for_too_long_is_closed(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher, now = Catcher(), [100.0]
    sender = sender_for(start(catcher), monotonic=lambda: now[0])
    sender.send(ENVELOPE)
    now[0] += 31.0
    sender.send(ENVELOPE)
    assert len(catcher.peers) == 2
    assert len(sender._idle) == 1


def test_a_connection_that_died_while_idle_costs_nothing(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    controller = start(catcher)
    sender = sender_for(controller)
    sender.send(ENVELOPE)
    line = sender._idle[0][1]._smtp.sock
    assert line is not None
    line.shutdown(socket.SHUT_RDWR)
    assert sender.send(ENVELOPE).handover is Handover.SENT
    assert len(catcher.messages) == 2


def test_the_final_dot_does_not_wait_for_word_that_the_body_came(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    """The body and the dot are two writes: the second would wait for the receiver's delayed acknowledgement, 40 ms a message."""
    sender = sender_for(start(Catcher()))
    sender.send(ENVELOPE)
    line = sender._idle[0][1]._smtp.sock
    assert line is not None
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class RefusesRset(SMTP):
    """Does not want to start over."""

    async def smtp_RSET(self, arg: str) -> None:
        await self.push("451 not now")


def test_a_connection_that_does_not_start_over_is_replaced(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    sender = sender_for(start(catcher, RefusesRset))
    assert [sender.send(ENVELOPE).handover for _ in range(2)] == [Handover.SENT] * 2
    assert len(catcher.peers) == 2


def test_threads_share_a_sender(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    sender = sender_for(start(catcher))
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda n: sender.send(replace(ENVELOPE, message_id=f"m{n}@shop.example")).handover, range(20)))
    assert ends == [Handover.SENT] * 20
    assert len({email.message_from_bytes(message)["Message-ID"] for message in catcher.messages}) == 20
    assert len(catcher.peers) <= 4


def test_starttls_is_used_when_offered(start: Start, sender_for: Callable[..., SmtpSender], tmp_path: Path) -> None:
    catcher = Catcher()
    context = make_certificate(tmp_path, "mail.example").server_context()
    sender = sender_for(start(catcher, tls_context=context, require_starttls=True))
    assert sender.send(ENVELOPE).handover is Handover.SENT
    assert sender.send(ENVELOPE).handover is Handover.SENT
    assert catcher.is_encrypted == [True, True]


def test_smtps_speaks_tls_from_the_first_byte(start: Start, sender_for: Callable[..., SmtpSender], tmp_path: Path) -> None:
    catcher = Catcher()
    context = make_certificate(tmp_path, "mail.example").server_context()
    sender = sender_for(start(catcher, ssl_context=context), "smtps")
    assert sender.send(ENVELOPE).handover is Handover.SENT


def test_a_lost_connection_is_told_apart_over_tls_too(start: Start, sender_for: Callable[..., SmtpSender], tmp_path: Path) -> None:
    context = make_certificate(tmp_path, "mail.example").server_context()
    large = replace(ENVELOPE, html="<p>large</p>\n" * 600_000)
    assert sender_for(start(Catcher(), DiesMidData, ssl_context=context), "smtps").send(large).handover is Handover.RETRY
    assert sender_for(start(DiesAfterDot(), ssl_context=context), "smtps").send(ENVELOPE).handover is Handover.UNKNOWN


def test_elsewhere_nothing_is_sent_unencrypted_or_to_strangers(start: Start, tmp_path: Path) -> None:
    """0.0.0.0 reaches this machine and is not a loopback address: to the sender it is a foreign host."""
    catcher = Catcher()
    plain = start(catcher)
    result = SmtpSender(f"smtp://0.0.0.0:{plain.port}").send(ENVELOPE)
    assert result.handover is Handover.RETRY
    assert "no STARTTLS" in result.detail
    encrypted = start(catcher, tls_context=make_certificate(tmp_path, "mail.example").server_context())
    result = SmtpSender(f"smtp://0.0.0.0:{encrypted.port}").send(ENVELOPE)
    assert result == SendResult(Handover.RETRY, "no connection: SSLCertVerificationError")
    assert catcher.messages == []


def test_credentials_are_used_and_wrong_ones_may_be_cured(start: Start, tmp_path: Path) -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"m@x.example", b"p/w:1"), handled=False)

    catcher = Catcher()
    context = make_certificate(tmp_path, "mail.example").server_context()
    controller = start(catcher, authenticator=check, auth_required=True, tls_context=context)
    good = SmtpSender(f"smtp://m%40x.example:p%2Fw%3A1@127.0.0.1:{controller.port}")
    bad = SmtpSender(f"smtp://m%40x.example:secret@127.0.0.1:{controller.port}")
    assert good.send(ENVELOPE).handover is Handover.SENT
    assert bad.send(ENVELOPE) == SendResult(Handover.RETRY, "no connection: SMTPAuthenticationError 535")
    good.close()
    assert "secret" not in repr(bad._server)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:25",
        "http://host",
        "smtp://",
        "smtp://h:x",
        "smtp://h:99999",
        "smtp://u:secret@[::1",
        "smtps://u:secret@h/x",
        "smtp://h?a=1",
    ],
)
def test_an_address_that_is_no_smtp_url_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="SMTP_URL") as caught:
        SmtpSender(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "port", "is_local"),
    [
        ("smtp://mail.example", 587, False),
        ("smtps://mail.example", 465, False),
        ("smtp://localhost:25", 25, True),
        ("smtp://127.8.9.1:25", 25, True),
        ("smtp://[::1]:25", 25, True),
        ("smtp://10.0.0.1:25", 25, False),
        ("smtp://localhost.example:25", 25, False),
    ],
)
def test_ports_default_and_only_loopback_counts_as_local(url: str, port: int, is_local: bool) -> None:
    server = parse_server(url)
    assert (server.port, server.is_local) == (port, is_local)
