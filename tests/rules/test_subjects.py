"""Who is who: what records and raw bodies tell of people."""

import json
from datetime import UTC, datetime

import pytest

from connector.canonical import Phone
from connector.rules.subjects import (
    Subject,
    began_at,
    body_began_at,
    body_facts,
    phone_spellings,
    record_facts,
    spelled,
    telling,
    without_person,
)
from tests.factories import T0, make_cart, make_checkout, make_customer, make_order

EMAIL = "anna.petit@example.org"


def facts(text: bytes | dict[str, object], topic: str = "checkouts/update") -> set[tuple[str, str]]:
    """What a body tells."""
    return set(body_facts(topic, text if isinstance(text, bytes) else json.dumps(text).encode()))


def test_a_subject_is_told_by_all_its_facts() -> None:
    subject = Subject(frozenset({"a@b.fr"}), frozenset({"+33612345678"}), frozenset({"1"}), frozenset({"2"}), frozenset({"t"}))
    assert subject.facts == {("email", "a@b.fr"), ("phone", "+33612345678"), ("customer", "1"), ("order", "2"), ("token", "t")}


def test_a_phone_tells_nobody_where_another_is_told() -> None:
    wanted = frozenset({("email", "a@b.fr"), ("phone", "1")})
    assert telling(frozenset({("phone", "1")}), wanted) == {("phone", "1")}
    assert telling(frozenset({("phone", "1"), ("token", "t")}), wanted) == {("phone", "1")}
    assert telling(frozenset({("phone", "1"), ("email", "paul@b.fr")}), wanted) == frozenset()
    assert telling(frozenset({("phone", "1"), ("customer", "9")}), wanted) == frozenset()
    assert telling(frozenset({("phone", "1"), ("email", "paul@b.fr"), ("email", "a@b.fr")}), wanted) == {("email", "a@b.fr")}


def test_records_tell_whose_they_are() -> None:
    phone, typed = Phone("06", "+33612345678"), Phone("07", "+33712345678")
    checkout = make_checkout(phone=phone, checkout_phone=typed, customer_id="5", cart_token="c")
    assert record_facts(checkout) == {
        ("email", EMAIL), ("phone", "+33612345678"), ("phone", "+33712345678"), ("customer", "5"), ("token", "tok-1"), ("token", "c"),
    }  # fmt: skip
    assert record_facts(make_cart()) == {("token", "cart-1")}
    order = make_order(email=None, checkout_token="t", cart_token=None)
    assert {("token", "t"), ("order", order.platform_id)} <= record_facts(order)
    assert ("customer", "77") in record_facts(make_customer(platform_id="77"))


def test_an_order_without_its_person_keeps_its_money() -> None:
    order = make_order(first_name="Anna", phone=Phone("06", "+33612345678"), customer_id="5")
    empty = without_person(order)
    assert record_facts(empty) == {("order", order.platform_id)}
    assert (empty.total, empty.lines, empty.first_name, empty.last_name) == (order.total, order.lines, None, None)


def test_a_record_begins_when_it_was_made_else_when_it_was_first_heard_of() -> None:
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert began_at(make_checkout(later)) == T0
    assert began_at(make_customer(source_version=later, created_at=None)) == later


@pytest.mark.parametrize(
    "body",
    [
        b'{"email": "Anna.Petit@Example.org"}',
        b'{"email": "anna.petit\\u0040example.org"}',
        b'{"note": "write to anna.petit@example.org, please."}',
        b'{"url": "https://x.example/c?email=anna.petit%40example.org&x=1"}',
        b'{"url": "https:\\/\\/x.example\\/c?e=anna.petit@example.org"}',
        b'{"cut": "anna.petit@example.org',
        b"email=anna.petit%40example.org",
        b'\xff{"email": "anna.petit@example.org"}',
        b'{"a": [[{"b": ["anna.petit@example.org"]}]]}',
    ],
)
def test_an_address_is_found_however_it_is_written(body: bytes) -> None:
    assert ("email", EMAIL) in facts(body)


