"""Files of any length: they come piece by piece, carry nothing of ours, and one that does not come to its end is no file."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import httpx2
import pytest

from connector.metrics import Metrics
from connector.platforms import Gone, NotPermitted, PlatformError, Rejected, TransientError
from integrations import transport as module
from integrations.transport import UNPACKED_PIECE, Transport
from tests.integrations.dripping import Dripping, Serve, drip
from tests.integrations.throwaway import make_certificate

HOST = "storage.example"
URL = f"https://{HOST}/file.jsonl?Signature=x"
HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT = 0.4


def download(answer: httpx2.Response, url: str = URL) -> Iterator[bytes]:
    """What comes of a file that is answered like this."""
    return Transport(inner=httpx2.MockTransport(lambda _: answer)).download("shopify", "export_file", url)


@pytest.fixture
def fetch(tmp_path: Path) -> Iterator[Callable[[Serve], Iterator[bytes]]]:
    """Starts a server and downloads from it; ends both."""
    certificate = make_certificate(tmp_path, HOST)
    ends: list[Callable[[], None]] = []

    def begin(serve: Serve) -> Iterator[bytes]:
        server = Dripping(serve, certificate.server_context())
        transport = Transport({HOST: f"127.0.0.1:{server.port}"}, certificate.certificate)
        ends.extend((transport.close, server.stop))
        return transport.download("shopify", "export_file", URL)

    yield begin
    for end in ends:
        end()


def test_a_file_comes_while_it_is_read_and_not_before() -> None:
    made: list[int] = []

    def stream() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield b"x" * 1000

    pieces = download(httpx2.Response(200, content=stream()))
    assert len(b"".join(islice(pieces, 3))) == 3000
    assert len(made) < 10
    assert sum(map(len, pieces)) == 997_000


def test_nothing_but_the_address_is_sent() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, content=b"x", headers={"set-cookie": "a=b"})

    transport = Transport(inner=httpx2.MockTransport(answer))
    for _ in range(2):
        assert list(transport.download("shopify", "export_file", URL)) == [b"x"]
    assert {request.method for request in asked} == {"GET"}
    assert not {"authorization", "cookie", "x-shopify-access-token"} & {name for request in asked for name in request.headers}


def test_a_packed_file_is_unpacked_in_small_pieces() -> None:
    whole = b"line\n" * 400_000
    pieces = list(download(httpx2.Response(200, content=iter([gzip.compress(whole)]), headers={"content-encoding": "gzip"})))
    assert b"".join(pieces) == whole
    assert max(map(len, pieces)) <= UNPACKED_PIECE


@pytest.mark.parametrize(
    ("content", "coding"),
    [(gzip.compress(b"x" * 99)[:-9], "gzip"), (b"x" * 99, "gzip"), (b"x" * 99, "zstd")],
    ids=["cut", "not packed", "packed as nobody asked"],
)
def test_a_file_that_cannot_be_unpacked_is_none(content: bytes, coding: str) -> None:
    with pytest.raises(TransientError):
        list(download(httpx2.Response(200, content=iter([content]), headers={"content-encoding": coding})))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(301, TransientError), (400, Rejected), (403, NotPermitted), (404, Gone), (410, Gone), (500, TransientError), (503, TransientError)],
)
def test_anything_but_the_file_is_an_error_and_followed_nowhere(status: int, kind: type[PlatformError]) -> None:
    with pytest.raises(kind) as caught:
        next(download(httpx2.Response(status, content=b"<Error/>", headers={"location": "https://elsewhere.example/"})))
    assert type(caught.value) is kind


def test_an_address_that_cannot_be_put_on_the_wire_is_rejected() -> None:
    with pytest.raises(Rejected):
        next(download(httpx2.Response(200), "https://storage.example:port/"))


def test_a_file_that_is_longer_than_any_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOWNLOAD", 1000)
    assert sum(map(len, download(httpx2.Response(200, content=b"x" * 1000)))) == 1000
    with pytest.raises(TransientError):
        list(download(httpx2.Response(200, content=b"x" * 1001)))


def test_a_host_that_drips_is_cut_off(fetch: Callable[[Serve], Iterator[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOWNLOAD_SECONDS", SHORT)

    def serve(line: socket.socket, end: threading.Event) -> None:
        line.recv(65_536)
        line.sendall(HEAD + b"content-length: 1000\r\n\r\n")
        drip(line, b"x" * 1000, end)

    began = time.monotonic()
    with pytest.raises(TransientError):
        list(fetch(serve))
    assert time.monotonic() - began < 3


def test_a_connection_that_is_lost_in_the_middle_is_no_end(fetch: Callable[[Serve], Iterator[bytes]]) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        line.recv(65_536)
        line.sendall(HEAD + b"content-length: 1000\r\n\r\n" + b"x" * 500)

    pieces = fetch(serve)
    assert next(pieces).startswith(b"x")
    with pytest.raises(TransientError):
        list(pieces)


def test_between_two_pieces_another_call_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DOWNLOAD_SECONDS", 0.05)
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, content=iter([b"a", b"b"]))))
    pieces = transport.download("shopify", "export_file", URL)
    assert next(pieces) == b"a"
    time.sleep(0.1)
    assert transport.send("shopify", "read", "GET", "https://demo.myshopify.com/").body == b"ab"
    with pytest.raises(TransientError):
        next(pieces)


@pytest.mark.parametrize(("taken", "outcome"), [(None, "ok"), (1, "no_answer")])
def test_a_download_is_counted_by_how_it_ended(taken: int | None, outcome: str) -> None:
    metrics = Metrics()
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200, content=iter([b"a", b"b"]))), metrics=metrics)
    pieces = transport.download("shopify", "export_file", URL)
    list(islice(pieces, taken))
    getattr(pieces, "close")()  # noqa: B009 - an iterator that is given up
    assert metrics.calls.values() == {("shopify", "export_file", outcome): 1}
