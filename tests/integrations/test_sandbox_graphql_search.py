"""The pretend Shopify's lists: search filters as we use them, sorting, and cursors that belong to one search."""

from datetime import timedelta
from typing import Any

import pytest

from integrations.sandbox.shopify_shop import Shopper
from tests.integrations.graph_kit import GraphShop


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


@pytest.fixture
def bought(graph: GraphShop) -> list[int]:
    """Five orders, changed at 12:01, 12:02, …; their ids."""
    return [graph.buy(shopper=Shopper(f"shopper{number}@example.com")).id for number in range(5)]


def ids(graph: GraphShop, root: str, query: str | None, **arguments: Any) -> list[int]:
    """The ids of a list's first 50 records that fit."""
    asked = {"first": 50, **arguments}
    words = ", ".join(f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in asked.items())
    body = graph.data(f"query Q($query: String) {{ {root}({words}, query: $query) {{ nodes {{ id }} }} }}", query=query)
    return [int(node["id"].rpartition("/")[2]) for node in body[root]["nodes"]]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        (None, [0, 1, 2, 3, 4]),
        ("updated_at:>='2026-11-20T12:03:00Z'", [2, 3, 4]),
        ("updated_at:>2026-11-20T12:03:00Z", [3, 4]),
        ("updated_at:>='2026-11-20T12:02:00Z' updated_at:<'2026-11-20T12:04:00Z'", [1, 2]),
        ("updated_at:>='2026-11-20T12:02:00+00:00' AND updated_at:<='2026-11-20T12:04:00Z'", [1, 2, 3]),
        ("created_at:<'2026-11-20T07:02:30'", [0, 1]),
        ("updated_at:>='2026-11-21'", []),
        ("updated_at:>='2026-11-20'", [0, 1, 2, 3, 4]),
        ('email:"shopper3@example.com"', [3]),
        ("-email:shopper3@example.com financial_status:paid", [0, 1, 2, 4]),
        ("name:1001 OR name:#1002", [0, 1]),
        ("#1005", [4]),
        ("checkout_token:nothing", []),
        ("test:true", []),
    ],
)
def test_orders_are_found_by_the_filters_that_we_use(graph: GraphShop, bought: list[int], query: str | None, places: list[int]) -> None:
    assert ids(graph, "orders", query, sortKey="UPDATED_AT") == [bought[place] for place in places]


def test_an_order_is_found_by_what_links_it_to_its_checkout(graph: GraphShop, bought: list[int]) -> None:
    checkout = graph.shop.orders[bought[2]].checkout
    assert ids(graph, "orders", f"checkout_token:{checkout.token}") == [bought[2]]
    assert ids(graph, "orders", f"cart_token:'{checkout.cart_token}'") == [bought[2]]
    assert ids(graph, "orders", f"id:>={bought[3]}") == [one for one in bought if one >= bought[3]]


def test_an_unknown_filter_is_passed_over_with_a_warning(graph: GraphShop, bought: list[int]) -> None:
    body = graph.ask('{ orders(first: 50, query: "checkout_tokn:x") { nodes { id } } }')
    assert len(body["data"]["orders"]["nodes"]) == len(bought)
    (search,) = body["extensions"]["search"]
    assert search["warnings"] == [{"field": "checkout_tokn", "message": "Invalid search field for this query.", "code": "invalid_field"}]


def test_customers_are_filtered_by_whole_days_of_the_shop(graph: GraphShop, bought: list[int]) -> None:
    people = list(graph.shop.customers)
    day = timedelta(days=1)
    for place, customer in enumerate(graph.shop.customers.values()):
        customer.updated_at = graph.at + place * day
    assert ids(graph, "customers", "updated_at:>='2026-11-22T23:00:00Z'") == people[2:]
    assert ids(graph, "customers", "updated_at:>'2026-11-22T01:00:00Z'") == people[2:]
    assert ids(graph, "customers", "updated_at:'2026-11-21'") == [people[1]]


