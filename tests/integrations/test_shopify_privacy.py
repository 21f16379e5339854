"""The three compliance topics: whom they name, and what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.canonical import DataRequested, Event, Person, PersonRedacted, ShopRedacted
from connector.platforms import DeliveryContext, PayloadError
from integrations.shopify import events

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
SHOP = {"shop_id": 954889, "shop_domain": "demo.myshopify.com"}
WHO = {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"}
REQUEST = SHOP | {"customer": WHO, "orders_requested": [299938, 280263], "data_request": {"id": 9999}}
REDACT = SHOP | {"customer": WHO, "orders_to_redact": [299938]}


def parse(topic: str, body: Any, domain: str | None = "demo.myshopify.com") -> list[Event]:
    """As a delivery kept under that shop."""
    return events.parse(DeliveryContext(topic, AT, shop_domain=domain), json.dumps(body).encode())


def reason(topic: str, body: Any, domain: str | None = "demo.myshopify.com") -> str:
    """Why it is refused."""
    with pytest.raises(PayloadError) as caught:
        parse(topic, body, domain)
    return caught.value.reason


def test_a_data_request_names_the_person_their_orders_and_its_own_number() -> None:
    person = Person("191167", "john@example.com", "555-625-1199", ("299938", "280263"))
    assert parse("customers/data_request", REQUEST) == [DataRequested(person, AT, "9999")]


def test_a_redaction_names_the_person_and_their_orders() -> None:
    person = Person("191167", "john@example.com", "555-625-1199", ("299938",))
    assert parse("customers/redact", REDACT) == [PersonRedacted(person, AT)]


def test_a_shop_redaction_names_nobody() -> None:
    assert parse("shop/redact", SHOP) == [ShopRedacted(AT)]


@pytest.mark.parametrize(
    ("customer", "person"),
    [
        ({"email": "john@example.com"}, Person(email="john@example.com")),
        ({"id": 1, "email": None, "phone": ""}, Person(customer_id="1")),
        ({"phone": "+33612345678"}, Person(phone="+33612345678")),
        ({"id": "77", "first_name": "unknown field"}, Person(customer_id="77")),
    ],
)
def test_any_one_of_what_tells_a_person_is_enough(customer: dict[str, Any], person: Person) -> None:
    assert parse("customers/redact", SHOP | {"customer": customer, "orders_to_redact": []}) == [PersonRedacted(person, AT)]


def test_orders_alone_are_enough() -> None:
    assert parse("customers/redact", SHOP | {"customer": None, "orders_to_redact": [5, None, "6"]}) == [
        PersonRedacted(Person(order_ids=("5", "6")), AT)
    ]


def test_a_data_request_without_its_number_is_one() -> None:
    body = SHOP | {"customer": {"id": 1}, "orders_requested": None, "data_request": None}
    assert parse("customers/data_request", body) == [DataRequested(Person(customer_id="1"), AT, None)]


@pytest.mark.parametrize(
    ("topic", "body", "word"),
    [
        ("customers/redact", REQUEST, "wrong_topic"),
        ("customers/redact", SHOP, "wrong_topic"),
        ("customers/data_request", REDACT, "wrong_topic"),
        ("customers/data_request", SHOP, "wrong_topic"),
        ("shop/redact", REDACT, "wrong_topic"),
        ("shop/redact", REQUEST, "wrong_topic"),
        ("shop/redact", {"shop_id": 1}, "missing_shop"),
        ("shop/redact", {"shop_domain": "demo.myshopify.com"}, "missing_shop"),
        ("customers/redact", SHOP | {"customer": {}, "orders_to_redact": []}, "missing_person"),
        ("customers/redact", SHOP | {"customer": None, "orders_to_redact": None}, "missing_person"),
        ("customers/redact", SHOP | {"orders_to_redact": []}, "missing_person"),
        ("customers/redact", SHOP | {"customer": [], "orders_to_redact": []}, "wrong_shape"),
        ("customers/redact", SHOP | {"customer": {"id": 1.5}, "orders_to_redact": []}, "wrong_shape"),
    ],
)
def test_what_is_no_such_request_is_refused(topic: str, body: Any, word: str) -> None:
    assert reason(topic, body) == word


def test_a_request_for_another_shop_is_refused_and_letter_case_does_not_matter() -> None:
    assert reason("shop/redact", SHOP, "other.myshopify.com") == "wrong_shop"
    assert parse("shop/redact", SHOP, "DEMO.myshopify.com") == [ShopRedacted(AT)]
    assert parse("shop/redact", SHOP, None) == [ShopRedacted(AT)]


def test_a_shop_resource_is_no_shop_redaction() -> None:
    """The body of app/uninstalled, sent under another name."""
    assert reason("shop/redact", {"id": 954889, "myshopify_domain": "demo.myshopify.com", "plan_name": None}) == "missing_shop"
