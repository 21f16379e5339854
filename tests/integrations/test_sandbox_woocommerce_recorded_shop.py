"""The pretend WooCommerce store's shopper-side answers, key grant and signed calls, against what a real one answered."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest

from integrations.sandbox.shopper import Browser
from integrations.sandbox.web import Call
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE
from integrations.sandbox.woocommerce_keys import KeyCheck
from integrations.sandbox.woocommerce_store import ApiKey, Contact, Store
from integrations.sandbox.woocommerce_storeapi import nonce_of
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.recorded_kit import ADDRESS, STORE, keys
from tests.integrations.sandbox_app import Clock, PlayedApp, played, recorded, reset_woocommerce


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


# Shoppers.


def act(app: PlayedApp, key: str, path: str, body: Any, nonce: str = "") -> tuple[int, Any]:
    """A call of the Store API in a session."""
    headers = {"cookie": f"{SESSION_COOKIE}={key}", "nonce": nonce or nonce_of(key), "content-type": "application/json"}
    answer = app.client.send(
        "shopper", "test", "POST", f"{STORE}/wp-json/wc/store/v1/{path}", headers=headers, content=json.dumps(body).encode()
    )
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("name", "method", "who"), [("001-checkout-post-bacs", "bacs", "guest"), ("008-checkout-post-cod-logged-in", "cod", "customer")]
)
def test_placing_an_order_is_answered_as_recorded(app: PlayedApp, shop: WooCommerceTwin, name: str, method: str, who: str) -> None:
    one = recorded(f"woocommerce/storeapi/{name}.json")["response"]
    customer = shop.add_customer(Contact("taro@example.com")) if who == "customer" else 0
    key = shop.start_cart([("BOUG-LAV", 1)], customer)
    status, body = act(app, key, "checkout", {"billing_address": ADDRESS, "payment_method": method})
    assert (status, keys(body)) == (one["status"], keys(one["json"]))
    assert (body["status"], body["payment_method"], body["customer_id"] > 0) == (
        one["json"]["status"],
        one["json"]["payment_method"],
        one["json"]["customer_id"] > 0,
    )
    assert urlsplit(body["payment_result"]["redirect_url"]).path == f"/checkout/order-received/{body['order_id']}/"


def test_a_declined_payment_is_answered_as_recorded_and_the_order_stays_failed(app: PlayedApp, shop: WooCommerceTwin) -> None:
    one = recorded("woocommerce/storeapi/002-checkout-post-declined.json")["response"]
    key = shop.start_cart([("BOUG-LAV", 1)])
    assert act(app, key, "checkout", {"billing_address": ADDRESS, "payment_method": "declined"}) == (one["status"], one["json"])
    assert [order.status for order in shop.store.orders.values()] == ["failed"]


@pytest.mark.parametrize(
    ("name", "code", "settings"),
    [
        ("003-coupon-error-usage-limit", "une-fois", {"usage_limit": 1}),
        ("004-coupon-error-expired", "noel2025", {"date_expires": "2025-12-25T00:00:00"}),
        ("005-coupon-error-unknown", "inconnu", None),
        ("006-coupon-error-email", "vip", {"email_restrictions": ["vip@example.com"]}),
    ],
)
def test_a_coupon_is_refused_in_the_recorded_words(
    app: PlayedApp, shop: WooCommerceTwin, name: str, code: str, settings: dict[str, Any] | None
) -> None:
    one = recorded(f"woocommerce/storeapi/{name}.json")
    if settings is not None:
        shop.coupons.make(code, amount="5", **settings).usage_count = 1
    key = shop.start_cart([("BOUG-LAV", 1)])
    assert json.loads(one["request"]["body"]) == {"code": code}
    assert act(app, key, "cart/apply-coupon", {"code": code}) == (one["response"]["status"], one["response"]["json"])


def test_the_cart_has_the_recorded_shape_and_sums(app: PlayedApp, shop: WooCommerceTwin) -> None:
    theirs = recorded("woocommerce/storeapi/007-cart.json")["response"]["json"]
    key = shop.start_cart([("BOUG-LAV", 1)])
    url, cookie = f"{STORE}/wp-json/wc/store/v1/cart", {"cookie": f"{SESSION_COOKIE}={key}"}
    answer = app.client.send("shopper", "test", "GET", url, headers=cookie)
    ours = json.loads(answer.body)
    assert answer.headers["nonce"] == nonce_of(key)
    assert set(ours) == set(theirs)
    assert keys(ours["items"]) == keys(theirs["items"])
    assert ours["totals"] == theirs["totals"]
    assert ours["items"][0]["prices"] == theirs["items"][0]["prices"]
    assert (ours["billing_address"], ours["shipping_address"]) == (theirs["billing_address"], theirs["shipping_address"])


def test_a_wrong_nonce_is_answered_as_recorded(app: PlayedApp, shop: WooCommerceTwin) -> None:
    one = recorded("woocommerce/storeapi/009-add-item-bad-nonce.json")
    key = shop.start_cart([])
    assert act(app, key, "cart/add-item", json.loads(one["request"]["body"]), nonce="bad") == (
        one["response"]["status"],
        one["response"]["json"],
    )
    assert shop.store.sessions[key].cart == {}
    assert act(app, key, "cart/add-item", json.loads(one["request"]["body"]))[0] == 201


def location(app: PlayedApp, query: str) -> Any:
    """Where a checkout link redirects to."""
    answer = app.client.send("shopper", "test", "GET", f"{STORE}/checkout-link/?{query}")
    assert answer.status == 302
    return urlsplit(answer.headers["location"])


def test_a_checkout_link_redirects_as_recorded_and_carries_campaign_names(app: PlayedApp, shop: WooCommerceTwin) -> None:
    theirs = urlsplit(dict(recorded("woocommerce/storeapi/010-checkout-link-redirect.json")["response"]["headers"])["Location"])
    shop.coupons.make("moins5", amount="5")
    ours = location(app, "products=16:2,38:1&coupon=moins5&utm_source=whatsapp")
    assert (ours.path, [name for name, _ in parse_qsl(ours.query)]) == (theirs.path, [name for name, _ in parse_qsl(theirs.query)])
    session = shop.store.sessions[dict(parse_qsl(ours.query))["session"]]
    assert (session.cart, session.coupons) == ({"16": 2, "38": 1}, ["moins5"])


def test_a_checkout_link_to_something_sold_out_leads_to_the_cart_as_recorded(app: PlayedApp, shop: WooCommerceTwin) -> None:
    theirs = urlsplit(dict(recorded("woocommerce/storeapi/011-checkout-link-out-of-stock.json")["response"]["headers"])["Location"])
    shop.set_stock("COF-DEC", 0)
    ours = location(app, "products=24:1")
    assert (ours.path, unquote(ours.query)) == (theirs.path, unquote(theirs.query).replace("Diffuseur céramique", "Coffret découverte"))


# Keys.


@pytest.mark.parametrize("scope", ["read", "write", "read_write"])
def test_the_grant_page_says_what_the_recorded_one_says(app: PlayedApp, scope: str) -> None:
    name = {"read": "002-approve-read", "write": "003-approve-write", "read_write": "001-approve-read-write"}[scope]
    steps = recorded(f"woocommerce/auth/{name}.json")["steps"]
    theirs = next(step["page_text"] for step in steps if step["do"] == "grant page")
    browser = app.world.browser()
    page = browser.open(grant(scope=scope))
    browser.close()
    wants = theirs.partition("allow it to:")[2].partition("Approving")[0]
    assert " ".join(wants.split()) in page.text


def grant(**change: str) -> str:
    """The first address of the grant; `change`d as a test likes."""
    query = {"app_name": "Connecteur", "scope": "read_write", "user_id": "tenant_42", "return_url": "https://connector.test/done"}
    query |= {"callback_url": "https://connector.test/callback/woocommerce"} | change
    return f"{STORE}/wc-auth/v1/authorize?" + urlencode({name: value for name, value in query.items() if value})


@pytest.fixture
def browser(app: PlayedApp) -> Iterator[Browser]:
    browser = app.world.browser()
    yield browser
    browser.close()


@pytest.mark.parametrize("name", ["007-error-callback-http", "008-error-bad-scope", "009-error-missing-user-id", "010-error-return-url"])
def test_a_wrong_grant_request_is_refused_as_recorded(browser: Browser, name: str) -> None:
    (step,) = recorded(f"woocommerce/auth/{name}.json")["steps"]
    page = browser.open(STORE + step["do"].removeprefix("GET "))
    assert page.status == step["status"]
    assert step["message"] in page.text


def test_the_callbacks_body_and_headers_are_the_recorded_ones(app: PlayedApp, browser: Browser) -> None:
    theirs = recorded("woocommerce/auth/001-approve-read-write.json")["callback_requests"][0]["request"]
    browser.click(browser.open(grant()), "Approve")
    ours = [one for one in app.heard if one.path == "/callback/woocommerce"][-1]
    body = json.loads(theirs["body"])
    assert (list(ours.json), ours.json["user_id"], ours.json["key_permissions"]) == (list(body), body["user_id"], body["key_permissions"])
    named = {name.lower(): value for name, value in theirs["headers"]}
    assert ours.headers["content-type"] == named["content-type"]
    assert ours.headers["user-agent"].partition(";")[0] == named["user-agent"].partition(";")[0]


@pytest.mark.parametrize(("name", "answer"), [("004-callback-answers-201", 201), ("005-callback-answers-500", 500)])
def test_another_answer_than_200_deletes_the_key_as_recorded(
    app: PlayedApp, shop: WooCommerceTwin, browser: Browser, name: str, answer: int
) -> None:
    steps = recorded(f"woocommerce/auth/{name}.json")["steps"]
    before = set(shop.store.keys)
    app.statuses["/callback/woocommerce"] = answer
    page = browser.click(browser.open(grant()), "Approve")
    assert page.status == steps[-1]["status"]
    assert set(shop.store.keys) == before


def test_deny_is_a_plain_link_back_as_recorded(app: PlayedApp, browser: Browser) -> None:
    page = next(one for one in recorded("woocommerce/auth/006-deny.json")["steps"] if "deny_link" in one)
    theirs = parse_qsl(urlsplit(page["deny_link"]).query)
    link = next(one for one in browser.open(grant(return_url="https://connector.test/done?plan=pro")).links if one.text == "Deny")
    assert parse_qsl(urlsplit(link.href).query) == theirs


def test_the_approve_link_gives_another_key_each_time_and_a_redirect_is_followed(
    app: PlayedApp, shop: WooCommerceTwin, browser: Browser
) -> None:
    before = len(shop.store.keys)
    page = browser.open(grant())
    for _ in range(2):
        assert "success=1" in browser.click(page, "Approve").url
    assert len(shop.store.keys) == before + 2
    app.redirects["/moved"] = "https://connector.test/callback/woocommerce"
    done = browser.click(browser.open(grant(callback_url="https://connector.test/moved")), "Approve")
    assert "success=1" in done.url
    first, second = app.heard[-3:-1]
    assert (first.path, second.path, first.body) == ("/moved", "/callback/woocommerce", second.body)


OAUTH = (
    "011-oauth1-sha256-query",
    "012-oauth1-sha1-query",
    "013-oauth1-sha256-header",
    "014-oauth1-special-characters",
    "015-oauth1-nonce-first",
    "017-oauth1-error-old-timestamp",
    "018-oauth1-error-wrong-secret",
)
SIGNED_AT = datetime.fromtimestamp(1795295130, UTC)


def signed_call(one: dict[str, Any]) -> Call:
    """A recorded call as our store would get it."""
    asked = one["request"]
    parts = urlsplit(asked["url"])
    headers = {"host": parts.netloc} | ({"authorization": asked["authorization"]} if asked["authorization"] else {})
    return Call(asked["method"], "http", parts.path, {}, dict(parse_qsl(parts.query)), headers, b"")


def check_of(one: dict[str, Any]) -> KeyCheck:
    """A store that has the recorded key."""
    store = Store(lambda: SIGNED_AT)
    pair = one["credentials_deleted_after_recording"]
    store.keys[1] = ApiKey(1, pair["consumer_key"], pair["consumer_secret"], "read_write")
    return KeyCheck(store)


@pytest.mark.parametrize("name", OAUTH)
def test_a_recorded_signature_is_judged_as_it_was_there(name: str) -> None:
    one = recorded(f"woocommerce/auth/{name}.json")
    refusal = check_of(one).refusal(signed_call(one))
    if one["response"]["status"] == 200:
        assert refusal is None
    else:
        assert refusal is not None
        assert (refusal.status_code, json.loads(bytes(refusal.body))) == (401, one["response"]["json"])


def test_a_nonce_counts_once_as_recorded() -> None:
    again = recorded("woocommerce/auth/016-oauth1-error-nonce-reused.json")
    check = check_of(again)
    assert check.refusal(signed_call(again)) is None
    refusal = check.refusal(signed_call(again))
    assert refusal is not None
    assert json.loads(bytes(refusal.body)) == again["response"]["json"]


# Without recordings.


def sign(secret: str, method: str, url: str, query: dict[str, str], at: int, *, digest: str = "HMAC-SHA256") -> dict[str, str]:
    """OAuth 1.0a as RFC 5849 has it, for keys without tokens."""

    def escaped(words: str) -> str:
        return quote(words, safe="-._~")

    made = query | {"oauth_timestamp": str(at), "oauth_nonce": f"n{at}", "oauth_signature_method": digest}
    pairs = "&".join(f"{escaped(name)}={escaped(value)}" for name, value in sorted(made.items()))
    base = "&".join((method, escaped(url), escaped(pairs)))
    sealed = hmac.new(f"{secret}&".encode(), base.encode(), hashlib.sha256 if digest == "HMAC-SHA256" else hashlib.sha1)
    return made | {"oauth_signature": base64.b64encode(sealed.digest()).decode()}


@pytest.mark.parametrize("digest", ["HMAC-SHA256", "HMAC-SHA1"])
def test_over_plain_http_a_signed_call_works_and_an_unsigned_one_does_not(app: PlayedApp, clock: Clock, digest: str) -> None:
    origin = app.world.browser_map[STORE]
    url, at = f"{origin}/wp-json/wc/v3/orders", int(clock().timestamp())
    query = {"oauth_consumer_key": app.keys["consumer_key"], "search": "Müller & Co+1 é"}
    good = sign(app.keys["consumer_secret"], "GET", url, query, at, digest=digest)
    assert app.client.send("woocommerce", "test", "GET", url, params=good).status == 200
    for late in (-901, 901):
        early = sign(app.keys["consumer_secret"], "GET", url, query, at + late, digest=digest)
        assert app.client.send("woocommerce", "test", "GET", url, params=early).status == 401
    missing = {name: value for name, value in good.items() if name != "oauth_nonce"}
    answer = app.client.send("woocommerce", "test", "GET", url, params=missing)
    assert "missing parameters: oauth_nonce" in json.loads(answer.body)["message"]