@pytest.mark.parametrize(
    "text", ["joanna.petit@example.org", "anna.petit@example.org.uk", "anna.petit@sub.example.org", "x-anna.petit@example.org"]
)
def test_another_address_that_holds_it_is_another(text: str) -> None:
    assert ("email", EMAIL) not in facts({"email": text})


def test_an_address_may_hold_signs_that_links_are_made_of() -> None:
    assert ("email", "o'hara&co=x@example.org") in facts({"email": "O'Hara&Co=x@example.org"})
    assert ("email", "o'hara&co@example.org") in facts(b"\"O'Hara&co@example.org")


@pytest.mark.parametrize(
    ("topic", "body", "fact"),
    [
        ("checkouts/update", {"customer": {"id": 12}}, ("customer", "12")),
        ("orders/x", {"customer_id": 12}, ("customer", "12")),
        ("customers/update", {"id": 12}, ("customer", "12")),
        ("customers_email_marketing_consent/update", {"customer_id": "12"}, ("customer", "12")),
        ("x/y", {"admin_graphql_api_customer_id": "gid://shopify/Customer/12?a=b"}, ("customer", "12")),
        ("orders/updated", {"id": 34}, ("order", "34")),
        ("refunds/create", {"order_id": 34}, ("order", "34")),
        ("x/y", {"order": {"id": 34}}, ("order", "34")),
        ("x/y", {"orders_to_redact": [34]}, ("order", "34")),
        ("checkouts/update", {"token": "tok", "cart_token": "cart"}, ("token", "cart")),
        ("x/y", {"billing_address": {"phone": "06 12 34 56 78"}}, ("phone", "0612345678")),
    ],
)
def test_ids_tokens_and_phones_are_found_where_they_stand(topic: str, body: dict[str, object], fact: tuple[str, str]) -> None:
    assert fact in facts(body, topic)


@pytest.mark.parametrize(
    "body",
    [
        {"line_items": [{"id": 12}]},
        {"quantity": 12},
        {"customer_locale": "12"},
        {"id": True},
        {"phone": "12"},
        {"phone": "1" * 31},
        {"id": 1.5},
    ],
)
def test_other_numbers_tell_nobody(body: dict[str, object]) -> None:
    assert facts(body) == set()


def test_a_body_that_is_too_deep_is_searched_as_it_is() -> None:
    deep = b"[" * 100 + b'"x"' + b"]" * 100
    assert facts(deep) == set()
    assert facts(b"[" * 100_000) == set()


def test_half_an_address_tells_nobody() -> None:
    assert facts(b'{"email": "anna@exam"}') == set()
    assert facts(b'{"email": "@example.org"}') == set()
    assert facts(b'{"email": "anna@"}') == set()


def test_a_gid_of_something_else_and_an_id_that_is_no_number_tell_nobody() -> None:
    assert facts({"customer_id": "gid://shopify/Product/12"}) == set()
    assert facts({"customer_id": "x12"}) == set()
    assert facts({"customer": {"name": {"id": 3}}}) == set()


def test_a_phone_is_known_with_and_without_its_country() -> None:
    assert {"33612345678", "0033612345678", "0612345678", "612345678"} <= phone_spellings("+33612345678")
    assert spelled(frozenset({("phone", "+33612345678"), ("email", "a@b.fr")})) >= {("phone", "0612345678"), ("email", "a@b.fr")}


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"created_at": "2026-11-21T11:00:00+01:00"}', datetime(2026, 11, 21, 10, tzinfo=UTC)),
        (b'{"created_at": "2026-11-21T11:00:00"}', None),
        (b'{"created_at": null}', None),
        (b'{"x": 1}', None),
        (b"[1]", None),
        (b"{", None),
    ],
)
def test_a_body_says_since_when_there_is_what_it_tells_of(body: bytes, at: datetime | None) -> None:
    assert body_began_at(body) == at
