"""The parts of one process, made once from Settings and taken apart at its end."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dramatiq

from connector.config import Settings
from connector.errors import ConfigError
from connector.metrics import Metrics
from connector.store import clock, migrate, resealing
from connector.store.budgets import SharedBudget
from connector.store.db import Database
from connector.store.sealed import open_vault
from connector.web.departure import Departure
from connector.web.watching import Watch
from connector.wire import Network
from integrations.registry import ASSUMED_BUCKET, make_budget, make_mail_sender, make_platforms, make_transport
from sync.broker import Bell, make_broker
from sync.jobs import Queue
from sync.readers import ReadsApart
from sync.services import Services


@dataclass(frozen=True, slots=True)
class Composition:
    """Everything of a process that has a life: services for the work, the doorbell, its broker."""

    settings: Settings
    services: Services
    broker: dramatiq.Broker
    bell: Bell
    instance: str = field(default_factory=lambda: secrets.token_hex(16))
    departure: Departure = field(default_factory=Departure)
    watch: Watch = field(default_factory=Watch)

    @property
    def db(self) -> Database:
        """The database."""
        return self.services.db

    @property
    def metrics(self) -> Metrics:
        """What the process counts."""
        return self.services.metrics


@contextmanager
def compose(settings: Settings) -> Iterator[Composition]:
    """
    Plug a process together. DATABASE_URL must be set (the command line fills in the bundled server's).

    Raises ConfigError if database and settings do not belong together.
    """
    if settings.database_url is None:
        raise ConfigError("DATABASE_URL is not set and no bundled server was started")
    url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=len(Queue) * settings.worker_threads + 8)
    budget = SharedBudget(url, make_budget(), ASSUMED_BUCKET)
    metrics = Metrics()
    network = Network(settings.address_map, str(settings.extra_ca) if settings.extra_ca else None, settings.sandbox)
    reader = ReadsApart(network, metrics)
    transport, mail, broker = make_transport(settings, metrics), make_mail_sender(settings), make_broker(settings)
    try:
        with database.system_transaction("start: whose database is this") as session:
            migrate.check_side(is_sandbox=clock.is_sandbox(session), sandbox=settings.sandbox)
            clock.read(session)
            vault = resealing.settle(session, open_vault(settings))
        services = Services(
            db=database,
            vault=vault,
            platforms=make_platforms(settings, transport, budget),
            mail=mail,
            settings=settings,
            metrics=metrics,
            reader=reader,
        )
        bell = Bell(broker, services)
        database.on_wake(bell.ring)
        yield Composition(settings, services, broker, bell)
    finally:
        broker.close()
        reader.close()
        if mail is not None:
            mail.close()
        transport.close()
        budget.close()
        database.close()
