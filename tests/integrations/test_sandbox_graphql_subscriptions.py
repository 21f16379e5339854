"""Subscriptions that an app makes for one shop: listed, changed, refused, and taken away after failures."""

from typing import Any

import pytest

from tests.integrations.graph_kit import SCOPES, GraphShop

HOOKS = "https://connector.test/webhooks/shopify"
FIELDS = "id topic uri format filter includeFields name apiVersion { handle }"
CREATE = f"""mutation C($topic: WebhookSubscriptionTopic!, $it: WebhookSubscriptionInput!) {{
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $it) {{
    webhookSubscription {{ {FIELDS} }} userErrors {{ field message }} }} }}"""
UPDATE = f"""mutation U($id: ID!, $it: WebhookSubscriptionInput!) {{
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $it) {{ webhookSubscription {{ {FIELDS} }} userErrors {{ field message }} }} }}"""
DELETE = "mutation D($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { field message } } }"
LIST = f"query L($topics: [WebhookSubscriptionTopic!]) {{ webhookSubscriptions(first: 100, topics: $topics) {{ nodes {{ {FIELDS} }} }} }}"


@pytest.fixture
def graph() -> GraphShop:
    return GraphShop()


def create(graph: GraphShop, topic: str = "CHECKOUTS_UPDATE", **changes: Any) -> Any:
    """The payload of a new subscription."""
    return graph.data(CREATE, topic=topic, it={"uri": HOOKS, "name": "connector-fallback", **changes})["webhookSubscriptionCreate"]


def test_a_subscription_is_made_listed_changed_and_deleted(graph: GraphShop) -> None:
    made = create(graph)["webhookSubscription"]
    assert (made["topic"], made["uri"], made["format"], made["name"]) == ("CHECKOUTS_UPDATE", HOOKS, "JSON", "connector-fallback")
    assert made["apiVersion"]["handle"] == "2026-10"
    assert graph.data(LIST)["webhookSubscriptions"]["nodes"] == [made]
    assert graph.data(LIST, topics=["ORDERS_CREATE"])["webhookSubscriptions"]["nodes"] == []
    assert graph.shop.subscriptions.addresses("checkouts/update") == [(HOOKS, "connector-fallback")]
    changed = graph.data(UPDATE, id=made["id"], it={"uri": "https://connector.test/other"})["webhookSubscriptionUpdate"]
    assert changed["webhookSubscription"] == {**made, "uri": "https://connector.test/other"}
    gone = graph.data(DELETE, id=made["id"])["webhookSubscriptionDelete"]
    assert gone == {"deletedWebhookSubscriptionId": made["id"], "userErrors": []}
    again = graph.data(DELETE, id=made["id"])["webhookSubscriptionDelete"]
    assert again["userErrors"] == [{"field": ["id"], "message": "Webhook subscription does not exist"}]
    assert graph.shop.subscriptions.addresses("checkouts/update") == []


@pytest.mark.parametrize(
    ("topic", "named"),
    [
        ("CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE", "customers_email_marketing_consent/update"),
        ("DISCOUNTS_REDEEMCODE_ADDED", "discounts/redeemcode_added"),
        ("VARIANTS_OUT_OF_STOCK", "variants/out_of_stock"),
        ("APP_SCOPES_UPDATE", "app/scopes_update"),
    ],
)
def test_a_topic_is_found_by_the_name_that_webhooks_carry(graph: GraphShop, topic: str, named: str) -> None:
    create(graph, topic)
    assert graph.shop.subscriptions.addresses(named) == [(HOOKS, "connector-fallback")]


def test_the_same_address_is_taken_once_for_a_topic(graph: GraphShop) -> None:
    create(graph)
    taken = create(graph)
    assert taken["webhookSubscription"] is None
    assert taken["userErrors"][0]["message"] == "Address for this topic has already been taken"
    assert create(graph, "ORDERS_CREATE")["userErrors"] == []
    assert create(graph, uri="http://connector.test/")["userErrors"][0]["message"] == "Address is invalid"


def test_a_topic_needs_its_scope_and_its_approval(graph: GraphShop) -> None:
    body = graph.ask(CREATE, tuple(one for one in SCOPES if one != "read_orders"), topic="ORDERS_CREATE", it={"uri": HOOKS})
    (error,) = body["data"]["webhookSubscriptionCreate"]["userErrors"]
    assert (error["field"], "orders_create" in error["message"]) == (["topic"], True)
    merging = create(graph, "CUSTOMERS_MERGE")
    assert merging["userErrors"] != [], "needs a scope of its own"
    graph.shop.withheld = {"customer"}
    (error,) = create(graph, "ORDERS_CREATE")["userErrors"]
    assert error["message"].startswith("This app is not approved to subscribe to webhook topics containing protected customer data.")
    assert create(graph, "PRODUCTS_UPDATE")["userErrors"] == []
    graph.shop.subscriptions.unapproved = {"products/create"}
    assert create(graph, "PRODUCTS_CREATE")["webhookSubscription"] is None
    assert create(graph, "DISCOUNTS_UPDATE")["userErrors"] == [], "to write brings to read"


def test_it_goes_after_eight_failures_one_after_the_other(graph: GraphShop) -> None:
    create(graph)
    book = graph.shop.subscriptions
    (one,) = book
    for _ in range(7):
        book.failed(one.id)
    book.delivered(one.id)
    for _ in range(7):
        book.failed(one.id)
    assert len(book) == 1
    book.failed(one.id)
    assert (len(book), [gone.topic for gone in book.removed]) == (0, ["CHECKOUTS_UPDATE"])
    book.failed(one.id)
    assert graph.data(LIST)["webhookSubscriptions"]["nodes"] == []
