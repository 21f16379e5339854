"""Transactions, their roles and their wakes."""

import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError

from connector.store.db import Database, Wake, app_now, engine_url, is_for_now, is_passing, libpq_url, wake_after_commit
from tests.conftest import TestShop


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_postgres_url_is_understood(scheme: str) -> None:
    url = f"{scheme}://us%40er:p%2Fw@db.example:5433/shop"

    assert engine_url(url).drivername == "postgresql+psycopg"
    assert libpq_url(url) == "postgresql://us%40er:p%2Fw@db.example:5433/shop"


@pytest.mark.parametrize("scope", [{}, {"shop": 1, "account": 1}])
def test_a_transaction_belongs_to_exactly_one_shop_or_account(db: Database, scope: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="one shop or to one account"), db.transaction(**scope):
        pass


def test_each_kind_of_transaction_acts_as_its_role(db: Database, shopify_shop: TestShop) -> None:
    who = text("select current_user, current_setting('app.shop_id'), current_setting('app.account_id')")
    with db.transaction(shop=shopify_shop.id) as session:
        assert tuple(session.execute(who).one()) == ("connector_app", str(shopify_shop.id), "")
    with db.transaction(account=9) as session:
        assert tuple(session.execute(who).one()) == ("connector_app", "", "9")
    with db.system_transaction("test") as session:
        assert tuple(session.execute(who).one()) == ("connector_system", "", "")


def test_every_wait_of_a_connection_is_finite(db: Database) -> None:
    with db.system_transaction("test") as session:
        assert session.execute(text("show statement_timeout")).scalar() == "15s"
        assert session.execute(text("show lock_timeout")).scalar() == "10s"
        assert session.execute(text("show timezone")).scalar() == "UTC"


def test_wakes_ring_once_each_after_the_commit(db: Database, shopify_shop: TestShop) -> None:
    rung: list[tuple[Wake, int]] = []

    def ring(wake: Wake) -> None:
        with db.engine.connect() as connection:
            rung.append((wake, connection.execute(text("select count(*) from suppressions")).scalar_one()))

    db.on_wake(ring)
    with db.transaction(shop=shopify_shop.id) as session:
        for job in ("apply", "send", "apply"):
            wake_after_commit(session, job, shopify_shop.id)
        session.execute(text("insert into suppressions values (:shop, 'email', 'x', 'manual', now())"), {"shop": shopify_shop.id})
        assert rung == []

    assert rung == [(Wake("apply", shopify_shop.id), 1), (Wake("send", shopify_shop.id), 1)]


@pytest.mark.parametrize("kind", ["shop", "system"])
def test_a_failed_transaction_writes_nothing_and_rings_nobody(db: Database, shopify_shop: TestShop, kind: str) -> None:
    rung: list[Wake] = []
    db.on_wake(rung.append)

    def fail() -> None:
        with db.transaction(shop=shopify_shop.id) if kind == "shop" else db.system_transaction("test") as session:
            wake_after_commit(session, "apply", shopify_shop.id)
            session.execute(text("insert into suppressions values (:shop, 'email', 'x', 'manual', now())"), {"shop": shopify_shop.id})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert rung == []
    with db.engine.connect() as connection:
        assert connection.execute(text("select count(*) from suppressions")).scalar() == 0


def test_now_is_the_databases(db: Database) -> None:
    with db.system_transaction("test") as session:
        first, second = app_now(session), app_now(session)

    assert first < second
    assert first.utcoffset() is not None


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (OperationalError("s", None, errors.LockNotAvailable()), True),
        (OperationalError("s", None, errors.DeadlockDetected()), True),
        (OperationalError("s", None, errors.AdminShutdown()), True),
        (OperationalError("s", None, errors.DiskFull()), True),
        (OperationalError("s", None, errors.ConnectionFailure()), True),
        (OperationalError("s", None, ConnectionError()), True),
        (InternalError("s", None, errors.IdleInTransactionSessionTimeout()), True),
        (InternalError("s", None, errors.DataCorrupted()), False),
        (OperationalError("s", None, errors.QueryCanceled()), False),
        (OperationalError("s", None, errors.ProgramLimitExceeded()), False),
        (DBAPIError("s", None, errors.UniqueViolation()), False),
        (RuntimeError(), False),
    ],
)
def test_only_trouble_of_the_databases_own_is_passing(error: Exception, passing: bool) -> None:
    assert is_passing(error) is passing


@pytest.mark.parametrize(
    ("error", "for_now"),
    [
        (OperationalError("s", None, errors.QueryCanceled()), True),
        (OperationalError("s", None, errors.LockNotAvailable()), True),
        (OperationalError("s", None, errors.ProgramLimitExceeded()), False),
        (DBAPIError("s", None, errors.UniqueViolation()), False),
        (RuntimeError(), False),
    ],
)
def test_a_statement_that_was_given_up_may_do_another_time(error: Exception, for_now: bool) -> None:
    assert is_for_now(error) is for_now
