"""Where calls never go, whatever an address looks like or a name says: a listener on this machine counts who comes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.platforms import PlatformError, Rejected, TransientError
from integrations import connecting
from integrations.transport import LedAstrayError, Transport, UntrustedError, raise_for_status
from tests.integrations.canary import Canary
from tests.integrations.dripping import Dripping
from tests.integrations.throwaway import make_certificate

NAME = "galets.example"


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """A canary on a port that stores could have, so that nothing but its address keeps us away."""
    made = Canary()
    monkeypatch.setattr(connecting, "PORTS", frozenset([made.port]))
    yield made
    made.stop()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Has NAME lead to addresses, a new list for each question; gives back who asked."""
    real = socket.getaddrinfo

    def lead(*answers: list[str]) -> list[str]:
        asked: list[str] = []

        def answer(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
            if host not in (NAME, NAME.encode()):
                return list(real(host, port, *args, **options))
            asked.append(NAME)
            found = answers[min(len(asked), len(answers)) - 1]
            return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        return asked

    return lead


def ask(url: str, **options: Any) -> None:
    transport = Transport(**options)
    try:
        transport.send("woocommerce", "prove_keys", "GET", url, auth=("ck_1", "cs_1"))
    finally:
        transport.close()


SPELLINGS = [
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0.0.0.0", "0"),
    *("localhost", "LOCALHOST", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("１２７.0.0.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛocalhost", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]"),
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_is_connected_to(host: str, canary: Canary) -> None:
    with pytest.raises((Rejected, TransientError)):
        ask(f"https://{host}:{canary.port}/wp-json/")
    assert canary.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.1"])
def test_the_canary_would_sing(host: str, canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same calls, with nobody watching where addresses lead."""
    monkeypatch.setattr(connecting, "is_public", lambda _: True)
    with pytest.raises(TransientError):
        ask(f"https://{host}:{canary.port}/wp-json/")
    assert canary.connections > 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["2606:4700::1", "::1"],
        ["fe80::1%lo"],
    ],
)
def test_a_name_that_leads_here_is_refused_even_if_it_leads_elsewhere_too(
    addresses: list[str], canary: Canary, resolve: Callable[..., list[str]]
) -> None:
    asked = resolve(addresses)
    with pytest.raises(LedAstrayError, match="leads to a private or special address") as caught:
        ask(f"https://{NAME}:{canary.port}/")
    assert (canary.connections, asked) == (0, [NAME])
    assert "127" not in str(caught.value)


def test_a_name_is_asked_once_and_the_address_that_was_checked_is_connected_to(
    canary: Canary, resolve: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public when it is checked and private a moment later."""
    asked = resolve(["1.1.1.1"], ["127.0.0.1"])
    tried: list[Any] = []

    def refuse(address: Any, *args: Any, **options: Any) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(TransientError, match="ConnectError"):
        ask(f"https://{NAME}:{canary.port}/")
    assert (tried, asked) == ([("1.1.1.1", canary.port)], [NAME])
    with pytest.raises(LedAstrayError):
        ask(f"https://{NAME}:{canary.port}/")
    assert len(tried) == 1


def test_a_mapped_host_does_not_open_the_way_to_others(canary: Canary) -> None:
    with pytest.raises(LedAstrayError):
        ask(f"https://127.0.0.1:{canary.port}/", address_map={NAME: f"127.0.0.1:{canary.port}"})
    assert canary.connections == 0


@pytest.mark.parametrize("port", ["22", "25", "80", "6379", "5432", "8080", "8444", "65535", "0"])
def test_other_ports_than_those_of_stores_are_not_called(port: str) -> None:
    seen: list[httpx2.Request] = []
    inner = httpx2.MockTransport(lambda request: seen.append(request) or httpx2.Response(200))  # type: ignore[func-returns-value]
    with pytest.raises(Rejected):
        ask(f"https://{NAME}:{port}/", inner=inner)
    assert seen == []
    ask(f"https://{NAME}:8443/", inner=inner)
    ask(f"https://{NAME}/", inner=inner)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "url", [f"http://{NAME}/", f"http://{NAME}:443/", "ftp://galets.example/", "file:///hosts", "gopher://galets.example/"]
)
def test_nothing_but_https_is_called(url: str) -> None:
    with pytest.raises(Rejected):
        ask(url)


@pytest.mark.spec("SEC-162")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("inside", ["169.254.169.254/latest/meta-data", "127.0.0.1/"])
def test_a_public_host_that_leads_to_a_private_one_is_not_followed_but_named(status: int, inside: str) -> None:
    hosts: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        hosts.append(request.url.host)
        return httpx2.Response(status, headers={"location": f"http://user:pass@{inside}?token=secret#x"})

    transport = Transport(inner=httpx2.MockTransport(answer))
    found = transport.send("woocommerce", "prove_keys", "GET", f"https://{NAME}/wp-json/")
    with pytest.raises(TransientError, match=f"answered {status}: redirects to http://{inside}") as caught:
        raise_for_status(found, platform="woocommerce", call="prove_keys")
    transport.close()
    assert hosts == [NAME]
    assert not any(word in str(caught.value) for word in ("user", "pass", "token", "secret"))


@pytest.mark.parametrize("location", ["", "http://[::1", "https://galets.example:port/", "https://é.example/", "https://a\x00b/"])
def test_a_redirect_to_what_cannot_be_read_is_named_by_its_status_only(location: str) -> None:
    found = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(302, headers={"location": location.encode()})))
    answer = found.send("woocommerce", "x", "GET", f"https://{NAME}/")
    with pytest.raises(TransientError, match=r"^answered 302$"):
        raise_for_status(answer, platform="woocommerce", call="x")
    found.close()


@pytest.mark.spec("SEC-165")
@pytest.mark.parametrize(
    ("names", "is_trusted", "words"),
    [((NAME,), False, "self-signed certificate"), (("other.example",), True, "Hostname mismatch.*galets.example")],
)
def test_a_certificate_of_nobody_or_of_another_is_refused_with_the_reason(
    names: tuple[str, ...], is_trusted: bool, words: str, tmp_path: Path
) -> None:
    """And there is no switch: neither a setting nor an argument of the client has to do with it."""
    certificate = make_certificate(tmp_path, *names)
    heard: list[bytes] = []
    with ExitStack() as stack:
        server = Dripping(lambda line, _: heard.append(line.recv(1)), certificate.server_context())
        stack.callback(server.stop)
        with pytest.raises(UntrustedError, match=f"certificate is not accepted .*{words}") as caught:
            ask(
                f"https://{NAME}/", address_map={NAME: f"127.0.0.1:{server.port}"}, extra_ca=certificate.certificate if is_trusted else None
            )
    assert isinstance(caught.value, PlatformError)
    assert heard == []
    arguments = {"address_map", "extra_ca", "inner", "is_closed_world", "metrics"}
    assert set(Transport.__init__.__annotations__) - {"return"} == arguments
