"""The pretend Shopify's install, tokens and GraphQL, seen by a tiny app that plays our role and recomputes signatures itself."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from integrations.sandbox.shopify_tokens import signed_query
from tests.integrations.sandbox_app import START, Clock, PlayedApp, is_signed, played, reset_shopify


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("shopify"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_shopify(running, clock)
    yield running
    running.world.settle()


def test_the_install_link_is_signed_and_names_the_shop(app: PlayedApp) -> None:
    url = app.world.shopify.install_url("https://connector.test")
    query = dict(parse_qsl(urlsplit(url).query))
    assert urlsplit(url).path == "/install/shopify"
    assert is_signed(urlsplit(url).query)
    assert not is_signed(urlsplit(url).query, "another-secret")
    assert query["shop"] == "demo.myshopify.com"
    assert query["timestamp"] == str(int(START.timestamp()))


def test_queries_are_signed_as_in_shopifys_published_example() -> None:
    pairs = {"code": "0907a61c0c8d55e99db179b68161bc00", "shop": "some-shop.myshopify.com"}
    pairs |= {"state": "0.6784241404160823", "timestamp": "1337178173"}
    published = "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"
    assert signed_query(pairs, "hush").endswith(f"&hmac={published}")


def test_the_listing_leads_only_to_the_app_itself(app: PlayedApp) -> None:
    browser = app.world.browser()
    link = "https://demo.myshopify.com/admin/apps/install-link?app_url="
    assert "Install Connector" in browser.open(link + "https://connector.test").text
    assert browser.open(link + "https://evil.test").status == 400
    browser.close()


def test_an_install_yields_an_expiring_token_with_the_scopes_asked_for(app: PlayedApp) -> None:
    assert set(app.token) == {"access_token", "scope", "expires_in", "refresh_token", "refresh_token_expires_in"}
    assert (app.token["scope"], app.token["expires_in"]) == ("read_orders,read_products", 3600)
    assert app.token["refresh_token_expires_in"] == 7_776_000


@pytest.mark.parametrize("change", [{"client_id": "x"}, {"redirect_uri": "https://evil.test/cb"}])
def test_a_grant_for_a_strange_app_or_address_is_refused(app: PlayedApp, change: dict[str, str]) -> None:
    query = {"client_id": "sandbox-client-id", "redirect_uri": "https://connector.test/install/shopify/callback", "state": "s"}
    browser = app.world.browser()
    page = browser.open("https://demo.myshopify.com/admin/oauth/authorize?" + urlencode(query | change))
    assert (page.status, page.links[1:]) == (400, ())
    browser.close()


def test_a_code_works_once_and_only_for_the_app(app: PlayedApp) -> None:
    code = app.world.shopify.tokens.mint_code(("read_orders",))
    assert app.exchange(code=code, client_secret="wrong") == (
        400,
        {"error": "invalid_client", "error_description": "The client credentials are not known"},
    )
    assert app.exchange(code=code)[1].keys() == {"access_token", "scope"}
    status, body = app.exchange(code=code)
    assert (status, body["error"]) == (400, "invalid_request")


def test_a_token_dies_after_an_hour_and_is_refreshed(app: PlayedApp, clock: Clock) -> None:
    first = app.token
    clock.advance(minutes=59, seconds=59)
    assert app.graphql("{ shop { name } }")[0] == 200
    clock.advance(seconds=1)
    assert app.graphql("{ shop { name } }")[0] == 401
    status, second = app.exchange(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert status == 200
    assert app.graphql("{ shop { name } }", token=second["access_token"])[0] == 200


def test_a_lost_refresh_answer_can_be_fetched_again_until_the_newer_token_is_used(app: PlayedApp) -> None:
    old = app.token["refresh_token"]
    _, lost = app.exchange(grant_type="refresh_token", refresh_token=old)
    _, second = app.exchange(grant_type="refresh_token", refresh_token=old)
    assert lost["refresh_token"] != second["refresh_token"]
    assert app.exchange(grant_type="refresh_token", refresh_token=second["refresh_token"])[0] == 200
    status, body = app.exchange(grant_type="refresh_token", refresh_token=old)
    assert (status, body["error"]) == (400, "invalid_grant")


def test_a_wrong_token_is_answered_as_recorded(app: PlayedApp) -> None:
    status, body = app.graphql("{ shop { name } }", token="shpat_wrong")
    assert (status, body) == (401, {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})


def test_the_shop_and_the_granted_scopes_can_be_read(app: PlayedApp) -> None:
    query = """query ShopAndScopes { # the first call
      shop { id name currencyCode ianaTimezone taxesIncluded primaryDomain { url } billingAddress: shopAddress { countryCodeV2 } }
      mine: currentAppInstallation { accessScopes { handle } } }"""
    _, body = app.graphql(query)
    shop = body["data"]["shop"]
    assert shop["name"] == "Harbour & Pine"
    assert (shop["currencyCode"], shop["ianaTimezone"], shop["taxesIncluded"]) == ("USD", "America/New_York", False)
    assert shop["billingAddress"]["countryCodeV2"] == "US"
    assert [scope["handle"] for scope in body["data"]["mine"]["accessScopes"]] == ["read_orders", "read_products"]
    assert body["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 100
