"""Products that lines refer to are read once, when the platform answers."""

from dataclasses import replace

import pytest

from connector.canonical import Product, Variant
from connector.platforms import AccessLost, NotPermitted, PlatformError, TransientError
from sync import products, sweep
from tests.fakes import FakePlatform
from tests.sync.bodies import shopify_checkout
from tests.sync.world import World


class Failing(FakePlatform):
    """A platform that fails only in calls of one name."""

    fails_in = "read_products"

    def _call(self, what: str) -> None:
        error = self.error
        self.error = error if what.startswith(self.fails_in) else None
        try:
            super()._call(what)
        finally:
            self.error = error


@pytest.fixture
def platform() -> Failing:
    """A platform that knows one product."""
    return Failing()


@pytest.fixture
def reading(world: World, platform: Failing) -> World:
    """A shop with a checkout of two products, whose platform is a fake from now on."""
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, lines=((101, 1), (102, 1))))
    platform.products["1010"] = Product(
        "1010", world.start, "Bougie", category="Bougies", variants=(Variant("101", image_url="https://cdn.example/v.jpg"),)
    )
    return replace(world, services=replace(world.services, platforms={"shopify": platform}))


def test_unknown_products_are_read_once_and_those_that_are_gone_are_not_asked_for_again(reading: World, platform: Failing) -> None:
    assert products.read_missing(reading.services, reading.shop.id) == 2
    assert products.read_missing(reading.services, reading.shop.id) == 0

    assert [call for call in platform.calls if call.startswith("read")] == ["read_products 1010 1020"]
    rows = reading.rows("select platform_id, category, is_deleted from products where shop_id = :shop order by platform_id")
    assert [tuple(row.values()) for row in rows] == [("1010", "Bougies", False), ("1020", None, True)]
    assert reading.one("product_variants")["image_url"] == "https://cdn.example/v.jpg"


@pytest.mark.parametrize("call", ["read_products", "refresh"])
@pytest.mark.parametrize(
    ("error", "state"),
    [(TransientError, "connected"), (AccessLost, "needs_sign_in"), (NotPermitted, "connected")],
)
def test_a_platform_that_does_not_answer_is_asked_again_only_as_long_as_it_knows_us(
    reading: World, platform: Failing, error: type[PlatformError], state: str, call: str
) -> None:
    platform.fails_in = call
    platform.error = error("no", platform="shopify", call="products")

    assert products.read_missing(reading.services, reading.shop.id) == 0
    assert reading.rows("select state from shops where id = :shop")[0]["state"] == state

    platform.error = None
    rung: list[str] = []
    reading.db.on_wake(lambda wake: rung.append(wake.job))
    sweep.find_products(reading.services)
    assert rung == (["read_products"] if state == "connected" else [])
    assert products.read_missing(reading.services, reading.shop.id) == (2 if state == "connected" else 0)
