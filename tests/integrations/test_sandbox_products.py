"""Products are read in the end, whatever the stores did meanwhile: what was left is found again by the sweep."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count

import pytest

from connector.config import Settings
from connector.store import shops
from connector.store.db import Database, Wake
from connector.store.sealed import Vault
from integrations.sandbox.faults import PASSING, Kind
from sync import products, sweep
from sync.jobs import Job
from sync.pauses import LONGEST_SECONDS, Pauses
from sync.services import Services
from tests.conftest import TestShop
from tests.fake_sender import FakeSender
from tests.integrations.sandbox_calls import SHOPIFY, WOOCOMMERCE, Calls, connected
from tests.sync.world import World

ROUNDS = 60


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    with connected(tmp_path_factory.mktemp("products"), datetime.now(UTC)) as running:
        yield running


@pytest.fixture(params=[SHOPIFY, WOOCOMMERCE])
def world(
    request: pytest.FixtureRequest,
    calls: Calls,
    db: Database,
    vault: Vault,
    sandbox_settings: Settings,
    shopify_shop: TestShop,
    woo_shop: TestShop,
) -> Iterator[World]:
    """A shop of ours whose credentials open a pretend store; a checkout there holds all its products."""
    shop = shopify_shop if request.param == SHOPIFY else woo_shop
    access = calls.shopify if request.param == SHOPIFY else calls.woocommerce
    with db.transaction(shop=shop.id) as session:
        shops.replace_credentials(session, vault, shop.id, {**access.credentials, "expires_at": "2126-01-01T00:00:00+00:00"})
    running = World(Services(db, vault, calls.platforms, FakeSender(), sandbox_settings), shop, datetime.now(UTC))
    running.arrive(*fill_a_cart(calls, request.param))
    yield running
    calls.stop()


def fill_a_cart(calls: Calls, platform: str) -> tuple[str, bytes]:
    """One of everything; the webhook that the store sends about it."""
    if platform == SHOPIFY:
        shop = calls.app.world.shopify.shop
        calls.app.world.shopify.start_checkout(
            [(product.variants[0].sku, 1) for product in shop.products.values()], email="mary@example.com"
        )
        topic = "checkouts/create"
    else:
        calls.prepare("woocommerce subscribe")()
        store = calls.app.world.woocommerce
        skus = [product.variations[0].sku if product.variations else product.sku for product in store.store.products.values()]
        store.type_contact(store.open_checkout([(sku, 1) for sku in skus]), "lea@example.com")
        topic = "order.updated"
    assert calls.app.world.settle()
    return topic, calls.app.webhooks(topic)[-1].body


def read_ids(world: World) -> set[str]:
    rows = world.rows("select platform_id, is_deleted, title from products where shop_id = :shop")
    assert all(row["title"] and not row["is_deleted"] for row in rows)
    return {row["platform_id"] for row in rows}


def test_every_product_is_read_once_the_faults_stop(world: World, calls: Calls) -> None:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    # Time flies: whoever asks to be left alone for some minutes is asked again in the next round.
    services = replace(world.services, pauses=Pauses(clock=partial(next, count(0.0, 2 * LONGEST_SECONDS))))
    everything = set(calls.product_ids(world.shop.platform))
    faults = calls.faults(world.shop.platform)
    faults.at_random(0.3, PASSING, seed, pace=0.02)
    outcomes = {"read": 0, "left": 0}
    for _ in range(ROUNDS):
        if products.read_missing(services, world.shop.id):
            outcomes["read"] += 1
            assert read_ids(world) == everything, seed
            world.execute("delete from products where shop_id = :shop")
        else:
            outcomes["left"] += 1
            assert read_ids(world) == set(), seed
    print(outcomes, faults.counts)
    assert min(outcomes.values()) > 0, seed
    faults.stop()
    rung: list[Wake] = []
    world.db.on_wake(rung.append)
    sweep.find_products(services)
    assert [(wake.job, wake.shop_id) for wake in rung] == [(Job.PRODUCTS.value, world.shop.id)]
    assert products.read_missing(services, world.shop.id) == len(everything)
    assert read_ids(world) == everything
    assert world.rows("select state from shops where id = :shop") == [{"state": "connected"}]


def test_a_revoked_right_marks_the_shop_and_reads_nothing(world: World, calls: Calls) -> None:
    calls.faults(world.shop.platform).refuse_next(2)  # a fresh token, where there is such a thing, as well
    assert products.read_missing(world.services, world.shop.id) == 0
    assert world.rows("select state from shops where id = :shop") == [{"state": "needs_sign_in"}]
    before = calls.faults(world.shop.platform).counts
    calls.faults(world.shop.platform).spoil_next(Kind.ERROR)
    assert products.read_missing(world.services, world.shop.id) == 0
    assert calls.faults(world.shop.platform).counts == before, "a store that does not know us is not asked again"
    assert read_ids(world) == set()
