"""Every way a hand-over over SMTP can end, against real servers on loopback."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from connector import clock
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from integrations.mail.smtp import SmtpSender
from tests.integrations.mail_servers import (  # noqa: F401 - fixtures
    ENVELOPE,
    LINK,
    Catcher,
    DiesAfterDot,
    DiesAtData,
    DiesMidData,
    Slow,
    Start,
    free_port,
    sender_fixture,
    start_fixture,
)


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
    result = sender_for(start(Slow()), answer_timeout=0.2).send(ENVELOPE)
    assert result.handover is Handover.UNKNOWN


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
