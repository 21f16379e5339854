"""To whom a newly connected shop belongs, and who is signed in by connecting it."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.web import cookies
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, run, scalar
from tests.web.installing import SHOP, STORE, begin, come_back
from tests.web.signing import keep, send, sign_in


def account_of(parts: Composition, domain: str) -> int:
    return int(scalar(parts, "select account_id from shops where domain = :domain", domain=domain))


def connect_shopify(client: TestClient) -> Any:
    return come_back(client, begin(client))


def connect_woocommerce(client: TestClient, parts: Composition) -> Any:
    """The store posts its answer from its own address, without our cookies; then the browser comes back."""
    state = begin(client, "woocommerce", STORE)
    with browser(parts, address="203.0.113.50") as store:
        assert store.post("/install/woocommerce/callback", json={"user_id": state}).status_code == 200
    return client.get("/install/woocommerce/done", params={"success": "1", "user_id": state})


Connect = Callable[[TestClient, Composition], Any]
WAYS: dict[str, tuple[str, Connect]] = {
    "through the browser": (SHOP, lambda client, parts: connect_shopify(client)),
    "posted by the store": (STORE, connect_woocommerce),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, Connect]:
    """Each of the two ways in which platforms answer: the shop's domain and how it is connected."""
    return WAYS[request.param]


def test_a_stranger_who_connects_a_store_gets_an_account_and_is_its_owner(
    way: tuple[str, Connect], client: TestClient, parts: Composition
) -> None:
    domain, connect = way
    before = int(scalar(parts, "select count(*) from accounts"))
    connect(client, parts)
    assert int(scalar(parts, "select count(*) from accounts")) == before + 1
    owner = "select role || ' ' || coalesce(email, 'none') from members where account_id = :account"
    assert scalar(parts, owner, account=account_of(parts, domain)).startswith("owner ")
    assert client.get("/app/members").status_code == 200, "who has just proven to own the store is signed in"


def test_a_store_connected_by_a_signed_in_owner_joins_the_account(
    way: tuple[str, Connect], client: TestClient, parts: Composition, shopify_shop: TestShop
) -> None:
    domain, connect = way
    before = int(scalar(parts, "select count(*) from accounts"))
    sign_in(client, parts, shopify_shop)
    session = client.cookies.get(cookies.SESSION)
    answer = connect(client, parts)
    assert account_of(parts, domain) == account_of(parts, shopify_shop.domain)
    assert int(scalar(parts, "select count(*) from accounts")) == before
    assert client.cookies.get(cookies.SESSION) == session
    assert "sign-in" not in answer.headers.get("location", "")
    assert (
        scalar(
            parts, "select count(*) from audit_entries where action = 'shop.connected' and account_id = :id", id=account_of(parts, domain)
        )
        == 1
    )


@pytest.mark.parametrize("role", [Role.MARKETER, Role.READ_ONLY])
def test_only_owners_connect_stores(role: Role, client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop, role)
    assert client.get("/install/shopify", params={"shop": SHOP}).status_code == 403
    assert scalar(parts, "select count(*) from pending_installs") == 0


def test_a_store_that_is_here_stays_in_its_account_whoever_installs_it(
    way: tuple[str, Connect], client: TestClient, parts: Composition, shopify_shop: TestShop
) -> None:
    domain, connect = way
    connect(client, parts)
    account = account_of(parts, domain)
    with browser(parts) as other:
        sign_in(other, parts, shopify_shop)
        answer = connect(other, parts)
        assert "belongs to an account that was here before" in answer.text
        assert account_of(parts, domain) == account
        shop = scalar(parts, "select public_id from shops where domain = :domain", domain=domain)
        assert other.get(f"/app/shops/{shop}").status_code == 404


def test_installing_again_signs_nobody_in(way: tuple[str, Connect], client: TestClient, parts: Composition) -> None:
    """One store of fifty must not open the account of all fifty."""
    _, connect = way
    connect(client, parts)
    with browser(parts) as other:
        answer = connect(other, parts)
        assert "Its members see it after they sign in" in answer.text
        assert other.get("/app/members").status_code == 303


def test_the_page_after_an_install_signs_in_once(client: TestClient, parts: Composition) -> None:
    state = begin(client, "woocommerce", STORE)
    with browser(parts, address="203.0.113.50") as store:
        store.post("/install/woocommerce/callback", json={"user_id": state})
    done = {"success": "1", "user_id": state}
    assert client.get("/install/woocommerce/done", params=done).status_code == 200
    send(client, parts, "/sign-out")
    assert client.get("/install/woocommerce/done", params=done).status_code == 200
    assert client.get("/app/members").status_code == 303


def test_an_equal_address_links_no_accounts(client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    """The new store tells an address that is a member's elsewhere: that alone must join nothing."""
    other = account_of(parts, woo_shop.domain)
    contact = "contact@brume.example"
    run(parts, "update members set email = :email, email_norm = :email where account_id = :account", email=contact, account=other)
    connect_shopify(client)
    run(
        parts,
        "update members set email = :email, email_norm = :email where account_id = :account",
        email=contact,
        account=account_of(parts, SHOP),
    )
    assert account_of(parts, SHOP) != other
    with browser(parts) as stranger:
        keep(stranger, cookies.SESSION, str(client.cookies.get(cookies.SESSION)))
        shop = scalar(parts, "select public_id from shops where id = :id", id=woo_shop.id)
        assert stranger.get(f"/app/shops/{shop}").status_code == 404
