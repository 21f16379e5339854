"""A shop's own subscriptions: exactly those that are wanted, whatever stands there and whatever Shopify says."""

import json
import os
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from graphql import parse, validate

from connector.platforms import Access, AccessLost, NotPermitted, Subscriptions, ThrottledError, TransientError
from integrations.shopify.client import Client
from integrations.shopify.events import COMPLIANCE_TOPICS, TOPICS
from integrations.shopify.queries_subscriptions import CREATE_SUBSCRIPTION, DELETE_SUBSCRIPTION, LIST_SUBSCRIPTIONS
from integrations.shopify.subscriptions import MARK, NAME, subscribe
from integrations.transport import Transport
from tests.shopify_schema import FILE, MISSING, official

ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})
ADDRESS = "https://connector.example/webhooks/shopify"
DENIED = {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}, "path": ["webhookSubscriptionCreate"]}]}


@dataclass
class Book:
    """A shop's subscriptions behind a GraphQL endpoint. `says`: what an operation on a topic is answered instead."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    page: int = 100
    asked: list[str] = field(default_factory=list)

    def add(self, topic: str, uri: str = ADDRESS, name: str | None = NAME, **more: Any) -> None:
        gid = f"gid://shopify/WebhookSubscription/{len(self.rows) + 1}"
        self.rows[gid] = {"id": gid, "topic": topic, "uri": uri, "filter": "", "includeFields": [], "name": name} | more

    @property
    def topics(self) -> list[str]:
        return sorted(row["topic"] for row in self.rows.values())

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        sent = json.loads(request.content)
        name, variables = sent["query"].split("(")[0].split()[-1], sent["variables"]
        subject = variables.get("topic") or variables.get("id") or ""
        self.asked.append(f"{name} {subject}".strip())
        said = self.says.get(f"{name} {subject}".strip()) or self.says.get(name)
        if isinstance(said, httpx2.Response):
            return said
        return httpx2.Response(200, json=said or {"data": self._answer(name, variables)})

    def _answer(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        if name == "WebhookSubscriptions":
            start = int(variables["after"] or 0)
            rows = list(self.rows.values())
            cursor = str(start + self.page) if len(rows) > start + self.page else None
            info = {"hasNextPage": cursor is not None, "endCursor": cursor}
            return {"webhookSubscriptions": {"nodes": rows[start : start + self.page], "pageInfo": info}}
        if name == "DeleteWebhookSubscription":
            found = self.rows.pop(variables["id"], None)
            errors = [] if found else [{"field": ["id"], "message": "Webhook subscription does not exist"}]
            return {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": variables["id"] if found else None, "userErrors": errors}}
        self.add(variables["topic"], **variables["sub"])
        return {"webhookSubscriptionCreate": {"webhookSubscription": {"id": list(self.rows)[-1]}, "userErrors": []}}


def refused(words: str) -> dict[str, Any]:
    errors = [{"field": ["webhookSubscription", "callbackUrl"], "message": words}]
    return {"data": {"webhookSubscriptionCreate": {"webhookSubscription": None, "userErrors": errors}}}


def run(book: Book, *silent: str) -> Subscriptions:
    return subscribe(Client(Transport(inner=httpx2.MockTransport(book))), ACCESS, ADDRESS, silent, TOPICS - COMPLIANCE_TOPICS)


def test_nothing_is_wanted_and_nothing_is_there() -> None:
    book = Book()
    assert run(book) == Subscriptions((), ())
    assert book.asked == ["WebhookSubscriptions"], "one question"


def test_a_silent_topic_is_subscribed_once_whole_and_by_our_name() -> None:
    book = Book()
    assert run(book, "checkouts/update", "customers_whats_app_marketing_consent/update").created == (
        "checkouts/update",
        "customers_whats_app_marketing_consent/update",
    )
    assert book.topics == ["CHECKOUTS_UPDATE", "CUSTOMERS_WHATS_APP_MARKETING_CONSENT_UPDATE"]
    assert {(row["uri"], row["name"], row["filter"]) for row in book.rows.values()} == {(ADDRESS, "connector-fallback", "")}
    assert run(book, "checkouts/update", "customers_whats_app_marketing_consent/update").created == (), "idempotent"
    assert MARK == "x-shopify-name: connector-fallback"


@pytest.mark.parametrize(
    "stray",
    [
        {"topic": "ORDERS_PAID"},
        {"topic": "A_TOPIC_THAT_WE_DO_NOT_KNOW"},
        {"topic": "CHECKOUTS_UPDATE", "name": None},
        {"topic": "CHECKOUTS_UPDATE", "name": "by-hand"},
        {"topic": "CHECKOUTS_UPDATE", "filter": "id:7"},
        {"topic": "CHECKOUTS_UPDATE", "includeFields": ["id"]},
    ],
)
def test_what_is_stray_or_delivers_less_than_all_goes(stray: dict[str, Any]) -> None:
    book = Book()
    book.add(**stray)
    made = run(book, "checkouts/update")
    assert (len(made.removed), made.created, book.topics) == (1, ("checkouts/update",), ["CHECKOUTS_UPDATE"])


def test_of_two_alike_one_stays() -> None:
    book = Book()
    book.add("CHECKOUTS_UPDATE")
    book.add("CHECKOUTS_UPDATE")
    made = run(book, "checkouts/update")
    assert (made.present, made.created, made.removed) == (("checkouts/update",), (), ("checkouts/update",))


@pytest.mark.parametrize("uri", ["https://connector.example/webhooks/shopify/", "https://other.example/webhooks/shopify", "pubsub://a:b"])
def test_other_addresses_are_none_of_ours(uri: str) -> None:
    book = Book()
    book.add("CHECKOUTS_UPDATE", uri=uri, name=None)
    assert run(book).removed == ()
    assert book.topics == ["CHECKOUTS_UPDATE"]


def test_all_pages_are_looked_at_before_anything_is_changed() -> None:
    book = Book(page=2)
    for _ in range(5):
        book.add("ORDERS_PAID")
    assert len(run(book).removed) == 5
    assert book.asked[:3] == ["WebhookSubscriptions"] * 3
    assert book.rows == {}


def test_pages_that_lead_nowhere_change_nothing() -> None:
    page = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
    book = Book(says={"WebhookSubscriptions": {"data": {"webhookSubscriptions": page}}})
    with pytest.raises(TransientError):
        run(book, "checkouts/update")
    assert book.asked == ["WebhookSubscriptions"]


@pytest.mark.parametrize(
    "said", [{"data": {}}, {"data": {"webhookSubscriptions": None}}, {"data": {"webhookSubscriptions": {"nodes": []}}}]
)
def test_an_answer_of_another_shape_is_no_empty_list(said: Any) -> None:
    book = Book(says={"WebhookSubscriptions": said})
    with pytest.raises(TransientError):
        run(book, "checkouts/update")


def test_c70_a_topic_that_needs_an_approval_is_told_in_words_that_help_and_the_others_are_made() -> None:
    words = "This app is not approved to subscribe to webhook topics containing protected customer data. See https://shopify.dev/x"
    book = Book(says={"CreateWebhookSubscription ORDERS_CREATE": refused(words)})
    made = run(book, "orders/create", "products/update", "checkouts/update")
    assert made.created == ("checkouts/update", "products/update")
    ((topic, told),) = made.refused
    assert topic == "orders/create"
    assert told == (
        "Shopify has not approved this app for protected customer data, so it does not send orders/create: "
        "request access in the Partner Dashboard, under API access"
    )


@pytest.mark.parametrize("said", [DENIED, refused("You do not have permission to create webhooks with orders/create topic")])
def test_a_missing_scope_refuses_its_topic_only(said: Any) -> None:
    book = Book(says={"CreateWebhookSubscription ORDERS_CREATE": said})
    made = run(book, "orders/create", "products/update")
    assert made.created == ("products/update",)
    assert [topic for topic, words in made.refused if words.startswith("orders/create: ")] == ["orders/create"]


def test_somebody_else_was_faster() -> None:
    book = Book()

    def faster(request: httpx2.Request) -> httpx2.Response:
        answer = book(request)
        if book.asked == ["WebhookSubscriptions"]:
            book.add("ORDERS_CREATE")
            book.says = {"CreateWebhookSubscription ORDERS_CREATE": refused("Address for this topic has already been taken")}
        return answer

    made = subscribe(Client(Transport(inner=httpx2.MockTransport(faster))), ACCESS, ADDRESS, ["orders/create"], TOPICS)
    assert (made.present, made.created, made.refused) == (("orders/create",), (), ())


def test_one_that_vanished_before_it_was_taken_away_is_no_failure() -> None:
    book = Book()
    book.add("ORDERS_PAID")
    (gid,) = book.rows
    errors = [{"field": ["id"], "message": "Webhook subscription does not exist"}]
    gone = {"data": {"webhookSubscriptionDelete": {"deletedWebhookSubscriptionId": None, "userErrors": errors}}}
    book.says = {f"DeleteWebhookSubscription {gid}": gone}
    assert run(book).removed == ("orders/paid",)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(401, json={"errors": "[API] Invalid API key or access token"}), AccessLost),
        (httpx2.Response(429, json={}, headers={"retry-after": "2.0"}), ThrottledError),
        (httpx2.Response(520, text="<html>"), TransientError),
        (httpx2.Response(402, json={"errors": "Unavailable Shop"}), NotPermitted),
    ],
)
def test_what_concerns_the_whole_shop_goes_up(answer: httpx2.Response, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        run(Book(says={"WebhookSubscriptions": answer}), "orders/create")


def test_a_topic_that_we_do_not_understand_is_not_subscribed() -> None:
    book = Book()
    assert run(book, "themes/publish", "shop/redact").created == ()
    assert book.topics == []


@pytest.mark.skipif(not FILE.exists() and "CI" not in os.environ, reason=MISSING)
def test_our_documents_and_every_topic_are_shopifys_own() -> None:
    for document in (LIST_SUBSCRIPTIONS, CREATE_SUBSCRIPTION, DELETE_SUBSCRIPTION):
        assert validate(official(), parse(document)) == []
    known = official().get_type("WebhookSubscriptionTopic")
    names = set(getattr(known, "values", {}))
    assert {topic.replace("/", "_").upper() for topic in TOPICS - COMPLIANCE_TOPICS} <= names
