"""What happens before any page is asked: odd, large and slow requests over real sockets against a whole process."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.webhooks.running import Running, head, read_reply, running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def web(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all of them."""
    with running(database_url, tmp_path_factory.mktemp("edges")) as one:
        one.request("GET", "/")
        yield one


def automation_path(web: Running) -> str:
    """A page that takes a form."""
    return f"/app/shops/{web.query('select public_id from shops order by id limit 1')[0][0]}/automation"


@pytest.mark.spec("SEC-127")
def test_a_hundred_thousand_parts_are_refused_at_once(web: Running) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    with web.unharmed():
        for path in (automation_path(web), "/u/none", "/connect/woocommerce"):
            for body in (
                part * 15_000 + b"--x--\r\n",
                part * 100_000 + b"--x--\r\n",
                b'--x\r\nX-Long: "' + b"a" * 1_000_000 + b'"\r\n\r\n1\r\n--x--\r\n',
            ):
                answer = web.request("POST", path, {"Content-Type": "multipart/form-data; boundary=x"}, body)
                assert 400 <= answer.status < 500
                assert answer.seconds < 1.0


@pytest.mark.spec("SEC-128")
def test_ten_thousand_ranges_are_one_file(web: Running) -> None:
    whole = web.request("GET", "/static/style.css")
    assert whole.status == 200
    with web.unharmed():
        for ranges in ("0-," * 10_000 + "0-", ",".join(f"{n}-{n + 1}" for n in range(0, 20_000, 2)), "0-0,-1", "-,-,-"):
            fastest = min(web.request("GET", "/static/style.css", {"Range": f"bytes={ranges[:60_000]}"}).seconds for _ in range(3))
            answer = web.request("GET", "/static/style.css", {"Range": f"bytes={ranges[:60_000]}"})
            assert (answer.status, answer.body) == (200, whole.body)
            assert fastest < 0.1
    part = web.request("GET", "/static/style.css", {"Range": "bytes=0-9"})
    assert (part.status, part.body) == (206, whole.body[:10])


@pytest.mark.spec("SEC-129")
@pytest.mark.parametrize("path", ["/", "/webhooks/shopify", "/livez"])
def test_a_head_that_is_too_large_is_refused(web: Running, path: str) -> None:
    with web.unharmed():
        for extra in ({"X-Long": "a" * 100_000}, {f"X-{n}": "a" * 100 for n in range(1_000)}):
            answer = web.say(head("POST", path, {**extra, "Content-Length": "0"}), ends=True)
            assert (answer.status, answer.closed) == (431, True)
        assert web.say(head("GET", path + "?" + "q" * 100_000, {}), ends=True).status == 431
        assert web.say(head("GET", path, {"X-Long": "a" * 60_000})).status in (200, 303, 405)


@pytest.mark.spec("SEC-129")
def test_a_head_that_comes_in_pieces_is_measured_as_one(web: Running) -> None:
    with web.unharmed():
        for start in (
            b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ",
            b"GET /",
            b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 60_000,
            b"GET /" + b"a" * 65_500,
        ):
            with web.connect() as line:
                line.sendall(start)
                with suppress(OSError):
                    for _ in range(10):
                        time.sleep(0.02)
                        line.sendall(b"a" * 10_000)
                assert read_reply(line, time.monotonic(), ends=True).status == 431


