"""What a platform says of a shop after the install: its profile, its scopes, what it keeps from us."""

from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import Resource, ScopesChanged
from connector.store import shops
from connector.store.db import app_now
from tests.conftest import TestShop, profile
from tests.factories import at


def change(session: Session, minutes: float, *missing: str) -> ScopesChanged:
    """A word on scopes, so long after now."""
    return ScopesChanged(("read_orders",), missing, app_now(session) + (at(minutes) - at(0)))


def test_a_profile_replaces_the_one_before(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    shops.save_profile(session, shopify_shop.id, profile("Neuf", "neuf.example"))

    (row,) = rows("select name, hosts, contact_email from shops")
    assert row == {"name": "Neuf", "hosts": ["demo.myshopify.com", "neuf.example"], "contact_email": "bonjour@neuf.example"}


@pytest.mark.parametrize("turn", [1, -1])
def test_the_newest_word_on_scopes_counts(session: Session, shopify_shop: TestShop, rows: Any, turn: int) -> None:
    told = [change(session, 1, "read_products"), change(session, 2, "read_customers")]
    noted = [shops.note_scopes(session, shopify_shop.id, one) for one in told[::turn]]

    assert noted == ([True, True] if turn == 1 else [True, False])
    assert rows("select missing_scopes from shops") == [{"missing_scopes": ["read_customers"]}]


def test_a_word_of_an_earlier_install_or_to_an_uninstalled_shop_counts_nothing(session: Session, shopify_shop: TestShop) -> None:
    assert not shops.note_scopes(session, shopify_shop.id, change(session, -60, "read_products"))
    shops.uninstall(session, shopify_shop.id, app_now(session))
    assert not shops.note_scopes(session, shopify_shop.id, change(session, 5, "read_products"))


def test_what_is_withheld_is_noted_by_group_and_forgotten_once_it_is_given(session: Session, shopify_shop: TestShop) -> None:
    def withheld() -> list[str]:
        return list(shops.get_shop(session, shopify_shop.id).withheld)

    shops.note_withheld(session, shopify_shop.id, ["orders.nodes.email", "orders.nodes.customer.phone"], Resource.ORDER)
    shops.note_withheld(session, shopify_shop.id, ["customers.nodes.email"], Resource.CUSTOMER)
    assert withheld() == ["customer.email", "order.email", "order.phone"]

    shops.note_withheld(session, shopify_shop.id, ["orders.nodes.phone"], Resource.ORDER)
    assert withheld() == ["customer.email", "order.phone"]
    shops.note_withheld(session, shopify_shop.id, [], Resource.CUSTOMER)
    shops.note_withheld(session, shopify_shop.id, [])
    assert withheld() == ["order.phone"]
    shops.note_withheld(session, shopify_shop.id, ["nodes.displayName"])
    assert withheld() == ["name", "order.phone"]
