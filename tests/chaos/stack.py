"""The supervisor: PostgreSQL, Redis, an SMTP sink, a fault proxy before each, and the roles as processes."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from connector.config import Settings
from connector.store import due, migrate
from connector.store.db import Database
from connector.store.sealed import Vault
from connector.web.composition import Composition, compose
from sync.services import Services
from tests.chaos import nursery
from tests.chaos.proxy import FaultProxy
from tests.chaos.roles import ROOT, Role, fixed_port
from tests.chaos.servers import Postgres, Redis
from tests.chaos.sink import SmtpSink
from tests.conftest import SEALING_KEY, install

SECRET = "a-secret-of-the-fault-kit"
SWITCH_SECONDS = 0.0005
"""How long a thread of ours may keep the others waiting: proxies and sink share this process with driver and auditor."""


@dataclass(frozen=True, slots=True)
class SeededShop:
    """An installed shop whose automation is on, since yesterday."""

    id: int
    platform: str
    domain: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class Proxies:
    """What stands between the roles and those of their servers whose lines shall be spoilt."""

    before: Mapping[str, FaultProxy]

    @property
    def postgres(self) -> FaultProxy:
        """Before the database. Raises KeyError, as the others do, if the stack was not asked for it."""
        return self.before["postgres"]

    @property
    def redis(self) -> FaultProxy:
        """Before the doorbell."""
        return self.before["redis"]

    @property
    def smtp(self) -> FaultProxy:
        """Before the mail server."""
        return self.before["smtp"]

    @property
    def faults(self) -> int:
        """What all of them spoilt so far."""
        return sum(proxy.faults for proxy in self.before.values())

    def heal(self) -> None:
        """Spoil nothing more."""
        for proxy in self.before.values():
            proxy.heal()


class Stack:
    """
    A context manager: everything runs on loopback inside the block and is ended by its process id after it.

    `spoilt` names the servers (`postgres`, `redis`, `smtp`) that the roles reach through a proxy only; a proxy costs as much of a
    processor as a role does. `environment` is added to every role's; `postgres_directory` is where the database lives instead of
    a fresh directory. With `automation=False` the shops' automations stay off. With `start=False` no role is started: do it by
    `Role.start()`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        seed: int,
        web: int = 1,
        worker: int = 1,
        scheduler: int = 1,
        shops: int = 1,
        spoilt: Collection[str] = (),
        environment: Mapping[str, str] | None = None,
        postgres_directory: Path | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        automation: bool = True,
        start: bool = True,
    ) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.shops: list[SeededShop] = []
        self._counts = {"web": web, "worker": worker, "scheduler": scheduler}
        self._shop_count = shops
        self._spoilt = spoilt
        self._environment = dict(environment or {})
        self._postgres_directory = postgres_directory
        self._postgres_settings = dict(postgres_settings or {})
        self._automation = automation
        self._starts = start
        self._exit = ExitStack()
        self._composition: Composition | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="stack-", dir=directory))
        self.sink: SmtpSink
        self.web: list[Role] = []
        self.worker: list[Role] = []
        self.scheduler: list[Role] = []

    def __enter__(self) -> Self:
        try:
            self._switch_interval()
            self._start_servers()
            self._seed()
            self._make_roles()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exit.close()

    @property
    def roles(self) -> list[Role]:
        """All of them."""
        return [*self.web, *self.worker, *self.scheduler]

    @property
    def ports(self) -> list[int]:
        """Where the webs listen, dead or alive, as a load balancer without health checks knows them."""
        return [role.port for role in self.web]

    def live_ports(self) -> list[int]:
        """Where a web process lives now; all ports if there is none."""
        return [role.port for role in self.web if role.is_alive] or self.ports

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """A direct connection of the owner, autocommit. Raises psycopg.OperationalError while the database is stopped."""
        return psycopg.connect(self.postgres.url, autocommit=True, connect_timeout=5)

    def one(self, statement: str, *values: Any) -> Any:
        """The first value of the first row of a statement, by a connection of its own; None if there is no row."""
        with self.connect() as connection:
            row = connection.execute(statement.encode(), values or None).fetchone()
            return row[0] if row else None

    def composition(self) -> Composition:
        """The product's own parts in this process, past the proxies: services, doorbell."""
        if self._composition is None:
            self._composition = self._exit.enter_context(compose(self.settings()))
        return self._composition

    def services(self) -> Services:
        """For what people do meanwhile (unsubscribe, turn off) and for claims made on purpose."""
        return self.composition().services

    def settings(self) -> Settings:
        """The Settings of `composition()`."""
        direct = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url, "SMTP_URL": f"smtp://127.0.0.1:{self.sink.port}"}
        told = {name.lower(): value for name, value in {**self.shared, **direct}.items()}
        maps = {name: json.loads(value) for name, value in told.items() if name.endswith("_map")}
        return Settings.model_validate(told | maps)

    def command(self, *arguments: str, seconds: float = 60.0) -> tuple[int, str]:
        """`connector ARGUMENTS…`, as an operator types it past the proxies: its exit code and what it said."""
        log = self.directory / f"{arguments[0]}-{time.monotonic_ns()}.log"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.shared, "DATABASE_URL": self.postgres.url}
        process = self.nursery.start(arguments, environment, log)
        try:
            return process.wait(seconds), log.read_text(encoding="utf-8", errors="replace")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            raise

    def now(self) -> datetime:
        """The database's instant."""
        at: datetime = self.one("select app_now()")
        return at

    def step_clock(self, step: timedelta) -> None:
        """Move the database's clock forward; partitions for the new days are made as well."""
        with self.connect() as connection:
            connection.execute("update app_clock set ahead = ahead + %s", [step])
            connection.execute("select keep_body_partitions(2, 90)")

    def wait_ready(self, seconds: float = 40.0) -> None:
        """Wait for every role that was started. Raises TimeoutError with the words of the one that is not ready."""
        deadline = time.monotonic() + seconds
        for role in self.roles:
            if role.pid and not role.wait_ready(deadline - time.monotonic()):
                raise TimeoutError(f"{role.name} did not get ready: {role.last_words()}")

    def waiting(self) -> due.Waiting:
        """What waits at this moment."""
        with self._database.system_transaction("look at what waits") as session:
            return due.waiting(session)

    def wait_idle(self, seconds: float, *, besides_sending: bool = False) -> bool:
        """
        Wait until nothing is pending, due or being sent; false if that did not come true in time.

        A message whose sender was killed stays `sending` until its lease ends: with `besides_sending` such ones do not count.
        """
        return self.wait_until(lambda: self._is_idle(besides_sending=besides_sending), seconds)

    def wait_until(self, holds: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
        """Wait until something holds; a database that is away means not yet."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return True
            except (SQLAlchemyError, psycopg.Error):
                pass
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)

    def poison(self) -> None:
        """From now on the database refuses every checkout whose token begins with `poison-`, as `poison_post` makes them."""
        with self.connect() as connection:
            connection.execute("""
                create or replace function refuse_poison() returns trigger language plpgsql as $$
                begin
                    if new.platform_id like 'poison-%' then raise exception 'poison'; end if;
                    return new;
                end $$
            """)
            connection.execute(
                "create or replace trigger refuse_poison before insert on checkouts for each row execute function refuse_poison()"
            )

    def antidote(self) -> None:
        """The database takes those checkouts again: a replay succeeds."""
        with self.connect() as connection:
            connection.execute("drop trigger if exists refuse_poison on checkouts")

    def add_role(self, kind: str) -> Role:
        """One more role of that kind, not started yet; it ends with the stack."""
        listed: list[Role] = getattr(self, kind)
        port = fixed_port(self._port_rng) if kind == "web" else 0
        role = Role(kind, len(listed), self.shared, self.directory, self.nursery, port)
        self._exit.callback(role.end)
        listed.append(role)
        return role

    def _is_idle(self, *, besides_sending: bool) -> bool:
        now = self.waiting()
        return now.is_idle or (besides_sending and not (now.deliveries or now.checkouts or now.messages))

    def _switch_interval(self) -> None:
        self._exit.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_SECONDS)

    def _spawn_nursery(self) -> nursery.Nursery:
        made = nursery.spawned(self.directory / "nursery.log")  # it loads while the servers start
        self._exit.callback(made.close)
        return made

    def _start_servers(self) -> None:
        self.nursery = nursery.own() or self._spawn_nursery()
        self._port_rng = random.Random()  # two runs of one seed may share the machine
        self.postgres = Postgres(fixed_port(self._port_rng), self._postgres_directory, self._postgres_settings)
        self._exit.callback(self.postgres.remove)
        self.postgres.start()
        self.redis = Redis(fixed_port(self._port_rng), self.directory)
        self._exit.callback(self.redis.stop)
        self.redis.start()
        self.sink = SmtpSink(fixed_port(self._port_rng)).start()
        self._exit.callback(self.sink.stop)
        self._place_proxies()
        self.shared = {
            "DATABASE_URL": self.postgres.proxied_url,
            "REDIS_URL": self.redis.proxied_url,
            "SMTP_URL": f"smtp://127.0.0.1:{self.proxies.before['smtp'].port if 'smtp' in self._spoilt else self.sink.port}",
            "MAIL_FROM": "Chaos <chaos@connector.test>",
            "PUBLIC_URL": "https://connector.test",
            "SANDBOX": "true",
            "SEALING_KEY": SEALING_KEY,
            "OPERATOR_KEY": "operator-key-for-tests",
            "SHOPIFY_CLIENT_ID": "client-id",
            "SHOPIFY_CLIENT_SECRET": SECRET,
            "DATA_DIR": str(self.directory),
            "WORKER_THREADS": "4",
            **self._environment,
        }

    def _place_proxies(self) -> None:
        ports = {"postgres": self.postgres.port, "redis": self.redis.port, "smtp": self.sink.port}
        made = {
            name: FaultProxy(ports[name], fixed_port(self._port_rng), rng=random.Random(self.rng.random())).start() for name in self._spoilt
        }
        for proxy in made.values():
            self._exit.callback(proxy.stop)
        self.proxies = Proxies(made)
        self.postgres.proxy, self.redis.proxy = made.get("postgres"), made.get("redis")

    def _seed(self) -> None:
        if not self.postgres.is_migrated:
            migrate.upgrade(self.postgres.url, sandbox=True)
        self._database = Database(self.postgres.url, pool_size=2)
        self._exit.callback(self._database.close)
        for number in range(self._shop_count):
            domain = f"chaos-{number}.myshopify.com"
            made = install(self._database, Vault([SEALING_KEY]), "shopify", domain, f"Chaos {number}")
            self.shops.append(SeededShop(made.id, "shopify", domain, SECRET.encode()))
        with self.connect() as connection:
            connection.execute("update shops set installed_at = app_now() - interval '2 days', threshold_minutes = 60")
            if self._automation:
                connection.execute("update automations set is_on = true, activated_at = app_now() - interval '1 day'")

    def _make_roles(self) -> None:
        for kind, count in self._counts.items():
            for _ in range(count):
                self.add_role(kind)
        if self._starts:
            for role in self.roles:
                role.start()
            self.wait_ready()
