"""No call is endless: stores that drip, flood, stall or unpack into gigabytes are cut off, wherever in the call they do it."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.platforms import TransientError
from integrations import transport as module
from integrations.transport import MAX_BODY, Answer, Transport
from tests.integrations.dripping import Dripping, Serve, drip
from tests.integrations.throwaway import Certificate, make_certificate

SHOP, BEHIND = "shop-a.example", "behind.example"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SHORT = 0.4
PATIENCE = 3.0
"""Far more than SHORT, far less than a drip would take."""


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, SHOP)


@pytest.fixture
def ask(certificate: Certificate) -> Iterator[Callable[..., Answer]]:
    """Starts a server, calls it once through a Transport, and ends both."""
    ends: list[Callable[[], None]] = []

    def call(serve: Serve, *, tls: bool = True, content: bytes | None = None) -> Answer:
        server = Dripping(serve, certificate.server_context() if tls else None)
        transport = Transport({SHOP: f"127.0.0.1:{server.port}"}, certificate.certificate)
        ends.extend((transport.close, server.stop))
        return transport.send("woocommerce", "read", "POST", f"https://{SHOP}/", content=content)

    yield call
    for end in ends:
        end()


def hear(line: socket.socket) -> None:
    line.recv(65_536)


def dripping_head(line: socket.socket, end: threading.Event) -> None:
    hear(line)
    drip(line, HEAD + b"x-more: " + b"x" * 1000, end)


def dripping_body(line: socket.socket, end: threading.Event) -> None:
    hear(line)
    line.sendall(HEAD + b"content-length: 1000\r\n\r\n")
    drip(line, b"x" * 1000, end)


def dripping_chunks(line: socket.socket, end: threading.Event) -> None:
    hear(line)
    line.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    drip(line, b"1\r\nx\r\n" * 200, end)


def endless_greetings(line: socket.socket, end: threading.Event) -> None:
    hear(line)
    while not end.wait(0.02):
        line.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def dripping_handshake(line: socket.socket, end: threading.Event) -> None:
    """The head of a TLS record of 16 KB, and then its bytes one by one."""
    hear(line)
    drip(line, b"\x16\x03\x03\x40\x00" + b"\x02" * 1000, end)


def deaf(line: socket.socket, end: threading.Event) -> None:
    """Reads a few bytes at a time, so that a large body never gets through."""
    while not end.wait(0.05):
        line.recv(10)


@pytest.mark.spec("SEC-164")
@pytest.mark.parametrize("serve", [dripping_head, dripping_body, dripping_chunks, endless_greetings, dripping_handshake, deaf])
def test_a_store_that_drips_is_cut_off_when_the_call_has_taken_its_time(
    serve: Serve, ask: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOTAL_SECONDS", SHORT)
    began = time.monotonic()
    with pytest.raises(TransientError):
        ask(serve, tls=serve is not dripping_handshake, content=b"x" * 8_000_000 if serve is deaf else None)
    took = time.monotonic() - began
    assert SHORT * 0.9 <= took < PATIENCE


@pytest.mark.spec("SEC-164")
def test_the_limits_are_those_of_the_specification() -> None:
    assert module.TOTAL_SECONDS == 30.0
    assert MAX_BODY == 10 * 1024 * 1024
    assert all(seconds is not None and 0 < seconds <= 20 for seconds in module.TIMEOUT.as_dict().values())


def test_a_slow_answer_that_is_in_time_is_an_answer(ask: Callable[..., Answer]) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        hear(line)
        line.sendall(HEAD)
        time.sleep(0.2)
        drip(line, b"content-length: 2\r\n\r\n{}", end)

    assert ask(serve).body == b"{}"


@pytest.mark.spec("SEC-164")
def test_a_flood_is_stopped_at_ten_megabytes(ask: Callable[..., Answer]) -> None:
    sent: list[int] = []

    def serve(line: socket.socket, end: threading.Event) -> None:
        hear(line)
        line.sendall(HEAD + b"content-length: 1073741824\r\n\r\n")
        while not end.is_set():
            line.sendall(b"x" * 65_536)
            sent.append(65_536)

    with pytest.raises(TransientError, match="too long"):
        ask(serve)
    assert sum(sent) < 2 * MAX_BODY


def packed(body: bytes, *, cut: int = 0, coding: bytes = b"gzip") -> Serve:
    data = gzip.compress(body)
    data = data[: len(data) - cut]

    def serve(line: socket.socket, end: threading.Event) -> None:
        hear(line)
        line.sendall(HEAD + b"content-encoding: " + coding + b"\r\ncontent-length: " + str(len(data)).encode() + b"\r\n\r\n" + data)

    return serve


def test_a_packed_answer_is_unpacked(ask: Callable[..., Answer]) -> None:
    assert ask(packed(b'{"a": 1}')).body == b'{"a": 1}'


@pytest.mark.spec("SEC-164")
def test_a_small_answer_that_unpacks_into_a_large_one_is_stopped(ask: Callable[..., Answer]) -> None:
    with pytest.raises(TransientError, match="too long"):
        ask(packed(b"\x00" * (MAX_BODY + 1)))


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (packed(b'{"a": 1}' * 100, cut=12), "stops in its middle"),
        (packed(b"{}", coding=b"br"), "as nobody asked"),
        (packed(b"{}", coding=b"zstd"), "as nobody asked"),
    ],
)
def test_an_answer_that_cannot_be_unpacked_is_transient(serve: Serve, words: str, ask: Callable[..., Answer]) -> None:
    with pytest.raises(TransientError, match=words):
        ask(serve)


def test_an_answer_that_only_says_it_is_packed_is_transient() -> None:
    answer = httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"<html>"))
    transport = Transport(inner=httpx2.MockTransport(lambda _: answer))
    with pytest.raises(TransientError, match="cannot be unpacked"):
        transport.send("woocommerce", "read", "GET", f"https://{SHOP}/")
    transport.close()


def resolving(name: str, *addresses: tuple[str, int]) -> Callable[..., list[object]]:
    """A getaddrinfo that knows one name; addresses in figures are left to the real one."""
    real = socket.getaddrinfo

    def resolve(host: str, *args: Any, **options: Any) -> list[object]:
        if host != name:
            return list(real(host, *args, **options))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    return resolve


def test_all_addresses_of_a_name_share_one_limit(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with many dead addresses must not take a time-out for each."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", resolving(BEHIND, *[("127.0.0.1", port)] * 50))
        monkeypatch.setattr(module, "TIMEOUT", httpx2.Timeout(0.1))
        monkeypatch.setattr(module, "TOTAL_SECONDS", SHORT)
        transport = Transport({SHOP: f"{BEHIND}:{port}"}, certificate.certificate)
        stack.callback(transport.close)
        began = time.monotonic()
        with pytest.raises(TransientError, match="ConnectTimeout"):
            transport.send("woocommerce", "read", "GET", f"https://{SHOP}/")
        assert SHORT * 0.9 <= time.monotonic() - began < PATIENCE


def test_the_next_address_is_tried_when_one_refuses(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(line: socket.socket, end: threading.Event) -> None:
        hear(line)
        line.sendall(HEAD + b"content-length: 2\r\n\r\n{}")

    server = Dripping(serve, certificate.server_context())
    with ExitStack() as stack:
        stack.callback(server.stop)
        monkeypatch.setattr(socket, "getaddrinfo", resolving(BEHIND, ("127.0.0.2", server.port), ("127.0.0.1", server.port)))
        transport = Transport({SHOP: f"{BEHIND}:{server.port}"}, certificate.certificate)
        stack.callback(transport.close)
        assert transport.send("woocommerce", "read", "GET", f"https://{SHOP}/").body == b"{}"


@pytest.mark.parametrize("failure", [socket.gaierror("unknown"), UnicodeError("label too long")])
def test_a_name_that_cannot_be_resolved_is_transient(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    transport = Transport()
    with pytest.raises(TransientError, match="no answer: ConnectError"):
        transport.send("woocommerce", "read", "GET", f"https://{SHOP}/")
    transport.close()


def test_deep_nesting_is_no_crash() -> None:
    body = b"[" * 200_000
    with pytest.raises(TransientError, match="unreadable"):
        module.decode(Answer(200, {}, body), list, platform="woocommerce", call="read")
