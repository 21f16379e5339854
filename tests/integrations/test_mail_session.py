"""The moment around the final dot, and servers that are not ready, with a server that speaks a script."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from connector.messages.envelope import Handover
from integrations.mail.session import NoAnswer, NotReady, Session, parse_server
from integrations.mail.smtp import SmtpSender
from tests.integrations.mail_servers import ENVELOPE, free_port


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
    result = SmtpSender(script.url, timeout=0.2).send(ENVELOPE)
    assert result.handover is Handover.RETRY


def test_a_host_name_that_cannot_exist_may_be_tried_again() -> None:
    result = SmtpSender("smtp://" + "a" * 70 + ".example:25").send(ENVELOPE)
    assert result.handover is Handover.RETRY


@pytest.mark.parametrize(("name", "said"), [("mx.shop.example", b"mx.shop.example"), ("laptop", b"[127.0.0.1]")])
def test_we_greet_with_a_full_name_or_none(name: str, said: bytes, play: Callable[..., Script], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    script = play(*HELLO, stays=True)
    Session(parse_server(script.url), timeout=1.0).close()
    assert script.heard == [b"ehlo " + said + b"\r\n"]
