"""Calls to a WooCommerce store: what each kind of answer means, lists, counts, batches."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import respx

from connector.platforms import Access, AccessLost, Gone, NotPermitted, PlatformError, Rejected, ThrottledError, TransientError
from integrations.transport import Transport
from integrations.woocommerce import client, reading
from integrations.woocommerce.calling import Call
from integrations.woocommerce.pace import pace_of
from tests.integrations.bridge import respx2  # noqa: F401
from tests.integrations.woo_kit import ACCESS, BASE, KEYS, WooStore, order

Handler = Callable[[httpx2.Request], httpx2.Response]


def call(handler: Handler, access: Access = ACCESS) -> Call:
    return Call(Transport(inner=httpx2.MockTransport(handler)), access)


def answers(status: int, body: Any = None, **more: Any) -> Handler:
    return lambda _: httpx2.Response(status, json=body, **more)


def said(code: str, message: str, status: int) -> dict[str, Any]:
    return {"code": code, "message": message, "data": {"status": status}}


# ---------------------------------------------------------------- errors

NO_RIGHT = said("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, NO_RIGHT, AccessLost),
        (401, said("woocommerce_rest_authentication_error", "Consumer secret is invalid.", 401), AccessLost),
        (
            401,
            said("woocommerce_rest_authentication_error", "The API key provided does not have write permissions.", 401),
            NotPermitted,
        ),
        (403, said("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.", 403), AccessLost),
        (401, said("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources.", 401), AccessLost),
        (401, said("rest_not_logged_in", "You are not currently logged in.", 401), NotPermitted),
        (401, {"code": 401, "message": "Coming soon"}, NotPermitted),
        (403, said("rest_forbidden", "Sorry.", 403), NotPermitted),
        (404, said("rest_no_route", "No route was found.", 404), TransientError),
        (404, said("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404), Gone),
        (400, said("rest_invalid_param", "Invalid parameter(s): per_page", 400), Rejected),
        (413, said("woocommerce_rest_request_entity_too_large", "Too many.", 413), Rejected),
        (501, said("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501), Rejected),
        (500, said("internal_server_error", "There has been a critical error.", 500), TransientError),
        (429, said("too_many", "Slow down.", 429), ThrottledError),
        (503, None, TransientError),
        (301, None, TransientError),
    ],
)
def test_each_answer_asks_the_right_thing_of_the_caller(status: int, body: Any, expected: type[PlatformError]) -> None:
    with pytest.raises(PlatformError) as caught:
        client.list_webhooks(call(answers(status, body)))
    assert type(caught.value) is expected
    assert (caught.value.platform, caught.value.call, caught.value.status) == ("woocommerce", "webhooks", status)


PAGES = [b"<html>Blocked</html>", b"", b"401 Authorization Required", b'"Maintenance"', b'{"error": "maintenance"}', b"[]", b"\xff"]
"""A firewall's page, a password wall's, one about maintenance: none of them is WooCommerce's own word."""


@pytest.mark.parametrize("status", [401, 403, 404, 408, 500, 503])
@pytest.mark.parametrize("body", PAGES)
def test_a_page_of_a_firewall_or_proxy_is_transient(status: int, body: bytes) -> None:
    headers = {"content-type": "text/html", "www-authenticate": 'Basic realm="Staging"'}
    with pytest.raises(TransientError) as caught:
        client.list_webhooks(call(lambda _: httpx2.Response(status, content=body, headers=headers)))
    assert (type(caught.value), caught.value.status) == (TransientError, status)


@pytest.mark.parametrize(("told", "seconds"), [("7", 7), ("600", 60), ("soon", 2)])
def test_a_503_that_says_when_to_come_back_is_a_throttle_and_never_a_long_one(told: str, seconds: float) -> None:
    """WordPress's maintenance page says ten minutes, whatever it does."""
    with pytest.raises(ThrottledError) as caught:
        client.list_webhooks(call(lambda _: httpx2.Response(503, content=b"<html>", headers={"retry-after": told})))
    assert (caught.value.retry_after, caught.value.status) == (seconds, 503)


