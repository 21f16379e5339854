"""The driver keeps its rate, and the ledger tells acknowledged from failed and from nobody knows."""

import hashlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.driver import Driver
from tests.chaos.echo import Echo
from tests.chaos.ledger import Ledger
from tests.chaos.posts import Post


def answering(status: bytes) -> Callable[[socket.socket], None]:
    """An HTTP server that answers every request with this status."""

    def serve(line: socket.socket) -> None:
        while line.recv(65536):
            line.sendall(b"HTTP/1.1 " + status + b" x\r\ncontent-length: 2\r\n\r\nok")

    return serve


def cutting(line: socket.socket) -> None:
    """One that hangs up instead of answering."""
    line.recv(65536)
    line.close()


def silent(line: socket.socket) -> None:
    """One that never answers."""
    while line.recv(65536):
        pass


def post(number: int) -> Post:
    return Post("/webhooks/shopify", {"X-Number": str(number)}, b"{}", hashlib.sha256(b"%d" % number).digest())


def driven(port: int, total: int = 5, retries: int = 0, ledger: Ledger | None = None, rate: float = 100) -> Driver:
    driver = Driver([port], post, rate, total, 0.3, retries, retry_seconds=0.01, ledger=ledger).start()
    assert driver.join(20)
    return driver


@pytest.mark.parametrize(
    ("serve", "outcome", "status"),
    [
        (answering(b"200"), "ok", 200),
        (answering(b"503"), "failed", 503),
        (answering(b"401"), "failed", 401),
        (cutting, "unknown", 0),
        (silent, "unknown", 0),
    ],
)
def test_the_ledger_tells_acknowledged_from_failed_and_from_nobody_knows(
    serve: Callable[[socket.socket], None], outcome: str, status: int
) -> None:
    server = Echo(serve)
    ledger = driven(server.port).ledger
    server.stop()

    assert ledger.counts() == {"ok": 0, "failed": 0, "unknown": 0} | {outcome: 5}
    assert {attempt.status for attempt in ledger.attempts} == {status}
    assert len(getattr(ledger, outcome)) == 5
    assert sum(len(keys) for keys in (ledger.ok, ledger.failed, ledger.unknown)) == 5
    assert set(ledger.expected) == {post(number).key for number in range(5)}


def test_a_refused_connection_is_a_failure_and_never_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert driven(port).ledger.counts() == {"ok": 0, "failed": 5, "unknown": 0}


def test_a_repetition_carries_the_same_key_and_each_attempt_is_noted(tmp_path: Path) -> None:
    answers = iter([b"503", b"200"])

    def serve(line: socket.socket) -> None:
        while line.recv(65536):
            line.sendall(b"HTTP/1.1 " + next(answers) + b" x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    server = Echo(serve)
    ledger = driven(server.port, total=1, retries=3, ledger=Ledger(tmp_path / "ledger.jsonl")).ledger
    server.stop()
    ledger.close()

    assert [(attempt.outcome, attempt.status) for attempt in ledger.attempts] == [("failed", 503), ("ok", 200)]
    assert (len(ledger.ok), ledger.failed, ledger.unknown) == (1, set(), set())
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 2


def test_the_driver_keeps_its_rate_although_nobody_answers() -> None:
    server = Echo(silent)
    began = time.monotonic()
    driver = driven(server.port, total=60, rate=200)
    server.stop()

    one_by_one = 60 * 0.3
    assert time.monotonic() - began < one_by_one / 3, "60 silent requests of 0.3 s each hung at the same time"
    assert driver.latest < one_by_one / 6
    assert 0.25 < driver.ledger.longest() < one_by_one / 6
