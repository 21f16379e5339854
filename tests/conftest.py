"""One bundled PostgreSQL and one migrated database per test process; every test starts with two accounts and a shop in each."""

import gc
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Connection, Engine, create_engine, text

from connector import clock
from connector.canonical import ShopProfile
from connector.config import Settings
from connector.platforms import Installation
from connector.store import migrate, shops
from connector.store.db import Database, engine_url
from connector.store.embedded import start_temporary
from connector.store.sealed import Vault

hypothesis_settings.register_profile("connector", deadline=None, print_blob=True)
hypothesis_settings.load_profile("connector")
# Every client loads the machine's authorities, some 150 of them in 30 ms; ours call nobody whom one of those vouches for.
os.environ["SSL_CERT_FILE"] = os.devnull

SEALING_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
KEPT = ("alembic_version", "app_clock")
GROWN = 1 << 20
SHOPIFY_SECRET = "hush-our-own-test-secret"
WOO_SECRET = "wooOurOwnTestSecret01"


@dataclass(frozen=True, slots=True)
class TestShop:
    """A shop that was installed for a test."""

    __test__ = False
    id: int
    platform: str
    domain: str
    shop_key: str
    webhook_secret: str


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Collect the tests without looking for garbage, and never look among what was collected.

    Twelve thousand tests are hundreds of megabytes that stay to the end; looking through them again and again takes as long as making them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated sandbox database (its clock can be moved) on a server of this process."""
    with start_temporary() as server:
        migrate.upgrade(server.url, sandbox=True)
        _stop_gathering(server.url)
        yield server.url


def _stop_gathering(url: str) -> None:
    """
    Let nobody look through the tables but the tests themselves.

    `autovacuum` comes by when it likes. If that is while a test fills a table, it sees none of the rows yet and tells the planner that
    these many pages hold nothing; for the next minute any index is as good as any other, and a test of plans fails now and then.
    """
    with create_engine(engine_url(url), isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("alter system set autovacuum = off"))
        connection.execute(text("select pg_reload_conf()"))
        connection.invalidate()


@pytest.fixture(scope="session")
def opened(database_url: str) -> Iterator[Database]:
    """The process's connections."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def broom(database_url: str) -> Iterator[Engine]:
    """
    A connection that only empties tables, with nothing left to refer to anything: foreign keys and triggers are off in it.

    It is of its own because switching them off makes a connection plan all its statements anew, for every test.
    """
    engine = create_engine(
        engine_url(database_url), pool_size=1, pool_pre_ping=True, connect_args={"options": "-c session_replication_role=replica"}
    )
    yield engine
    engine.dispose()


@pytest.fixture
def db(opened: Database, broom: Engine) -> Database:
    """The database with all tables empty and its clock at real time; wakes ring nowhere unless the test says so."""
    with broom.begin() as connection:
        tables = _tables(connection)
        _empty(connection, tables)
        _forget(connection, tables)
        connection.execute(text("update app_clock set ahead = interval '0' where ahead <> interval '0'"))
        # Nobody is ever alone in a database: what leaks between accounts must have somewhere to leak to.
        others = "insert into accounts (public_id, name, created_at) values ('acc_first', 'First', now()), ('acc_second', 'Second', now())"
        connection.execute(text(others))
    clock.set_offset(datetime.now(UTC) - datetime.now(UTC))
    opened.on_wake(lambda wake: None)
    return opened


def _tables(connection: Connection) -> list[str]:
    names = connection.execute(text("select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"))
    return [name for name in names.scalars() if name not in KEPT and not name.startswith("delivery_bodies_")]


