"""Every way a hand-over over SMTP can end, against real servers on loopback."""

import asyncio
import email
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as modern
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from connector import clock
from connector.errors import ConfigError
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from integrations.mail.session import NoAnswer, NotReady, Session, parse_server
from integrations.mail.smtp import SmtpSender
from tests.integrations.throwaway import make_certificate

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
        await asyncio.sleep(1.0)
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


@pytest.fixture
def start() -> Iterator[Start]:
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


@pytest.fixture
def sender_for() -> Iterator[Callable[..., SmtpSender]]:
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


def test_an_accepted_message_is_sent_and_arrives_whole(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    sender: Sender = sender_for(start(catcher))
    before = clock.now().replace(microsecond=0)
    assert sender.send(ENVELOPE) == SendResult(Handover.SENT, "250 2.0.0 queued as 4711")
    message = catcher.message()
    assert catcher.envelopes == [("connector@shop.example", ["camille.martin@customer.example"])]
    assert message["From"] == "Café Noir <connector@shop.example>"
    assert message["Subject"] == ENVELOPE.subject
    assert message["Message-ID"] == "<msg_01@shop.example>"
    assert before <= parsedate_to_datetime(message["Date"]) <= clock.now()
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    text, html = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == ENVELOPE.text + "\n"
    assert html.get_content().replace("\r\n", "\n") == ENVELOPE.html + "\n"


def test_links_in_headers_stay_whole_and_the_rest_is_seven_bit(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    sender_for(start(catcher)).send(ENVELOPE)
    raw = catcher.messages[0]
    assert f"\r\nList-Unsubscribe: <{LINK}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert raw.isascii()
    others = [line for line in raw.split(b"\r\n") if LINK.encode() not in line]
    assert max(len(line) for line in others) <= 78


def test_the_date_follows_the_virtual_clock(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    clock.set_offset(timedelta(days=400))
    try:
        sender_for(start(catcher)).send(ENVELOPE)
    finally:
        clock.set_offset(timedelta())
    assert parsedate_to_datetime(catcher.message()["Date"]) > datetime.now(UTC) + timedelta(days=399)


@pytest.mark.parametrize(
    ("handler", "expected", "is_bad_address"),
    [
        (Catcher(rcpt="450 4.2.1 busy"), Handover.RETRY, False),
        (Catcher(rcpt="421 4.3.2 going down"), Handover.RETRY, False),
        (Catcher(rcpt="550 no such user here"), Handover.REFUSED, True),
        (Catcher(rcpt="550 5.1.1 no such user"), Handover.REFUSED, True),
        (Catcher(rcpt="554 5.1.1 no such user"), Handover.REFUSED, True),
        (Catcher(rcpt="553 what is that"), Handover.REFUSED, True),
        (Catcher(rcpt="550 5.7.1 we do not like you"), Handover.REFUSED, False),
        (Catcher(rcpt="552 5.2.2 full"), Handover.REFUSED, False),
        (Catcher(rcpt="554 no"), Handover.REFUSED, False),
        (Catcher(mail="451 4.7.1 later"), Handover.RETRY, False),
        (Catcher(mail="550 5.1.1 not from you"), Handover.REFUSED, False),
        (Catcher(mail="530 5.7.0 log in first"), Handover.RETRY, False),
        (Catcher(mail="354 nonsense"), Handover.RETRY, False),
        (Catcher(data="451 4.3.0 disk full"), Handover.RETRY, False),
        (Catcher(data="552 5.3.4 too large"), Handover.REFUSED, False),
        (Catcher(data="550 5.1.1 said too late"), Handover.REFUSED, False),
        (Catcher(data="354 nonsense"), Handover.UNKNOWN, False),
    ],
    ids=lambda value: (value.rcpt or value.mail or value.data) if isinstance(value, Catcher) else "",
)
def test_each_refusal_says_what_may_be_done_next(
    handler: Catcher, expected: Handover, is_bad_address: bool, start: Start, sender_for: Callable[..., SmtpSender]
) -> None:
    result = sender_for(start(handler)).send(ENVELOPE)
    words = handler.rcpt or handler.mail or handler.data
    assert result == SendResult(expected, words or "", is_bad_address)
    assert handler.messages == []


def test_a_connection_lost_after_the_dot_is_unknown(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = DiesAfterDot()
    result = sender_for(start(catcher)).send(ENVELOPE)
    assert result.handover is Handover.UNKNOWN
    assert len(catcher.messages) == 1, "the receiver had it all, a retry would be a second copy"


def test_silence_after_the_dot_is_unknown_and_ends_in_time(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    started = time.monotonic()
    result = sender_for(start(Slow()), answer_timeout=0.2).send(ENVELOPE)
    assert result.handover is Handover.UNKNOWN
    assert time.monotonic() - started < 0.9


def test_a_connection_lost_while_the_message_travels_may_be_tried_again(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    large = replace(ENVELOPE, html="<p>large</p>\n" * 600_000)
    result = sender_for(start(catcher, DiesMidData)).send(large)
    assert result.handover is Handover.RETRY
    assert catcher.messages == []


def test_a_connection_lost_at_data_may_be_tried_again(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    assert sender_for(start(Catcher(), DiesAtData)).send(ENVELOPE).handover is Handover.RETRY


def test_nobody_listening_may_be_tried_again() -> None:
    result = SmtpSender(f"smtp://127.0.0.1:{free_port()}").send(ENVELOPE)
    assert result == SendResult(Handover.RETRY, "no connection: ConnectionRefusedError")


def test_details_name_nobody(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    words = "<Camille.Martin@customer.example>: camille.martin unknown, ask boss@customer.example\x07 "
    catcher = Catcher(rcpt="550 5.1.1 " + words + "x" * 300)
    detail = sender_for(start(catcher)).send(ENVELOPE).detail
    assert "martin" not in detail.lower()
    assert "@" not in detail
    assert detail.startswith("550 5.1.1 <[address]>: [address] unknown, ask [address]")
    assert detail.isprintable()
    assert len(detail) == 200


def test_a_short_name_before_the_at_sign_leaves_the_words_readable(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher(rcpt="550 5.1.1 no such user")
    assert sender_for(start(catcher)).send(replace(ENVELOPE, to="no@customer.example")).detail == "550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("to", "is_bad_address"),
    [
        ("camille@café.example", False),
        ("zoé@customer.example", False),
        ("", True),
        ("camille", True),
        ("a@b@c", True),
        ("a@b.example, c@d.example", True),
        ("a b@c.example", True),
        ("a@b.example\r\nRCPT TO:<x@y.example>", True),
        ("a@b.example\x00", True),
        ("<>", True),
    ],
)
def test_addresses_that_cannot_be_used_are_refused_without_a_connection(to: str, is_bad_address: bool) -> None:
    result = SmtpSender(f"smtp://127.0.0.1:{free_port()}").send(replace(ENVELOPE, to=to))
    assert result.handover is Handover.REFUSED
    assert result.is_bad_address is is_bad_address
    assert "@" not in result.detail


@pytest.mark.parametrize(
    "broken",
    [
        replace(ENVELOPE, sender="nobody"),
        replace(ENVELOPE, subject="a\r\nBcc: x@y.example"),
        replace(ENVELOPE, headers={"X-A": "b\nBcc: x@y.example"}),
        replace(ENVELOPE, headers={"From": "x@y.example"}),
        replace(ENVELOPE, text="\ud800"),
    ],
)
def test_a_message_that_cannot_be_written_is_refused_without_a_connection(broken: Envelope) -> None:
    assert SmtpSender(f"smtp://127.0.0.1:{free_port()}").send(broken).handover is Handover.REFUSED


def test_an_unsubscribe_link_outside_ascii_is_left_to_the_library(start: Start, sender_for: Callable[..., SmtpSender]) -> None:
    catcher = Catcher()
    result = sender_for(start(catcher)).send(replace(ENVELOPE, headers={"List-Unsubscribe": "<https://café.example/u>"}))
    assert result.handover is Handover.SENT
    assert catcher.messages[0].isascii()


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
    sender._idle[0][1]._socket().shutdown(socket.SHUT_RDWR)
    assert sender.send(ENVELOPE).handover is Handover.SENT
    assert len(catcher.messages) == 2


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


class Script:
    """A server of one connection that speaks exactly these lines: after the greeting one per line heard, then waits or hangs up."""

    def __init__(self, *replies: bytes, stays: bool = False) -> None:
        self._replies = replies
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stays = stays
        self.heard: list[bytes] = []
        self.is_over = threading.Event()
        self.may_end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        line, _ = self._listener.accept()
        with line, line.makefile("rb") as reader:
            line.sendall(self._replies[0])
            for reply in self._replies[1:]:
                self.heard.append(reader.readline())
                line.sendall(reply)
            if not self._stays:
                line.shutdown(socket.SHUT_WR)
            self.is_over.set()
            self.may_end.wait(5)

    def end(self) -> None:
        self.may_end.set()
        self._thread.join(5)
        self._listener.close()


HELLO = (b"220 hi\r\n", b"250 hi\r\n")
TO_DATA = (*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")


@pytest.fixture
def play() -> Iterator[Callable[..., Script]]:
    """Starts scripted servers and ends them."""
    scripts: list[Script] = []

    def begin(*replies: bytes, stays: bool = False) -> Script:
        scripts.append(Script(*replies, stays=stays))
        return scripts[-1]

    yield begin
    for script in scripts:
        script.end()


def at_data(script: Script, begun: bytes = b"") -> Session:
    """A session whose server has said 354 and, after the `begun` line of the body, all that its script holds."""
    session = Session(parse_server(script.url), timeout=2.0, answer_timeout=0.3)
    for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"):
        session.command(line)
    session._smtp.send(begun)
    assert script.is_over.wait(2)
    time.sleep(0.05)
    return session


def test_a_server_that_hangs_up_before_the_dot_never_gets_the_dot(play: Callable[..., Script]) -> None:
    session = at_data(play(*TO_DATA))
    with pytest.raises(NoAnswer) as caught:
        session.hand_over(b"Subject: x\r\n\r\nbody")
    assert caught.value.is_ambiguous is False
    session.close()


@pytest.mark.parametrize(("early", "code"), [(b"552 5.3.4 too large\r\n", 552), (b"421 going down\r\n", 421), (b"451-a\r\n451 b\r\n", 451)])
def test_a_refusal_before_the_dot_is_taken_at_its_word(early: bytes, code: int, play: Callable[..., Script]) -> None:
    script = play(*TO_DATA, early, stays=True)
    session = at_data(script, b"Subject: x\r\n")
    assert session.hand_over(b"\r\nbody\r\n").code == code
    session.close()


def test_a_server_out_of_step_before_the_dot_is_not_believed(play: Callable[..., Script]) -> None:
    session = at_data(play(*TO_DATA, b"250 thanks for nothing\r\n", stays=True), b"Subject: x\r\n")
    with pytest.raises(NoAnswer) as caught:
        session.hand_over(b"\r\nbody\r\n")
    assert caught.value.is_ambiguous is False
    session.close()


def test_nonsense_or_silence_after_the_dot_is_ambiguous(play: Callable[..., Script]) -> None:
    session = at_data(play(*TO_DATA, stays=True))
    with pytest.raises(NoAnswer) as caught:
        session.hand_over(b"body")
    assert caught.value.is_ambiguous is True
    with pytest.raises(NoAnswer):
        session.command("NOOP")
    with pytest.raises(NoAnswer) as again:
        session.hand_over(b"body")
    assert again.value.is_ambiguous is False, "a closed connection takes no message"


@pytest.mark.parametrize(
    "replies",
    [
        (b"554 go away\r\n",),
        (b"",),
        (b"220 hi\r\n", b"550 no\r\n", b"550 no\r\n"),
        (b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"454 not now\r\n"),
        (b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\nthis is no TLS\r\n"),
    ],
)
def test_a_server_that_is_not_ready_takes_nothing(replies: tuple[bytes, ...], play: Callable[..., Script]) -> None:
    script = play(*replies)
    with pytest.raises(NotReady):
        Session(parse_server(script.url), timeout=1.0)
    assert SmtpSender(f"smtp://127.0.0.1:{free_port()}").send(ENVELOPE).handover is Handover.RETRY


def test_a_server_that_never_greets_ends_in_time(play: Callable[..., Script]) -> None:
    script = play(b"", stays=True)
    started = time.monotonic()
    result = SmtpSender(script.url, timeout=0.2).send(ENVELOPE)
    assert result.handover is Handover.RETRY
    assert time.monotonic() - started < 2.0


def test_a_host_name_that_cannot_exist_may_be_tried_again() -> None:
    result = SmtpSender("smtp://" + "a" * 70 + ".example:25").send(ENVELOPE)
    assert result.handover is Handover.RETRY


@pytest.mark.parametrize(("name", "said"), [("mx.shop.example", b"mx.shop.example"), ("laptop", b"[127.0.0.1]")])
def test_we_greet_with_a_full_name_or_none(name: str, said: bytes, play: Callable[..., Script], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    script = play(*HELLO, stays=True)
    Session(parse_server(script.url), timeout=1.0).close()
    assert script.heard == [b"ehlo " + said + b"\r\n"]
