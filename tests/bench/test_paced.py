"""The open-loop client sends when it is time, whether or not earlier requests were answered."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.bench.paced import CONNECTIONS, arrivals, send_paced

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(answer: bytes, pause: float = 0.0) -> Iterator[int]:
    """A server that answers every request after `pause`; yields its port."""

    class Talk(StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.read(len(REQUEST)):
                time.sleep(pause)
                self.wfile.write(answer)

    class Server(ThreadingTCPServer):
        request_queue_size = CONNECTIONS

    with Server(("127.0.0.1", 0), Talk) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join(10)


def test_arrivals_are_random_ascending_and_of_the_wanted_rate() -> None:
    found = arrivals(1000.0, 4.0, seed=1)
    assert found == sorted(found) == arrivals(1000.0, 4.0, seed=1) != arrivals(1000.0, 4.0, seed=2)
    assert 3700 < len(found) < 4300
    assert 0 < found[0] < found[-1] < 4.0
    assert len({round(later - earlier, 5) for earlier, later in pairwise(found)}) > 100


def test_every_request_is_answered_and_timed() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone", pause=0.05) as port:
        latencies = send_paced(port, [REQUEST] * 20, [n / 1000 for n in range(20)])
    assert len(latencies) == 20
    assert min(latencies) >= 50.0


def test_waiting_for_a_free_connection_counts() -> None:
    with server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", pause=0.2) as port:
        latencies = send_paced(port, [REQUEST] * (CONNECTIONS + 1), [0.0] * (CONNECTIONS + 1))
    assert max(latencies) >= 400.0


def test_a_refusal_measures_nothing() -> None:
    with server(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n") as port, pytest.raises(ExceptionGroup) as caught:
        send_paced(port, [REQUEST], [0.0])
    assert "503" in str(caught.value.exceptions[0])
