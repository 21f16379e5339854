"""One bundled PostgreSQL and one migrated database per test process; every test starts with two accounts and a shop in each."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Connection, text

from connector import clock
from connector.canonical import ShopProfile
from connector.config import Settings
from connector.platforms import Installation
from connector.store import migrate, shops
from connector.store.db import Database
from connector.store.embedded import start_temporary
from connector.store.sealed import Vault

hypothesis_settings.register_profile("connector", deadline=None, print_blob=True)
hypothesis_settings.load_profile("connector")
# Every client loads the machine's authorities, some 150 of them in 30 ms; ours call nobody whom one of those vouches for.
os.environ["SSL_CERT_FILE"] = os.devnull

SEALING_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
KEPT = ("alembic_version", "app_clock")
MANY = 2_000
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


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated sandbox database (its clock can be moved) on a server of this process."""
    with start_temporary() as server:
        migrate.upgrade(server.url, sandbox=True)
        yield server.url


@pytest.fixture(scope="session")
def opened(database_url: str) -> Iterator[Database]:
    """The process's connections."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def db(opened: Database) -> Database:
    """The database with all tables empty and its clock at real time; wakes ring nowhere unless the test says so."""
    with opened.engine.begin() as connection:
        tables = _tables(connection)
        _empty(connection, tables)
        # What the planner was told of another test's rows would be believed of these, and so would plans that were made by it.
        forget = """
            update pg_class set reltuples = -1, relpages = 0, relallvisible = 0 where oid = any(cast(:tables as regclass[]))
               or oid in (select indexrelid from pg_index where indrelid = any(cast(:tables as regclass[])))
        """
        connection.execute(text(forget), {"tables": tables})
        connection.execute(text("delete from pg_statistic where starelid = any(cast(:tables as regclass[]))"), {"tables": tables})
        connection.execute(text("update app_clock set ahead = interval '0'"))
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
    only where there are many is it the better way.
    """
    look = " union all ".join(
        f"select '{name}', exists (select 1 from {name} offset {MANY}) where exists (select 1 from {name})" for name in tables
    )
    found = connection.execute(text(look)).all()
    if any(is_many for _, is_many in found):
        connection.execute(text(f"truncate {', '.join(tables)} restart identity cascade"))
        return
    connection.execute(text("set local session_replication_role = replica"))  # all of them go: nothing is left to refer to anything
    for name, _ in found:
        connection.execute(text(f"delete from {name}"))
    connection.execute(text("set local session_replication_role = origin"))
    used = connection.execute(text("select sequencename from pg_sequences where schemaname = 'public' and last_value is not null"))
    for name in used.scalars().all():
        connection.execute(text(f"alter sequence {name} restart"))


@pytest.fixture
def vault() -> Vault:
    """A vault with a fixed key."""
    return Vault([SEALING_KEY])


@pytest.fixture
def sandbox_settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a test installation in sandbox mode, independent of the environment."""
    return Settings.model_validate(
        {
            "database_url": database_url,
            "data_dir": tmp_path,
            "public_url": "https://connector.test",
            "sealing_key": SEALING_KEY,
            "operator_key": "operator-key-for-tests",
            "shopify_client_id": "client-id",
            "shopify_client_secret": SHOPIFY_SECRET,
            "smtp_url": "smtp://127.0.0.1:1",
            "sandbox": True,
        }
    )


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
