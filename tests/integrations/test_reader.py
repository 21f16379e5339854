"""The process that reads for others, in this one: what it answers, and when it stops."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any

import pytest
from structlog.testing import capture_logs

from connector import clock, wire
from connector.asked import Access, Listing
from connector.canonical import Resource
from connector.platforms import AccessLost
from connector.reading import Page
from connector.wire import Ended, Network, PageBrought, Request
from integrations import reader
from tests.factories import make_order

ACCESS = Access(1, "shop.example", {"key": "k", "secret": "s"})
WANTED = Request("pretend", ACCESS, Listing(Resource.ORDER))
SECONDS = 10.0


class Pretend:
    """A store whose pages are made as they are asked for."""

    def __init__(self, *pages: Page | Exception) -> None:
        self.things = pages
        self.closed = threading.Event()
        self.offsets: list[timedelta] = []

    def pages(self, access: Access, what: Resource, *span: Any) -> Iterator[Page]:
        """See `Reads`."""
        self.offsets.append(clock.offset())
        try:
            for thing in self.things:
                if isinstance(thing, Exception):
                    raise thing
                yield thing
        finally:
            self.closed.set()


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, store: Pretend) -> Iterator[socket.socket]:
    """Our end of the line to a reader."""
    monkeypatch.setattr(reader, "make_reads", lambda transport: {"pretend": store})
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=reader.serve, args=(theirs,))
    with theirs:
        thread.start()
        with ours:
            wire.send(ours, Network({}, None, True))
            yield ours
        thread.join(SECONDS)
    assert not thread.is_alive(), "it ends with the line"


@contextmanager
def asked(line: socket.socket, request: Request = WANTED) -> Iterator[IO[bytes]]:
    """What comes back for a request."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(line, [b"+"], [theirs.fileno()])
    with ours, ours.makefile("rb") as stream:
        wire.send(ours, request)
        yield stream


def test_it_answers_page_after_page_and_says_that_this_was_all(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Pretend(Page((make_order(),), "2"), Page((make_order(platform_id="2"),)))
    with serving(monkeypatch, store) as line, asked(line) as stream:
        *pages, end = wire.read_answers(stream)
    assert [wire.to_page(one) for one in pages if isinstance(one, PageBrought)] == list(store.things)
    assert end == Ended([])
    assert store.closed.is_set()


def test_an_error_comes_after_the_pages_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Pretend(Page((make_order(),), "2"), AccessLost("revoked", platform="woocommerce", call="orders", status=401))
    with serving(monkeypatch, store) as line, asked(line) as stream:
        page, failed = wire.read_answers(stream)
    assert isinstance(page, PageBrought)
    assert isinstance(failed, wire.Failed)
    assert (failed.kind, failed.words, failed.told["status"]) == ("AccessLost", "revoked", 401)


def test_an_error_of_our_own_is_logged_here_and_only_named_there(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Pretend(ValueError("anna@example.org"))
    with capture_logs() as events, serving(monkeypatch, store) as line:
        with asked(line) as stream:
            (failed,) = wire.read_answers(stream)
        with asked(line, Request("unheard-of", ACCESS, Listing(Resource.ORDER))) as stream:
            (other,) = wire.read_answers(stream)
    assert isinstance(failed, wire.Failed)
    assert (failed.kind, failed.words, failed.told) == ("ValueError", "", {})
    assert isinstance(other, wire.Failed)
    assert other.kind == "KeyError"
    assert [event["shop_id"] for event in events if event["event"] == "reader.broke"] == [1, 1]


def test_an_error_of_the_system_in_the_reading_is_told_and_not_taken_for_a_line_that_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch, Pretend(TimeoutError("x"))) as line, asked(line) as stream:
        (failed,) = wire.read_answers(stream)
    assert isinstance(failed, wire.Failed)
    assert failed.kind == "TimeoutError"


def test_when_nobody_listens_any_more_the_reading_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [Page((make_order(platform_id=str(number)),) * 100, str(number)) for number in range(200)]
    store = Pretend(*many)
    with serving(monkeypatch, store) as line:
        with asked(line) as stream:
            next(wire.read_answers(stream))
            assert not store.closed.is_set(), "far more waits than a line holds"
        assert store.closed.wait(SECONDS)


def test_an_end_on_which_nothing_is_asked_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Pretend(Page(()))
    with serving(monkeypatch, store) as line:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(line, [b"+"], [theirs.fileno()])
        ours.close()
        with asked(line) as stream:
            assert len(list(wire.read_answers(stream))) == 2


def test_its_clock_is_that_of_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    store, before = Pretend(Page(())), clock.offset()
    try:
        with serving(monkeypatch, store) as line, asked(line, Request("pretend", ACCESS, WANTED.listing, timedelta(days=3))) as stream:
            list(wire.read_answers(stream))
    finally:
        clock.set_offset(before)
    assert store.offsets == [timedelta(days=3)]


def test_calls_are_taken_along_once() -> None:
    counted = reader.Counted()
    counted.call_ended("woocommerce", "orders", "ok", 0.5)
    counted.throttled("woocommerce", "orders", 2.0)
    first, second = counted.take()
    assert (first.outcome, first.seconds, first.is_throttled) == ("ok", 0.5, False)
    assert (second.seconds, second.is_throttled) == (2.0, True)
    assert counted.take() == []


def test_many_may_take_calls_at_once() -> None:
    counted, taken = reader.Counted(), []
    for number in range(2_000):
        counted.call_ended("woocommerce", "orders", "ok", float(number))
    threads = [threading.Thread(target=lambda: taken.extend(counted.take())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.seconds for one in taken) == [float(number) for number in range(2_000)]
