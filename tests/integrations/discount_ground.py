"""A pretend Shopify shop with an empty book of discounts, and our codes on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector import clock
from connector.codes import CodeKind, DiscountCode
from connector.config import Settings
from connector.platforms import Access
from integrations.sandbox.app_configuration import SCOPES
from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.shopify.client import Client
from integrations.shopify.discounts import ShopifyCodes
from integrations.transport import Transport
from tests.integrations.sandbox_app import Clock, played

TEN_PERCENT = DiscountCode("THANKS-7Q2K", CodeKind.PERCENTAGE, Decimal(10), title="Thank you", once_per_customer=True)


@dataclass
class Ground:
    """The pretend shop, and our codes on it. `slept`: the waits for codes that were being added."""

    twin: ShopifyTwin
    codes: ShopifyCodes
    client: Client
    access: Access
    clock: Clock
    slept: list[float]

    @property
    def discounts(self) -> list[Any]:
        """What the shop has."""
        return list(self.twin.shop.discounts)

    def empty(self) -> None:
        """No discounts, no faults."""
        self.twin.faults.stop()
        book = self.twin.shop.discounts
        with self.twin.shop.lock:
            for one in book:
                book.delete(one.id)
            book.codes_a_look, book.looks_to_remove = None, 1
            book.count_lag = book.search_lag = book.behind = timedelta(0)
        self.slept.clear()


@contextmanager
def opened(directory: Path) -> Iterator[Ground]:
    """A started shop that has granted us everything; its clock stands at this second."""
    at = Clock()
    at.at = clock.now().replace(microsecond=0)
    with played(directory, at) as app:
        twin = app.world.shopify
        twin.shop.bucket = Bucket(maximum=100_000, per_second=10_000)
        with twin.shop.lock:
            code = twin.tokens.mint_code(SCOPES)
        _, answer = app.exchange(code=code, expiring="1")
        settings = Settings.model_validate({"sandbox": True, "address_map": app.world.address_map, "extra_ca": app.world.ca_pem})
        transport = Transport(settings.address_map, settings.extra_ca, is_closed_world=True)
        slept: list[float] = []
        client = Client(transport)
        access = Access(1, twin.domain, {"access_token": str(answer["access_token"])})
        yield Ground(twin, ShopifyCodes(client, slept.append), client, access, at, slept)
        transport.close()
