"""The numbers of all records of a kind: each once, by pages of 250, also beyond where Shopify's own paging ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from connector.canonical import Resource
from connector.platforms import Access, NotPermitted, Rejected, TransientError
from integrations.sandbox.shopify_shop import Customer, Shopper
from integrations.shopify import queries, queries_codes, queries_ids
from integrations.shopify.legs import REACH
from integrations.shopify.numbers import numbers_page
from tests.integrations.graph_kit import START
from tests.integrations.reads_kit import ACCESS, Store

KINDS = [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE]


def peopled(customers: int) -> Store:
    """A shop with so many customers, whose numbers are in no order."""
    store = Store()
    for number in range(customers):
        key = 9_000_000 + (number * 7919) % 100_003
        store.twin.shop.customers[key] = Customer(key, Shopper(f"shopper{number}@example.com", "S"), START, START)
    return store


def walked(store: Store, what: Resource, reach: int = REACH) -> list[str]:
    """All numbers, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        store.rest()
        ids, cursor = numbers_page(store.client, ACCESS, what, cursor, reach)
        found += ids
        if cursor is None:
            return found


def answered(*gids: str, cursor: str | None = None) -> httpx2.Response:
    """An answer with these."""
    info = {"hasNextPage": cursor is not None, "endCursor": cursor}
    return httpx2.Response(200, json={"data": {"found": {"nodes": [{"id": one} for one in gids], "pageInfo": info}}})


class TestIds:
    @pytest.mark.parametrize("what", KINDS)
    def test_are_those_of_the_records_that_are_read(self, what: Resource) -> None:
        store = Store()
        for _ in range(3):
            store.twin.buy()
        wanted = {"title": "Merci", "code": "MERCI10", "startsAt": START, "context": {"all": "ALL"}, "appliesOncePerCustomer": True}
        store.twin.shop.discounts.add(
            "DiscountCodeBasic", wanted | {"customerGets": {"value": {"percentage": 0.1}, "items": {"all": True}}}
        )
        listed: list[Any] = [one for page in store.reads.pages(ACCESS, what, None) for one in page.records]
        ids, cursor = store.reads.ids(ACCESS, what)
        assert (sorted(ids), cursor) == (sorted(one.platform_id for one in listed), None)
        assert len(ids) > 0

    def test_come_250_at_a_time_and_each_once(self) -> None:
        store = peopled(600)
        assert walked(store, Resource.CUSTOMER) == [str(key) for key in sorted(store.twin.shop.customers)]
        assert [asked["first"] for asked in store.asked] == [250] * 3

    def test_go_on_by_a_filter_where_paging_ends(self) -> None:
        store = peopled(1300)
        store.twin.shop.search_reach = 500
        assert walked(store, Resource.CUSTOMER, reach=500) == [str(key) for key in sorted(store.twin.shop.customers)]
        filters = [asked["query"] for asked in store.asked]
        assert (filters[:2], len(set(filters))) == ([None, None], 3)
        with pytest.raises(Rejected):
            walked(store, Resource.CUSTOMER)

    def test_whoever_goes_while_we_walk_does_not_make_us_miss_another(self) -> None:
        store = peopled(900)
        shop = store.twin.shop
        first, cursor = store.reads.ids(ACCESS, Resource.CUSTOMER)
        for one in first[:200]:
            del shop.customers[int(one)]
        found = [*first]
        while cursor is not None:
            store.rest()
            ids, cursor = store.reads.ids(ACCESS, Resource.CUSTOMER, cursor)
            found += ids
        assert set(found) >= {str(key) for key in shop.customers}

    @pytest.mark.parametrize("what", [Resource.CHECKOUT, Resource.SHOP])
    def test_what_we_know_by_another_id_is_not_numbered(self, what: Resource) -> None:
        with pytest.raises(Rejected):
            Store().reads.ids(ACCESS, what)

    @pytest.mark.parametrize("gids", [("gid://shopify/Order/5", "gid://shopify/Order/4"), ("gid://shopify/Order/5",) * 2])
    def test_an_order_that_nobody_asked_for_is_no_list(self, gids: tuple[str, ...]) -> None:
        store = Store()
        store.answers.append(answered(*gids))
        with pytest.raises(TransientError):
            store.reads.ids(ACCESS, Resource.ORDER)

    def test_a_filter_that_shopify_passed_over_is_noticed(self) -> None:
        store = Store()
        store.answers.append(answered("gid://shopify/Order/5"))
        with pytest.raises(TransientError):
            store.reads.ids(ACCESS, Resource.ORDER, "0:7:")

    def test_a_list_that_is_withheld_is_not_an_empty_one(self) -> None:
        store = Store(scopes=("read_products",))
        with pytest.raises(NotPermitted):
            store.reads.ids(ACCESS, Resource.ORDER)

    def test_pages_that_announce_more_and_hold_nothing_end(self) -> None:
        store = Store()
        store.answers.append(answered(cursor="c2"))
        with pytest.raises(TransientError):
            numbers_page(store.client, ACCESS, Resource.ORDER, None, reach=200)


