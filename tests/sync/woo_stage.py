"""The pretend WooCommerce, our door, our database and the real adapter, connected: what a store goes through with us."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from connector import clock as our_clock
from connector.config import Settings
from connector.metrics import Metrics
from connector.platforms import Access
from connector.store import clock, shops
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.woocommerce_store import ApiKey
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.sandbox.world import Sandbox
from integrations.transport import Transport
from sync import apply, code_watch, rereads
from sync.services import Services
from tests.conftest import TestShop
from tests.fake_sender import FakeSender
from tests.sync.shopify_stage import ServedDoor


@dataclass
class WooStage:
    """A store on the twin that is connected with us, its webhooks too. `metrics` counts the calls that we make."""

    services: Services
    twin: WooCommerceTwin
    metrics: Metrics
    shop_id: int
    settle_world: Any

    def settle(self) -> None:
        """Everything that is on its way arrives and is applied, and what must be read again is read."""
        assert self.settle_world()
        while apply.drain(self.services, self.shop_id):
            pass
        while rereads.reread(self.services, self.shop_id):
            pass

    def later(self, minutes: float, *, is_watched: bool = True) -> None:
        """Time goes by, for the store as for us, a minute at a time; the scheduler looks at codes meanwhile."""
        for _ in range(int(minutes)):
            with self.services.db.system_transaction("time goes by") as session:
                clock.step_to(session, clock.read(session) + timedelta(minutes=1))
            if is_watched and code_watch.look(self.services):
                self.settle()

    def access(self) -> Access:
        """What is stored."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return shops.open_access(self.services.vault, shops.get_shop(session, self.shop_id))

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        """Any rows, past all policies; `:shop` is the shop."""
        with self.services.db.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), {"shop": self.shop_id} | values).mappings()]

    def code(self, code: str) -> Mapping[str, Any]:
        """A code as we keep it."""
        (row,) = self.rows("select * from discount_codes where shop_id = :shop and code = :code", code=code)
        return row

    def calls(self) -> int:
        """How many requests we made to the store."""
        return int(sum(self.metrics.calls.values().values()))


@contextmanager
def woo_stage(directory: Path, db: Database, vault: Vault, settings: Settings, shop: TestShop) -> Iterator[WooStage]:
    """A started twin with our door connected, of which the shop has a key and the webhooks."""
    with Sandbox(directory, our_clock.now) as world:
        chosen = settings.model_copy(update={"address_map": world.address_map, "extra_ca": world.ca_pem})
        metrics = Metrics()
        transport = Transport(world.address_map, world.ca_pem, is_closed_world=True, metrics=metrics)
        services = Services(db, vault, make_platforms(chosen, transport), FakeSender(), chosen, metrics)
        with LocalServer(ServedDoor(services, db.url), http=False, tls=(world.cert_pem, world.key_pem), lifespan=True) as server:
            assert server.https_port is not None
            world.connect_app(server.https_port)
            stage = WooStage(services, world.woocommerce, metrics, shop.id, world.settle)
            keys = stage.access().credentials
            with world.woocommerce.store.lock:
                world.woocommerce.store.keys[1] = ApiKey(1, keys["consumer_key"], keys["consumer_secret"], "read_write")
            address = f"https://connector.test/webhooks/woocommerce/{shop.shop_key}"
            services.platforms["woocommerce"].subscribe(stage.access(), address, shop.webhook_secret)
            try:
                yield stage
            finally:
                server.begin_to_stop()
                world.stop()
                transport.close()
