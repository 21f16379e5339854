"""Who takes nothing of an answer is cut off; who takes it slowly gets it. Real sockets, the real server, its limit shortened."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connector.web import protocol
from connector.web.protocol import EdgeProtocol
from connector.web.server import listening
from tests.valkey import free_port
from tests.webhooks.running import head

LIMIT = 1.0
PIECE = bytes(65_536)
PIECES = 256
"""16 MiB: far more than the buffers of both sides hold."""
CLOSE = {"Connection": "close"}


class Answering:
    """An application with a large answer: in pieces, or in one; `ended` is set when the last of it was given to the server."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for what in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{what}.complete"})
            return
        length = str(len(PIECE) * PIECES).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        pieces = [PIECE * PIECES] if scope["path"] == "/whole" else [PIECE] * PIECES
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        self.ended.set()


@pytest.fixture
def application() -> Answering:
    """What answers."""
    return Answering()


@pytest.fixture
def port(application: Answering, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where the server listens; a second without movement is too long for it."""
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", LIMIT)
    one = free_port()
    with listening(application, "127.0.0.1", one):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", one), timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.02)
        yield one


@contextmanager
def asking(port: int, path: str, headers: dict[str, str]) -> Iterator[socket.socket]:
    """A client with a small window who has asked and not begun to read."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        line.settimeout(10)
        line.connect(("127.0.0.1", port))
        line.sendall(head("GET", path, headers))
        yield line


def is_cut(line: socket.socket, seconds: float) -> bool:
    """Whether the connection is reset within so long, though nobody reads from it."""
    watch = select.poll()
    watch.register(line, 0)  # only errors and the end, not the data that waits
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(seconds * 1000))


def take(line: socket.socket, count: int) -> int:
    """Read exactly so many bytes."""
    left = count
    while left:
        piece = line.recv(left)
        assert piece, "cut off in the middle"
        left -= len(piece)
    return count


@pytest.mark.parametrize(("path", "headers"), [("/pieces", {}), ("/whole", CLOSE)])
def test_who_takes_nothing_of_an_answer_is_cut_off(application: Answering, port: int, path: str, headers: dict[str, str]) -> None:
    counted = EdgeProtocol.refused.value("slow_reader")
    with asking(port, path, headers) as line:
        assert not is_cut(line, LIMIT * 0.8), "he has a while"
        assert is_cut(line, LIMIT * 4)
        with pytest.raises(ConnectionResetError):
            take(line, len(PIECE) * PIECES)
    assert EdgeProtocol.refused.value("slow_reader") == counted + 1
    assert application.ended.wait(5), "the application is not left waiting for him"


@pytest.mark.parametrize("headers", [{}, CLOSE])
def test_who_takes_a_large_answer_slowly_gets_all_of_it(port: int, headers: dict[str, str]) -> None:
    """Half a mebibyte every tenth of a second: three times the limit until the end, and never a limit without movement."""
    counted = EdgeProtocol.refused.value("slow_reader")
    wanted, got, began = len(PIECE) * PIECES, 0, time.monotonic()
    with asking(port, "/whole", headers) as line:
        while got < wanted:
            time.sleep(0.1)
            got += take(line, min(512 * 1024, wanted - got))
    assert time.monotonic() - began > 3 * LIMIT
    assert EdgeProtocol.refused.value("slow_reader") == counted


def test_who_takes_only_a_little_at_a_time_is_not_cut_off(port: int) -> None:
    """So little that the server's own buffer does not move for seconds; only what waits in the kernel does."""
    counted = EdgeProtocol.refused.value("slow_reader")
    with asking(port, "/pieces", {}) as line:
        for _ in range(20):
            time.sleep(0.2)
            take(line, 32 * 1024)
        assert not is_cut(line, 0)
    assert EdgeProtocol.refused.value("slow_reader") == counted
