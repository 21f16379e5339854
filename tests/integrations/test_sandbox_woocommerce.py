"""The pretend WooCommerce's key grant and REST API, seen by a tiny app that plays our role."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from integrations.sandbox.woocommerce_store import Contact
from tests.integrations.sandbox_app import Clock, PlayedApp, install_woocommerce, played, recorded, reset_woocommerce, sent, subscribe

LEA = Contact("lea@example.com", "Léa", "Fournier", "06 45 67 89 01", "8 rue du Bac", "Paris", "75007")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("woocommerce"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_woocommerce(running, clock)
    yield running
    running.world.settle()


def authorize(**change: str) -> str:
    query = {"app_name": "Connector", "scope": "read_write", "user_id": "state-1", "return_url": "https://connector.test/done?plan=pro"}
    query |= {"callback_url": "https://connector.test/callback/woocommerce"} | change
    return "https://boutique.test/wc-auth/v1/authorize?" + urlencode({name: value for name, value in query.items() if value})


def test_approving_posts_fresh_keys_to_the_app_and_returns(app: PlayedApp) -> None:
    browser = app.world.browser()
    done = browser.click(browser.open(authorize()), "Approve")
    browser.close()
    assert done.url.endswith("/done?plan=pro&success=1&user_id=state-1")
    call = next(one for one in app.heard if one.path == "/callback/woocommerce")
    assert call.headers["content-type"] == "application/json;charset=UTF-8"
    assert call.headers["user-agent"] == "WordPress/6.9.7; https://boutique.test"
    assert list(call.json) == ["key_id", "user_id", "consumer_key", "consumer_secret", "key_permissions"]
    assert call.json["user_id"] == "state-1"
    assert app.rest("GET", "/wc/v3/orders")[0] == 200


def test_denying_returns_without_keys(app: PlayedApp) -> None:
    browser = app.world.browser()
    done = browser.click(browser.open(authorize()), "Deny")
    browser.close()
    assert done.url.endswith("/done?plan=pro&success=0&user_id=state-1")
    assert [one.path for one in app.heard] == ["/done"]


@pytest.mark.parametrize("answer", [201, 302, 500])
def test_a_callback_that_is_not_answered_exactly_200_deletes_the_key(app: PlayedApp, answer: int) -> None:
    app.statuses["/callback/woocommerce"] = answer
    browser = app.world.browser()
    page = browser.click(browser.open(authorize()), "Approve")
    browser.close()
    assert page.status == 401
    assert "unable to send the consumer data" in page.text
    assert app.rest("GET", "/wc/v3/orders")[1]["code"] == "woocommerce_rest_cannot_view"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"user_id": ""}, "Missing parameter user_id."),
        ({"scope": "everything"}, "Invalid scope everything."),
        ({"callback_url": "http://connector.test/cb"}, "The callback_url needs to be over SSL."),
        ({"return_url": "https://connector.test/é"}, "is not a valid URL."),
        ({"callback_url": "nonsense"}, "The nonsense is not a valid URL."),
    ],
)
def test_a_wrong_grant_request_is_refused_in_the_stores_words(app: PlayedApp, change: dict[str, str], words: str) -> None:
    browser = app.world.browser()
    page = browser.open(authorize(**change))
    browser.close()
    assert page.status == 401
    assert words in page.text


def test_keys_are_not_posted_to_a_server_that_our_ca_did_not_sign_nor_without_the_grant_page(app: PlayedApp) -> None:
    browser = app.world.browser()
    page = browser.click(browser.open(authorize(callback_url="https://nobody.invalid/cb")), "Approve")
    assert (page.status, len(app.world.woocommerce.store.keys)) == (401, 1)
    forged = authorize().replace("authorize?", "access_granted/?") + "&wc_auth_nonce=guess"
    assert "Invalid nonce" in browser.open(forged).text
    browser.close()


def test_keys_work_over_https_only(app: PlayedApp) -> None:
    auth = (app.keys["consumer_key"], app.keys["consumer_secret"])
    plain = app.world.browser_map["https://boutique.test"] + "/wp-json/wc/v3/orders"
    assert app.client.send("woocommerce", "test", "GET", plain, auth=auth).status == 401
    url = "https://boutique.test/wp-json/wc/v3/orders"
    query = {"consumer_key": auth[0], "consumer_secret": auth[1]}
    assert app.client.send("woocommerce", "test", "GET", url, params=query).status == 200
    assert app.client.send("woocommerce", "test", "GET", url, headers={"authorization": "Basic !"}).status == 401


def test_wrong_keys_are_answered_as_recorded(app: PlayedApp) -> None:
    app.keys = app.keys | {"consumer_secret": "cs_wrong"}
    status, body, _ = app.rest("GET", "/wc/v3/orders")
    wrong = {"code": "woocommerce_rest_authentication_error", "message": "Consumer secret is invalid.", "data": {"status": 401}}
    assert (status, body) == (401, wrong)
    app.keys = {}
    unknown = {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources.", "data": {"status": 401}}
    assert app.rest("GET", "/wc/v3/orders")[:2] == (401, unknown)


def test_a_read_key_cannot_write(app: PlayedApp) -> None:
    install_woocommerce(app, "read")
    assert app.rest("GET", "/wc/v3/orders")[0] == 200
    status, body, _ = app.rest("POST", "/wc/v3/webhooks", {"topic": "order.created", "delivery_url": "https://x.test"})
    assert (status, body["message"]) == (401, "The API key provided does not have write permissions.")


def test_the_store_describes_itself(app: PlayedApp) -> None:
    _, index, _ = app.rest("GET", "/")
    assert (index["name"], index["url"], index["timezone_string"], index["gmt_offset"]) == (
        "Savonnerie du Port",
        "https://boutique.test",
        "Europe/Paris",
        1,
    )
    assert app.rest("GET", "/wc/v3/system_status")[1]["environment"]["version"] == "10.5.0"
    general = {one["id"]: one["value"] for one in app.rest("GET", "/wc/v3/settings/general")[1]}
    assert (general["woocommerce_currency"], general["woocommerce_default_country"]) == ("EUR", "FR")
    assert app.rest("GET", "/wc/v3/settings/tax/woocommerce_prices_include_tax")[1]["value"] == "yes"
    assert app.rest("GET", "/wc/v3/settings/none")[0] == 404
    assert app.rest("GET", "/wc/v3/settings/tax/none")[0] == 404
    assert app.rest("GET", "/wc/v3/carts")[1]["code"] == "rest_no_route"


def test_products_and_variations_can_be_read(app: PlayedApp) -> None:
    _, products, headers = app.rest("GET", "/wc/v3/products", include="16,36,999")
    assert [(one["id"], one["type"]) for one in products] == [(16, "simple"), (36, "variable")]
    assert headers["x-wp-total"] == "2"
    assert products[0]["images"][0]["src"] == "https://boutique.test/wp-content/uploads/2026/11/bougie-lavande.png"
    assert app.rest("GET", "/wc/v3/products/16")[1]["name"] == "Bougie parfumée « Lavande »"
    assert [one["sku"] for one in app.rest("GET", "/wc/v3/products/36/variations")[1]] == ["HUILE-250", "HUILE-500"]
    for path in ("/wc/v3/products/1", "/wc/v3/products/1/variations", "/wc/v3/orders/1", "/wc/v3/customers/1", "/wc/v3/webhooks/1"):
        assert app.rest("GET", path)[0] == 404


def test_lists_are_paged_and_name_their_neighbours(app: PlayedApp) -> None:
    _, first, headers = app.rest("GET", "/wc/v3/products", per_page="3")
    assert (len(first), headers["x-wp-total"], headers["x-wp-totalpages"]) == (3, "4", "2")
    assert len(app.rest("GET", "/wc/v3/products", per_page="3", page="2")[1]) == 1
    _, beyond, headers = app.rest("GET", "/wc/v3/products", per_page="3", page="3")
    assert (beyond, headers["x-wp-total"], headers["x-wp-totalpages"]) == ([], "4", "2")
    assert headers["link"] == '<https://boutique.test/wp-json/wc/v3/products?per_page=3&page=2>; rel="prev"'
    for wrong in ({"per_page": "101"}, {"per_page": "x"}, {"page": "0"}, {"offset": "x"}):
        assert app.rest("GET", "/wc/v3/products", **wrong)[1]["code"] == "rest_invalid_param"


def test_an_offset_takes_the_place_of_the_page_unless_it_is_nothing(app: PlayedApp) -> None:
    for path in ("products", "orders", "customers", "coupons"):
        app.world.woocommerce.add_customer(Contact(f"{path}@example.com"))
        app.rest("POST", "/wc/v3/coupons", {"code": path, "amount": "5"})
        app.world.woocommerce.open_checkout([("BOUG-LAV", 1)])
    for path in ("products", "orders", "customers", "coupons"):

        def ids(**params: str) -> list[int]:
            _, found, headers = app.rest("GET", f"/wc/v3/{path}", orderby="id", order="asc", **params)  # noqa: B023
            assert headers["x-wp-total"] == "4"
            return [one["id"] for one in found]

        every = ids()
        assert every == sorted(every)
        assert ids(offset="1", per_page="2", page="7") == every[1:3]
        assert ids(offset="0", per_page="2", page="2") == every[2:]


def test_modified_after_is_strictly_greater_in_whole_seconds(app: PlayedApp, clock: Clock) -> None:
    shop = app.world.woocommerce
    first = shop.open_checkout([("BOUG-LAV", 1)])
    clock.advance(seconds=1)
    second = shop.open_checkout([("BOUG-LAV", 1)])
    app.world.settle()

    def ids(**params: str) -> list[int]:
        return [one["id"] for one in app.rest("GET", "/wc/v3/orders", orderby="modified", order="asc", **params)[1]]

    assert ids() == [first, second]
    assert ids(modified_after="2026-11-21T10:15:30", dates_are_gmt="true") == [second]
    assert ids(modified_after="2026-11-21T10:15:29", dates_are_gmt="true") == [first, second]
    assert ids(modified_after="2026-11-21T11:15:30") == [second]
    assert ids(modified_after="2026-11-21T10:15:30Z") == [second]
    assert ids(modified_after="2026-11-21T10:15:29Z", dates_are_gmt="true") == []
    assert ids(include=str(second)) == [second]
    assert app.rest("GET", "/wc/v3/orders", modified_after="2026-11-21")[0] == 400
    assert app.rest("GET", "/wc/v3/orders", modified_after="2026-99-21T00:00:00")[0] == 400


def test_the_default_list_holds_drafts_but_no_trash(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    draft, trashed = shop.open_checkout([("BOUG-LAV", 1)]), shop.open_checkout([("BOUG-LAV", 1)])
    shop.trash_order(trashed)
    assert [one["id"] for one in app.rest("GET", "/wc/v3/orders")[1]] == [draft]
    assert [one["id"] for one in app.rest("GET", "/wc/v3/orders", status="trash,failed")[1]] == [trashed]
    assert app.rest("GET", "/wc/v3/orders", status="wc-pending")[0] == 400
    assert sent(app, "order.deleted")[0].json == {"id": trashed}


def test_customers_can_be_read_and_are_announced(app: PlayedApp) -> None:
    for topic in ("customer.created", "product.updated"):
        subscribe(app, topic)
    number = app.world.woocommerce.add_customer(LEA)
    app.world.woocommerce._fire(("product.updated",), 16)
    assert sent(app, "customer.created")[0].json["billing"]["phone"] == "06 45 67 89 01"
    assert sent(app, "product.updated")[0].json["name"] == "Bougie parfumée « Lavande »"
    assert number in [one["id"] for one in app.rest("GET", "/wc/v3/customers")[1]]
    assert app.rest("GET", f"/wc/v3/customers/{number}")[1]["username"] == "lea"


def test_a_new_webhook_is_greeted_before_the_answer_and_never_tells_its_secret(app: PlayedApp) -> None:
    webhook = subscribe(app, "order.restored")
    ping = app.heard[-1]
    assert (ping.body, ping.headers["content-type"]) == (f"webhook_id={webhook['id']}".encode(), "application/x-www-form-urlencoded")
    assert not [name for name in ping.headers if name.startswith("x-wc-")]
    assert not {"secret", "failure_count"} & set(webhook)
    assert (webhook["resource"], webhook["event"], webhook["status"]) == ("order", "restored", "active")
    listed = {one["id"] for one in app.rest("GET", "/wc/v3/webhooks", per_page="100")[1]}
    assert webhook["id"] in listed


def test_a_webhook_with_a_wrong_topic_or_address_is_refused(app: PlayedApp) -> None:
    for wrong in ({"topic": "order.eaten", "delivery_url": "https://x.test"}, {"topic": "order.created", "delivery_url": "x.test"}):
        assert app.rest("POST", "/wc/v3/webhooks", wrong)[0] == 400
    assert app.rest("POST", "/wc/v3/webhooks", {"topic": "action.wc_cart", "delivery_url": "https://connector.test/x"})[0] == 201


def test_a_webhook_can_be_changed_and_is_deleted_only_by_force(app: PlayedApp) -> None:
    webhook = subscribe(app, "order.restored")
    path = f"/wc/v3/webhooks/{webhook['id']}"
    assert app.rest("PUT", path, {"status": "paused"})[1]["status"] == "paused"
    before = len(app.heard)
    changed = app.rest("PUT", path, {"delivery_url": "https://connector.test/other"})[1]
    assert (changed["delivery_url"], changed["date_modified_gmt"]) == ("https://connector.test/other", "2026-11-21T10:15:30")
    assert [one.path for one in app.heard[before:]] == ["/other"]
    assert app.rest("GET", path)[0] == 200
    assert app.rest("DELETE", path)[0] == 501
    assert app.rest("DELETE", path, force="true")[0] == 200
    assert app.rest("GET", path)[0] == 404


def keys(value: object) -> object:
    """The nested keys of a body; a list is as its first item is."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items() if key not in {"_links", "meta_data"}}
    return [keys(value[0])] if isinstance(value, list) and value else None


