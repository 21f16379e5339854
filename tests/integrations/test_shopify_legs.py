"""Lists that are longer than Shopify's paging reaches: nothing is missed, and what cannot be read is an error."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector.canonical import Resource
from connector.platforms import PlatformError, TransientError
from integrations.sandbox.shopify_shop import Customer, Shopper
from integrations.shopify.legs import Leg, leg_of
from integrations.shopify.reading import ShopifyReads
from tests.integrations.graph_kit import START
from tests.integrations.reads_kit import ACCESS, Store


def store_of(number: int) -> Store:
    """A shop with so many orders, checkouts, customers and discounts, whose searches reach no further than 60 objects."""
    store = Store()
    shop = store.twin.shop
    for one in range(number):
        store.twin.buy(shopper=Shopper(f"shopper{one}@example.com", "S"))
        checkout = shop.open_checkout([shop.find_line("CEDAR-L", 1)])
        checkout.customer, checkout.email = next(iter(shop.customers.values())), "shopper0@example.com"
    return store


def listed(store: Store, what: Resource, **span: Any) -> list[Any]:
    """All records by pages, with a reach of 60."""
    store.rest()
    store.twin.shop.search_reach = 60
    pages = ShopifyReads(store.client, 60).pages(ACCESS, what, span.get("since"), span.get("until"))
    return [one for page in pages for one in page.records]


class TestLegs:
    @pytest.mark.parametrize("what", [Resource.ORDER, Resource.CHECKOUT])
    @pytest.mark.parametrize("since", [None, START + timedelta(minutes=5)])
    def test_a_list_beyond_the_reach_is_read_to_its_end(self, what: Resource, since: Any) -> None:
        store = store_of(150)
        found = listed(store, what, since=since)
        # What became an order stays in the list of checkouts.
        expected = (150 if since is None else 146) * (2 if what is Resource.CHECKOUT else 1)
        assert len({one.platform_id for one in found}) == expected
        # Only what changed at the instant of a seam comes twice.
        assert len(found) <= expected + 5

    def test_the_pretend_shop_itself_goes_no_further(self) -> None:
        store = store_of(80)
        store.twin.shop.search_reach = 60
        store.rest()
        with pytest.raises(PlatformError):
            list(store.reads.pages(ACCESS, Resource.ORDER, None))

    def test_customers_who_changed_on_several_days_are_all_read(self) -> None:
        store = Store()
        shop = store.twin.shop
        for number in range(400):
            at = START - timedelta(days=number // 40)
            shop.customers[number + 1] = Customer(number + 1, Shopper(f"s{number}@example.com", "S"), at, at)
        shop.search_reach = 340
        found = ShopifyReads(store.client, 340).pages(ACCESS, Resource.CUSTOMER, None)
        assert len({one.platform_id for page in found for one in page.records}) == 400

    def test_more_at_one_instant_than_can_be_paged_is_no_end(self) -> None:
        store = store_of(100)
        orders = store.twin.shop.orders
        for key, one in list(orders.items()):
            orders[key] = replace(one, updated_at=START)
        with pytest.raises(TransientError, match="more changed at once"):
            listed(store, Resource.ORDER)

    def test_a_cursor_says_its_leg(self) -> None:
        first = Leg().following("abc~d", 14, "2026-11-20T12:00:00+00:00", 60)
        assert leg_of(first) == Leg(14, "", "abc~d")
        assert leg_of(leg_of(first).following("x", 40, "2026-11-20T12:00:00+00:00", 60)) == Leg(0, "2026-11-20T12:00:00+00:00", None)
        assert (leg_of(None), leg_of("eyJsYXN0"), Leg().following(None, 14, "")) == (Leg(), Leg(after="eyJsYXN0"), None)
