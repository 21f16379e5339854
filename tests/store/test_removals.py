"""What the store said is gone."""

from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import Removed, Resource
from connector.store import records, removals
from tests.conftest import TestShop
from tests.factories import T0, at, make_cart, make_checkout, make_customer, make_order, terms


def remove(session: Session, shop: TestShop, *gone: Removed, checkouts: list[int] | None = None) -> list[int]:
    """Save removals and settle them."""
    removals.save_removals(session, shop.id, gone)
    return removals.settle_removals(session, shop.id, gone, {Resource.CHECKOUT: checkouts or []})


def test_each_kind_of_record_is_marked_by_its_id(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [make_checkout()])
    records.save_orders(session, shopify_shop.id, [make_order()])
    records.save_customers(session, shopify_shop.id, [make_customer()])
    gone = [
        Removed(Resource.CHECKOUT, at(20), "tok-1"),
        Removed(Resource.ORDER, at(21), "6210"),
        Removed(Resource.CUSTOMER, at(22), "7340"),
        Removed(Resource.PRODUCT, at(23), "p101"),
    ]

    assert remove(session, shopify_shop, *gone) == [checkout_id]
    for minute, table in ((20, "checkouts"), (21, "orders"), (22, "customers")):
        assert rows(f"select deleted_at from {table}") == [{"deleted_at": at(minute)}]
    assert remove(session, shopify_shop, *gone) == []
    assert len(rows("select * from removals")) == 4


def test_a_cart_token_removes_the_checkout_and_the_cart_that_share_it(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    ids = records.save_checkouts(
        session, terms(shopify_shop), [make_checkout(cart_token="cart-1"), make_cart(), make_checkout(platform_id="b")]
    )

    assert len(ids) == 3
    assert len(remove(session, shopify_shop, Removed(Resource.CHECKOUT, at(5), cart_token="cart-1"))) == 2
    assert [row["platform_id"] for row in rows("select platform_id from checkouts where deleted_at is null")] == ["b"]


@pytest.mark.spec("RL-108")
def test_a_removal_that_came_before_its_record_counts_when_the_record_comes(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    assert remove(session, shopify_shop, Removed(Resource.CHECKOUT, at(5), "tok-1")) == []
    ids = records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(1))])

    assert remove(session, shopify_shop, checkouts=list(ids)) == list(ids)
    assert rows("select deleted_at from checkouts") == [{"deleted_at": at(5)}]


def test_a_record_that_changed_after_its_removal_was_restored(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    ids = records.save_checkouts(session, terms(shopify_shop), [make_checkout(T0)])
    remove(session, shopify_shop, Removed(Resource.CHECKOUT, at(5), "tok-1"))
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(6))])

    assert remove(session, shopify_shop, checkouts=list(ids)) == list(ids)
    assert rows("select deleted_at from checkouts") == [{"deleted_at": None}]


@pytest.mark.parametrize("minutes", [(5, 9), (9, 5)])
def test_of_several_removals_the_latest_counts(session: Session, shopify_shop: TestShop, rows: Any, minutes: tuple[int, int]) -> None:
    records.save_checkouts(session, terms(shopify_shop), [make_checkout(T0)])
    for minute in minutes:
        remove(session, shopify_shop, Removed(Resource.CHECKOUT, at(minute), "tok-1"))
    remove(session, shopify_shop, *(Removed(Resource.CHECKOUT, at(minute), "tok-1") for minute in minutes))

    assert rows("select deleted_at from checkouts") == [{"deleted_at": at(9)}]


def test_only_a_removal_kept_in_the_same_shop_speaks_of_a_record(session: Session, shopify_shop: TestShop) -> None:
    assert not removals.speaks_of(session, shopify_shop.id, [make_order(), make_customer(), make_checkout()])
    removals.save_removals(session, shopify_shop.id, [Removed(Resource.ORDER, at(5), make_order().platform_id)])

    assert removals.speaks_of(session, shopify_shop.id, [make_customer(), make_order()])
    assert not removals.speaks_of(session, shopify_shop.id, [make_customer(), make_checkout()])
