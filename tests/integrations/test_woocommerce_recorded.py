"""Deliveries and answers of a real store, where RECORDED_DIR says they are; without it these tests are skipped."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connector.canonical import Checkout, Customer, Event, Order, Removed, Resource, Stale
from connector.config import Settings
from connector.platforms import (
    Access,
    BadSignature,
    DeliveryContext,
    PayloadError,
    Rejected,
)
from integrations.transport import Transport
from integrations.woocommerce import client
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.calling import Call

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" if "RECORDED_DIR" in os.environ else None
AT = datetime(2026, 11, 21, 21, 5, tzinfo=UTC)
ACCESS = Access(7, "galets.example", {"consumer_key": "ck_x", "consumer_secret": "cs_y"})


def files(folder: str, pattern: str = "*.json") -> list[Any]:
    """Recorded files as parameters, or one skipped parameter."""
    if RECORDED is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="RECORDED_DIR is not set"))]
    return [pytest.param(path, id=path.stem) for path in sorted((RECORDED / folder).glob(pattern))]


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def platform() -> WooCommercePlatform:
    def nobody(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(request.url)

    return WooCommercePlatform(Transport(inner=httpx2.MockTransport(nobody)), Settings(_env_file=None))


def delivery(path: Path) -> tuple[dict[str, Any], dict[bytes, bytes], bytes]:
    found = load(path)
    headers = {name.lower().encode(): value.encode() for name, value in found["request"]["headers"]}
    return found, headers, found["request"]["body"].encode()


ASKED: dict[str, list[Resource]] = {
    "order.deleted": [Resource.ORDER, Resource.CHECKOUT],
    "action.woocommerce_delete_order": [Resource.ORDER, Resource.CHECKOUT],
    "action.woocommerce_delete_coupon": [Resource.DISCOUNT_CODE],
    **{f"product.{event}": [Resource.PRODUCT] for event in ("created", "updated", "deleted")},
    **{f"coupon.{event}": [Resource.DISCOUNT_CODE] for event in ("created", "updated", "deleted", "restored")},
}
"""What a topic has read from the store again, whatever its body says beside the id."""
EXPECTED: dict[str, list[type[Event]] | str] = {
    "draft-on-page-open--order-updated": [Checkout],
    "draft-email-and-phone-typed--order-updated": [Checkout],
    "draft-coupon-applied--order-updated": [Checkout],
    "guest-checkout-bacs--order-updated": [Order],
    "guest-checkout-bacs--order-created": [Order],
    "order-on-hold-to-processing--order-updated": [Order],
    "order-completed--order-updated": [Order],
    "order-partial-refund--order-updated": [Order],
    "pending-offsite-payment--order-updated": [Checkout],
    "pending-offsite-payment--order-created": [Checkout],
    "failed-declined-payment--order-updated": [Checkout],
    "failed-declined-payment--order-created": [Checkout],
    "classic-checkout-cod--order-created": [Order],
    "classic-checkout-cod--order-updated": [Order],
    "classic-pending--order-created": [Checkout],
    "classic-pending--order-updated": [Checkout],
    "classic-pending-cancelled-by-hold-stock--order-updated": [Checkout],
    "checkout-creates-account--customer-created": [Customer],
    "checkout-creates-account--customer-updated": [Customer],
    "checkout-creates-account--order-created": [Order],
    "checkout-creates-account--order-updated": [Order],
    "logged-in-draft--order-updated": [Checkout],
    "order-restored--order-restored": [Checkout],
    "order-full-refund--order-updated": [Order],
    "order-created-by-rest--order-created": [Order],
    "order-created-by-rest--order-updated": [Order],
    "customer-created-rest--customer-created": [Customer],
    "customer-created-rest--customer-updated": [Customer],
    "customer-updated-phone--customer-updated": [Customer],
    "customer-deleted--customer-deleted": [Removed],
    "wp-admin-adds-subscriber--customer-created": [Customer],
    "order-uses-coupon--order-updated": [Order],
    "order-uses-coupon--order-created": [Order],
    "logged-in-order-cod--order-updated": [Order],
    "logged-in-order-cod--customer-updated": [Customer],
    "logged-in-order-cod--order-created": [Order],
    "signed-error-body-order-gone--order-updated": "store_error_body",
    "signed-error-body-owner-lost-rights--order-updated": "store_error_body",
}


@pytest.mark.parametrize("path", files("webhooks"))
def test_every_recorded_delivery_means_what_it_should(path: Path) -> None:
    found, _, body = delivery(path)
    expected = EXPECTED.get(found["case"])
    if found["topic"] in ASKED:
        body_says = json.loads(body)
        number = str(body_says.get("id") or body_says["arg"])
        assert platform().parse(DeliveryContext(found["topic"], AT, "FR"), body) == [
            Stale(kind, number, AT) for kind in ASKED[found["topic"]]
        ]
    elif expected is None:
        assert found["topic"] not in platform().topics, "a topic of ours needs a row in the table"
        assert platform().parse(DeliveryContext(found["topic"], AT, "FR"), body) == []
    elif isinstance(expected, str):
        with pytest.raises(PayloadError) as caught:
            platform().parse(DeliveryContext(found["topic"], AT, "FR"), body)
        assert caught.value.reason == expected
    else:
        assert [type(event) for event in platform().parse(DeliveryContext(found["topic"], AT, "FR"), body)] == expected


@pytest.mark.parametrize("path", files("webhooks"))
def test_every_recorded_signature_verifies_and_pings_are_pings(path: Path) -> None:
    found, headers, body = delivery(path)
    if found["topic"] == "ping":
        assert platform().is_ping(headers, body)
        return
    secret = found["secret"].encode()
    meta = platform().verify(headers, body, [secret], "shop")
    assert meta.topic == found["topic"]
    assert not platform().is_ping(headers, body)
    with pytest.raises(BadSignature):
        platform().verify(headers, body, [secret + b"x"], "shop")


@pytest.mark.parametrize("pair", files("webhooks", "071-*"))
def test_two_recorded_deliveries_that_share_an_id_have_different_keys(pair: Path) -> None:
    keys = set()
    for path in (pair, next(pair.parent.glob("072-*"))):
        found, headers, body = delivery(path)
        keys.add(platform().verify(headers, body, [found["secret"].encode()], "shop").key)
    assert len(keys) == 2


@pytest.mark.parametrize("path", files("webhooks", "004-*"))
def test_a_recorded_draft_has_the_prices_that_the_shop_showed(path: Path) -> None:
    (found,) = platform().parse(DeliveryContext("order.updated", AT, "FR"), delivery(path)[2])
    assert isinstance(found, Checkout)
    assert (str(found.total), found.email) == ("55.68", "aurelie.fontaine@example.net")
    assert [(line.quantity, str(line.unit_price), str(line.total)) for line in found.lines] == [(2, "24.90", "49.80")]
    assert found.checkout_phone is not None
    assert found.checkout_phone.e164 == "+33645678901"
    assert found.recovery_url == "https://localhost:8443/checkout-link/?products=16:2"


@pytest.mark.parametrize("path", files("rest", "001-*"))
def test_a_webhook_is_made_as_it_was_recorded_and_read_from_the_answer(path: Path) -> None:
    asked: list[httpx2.Request] = []
    found = load(path)

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answered(found)

    wanted = json.loads(found["request"]["body"])
    made = client.create_webhook(call(answer), "order.created", wanted["delivery_url"], wanted["secret"])
    assert (made.id, made.topic, made.status, made.delivery_url) == (76, "order.created", "active", wanted["delivery_url"])
    assert (asked[0].method, asked[0].url.path) == (found["request"]["method"], found["request"]["path"])
    assert json.loads(asked[0].content) == {**wanted, "status": "active"}


@pytest.mark.parametrize("path", files("rest", "002-*"))
def test_recorded_webhooks_can_be_read(path: Path) -> None:
    webhooks = client.list_webhooks(call(lambda _: answered(load(path))))
    assert [webhook.status for webhook in webhooks] == ["active"] * 3


@pytest.mark.parametrize("path", files("rest", "06[234]-*"))
def test_what_the_store_refuses_of_a_webhook_is_final_and_in_its_words(path: Path) -> None:
    """062 is a delete without `force`, which we never leave out; 063 an unknown topic, 064 an address that is none."""
    found = load(path)
    one = call(lambda _: answered(found))
    is_deletion = found["request"]["method"] == "DELETE"
    ask = (
        partial(client.delete_webhook, one, 95)
        if is_deletion
        else partial(client.create_webhook, one, "order.created", "https://c.example/", "s")
    )
    with pytest.raises(Rejected) as caught:
        ask()
    assert caught.value.status == found["response"]["status"]
    assert found["response"]["json"]["code"] in str(caught.value)


def answered(found: dict[str, Any]) -> httpx2.Response:
    return httpx2.Response(found["response"]["status"], json=found["response"]["json"])


def call(answer: Callable[[httpx2.Request], httpx2.Response]) -> Call:
    return Call(Transport(inner=httpx2.MockTransport(answer)), ACCESS)
