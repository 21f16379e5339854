"""Bulk operations of the pretend Shopify: started, watched, their lines in disorder, and all the ways in which they end badly."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from integrations.sandbox.shopify_bulk import FOLDER, BulkFault
from integrations.sandbox.shopify_shop import Shopper
from tests.integrations.graph_kit import GraphShop

RUN = """mutation R($query: String!) { bulkOperationRunQuery(query: $query, groupObjects: false) {
  bulkOperation { id status } userErrors { field code message } } }"""
LOOK = """query L($id: ID!) { bulkOperation(id: $id) {
  status errorCode completedAt objectCount rootObjectCount fileSize url partialDataUrl } }"""
CANCEL = "mutation C($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
PRODUCTS = "{ products { edges { node { id title variants { edges { node { id sku price } } } } } } }"
ORDERS = """query Orders { orders(query: "updated_at:>='2026-11-20T12:03:00Z'") { edges { node {
  id name totalPriceSet { shopMoney { amount } } lineItems { edges { node { id sku } } } } } } }"""


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


def run(graph: GraphShop, query: str = PRODUCTS) -> str:
    """Start one; its id."""
    payload = graph.data(RUN, query=query)["bulkOperationRunQuery"]
    assert payload["userErrors"] == []
    return str(payload["bulkOperation"]["id"])


def look(graph: GraphShop, key: str, times: int = 1) -> Any:
    """One after so many looks."""
    return [graph.data(LOOK, id=key)["bulkOperation"] for _ in range(times)][-1]


def file(graph: GraphShop, url: str) -> bytes | None:
    """The file behind an address."""
    parts = urlsplit(url)
    name = parts.path.removeprefix(FOLDER + "/").removesuffix(".jsonl")
    return graph.shop.bulk.read(int(name), dict(parse_qsl(parts.query)))


def lines(content: bytes | None) -> list[dict[str, Any]]:
    assert content is not None
    return [json.loads(line) for line in content.split(b"\n") if line]


def test_an_operation_is_watched_until_its_file_is_there(graph: GraphShop) -> None:
    told: list[Any] = []
    graph.shop.bulk.on_finish = lambda topic, body: told.append((topic, body))
    key = run(graph)
    first, second = look(graph, key), look(graph, key)
    assert (first["status"], first["objectCount"], first["url"], told[:0]) == ("RUNNING", "0", None, [])
    assert (second["status"], second["errorCode"], second["objectCount"], second["rootObjectCount"]) == ("COMPLETED", None, "10", "4")
    content = file(graph, second["url"])
    found = lines(content)
    assert (len(found), second["fileSize"]) == (10, str(len(content or b"")))
    ((topic, body),) = told
    assert (topic, body["admin_graphql_api_id"], body["status"], body["type"]) == ("bulk_operations/finish", key, "completed", "query")
    assert look(graph, key) == second


def test_children_stand_anywhere_with_their_parents_id(graph: GraphShop) -> None:
    found = lines(file(graph, look(graph, run(graph), 2)["url"]))
    parents = {line["id"]: line for line in found if "__parentId" not in line}
    children = [line for line in found if "__parentId" in line]
    assert {line["title"] for line in parents.values()} == {one.title for one in graph.shop.products.values()}
    assert all(set(line) == {"id", "title"} for line in parents.values())
    expected = {(one["id"], one["__parentId"]) for one in children}
    assert expected == {
        (f"gid://shopify/ProductVariant/{variant.id}", f"gid://shopify/Product/{product.id}")
        for product in graph.shop.products.values()
        for variant in product.variants
    }
    places = {line["id"]: place for place, line in enumerate(found)}
    assert any(places[line["id"]] < places[line["__parentId"]] for line in children), "some come before their parents"


def test_children_follow_their_parents_where_that_was_asked_for(graph: GraphShop) -> None:
    grouped = graph.data(RUN.replace("false", "true"), query=PRODUCTS)["bulkOperationRunQuery"]["bulkOperation"]["id"]
    parent = ""
    for line in lines(file(graph, look(graph, grouped, 2)["url"])):
        assert line.get("__parentId") in (None, parent)
        parent = line["id"] if "__parentId" not in line else parent


def test_more_than_a_page_comes_and_the_search_holds(graph: GraphShop) -> None:
    for number in range(300):
        graph.buy(shopper=Shopper(f"shopper{number}@example.com"))
    found = lines(file(graph, look(graph, run(graph, ORDERS), 2)["url"]))
    assert len(found) == 2 * 298
    assert {line["totalPriceSet"]["shopMoney"]["amount"] for line in found if "name" in line} == {"32.00"}


def test_nothing_found_is_no_file(graph: GraphShop) -> None:
    done = look(graph, run(graph, ORDERS), 2)
    assert (done["status"], done["objectCount"], done["url"], done["fileSize"]) == ("COMPLETED", "0", None, None)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{ shop { name } }", "at least one connection"),
        ("{ orders { nodes { id } } }", "edges"),
        ("{ products { edges { node { title variants { edges { node { id } } } } } } }", "'id' field"),
        ('{ node(id: "gid://shopify/Product/1") { id } products { edges { node { id } } } }', "top level"),
        ("query Q($query: String) { products(query: $query) { edges { node { id } } } }", "without variables"),
        ("{ products { edges { node { id wings } } } }", "wings"),
        ("{ products { edges ", "Syntax"),
        ('mutation { discountCodeDelete(id: "x") { deletedCodeDiscountId } }', "exactly one query"),
        ("{ " + " ".join(f"p{number}: products {{ edges {{ node {{ id }} }} }}" for number in range(6)) + " }", "more than 5"),
        (
            "{ customers { edges { node { id orders { edges { node { id lineItems { edges { node { id } } } } } } } } } }",
            "depth greater than 2",
        ),
    ],
)
def test_a_query_that_cannot_run_in_bulk_is_refused(graph: GraphShop, query: str, words: str) -> None:
    payload = graph.data(RUN, query=query)["bulkOperationRunQuery"]
    (error,) = payload["userErrors"]
    assert (payload["bulkOperation"], error["code"], error["field"]) == (None, "INVALID", ["query"])
    assert words in error["message"]


def test_five_run_at_once(graph: GraphShop) -> None:
    graph.shop.bulk.looks_needed = None
    keys = [run(graph) for _ in range(5)]
    assert graph.data(RUN, query=PRODUCTS)["bulkOperationRunQuery"]["userErrors"][0]["code"] == "LIMIT_REACHED"
    listed = (
        '{ bulkOperations(first: 10, query: "status:created operation_type:query", sortKey: CREATED_AT, reverse: true) { nodes { id } } }'
    )
    assert {node["id"] for node in graph.data(listed)["bulkOperations"]["nodes"]} == set(keys)
    graph.shop.bulk.finish(int(keys[0].rpartition("/")[2]))
    run(graph)


def test_one_is_cancelled_while_it_runs(graph: GraphShop) -> None:
    key = run(graph)
    assert graph.data(CANCEL, id=key)["bulkOperationCancel"] == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    assert look(graph, key)["status"] == "CANCELED"
    assert look(graph, key)["url"] is None
    (error,) = graph.data(CANCEL, id=key)["bulkOperationCancel"]["userErrors"]
    assert error["message"] == "A bulk operation cannot be canceled when it is canceled"


@pytest.mark.parametrize("fault", list(BulkFault))
def test_an_operation_can_end_badly(graph: GraphShop, fault: BulkFault) -> None:
    whole = file(graph, look(graph, run(graph), 2)["url"])
    graph.shop.bulk.spoil_next(fault)
    done = look(graph, run(graph), 2)
    assert (done["status"], done["url"] is None) == (("FAILED", True) if fault is BulkFault.FAILED else ("COMPLETED", False))
    content = file(graph, done["url"] or done["partialDataUrl"])
    assert whole is not None
    if fault is BulkFault.EXPIRED:
        assert content is None
    elif fault is BulkFault.MISCOUNT:
        assert (len(lines(content)), done["objectCount"]) == (10, "11")
    elif fault is BulkFault.CUT:
        assert content is not None
        assert not content.endswith(b"\n")
    else:
        assert (len(lines(content)), done["objectCount"]) == (5, "10")
    assert file(graph, look(graph, run(graph), 2)["url"]) is not None, "only one was spoilt"


def test_what_the_token_may_not_see_fails_the_operation(graph: GraphShop) -> None:
    graph.buy()
    query = "{ orders { edges { node { id } } } }"
    key = graph.ask(RUN, ("read_products",), query=query)["data"]["bulkOperationRunQuery"]["bulkOperation"]["id"]
    done = look(graph, key, 2)
    assert (done["status"], done["errorCode"], done["url"], done["objectCount"]) == ("FAILED", "ACCESS_DENIED", None, "0")


def test_withheld_data_are_null_in_the_file(graph: GraphShop) -> None:
    graph.buy()
    graph.shop.withheld = {"name"}
    query = "{ customers { edges { node { id firstName locale } } } }"
    ((line),) = lines(file(graph, look(graph, run(graph, query), 2)["url"]))
    assert (line["firstName"], line["locale"]) == (None, "en")


def test_an_address_is_good_for_seven_days_and_cannot_be_forged(graph: GraphShop) -> None:
    url = look(graph, run(graph), 2)["url"]
    other = look(graph, run(graph), 2)["url"]
    assert file(graph, url.replace("Signature=", "Signature=0")) is None
    assert file(graph, url.partition("?")[0] + "?" + other.partition("?")[2]) is None
    assert file(graph, url.partition("?")[0]) is None
    graph.at += timedelta(days=7) - timedelta(seconds=1)
    assert file(graph, url) is not None
    graph.at += timedelta(seconds=1)
    assert file(graph, url) is None
