"""Customers that became one."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import CustomerMerged, Removed, Resource
from connector.store import merges, records
from tests.conftest import TestShop
from tests.factories import at, make_checkout, make_order, terms

Rows = Callable[..., list[dict[str, Any]]]


def settle(session: Session, shop: TestShop, *told: CustomerMerged) -> tuple[list[int], list[int]]:
    """Keep merges and turn what names the merged ones."""
    merges.save_merges(session, shop.id, told)
    return merges.settle_merges(session, shop.id, told, [])


def names(rows: Rows) -> list[str]:
    """Whom the checkouts and the orders name."""
    found = rows("select customer_platform_id c from checkouts union all select customer_platform_id from orders order by 1")
    return [row["c"] for row in found]


@pytest.fixture
def told(session: Session, shopify_shop: TestShop) -> Sequence[int]:
    """A checkout of A, an order of B, and a checkout of C."""
    started = [make_checkout(platform_id=one, token=one, customer_id=one) for one in "AC"]
    records.save_orders(session, shopify_shop.id, [make_order(customer_id="B")])
    return list(records.save_checkouts(session, terms(shopify_shop), started))


def test_what_names_the_merged_one_means_the_kept_one(session: Session, shopify_shop: TestShop, told: Sequence[int], rows: Rows) -> None:
    checkouts, orders = settle(session, shopify_shop, CustomerMerged(at(9), "B", "A"))

    assert (checkouts, orders) == ([told[0]], [])
    assert names(rows) == ["B", "B", "C"]
    assert settle(session, shopify_shop, CustomerMerged(at(9), "B", "A")) == ([], [])


@pytest.mark.parametrize("order", list(itertools.permutations([("A", "B"), ("B", "C"), ("C", "D")])))
def test_a_chain_ends_at_the_last_one_in_whatever_order_it_is_told(
    session: Session, shopify_shop: TestShop, told: Sequence[int], rows: Rows, order: Sequence[tuple[str, str]]
) -> None:
    for merged, kept in order:
        settle(session, shopify_shop, CustomerMerged(at(9), kept, merged))

    assert names(rows) == ["D", "D", "D"]
    assert merges.merged_into(session, shopify_shop.id, "D") == ["A", "B", "C"]
    assert merges.merged_into(session, shopify_shop.id, "B") == ["A"]


def test_a_record_that_comes_after_the_merge_is_the_kept_customers(session: Session, shopify_shop: TestShop, rows: Rows) -> None:
    settle(session, shopify_shop, CustomerMerged(at(9), "B", "A"))
    late = make_order(customer_id="A")
    (order_id,) = records.save_orders(session, shopify_shop.id, [late])

    assert merges.settle_merges(session, shopify_shop.id, [], [late]) == ([], [order_id])
    assert names(rows) == ["B"]
    assert merges.settle_merges(session, shopify_shop.id, [], []) == ([], [])


def test_the_merged_customer_is_gone(session: Session, shopify_shop: TestShop) -> None:
    assert merges.save_merges(session, shopify_shop.id, [CustomerMerged(at(9), "B", "A")]) == [Removed(Resource.CUSTOMER, at(9), "A")]
    assert merges.save_merges(session, shopify_shop.id, []) == []


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_words_on_one_customer_the_later_counts(session: Session, shopify_shop: TestShop, rows: Rows, turn: int) -> None:
    for told in [CustomerMerged(at(9), "B", "A"), CustomerMerged(at(10), "C", "A")][::turn]:
        merges.save_merges(session, shopify_shop.id, [told])

    assert rows("select merged_id, kept_id, at from customer_merges") == [{"merged_id": "A", "kept_id": "C", "at": at(10)}]


def test_a_circle_ends(session: Session, shopify_shop: TestShop, told: Sequence[int], rows: Rows) -> None:
    settle(session, shopify_shop, CustomerMerged(at(9), "B", "A"), CustomerMerged(at(10), "A", "B"))

    assert names(rows) == ["A", "B", "C"]


def test_a_merge_is_the_shops_own(session: Session, shopify_shop: TestShop, woo_shop: TestShop, told: Sequence[int], rows: Rows) -> None:
    assert settle(session, shopify_shop, CustomerMerged(at(9), "Z", "Y")) == ([], [])
    assert names(rows) == ["A", "B", "C"]
    assert merges.merged_into(session, woo_shop.id, "Z") == []
