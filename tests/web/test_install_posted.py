"""Connecting a shop whose store posts its answer, and having its webhooks registered."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.platforms import AccessLost, Rejected, TransientError
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, run, scalar, shop_public_id
from tests.web.installing import STORE, begin, post_grant, shops
from tests.web.posting import PostingPlatform
from tests.web.signing import send, sign_in

# ---------------------------------------------------------------- posted by the store


def test_a_posted_grant_connects_the_store_and_registers_its_webhooks(
    client: TestClient, parts: Composition, woocommerce: PostingPlatform
) -> None:
    state = begin(client, "woocommerce", STORE)
    cookie = client.cookies["install"]
    answer = post_grant(client, state)
    assert answer.status_code == 200
    key = scalar(parts, "select shop_key from shops where domain = :domain", domain=STORE)
    assert len(key) == 24
    assert woocommerce.calls == ["finish_install", f"subscribe https://connector.test/webhooks/woocommerce/{key}"]
    client.cookies.set("install", cookie)
    page = client.get("/install/woocommerce/done", params={"success": "1", "user_id": state})
    assert page.status_code == 200
    assert "is connected" in page.text
    assert "Try again" not in page.text


def test_the_webhook_secret_is_letters_and_digits_only(client: TestClient, parts: Composition) -> None:
    post_grant(client, begin(client, "woocommerce", STORE))
    secret = parts.services.vault.open(bytes(scalar(parts, "select webhook_secret from shops")))["secret"]
    assert len(secret) == 40
    assert secret.isascii()
    assert secret.isalnum()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"user_id": ["a"]}', b"\xff", b"[" * 60_000, b'{"user_id": "unknown"}', b'{"user_id": 1}']
)
def test_a_grant_that_names_no_install_of_ours_is_refused(body: bytes, client: TestClient, parts: Composition) -> None:
    begin(client, "woocommerce", STORE)
    answer = client.post("/install/woocommerce/callback", content=body)
    assert answer.status_code == 403
    assert shops(parts) == 0


def test_a_grant_works_once(client: TestClient, parts: Composition) -> None:
    state = begin(client, "woocommerce", STORE)
    assert post_grant(client, state).status_code == 200
    assert post_grant(client, state).status_code == 403
    assert shops(parts) == 1


def test_an_expired_grant_is_refused(client: TestClient, parts: Composition) -> None:
    state = begin(client, "woocommerce", STORE)
    run(parts, "update pending_installs set created_at = created_at - interval '16 minutes'")
    assert post_grant(client, state).status_code == 403
    assert shops(parts) == 0


def test_a_refused_grant_leaves_nothing_and_its_state_is_used_up(
    client: TestClient, parts: Composition, woocommerce: PostingPlatform
) -> None:
    state = begin(client, "woocommerce", STORE)
    cookie = client.cookies["install"]
    woocommerce.error = TransientError("answered 503", platform="woocommerce", call="index", status=503)
    answer = post_grant(client, state)
    assert 400 <= answer.status_code < 500
    woocommerce.error = None
    assert post_grant(client, state).status_code == 403
    client.cookies.set("install", cookie)
    done = client.get("/install/woocommerce/done", params={"success": "1", "user_id": state})
    assert done.status_code == 403
    assert shops(parts) == 0


def test_the_browser_cannot_bring_what_the_store_must_post(client: TestClient, parts: Composition) -> None:
    state = begin(client, "woocommerce", STORE)
    answer = client.get("/install/woocommerce/callback", params={"state": state})
    assert answer.status_code == 400
    assert "the keys are not there" in answer.text
    assert 'href="/connect/woocommerce"' in answer.text
    assert shops(parts) == 0


def test_only_the_browser_that_began_learns_what_became_of_it(client: TestClient, parts: Composition) -> None:
    state = begin(client, "woocommerce", STORE)
    cookie = client.cookies["install"]
    post_grant(client, state)
    with browser(parts) as stranger:
        begin(stranger, "woocommerce", "other.test")
        answer = stranger.get("/install/woocommerce/done", params={"success": "1", "user_id": state})
        assert answer.status_code == 403
        assert "Fake shop" not in answer.text
    client.cookies.set("install", cookie)
    assert client.get("/install/shopify/done", params={"success": "1", "user_id": state}).status_code == 403
    run(parts, "update pending_installs set created_at = created_at - interval '16 minutes'")
    assert client.get("/install/woocommerce/done", params={"success": "1", "user_id": state}).status_code == 403


def test_a_denied_grant_is_told_as_such(client: TestClient) -> None:
    state = begin(client, "woocommerce", STORE)
    page = client.get("/install/woocommerce/done", params={"success": "0", "user_id": state})
    assert page.status_code == 200
    assert "was not connected" in page.text
    assert 'href="/connect/woocommerce"' in page.text
    assert "Start again" not in client.get("/install/shopify/done").text


def test_a_store_that_refuses_webhooks_stays_connected_and_offers_another_try(
    client: TestClient, parts: Composition, woocommerce: PostingPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise Rejected("woocommerce_rest_cannot_create", platform="woocommerce", call="webhooks", status=403)

    state = begin(client, "woocommerce", STORE)
    cookie = client.cookies["install"]
    with monkeypatch.context() as patch:
        patch.setattr(woocommerce, "subscribe", refuse)
        assert post_grant(client, state).status_code == 200
    client.cookies.set("install", cookie)
    page = client.get("/install/woocommerce/done", params={"success": "1", "user_id": state})
    assert "woocommerce_rest_cannot_create" in page.text
    public_id = scalar(parts, "select public_id from shops")
    assert f'href="/app/shops/{public_id}"' in page.text
    assert "could not be registered" in client.get(f"/app/shops/{public_id}").text

    retry = send(client, parts, f"/app/shops/{public_id}/webhooks")
    assert retry.status_code == 303
    page = client.get(f"/app/shops/{public_id}")
    assert "Registered." in page.text
    assert "woocommerce_rest_cannot_create" not in page.text
    send(client, parts, f"/app/shops/{public_id}/webhooks")
    assert "3 were there, 0 were made." in client.get(f"/app/shops/{public_id}").text


def test_a_shop_whose_keys_died_needs_a_new_sign_in_after_a_retry(
    client: TestClient, parts: Composition, woo_shop: TestShop, woocommerce: PostingPlatform
) -> None:
    woocommerce.error = AccessLost("answered 401", platform="woocommerce", call="webhooks", status=401)
    sign_in(client, parts, woo_shop)
    public_id = shop_public_id(parts, woo_shop)
    assert send(client, parts, f"/app/shops/{public_id}/webhooks").status_code == 303
    page = client.get(f"/app/shops/{public_id}")
    assert "no longer accepts our access" in page.text
    assert "/connect/woocommerce?store=boutique.test" in page.text


def test_an_uninstalled_shop_cannot_register_webhooks(client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    run(parts, "update shops set state = 'uninstalled', credentials = null where id = :id", id=woo_shop.id)
    sign_in(client, parts, woo_shop)
    public_id = shop_public_id(parts, woo_shop)
    answer = send(client, parts, f"/app/shops/{public_id}/webhooks")
    assert answer.status_code == 422
    assert "Connect it again first" in answer.text
    assert "The app was uninstalled" in client.get(f"/app/shops/{public_id}").text


@pytest.mark.spec("SEC-144")
def test_a_shop_that_granted_too_little_is_connected_and_names_what_is_missing(
    client: TestClient, parts: Composition, woocommerce: PostingPlatform
) -> None:
    woocommerce.missing = ("read_customers", "read_products")
    state = begin(client, "woocommerce", STORE)
    cookie = client.cookies["install"]
    assert post_grant(client, state).status_code == 200
    client.cookies.set("install", cookie)
    pages = [
        client.get("/install/woocommerce/done", params={"success": "1", "user_id": state}),
        client.get(f"/app/shops/{scalar(parts, 'select public_id from shops')}"),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "The connection is incomplete" in page.text
        assert "read_customers" in page.text
        assert "read_products" in page.text
