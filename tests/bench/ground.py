"""What all benchmarks stand on: one bundled PostgreSQL that flushes to disk, one Valkey, a migrated database with shops."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import redis

from connector.canonical import Product, ShopProfile, Variant
from connector.config import Settings
from connector.platforms import Installation
from connector.store import embedded, migrate, shops
from connector.store import products as store_products
from connector.store.db import Database
from connector.store.deliveries import Incoming
from connector.store.keeping import Keeper
from connector.store.sealed import open_vault
from tests.bench.bodies import PRODUCTS, Expected, Post, product_id
from tests.bench.load import SHOP
from tests.valkey import valkey

ROOT = Path(__file__).resolve().parents[2]
SHOPS = (SHOP, "bench-2.myshopify.com", "bench-3.myshopify.com", "bench-4.myshopify.com")
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit")
KEPT = ("accounts", "alembic_version", "app_clock", "automations", "product_variants", "products", "shop_work", "shops")
KEEP_AT_ONCE = 500
LOAD_SECONDS = 30.0


class Busy(Exception):
    """Another benchmark is running: two at once measure nothing."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the benchmarks take place. `connection` is the owner's, autocommit; `directory` also holds our keys."""

    directory: Path
    scratch: Path
    url: str
    redis_url: str
    secret: str
    shop_ids: tuple[int, ...]
    connection: psycopg.Connection[Any]

    @property
    def settings(self) -> Settings:
        """Settings of the form with many processes."""
        return Settings.model_validate(
            {
                "database_url": self.url,
                "redis_url": self.redis_url,
                "data_dir": self.directory,
                "shopify_client_id": "bench",
                "shopify_client_secret": self.secret,
            }
        )

    @property
    def log(self) -> Path:
        """What the measured processes say; it begins anew with every start."""
        return self.directory / "processes.log"

    def last_words(self) -> str:
        """Where to read on, and the end of it."""
        lines = self.log.read_text(errors="replace").splitlines()
        return f"{self.log} ends with {lines[-1]!r}" if lines else f"{self.log} is empty"

    def empty(self) -> None:
        """Empty the inbox, all that was applied, and the doorbell, so that nothing measured pays for what was before."""
        self.empty_rows()
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()

    def empty_rows(self) -> None:
        """The same but for the doorbell, to which processes listen."""
        rows = self.connection.execute(_TABLES, [list(KEPT)]).fetchall()
        self.connection.execute(f"truncate {', '.join(str(name) for (name,) in rows)} cascade".encode())
        left = self.connection.execute("select count(*) from shops").fetchone()
        assert left == (len(SHOPS),), "emptying took the shops along"
        self.connection.execute("checkpoint")

    def keep(self, posts: Sequence[Post]) -> None:
        """Put deliveries into the inbox by the door's own way, without ringing anybody."""
        kept_as = secrets.token_hex(8)
        rows = [
            Incoming(
                platform="shopify",
                topic=post.topic,
                shop_id=self.shop_ids[post.shop],
                key=hashlib.sha256(f"{kept_as}-{number}".encode()).digest(),
                triggered_at=None,
                headers=f"x-shopify-topic: {post.topic}\nx-shopify-webhook-id: {kept_as}-{number}\n",
                body=post.body,
            )
            for number, post in enumerate(posts)
        ]
        asyncio.run(_keep(self.url, rows))

    def pending(self) -> int:
        """How many deliveries wait."""
        return self._number("select count(*) from deliveries where state = 'pending'")

    def is_idle(self) -> bool:
        """True if no delivery waits."""
        return self._number("select count(*) from (select 1 from deliveries where state = 'pending' limit 1) waiting") == 0

    def check_applied(self, wanted: Expected) -> None:
        """Raise RuntimeError unless all deliveries were applied and the canonical rows say what the newest versions said."""
        row = self.connection.execute(_APPLIED).fetchone()
        assert row is not None
        refused, *found = row
        if refused or Expected(*found) != wanted:
            raise RuntimeError(f"{refused} deliveries were not applied; the rows hold {found}, not {wanted}: this measures nothing")

    def durability(self) -> dict[str, str]:
        """The settings that say whether an answer means that it is on disk."""
        rows = self.connection.execute("select name, setting from pg_settings where name = any(%s) order by name", [list(DURABILITY)])
        return {str(name): str(setting) for name, setting in rows}

    def _number(self, query: str) -> int:
        row = self.connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def open_ground() -> Iterator[Ground]:
    """Start the servers and make a fresh database; it is dropped at the end, the server's own directory stays. Raises Busy."""
    directory = ROOT / "var" / "bench"
    _remember_commits(directory)
    with ExitStack() as stack:
        server = stack.enter_context(_own_server(directory))
        _drop(server)
        stack.callback(_drop, server)
        url = server.ensure_database("bench")
        migrate.upgrade(url)
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="scratch-", dir=directory)))
        redis_url = stack.enter_context(valkey(scratch))
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        (directory / "processes.log").write_bytes(b"")
        bare = Ground(directory, scratch, url, redis_url, secrets.token_hex(16), (), connection)
        yield Ground(directory, scratch, url, redis_url, bare.secret, tuple(_install(bare, domain) for domain in SHOPS), connection)


@contextmanager
def _own_server(directory: Path) -> Iterator[embedded.EmbeddedPostgres]:
    with embedded.start(directory) as server:
        if not server.is_owner:
            raise Busy("another benchmark is running: two at once measure nothing")
        yield server


def _remember_commits(directory: Path) -> None:
    """Let the server note when each transaction committed; that setting needs a start, so it is made once and stays."""
    with _own_server(directory) as server, psycopg.connect(server.url, autocommit=True) as connection:
        if connection.execute("show track_commit_timestamp").fetchone() != ("on",):
            connection.execute("alter system set track_commit_timestamp = on")


def _drop(server: embedded.EmbeddedPostgres) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("drop database if exists bench with (force)")


def _install(ground: Ground, domain: str) -> int:
    """A connected shop whose products are known, so that no worker asks the store for them."""
    profile = ShopProfile(
        name=domain, currency="EUR", timezone="Europe/Paris", url=f"https://{domain}", language="fr", country="FR", taxes_included=True
    )
    now = datetime.now(UTC)
    products = [
        Product(
            product_id(number),
            now,
            f"Bougie no {number}",
            variants=(Variant(str(47_110_000_000_000 + number), price=Decimal("19.90")),),
        )
        for number in range(PRODUCTS)
    ]
    with closing(Database(ground.url)) as database, database.system_transaction("install for a benchmark") as session:
        made = shops.save_install(
            session,
            open_vault(ground.settings),
            "shopify",
            Installation(domain, {"access_token": "none"}, ("read_products",), (), profile),
            fresh_key=secrets.token_hex(8),
            fresh_secret=secrets.token_hex(16),
        )
        store_products.save_products(session, made.shop_id, products, now)
    return made.shop_id


async def _keep(url: str, rows: Sequence[Incoming]) -> None:
    keeper = Keeper(url)
    await keeper.open()
    try:
        for start in range(0, len(rows), KEEP_AT_ONCE):
            await keeper.keep(rows[start : start + KEEP_AT_ONCE], LOAD_SECONDS)
    finally:
        await keeper.close()


# Partitions are emptied with their table.
_TABLES = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> all (%s) order by relname
"""
_APPLIED = """
select (select count(*) from deliveries where state <> 'applied'), count(*), (select count(*) from checkout_lines),
    coalesce(sum(total), 0), count(*) filter (where email_norm is not null)
from checkouts
"""
