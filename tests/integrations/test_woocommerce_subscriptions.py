"""WooCommerce webhooks made and healed, against a small store kept in memory."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from connector.config import Settings
from connector.platforms import Rejected, TransientError
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.subscriptions import TOPICS
from tests.integrations.woo_kit import ACCESS, rest_error

ADDRESS = "https://connector.example/webhooks/woocommerce/shop-seven"


def platform(store: Callable[[httpx2.Request], httpx2.Response]) -> WooCommercePlatform:
    """The adapter with this store."""
    return WooCommercePlatform(Transport(inner=httpx2.MockTransport(store)), Settings(_env_file=None))


class WebhookStore:
    """A store's webhooks over REST: never shows secrets, wants `force` to delete, lists newest pages by id."""

    def __init__(self) -> None:
        self.webhooks: dict[int, dict[str, Any]] = {}
        self.secrets: dict[int, str] = {}
        self.calls: list[str] = []
        self.answers_lost = 0

    def add(self, topic: str, address: str = ADDRESS, status: str = "active", secret: str = "old") -> int:
        number = max(self.webhooks, default=0) + 1
        resource, event = topic.split(".", 1)
        self.webhooks[number] = {
            "id": number,
            "name": topic,
            "status": status,
            "topic": topic,
            "resource": resource,
            "event": event,
            "delivery_url": address,
        }
        self.secrets[number] = secret
        return number

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        tail = request.url.path.removeprefix("/wp-json/wc/v3/webhooks").strip("/")
        params = dict(request.url.params)
        self.calls.append(f"{request.method} {tail}".strip())
        if request.method == "GET":
            start = (int(params["page"]) - 1) * int(params["per_page"])
            return httpx2.Response(200, json=list(self.webhooks.values())[start : start + int(params["per_page"])])
        if request.method == "POST":
            body = json.loads(request.content)
            number = self.add(body["topic"], body["delivery_url"], body["status"], body["secret"])
            if self.answers_lost:
                self.answers_lost -= 1
                return httpx2.Response(502, content=b"<html>")
            return httpx2.Response(201, json=self.webhooks[number])
        if params.get("force") != "true":
            return rest_error("woocommerce_rest_trash_not_supported", 501, "no bin")
        if int(tail) not in self.webhooks:
            return rest_error("woocommerce_rest_shop_webhook_invalid_id", 404, "Invalid ID.")
        return httpx2.Response(200, json=self.webhooks.pop(int(tail)))

    def ours(self) -> list[tuple[str, str]]:
        return sorted((webhook["topic"], webhook["status"]) for webhook in self.webhooks.values() if webhook["delivery_url"] == ADDRESS)


ALL_ACTIVE = sorted((topic, "active") for topic in TOPICS)


def test_a_new_shop_gets_every_topic_with_its_secret() -> None:
    store = WebhookStore()
    found = platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert (found.present, found.created) == ((), TOPICS)
    assert store.ours() == ALL_ACTIVE
    assert set(store.secrets.values()) == {"shopSecret123"}


def test_subscribing_twice_makes_nothing_new() -> None:
    store = WebhookStore()
    platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    store.calls.clear()
    found = platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert (found.present, found.created) == (TOPICS, ())
    assert store.calls == ["GET"]


@pytest.mark.parametrize("status", ["disabled", "paused"])
def test_a_webhook_that_was_switched_off_is_made_anew(status: str) -> None:
    store = WebhookStore()
    platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    off = next(number for number, webhook in store.webhooks.items() if webhook["topic"] == "order.updated")
    store.webhooks[off]["status"] = status
    found = platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert found.created == ("order.updated",)
    assert off not in store.webhooks
    assert store.ours() == ALL_ACTIVE


def test_foreign_webhooks_are_left_alone_even_on_later_pages() -> None:
    store = WebhookStore()
    for _ in range(205):
        store.add("order.updated", "https://elsewhere.example/hook", "disabled")
    store.add("product.restored", ADDRESS)
    mine = store.add("order.updated")
    found = platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert found.present == ("order.updated",)
    assert mine in store.webhooks
    assert len([webhook for webhook in store.webhooks.values() if "elsewhere" in webhook["delivery_url"]]) == 205
    assert ("product.restored", "active") in store.ours()


def test_a_second_webhook_of_the_same_topic_is_removed() -> None:
    store = WebhookStore()
    store.add("order.created")
    store.add("order.created")
    platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert store.ours() == ALL_ACTIVE


def test_a_webhook_deleted_meanwhile_does_no_harm() -> None:
    store = WebhookStore()
    store.add("order.created", status="disabled")

    def forgetful(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            store.webhooks.clear()
        return store(request)

    assert platform(forgetful).subscribe(ACCESS, ADDRESS, "shopSecret123").created == TOPICS


def test_a_lost_answer_makes_no_second_webhook() -> None:
    store = WebhookStore()
    store.answers_lost = 1
    with pytest.raises(TransientError):
        platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    platform(store).subscribe(ACCESS, ADDRESS, "shopSecret123")
    assert store.ours() == ALL_ACTIVE


@pytest.mark.parametrize("secret", ["", "a&b", "é", "with space", "x" * 201])
def test_a_secret_that_woocommerce_would_change_is_refused_before_any_call(secret: str) -> None:
    store = WebhookStore()
    with pytest.raises(Rejected):
        platform(store).subscribe(ACCESS, ADDRESS, secret)
    assert store.calls == []
