"""Calls to a WooCommerce store: errors, paging, products. The store is a small one kept in memory."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import respx

from connector.config import Settings
from connector.platforms import Access, AccessLost, Gone, NotPermitted, PlatformError, Rejected, ThrottledError, TransientError
from integrations.transport import Transport
from integrations.woocommerce import client
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.client import Call
from tests.integrations.bridge import respx2  # noqa: F401

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"
KEYS = {"consumer_key": "ck_" + "0a" * 20, "consumer_secret": "cs_" + "1b" * 20}
ACCESS = Access(shop_id=7, domain="galets.example", credentials=KEYS)
BASE = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC)
Handler = Callable[[httpx2.Request], httpx2.Response]


def platform(handler: Handler) -> WooCommercePlatform:
    return WooCommercePlatform(Transport(inner=httpx2.MockTransport(handler)), Settings(_env_file=None))


def call(handler: Handler, access: Access = ACCESS) -> Call:
    return Call(Transport(inner=httpx2.MockTransport(handler)), access)


def answers(status: int, body: Any = None, **more: Any) -> Handler:
    return lambda _: httpx2.Response(status, json=body, **more)


def rest_error(code: str, message: str, status: int) -> dict[str, Any]:
    return {"code": code, "message": message, "data": {"status": status}}


# ---------------------------------------------------------------- errors

NO_RIGHT = rest_error("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, NO_RIGHT, AccessLost),
        (401, rest_error("woocommerce_rest_authentication_error", "Consumer secret is invalid.", 401), AccessLost),
        (
            401,
            rest_error("woocommerce_rest_authentication_error", "The API key provided does not have write permissions.", 401),
            NotPermitted,
        ),
        (403, rest_error("woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.", 403), AccessLost),
        (401, rest_error("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources.", 401), AccessLost),
        (401, rest_error("rest_not_logged_in", "You are not currently logged in.", 401), NotPermitted),
        (401, {"code": 401, "message": "Coming soon"}, NotPermitted),
        (403, rest_error("rest_forbidden", "Sorry.", 403), NotPermitted),
        (404, rest_error("rest_no_route", "No route was found.", 404), TransientError),
        (404, rest_error("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404), Gone),
        (400, rest_error("rest_invalid_param", "Invalid parameter(s): per_page", 400), Rejected),
        (413, rest_error("woocommerce_rest_request_entity_too_large", "Too many.", 413), Rejected),
        (501, rest_error("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501), Rejected),
        (500, rest_error("internal_server_error", "There has been a critical error.", 500), TransientError),
        (429, rest_error("too_many", "Slow down.", 429), ThrottledError),
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


@pytest.mark.parametrize("body", [b"<html>", b'[{"id":1', b"", json.dumps(NO_RIGHT).encode(), b"\xff"])
def test_an_unreadable_success_is_transient(body: bytes) -> None:
    with pytest.raises(TransientError):
        client.list_webhooks(call(lambda _: httpx2.Response(200, content=body)))


READS: dict[str, Callable[[Call], object]] = {
    "products": lambda one: client.read_products(one, ["5"]),
    "orders": lambda one: client.read_orders(one, BASE, 1),
    "webhooks": client.list_webhooks,
    "settings_general": lambda one: client.read_settings(one, "general"),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("body", [{}, {"orders": []}, {"1": {"id": 5}}, None, "", 0, [[]], [None], [{}]])
def test_what_is_no_list_of_records_never_reads_as_none(name: str, body: Any) -> None:
    """An object where a list is due, or a list of something else: a plugin, a cache or a proxy answered."""
    with pytest.raises(TransientError) as caught:
        READS[name](call(lambda _: httpx2.Response(200, content=json.dumps(body))))
    assert (type(caught.value), caught.value.call) == (TransientError, name)


def test_the_stores_words_are_kept_without_addresses() -> None:
    error = rest_error("registration-error-email-exists", "An account is already registered with gil@courriel.example. Log in.", 400)
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


# ---------------------------------------------------------------- products


def test_products_come_back_with_the_missing_ones_as_deleted() -> None:
    asked: list[dict[str, str]] = []

    def store(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        headers = {"date": "Sat, 21 Nov 2026 09:00:00 GMT"}
        return httpx2.Response(200, content=(PAYLOADS / "rest" / "products.json").read_bytes(), headers=headers)

    found = platform(store).read_products(ACCESS, ["210", "220", "999", "999", "abc"])
    assert [(product.platform_id, product.is_deleted) for product in found] == [
        ("210", False),
        ("220", False),
        ("999", True),
        ("abc", True),
    ]
    assert found[2].source_version == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    assert asked == [{"include": "210,220,999", "per_page": "100", "status": "any"}]


@pytest.mark.parametrize(
    ("date", "version"),
    [("nonsense", datetime(1970, 1, 1, tzinfo=UTC)), ("Sat, 21 Nov 2026 09:00:00 -0000", datetime(2026, 11, 21, 9, tzinfo=UTC))],
)
def test_an_absence_counts_from_the_answers_date_if_it_has_one(date: str, version: datetime) -> None:
    (gone,) = platform(answers(200, [], headers={"date": date})).read_products(ACCESS, ["5"])
    assert (gone.is_deleted, gone.source_version) == (True, version)


def test_no_ids_ask_nothing() -> None:
    def never(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(request.url)

    assert platform(never).read_products(ACCESS, []) == []
    assert [product.is_deleted for product in platform(never).read_products(ACCESS, ["x"])] == [True]


def test_an_unreadable_product_is_left_out_and_not_called_deleted() -> None:
    body = [{"id": 5, "name": "Bol", "date_modified_gmt": "someday"}, {"id": 6, "name": "Bol", "date_modified_gmt": "2026-11-01T00:00:00"}]
    found = platform(answers(200, body)).read_products(ACCESS, ["5", "6"])
    assert [(product.platform_id, product.is_deleted) for product in found] == [("6", False)]


# ---------------------------------------------------------------- orders


class OrderStore:
    """Orders as WooCommerce lists them: strictly after, whole seconds, by time of change, pages of 100."""

    def __init__(self, count: int, every: timedelta, status: str = "processing") -> None:
        self.template: dict[str, Any] = json.loads((PAYLOADS / "order_updated__processing_paid.json").read_bytes())
        self.orders = [self.order(1000 + n, BASE + every * n, status) for n in range(count)]
        self.asked: list[dict[str, str]] = []
        self.between: Callable[[], None] = lambda: None

    def order(self, number: int, at: datetime, status: str = "processing") -> dict[str, Any]:
        return {**self.template, "id": number, "status": status, "date_modified_gmt": at.strftime("%Y-%m-%dT%H:%M:%S")}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        params = dict(request.url.params)
        self.asked.append(params)
        assert (params["dates_are_gmt"], params["orderby"], params["order"], params["per_page"]) == ("true", "modified", "asc", "100")
        assert "Z" not in params["modified_after"]
        matching = sorted(
            (order for order in self.orders if order["date_modified_gmt"] > params["modified_after"]),
            key=lambda order: (order["date_modified_gmt"], order["id"]),
        )
        start = (int(params["page"]) - 1) * 100
        answer = httpx2.Response(200, json=matching[start : start + 100])
        self.between()
        return answer


def test_orders_changed_in_the_very_second_are_included() -> None:
    store = OrderStore(3, timedelta(seconds=10))
    found = platform(store).read_orders_since(ACCESS, BASE + timedelta(seconds=10, microseconds=900))
    assert [order.platform_id for order in found] == ["1001", "1002"]
    assert store.asked[0]["modified_after"] == "2026-11-20T08:00:09"


def test_all_pages_are_read_and_each_order_comes_once() -> None:
    found = platform(OrderStore(250, timedelta(seconds=1))).read_orders_since(ACCESS, BASE)
    assert [order.platform_id for order in found] == [str(1000 + n) for n in range(250)]


def test_exactly_one_full_page_ends() -> None:
    store = OrderStore(100, timedelta(seconds=1))
    assert len(platform(store).read_orders_since(ACCESS, BASE)) == 100
    assert len(store.asked) == 2


def test_many_orders_of_one_second_are_paged() -> None:
    assert len(platform(OrderStore(230, timedelta(0))).read_orders_since(ACCESS, BASE)) == 230


def test_an_order_that_changes_while_pages_are_read_hides_no_other() -> None:
    store = OrderStore(150, timedelta(seconds=1))

    def touch_the_first() -> None:
        store.orders[0] = store.order(1000, BASE + timedelta(hours=1))
        store.between = lambda: None

    store.between = touch_the_first
    found = platform(store).read_orders_since(ACCESS, BASE)
    assert {order.platform_id for order in found} == {str(1000 + n) for n in range(150)}
    assert found[-1].platform_id == "1000"
    assert found[-1].source_version == BASE + timedelta(hours=1)


def test_an_order_that_loses_its_place_while_pages_are_read_is_not_told() -> None:
    store = OrderStore(101, timedelta(seconds=1))

    def cancel_the_first() -> None:
        store.orders[0] = {**store.order(1000, BASE + timedelta(hours=1), "cancelled"), "date_paid_gmt": None}
        store.between = lambda: None

    store.between = cancel_the_first
    assert "1000" not in {order.platform_id for order in platform(store).read_orders_since(ACCESS, BASE)}


def test_drafts_pending_and_failed_orders_are_no_orders() -> None:
    for status in ("checkout-draft", "pending", "failed", "trash"):
        assert platform(OrderStore(3, timedelta(seconds=1), status)).read_orders_since(ACCESS, BASE) == []


def test_one_order_that_makes_no_sense_stops_nothing() -> None:
    store = OrderStore(102, timedelta(seconds=1))
    store.orders[99]["total"] = "a lot"
    store.orders[100] = {"id": "?", "date_modified_gmt": store.orders[100]["date_modified_gmt"]}
    found = platform(store).read_orders_since(ACCESS, BASE)
    assert len(found) == 100


def test_a_page_of_nothing_but_nonsense_is_passed() -> None:
    store = OrderStore(101, timedelta(seconds=1))
    for order in store.orders[:100]:
        order["currency"] = "?"
    assert [order.platform_id for order in platform(store).read_orders_since(ACCESS, BASE)] == ["1100"]


def test_a_store_that_answers_every_page_alike_is_not_asked_for_ever() -> None:
    store = OrderStore(100, timedelta(0))
    frozen = httpx2.Response(200, json=store.orders)
    asked: list[str] = []

    def cached(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.params["page"])
        return frozen

    with pytest.raises(TransientError, match="caches"):
        platform(cached).read_orders_since(ACCESS, BASE)
    assert asked == ["1", "2"]
