"""Marks: up to when a kind of record is known, and where comparing it stands."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from connector.canonical import Resource
from connector.store import sync_marks
from connector.store.db import Database, app_now
from tests.conftest import TestShop

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ORDER = Resource.ORDER


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


@pytest.fixture
def do(db: Database, shopify_shop: TestShop) -> Callable[..., tuple[datetime | None, datetime | None, str | None]]:
    """Do something with the marks of orders; returns how the mark then stands: good until, comparing until, cursor."""

    def act(what: Callable[..., None], *given: object) -> tuple[datetime | None, datetime | None, str | None]:
        with db.transaction(shop=shopify_shop.id) as session:
            what(session, shopify_shop.id, *given)
        with db.transaction(shop=shopify_shop.id) as session:
            row = sync_marks.load_marks(session, shopify_shop.id)[ORDER]
            return row.good_until, row.until, row.cursor

    return act


Do = Callable[..., tuple[datetime | None, datetime | None, str | None]]


def test_a_comparison_goes_page_by_page_and_counts_when_its_last_page_is_there(do: Do) -> None:
    assert do(sync_marks.note_page, ORDER, at(0), at(10), "p2") == (at(0), at(10), "p2")
    assert do(sync_marks.note_page, ORDER, at(0), at(10), "p3") == (at(0), at(10), "p3")
    assert do(sync_marks.note_page, ORDER, at(0), at(10), None) == (at(10), None, None)
    assert do(sync_marks.note_page, ORDER, at(10), at(20), None) == (at(20), None, None)


def test_who_comes_late_with_a_page_of_a_comparison_that_is_over_begins_nothing_anew(do: Do) -> None:
    do(sync_marks.note_page, ORDER, at(0), at(10), None)
    assert do(sync_marks.note_page, ORDER, at(0), at(10), "p2") == (at(10), None, None)
    assert do(sync_marks.note_page, ORDER, at(0), at(5), None) == (at(10), None, None)


def test_what_a_run_has_read_need_not_be_compared(do: Do) -> None:
    assert do(sync_marks.note_good, ORDER, at(5)) == (at(5), None, None)
    assert do(sync_marks.note_good, ORDER, at(3)) == (at(5), None, None)
    do(sync_marks.note_page, ORDER, at(5), at(20), "p2")
    assert do(sync_marks.note_good, ORDER, at(12)) == (at(5), at(20), "p2"), "a cursor is good for its span only"
    assert do(sync_marks.note_good, ORDER, at(25)) == (at(25), None, None)


def test_trouble_is_written_down_and_its_comparison_begins_anew(do: Do, db: Database, shopify_shop: TestShop) -> None:
    do(sync_marks.note_page, ORDER, at(0), at(10), "p2")
    assert do(sync_marks.note_trouble, ORDER, "rejected") == (at(0), None, None)
    with db.transaction(shop=shopify_shop.id) as session:
        assert sync_marks.load_marks(session, shopify_shop.id)[ORDER].error == "rejected"
    do(sync_marks.note_page, ORDER, at(0), at(10), None)
    with db.transaction(shop=shopify_shop.id) as session:
        assert sync_marks.load_marks(session, shopify_shop.id)[ORDER].error is None


def test_what_was_missed_adds_up_and_a_new_install_keeps_the_count(do: Do, db: Database, shopify_shop: TestShop) -> None:
    do(sync_marks.note_missed, ORDER, 2)
    do(sync_marks.note_missed, ORDER, 3)
    do(sync_marks.note_walk, ORDER, at(1), "w2")
    do(sync_marks.note_page, ORDER, at(0), at(10), "p2")
    do(sync_marks.begin_anew, at(50))
    with db.transaction(shop=shopify_shop.id) as session:
        row = sync_marks.load_marks(session, shopify_shop.id)[ORDER]
    assert (row.missed, row.good_until, row.cursor, row.walk_cursor) == (5, at(50), None, None)
    assert row.missed_at is not None


def test_nothing_missed_writes_nothing(db: Database, shopify_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        sync_marks.note_missed(session, shopify_shop.id, ORDER, 0)
        assert sync_marks.load_marks(session, shopify_shop.id) == {}


def test_a_walk_stands_at_a_cursor_until_it_has_seen_all(db: Database, shopify_shop: TestShop) -> None:
    def stand(session: Session) -> tuple[datetime | None, str | None, bool]:
        row = sync_marks.load_marks(session, shopify_shop.id)[ORDER]
        return row.walk_began_at, row.walk_cursor, row.walked_at is not None

    with db.transaction(shop=shopify_shop.id) as session:
        sync_marks.note_walk(session, shopify_shop.id, ORDER, at(0), "100")
        assert stand(session) == (at(0), "100", False)
        sync_marks.end_walk(session, shopify_shop.id, ORDER)
        assert stand(session) == (None, None, True)
        assert app_now(session) >= (sync_marks.load_marks(session, shopify_shop.id)[ORDER].walked_at or at(0))
