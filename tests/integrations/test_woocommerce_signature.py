"""WooCommerce's door: who signed, what the key of a delivery is made of."""

import base64
import hashlib
import hmac
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.platforms import Access, BadSignature, Rejected
from integrations.transport import Transport
from integrations.woocommerce.calling import Call
from integrations.woocommerce.signature import is_ping, verify
from integrations.woocommerce.subscriptions import subscribe

SECRET = b"shopSecret123"
BODY = b'{"id":4101}'


def headers(body: bytes = BODY, secret: bytes = SECRET, topic: bytes = b"order.updated", delivery: bytes = b"d1") -> dict[bytes, bytes]:
    return {
        b"x-wc-webhook-signature": base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()),
        b"x-wc-webhook-topic": topic,
        b"x-wc-webhook-delivery-id": delivery,
    }


def test_a_known_signature_from_the_algorithm_itself_is_accepted() -> None:
    # Worked out apart from our code: openssl dgst -sha256 -hmac shopSecret123 -binary | base64
    given = {b"x-wc-webhook-signature": KNOWN, b"x-wc-webhook-topic": b"order.updated"}
    assert verify(given, BODY, [SECRET], "shop").topic == "order.updated"


KNOWN = b"+wbv+C/m6WjPcpe6VvqPSIDBYrjaYU0IriDLrxSxsIQ="


@pytest.mark.spec("C66")
@pytest.mark.parametrize("body", ['{"name":"Crème & <b>été</b>"}'.encode(), b'{"a" : 1}\n', b'{"a":"\\u00e9\\/"}', b"{\xff}"])
def test_c66_the_raw_bytes_are_what_is_signed(body: bytes) -> None:
    assert verify(headers(body), body, [SECRET], "shop").topic == "order.updated"
    for changed in (body + b" ", body.replace(b" ", b""), body.strip() + b"\r\n", body.replace(b"/", b"")):
        if changed != body:
            with pytest.raises(BadSignature):
                verify(headers(body), changed, [SECRET], "shop")


@pytest.mark.spec("C66")
def test_c66_an_empty_secret_is_refused_and_ours_are_letters_and_digits_only() -> None:
    with pytest.raises(BadSignature):
        verify(headers(secret=b""), BODY, [b""], "shop")
    for secret in ("", "a&b", "a<b", 'a"b', "a'b", "é", "a b"):
        with pytest.raises(Rejected):
            subscribe(Call(Transport(is_closed_world=True), Access(7, "galets.example", {})), "https://connector.example/", secret)


def test_topics_are_read_in_lower_case() -> None:
    assert verify(headers(topic=b"Order.Updated"), BODY, [SECRET], "shop").topic == "order.updated"
    assert verify(headers(topic=b"Order.Updated"), BODY, [SECRET], "shop").key == verify(headers(), BODY, [SECRET], "shop").key


@pytest.mark.parametrize("topic", [b"", b"order updated", b"order.updated\x00", b"\xff\xfe", b"a" * 101, "tête".encode()])
def test_a_strange_topic_is_no_delivery(topic: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(headers(topic=topic), BODY, [SECRET], "shop")


def test_a_delivery_without_topic_header_is_refused() -> None:
    given = headers()
    del given[b"x-wc-webhook-topic"]
    with pytest.raises(BadSignature):
        verify(given, BODY, [SECRET], "shop")


def test_two_objects_that_share_a_delivery_id_have_different_keys() -> None:
    other = b'{"id":4102}'
    assert verify(headers(), BODY, [SECRET], "shop").key != verify(headers(other), other, [SECRET], "shop").key


def test_the_key_tells_shops_topics_and_delivery_ids_apart() -> None:
    keys = {
        verify(headers(), BODY, [SECRET], "shop").key,
        verify(headers(), BODY, [SECRET], "shopo").key,
        verify(headers(topic=b"order.created"), BODY, [SECRET], "shop").key,
        verify(headers(delivery=b"d2"), BODY, [SECRET], "shop").key,
        verify(headers(topic=b"rder.updated"), BODY, [SECRET], "shopo").key,
    }
    assert len(keys) == 5


def test_a_delivery_without_an_id_is_still_told_apart_by_its_body() -> None:
    given = headers()
    del given[b"x-wc-webhook-delivery-id"]
    assert len(verify(given, BODY, [SECRET], "shop").key) == 32


def test_deliveries_carry_no_time_of_their_own() -> None:
    assert verify(headers(), BODY, [SECRET], "shop").triggered_at is None


def test_the_hexadecimal_form_of_the_signature_is_refused() -> None:
    given = headers() | {b"x-wc-webhook-signature": hmac.new(SECRET, BODY, hashlib.sha256).hexdigest().encode()}
    with pytest.raises(BadSignature):
        verify(given, BODY, [SECRET], "shop")


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_no_made_up_signature_opens_the_door(signature: bytes, body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify({b"x-wc-webhook-signature": signature, b"x-wc-webhook-topic": b"order.updated"}, body, [SECRET], "shop")


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=400))
def test_whatever_is_signed_with_the_secret_is_accepted(secret: bytes, body: bytes) -> None:
    other = bytes(random.Random(len(body)).randrange(256) for _ in range(70))
    meta = verify(headers(body, secret), body, [other, secret], "shop")
    assert meta == verify(headers(body, secret), body, [secret], "shop")


def test_a_request_without_content_type_is_no_ping() -> None:
    assert is_ping({}, b"webhook_id=1") is False
