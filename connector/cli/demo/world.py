"""The app as the demo runs it: against the sandbox, on a database of its own, with a clock that can be stepped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from connector import clock as our_clock
from connector.cli.process import background, upgrade
from connector.config import Settings
from connector.errors import ConnectorError
from connector.store import clock, due
from connector.web.app import make_app
from connector.web.composition import Composition, compose
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.world import Sandbox
from sync import sweep

SETTLE_SECONDS = 30.0
POLL_SECONDS = 0.01
APP_TOML = Path("shopify.app.toml")


@dataclass(frozen=True, slots=True)
class World:
    """The running app beside the pretend stores. `origin`: where people open our pages."""

    sandbox: Sandbox
    composition: Composition
    origin: str

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
        deadline = time.monotonic() + SETTLE_SECONDS
        while not (self.sandbox.settle(1.0) and self._is_idle() and self.sandbox.settle(0.0)):
            if time.monotonic() > deadline:
                raise ConnectorError(f"the demo does not come to rest: {self._waiting()}")
            time.sleep(POLL_SECONDS)

    def _is_idle(self) -> bool:
        sweep.sweep(self.composition.services)
        return self.composition.bell.is_silent() and self._waiting().is_idle

    def _waiting(self) -> due.Waiting:
        with self.composition.db.system_transaction("what waits in the demo") as session:
            return due.waiting(session)

    def _next_due(self) -> datetime | None:
        instants = (self._waiting().next_due_at, self.sandbox.next_due())
        return min((instant for instant in instants if instant is not None), default=None)

    def _step(self, instant: datetime) -> None:
        with self.composition.db.system_transaction("step the sandbox's clock") as session:
            clock.step_to(session, instant)
        self.settle()


@contextmanager
def open_world(settings: Settings, directory: Path, *, port: int = 0, seed: int = 0) -> Iterator[World]:
    """
    Start the pretend stores and the app against them; both end with the block.

    `settings`: with the DATABASE_URL of a fresh database. `directory` takes certificates and keys.
    """
    late = _Late()
    with Sandbox(directory / "tls", our_clock.now, app_toml=APP_TOML.read_text() if APP_TOML.exists() else None, seed=seed) as sandbox:
        server = LocalServer(late, tls=(sandbox.cert_pem, sandbox.key_pem), http_port=port, lifespan=True)
        assert server.https_port is not None
        app_settings = _settings(settings, directory, sandbox, server.http_origin)
        upgrade(app_settings)
        with compose(app_settings) as composition:
            late.app = make_app(composition)
            with background(composition), server:
                sandbox.connect_app(server.https_port, server.http_origin)
                yield World(sandbox, composition, server.http_origin)


def _settings(settings: Settings, directory: Path, sandbox: Sandbox, origin: str) -> Settings:
    """What the environment says, led to the sandbox. Validated anew: sandbox-only settings need sandbox mode."""
    return Settings.model_validate(
        settings.model_dump()
        | {
            "sandbox": True,
            "data_dir": directory,
            "redis_url": None,
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
    )


class _Late:
    """An ASGI app that is known after its ports are."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        await self.app(scope, receive, send)
