"""Databases belong to a side for ever."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from connector.errors import ConfigError
from connector.store import clock, migrate
from connector.store.db import Database, engine_url


@pytest.fixture
def fresh_url(database_url: str) -> Iterator[str]:
    """A new, empty database on the same server."""
    server = create_engine(engine_url(database_url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("drop database if exists sides with (force)"))
        connection.execute(text("create database sides"))
    yield engine_url(database_url).set(database="sides").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text("drop database sides with (force)"))
    server.dispose()


def test_a_database_for_real_stores_stays_one(fresh_url: str) -> None:
    migrate.upgrade(fresh_url)
    migrate.upgrade(fresh_url)

    with pytest.raises(ConfigError, match="made for real stores"):
        migrate.upgrade(fresh_url, sandbox=True)
    database = Database(fresh_url)
    with database.system_transaction("test") as session:
        assert not clock.is_sandbox(session)
    database.close()


def test_a_sandbox_stays_a_sandbox(database_url: str) -> None:
    migrate.upgrade(database_url, sandbox=True)

    with pytest.raises(ConfigError, match="belongs to a sandbox"):
        migrate.upgrade(database_url)


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_right_side_is_let_in(sandbox: bool) -> None:
    migrate.check_side(is_sandbox=sandbox, sandbox=sandbox)


def test_only_the_demos_own_database_is_made_anew(fresh_url: str, database_url: str) -> None:
    migrate.upgrade(fresh_url, sandbox=True)
    again = migrate.recreate(database_url, "sides")
    assert again.rpartition("/")[2].partition("?")[0] == "sides"
    migrate.upgrade(again)

    with pytest.raises(ConfigError, match="made for real stores; it is left alone"):
        migrate.recreate(database_url, "sides")
