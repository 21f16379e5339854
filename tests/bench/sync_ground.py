"""Where the sync is measured: a sandbox database beside the benchmarks' own, and stores on loopback that it is led to."""

import json
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from connector.canonical import ShopProfile
from connector.config import Settings
from connector.platforms import Installation
from connector.rules.syncing import RunKind, Scope
from connector.store import migrate, shops, sync_runs
from connector.store.db import Database, Wake
from connector.store.sealed import open_vault
from connector.web.composition import Composition
from integrations.sandbox.tls import Certificates, make_certificates
from sync.jobs import Job
from tests.bench import processes, sync_shopify, sync_woo
from tests.bench.ground import ROOT, Ground
from tests.bench.sync_server import Manner

DATABASE = "bench_sync"
CANONICAL = (
    *("products", "product_variants", "customers", "contacts", "orders", "order_lines", "checkouts", "checkout_lines"),
    *("discount_codes", "removals"),
)
"""What a store's records become."""
KEYS = {"consumer_key": f"ck_{'0a' * 20}", "consumer_secret": f"cs_{'1b' * 20}"}
CLIENT_SECONDS = 300.0
STATISTICS_SECONDS = 1.2
"""A server's own backends tell what they wrote at most this late."""


@dataclass(frozen=True, slots=True)
class SyncGround:
    """The ground of the sync: `ground` with the sandbox database, a shop on each platform, and what leads to their stores."""

    ground: Ground
    certificates: Certificates
    woocommerce_id: int
    shopify_id: int

    def environment(self, ports: Mapping[str, int]) -> dict[str, str]:
        """Settings of processes that find the stores of these hosts on these ports."""
        addresses = {host: f"127.0.0.1:{port}" for host, port in ports.items()}
        return {"SANDBOX": "true", "ADDRESS_MAP": json.dumps(addresses), "EXTRA_CA": str(self.certificates.ca_pem)}

    def words(self, ports: Mapping[str, int]) -> dict[str, Any]:
        """The same as values of Settings, for processes that make them themselves."""
        ground = self.ground
        return {
            "database_url": ground.url,
            "redis_url": ground.redis_url,
            "data_dir": str(ground.directory),
            "shopify_client_id": "bench",
            "shopify_client_secret": ground.secret,
            "sandbox": True,
            "address_map": {host: f"127.0.0.1:{port}" for host, port in ports.items()},
            "extra_ca": str(self.certificates.ca_pem),
        }

    def settings(self, ports: Mapping[str, int]) -> Settings:
        """The same as Settings."""
        return Settings.model_validate(self.words(ports))

    def empty(self) -> None:
        """Forget all that was ever synced."""
        names = [*CANONICAL, "sync_runs", "sync_slices", "sync_differences", "sync_marks", "sync_seen", "quarantined_records", "messages"]
        known = self.ground.connection.execute("select relname from pg_class where relkind in ('r', 'p')").fetchall()
        present = [name for name in names if (name,) in known]
        self.ground.connection.execute(f"truncate {', '.join(present)} cascade".encode())
        self.ground.connection.execute("checkpoint")

    def written(self) -> dict[str, int]:
        """How many rows were ever inserted, updated and deleted in the tables of a store's records."""
        time.sleep(STATISTICS_SECONDS)
        rows = self.ground.connection.execute(
            "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables where relname = any(%s)", [list(CANONICAL)]
        )
        return {str(name): int(count) for name, count in rows}

    def number(self, query: str) -> int:
        """The one number that a query gives."""
        row = self.ground.connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def begin(self, app: Composition, shop_id: int, kind: RunKind, scope: Scope) -> int:
        """Begin a run and ring for it."""
        with app.services.db.transaction(shop=shop_id) as session:
            run, is_new = sync_runs.begin(session, shop_id, kind, scope, reason="benchmark")
            assert is_new
            assert run.id is not None
            return run.id

    def wait(self, app: Composition, run_id: int, seconds: float) -> dict[str, Any]:
        """
        Wait for a run to end; its state, seconds, and records seen. Raises RuntimeError if it does not end well.

        Rings as the sweep does, which is not here, for one that waits until the store has written a file.
        """
        query = f"select state in ('done', 'failed', 'cancelled') from sync_runs where id = {run_id}"
        resting = f"select r.shop_id from sync_runs r where id = {run_id} and due_at <= app_now() and leased_until is null"

        def is_over() -> bool:
            if bool(self.number(f"select ({query})::int")):
                return True
            if shop := self.ground.connection.execute(resting.encode()).fetchone():
                app.bell.ring(Wake(Job.SYNC.value, shop[0]))
            return False

        if not processes.wait_until(is_over, seconds, every=0.05):
            raise RuntimeError(f"the run is not over after {seconds:g} s: {self._state(run_id)}; {self.ground.last_words()}")
        found = self._state(run_id)
        if found["state"] != "done":
            raise RuntimeError(f"the run ended badly: {found}; {self.ground.last_words()}")
        return found

    def client(self, arguments: Mapping[str, Any]) -> dict[str, float]:
        """Run `sync_client` in a process of its own and return what it measured. Raises RuntimeError with its last words."""
        made = subprocess.run(
            [sys.executable, "-m", "tests.bench.sync_client", json.dumps(arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
            check=False,
        )
        if made.returncode != 0:
            raise RuntimeError(f"{arguments.get('way')}: {made.stderr.strip()[-800:]}")
        found: dict[str, float] = json.loads(made.stdout.strip().splitlines()[-1])
        return found

    def behave(self, port: int, manner: Manner) -> None:
        """How the pretend WooCommerce answers from now on."""
        words = json.dumps({name: getattr(manner, name) for name in Manner.__slots__})
        _ask(self.certificates.ca_pem, port, "POST", "/bench/manner", words)

    def log(self, port: int) -> Any:
        """What a pretend store was asked."""
        return json.loads(_ask(self.certificates.ca_pem, port, "GET", "/bench/log"))

    def _state(self, run_id: int) -> dict[str, Any]:
        query = (
            "select r.state, extract(epoch from coalesce(r.finished_at, app_now()) - r.started_at)::float8, r.error,"
            " (select sum(s.seen)::int from sync_slices s where s.run_id = r.id) from sync_runs r where r.id = %s"
        )
        row = self.ground.connection.execute(query, [run_id]).fetchone()
        assert row is not None
        return dict(zip(("state", "seconds", "error", "seen"), row, strict=True))


@contextmanager
def open_sync_ground(ground: Ground) -> Iterator[SyncGround]:
    """Make the database and its shops; it is dropped at the end."""
    with ExitStack() as stack:
        _drop(ground)
        stack.callback(_drop, ground)
        ground.connection.execute(f"create database {DATABASE}".encode())
        url = urlunsplit(urlsplit(ground.url)._replace(path=f"/{DATABASE}"))
        migrate.upgrade(url, sandbox=True)
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        own = replace(ground, url=url, connection=connection, shop_ids=())
        hosts = [sync_woo.HOST, sync_shopify.DOMAIN, sync_shopify.FILE_HOST]
        certificates = make_certificates(Path(ground.scratch) / "tls", hosts)
        woocommerce = _install(own, "woocommerce", sync_woo.HOST, KEYS)
        shopify = _install(own, "shopify", sync_shopify.DOMAIN, {"access_token": "shpat_bench", "scope": "read_all_orders"})
        yield SyncGround(replace(own, shop_ids=(woocommerce, shopify)), certificates, woocommerce, shopify)


@contextmanager
def store(sync: SyncGround, factory: str, orders: int, **more: str) -> Iterator[int]:
    """A store with so many orders, and `more` in its environment; yields its port."""
    with processes.store(sync.ground, factory, sync.certificates, {"BENCH_ORDERS": str(orders), **more}) as port:
        yield port


def peak_mib(pid: int) -> float:
    """The most memory that a process and those that it started ever held, in MiB; what they share counts for each."""
    return sum(_peak_mib(one) for one in (pid, *_children(pid)))


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc/").glob("[0-9]*/stat"):
        with suppress(OSError):  # it may be over meanwhile
            parent = path.read_text().rpartition(")")[2].split()[1]
            found += [int(path.parent.name)] if int(parent) == pid else []
    return found


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say how much memory a process held")


def _install(ground: Ground, platform: str, domain: str, credentials: Mapping[str, str]) -> int:
    profile = ShopProfile(
        name=domain,
        currency="EUR",
        timezone="UTC",
        url=f"https://{domain}",
        language="fr",
        country="FR",
        taxes_included=True,
        hosts=(domain,),
    )
    with closing(Database(ground.url)) as database, database.system_transaction("install for a benchmark") as session:
        made = shops.save_install(
            session,
            open_vault(ground.settings),
            platform,
            Installation(domain, credentials, ("read_orders",), (), profile),
            fresh_key=secrets.token_hex(8),
            fresh_secret=secrets.token_hex(16),
        )
    return made.shop_id


def _drop(ground: Ground) -> None:
    ground.connection.execute(f"drop database if exists {DATABASE} with (force)".encode())


def _ask(ca_pem: Path, port: int, method: str, path: str, body: str = "") -> bytes:
    context = ssl.create_default_context(cafile=str(ca_pem))
    with closing(HTTPSConnection("127.0.0.1", port, timeout=30, context=context)) as connection:
        connection.request(method, path, body)
        answer = connection.getresponse()
        found = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the store answered {answer.status}")
        return found