@pytest.mark.parametrize("body", [b"<html>", b'[{"id":1', b"", json.dumps(NO_RIGHT).encode(), b"\xff"])
def test_an_unreadable_success_is_transient(body: bytes) -> None:
    with pytest.raises(TransientError):
        client.list_webhooks(call(lambda _: httpx2.Response(200, content=body)))


READS: dict[str, Callable[[Call], object]] = {
    "products": lambda one: reading.products(one, ["5"]),
    "orders": lambda one: reading.orders_since(one, BASE),
    "coupons": lambda one: client.list_records(one, "coupons", "wc/v3/coupons", {}),
    "carts": lambda one: client.list_records(one, "carts", "wc-connector/v1/carts", {}, key="token"),
    "count": lambda one: client.count_records(one, "count", "wc/v3/orders", {}),
    "order": lambda one: client.read_record(one, "order", "wc/v3/orders/5"),
    "webhooks": client.list_webhooks,
    "settings_general": lambda one: client.read_settings(one, "general"),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    "body", [{}, {"orders": []}, {"1": {"id": 5}}, None, "", 0, [[]], [None], [{}], {"id": None}, [{"id": "x"}, {"token": 5}]]
)
def test_what_is_no_list_of_records_never_reads_as_none(name: str, body: Any) -> None:
    """An object where a list is due, or a list of something else: a plugin, a cache or a proxy answered."""
    with pytest.raises(TransientError) as caught:
        READS[name](call(lambda _: httpx2.Response(200, content=json.dumps(body))))
    assert (type(caught.value), caught.value.call) == (TransientError, name)


def test_the_stores_words_are_kept_without_addresses() -> None:
    error = said("registration-error-email-exists", "An account is already registered with gil@courriel.example. Log in.", 400)
    with pytest.raises(Rejected) as caught:
        client.list_webhooks(call(answers(400, error)))
    assert str(caught.value) == "registration-error-email-exists: An account is already registered with … Log in."


def test_a_shop_without_kept_keys_has_lost_access() -> None:
    for credentials in ({}, {"consumer_key": "ck"}, {"consumer_key": "", "consumer_secret": "cs"}):
        with pytest.raises(AccessLost):
            client.list_webhooks(call(answers(200, []), Access(7, "galets.example", credentials)))


def test_keys_go_as_basic_over_https_and_the_path_of_a_store_in_a_folder_is_kept(respx2: respx.MockRouter) -> None:  # noqa: F811
    route = respx2.get("https://galets.example/boutique/wp-json/wc/v3/settings/tax").respond(
        json=[{"id": "woocommerce_prices_include_tax", "value": "yes"}, {"id": "other", "value": ["no text"]}]
    )
    transport = Transport()
    found = client.read_settings(Call(transport, Access(7, "galets.example/boutique", KEYS)), "tax")
    transport.close()
    assert found == {"woocommerce_prices_include_tax": "yes"}
    assert route.calls.last.request.headers["authorization"].startswith("Basic ")


# ---------------------------------------------------------------- lists and counts


def test_a_list_says_how_long_it_is_and_when_it_was_answered() -> None:
    store = WooStore().put("orders", [order(number, BASE) for number in range(1, 26)])
    found = client.list_records(store.call, "orders", "wc/v3/orders", {"per_page": "10", "page": "3"})
    assert (len(found.records), found.pages, found.total) == (5, 3, 25)
    assert found.answered_at == datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_records_without_a_number_keep_their_place() -> None:
    found = client.list_records(call(answers(200, [{"id": 5}, {"id": "?"}, {"id": True}, {"id": -1}, {}])), "orders", "wc/v3/orders", {})
    assert (found.ids, len(found.records)) == (["5", "", "", "", ""], 5)


@pytest.mark.parametrize("header", ["", "many", "-1", "9" * 20, "\u0661"])
def test_a_total_that_is_no_number_is_none(header: str) -> None:
    headers = [(b"x-wp-total", header.encode()), (b"x-wp-totalpages", header.encode())]
    one = call(lambda _: httpx2.Response(200, json=[{"id": 5}], headers=headers))
    found = client.list_records(one, "orders", "wc/v3/orders", {})
    assert (found.pages, found.total) == (None, None)
    with pytest.raises(TransientError, match="how many"):
        client.count_records(one, "count", "wc/v3/orders", {})


