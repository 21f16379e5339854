"""Pages are read ahead of whoever writes them, up to a bound, and the reading ends with its context."""

import threading
from collections.abc import Iterator

import pytest

from connector.platforms import TransientError
from connector.reading import Page
from sync.pulling import AHEAD, Pages
from tests.factories import make_order

PATIENCE = 5.0


def page(number: int, records: int = 2) -> Page:
    """A page with so many orders."""
    return Page(tuple(make_order(platform_id=f"{number}-{one}") for one in range(records)), str(number))


def test_pages_come_in_their_order_and_together_up_to_the_number_of_records_asked_for() -> None:
    with Pages(lambda: iter([page(1), page(2), page(3)])) as pages:
        found = []
        while not pages.is_over:
            some = pages.take(4, PATIENCE)
            assert sum(len(one.records) for one in some) <= 4
            found += some
    assert [one.cursor for one in found] == ["1", "2", "3"]


def test_what_went_wrong_is_raised_after_the_pages_before_it() -> None:
    def read() -> Iterator[Page]:
        yield page(1)
        raise TransientError("no answer", platform="fake", call="pages")

    with Pages(read) as pages:
        assert [one.cursor for one in pages.take(100, PATIENCE)] == ["1"]
        with pytest.raises(TransientError):
            pages.take(100, PATIENCE)


def test_a_store_that_takes_its_time_gives_no_page_and_no_end() -> None:
    answer = threading.Event()

    def read() -> Iterator[Page]:
        answer.wait(PATIENCE)
        yield page(1)

    with Pages(read) as pages:
        assert pages.take(100, 0.05) == []
        assert not pages.is_over
        answer.set()
        assert [one.cursor for one in pages.take(100, PATIENCE)] == ["1"]


def test_no_more_is_read_ahead_than_may_wait_and_leaving_ends_the_reading() -> None:
    read: list[int] = []
    closed = threading.Event()
    full = threading.Event()

    def many() -> Iterator[Page]:
        try:
            for number in range(1000):
                read.append(number)
                if len(read) == AHEAD + 2:
                    full.set()
                yield page(number, 1)
        finally:
            closed.set()

    with Pages(many) as pages:
        pages.take(1, PATIENCE)
        assert full.wait(PATIENCE)
    assert closed.is_set()
    assert len(read) == AHEAD + 2, "one was taken, some wait, and one is in hand"
