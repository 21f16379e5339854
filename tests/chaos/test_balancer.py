"""The load balancer makes good what it may, and nothing else."""

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from integrations.sandbox.tls import Certificates, make_certificates
from tests.chaos.balancer import Balancer
from tests.valkey import free_port

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Said: yes\r\n\r\nhello"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """For loopback only."""
    return make_certificates(Path(tmp_path_factory.mktemp("tls")), ["balanced.test"])


@contextmanager
def process(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A web process that reads a request, says this and hangs up; yields its port and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line, line.makefile("rb") as reader:
                        head = b"".join(iter(reader.readline, b"\r\n"))
                        asked.append(head + reader.read(int(head.partition(b"Content-Length: ")[2].split()[0])))
                        line.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def balanced(certificates: Certificates) -> Iterator[Callable[[Sequence[int]], Balancer]]:
    """A balancer over these ports; it ends with the test."""
    with contextlib.ExitStack() as exits:
        tls = (certificates.cert_pem, certificates.key_pem)
        yield lambda ports: exits.enter_context(Balancer(lambda: ports, tls))


def ask(balancer: Balancer, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{balancer.http_origin}{path}", data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_an_answer_passes_as_it_is(balanced: Callable[[Sequence[int]], Balancer]) -> None:
    with process(ANSWER) as (port, asked):
        assert ask(balanced([port]), "/page?a=1", b"x=2") == (200, b"hello")
    assert asked[0].startswith(b"POST /page?a=1 HTTP/1.1\r\n")
    assert asked[0].endswith(b"\r\nx=2")


def test_a_process_that_refuses_costs_the_caller_nothing(balanced: Callable[[Sequence[int]], Balancer]) -> None:
    with process(ANSWER) as (port, asked):
        balancer = balanced([free_port(), port])
        assert [ask(balancer, "/form", b"x=1") for _ in range(3)] == [(200, b"hello")] * 3
    assert balancer.refused >= 1
    assert len(asked) == 3


@pytest.mark.parametrize(("path", "body"), [("/webhooks/shopify", b"{}"), ("/page", None)])
def test_a_delivery_or_a_page_that_breaks_off_goes_to_another_process(
    balanced: Callable[[Sequence[int]], Balancer], path: str, body: bytes | None
) -> None:
    with process(b"") as (dying, lost), process(ANSWER) as (port, asked):
        balancer = balanced([dying, port])
        assert ask(balancer, path, body) == (200, b"hello")
    assert (len(lost), len(asked), balancer.repeated) == (1, 1, 1)


def test_a_form_that_breaks_off_is_never_sent_twice(balanced: Callable[[Sequence[int]], Balancer]) -> None:
    with process(b"") as (dying, lost), process(ANSWER) as (port, asked):
        balancer = balanced([dying, port])
        assert ask(balancer, "/shops/1/automation", b"is_on=on")[0] == 502
    assert (len(lost), len(asked), balancer.broken) == (1, 0, 1)
