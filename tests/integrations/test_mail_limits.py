"""No hand-over is endless: mail servers that drip, stall or never stop talking are left in time, and what they said in time counts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.messages.envelope import Handover, SendResult
from connector.store.outgoing import LEASE
from integrations.mail.line import MAX_REPLY
from integrations.mail.session import ANSWER_TIMEOUT, CONNECT_TIMEOUT
from integrations.mail.smtp import BEFORE_DOT_SECONDS, SmtpSender
from tests.integrations.dripping import Dripping, Serve, drip
from tests.integrations.mail_servers import ENVELOPE

SHORT = 0.5
PATIENCE = 3.0
"""Far more than SHORT, far less than a drip would take."""
Begin = Callable[..., SmtpSender]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts a server and gives a sender for it; both end with the test."""
    ends: list[Callable[[], None]] = []

    def make(serve: Serve, scheme: str = "smtp", **limits: Any) -> SmtpSender:
        server = Dripping(serve)
        options: dict[str, Any] = {"timeout": 5.0, "answer_timeout": 5.0, "before_dot": SHORT, **limits}
        sender = SmtpSender(f"{scheme}://127.0.0.1:{server.port}", **options)
        ends.extend((sender.close, server.stop))
        return sender

    yield make
    for end in ends:
        end()


def timed(sender: SmtpSender) -> tuple[SendResult, float]:
    began = time.monotonic()
    return sender.send(ENVELOPE), time.monotonic() - began


def say(line: socket.socket, *replies: bytes) -> None:
    """One reply for each line heard, the first one unasked."""
    reader = line.makefile("rb")
    for number, reply in enumerate(replies):
        if number:
            reader.readline()
        line.sendall(reply)


