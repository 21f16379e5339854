"""The sink records what arrives, and dies, refuses or falls silent where it is told."""

import contextlib
import smtplib
from collections.abc import Iterator

import pytest

from tests.chaos.sink import Point, SmtpSink


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    """A sink that listens."""
    sink = SmtpSink().start()
    yield sink
    sink.stop()


def mailed(sink: SmtpSink, timeout: float = 3.0) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port, local_hostname="client.test", timeout=timeout) as smtp:
        smtp.sendmail("a@example.com", ["b@example.com"], b"Message-ID: <m1@x>\r\nSubject: hi\r\n\r\n.dotted\r\n")


def test_the_sink_records_what_arrives(sink: SmtpSink) -> None:
    points: list[str] = []
    sink.on_point = points.append
    mailed(sink)

    assert [(mail.message_id, mail.recipient, mail.is_answered) for mail in sink.mails] == [("m1@x", "b@example.com", True)]
    assert b"\r\n.dotted" in sink.mails[0].raw
    assert points == ["connect", "mail", "rcpt", "data", "dot", "after_250"]
    assert (sink.count, sink.faults, [one.code for one in sink.attempts]) == (1, 0, [250])


@pytest.mark.parametrize(("point", "kept"), [("connect", 0), ("mail", 0), ("rcpt", 0), ("data", 0), ("dot", 1)])
def test_the_sink_dies_where_it_is_told_and_lives_on(sink: SmtpSink, point: Point, kept: int) -> None:
    sink.die_at(point)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        mailed(sink)
    assert [mail.is_answered for mail in sink.mails] == [False] * kept
    assert sink.faults == 1

    mailed(sink)
    assert sink.count == kept + 1


def test_a_death_after_250_leaves_the_message_answered(sink: SmtpSink) -> None:
    sink.die_at("after_250")
    with contextlib.suppress(smtplib.SMTPServerDisconnected, ConnectionError):  # QUIT may meet the closed door
        mailed(sink)
    assert [mail.is_answered for mail in sink.mails] == [True]
    assert sink.faults == 1


def test_the_sink_refuses_as_it_is_told(sink: SmtpSink) -> None:
    sink.answer(450)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mailed(sink)
    sink.answer(552, at="dot", words="5.2.2 full")
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.2\.2"):
        mailed(sink)
    assert (sink.count, sink.faults) == (0, 2)
    assert [one.code for one in sink.attempts] == [450, 250]


def test_a_hanging_sink_says_nothing_until_it_is_healed(sink: SmtpSink) -> None:
    sink.hang()
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        mailed(sink, timeout=0.3)
    sink.heal()
    mailed(sink)
    assert (sink.count, sink.faults) == (1, 1)