class TestReach:
    def test_orders_reach_back_sixty_days_unless_all_may_be_read(self) -> None:
        reads = Store().reads
        assert reads.reaches_back(ACCESS, Resource.ORDER, START) == START - timedelta(days=60)
        for scope in ("read_orders,read_all_orders", "read_all_orders read_orders"):
            assert reads.reaches_back(Access(7, ACCESS.domain, {"scope": scope}), Resource.ORDER, START) is None
        assert reads.reaches_back(replace(ACCESS, credentials={"scope": "read_orders"}), Resource.ORDER, START) is not None

    def test_abandoned_checkouts_three_months_and_the_rest_for_ever(self) -> None:
        reads = Store().reads
        assert reads.reaches_back(ACCESS, Resource.CHECKOUT, START) == START - timedelta(days=90)
        assert {reads.reaches_back(ACCESS, what, START) for what in KINDS[1:]} == {None}


class TestSizes:
    def test_pages_are_as_large_as_one_query_may_cost(self) -> None:
        """One record more, and the shop refuses."""
        for document, size, ways in (
            (queries.ORDERS, queries.ORDER_PAGE, {}),
            (queries.CUSTOMERS, queries.CUSTOMER_PAGE, {"reverse": False}),
            (queries.PRODUCTS_CHANGED, queries.PRODUCT_PAGE, {}),
            (queries.CHECKOUTS, queries.CHECKOUT_PAGE, {}),
            (queries_codes.DISCOUNTS, queries_codes.CODE_PAGE, {}),
        ):
            twin = Store().twin
            assert "errors" not in twin.ask(document, first=size, after=None, query="", **ways)
            assert twin.codes(twin.ask(document, first=size + 1, after=None, query="", **ways)) == ["MAX_COST_EXCEEDED"]

    def test_what_they_cost_is_known_before_the_first_call(self) -> None:
        costs = {**queries.COSTS, **queries_codes.COSTS, **queries_ids.COSTS}
        for document, size, ways in (
            (queries.ORDERS, queries.ORDER_PAGE, {}),
            (queries.CUSTOMERS, queries.CUSTOMER_PAGE, {"reverse": False}),
            (queries.PRODUCTS_CHANGED, queries.PRODUCT_PAGE, {}),
            (queries.CHECKOUTS, queries.CHECKOUT_PAGE, {}),
            (queries_codes.DISCOUNTS, queries_codes.CODE_PAGE, {}),
            *((one, queries_ids.ID_PAGE, {}) for one in queries_ids.COSTS),
        ):
            answer = Store().twin.ask(document, first=size, after=None, query="", **ways)
            assert answer["extensions"]["cost"]["requestedQueryCost"] == costs[document]

    @pytest.mark.parametrize("what", [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.CHECKOUT, Resource.DISCOUNT_CODE])
    def test_a_page_that_shopify_finds_too_dear_is_asked_for_in_halves(self, what: Resource) -> None:
        store = Store()
        store.twin.buy()
        dear = {"errors": [{"message": "too dear", "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1200, "maxCost": 1000}}]}
        expected = store.reads.changes(ACCESS, what, None)
        store.answers += [httpx2.Response(200, json=dear)] * 2
        store.requests.clear()
        assert store.reads.changes(ACCESS, what, None) == expected
        sizes = [int(str(asked["first"])) for asked in store.asked]
        assert sizes == [sizes[0], sizes[0] // 2, sizes[0] // 4]
