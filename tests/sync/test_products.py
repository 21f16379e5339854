"""Products that lines refer to are read once, when the platform answers."""

import time
from dataclasses import replace

import pytest

from connector.canonical import Product, Variant
from connector.platforms import AccessLost, NotPermitted, PlatformError, ThrottledError, TransientError
from connector.store import shops
from connector.store.db import Wake
from sync import lookout, products, sweep
from sync.broker import Bell, make_broker
from sync.jobs import Job
from sync.pauses import LONGEST_SECONDS, Pauses
from tests.fakes import FakePlatform
from tests.sync.bodies import shopify_checkout
from tests.sync.working import wait_until, working
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
    """A shop with a checkout of two products, whose platform is a fake from now on and whose credentials have ended."""
    with world.db.transaction(shop=world.shop.id) as session:
        shops.replace_credentials(session, world.services.vault, world.shop.id, {"expires_at": world.start.isoformat()})
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


def throttled(seconds: float) -> ThrottledError:
    """The platform asks us to wait so long."""
    return ThrottledError("slower", platform="shopify", call="products", retry_after=seconds)


def asked(platform: Failing) -> int:
    """How often it was asked for products, or for the token that needs."""
    return len([call for call in platform.calls if call.startswith(platform.fails_in)])


@pytest.mark.parametrize("call", ["read_products", "refresh"])
def test_a_platform_that_asks_us_to_wait_is_left_alone_for_so_long(reading: World, platform: Failing, call: str) -> None:
    now = [100.0]
    services = replace(reading.services, pauses=Pauses(lambda: now[0]))
    wake = Wake(Job.PRODUCTS.value, reading.shop.id)
    platform.fails_in, platform.error = call, throttled(7.0)

    assert products.read_missing(services, reading.shop.id) == 0
    platform.error = None
    now[0] += 6.9
    assert products.read_missing(services, reading.shop.id) == 0
    assert (asked(platform), services.pauses.take_over()) == (1, [])
    now[0] += 0.2
    assert services.pauses.take_over() == [wake]
    assert services.pauses.take_over() == []
    assert products.read_missing(services, reading.shop.id) == 2


def test_it_is_asked_again_as_soon_as_that_is_over_without_a_sweep(
    reading: World, platform: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 0.02)
    began: list[float] = []
    platform.error = throttled(1.0)
    broker = make_broker(reading.services.settings)
    bell = Bell(broker, reading.services)
    with working(bell, threads=1):
        bell.ring(Wake(Job.PRODUCTS.value, reading.shop.id))
        wait_until(lambda: asked(platform) == 1)
        began.append(time.monotonic())
        platform.error = None
        wait_until(lambda: asked(platform) == 2)
        assert time.monotonic() - began[0] > 0.9, "not before"
        wait_until(lambda: len(reading.rows("select * from products where shop_id = :shop")) == 2)
    broker.close()


def test_a_process_that_forgets_the_pause_leaves_the_work_to_the_sweep(reading: World, platform: Failing) -> None:
    platform.error = throttled(60.0)
    assert products.read_missing(reading.services, reading.shop.id) == 0

    platform.error = None
    rung: list[str] = []
    reading.db.on_wake(lambda wake: rung.append(wake.job))
    sweep.find_products(reading.services)
    assert rung == ["read_products"]
    assert products.read_missing(replace(reading.services, pauses=Pauses()), reading.shop.id) == 2


def test_pauses_have_bounds_and_end_in_their_order() -> None:
    now = [0.0]
    pauses = Pauses(lambda: now[0])
    first, second, third = (Wake("any", shop) for shop in (1, 2, 3))
    pauses.pause(second, 3600.0)
    pauses.pause(first, -5.0)
    pauses.pause(third, 20.0)
    pauses.pause(third, 1.0)
    assert pauses.is_paused(first)
    now[0] = 10.0
    assert (pauses.is_paused(first), pauses.is_paused(third)) == (False, True), "the longer pause counts"
    now[0] = LONGEST_SECONDS
    assert pauses.take_over() == [first, third, second]
    assert not pauses.is_paused(second)
