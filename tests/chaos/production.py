"""The production form beside the pretend stores: the app as processes behind a load balancer, on PostgreSQL and Redis."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connector import clock
from connector.cli.demo.world import AppElsewhere, World, led_to, open_sandbox
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.chaos.balancer import Balancer
from tests.chaos.proxy import FaultProxy
from tests.chaos.stack import SeededShop, Stack
from tests.conftest import SEALING_KEY


@dataclass(frozen=True, slots=True)
class Unhurried:
    """An app whose people take their time: a story that is over in five seconds leaves no time to kill anybody."""

    app: AppElsewhere
    pause_seconds: float

    @property
    def db(self) -> Database:
        """As the app's."""
        return self.app.db

    @property
    def vault(self) -> Vault:
        """As the app's."""
        return self.app.vault

    @property
    def origin(self) -> str:
        """As the app's."""
        return self.app.origin

    def is_at_rest(self) -> bool:
        """Ask a little later, while the processes work."""
        time.sleep(self.pause_seconds)
        return self.app.is_at_rest()


@dataclass(frozen=True, slots=True)
class Production:
    """All of it. `store` stands between our processes and the API of the Shopify store; its webhooks come by the balancer."""

    stack: Stack
    world: World
    balancer: Balancer
    store: FaultProxy

    @property
    def shop(self) -> SeededShop:
        """The pretend Shopify store, once it is installed, as a shop to post for."""
        sandbox = self.world.sandbox
        shop_id = self.stack.one("select id from shops where platform = 'shopify'")
        return SeededShop(shop_id, "shopify", sandbox.shopify.domain, sandbox.client_secret.encode())


@contextmanager
def production_form(
    directory: Path,
    seed: int,
    *,
    web: int = 2,
    worker: int = 3,
    scheduler: int = 2,
    mail_to_sandbox: bool = True,
    pause_seconds: float = 0.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Production]:
    """
    Everything runs inside the block. Mails go to the sandbox's mailbox, or else to the stack's sink; `environment` is added to
    that of the processes.
    """
    with ExitStack() as exits:
        exits.callback(clock.set_offset, timedelta())
        stacks: list[Stack] = []
        sandbox = exits.enter_context(open_sandbox(directory, seed=seed))
        balancer = exits.enter_context(Balancer(lambda: stacks[0].ports if stacks else [], (sandbox.cert_pem, sandbox.key_pem)))
        host, _, port = sandbox.address_map[sandbox.shopify.domain].rpartition(":")
        store = FaultProxy((host, int(port))).start()
        exits.callback(store.stop)
        settings = led_to(sandbox, balancer.http_origin)
        settings["address_map"] = {**sandbox.address_map, sandbox.shopify.domain: f"127.0.0.1:{store.port}"}
        if not mail_to_sandbox:
            del settings["smtp_url"]
        all_settings = {**_environment(settings), **(environment or {})}
        stack = Stack(directory, seed=seed, web=web, worker=worker, scheduler=scheduler, shops=0, environment=all_settings)
        stacks.append(exits.enter_context(stack))
        sandbox.connect_app(balancer.https_port, balancer.http_origin)
        database = Database(stack.postgres.url, pool_size=2)
        exits.callback(database.close)
        app = AppElsewhere(database, Vault([SEALING_KEY]), balancer.http_origin)
        yield Production(stack, World(sandbox, Unhurried(app, pause_seconds)), balancer, store)


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as environment variables."""
    return {name.upper(): json.dumps(value) if isinstance(value, dict) else str(value) for name, value in settings.items()}
