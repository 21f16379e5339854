"""The pretend WooCommerce store against what a real one answered: the same question, the same answer."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from integrations.sandbox.woocommerce_store import Contact
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.recorded_kit import STORE, keys
from tests.integrations.sandbox_app import Clock, PlayedApp, install_woocommerce, played, recorded, reset_woocommerce, sent, subscribe


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("recorded"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_woocommerce(running, clock)
    yield running
    running.world.settle()


@pytest.fixture
def shop(app: PlayedApp) -> WooCommerceTwin:
    return app.world.woocommerce


ERRORS = (
    "005-order-gone-404",
    "046-error-status-unknown",
    "047-error-status-wc-prefix",
    "048-error-per-page-101",
    "049-error-modified-after-date-only",
    "050-error-customers-orderby-modified",
    "052-error-no-route",
    "053-error-order-404",
    "054-error-customer-404",
    "062-error-webhook-delete-needs-force",
    "063-error-webhook-bad-topic",
    "064-error-webhook-bad-url",
    "067-error-invalid-json",
)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_the_recorded_one(app: PlayedApp, name: str) -> None:
    one = recorded(f"woocommerce/rest/{name}.json")
    asked, answered = one["request"], one["response"]
    path = asked["path"].removeprefix("/wp-json")
    if "webhooks/" in path:
        path = f"/wc/v3/webhooks/{subscribe(app, 'order.restored')['id']}"
    url, auth = f"{STORE}/wp-json{path}", (app.keys["consumer_key"], app.keys["consumer_secret"])
    headers = {"content-type": "application/json"} if asked.get("body") else {}
    given = {"content": asked["body"].encode()} if asked.get("body") else {}
    query = dict(parse_qsl(asked["query"]))
    answer = app.client.send("woocommerce", "test", asked["method"], url, params=query, headers=headers, auth=auth, **given)
    assert (answer.status, json.loads(answer.body)) == (answered["status"], answered["json"])


@pytest.mark.parametrize("name", ["060-error-customer-email-exists", "061-error-customer-delete-needs-force"])
def test_an_error_about_a_customer_is_the_recorded_one(app: PlayedApp, shop: WooCommerceTwin, name: str) -> None:
    one = recorded(f"woocommerce/rest/{name}.json")
    number = shop.add_customer(Contact("zoe.lefevre@example.com"))
    path = f"/wc/v3/customers/{number}" if one["request"]["method"] == "DELETE" else "/wc/v3/customers"
    status, body, _ = app.rest(one["request"]["method"], path, json.loads(one["request"]["body"] or "{}"))
    assert (status, body) == (one["response"]["status"], one["response"]["json"])


@pytest.mark.parametrize(
    ("name", "scope"),
    [("065-error-read-key-writes", "read"), ("066-error-write-key-reads", "write"), ("070-error-bad-secret", "read_write")],
)
def test_a_key_that_does_not_fit_is_answered_as_recorded(app: PlayedApp, name: str, scope: str) -> None:
    one = recorded(f"woocommerce/rest/{name}.json")
    install_woocommerce(app, scope)
    if "secret" in name:
        app.keys = {**app.keys, "consumer_secret": "cs_wrong"}
    path = one["request"]["path"].removeprefix("/wp-json")
    status, body, _ = app.rest(one["request"]["method"], path, {"code": "q"} if one["request"]["method"] == "POST" else None)
    assert (status, body) == (one["response"]["status"], one["response"]["json"])


@pytest.mark.parametrize(
    "name", ["068-error-no-auth", "069-error-unknown-key", "071-error-basic-over-plain-http", "072-error-plain-permalink-route"]
)
def test_a_call_without_a_usable_key_is_answered_as_recorded(app: PlayedApp, name: str) -> None:
    one = recorded(f"woocommerce/rest/{name}.json")
    auth = (app.keys["consumer_key"], app.keys["consumer_secret"])
    origin = app.world.browser_map[STORE] if "plain-http" in name else STORE
    auth = {"068-error-no-auth": ("", ""), "069-error-unknown-key": ("ck_unknown", "cs_unknown")}.get(name, auth)
    url = f"{origin}/?rest_route=/wc/v3/orders" if "permalink" in name else f"{origin}/wp-json/wc/v3/orders"
    answer = app.client.send("woocommerce", "test", "GET", url, auth=auth)
    assert (answer.status, json.loads(answer.body)) == (one["response"]["status"], one["response"]["json"])


def test_orders_past_the_end_forget_their_totals_and_customers_do_not(app: PlayedApp, shop: WooCommerceTwin) -> None:
    shop.open_checkout([("BOUG-LAV", 1)])
    shop.add_customer(Contact("zoe@example.com"))
    one = recorded("woocommerce/rest/029-orders-page-beyond.json")["response"]
    theirs = {name.lower(): value for name, value in one["headers"]}
    _, orders, headers = app.rest("GET", "/wc/v3/orders", page="9")
    totals = ("x-wp-total", "x-wp-totalpages")
    assert (orders, [headers[name] for name in totals]) == (one["json"], [theirs[name] for name in totals])
    assert [app.rest("GET", "/wc/v3/customers", page="9")[2][name] for name in totals] == ["1", "1"]
    shop.store.hpos = False
    assert [app.rest("GET", "/wc/v3/orders", page="9")[2][name] for name in totals] == ["1", "1"]


def test_a_page_of_orders_names_its_neighbours_as_recorded(app: PlayedApp, shop: WooCommerceTwin) -> None:
    for _ in range(3):
        shop.open_checkout([("BOUG-LAV", 1)])
    theirs = dict(recorded("woocommerce/rest/026-orders-page-1.json")["response"]["headers"])["Link"]
    ours = app.rest("GET", "/wc/v3/orders", per_page="2", orderby="id", order="asc")[2]["link"]
    wanted = {"per_page", "page", "orderby", "order"}
    assert wanted <= dict(parse_qsl(urlsplit(theirs[1 : theirs.index(">")]).query)).keys()
    assert dict(parse_qsl(urlsplit(ours[1 : ours.index(">")]).query)) == {"per_page": "2", "page": "2", "orderby": "id", "order": "asc"}
    assert ours.endswith('rel="next"')
    assert theirs.endswith('rel="next"')


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("037-orders-modified-after-gmt", 1),
        ("038-orders-modified-after-gmt-equal", 0),
        ("039-orders-modified-after-zulu", 1),
        ("040-orders-modified-after-zulu-and-flag", 0),
    ],
)
def test_modified_after_finds_what_it_found_there(app: PlayedApp, shop: WooCommerceTwin, clock: Clock, name: str, found: int) -> None:
    one = recorded(f"woocommerce/rest/{name}.json")
    assert len(one["response"]["json"]) == found
    clock.at = datetime(2026, 11, 21, 21, 3, 21, tzinfo=UTC)
    shop.open_checkout([("BOUG-LAV", 1)])
    _, ours, _ = app.rest("GET", "/wc/v3/orders", **dict(parse_qsl(one["request"]["query"])))
    assert len(ours) == found
    assert [set(order) for order in ours] == [set(order) for order in one["response"]["json"]]


def test_fields_are_chosen_as_recorded(app: PlayedApp, shop: WooCommerceTwin) -> None:
    one = recorded("woocommerce/rest/041-orders-fields.json")
    shop.open_checkout([("BOUG-LAV", 1)])
    (ours,) = app.rest("GET", "/wc/v3/orders", **dict(parse_qsl(one["request"]["query"])))[1]
    assert keys(ours) == keys(one["response"]["json"][0])


def test_customers_are_those_with_the_role_and_modified_after_means_nothing(app: PlayedApp, shop: WooCommerceTwin) -> None:
    ignored = recorded("woocommerce/rest/051-customers-modified-after-ignored.json")
    everybody = recorded("woocommerce/rest/032-customers-role-all.json")
    assert ignored["response"]["json"]
    shop.add_customer(Contact("zoe@example.com"))
    shop.add_customer(Contact("lecteur@example.com"), role="subscriber")
    query = dict(parse_qsl(ignored["request"]["query"]))
    assert app.rest("GET", "/wc/v3/customers", **query)[2]["x-wp-total"] == "1"
    ours = app.rest("GET", "/wc/v3/customers", **dict(parse_qsl(everybody["request"]["query"])))[1]
    assert [one["role"] for one in ours] == ["subscriber", "customer"]
    assert everybody["response"]["json"][0]["role"] == "subscriber"


def test_variations_have_keys_that_recorded_ones_have(app: PlayedApp) -> None:
    theirs = recorded("woocommerce/rest/036-product-variations.json")["response"]["json"][0]
    for ours in app.rest("GET", "/wc/v3/products/36/variations")[1]:
        assert set(ours) <= set(theirs)


# Webhooks.


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("002-guest-adds-to-cart--action-add_to_cart", "action.woocommerce_add_to_cart"),
        ("031-order-trashed--order-deleted", "order.deleted"),
        ("033-order-deleted-for-good--action-delete_order", "action.woocommerce_delete_order"),
        ("040-customer-deleted--customer-deleted", "customer.deleted"),
        ("061-product-trashed-rest--product-deleted", "product.deleted"),
        ("062-product-trashed-rest--coupon-deleted", "coupon.deleted"),
        ("073-signed-error-body-order-gone--order-updated", "order.updated"),
        ("074-signed-error-body-owner-lost-rights--order-updated", "order.updated"),
    ],
)
def test_a_delivery_is_as_the_recorded_one(app: PlayedApp, shop: WooCommerceTwin, name: str, topic: str) -> None:
    theirs = recorded(f"woocommerce/webhooks/{name}.json")["request"]
    for one in (
        "product.deleted",
        "coupon.deleted",
        "customer.deleted",
        "action.woocommerce_delete_order",
        "action.woocommerce_add_to_cart",
    ):
        subscribe(app, one)
    app.heard.clear()
    with shop.deliveries.held():
        order_id = shop.open_checkout([("BOUG-LAV", 1)])
        shop.store.owner_has_rights = "lost-rights" not in name
        if "order-gone" in name:
            shop.delete_order(order_id)
    acts: dict[str, Callable[[], object]] = {
        "order.deleted": lambda: shop.trash_order(order_id),
        "action.woocommerce_delete_order": lambda: shop.delete_order(order_id),
        "customer.deleted": lambda: shop.delete_customer(shop.add_customer(Contact("zoe@example.com"))),
        "product.deleted": lambda: shop.trash_product("16", by_rest=True),
        "coupon.deleted": lambda: shop.trash_product("16", by_rest=True),
    }
    acts.get(topic, lambda: None)()
    ours = sent(app, topic)[-1]
    body, known = json.loads(theirs["body"]), json.loads(ours.body)
    assert list(known) == list(body)
    assert {key: type(value) for key, value in known.items()} == {key: type(value) for key, value in body.items()}
    assert {key: value for key, value in known.items() if key not in {"id", "arg"}} == {
        key: value for key, value in body.items() if key not in {"id", "arg"}
    }
    headers = {one.lower() for one, _ in theirs["headers"] if one.startswith("X-WC-")}
    assert headers == {one for one in ours.headers if one.startswith("x-wc-")}
    assert [ours.headers[f"x-wc-webhook-{part}"] for part in ("topic", "resource", "event")] == [
        dict(theirs["headers"])[f"X-WC-Webhook-{part}"] for part in ("Topic", "Resource", "Event")
    ]
