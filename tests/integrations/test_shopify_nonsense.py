"""Bodies that make no sense, or not under this topic: each is a PayloadError with its reason, and no bytes do harm."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.canonical import Event
from connector.platforms import PayloadError
from integrations.shopify.events import TOPICS
from tests.integrations.shopify_bodies import ANNA, PAYLOADS, body_of, read, reason

FIELDS = sorted(
    {
        *("token", "id", "cart_token", "checkout_token", "email", "phone", "created_at", "updated_at", "completed_at", "currency"),
        *("presentment_currency", "total_price", "line_items", "shipping_address", "customer", "discount_codes", "shipping_lines"),
        *(
            "admin_graphql_api_id",
            "redeem_code",
            "deleted_at",
            "email_marketing_consent",
            "current",
            "previous",
            "abandoned_checkout_url",
            "quantity",
            "price",
            "price_set",
            "line_price_set",
            "default_address",
        ),
    }
)


class TestReplayUnderAnotherTopic:
    """Only the body is signed, so a captured body must not work under another topic."""

    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            ("checkouts/update", "orders_paid__with_code"),
            ("checkouts/update", "customers_create__phone_on_record"),
            ("carts/update", "orders_paid__with_code"),
            ("carts/update", ANNA),
            ("orders/paid", ANNA),
            ("orders/paid", "customers_create__phone_on_record"),
            ("orders/delete", "orders_paid__with_code"),
            ("orders/delete", "customers_delete__id_only"),
            ("checkouts/delete", ANNA),
            ("checkouts/delete", "customers_delete__id_only"),
            ("customers/delete", "customers_create__phone_on_record"),
            ("customers/update", "orders_paid__with_code"),
            ("app/uninstalled", "orders_paid__with_code"),
            ("app/uninstalled", "shop_redact__plain"),
            ("app/uninstalled", "orders_delete__id_only"),
        ],
    )
    def test_it_is_refused(self, topic: str, name: str) -> None:
        assert reason(topic, body_of(name)) == "wrong_topic"


class TestNonsense:
    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"token": None}, "missing_token"),
            ({"token": " "}, "missing_token"),
            ({"updated_at": None}, "missing_time"),
            ({"updated_at": "yesterday"}, "bad_time"),
            ({"updated_at": "2026-11-20T10:00:00"}, "bad_time"),
            ({"updated_at": "0001-01-01T00:00:00+14:00"}, "bad_time"),
            ({"completed_at": 5}, "bad_time"),
            ({"completed_at": "0001-01-01T00:00:00+14:00"}, "bad_time"),
            ({"total_price": None}, "missing_total"),
            ({"total_price": "a lot"}, "bad_money"),
            ({"total_price": "NaN"}, "bad_money"),
            ({"total_price": "Infinity"}, "bad_money"),
            ({"total_price": "1E+30"}, "bad_money"),
            ({"total_price": "1000000000000000"}, "bad_money"),
            ({"total_price": "0.0000001"}, "bad_money"),
            ({"total_price": []}, "bad_money"),
            ({"total_tax": "sNaN"}, "bad_money"),
            ({"presentment_currency": "EURO"}, "bad_currency"),
            ({"presentment_currency": " ", "currency": None}, "missing_currency"),
            ({"line_items": {}}, "wrong_shape"),
            ({"line_items": [{"price": "1.00"}]}, "wrong_shape"),
            ({"line_items": [{"price": "1.00", "quantity": -1}]}, "wrong_shape"),
            ({"line_items": [{"price": "1.00", "quantity": 10**12}]}, "wrong_shape"),
            ({"line_items": [{"quantity": 1}]}, "missing_price"),
            ({"customer": "Anna"}, "wrong_shape"),
        ],
    )
    def test_the_reason_is_named(self, change: dict[str, Any], word: str) -> None:
        assert reason("checkouts/update", body_of(ANNA) | change) == word

    @pytest.mark.parametrize(
        ("raw", "word"),
        [
            (b"", "empty"),
            (b" \n", "empty"),
            (b"{", "not_json"),
            (b"<html>", "not_json"),
            (b'{"token":"\xff"}', "not_json"),
            (b'{"zz":' + b"[" * 100_000, "not_json"),
            (b"[]", "wrong_shape"),
            (b'{"token":' + b"9" * 5000 + b"}", "wrong_shape"),
        ],
    )
    def test_what_is_not_json_is_named(self, raw: bytes, word: str) -> None:
        assert reason("checkouts/update", raw) == word

    def test_an_unknown_topic_is_refused(self) -> None:
        assert reason("collections/create", b"{}") == "unknown_topic"

    def test_a_customer_without_id_is_refused(self) -> None:
        assert reason("customers/update", {"updated_at": "2026-11-20T10:00:00Z"}) == "missing_id"

    def test_errors_never_carry_what_people_typed(self) -> None:
        with pytest.raises(PayloadError) as caught:
            read("checkouts/update", body_of(ANNA) | {"email": ["anna.petit@example.org"]})
        assert "anna" not in str(caught.value)

    @settings(max_examples=150, deadline=None)
    @given(topic=st.sampled_from(sorted(TOPICS)), raw=st.binary(max_size=200))
    def test_no_bytes_raise_anything_but_a_payload_error(self, topic: str, raw: bytes) -> None:
        events, why = outcome(topic, raw)
        assert bool(why) is (events is None)

    @settings(max_examples=300, deadline=None)
    @given(data=st.data(), name=st.sampled_from(sorted(path.stem for path in PAYLOADS.glob("*.json"))))
    def test_no_changed_body_raises_anything_but_a_payload_error(self, data: st.DataObject, name: str) -> None:
        body = body_of(name)
        target = body
        if isinstance(body.get("line_items"), list) and body["line_items"] and data.draw(st.booleans()):
            target = body["line_items"][0]
        for field in data.draw(st.lists(st.sampled_from(FIELDS), max_size=4)):
            target[field] = data.draw(strange)
        events, why = outcome(data.draw(st.sampled_from(sorted(TOPICS))), json.dumps(body, default=str).encode())
        assert bool(why) is (events is None)


strange = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True).map(str)
    | st.text(max_size=20)
    | st.datetimes().map(str)
    | st.sampled_from(["2026-11-20T10:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "EUR", "1E+99999999", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)


def outcome(topic: str, raw: bytes) -> tuple[list[Event] | None, str]:
    """What a body tells, or None and the reason why it tells nothing; any error but a PayloadError is raised."""
    try:
        events = read(topic, raw)
    except PayloadError as error:
        return None, error.reason
    assert isinstance(events, list)
    return events, ""