UP_TO_DATA = (b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")


def take_message(line: socket.socket) -> None:
    """Everything up to a message's final dot."""
    say(line, *UP_TO_DATA)
    body = b""
    while not body.endswith(b"\r\n.\r\n"):
        body += line.recv(65_536)


def dripping_greeting(line: socket.socket, end: threading.Event) -> None:
    drip(line, b"220 " + b"x" * 1000, end)


def endless_greeting(line: socket.socket, end: threading.Event) -> None:
    while not end.wait(0.02):
        line.sendall(b"220-still here\r\n")


def dripping_features(line: socket.socket, end: threading.Event) -> None:
    say(line, b"220 hi\r\n")
    drip(line, b"250-x\r\n" * 200, end)


def dripping_handshake(line: socket.socket, end: threading.Event) -> None:
    say(line, b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n")
    line.recv(65_536)
    drip(line, b"\x16\x03\x03\x40\x00" + b"\x02" * 1000, end)


def dripping_sender_answer(line: socket.socket, end: threading.Event) -> None:
    say(line, b"220 hi\r\n", b"250 hi\r\n")
    drip(line, b"250 " + b"x" * 1000, end)


def silent_at_data(line: socket.socket, end: threading.Event) -> None:
    say(line, *UP_TO_DATA[:-1])
    end.wait(5)


def half_a_refusal_before_the_dot(line: socket.socket, end: threading.Event) -> None:
    say(line, *UP_TO_DATA[:-1], b"354 go\r\n55")
    drip(line, b"2" * 1000, end)


@pytest.mark.parametrize(
    "serve",
    [
        dripping_greeting,
        endless_greeting,
        dripping_features,
        dripping_handshake,
        dripping_sender_answer,
        silent_at_data,
        half_a_refusal_before_the_dot,
    ],
)
def test_a_server_that_drips_before_the_dot_is_left_in_time_and_tried_again(serve: Serve, begin: Begin) -> None:
    result, took = timed(begin(serve))
    assert result.handover is Handover.RETRY
    assert SHORT * 0.9 <= took < PATIENCE


def test_a_handshake_from_the_first_byte_is_left_in_time(begin: Begin) -> None:
    result, took = timed(begin(lambda line, end: drip(line, b"\x16\x03\x03\x40\x00" + b"\x02" * 1000, end), "smtps"))
    assert result.handover is Handover.RETRY
    assert SHORT * 0.9 <= took < PATIENCE


def test_a_receiver_that_takes_the_body_byte_by_byte_is_left_in_time(begin: Begin) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        say(line, *UP_TO_DATA)
        while not end.wait(0.05):
            line.recv(10)

    sender = begin(serve)
    session = sender._session()
    for line in ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"):
        session.command(line)
    began = time.monotonic()
    with pytest.raises(Exception, match="SMTPServerDisconnected") as caught:
        session.hand_over(b"x" * 30_000_000)
    assert getattr(caught.value, "is_ambiguous", None) is False
    assert time.monotonic() - began < PATIENCE
    session.close()


def test_a_reply_without_end_is_not_collected(begin: Begin) -> None:
    sent: list[int] = []

    def serve(line: socket.socket, end: threading.Event) -> None:
        while not end.is_set():
            sent.append(line.send(b"220-" + b"x" * 996 + b"\r\n"))

    result, took = timed(begin(serve, before_dot=30.0))
    assert result.handover is Handover.RETRY
    assert took < PATIENCE
    assert sum(sent) < 200 * MAX_REPLY


@pytest.mark.parametrize(
    ("words", "handover"),
    [
        (b"250 2.0.0 taken", Handover.SENT),
        (b"250-2.0.0 taken\r\n250-and", Handover.SENT),
        (b"451 4.3.0 later", Handover.RETRY),
        (b"554 5.6.0 no", Handover.REFUSED),
        (b"25", Handover.UNKNOWN),
        (b"xyz", Handover.UNKNOWN),
        (b"", Handover.UNKNOWN),
    ],
)
def test_a_verdict_that_was_said_in_time_counts_though_its_words_do_not_end(words: bytes, handover: Handover, begin: Begin) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        take_message(line)
        line.sendall(words)
        end.wait(5)

    result, took = timed(begin(serve, answer_timeout=SHORT))
    assert result.handover is handover
    assert SHORT * 0.9 <= took < PATIENCE


@pytest.mark.parametrize(("words", "handover"), [(b"250-taken\r\n", Handover.SENT), (b"250 tak", Handover.SENT), (b"", Handover.UNKNOWN)])
def test_a_server_that_hangs_up_in_the_middle_of_its_verdict_has_said_it(words: bytes, handover: Handover, begin: Begin) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        take_message(line)
        line.sendall(words)

    assert begin(serve).send(ENVELOPE).handover is handover


def test_a_slow_way_up_to_the_dot_takes_nothing_from_the_time_of_the_verdict(begin: Begin) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        time.sleep(SHORT * 0.7)
        take_message(line)
        time.sleep(SHORT)
        line.sendall(b"250 taken\r\n")

    result, took = timed(begin(serve, answer_timeout=SHORT * 3))
    assert result.handover is Handover.SENT
    assert took > SHORT


def test_connections_that_died_in_silence_share_the_time_of_one_hand_over(begin: Begin) -> None:
    """Four idle connections to a server that fell silent must not cost a time-out each."""
    calls, all_four = threading.Semaphore(4), threading.Barrier(4)

    def serve(line: socket.socket, end: threading.Event) -> None:
        if calls.acquire(blocking=False):
            take_message(line)
            all_four.wait()  # none is idle, and taken by one of the others, before each has its own
            line.sendall(b"250 taken\r\n")
        end.wait()

    sender = begin(serve, timeout=PATIENCE, before_dot=PATIENCE)

    def send() -> None:
        assert sender.send(ENVELOPE).handover is Handover.SENT

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sender._idle) == 4
    result, took = timed(sender)
    assert result.handover is Handover.RETRY
    assert PATIENCE * 0.9 < took < 2 * PATIENCE


def test_a_refusal_that_came_together_with_the_go_ahead_is_seen_before_the_dot(begin: Begin) -> None:
    heard: list[bytes] = []

    def serve(line: socket.socket, end: threading.Event) -> None:
        say(line, *UP_TO_DATA[:-1], b"354 go\r\n552 5.3.4 too large\r\n")
        while not end.is_set() and (piece := line.recv(65_536)):
            heard.append(piece)

    result = begin(serve).send(ENVELOPE)
    assert (result.handover, result.detail) == (Handover.REFUSED, "552 5.3.4 too large")
    assert not b"".join(heard).endswith(b"\r\n.\r\n")


def test_the_next_address_of_a_mail_server_is_tried(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        take_message(line)
        line.sendall(b"250 taken\r\n")

    sender = begin(serve)
    port = sender._server.port
    real = socket.getaddrinfo

    def resolve(host: str, *args: int, **options: int) -> list[object]:
        if not args and options:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
        return list(real(host, *args, **options))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert sender.send(ENVELOPE).handover is Handover.SENT


def test_a_hand_over_never_outlives_the_lease_of_its_message() -> None:
    assert LEASE.total_seconds() - 30 > BEFORE_DOT_SECONDS + ANSWER_TIMEOUT + CONNECT_TIMEOUT
