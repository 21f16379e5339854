"""One shop's connection, and connecting another."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import T0
from tests.store.writing import Writer
from tests.web.conftest import browser, run, scalar, shop_public_id
from tests.web.merchant.conftest import Post, row_of
from tests.web.signing import send, sign_in


def test_the_shops_page_tells_how_it_is_connected(client: TestClient, parts: Composition, here: str, woo_shop: TestShop) -> None:
    page = client.get(here).text
    for words in (
        "Démo",
        "read_orders",
        "demo.myshopify.com",
        "bonjour@demo.myshopify.com",
        "8 rue du Bac",
        "https://connector.test/webhooks/shopify<",
    ):
        assert words in page
    assert "Check again" not in page
    run(parts, "update shops set contact_email = null, contact_address = null, scopes = '{}', state = 'needs_sign_in'")
    page = client.get(here).text
    assert "the reminder cannot be turned on" in page
    assert "Open the app in Shopify" in page
    sign_in(client, parts, woo_shop)
    run(parts, "update shops set state = 'connected', missing_scopes = '{read_customers}'")
    page = client.get(f"/app/shops/{shop_public_id(parts, woo_shop)}").text
    assert "They were not registered yet." in page
    assert f"https://connector.test/webhooks/woocommerce/{woo_shop.shop_key}" in page
    assert "These permissions were not granted: <code>read_customers</code>" in page


def test_what_was_heard_lately_is_counted(client: TestClient, here: str, write: Writer, now: object) -> None:
    assert "Nothing came in lately." in client.get(here).text
    write.delivery("checkouts/update", now, state="quarantined", reason="currency")  # type: ignore[arg-type]
    write.delivery("checkouts/update", now)  # type: ignore[arg-type]
    write.delivery("orders/create", T0.replace(year=2020))
    assert row_of(client.get(here).text, "checkouts/update").startswith("checkouts/update 2 1 ")
    assert "orders/create" not in client.get(here).text


def test_a_shop_that_needs_no_registering_is_left_alone(parts: Composition, here: str, post: Post) -> None:
    assert post(f"{here}/webhooks").headers["location"] == f"{here}?done=webhooks-checked"
    assert scalar(parts, "select count(*) from audit_entries where action like 'webhooks%'") == 0


def test_missing_webhooks_are_made_again_by_whoever_asked(client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    me = sign_in(client, parts, woo_shop)
    there = f"/app/shops/{shop_public_id(parts, woo_shop)}"
    assert send(client, parts, f"{there}/webhooks").status_code == 303
    assert scalar(parts, "select actor from audit_entries where action = 'webhooks.ready'") == f"member {me}"
    page = client.get(there).text
    assert "Registered." in page
    assert ">Check again</button>" in page
    run(parts, "update shops set state = 'uninstalled', uninstalled_at = app_now() where id = :id", id=woo_shop.id)
    answer = send(client, parts, f"{there}/webhooks")
    assert answer.status_code == 422
    assert "The shop is uninstalled." in answer.text
    page = client.get(there).text
    assert ">Check again</button>" not in page
    assert 'href="/connect/woocommerce?store=boutique.test"' in page
    sign_in(client, parts, woo_shop, Role.MARKETER)
    assert "An owner of the account can connect it again." in client.get(there).text


def test_who_may_only_look_cannot_have_webhooks_made(client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    sign_in(client, parts, woo_shop, Role.READ_ONLY)
    there = f"/app/shops/{shop_public_id(parts, woo_shop)}"
    assert "<button" not in client.get(there).text.partition("<main")[2].partition("</main>")[0]
    assert send(client, parts, f"{there}/webhooks").status_code == 403


def test_a_shopify_store_is_connected_without_typing_an_address(make_parts: Callable[..., Composition], shopify_shop: TestShop) -> None:
    for listing, words in (("", "Open the app in the admin"), ("https://apps.shopify.com/ours", 'href="https://apps.shopify.com/ours"')):
        there = make_parts(shopify_listing_url=listing)
        with browser(there) as client:
            sign_in(client, there, shopify_shop)
            page = client.get("/app/connect").text
        assert words in page
        assert page.count("<input") - page.count('type="hidden"') == 1, "only the address of a WooCommerce store is typed"


def test_a_woocommerce_store_is_connected_by_its_address(client: TestClient, me: str) -> None:
    answer = client.get("/app/connect", params={"store": 'boutique.example"><script>'})
    assert 'action="/install/woocommerce"' in answer.text
    assert 'value="boutique.example&#34;&gt;&lt;script&gt;"' in answer.text
    assert "form-action 'self' https:" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("role", [Role.MARKETER, Role.READ_ONLY])
def test_only_owners_connect(role: Role, client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop, role)
    assert client.get("/app/connect").status_code == 403


def test_what_the_store_keeps_from_us_is_named_in_plain_words(client: TestClient, parts: Composition, here: str) -> None:
    assert "The store keeps some data" not in client.get(here).text
    run(parts, "update shops set withheld = '{customer.phone,order.email,order.phone}'")
    page = client.get(here).text
    assert "Shopify does not give this app: e-mail addresses, phone numbers." in page
    assert "asks Shopify for approval of access to protected customer data" in page
    client.headers["accept-language"] = "fr"
    assert "Shopify ne transmet pas à cette application : adresses e-mail, numéros de téléphone." in client.get(here).text
