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


def test_a_contradiction_is_noticed_before_anything_is_changed(fresh_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.upgrade(fresh_url)
    monkeypatch.setattr("connector.store.migrate.command.upgrade", lambda *_: pytest.fail("it migrated all the same"))

    with pytest.raises(ConfigError, match="made for real stores"):
        migrate.upgrade(fresh_url, sandbox=True)


def test_a_database_that_cannot_hold_every_name_is_refused(fresh_url: str, database_url: str) -> None:
    server = create_engine(engine_url(database_url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("drop database sides with (force)"))
        connection.execute(text("create database sides encoding 'SQL_ASCII' locale 'C' template template0"))
    server.dispose()

    with pytest.raises(ConfigError, match="holds SQL_ASCII"):
        migrate.upgrade(fresh_url)


def test_a_server_that_is_too_old_is_refused(fresh_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "OLDEST", 990_000)

    with pytest.raises(ConfigError, match="needs PostgreSQL 99 or newer"):
        migrate.upgrade(fresh_url)


def test_a_database_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(ConfigError, match="cannot be reached"):
        migrate.upgrade("postgresql://nobody@127.0.0.1:1/nothing")


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
