"""How syncing is spoken of: every field has a name and is known to be harmless or hidden, speeds and spans read well."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from connector.canonical import Checkout, Consent, Customer, LineItem, Order, Product, Resource, Variant
from connector.codes import CodeState
from connector.rules.syncing import RESOURCES, Scope
from connector.web.support.sync_masks import HIDDEN, shown_value
from connector.web.sync_phrases import FIELDS, field_text, rate_text, scope_text, shown_id, span_text

NOT_SHOWN = {"triggered_at", "channel", "at", "source", "number"}
AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_every_field_of_a_record_has_a_name() -> None:
    names = {field.name for one in (Checkout, Order, Customer, Product, CodeState, LineItem, Variant, Consent) for field in fields(one)}
    assert names - set(FIELDS) - NOT_SHOWN == set()
    assert set(FIELDS) - names - {"is_deleted"} == set(), "nothing is named that is not there"
    assert set(FIELDS) >= HIDDEN


@pytest.mark.parametrize(
    ("name", "value", "kind", "shown"),
    [
        ("total", "12.50", Resource.ORDER, "12.50"),
        ("lines[2].title", "Bougie", Resource.ORDER, "Bougie"),
        ("email", "anna@example.org", Resource.ORDER, "a•••@e•••.org"),
        ("phone", "+33645678901", Resource.CUSTOMER, "•••01"),
        ("phone.raw", "06 45 67 89 01", Resource.CUSTOMER, "•••01"),
        ("checkout_phone.e164", "+33645678901", Resource.CHECKOUT, "•••01"),
        ("first_name", "Anna", Resource.CUSTOMER, "•••"),
        ("token", "abcdef", Resource.CHECKOUT, "•••"),
        ("recovery_url", "https://x.example/1", Resource.CHECKOUT, "•••"),
        ("recovery_url", "yes", Resource.CHECKOUT, "yes"),
        ("first_name", "yes", Resource.CUSTOMER, "•••"),
        ("code", "THANKS-7F3K", Resource.DISCOUNT_CODE, "•••F3K"),
        ("code", "SHORT", Resource.DISCOUNT_CODE, "•••"),
        ("title", "THANKS-7F3K", Resource.DISCOUNT_CODE, "•••F3K"),
        ("title", "Bougie", Resource.PRODUCT, "Bougie"),
        ("what_comes_next_year", "secret", Resource.ORDER, "•••"),
        ("email", None, Resource.ORDER, "—"),
        ("total", "", Resource.ORDER, "—"),
    ],
)
def test_a_value_is_shown_only_if_it_is_known_to_be_harmless(name: str, value: str | None, kind: str, shown: str) -> None:
    assert shown_value(name, value, kind) == shown


def test_what_opens_a_checkout_is_not_its_name() -> None:
    assert shown_id(Resource.CHECKOUT, "c1-9f8e7d6c5b4a39281") == "c1-9f8e7…"
    assert (shown_id(Resource.CHECKOUT, "4711"), shown_id(Resource.ORDER, "9" * 20)) == ("4711", "9" * 20)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("total", "total"),
        ("lines[2].quantity", "line 2, quantity"),
        ("consents[email]", "consent, email"),
        ("lines", "lines"),
        ("phone.e164", "phone, e164"),
        ("variants[4711-a].price", "variant 4711-a, price"),
        ("unheard_of", "unheard_of"),
        ("", ""),
    ],
)
def test_a_field_is_called_as_people_do(name: str, text: str) -> None:
    assert field_text(name, str) == text


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (Scope(), "Everything"),
        (Scope((Resource.ORDER, Resource.CUSTOMER), since=AT), "Orders, Customers, changed since D"),
        (Scope((Resource.ORDER,), until=AT), "Orders, changed before D"),
        (Scope(RESOURCES, AT, AT + timedelta(days=1)), "Everything, changed from D to D"),
        (Scope((Resource.ORDER,), platform_id="17"), "Orders: only 17"),
    ],
)
def test_what_a_run_covers_is_a_sentence(scope: Scope, text: str) -> None:
    assert scope_text(scope, str, lambda at: "D") == text


def test_speeds_and_spans_are_in_units_that_one_can_imagine() -> None:
    assert [rate_text(rate, str, "en") for rate in (None, 0.001, 0.5, 1, 2_345.6)] == [
        "",
        "1 a minute",
        "30 a minute",
        "1 a second",
        "2,346 a second",
    ]
    spans = (None, timedelta(seconds=20), timedelta(minutes=5), timedelta(hours=3, minutes=10))
    assert [span_text(span, str, "en") for span in spans] == ["", "less than a minute", "5 minutes", "3 hours 10 minutes"]
