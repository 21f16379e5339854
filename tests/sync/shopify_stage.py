"""The pretend Shopify, our door, our database and the real adapter, connected: what a shop goes through with us."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import text

from connector import clock as our_clock
from connector.config import Settings
from connector.metrics import Metrics
from connector.platforms import Access, Callback
from connector.store import clock, shops
from connector.store.db import Database, app_now
from connector.store.keeping import Keeper, ShopReader
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.shopify_tokens import signed_query
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.sandbox.world import Sandbox
from integrations.transport import Transport
from sync import apply
from sync.access import acquire
from sync.services import Services
from tests.fake_sender import FakeSender
from tests.webhooks.stand import inner_app
from webhooks.directory import ShopDirectory
from webhooks.door import Door, Receive, Scope, Send
from webhooks.inbox import Inbox

SCOPES = (
    "read_customer_merge",
    "read_customers",
    "read_inventory",
    "read_orders",
    "read_products",
    "read_shopify_payments_disputes",
    "write_discounts",
)


class ServedDoor:
    """The door as a server runs it: its inbox begins and ends with the server."""

    def __init__(self, services: Services, url: str) -> None:
        self._inbox = Inbox(Keeper(url), lambda shop_id: None)
        self._directory = ShopDirectory(ShopReader(url), services.vault)
        self._door = Door(services.platforms, self._inbox, self._directory, services.settings.max_body_bytes, inner_app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._door(scope, receive, send)
            return
        await receive()
        await self._directory.start()
        await self._inbox.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._inbox.stop()
        await self._directory.stop()
        await send({"type": "lifespan.shutdown.complete"})


@dataclass
class Stage:
    """A shop on the twin that installed our app. `metrics` counts the calls that we make."""

    services: Services
    twin: ShopifyTwin
    metrics: Metrics
    sender: FakeSender
    settle_world: Any
    shop_id: int = 0

    def install(self) -> int:
        """The merchant installs the app: a code is traded for a pair, which is saved; returns the shop's id."""
        with self.twin.shop.lock:
            code = self.twin.tokens.mint_code(SCOPES)
        pairs = {"code": code, "shop": self.twin.domain, "state": "state", "timestamp": str(int(our_clock.now().timestamp()))}
        callback = Callback(tuple(parse_qsl(signed_query(pairs, self.services.settings.shopify_client_secret.get_secret_value()))))
        platform = self.services.platforms["shopify"]
        with acquire(self.services, "shopify", self.twin.domain):
            found = platform.finish_install(callback, {"shop": self.twin.domain}, "state", "https://connector.test/cb", our_clock.now())
            with self.services.db.system_transaction("install for a test") as session:
                made = shops.save_install(session, self.services.vault, "shopify", found, fresh_key="key-twin", fresh_secret="secret")
        self.shop_id = made.shop_id
        return made.shop_id

    def settle(self) -> None:
        """Everything that is on its way arrives and is applied."""
        assert self.settle_world()
        while apply.drain(self.services, self.shop_id):
            pass

    def later(self, minutes: float) -> None:
        """Time goes by, for the shop as for us."""
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + timedelta(minutes=minutes))

    def hold(self, **credentials: str) -> None:
        """Have some of the stored credentials be others."""
        access = self.access()
        with self.services.db.transaction(shop=self.shop_id) as session:
            assert shops.replace_credentials(session, self.services.vault, self.shop_id, {**access.credentials, **credentials})

    def expire(self) -> None:
        """The held access token has ended."""
        self.later(61)

    def access(self) -> Access:
        """What is stored."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return shops.open_access(self.services.vault, shops.get_shop(session, self.shop_id))

    def state(self) -> str:
        """The shop's state."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            app_now(session)
            return shops.get_shop(session, self.shop_id).state

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        """Any rows, past all policies; `:shop` is the shop."""
        with self.services.db.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), {"shop": self.shop_id} | values).mappings()]

    def calls(self) -> int:
        """How many requests we made to the shop."""
        return int(sum(self.metrics.calls.values().values()))


@contextmanager
def shopify_stage(directory: Path, db: Database, vault: Vault, settings: Settings) -> Iterator[Stage]:
    """A started twin with our door connected, and the app installed on it."""
    with Sandbox(directory, our_clock.now) as world:
        chosen = settings.model_copy(
            update={
                "shopify_client_id": world.client_id,
                "shopify_client_secret": type(settings.shopify_client_secret)(world.client_secret),
                "shopify_scopes": ",".join(SCOPES),
                "address_map": world.address_map,
                "extra_ca": world.ca_pem,
            }
        )
        metrics, sender = Metrics(), FakeSender()
        transport = Transport(world.address_map, world.ca_pem, is_closed_world=True, metrics=metrics)
        services = Services(db, vault, make_platforms(chosen, transport), sender, chosen, metrics)
        served = ServedDoor(services, db.url)
        with LocalServer(served, http=False, tls=(world.cert_pem, world.key_pem), lifespan=True) as server:
            assert server.https_port is not None
            world.connect_app(server.https_port)
            stage = Stage(services, world.shopify, metrics, sender, world.settle)
            stage.install()
            try:
                yield stage
            finally:
                server.begin_to_stop()
                world.stop()
                transport.close()
