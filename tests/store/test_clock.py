"""The virtual clock of a sandbox."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from connector import clock as our_clock
from connector.store import clock
from connector.store.db import Database, app_now
from tests.conftest import TestShop


def test_a_sandboxs_clock_moves_forward_and_ours_follows(db: Database) -> None:
    goal = datetime.now(UTC) + timedelta(days=3)
    with db.system_transaction("test") as session:
        clock.step_to(session, goal)
        assert timedelta() <= app_now(session) - goal < timedelta(seconds=5)
        assert clock.is_sandbox(session)
    assert timedelta() <= our_clock.now() - goal < timedelta(seconds=5)


def test_it_never_moves_back(db: Database) -> None:
    with db.system_transaction("test") as session:
        clock.step_to(session, datetime.now(UTC) + timedelta(days=3))
        before = app_now(session)
        clock.step_to(session, datetime.now(UTC))
        assert app_now(session) >= before


def test_reading_brings_our_copy_in_step(db: Database) -> None:
    with db.system_transaction("test") as session:
        clock.step_to(session, datetime.now(UTC) + timedelta(hours=1))
        our_clock.set_offset(timedelta())
        read = clock.read(session)
    assert abs(our_clock.now() - read) < timedelta(seconds=5)


def test_outside_a_sandbox_the_database_refuses_to_move_its_clock(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("update app_clock set is_sandbox = false"))
    try:
        with db.system_transaction("test") as session:
            clock.step_to(session, datetime(2020, 1, 1, tzinfo=UTC))  # a step of nothing
        with pytest.raises(IntegrityError, match="real_time"), db.system_transaction("test") as session:
            clock.step_to(session, datetime.now(UTC) + timedelta(days=3))
        with pytest.raises(ProgrammingError, match="permission denied"), db.system_transaction("test") as session:
            session.execute(text("update app_clock set is_sandbox = true"))
    finally:
        with db.engine.begin() as connection:
            connection.execute(text("update app_clock set is_sandbox = true"))


def test_a_shop_cannot_move_the_clock(db: Database, shopify_shop: TestShop) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), db.transaction(shop=shopify_shop.id) as session:
        clock.step_to(session, datetime.now(UTC) + timedelta(days=3))
