"""The proxy's faults really happen, and nothing else does."""

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.echo import Echo
from tests.chaos.proxy import FaultProxy


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server that says what it is told."""
    server = Echo()
    yield server
    server.stop()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    """A proxy before it."""
    proxy = FaultProxy(echo.port, rng=random.Random(7)).start()
    yield proxy
    proxy.stop()


def connected(proxy: FaultProxy, seconds: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=seconds)


def is_cut_off(proxy: FaultProxy) -> bool:
    """Whether a new connection ends without a word, be it while it is made."""
    try:
        with connected(proxy) as line:
            return said(line, b"x") == b""
    except ConnectionError:
        return True


def said(line: socket.socket, text: bytes) -> bytes:
    """What comes back; empty when the connection was cut."""
    try:
        line.sendall(text)
        got = b""
        while len(got) < len(text):
            more = line.recv(65536)
            if not more:
                return b""
            got += more
        return got
    except ConnectionError:
        return b""


def test_a_healthy_proxy_passes_everything_on_and_counts_no_fault(proxy: FaultProxy) -> None:
    big = random.Random(1).randbytes(3_000_000)
    with connected(proxy) as line:
        threading.Thread(target=line.sendall, args=(big,)).start()
        got = b""
        while len(got) < len(big):
            got += line.recv(1 << 20)
        assert got == big
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b"", "the server saw our end and closed"
    assert (proxy.faults, proxy.connections, proxy.is_healthy) == (0, 1, True)


def test_the_proxy_delays_each_direction_and_keeps_the_order(proxy: FaultProxy) -> None:
    with connected(proxy) as line:
        proxy.delay_seconds = 0.1
        began = time.monotonic()
        assert said(line, b"one") == b"one"
        assert 0.19 < time.monotonic() - began < 3.0
        assert proxy.faults == 2
        for number in range(10):
            line.sendall(b"%d" % number)
            time.sleep(0.01)
        proxy.delay_seconds = 0.0
        line.sendall(b"end")
        got = b""
        while not got.endswith(b"end"):
            got += line.recv(100)
        assert got == b"0123456789end", "what is said without delay does not overtake"


def test_the_proxy_cuts_what_is_connected_and_lets_new_ones_through(proxy: FaultProxy) -> None:
    with connected(proxy) as line:
        assert said(line, b"x") == b"x"
        assert proxy.cut() == 1
        assert said(line, b"x") == b""
    with connected(proxy) as line:
        assert said(line, b"x") == b"x"
    assert proxy.faults == 1


def test_the_proxy_cuts_after_so_many_bytes(proxy: FaultProxy) -> None:
    proxy.cut_after(1000)
    with connected(proxy) as line:
        assert said(line, b"x" * 400) == b"x" * 400
        assert said(line, b"x" * 400) == b""
    assert proxy.faults == 1
    proxy.heal()
    with connected(proxy) as line:
        assert said(line, b"x" * 4000) == b"x" * 4000


def test_the_proxy_drops_connections_at_random(proxy: FaultProxy) -> None:
    proxy.drop(0.5)
    lost = 0
    for _ in range(20):
        with connected(proxy) as line:
            lost += said(line, b"x") == b""
    assert 5 < lost < 20
    assert proxy.faults == lost


def test_a_refusing_proxy_closes_at_once(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert said(before, b"x") == b"x"
        proxy.refuse()
        assert said(before, b"x") == b""
    assert is_cut_off(proxy)
    assert proxy.faults == 2
    proxy.heal()
    with connected(proxy) as line:
        assert said(line, b"x") == b"x"


def test_half_open_connections_stay_and_say_nothing_even_after_the_others_are_healed(proxy: FaultProxy) -> None:
    with connected(proxy) as before:
        assert said(before, b"x") == b"x"
        proxy.half_open()
        with connected(proxy) as line:
            for one in (before, line):
                one.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    said(one, b"x")
            assert proxy.faults == 2
            proxy.heal()
            with pytest.raises(TimeoutError):
                said(before, b"x")
            with connected(proxy) as healed:
                assert said(healed, b"x") == b"x"


def test_a_client_behind_a_proxy_without_a_server_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    proxy = FaultProxy(port).start()
    try:
        assert is_cut_off(proxy)
    finally:
        proxy.stop()
