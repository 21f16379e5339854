"""A database that is there and says nothing: given up in time, and forgotten once it answers again."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from connector.store.db import AnsweringConnection, Database, is_passing


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


def test_a_line_that_fell_silent_in_the_pool_is_replaced(impatient: Database) -> None:
    first = backend_of(impatient)
    with silent(first):
        second = backend_of(impatient)

    assert second != first


def test_a_slow_answer_within_the_limit_is_waited_for(impatient: Database) -> None:
    with impatient.system_transaction("test") as session:
        assert session.execute(text("select 7 from pg_sleep(0.3)")).scalar() == 7
        assert session.execute(text("select 8 from pg_sleep(0.3)")).scalar() == 8
