"""
The world of the story: the pretend stores, the app that works against them, and a clock that can be stepped.

The app may run inside this process or as processes of its own: the world knows it only as an `App`. The clock is the
database's, so whoever shares the database shares the time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from connector import clock as our_clock
from connector.cli.process import background, upgrade
from connector.config import Settings
from connector.errors import ConnectorError
from connector.store import clock, due
from connector.store.db import Database
from connector.store.sealed import Vault
from connector.web.app import make_app
from connector.web.composition import Composition, compose
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.world import Sandbox
from sync import sweep

SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.01
MOST_POLL_SECONDS = 0.1
APP_TOML = Path("shopify.app.toml")


class App(Protocol):
    """The running app, wherever it runs: its database and keys, where people open its pages, and whether it has come to rest."""

    @property
    def db(self) -> Database: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def origin(self) -> str: ...
    def is_at_rest(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class AppHere:
    """The app as threads of this process."""

    composition: Composition
    origin: str

    @property
    def db(self) -> Database:
        """Its database."""
        return self.composition.db

    @property
    def vault(self) -> Vault:
        """Its keys."""
        return self.composition.services.vault

    def is_at_rest(self) -> bool:
        """Look for due work now, rather than at the next tick; True if nothing is rung for."""
        sweep.sweep(self.composition.services)
        return self.composition.bell.is_silent()


@dataclass(frozen=True, slots=True)
class AppElsewhere:
    """The app as processes of its own on the same database; its schedulers look for due work by themselves."""

    db: Database
    vault: Vault
    origin: str

    def is_at_rest(self) -> bool:
        """Bring our copy of the clock in step. What is to be done stands in rows, and the world looks at those."""
        with self.db.system_transaction("what time it is in the demo") as session:
            clock.read(session)
        return True


@dataclass(frozen=True, slots=True)
class World:
    """The running app beside the pretend stores."""

    sandbox: Sandbox
    app: App

    def now(self) -> datetime:
        """The virtual instant."""
        return our_clock.now()

    def advance(self, to: datetime) -> None:
        """Step the clock to each due instant on the way to `to`, and let everything that is due happen there."""
        self.settle()
        while (instant := self._next_due()) is not None and instant < to:
            self._step(instant)
        self._step(to)

    def settle(self) -> None:
        """Wait until the stores have sent, and we have done, everything that is due now. Raises ConnectorError after 30 s."""
        deadline, pause = time.monotonic() + SETTLE_SECONDS, POLL_SECONDS
        while not (self.sandbox.settle(1.0) and self._is_idle() and self.sandbox.settle(0.0)):
            if time.monotonic() > deadline:
                raise ConnectorError(f"the demo does not come to rest: {self._waiting()}")
            time.sleep(pause)
            pause = min(pause * 1.5, MOST_POLL_SECONDS)

    def _is_idle(self) -> bool:
        return self.app.is_at_rest() and self._waiting().is_idle

    def _waiting(self) -> due.Waiting:
        with self.app.db.system_transaction("what waits in the demo") as session:
            return due.waiting(session)

    def _next_due(self) -> datetime | None:
        instants = (self._waiting().next_due_at, self.sandbox.next_due())
        return min((instant for instant in instants if instant is not None), default=None)

    def _step(self, instant: datetime) -> None:
        with self.app.db.system_transaction("step the sandbox's clock") as session:
            clock.step_to(session, instant)
        self.settle()


@contextmanager
def open_world(settings: Settings, directory: Path, *, port: int = 0, seed: int = 0) -> Iterator[World]:
    """
    Start the pretend stores and the app against them; both end with the block.

    `settings`: with the DATABASE_URL of a fresh database. `directory` takes certificates and keys.
    """
    late = _Late()
    with open_sandbox(directory, seed=seed) as sandbox:
        server = LocalServer(late, tls=(sandbox.cert_pem, sandbox.key_pem), http_port=port, lifespan=True)
        assert server.https_port is not None
        led = settings.model_dump() | {"sandbox": True, "data_dir": directory, "redis_url": None}
        app_settings = Settings.model_validate(led | led_to(sandbox, server.http_origin))
        upgrade(app_settings)
        with compose(app_settings) as composition:
            late.app = make_app(composition)
            with background(composition), server:
                sandbox.connect_app(server.https_port, server.http_origin)
                yield World(sandbox, AppHere(composition, server.http_origin))


def open_sandbox(directory: Path, *, seed: int = 0) -> Sandbox:
    """The pretend stores on the demo's clock, with our app's own configuration; start it, or use it in a `with`."""
    return Sandbox(directory / "tls", our_clock.now, app_toml=APP_TOML.read_text() if APP_TOML.exists() else None, seed=seed)


def led_to(sandbox: Sandbox, origin: str) -> dict[str, Any]:
    """The settings (besides `sandbox`) that lead an app to the pretend stores; `origin` is where people open its pages."""
    return {
        "public_url": sandbox.app_origin,
        "shopify_client_id": sandbox.client_id,
        "shopify_client_secret": sandbox.client_secret,
        "smtp_url": sandbox.smtp_url,
        "mail_from": "Connector <connector@connector.test>",
        "address_map": sandbox.address_map,
        "browser_map": sandbox.browser_map | {sandbox.app_origin: origin},
        "extra_ca": sandbox.ca_pem,
        "tick_seconds": 0.25,
    }


class _Late:
    """An ASGI app that is known after its ports are."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        await self.app(scope, receive, send)