def _empty(connection: Connection, tables: Sequence[str]) -> None:
    """
    Empty the tables and begin counting anew.

    A truncation makes new files for every table and index, used or not, and takes ten times as long as deleting a handful of rows;
    only where a table has grown, by many rows or by what earlier tests left dead in it, is it the better way. Setting a sequence is
    likewise cheaper than restarting it.
    """
    grown = f"greatest(pg_relation_size('{{name}}'), (select sum(pg_relation_size(relid)) from pg_partition_tree('{{name}}'))) > {GROWN}"
    look = " union all ".join(f"select '{name}', {grown.format(name=name)} where exists (select 1 from {name})" for name in tables)
    found = connection.execute(text(look)).all()
    if any(has_grown for _, has_grown in found):
        connection.execute(text(f"truncate {', '.join(tables)} restart identity cascade"))
        return
    for name, _ in found:
        connection.execute(text(f"delete from {name}"))
    first = """
        select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
        from pg_sequences where schemaname = 'public' and last_value is not null
    """
    connection.execute(text(first))


def _forget(connection: Connection, tables: Sequence[str]) -> None:
    """
    Forget what the planner was told of another test's rows: it would be believed of these, and so would plans that were made by it.

    Only what was told is touched: each touch makes every connection look the table up and plan its statements again.
    """
    forget = """
        update pg_class set reltuples = -1, relpages = 0, relallvisible = 0
        where (reltuples <> -1 or relpages <> 0 or relallvisible <> 0) and (oid = any(cast(:tables as regclass[]))
           or oid in (select indexrelid from pg_index where indrelid = any(cast(:tables as regclass[]))))
    """
    connection.execute(text(forget), {"tables": tables})
    connection.execute(text("delete from pg_statistic where starelid = any(cast(:tables as regclass[]))"), {"tables": tables})


@pytest.fixture
def vault() -> Vault:
    """A vault with a fixed key."""
    return Vault([SEALING_KEY])


@pytest.fixture(scope="session")
def given_settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """What all test installations of this process have in common, read and checked once."""
    return Settings.model_validate(
        {
            "database_url": database_url,
            "data_dir": tmp_path_factory.getbasetemp(),
            "public_url": "https://connector.test",
            "sealing_key": SEALING_KEY,
            "operator_key": "operator-key-for-tests",
            "shopify_client_id": "client-id",
            "shopify_client_secret": SHOPIFY_SECRET,
            "smtp_url": "smtp://127.0.0.1:1",
            "sandbox": True,
        }
    )


@pytest.fixture
def sandbox_settings(tmp_path: Path, given_settings: Settings) -> Settings:
    """Settings of a test installation in sandbox mode, independent of the environment; its files lie in the test's own directory."""
    return given_settings.model_copy(update={"data_dir": tmp_path})


def profile(name: str, host: str) -> ShopProfile:
    """What a test shop says of itself."""
    return ShopProfile(
        name=name,
        currency="EUR",
        timezone="Europe/Paris",
        url=f"https://{host}",
        language="fr",
        country="FR",
        contact_email=f"bonjour@{host}",
        address="8 rue du Bac, 75007 Paris",
        taxes_included=True,
        hosts=(host,),
    )


def install(db: Database, vault: Vault, platform: str, domain: str, name: str) -> TestShop:
    """Install a shop in an account of its own."""
    keys = {"consumer_key": f"ck_{'0a' * 20}", "consumer_secret": f"cs_{'1b' * 20}"}
    credentials = keys if platform == "woocommerce" else {"access_token": f"token-of-{domain}"}
    # What stories tell of WooCommerce comes from one address, whichever shop hears it.
    told = replace(profile(name, domain), hosts=(domain, "boutique.test")) if platform == "woocommerce" else profile(name, domain)
    installation = Installation(domain, credentials, ("read_orders",), (), told)
    with db.system_transaction("install for a test") as session:
        made = shops.save_install(
            session, vault, platform, installation, fresh_key=f"key-{domain.replace('.', '-')}", fresh_secret=WOO_SECRET
        )
    return TestShop(made.shop_id, platform, domain, made.shop_key, made.webhook_secret)


@pytest.fixture
def shopify_shop(db: Database, vault: Vault) -> TestShop:
    """A connected Shopify shop in the first account."""
    return install(db, vault, "shopify", "demo.myshopify.com", "Démo")


@pytest.fixture
def woo_shop(db: Database, vault: Vault) -> TestShop:
    """A connected WooCommerce shop in the second account."""
    return install(db, vault, "woocommerce", "boutique.test", "Boutique")
