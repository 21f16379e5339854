"""
Whatever the order, repetition and batching of deliveries, a history ends in the same rows (RL-107, RL-108).

Every example tells several shoppers' histories to one shop in order, and to others shuffled, repeated one to five times
and cut into other batches; then everything canonical that the shops' rows say must be the same.
"""

import itertools
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.canonical import Product
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.store import codes, products
from connector.store.sealed import Vault
from sync import apply
from sync.services import Services
from tests.conftest import TestShop, install
from tests.sync.digest import digest, versions
from tests.sync.stories import BEGIN, histories
from tests.sync.world import Arrival, keep

AT_ONCE = 20
BATCHES = (17, 53, 131, 500)
Digest = list[tuple[str, str]]
_numbers = itertools.count()


def fresh_shop(services: Services, vault: Vault, platform: str) -> TestShop:
    """A shop that nothing has happened to, with the product of all lines and a discount of each shopper's."""
    shop = install(services.db, vault, platform, f"h{next(_numbers)}.example", "History")
    states = [CodeState(str(n), BEGIN, f"CODE-{n}", CodeKind.PERCENTAGE, CodeStatus.ACTIVE) for n in range(AT_ONCE)]
    with services.db.transaction(shop=shop.id) as session:
        products.save_products(session, shop.id, [Product("1010", BEGIN, "Bougie")], BEGIN)
        codes.save_codes(session, shop.id, states, BEGIN - timedelta(days=1))
    return shop


def apply_all(services: Services, shop: TestShop, arrivals: Sequence[Arrival], batches: Sequence[int]) -> None:
    """Apply arrivals in batches of these sizes by turns, and watch that no record ever goes back to an older version."""
    keep(services.db, shop, arrivals)
    before = versions(services.db, shop.id)
    for size in itertools.cycle(batches):
        if not apply.drain(services, shop.id, limit=size):
            break
        after = versions(services.db, shop.id)
        assert all(after[record] >= version for record, version in before.items())  # type: ignore[operator]
        before = after


def ends(
    services: Services, vault: Vault, platform: str, told: Sequence[Sequence[Arrival]], seed: random.Random, orders: int
) -> tuple[Digest, list[Digest]]:
    """How histories end that are told event by event to one shop, and how in `orders` other ways that are told to others."""
    in_order = [arrival for events in itertools.zip_longest(*told) for arrival in events if arrival is not None]
    shop = fresh_shop(services, vault, platform)
    apply_all(services, shop, in_order, [len(told)])
    expected, others = digest(services.db, shop.id), []
    for _ in range(orders):
        other = fresh_shop(services, vault, platform)
        arrivals = [arrival for arrival in in_order for _ in range(seed.choice([1, 1, 1, 2, 5]))]
        seed.shuffle(arrivals)
        apply_all(services, other, arrivals, [seed.choice(BATCHES) for _ in range(3)])
        others.append(digest(services.db, other.id))
    with services.db.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from deliveries where state <> 'applied'").scalar() == 0
    return expected, others


@pytest.mark.spec("RL-107", "RL-108")
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(told=histories("shopify", AT_ONCE), seed=st.randoms(use_true_random=False))
def test_any_order_of_a_shopify_history_ends_in_the_same_rows(
    services: Services, vault: Vault, told: list[list[Arrival]], seed: random.Random
) -> None:
    expected, others = ends(services, vault, "shopify", told, seed, orders=2)
    assert expected
    assert others == [expected, expected]


@pytest.mark.spec("RL-107", "RL-108")
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(told=histories("woocommerce", AT_ONCE), seed=st.randoms(use_true_random=False))
def test_any_order_of_a_woocommerce_history_ends_in_the_same_rows(
    services: Services, vault: Vault, told: list[list[Arrival]], seed: random.Random
) -> None:
    expected, others = ends(services, vault, "woocommerce", told, seed, orders=2)
    assert expected
    assert others == [expected, expected]


@pytest.mark.spec("RL-107", "RL-108")
@pytest.mark.parametrize("platform", ["shopify", "woocommerce"])
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_deliveries_applied_one_by_one_end_in_the_same_rows_as_all_at_once(
    services: Services, vault: Vault, platform: str, data: st.DataObject
) -> None:
    (history,) = data.draw(histories(platform, 1))
    at_once, one_by_one = (fresh_shop(services, vault, platform) for _ in range(2))

    apply_all(services, at_once, history, [500])
    apply_all(services, one_by_one, data.draw(st.permutations(history)), [1])

    assert digest(services.db, one_by_one.id) == digest(services.db, at_once.id)