def test_an_order_body_has_exactly_the_keys_of_a_recorded_one(app: PlayedApp) -> None:
    order = recorded("woocommerce/webhooks/004-draft-email-and-phone-typed--order-updated.json")
    theirs = json.loads(order["request"]["body"])
    app.world.woocommerce.open_checkout([("BOUG-LAV", 2)])
    ours = sent(app, "order.updated")[0].json
    assert keys(ours) == keys(theirs)
    assert (ours["total"], ours["line_items"][0]["price"]) == (theirs["total"], theirs["line_items"][0]["price"])


def test_a_webhook_and_a_customer_have_exactly_the_keys_of_recorded_ones(app: PlayedApp) -> None:
    assert keys(subscribe(app, "order.created")) == keys(
        recorded("woocommerce/rest/001-webhook-create-order-created.json")["response"]["json"]
    )
    number = app.world.woocommerce.add_customer(LEA)
    theirs = json.loads(recorded("woocommerce/webhooks/037-customer-created-rest--customer-created.json")["request"]["body"])
    assert keys(app.rest("GET", f"/wc/v3/customers/{number}")[1]) == keys(theirs)


def test_products_have_keys_that_recorded_ones_have(app: PlayedApp) -> None:
    theirs = recorded("woocommerce/rest/035-products-list.json")["response"]["json"]
    _, ours, _ = app.rest("GET", "/wc/v3/products")
    assert all(set(product) <= set(theirs[0]) for product in ours)
