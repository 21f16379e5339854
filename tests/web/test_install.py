"""Connecting a shop through the browser: one state, one browser, once, for 15 minutes."""

import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from connector.canonical import ShopProfile
from connector.platforms import Rejected, TransientError
from connector.store.db import Database
from connector.web.composition import Composition
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from tests.fakes import FakePlatform
from tests.web.conftest import browser, run, scalar
from tests.web.installing import SHOP, STORE, begin, come_back, shops

# ---------------------------------------------------------------- through the browser


def test_a_browser_that_comes_back_with_its_state_connects_the_shop(client: TestClient, parts: Composition, shopify: FakePlatform) -> None:
    answer = come_back(client, begin(client))
    public_id = scalar(parts, "select public_id from shops where domain = :domain", domain=SHOP)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/app/shops/{public_id}")
    assert shopify.calls == ["finish_install"]
    assert scalar(parts, "select remembered from pending_installs") == b""
    assert client.cookies.get("install") is None
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Fake shop" in page.text


def test_the_start_binds_the_browser_and_keeps_only_hashes(client: TestClient, parts: Composition) -> None:
    answer = client.get("/install/shopify", params={"shop": SHOP})
    state = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["state"]
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("install=", "HttpOnly", "SameSite=lax", "Max-Age=900", "Path=/install"))
    assert "Secure" not in cookie
    assert urlsplit(answer.headers["location"]).netloc == SHOP
    with parts.db.engine.begin() as connection:
        row = connection.exec_driver_sql("select state_hash, browser_hash, remembered from pending_installs").one()
    secret = cookie.partition("install=")[2].partition(";")[0]
    assert not any(word.encode() in bytes(part) for part in row for word in (state, secret, SHOP))


def test_the_cookie_is_secure_outside_the_sandbox(make_parts: Callable[..., Composition]) -> None:
    with browser(make_parts(sandbox=False)) as client:
        assert "Secure" in client.get("/install/shopify", params={"shop": SHOP}).headers["set-cookie"]


@pytest.mark.spec("SEC-141")
@pytest.mark.parametrize(
    "how", ["missing", "wrong", "used", "used and begun again", "of another session", "of another platform", "expired", "without cookie"]
)
def test_a_state_that_is_not_good_stops_before_any_exchange(
    how: str, client: TestClient, parts: Composition, shopify: FakePlatform
) -> None:
    state = begin(client)
    if how == "missing":
        state = ""
    elif how == "wrong":
        state = state[:-1] + ("A" if state[-1] != "A" else "B")
    elif how in ("used", "used and begun again"):
        assert come_back(client, state).status_code == 303
        if how != "used":
            begin(client)
    elif how == "of another session":
        with browser(parts) as other:
            begin(other)
            answer = come_back(other, state)
        assert answer.status_code == 403
    elif how == "of another platform":
        state = begin(client, "woocommerce", STORE)
    elif how == "expired":
        run(parts, "update pending_installs set created_at = created_at - interval '15 minutes 1 second'")
    if how in ("without cookie", "of another session"):
        client.cookies.clear()
    calls, before = list(shopify.calls), shops(parts)
    answer = come_back(client, state)
    assert answer.status_code == 403
    assert "Please start again" in answer.text
    assert (shopify.calls, shops(parts)) == (calls, before)


def test_an_answer_that_is_brought_once_more_as_its_page_was_lost_leads_to_the_shop(
    client: TestClient, parts: Composition, shopify: FakePlatform
) -> None:
    """As load balancers do when a process dies. Its account's owner is signed in, as they would have been; and nobody after that."""
    state, cookie = begin(client), client.cookies["install"]
    assert come_back(client, state).status_code == 303
    for is_owner in (True, False):
        with browser(parts) as again:
            again.cookies.set("install", cookie)
            answer = come_back(again, state)
            where = answer.headers.get("location", "")
            assert (answer.status_code, bool(where)) == ((303, True) if is_owner else (200, False))
            if is_owner:
                assert "Fake shop" in again.get(where).text
    assert (shopify.calls.count("finish_install"), shops(parts)) == (1, 1)


def test_an_answer_that_broke_off_is_told_to_begin_again_and_nobody_elses_is(client: TestClient, parts: Composition) -> None:
    state = begin(client)
    run(parts, "update pending_installs set remembered = ''")
    answer = come_back(client, state)
    assert answer.status_code == 503
    assert "start again" in answer.text
    with browser(parts) as stranger:
        assert come_back(stranger, state).status_code == 403
    assert come_back(client, begin(client)).status_code == 303


def test_a_strangers_try_does_not_use_up_the_state(client: TestClient, parts: Composition) -> None:
    state = begin(client)
    with browser(parts) as stranger:
        assert come_back(stranger, state).status_code == 403
    assert come_back(client, state).status_code == 303


def test_a_store_cannot_post_what_belongs_to_the_browser(client: TestClient, parts: Composition, shopify: FakePlatform) -> None:
    state = begin(client)
    client.cookies.clear()
    answer = client.post("/install/shopify/callback", params={"state": state}, json={"user_id": state})
    assert answer.status_code == 400
    assert shops(parts) == 0