AMBIGUOUS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip\r\n\r\nabcde",
    b"Content-Length: +5\r\n\r\nabcde",
    b"Content-Length: -5\r\n\r\nabcde",
    b"Content-Length: 99999999999999999999999999\r\n\r\nabcde",
    b"Content-Length : 5\r\n\r\nabcde",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabcde\r\n0\r\n\r\n",
    b" folded: yes\r\n\r\n",
    b"Na\x00me: x\r\n\r\n",
    b"Name: a\x00b\r\n\r\n",
]
MALFORMED = [
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\n\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET /\r\n\r\n",
]
MALFORMED += [b"NONSENSE / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"\xff" * 100]


@pytest.mark.spec("SEC-129")
@pytest.mark.parametrize("path", ["/webhooks/shopify", "/"])
@pytest.mark.parametrize("rest", AMBIGUOUS)
def test_a_request_whose_end_is_open_to_doubt_is_refused(web: Running, path: str, rest: bytes) -> None:
    with web.unharmed():
        answer = web.say(f"POST {path} HTTP/1.1\r\nHost: a\r\n".encode() + rest, ends=True)
        assert (answer.status, answer.closed) == (400, True)


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_request_is_refused(web: Running, data: bytes) -> None:
    with web.unharmed():
        # To some our server reads "/" and answers as it does there: nobody is signed in, so it leads away.
        assert web.say(data).status in (303, 400, 403, 404, 405)


@pytest.mark.parametrize(
    "path", ["/%", "/%zz", "/%00", "/%ff%fe", "//", "/..%2f..%2f", "/static/..%2f..%2fapp.py", "/static/%2e%2e/app.py", "/?%", "/;"]
)
def test_an_odd_path_is_never_our_fault(web: Running, path: str) -> None:
    with web.unharmed():
        for method in ("GET", "POST"):
            assert web.request(method, path).status in (200, 303, 307, 400, 403, 404, 405, 415, 422)


def test_nothing_is_read_after_an_upgrade_that_nobody_offers(web: Running) -> None:
    smuggled = head("GET", "/livez", {})
    for kind in ("websocket", "h2c"):
        start = head("GET", "/readyz", {"Connection": "Upgrade", "Upgrade": kind})
        with web.unharmed(), web.connect() as line:
            line.sendall(start + smuggled)
            answer = read_reply(line, time.monotonic(), ends=True)
            assert (answer.status, answer.body, answer.closed) == (200, b"ready\n", True)


def test_pipelined_requests_are_answered_in_order_and_the_broken_one_ends_it(web: Running) -> None:
    with web.unharmed(), web.connect() as line:
        line.sendall(head("GET", "/livez", {}) + head("GET", "/readyz", {}) + b"NONSENSE\r\n\r\n")
        began, data = time.monotonic(), b""
        while piece := line.recv(65_536):
            data += piece
        assert data.count(b"HTTP/1.1 200 OK") == 2
        assert data.index(b"alive") < data.index(b"ready")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("path", ["/", "/livez", "/static/style.css", "/nothing"])
def test_a_body_of_more_than_a_mebibyte_is_refused_unread(web: Running, path: str) -> None:
    with web.unharmed():
        answer = web.say(head("POST", path, {**FORM, "Content-Length": str(2**20 + 1)}), ends=True)
        assert (answer.status, answer.closed) == (413, True)
        assert web.request("POST", path, {"Content-Length": "9" * 18}).status == 413


def test_a_body_without_a_length_is_counted(web: Running) -> None:
    chunks = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with web.unharmed():
        start = head("POST", automation_path(web), {**FORM, "Transfer-Encoding": "chunked"})
        assert web.say(start + chunks * 20 + b"0\r\n\r\n", ends=True).status == 413
        assert web.say(start + b"400\r\n" + b"a" * 1024 + b"\r\n0\r\n\r\n").status == 403, "read, and found to be no form of ours"


@pytest.mark.spec("SEC-122")
def test_a_connection_that_says_nothing_is_not_kept(web: Running) -> None:
    with web.unharmed(), ExitStack() as lines:
        began = time.monotonic()
        silent = lines.enter_context(web.connect(20))
        dripping = lines.enter_context(web.connect(20))
        done = lines.enter_context(web.connect(20))
        done.sendall(head("GET", "/livez", {}))
        assert read_reply(done, began).status == 200
        while time.monotonic() - began < 11:  # line breaks between requests are no request
            for line in (dripping, done):
                try:
                    line.sendall(b"\r\n")
                except OSError:
                    break
            time.sleep(1)
        assert silent.recv(1) == b""
        for line in (dripping, done):
            with pytest.raises(OSError), line:  # noqa: PT012 - which of the two notices it is the network's business
                line.settimeout(2)
                while True:
                    line.sendall(b"\r\n")
                    if line.recv(10) == b"":
                        raise OSError
        assert time.monotonic() - began < 20


def test_a_connection_is_kept_for_the_next_request(web: Running) -> None:
    with web.connect() as line:
        for _ in range(3):
            line.sendall(head("GET", "/livez", {}))
            assert read_reply(line, time.monotonic()).status == 200
            time.sleep(0.5)


def test_who_does_not_take_the_answers_is_not_read_on(web: Running) -> None:
    """Many large answers on one connection, and nobody takes them: no more is read, and memory stays bounded."""

    def ask_and_ask(line: socket.socket) -> None:
        for _ in range(100_000):
            line.sendall(head("GET", "/static/overview.png", {}) * 50)

    with web.unharmed(), web.connect(5) as line:
        line.settimeout(1)
        with pytest.raises(OSError):
            ask_and_ask(line)


def test_what_was_cut_off_is_counted(web: Running) -> None:
    assert web.say(head("GET", "/" + "q" * 100_000, {}), ends=True).status == 431
    assert web.say(b"POST / HTTP/1.1\r\nHost: a\r\n" + AMBIGUOUS[0], ends=True).status == 400
    said = web.request("GET", "/metrics").body.decode()
    counted = {line.split(" ")[0] for line in said.splitlines() if line.startswith("connector_http_requests_refused_total")}
    assert {f'connector_http_requests_refused_total{{reason="{status}"}}' for status in (400, 431)} <= counted
