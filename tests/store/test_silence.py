"""A database that is there and says nothing: given up in time, and forgotten once it answers again."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from connector.store.db import AnsweringConnection, Database, is_passing
from connector.store.work import lease_inbox, try_lock_access
from tests.conftest import TestShop


@contextmanager
def silent(backend: int) -> Iterator[None]:
    """One of the server's processes stands still; its line stays open."""
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


@pytest.fixture
def impatient(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """One connection that waits for half a second."""
    monkeypatch.setattr(AnsweringConnection, "answer_seconds", 0.5)
    database = Database(database_url, pool_size=1)
    yield database
    database.close()


def backend_of(database: Database) -> int:
    with database.system_transaction("whose line is this") as session:
        return int(session.execute(text("select pg_backend_pid()")).scalar_one())


def test_a_statement_without_an_answer_fails_in_time_and_the_next_transaction_gets_a_fresh_line(impatient: Database) -> None:
    began = time.monotonic()

    def ask() -> None:
        with impatient.system_transaction("test") as session:
            backend = int(session.execute(text("select pg_backend_pid()")).scalar_one())
            with silent(backend):
                session.execute(text("select 1"))

    with pytest.raises(OperationalError) as raised:
        ask()

    assert time.monotonic() - began < 5
    assert is_passing(raised.value), "the same work may succeed later"
    assert backend_of(impatient) > 0


def test_a_line_that_fell_silent_in_the_pool_is_replaced(impatient: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.db.TRUSTED_SECONDS", 0.2)
    first = backend_of(impatient)
    with silent(first):
        time.sleep(0.25)
        second = backend_of(impatient)

    assert second != first


def test_a_line_that_was_just_used_is_not_asked_whether_it_is_there(impatient: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.db.TRUSTED_SECONDS", 10.0)
    first = backend_of(impatient)
    with silent(first), pytest.raises(OperationalError):
        backend_of(impatient)

    assert backend_of(impatient) not in (0, first), "and its loss costs one transaction"


def test_a_slow_answer_within_the_limit_is_waited_for(impatient: Database) -> None:
    with impatient.system_transaction("test") as session:
        assert session.execute(text("select 7 from pg_sleep(0.3)")).scalar() == 7
        assert session.execute(text("select 8 from pg_sleep(0.3)")).scalar() == 8


def test_who_stands_still_in_a_transaction_loses_its_locks(
    database_url: str, db: Database, shopify_shop: TestShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.store.db._TIMEOUTS", "set idle_in_transaction_session_timeout = 300")
    frozen = Database(database_url, pool_size=1)

    def stand_still() -> None:
        with frozen.transaction(shop=shopify_shop.id) as session:
            assert lease_inbox(session, shopify_shop.id)
            with db.transaction(shop=shopify_shop.id) as other:
                assert not lease_inbox(other, shopify_shop.id)
            time.sleep(1)
            with db.transaction(shop=shopify_shop.id) as other:
                assert lease_inbox(other, shopify_shop.id), "others go on"
            session.execute(text("select 1"))

    with pytest.raises(DBAPIError) as raised:
        stand_still()

    assert is_passing(raised.value)
    frozen.close()


def test_no_connection_of_ours_may_be_idle_in_a_transaction_for_long(db: Database, shopify_shop: TestShop) -> None:
    idle = text("show idle_in_transaction_session_timeout")
    with db.system_transaction("test") as session:
        assert session.execute(idle).scalar() == "8s"
        assert session.execute(text("show client_connection_check_interval")).scalar() == "2s"
    with db.transaction(shop=shopify_shop.id) as session:
        assert try_lock_access(session, "shopify", shopify_shop.domain)
        assert session.execute(idle).scalar() == "2min", "while a platform is asked for tokens"
    with db.transaction(shop=shopify_shop.id) as session:
        assert session.execute(idle).scalar() == "8s"
