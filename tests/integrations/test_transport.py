"""The one HTTP client: what is sent, where it goes, and how each kind of answer is classed."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from connector.platforms import AccessLost, Gone, NotPermitted, PlatformError, Rejected, ThrottledError, TransientError
from integrations import transport as module
from integrations.transport import DEFAULT_RETRY_AFTER, Answer, Transport, decode, raise_for_status, retry_after
from tests.integrations.throwaway import Certificate, make_certificate

SHOP, OTHER = "shop-a.example", "shop-b.example"


@dataclass
class Store:
    """A loopback HTTPS server that notes what it heard."""

    port: int
    heard: list[dict[str, Any]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    store: Store

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.store.heard.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
        self.store.connections.add(self.client_address[1])
        if self.path == "/hang-up":
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("location", "https://elsewhere.example/")
        self.send_header("set-cookie", "session=1")
        self.send_header("X-Mixed-Case", "Yes")
        length = {"/short": 100, "/large": 4_000}.get(self.path, 4)
        self.send_header("content-length", str(length))
        self.end_headers()
        self.wfile.write(b"x" * 4_000 if self.path == "/large" else b"done")
        self.close_connection = self.path == "/short"

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, SHOP)


@pytest.fixture
def store(certificate: Certificate) -> Iterator[Store]:
    """A server whose certificate names SHOP only."""
    kept = Store(0)

    class Bound(Handler):
        store = kept

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Bound)
    context = certificate.server_context()
    context.sni_callback = lambda _socket, name, _context: kept.names.append(name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def connect(store: Store, certificate: Certificate) -> Iterator[Callable[..., Transport]]:
    """Makes a Transport that is led to the store and trusts its certificate."""
    made: list[Transport] = []

    def make(*hosts: str) -> Transport:
        made.append(Transport(dict.fromkeys(hosts or (SHOP,), store.address), certificate.certificate))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def get(transport: Transport, path: str = "/", host: str = SHOP, **options: Any) -> Answer:
    return transport.send("shopify", "read", "GET", f"https://{host}{path}", **options)


def test_a_mapped_host_is_called_by_its_real_name_on_loopback(connect: Callable[..., Transport], store: Store) -> None:
    answer = get(connect(), "/admin?x=1")
    assert (answer.status, answer.body, answer.headers["x-mixed-case"]) == (200, b"done", "Yes")
    (heard,) = store.heard
    assert heard["path"] == "/admin?x=1"
    assert heard["headers"]["host"] == SHOP
    assert store.names == [SHOP]


def test_a_port_in_the_address_stays_in_the_host_header(connect: Callable[..., Transport], store: Store) -> None:
    get(connect(), host=f"{SHOP}:8443")
    assert store.heard[0]["headers"]["host"] == f"{SHOP}:8443"


def test_the_certificate_is_checked_for_the_real_name(connect: Callable[..., Transport], store: Store) -> None:
    with pytest.raises(TransientError, match=r"certificate is not accepted .*shop-b.example"):
        get(connect(OTHER), host=OTHER)
    assert store.heard == []


def test_a_connection_of_one_mapped_host_never_serves_another(connect: Callable[..., Transport], store: Store) -> None:
    transport = connect(SHOP, OTHER)
    assert get(transport).status == 200
    with pytest.raises(TransientError):
        get(transport, host=OTHER)
    assert len(store.heard) == 1


def test_a_certificate_nobody_vouches_for_is_not_accepted(store: Store) -> None:
    transport = Transport({SHOP: store.address})
    with pytest.raises(TransientError, match=r"certificate is not accepted .*self-signed"):
        get(transport)
    transport.close()


def test_connections_are_used_again(connect: Callable[..., Transport], store: Store) -> None:
    transport = connect()
    for _ in range(3):
        get(transport)
    assert len(store.connections) == 1
    assert len(store.names) == 1


def test_redirects_are_not_followed_and_cookies_not_kept(connect: Callable[..., Transport], store: Store) -> None:
    transport = connect()
    answer = get(transport, "/moved")
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.example/")
    get(transport)
    assert all("cookie" not in heard["headers"] for heard in store.heard)


def test_headers_parameters_bodies_and_passwords_reach_the_store(connect: Callable[..., Transport], store: Store) -> None:
    transport = connect()
    transport.send("shopify", "c", "POST", f"https://{SHOP}/a", params={"q": "é 1"}, json={"a": 1}, headers={"x-token": "t"})
    transport.send("woocommerce", "c", "PUT", f"https://{SHOP}/b", content=b"raw", auth=("key", "secret"))
    first, second = store.heard
    assert (first["method"], first["path"], first["body"]) == ("POST", "/a?q=%C3%A9+1", b'{"a":1}')
    assert first["headers"]["x-token"] == "t"
    assert first["headers"]["content-type"] == "application/json"
    assert first["headers"]["user-agent"] == "Connector/0.1"
    assert (second["method"], second["body"]) == ("PUT", b"raw")
    assert second["headers"]["authorization"] == "Basic a2V5OnNlY3JldA=="


@pytest.mark.parametrize("path", ["/hang-up", "/short"])
def test_an_answer_that_does_not_come_or_stops_is_transient(path: str, connect: Callable[..., Transport]) -> None:
    with pytest.raises(TransientError, match="no answer: ") as caught:
        get(connect(), path)
    assert (caught.value.platform, caught.value.call, caught.value.status) == ("shopify", "read", None)


def test_an_answer_without_end_is_cut_off(connect: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch) -> None:
    transport = connect()
    assert len(get(transport, "/large").body) == 4_000
    monkeypatch.setattr(module, "MAX_BODY", 3_999)
    with pytest.raises(TransientError, match="too long or too slow"):
        get(transport, "/large")
    assert get(transport).status == 200


def test_nobody_listening_is_transient() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    transport = Transport({SHOP: f"127.0.0.1:{port}"})
    with pytest.raises(TransientError, match="no answer: ConnectError"):
        get(transport)
    transport.close()


def test_a_store_that_never_answers_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", httpx2.Timeout(0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        transport = Transport({SHOP: f"127.0.0.1:{silent.getsockname()[1]}"})
        with pytest.raises(TransientError, match="Timeout"):
            get(transport)
        transport.close()


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://x.example/\x00", {}),
        ("https://x.example/", {"x-token": "é€"}),
    ],
)
def test_what_cannot_be_put_on_the_wire_is_rejected_without_repeating_it(url: str, headers: dict[str, str]) -> None:
    transport = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(200)))
    with pytest.raises(Rejected, match="cannot be sent") as caught:
        transport.send("woocommerce", "read", "GET", url, headers=headers)
    assert "example" not in str(caught.value)
    transport.close()


def test_hosts_outside_the_map_go_their_way() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    transport = Transport({SHOP: "127.0.0.1:1"}, inner=httpx2.MockTransport(answer))
    get(transport, host=OTHER)
    get(transport, host=SHOP)
    assert [str(request.url) for request in seen] == [f"https://{OTHER}/", "https://127.0.0.1:1/"]
    assert "sni_hostname" not in seen[0].extensions
    assert seen[1].extensions["sni_hostname"] == SHOP
    transport.close()


@pytest.mark.parametrize(
    ("host", "is_reached"), [(SHOP, True), ("127.0.0.1:1", True), ("localhost:1", True), (OTHER, False), ("127.0.0.1.example", False)]
)
def test_a_closed_world_reaches_mapped_hosts_and_loopback_only(host: str, is_reached: bool) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    transport = Transport({SHOP: "127.0.0.1:1"}, inner=httpx2.MockTransport(answer), is_closed_world=True)
    if is_reached:
        assert get(transport, host=host).status == 200
    else:
        with pytest.raises(Rejected, match="not part of the sandbox"):
            get(transport, host=host)
    assert len(seen) == is_reached
    transport.close()


def test_an_extra_certificate_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ssl.SSLError):
        Transport(extra_ca=tmp_path / "empty.pem")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, TransientError),
        (304, TransientError),
        (400, Rejected),
        (401, AccessLost),
        (402, NotPermitted),
        (403, NotPermitted),
        (404, Gone),
        (409, Rejected),
        (410, Gone),
        (422, Rejected),
        (423, NotPermitted),
        (429, ThrottledError),
        (430, ThrottledError),
        (500, TransientError),
        (503, TransientError),
        (100, TransientError),
    ],
)
def test_each_status_becomes_the_error_that_says_what_to_do(status: int, kind: type[PlatformError]) -> None:
    with pytest.raises(PlatformError) as caught:
        raise_for_status(Answer(status, {}, b""), platform="woocommerce", call="read orders")
    assert type(caught.value) is kind
    assert (caught.value.platform, caught.value.call, caught.value.status) == ("woocommerce", "read orders", status)
    assert str(caught.value) == f"answered {status}"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_no_error(status: int) -> None:
    assert raise_for_status(Answer(status, {}, b""), platform="shopify", call="read") is None  # type: ignore[func-returns-value]


def test_the_platforms_own_words_are_kept() -> None:
    with pytest.raises(Rejected, match="code already exists"):
        raise_for_status(Answer(422, {}, b""), platform="shopify", call="create", words="code already exists")


def test_a_throttle_carries_the_wait_it_asks_for() -> None:
    with pytest.raises(ThrottledError) as caught:
        raise_for_status(Answer(429, {"retry-after": "2.5"}, b""), platform="shopify", call="read")
    assert caught.value.retry_after == 2.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2.0", 2.0),
        ("7", 7.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("99999999", 3600.0),
        ("inf", 3600.0),
        ("nan", DEFAULT_RETRY_AFTER),
        ("", DEFAULT_RETRY_AFTER),
        ("soon", DEFAULT_RETRY_AFTER),
        ("Wed, 21 Oct 2026 07:28:00 GMT", DEFAULT_RETRY_AFTER),
        (None, DEFAULT_RETRY_AFTER),
    ],
)
def test_the_wait_is_read_with_decimals_and_within_an_hour(header: str | None, seconds: float) -> None:
    assert retry_after(Answer(429, {} if header is None else {"retry-after": header}, b"")) == seconds


class Shape(msgspec.Struct):
    """What a test expects of an answer."""

    name: str


def test_a_well_shaped_answer_is_decoded() -> None:
    assert decode(Answer(200, {}, b'{"name": "a", "more": 1}'), Shape, platform="shopify", call="read") == Shape("a")


@pytest.mark.parametrize("body", [b"", b"<html>maintenance</html>", b'{"name": "a"', b'{"name": 1}', b"{}", b'{"name": "\xff"}'])
def test_html_truncated_or_misshapen_answers_are_transient(body: bytes) -> None:
    with pytest.raises(TransientError, match="unreadable answer") as caught:
        decode(Answer(200, {}, body), Shape, platform="shopify", call="read")
    assert caught.value.status == 200
