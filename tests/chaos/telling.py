"""Shops in which histories are told in different ways, on a database of the case's own: told, replayed, read again."""

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from connector import clock as own_clock
from connector.config import Settings
from connector.store import clock, deliveries, migrate, retention
from connector.store.db import Database, app_now
from connector.store.embedded import THROW_AWAY
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.transport import Transport
from sync import apply
from sync.services import Services
from tests.chaos.roles import fixed_port
from tests.chaos.servers import Postgres
from tests.conftest import SEALING_KEY, SHOPIFY_SECRET, TestShop, install
from tests.sync.stories import SHOPIFY, USUAL, WOO_STATUSES, tell_shopify, tell_woocommerce
from tests.sync.world import Arrival, keep

PLATFORMS = ("shopify", "woocommerce")
BATCHES = (17, 53, 131, 500)
_numbers = itertools.count()


@contextmanager
def empty_services(directory: Path) -> Iterator[Services]:
    """Background work on a fresh sandbox database, which is gone at the end. Nobody else works in it."""
    server = Postgres(fixed_port(random.Random()), settings=THROW_AWAY)
    try:
        server.start()
        if not server.is_migrated:
            migrate.upgrade(server.url, sandbox=True)
        settings = Settings.model_validate(
            {
                "database_url": server.url,
                "data_dir": directory,
                "sealing_key": SEALING_KEY,
                "operator_key": "operator-key-of-a-case",
                "shopify_client_id": "client-id",
                "shopify_client_secret": SHOPIFY_SECRET,
                "sandbox": True,
            }
        )
        database, transport = Database(server.url), Transport()
        try:
            yield Services(database, Vault([SEALING_KEY]), make_platforms(settings, transport), None, settings)
        finally:
            transport.close()
            database.close()
            own_clock.set_offset(timedelta())
    finally:
        server.remove()


def fresh_shop(services: Services, platform: str) -> TestShop:
    """A shop that nothing has happened to."""
    return install(services.db, services.vault, platform, f"h{next(_numbers)}.example", "History")


def tell(services: Services, shop: TestShop, arrivals: Sequence[Arrival], batches: Sequence[int]) -> None:
    """Let arrivals come in this order and be applied in batches of these sizes by turns."""
    keep(services.db, shop, arrivals)
    apply_waiting(services, shop, batches)


def apply_waiting(services: Services, shop: TestShop, batches: Sequence[int]) -> None:
    """Apply what waits in a shop's inbox, in batches of these sizes by turns."""
    for size in itertools.cycle(batches):
        if not apply.drain(services, shop.id, limit=size):
            return


def pass_a_day(services: Services) -> None:
    """The database's clock goes a day ahead."""
    with services.db.system_transaction("a day passes") as session:
        clock.step_to(session, app_now(session) + timedelta(days=1))
        retention.keep_bodies(session, 90)


def replay(services: Services, shop: TestShop) -> int:
    """Everything that a shop was ever told waits once more, and is applied; returns how much that is."""
    with services.db.system_transaction("replay everything") as session:
        ids = deliveries.ids_in_state(session, shop.id, "applied")
        deliveries.replay(session, ids)
    apply_waiting(services, shop, [500])
    return len(ids)


def unapplied(services: Services) -> list[str]:
    """Deliveries that did not end as applied, with the reason."""
    with services.db.engine.connect() as connection:
        rows = connection.execute(text("select state, reason, count(*) from deliveries where state <> 'applied' group by 1, 2"))
        return [f"{count} deliveries are {state} ({reason}) and not applied" for state, reason, count in rows]


def shopify_history(number: int, choice: random.Random, steps: Sequence[str] = (), shortest: int = 3, longest: int = 12) -> list[Arrival]:
    """One Shopify shopper's history, of `steps` or of everything that can happen; the first event types an address."""
    steps = steps or [*sorted(SHOPIFY), *USUAL]
    count = choice.randint(shortest, longest)
    return tell_shopify(number, [("typed", 0), *((choice.choice(steps), choice.choice((0, 0, 1, 60, 700))) for _ in range(count - 1))])


def woo_history(
    number: int, choice: random.Random, shortest: int = 3, longest: int = 12, pauses: Sequence[int] = (0, 0, 1, 60)
) -> list[Arrival]:
    """One WooCommerce order's history."""
    one = [
        (choice.choice(WOO_STATUSES), choice.choice(pauses), choice.choice(["", "anna", "hannah"]), choice.randint(1, 3))
        for _ in range(choice.randint(shortest, longest))
    ]
    return tell_woocommerce(number, one)