def test_counting_asks_for_one_number_only() -> None:
    store = WooStore().put("orders", [order(number, BASE) for number in range(1, 26)])
    assert client.count_records(store.call, "count", "wc/v3/orders", {"status": "any"}) == 25
    assert store.asked == [("wc/v3/orders", {"status": "any", "per_page": "1", "page": "1", "_fields": "id"})]


def test_a_record_that_is_gone_is_gone() -> None:
    with pytest.raises(Gone):
        client.read_record(WooStore().put("orders", []).call, "order", "wc/v3/orders/5")


# ---------------------------------------------------------------- batches

REFUSED = {"id": 0, "error": {"code": "woocommerce_rest_coupon_code_already_exists", "message": "…", "data": {"status": 400}}}


def test_a_batch_tells_of_each_record_whether_it_was_done() -> None:
    sent: list[httpx2.Request] = []

    def store(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        gone = {"id": 9, "error": {"code": "woocommerce_rest_shop_coupon_invalid_id", "message": "Invalid ID."}}
        return httpx2.Response(200, json={"create": [{"id": 163, "code": "lot-a"}, REFUSED], "update": [{"id": 4}], "delete": [gone]})

    made = client.batch(call(store), "coupons", create=[{"code": "lot-a"}, {"code": "LOT-A"}], update=[{"id": 4}], delete=[9])
    assert [(told.id, told.error.code if told.error else None) for told, _ in made.create] == [
        (163, None),
        (0, "woocommerce_rest_coupon_code_already_exists"),
    ]
    assert json.loads(bytes(made.create[0][1])) == {"id": 163, "code": "lot-a"}
    assert [told.error for told, _ in made.update] == [None]
    assert [told.error is None for told, _ in made.delete] == [False]
    assert (sent[0].method, sent[0].url.path) == ("POST", "/wp-json/wc/v3/coupons/batch")
    assert json.loads(sent[0].content) == {"create": [{"code": "lot-a"}, {"code": "LOT-A"}], "update": [{"id": 4}], "delete": [9]}


@pytest.mark.parametrize(
    "body",
    [{}, {"create": []}, {"create": [REFUSED, REFUSED]}, {"create": [5]}, {"create": ["x"]}, [], None, {"create": [{"error": "no"}]}],
)
def test_a_batch_that_is_not_told_of_whole_is_unclear(body: Any) -> None:
    with pytest.raises(TransientError) as caught:
        client.batch(call(answers(200, body)), "coupons", create=[{"code": "a"}])
    assert (type(caught.value), caught.value.call) == (TransientError, "coupons_batch")


def test_a_batch_of_more_than_a_hundred_is_not_sent() -> None:
    store = WooStore()
    with pytest.raises(Rejected):
        client.batch(store.call, "coupons", create=[{"code": str(n)} for n in range(60)], delete=list(range(41)))
    assert store.asked == []


# ---------------------------------------------------------------- what comes back broken


@pytest.mark.parametrize("cut", [1, 200, -2])
def test_an_answer_that_stops_in_its_middle_is_transient(cut: int) -> None:
    whole = json.dumps([order(number, BASE) for number in range(1, 20)]).encode()
    with pytest.raises(TransientError):
        client.list_records(call(lambda _: httpx2.Response(200, content=whole[:cut])), "orders", "wc/v3/orders", {})


@pytest.mark.parametrize("failure", [httpx2.ReadTimeout, httpx2.ConnectTimeout, httpx2.ConnectError, httpx2.RemoteProtocolError])
def test_a_store_that_does_not_answer_is_asked_later_and_for_less(failure: type[httpx2.HTTPError]) -> None:
    def silence(request: httpx2.Request) -> httpx2.Response:
        raise failure("nothing")

    one = call(silence)
    with pytest.raises(TransientError):
        client.read_record(one, "order", "wc/v3/orders/5")
    assert pace_of(one.transport, ACCESS.domain).records == 50
