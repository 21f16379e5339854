"""Databases from before there were members: what becomes of their accounts and of what was written down, as any owner of a database."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

from connector.store.db import Database, engine_url
from connector.store.migrate import SCRIPTS

OWNER = "owner_without_power"
ACCOUNTS = """
    insert into accounts (public_id, name, created_at)
    select 'acc_' || n, name, now() from (values (1, 'Told'), (2, 'Untold'), (3, 'Empty')) v (n, name);
    insert into shops (public_id, account_id, platform, domain, shop_key, state, name, url, currency, timezone, language,
                       contact_email, taxes_included, threshold_minutes, activity_clock, installed_at, created_at)
    select 'shp_' || n, account, 'shopify', n || '.test', 'key' || n, 'connected', 'Shop', 'https://x', 'EUR', 'UTC', 'fr',
           email, false, 60, 'activity', now(), now()
    from (values (1, 1, ' Anna@Example.org '), (2, 1, 'later@example.org'), (3, 2, 'not an address')) v (n, account, email);
    insert into audit_entries (account_id, shop_id, actor, action, at) values (1, 1, 'operator', 'automation.on', now());
"""


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """A database whose owner is no superuser and inherits nothing: row level security holds for it too."""
    server = create_engine(engine_url(database_url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("drop database if exists accesses with (force)"))
        connection.execute(text(f"drop role if exists {OWNER}"))
        connection.execute(text(f"create role {OWNER} login createrole noinherit"))
        connection.execute(text(f"grant connector_app, connector_system to {OWNER} with admin option"))
        connection.execute(text(f"create database accesses owner {OWNER}"))
    yield engine_url(database_url).set(database="accesses", username=OWNER).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text("drop database accesses with (force)"))
        connection.execute(text(f"drop role {OWNER}"))
    server.dispose()


@pytest.fixture
def old(url: str) -> Iterator[Engine]:
    """Its schema as it was before, with two accounts that have shops and one that has none."""
    move(url, "0005")
    engine = create_engine(engine_url(url))
    with engine.begin() as connection:
        connection.execute(text("set local role connector_system"))
        for statement in ACCOUNTS.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
    yield engine
    engine.dispose()


def move(url: str, revision: str, *, is_back: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    (command.downgrade if is_back else command.upgrade)(config, revision)


def rows(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.begin() as connection:
        connection.execute(text("set local role connector_system"))
        return [tuple(row) for row in connection.execute(text(statement))]


def test_each_account_with_a_shop_gets_an_owner_with_the_address_of_its_oldest_shop(old: Engine, url: str) -> None:
    move(url, "0006")
    assert rows(old, "select account_id, email, email_norm, role, language from members order by id") == [
        (1, "Anna@Example.org", "anna@example.org", "owner", "fr"),
        (2, None, None, "owner", "fr"),
    ]
    assert rows(old, "select actor, action, account_id, shop_id, request_id from audit_entries") == [
        ("operator", "automation.on", 1, 1, None)
    ]
    database = Database(url)
    try:
        with database.transaction(account=2) as session:
            assert [row[0] for row in session.execute(text("select account_id from members"))] == [2]
    finally:
        database.close()


def test_the_code_from_before_goes_on_writing_while_the_new_one_starts(old: Engine, url: str) -> None:
    move(url, "0006")
    with old.begin() as connection:
        connection.execute(text("select set_config('role', 'connector_app', true), set_config('app.shop_id', '1', true)"))
        connection.execute(
            text("insert into audit_entries (account_id, shop_id, actor, action, at) values (1, 1, 'operator', 'automation.off', now())")
        )
    with old.begin() as connection:
        connection.execute(text("set local role connector_system"))
        connection.execute(
            text("""
                insert into pending_installs (state_hash, browser_hash, platform, remembered, created_at)
                values ('s', 'b', 'shopify', 'r', now())
            """)
        )
    assert len(rows(old, "select 1 from audit_entries")) == 2


def test_the_way_back_drops_what_tells_of_accounts_that_are_gone_and_keeps_the_rest(old: Engine, url: str) -> None:
    move(url, "0006")
    rows(old, "insert into audit_entries (account_id, shop_id, actor, action, at) values (2, 3, 'a', 'b', now()) returning 1")
    rows(old, "delete from accounts where id = 2 returning 1")
    assert len(rows(old, "select 1 from audit_entries")) == 2
    move(url, "0005", is_back=True)
    assert rows(old, "select account_id, shop_id, action from audit_entries") == [(1, 1, "automation.on")]
    move(url, "head")
    assert len(rows(old, "select 1 from members")) == 1