def test_checkouts_without_contact_data_are_not_listed(graph: GraphShop) -> None:
    silent = graph.shop.open_checkout([graph.shop.find_line("CEDAR-L", 1)])
    left = graph.shop.open_checkout([graph.shop.find_line("CEDAR-L", 1)])
    left.phone = "+12075550100"
    order = graph.buy()
    assert ids(graph, "abandonedCheckouts", None) == [left.number, order.checkout.number]
    assert ids(graph, "abandonedCheckouts", "status:open") == [left.number]
    assert ids(graph, "abandonedCheckouts", "recovery_state:recovered") == [order.checkout.number]
    assert silent.number not in ids(graph, "abandonedCheckouts", "updated_at:>='2026-11-01'")
    counted = graph.data("{ abandonedCheckoutsCount { count precision } limited: abandonedCheckoutsCount(limit: 1) { count precision } }")
    assert counted == {"abandonedCheckoutsCount": {"count": 2, "precision": "EXACT"}, "limited": {"count": 1, "precision": "AT_LEAST"}}


def read_pages(graph: GraphShop, size: int, reverse: bool = False) -> list[int]:
    """All orders by pages."""
    query = """query Q($first: Int!, $after: String, $reverse: Boolean) {
      orders(first: $first, after: $after, sortKey: UPDATED_AT, reverse: $reverse) { nodes { id } pageInfo { hasNextPage endCursor } } }"""
    found: list[int] = []
    after = None
    while True:
        page = graph.data(query, first=size, after=after, reverse=reverse)["orders"]
        assert len(page["nodes"]) <= size
        found += [int(node["id"].rpartition("/")[2]) for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("size", [1, 2, 5, 50])
def test_pages_together_are_the_list(graph: GraphShop, bought: list[int], size: int) -> None:
    assert read_pages(graph, size) == bought
    assert read_pages(graph, size, reverse=True) == bought[::-1]


def test_pages_can_be_read_backwards(graph: GraphShop, bought: list[int]) -> None:
    query = """query Q($before: String) {
      orders(last: 2, before: $before) { nodes { id } pageInfo { hasPreviousPage startCursor hasNextPage } } }"""
    last = graph.data(query)["orders"]
    assert [int(node["id"].rpartition("/")[2]) for node in last["nodes"]] == bought[3:]
    assert (last["pageInfo"]["hasPreviousPage"], last["pageInfo"]["hasNextPage"]) == (True, False)
    before = graph.data(query, before=last["pageInfo"]["startCursor"])["orders"]
    assert [int(node["id"].rpartition("/")[2]) for node in before["nodes"]] == bought[1:3]
    assert before["pageInfo"]["hasNextPage"]


def test_a_record_that_changes_meanwhile_comes_again_and_none_is_skipped(graph: GraphShop, bought: list[int]) -> None:
    query = "query Q($after: String) { orders(first: 2, after: $after, sortKey: UPDATED_AT) { nodes { id } pageInfo { endCursor } } }"
    first = graph.data(query)["orders"]
    graph.shop.orders[bought[0]].updated_at = graph.at + timedelta(hours=1)
    rest: list[int] = []
    after = first["pageInfo"]["endCursor"]
    while after:
        page = graph.data(query, after=after)["orders"]
        rest += [int(node["id"].rpartition("/")[2]) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert rest == [*bought[2:], bought[0]]


@pytest.mark.parametrize(
    "other",
    [
        'sortKey: CREATED_AT, query: "test:false"',
        'sortKey: UPDATED_AT, query: "test:true"',
        'sortKey: UPDATED_AT, query: "test:false", reverse: true',
    ],
)
def test_a_cursor_belongs_to_its_search(graph: GraphShop, bought: list[int], other: str) -> None:
    asked = 'sortKey: UPDATED_AT, query: "test:false"'
    cursor = graph.data(f"{{ orders(first: 2, {asked}) {{ pageInfo {{ endCursor }} }} }}")["orders"]["pageInfo"]["endCursor"]
    assert len(graph.data(f'{{ orders(first: 2, after: "{cursor}", {asked}) {{ nodes {{ id }} }} }}')["orders"]["nodes"]) == 2
    body = graph.ask(f'{{ orders(first: 2, after: "{cursor}", {other}) {{ nodes {{ id }} }} }}')
    assert body["errors"][0]["message"] == "Invalid cursor for current pagination sort."
