"""Two customer records become one: whatever comes in whatever order, what was the one's is the other's."""

import itertools
from collections.abc import Sequence

import pytest

from connector.store.sealed import Vault
from sync import apply
from tests.conftest import TestShop, install
from tests.fake_sender import FakeSender
from tests.sync.bodies import dump, shopify_checkout, shopify_customer, shopify_order
from tests.sync.digest import digest
from tests.sync.telling import merge_body
from tests.sync.world import Arrival, World, keep

A, B, C = 71, 72, 73


def person(number: int) -> dict[str, object]:
    """A customer inside another record: who, and nothing else."""
    return {"id": number}


def history(world: World) -> list[Arrival]:
    """A's checkout, A's order that names no checkout, A becomes B, B becomes C, and C's own record."""
    return [
        Arrival("checkouts/update", shopify_checkout("tok-a", world.start, customer=person(A)), world.at(0, 1)),
        Arrival("orders/create", shopify_order(1, world.at(5), customer=person(A)), world.at(5)),
        Arrival("customers/merge", merge_body(A, B), world.at(6)),
        Arrival("customers/merge", merge_body(B, C), world.at(7)),
        Arrival("checkouts/update", shopify_checkout("tok-c", world.at(1), customer=person(C)), world.at(8)),
    ]


def tell(world: World, shop: TestShop, told: Sequence[Arrival], at_once: int) -> list[tuple[str, str]]:
    """Apply arrivals in batches of this size; what the rows say in the end."""
    keep(world.db, shop, told)
    while apply.drain(world.services, shop.id, limit=at_once):
        pass
    return digest(world.db, shop.id)


@pytest.mark.parametrize(("at_once", "every"), [(1, 1), (2, 7), (5, 7)])
def test_every_order_of_deliveries_ends_in_the_same_rows(world: World, vault: Vault, at_once: int, every: int) -> None:
    expected = tell(world, world.shop, history(world), 5)
    names = {
        row["who"] for row in world.rows("select customer_platform_id who from checkouts union select customer_platform_id from orders")
    }
    assert names == {str(C)}
    assert [row["converted_by"] for row in world.rows("select converted_by from checkouts order by token")] == ["person", "person"]
    for number, told in enumerate(itertools.islice(itertools.permutations(history(world)), 0, None, every)):
        shop = install(world.db, vault, "shopify", f"m{at_once}-{number}.example", "Merges")
        assert tell(world, shop, told, at_once) == expected, [arrival.topic for arrival in told]


def test_an_order_of_the_other_record_stops_the_reminder_once_they_are_one(world: World, sender: FakeSender) -> None:
    world.turn_on()
    checkout = shopify_checkout("tok-1", world.start, email="anna@example.org", customer=person(A))
    world.arrive("checkouts/update", checkout, world.start)
    world.go_to(world.at(61))
    world.abandon()
    world.arrive("orders/create", shopify_order(1, world.at(30), email="petit@example.org", customer=person(B)), world.at(30))
    assert world.messages() == [("queued", None)]

    world.arrive("customers/merge", merge_body(A, B), world.at(62))
    world.send()
    assert world.messages() == [("cancelled", "purchased")]
    assert sender.recipients == []


def test_the_merged_record_stays_gone_and_the_kept_one_is_read(world: World) -> None:
    world.arrive("customers/update", dump(shopify_customer(A, world.start)), world.start)
    world.arrive("customers/update", dump(shopify_customer(B, world.start)), world.start)
    world.arrive("customers/merge", merge_body(A, B), world.at(5))
    world.arrive("customers/update", dump(shopify_customer(A, world.at(1))), world.at(1))

    gone = world.rows("select platform_id, deleted_at is not null gone from customers where shop_id = :shop order by 1")
    assert [tuple(row.values()) for row in gone] == [(str(A), True), (str(B), False)]
    assert [row["platform_id"] for row in world.rows("select platform_id from wanted_reads")] == [str(B)]


@pytest.mark.parametrize("status", ["failed", "in_progress"])
def test_a_merge_that_failed_changes_nothing(world: World, status: str) -> None:
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, customer=person(A)), world.start)
    before = digest(world.db, world.shop.id)
    world.arrive("customers/merge", merge_body(A, B, status), world.at(5))

    assert digest(world.db, world.shop.id) == before
    assert world.rows("select 1 from wanted_reads") == []
