"""The pretend Shopify's calls are paid by points: the published costs, the bucket, and both refusals."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from integrations.sandbox.shopify_cost import Bucket, requested_cost
from integrations.sandbox.shopify_schema import admin_schema
from tests.integrations.graph_kit import GraphShop
from tests.integrations.sandbox_app import recorded

ONE = "gid://shopify/DiscountCodeNode/1"
MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
ORDER = f"""id attribution {{ handle }} customAttributes {{ key }}
  totalPriceSet {MONEY} currentTotalPriceSet {MONEY} totalDiscountsSet {MONEY}
  customer {{ id }} discountApplications(first: 5) {{ nodes {{ __typename ... on DiscountCodeApplication {{ code }} }} }}"""
CONTACT = """id defaultEmailAddress { emailAddress } defaultAddress { city }
  defaultPhoneNumber { phoneNumber smsMarketingConsent { state } whatsAppMarketingConsent { state } }"""
CODE = """combinesWith { orderDiscounts } context { __typename } codesCount { count } codes(first: 1) { nodes { id } }
  minimumRequirement { ... on DiscountMinimumSubtotal { greaterThanOrEqualToSubtotal { amount } } }"""
DISCOUNT = f"""id codeDiscount {{
  ... on DiscountCodeBasic {{ {CODE}
    customerGets {{ items {{ __typename }} value {{ ... on DiscountAmount {{ amount {{ amount }} }} }} }} }}
  ... on DiscountCodeBxgy {{ context {{ __typename }} }} }}"""
PUBLISHED = {
    f"{{ orders(first: 20) {{ pageInfo {{ hasNextPage }} nodes {{ {ORDER} }} }} }}": 402,
    f"{{ orders(first: 5) {{ nodes {{ {ORDER} }} }} }}": 102,
    f"{{ orders(first: 5) {{ edges {{ cursor node {{ {ORDER} }} }} }} }}": 102,
    f'{{ order(id: "gid://shopify/Order/1") {{ {ORDER} }} }}': 20,
    f"{{ customers(last: 50) {{ nodes {{ {CONTACT} }} }} }}": 302,
    f'{{ codeDiscountNodeByCode(code: "X") {{ {DISCOUNT} }} }}': 14,
    f'mutation {{ discountCodeActivate(id: "{ONE}") {{ codeDiscountNode {{ {DISCOUNT} }} userErrors {{ code }} }} }}': 25,
    "{ webhookSubscriptions(first: 100) { nodes { id apiVersion { handle } } } }": 202,
    "{ shop { id primaryDomain { url } } currentAppInstallation { accessScopes { handle } } }": 4,
    f'{{ nodes(ids: ["{ONE}", "{ONE}"]) {{ id ... on Product {{ featuredMedia {{ preview {{ image {{ url }} }} }} }} }} }}': 8,
    "{ shop { ...S } } fragment S on Shop { plan { shopifyPlus } ...T } fragment T on Shop { primaryDomain { url } }": 3,
}
TEN = "{ customers(first: 50) { nodes { id defaultAddress { city } } } }"


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


@pytest.mark.parametrize("query", PUBLISHED, ids=[" ".join(query.split())[:60] for query in PUBLISHED])
def test_a_query_costs_what_the_published_rule_says(query: str) -> None:
    document = parse(query)
    operation = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    assert requested_cost(admin_schema(), document, operation, {}) == PUBLISHED[query]


def test_the_requested_cost_is_taken_and_the_difference_given_back(graph: GraphShop) -> None:
    graph.buy()
    body = graph.ask("query Q($first: Int!) { orders(first: $first) { nodes { id customer { id } } } }", first=100)
    cost = body["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (202, 4)
    assert cost["throttleStatus"] == {"maximumAvailable": 2000, "currentlyAvailable": 1996, "restoreRate": 100}
    assert (graph.shop.bucket.calls, graph.shop.bucket.throttled, graph.shop.bucket.spent) == (1, 0, 4)


def test_an_empty_bucket_throttles_inside_a_200_until_it_is_refilled(graph: GraphShop) -> None:
    graph.shop.bucket.drain()
    body = graph.ask(TEN)
    assert body["errors"][0]["message"] == "Throttled"
    assert graph.codes(body) == ["THROTTLED"]
    assert "data" not in body
    cost = body["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"], cost["throttleStatus"]["currentlyAvailable"]) == (102, None, 0)
    graph.seconds += 1.01
    assert graph.codes(graph.ask(TEN)) == ["THROTTLED"]
    graph.seconds += 0.01
    assert "errors" not in graph.ask(TEN)
    assert (graph.shop.bucket.calls, graph.shop.bucket.throttled) == (3, 2)


def test_a_refused_mutation_changes_nothing(graph: GraphShop) -> None:
    create = """mutation { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription: {uri: "https://a.example"}) {
      userErrors { message } } }"""
    graph.shop.bucket.drain()
    assert graph.codes(graph.ask(create)) == ["THROTTLED"]
    assert len(graph.shop.subscriptions) == 0
    graph.seconds += 1
    assert "errors" not in graph.ask(create)
    assert len(graph.shop.subscriptions) == 1


def test_a_query_that_is_too_dear_is_refused_whatever_the_bucket_holds(graph: GraphShop) -> None:
    graph.shop.bucket = Bucket(20_000, 1_000)
    body = graph.ask("{ orders(first: 250) { nodes { id customer { id } shippingAddress { id } lineItems(first: 1) { nodes { id } } } } }")
    (error,) = body["errors"]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert (error["extensions"]["cost"], error["extensions"]["maxCost"]) == (1502, 1000)
    assert error["message"].startswith("Query cost is 1502, which exceeds the single query max cost limit (1000).")
    assert (body.get("data"), graph.shop.bucket.calls) == (None, 0)


def test_the_bucket_never_holds_more_than_its_maximum_nor_gives_more_than_it_holds() -> None:
    bucket = Bucket(100, 10, lambda: 0.0)
    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(lambda _: bucket.take(3), range(200)))
    assert (taken, bucket.throttled, bucket.spent) == (33, 167, 99)
    bucket.give_back(500)
    assert bucket.available == 100


def shape(value: Any) -> Any:
    """The keys of a value, all the way down."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None


def test_both_refusals_have_the_recorded_shape(graph: GraphShop) -> None:
    dear = graph.ask("{ orders(first: 250) { nodes { id customer { id } a: customer { id } b: customer { id } } } }")
    assert shape(dear) == shape(recorded("shopify/graphql.error.max_cost.json"))
    graph.shop.bucket.drain()
    assert shape(graph.ask(TEN)) == shape(recorded("shopify/graphql.error.throttled.json"))
