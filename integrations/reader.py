"""
A process that reads stores for a worker: it asks, decodes and maps, so that the worker's own interpreter is free to write.

`sync.readers` starts it with a socket as its standard input. On it comes first where it may go, then with each single byte the end of
another socket, on which one listing is asked for and answered (`connector.wire`). It is told no secrets beside those of the stores it
reads, and has no database; it writes nothing, and ends when whoever started it closes the line or is gone.
"""

import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path

import structlog

from connector import clock, log, memory, wire
from connector.asked import Reads
from connector.metrics import Metrics
from connector.wire import Answer, CallEnded, Request
from integrations.shopify.client import Client
from integrations.shopify.reading import ShopifyReads
from integrations.transport import Transport
from integrations.woocommerce.reads import WooReads

MOST_CALLS = 10_000

logger = structlog.get_logger()


class Counted(Metrics):
    """Keeps what calls were made until somebody takes them along. Thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: deque[CallEnded] = deque(maxlen=MOST_CALLS)

    def call_ended(self, platform: str, call: str, outcome: str, seconds: float) -> None:
        """A call came to its end."""
        self._calls.append(CallEnded(platform, call, outcome, seconds))

    def throttled(self, platform: str, call: str, seconds: float) -> None:
        """A store asks us to leave it alone for so long."""
        self._calls.append(CallEnded(platform, call, "", seconds, is_throttled=True))

    def take(self) -> list[CallEnded]:
        """Those since the last time."""
        found: list[CallEnded] = []
        while self._calls:
            try:
                found.append(self._calls.popleft())
            except IndexError:  # another thread was faster
                break
        return found


def main() -> None:
    """Read for whoever started us until they are gone."""
    # They end us by closing the line: a signal to the whole group is meant for them, who may still be finishing what we read.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log.configure()
    memory.settle()
    with socket.socket(fileno=0) as line:
        serve(line)
    # Calls that are under way have nobody left who wants to know.
    os._exit(0)


def serve(line: socket.socket) -> None:
    """Answer each end that comes on the line in a thread of its own, until the line is closed."""
    network, counted = wire.receive_network(line), Counted()
    extra_ca = Path(network.extra_ca) if network.extra_ca else None
    reads = make_reads(Transport(network.address_map, extra_ca, is_closed_world=network.is_closed_world, metrics=counted))
    while True:
        _, ends, _, _ = socket.recv_fds(line, 1, 1)
        if not ends:
            return
        threading.Thread(target=_serve_one, args=(ends[0], reads, counted), name="reader", daemon=True).start()


def make_reads(transport: Transport) -> Mapping[str, Reads]:
    """What can be read, by platform. Alone it is there in a quarter of a second instead of 0.4, and holds 46 MiB instead of 66."""
    return {"shopify": ShopifyReads(Client(transport)), "woocommerce": WooReads(transport)}


def _serve_one(end: int, reads: Mapping[str, Reads], counted: Counted) -> None:
    with socket.socket(fileno=end) as line:
        try:
            with line.makefile("rb") as stream:
                request = wire.read_request(stream)
            with closing(_answers(request, reads, counted)) as answers:
                for answer in answers:
                    wire.send(line, answer)
        except (OSError, EOFError):  # nobody wants to know any more
            return


def _answers(request: Request, reads: Mapping[str, Reads], counted: Counted) -> Generator[Answer, None, None]:
    """Page after page, then how it ended. Closing it ends the reading."""
    clock.set_offset(request.clock_offset)
    pages = None
    try:
        pages = request.listing.read(reads[request.platform], request.access)
        for page in pages:
            yield wire.to_brought(page, counted.take())
    except Exception as error:
        failed = wire.to_failed(error, counted.take())
        if not wire.is_known(failed):
            logger.exception("reader.broke", platform=request.platform, shop_id=request.access.shop_id)
        yield failed
    else:
        yield wire.Ended(counted.take())
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()


if __name__ == "__main__":
    main()