def test_what_the_platform_refuses_is_shown_in_its_words(client: TestClient) -> None:
    answer = client.get("/install/shopify")
    assert answer.status_code == 400
    assert "which shop?" in answer.text
    assert client.cookies.get("install") is None


def test_a_code_that_is_used_up_is_told_in_the_platforms_words(client: TestClient, shopify: FakePlatform) -> None:
    shopify.error = Rejected("the code was used before", platform="shopify", call="token")
    answer = come_back(client, begin(client))
    assert answer.status_code == 502
    assert "the code was used before" in answer.text
    assert "try again" in answer.text


def test_a_store_that_does_not_answer_leaves_no_shop(client: TestClient, parts: Composition, shopify: FakePlatform) -> None:
    state = begin(client)
    shopify.error = TransientError("no answer: ConnectTimeout", platform="shopify", call="token")
    answer = come_back(client, state)
    assert answer.status_code == 502
    assert "please try again" in answer.text
    assert shops(parts) == 0


def test_an_unknown_kind_of_store_is_no_page(client: TestClient) -> None:
    assert client.get("/install/magento").status_code == 404
    assert client.get("/install/magento/callback").status_code == 404
    assert client.get("/install/magento/done").status_code == 404
    assert client.post("/install/magento/callback").status_code == 404


def test_expired_installs_are_removed_when_the_next_one_begins(client: TestClient, parts: Composition) -> None:
    begin(client)
    run(parts, "update pending_installs set created_at = created_at - interval '16 minutes'")
    begin(client)
    assert scalar(parts, "select count(*) from pending_installs") == 1


def test_a_reinstall_finds_its_shop_again(client: TestClient, parts: Composition, shopify: FakePlatform) -> None:
    first = come_back(client, begin(client)).headers["location"]
    key = scalar(parts, "select shop_key from shops")
    run(parts, "update shops set state = 'uninstalled', credentials = null")
    assert come_back(client, begin(client)).headers["location"] == first
    assert scalar(parts, "select shop_key || state from shops") == f"{key}connected"


# ---------------------------------------------------------------- the form, and the real adapter


def test_the_form_leads_to_the_stores_own_grant_page(client: TestClient) -> None:
    page = client.get("/connect/woocommerce", params={"store": '"><script>'})
    assert page.status_code == 200
    assert '<form method="get" action="/install/woocommerce">' in page.text
    assert "<script>" not in page.text
    assert "form-action 'self' https: http://127.0.0.1:*;" in page.headers["content-security-policy"]


GRANT = {"key_id": 1, "consumer_key": "ck_" + "0a" * 20, "consumer_secret": "cs_" + "1b" * 20}


@pytest.mark.spec("SEC-166")
def test_a_real_grant_of_read_only_keys_saves_nothing(make_parts: Callable[..., Composition], db: Database) -> None:
    asked: list[str] = []

    def store(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={})

    parts = make_parts()
    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(store)), parts.settings)
    with browser(make_parts({"woocommerce": platform})) as client:
        start = client.get("/install/woocommerce", params={"store": "https://Galets.example/"})
        assert start.status_code == 302
        query = dict(parse_qsl(urlsplit(start.headers["location"]).query))
        assert urlsplit(start.headers["location"]).netloc == "galets.example"
        assert query["callback_url"] == "https://connector.test/install/woocommerce/callback"
        assert query["return_url"] == "https://connector.test/install/woocommerce/done"
        body = json.dumps(GRANT | {"user_id": query["user_id"], "key_permissions": "read"}).encode()
        answer = client.post("/install/woocommerce/callback", content=body)
    assert answer.status_code == 400
    assert "Read/Write" in answer.text
    assert asked == ["https://galets.example/wp-json/?_fields=namespaces"]
    assert shops(parts) == 0


def test_an_address_that_cannot_be_a_store_is_refused_with_its_reason(make_parts: Callable[..., Composition]) -> None:
    parts = make_parts()
    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(lambda request: httpx2.Response(500))), parts.settings)
    with browser(make_parts({"woocommerce": platform})) as client:
        answer = client.get("/install/woocommerce", params={"store": "127.0.0.1"})
    assert answer.status_code == 400
    assert "public name" in answer.text


def test_pretend_stores_are_opened_on_loopback(make_parts: Callable[..., Composition]) -> None:
    with browser(make_parts(browser_map={f"https://{SHOP}": "http://127.0.0.1:9001"})) as client:
        assert client.get("/install/shopify", params={"shop": SHOP}).headers["location"].startswith("http://127.0.0.1:9001/grant?")


def test_the_profile_of_the_store_is_kept(client: TestClient, parts: Composition, shopify: FakePlatform) -> None:
    shopify.profile = ShopProfile(
        "Brume", "EUR", "Europe/Paris", "https://brume.example", contact_email="a@brume.example", hosts=("brume.example",)
    )
    come_back(client, begin(client))
    assert scalar(parts, "select hosts from shops") == ["brume.example", SHOP]
    assert scalar(parts, "select contact_email from shops") == "a@brume.example"
