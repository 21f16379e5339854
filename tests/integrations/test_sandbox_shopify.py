"""The pretend Shopify's install, tokens and GraphQL, seen by a tiny app that plays our role and recomputes signatures itself."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from integrations.sandbox.shopify_query import root_fields
from integrations.sandbox.shopify_shop import Address, Shopper
from integrations.sandbox.shopify_tokens import signed_query
from tests.integrations.sandbox_app import START, Clock, PlayedApp, install_shopify, is_signed, played, reset_shopify

MARY = Shopper("mary@example.com", "Mary", "Moss", "+12075550100", Address("Mary", "Moss", phone="207 555 0101"))


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
      shop { id name primaryDomain { url } } mine: currentAppInstallation { accessScopes { handle } } }"""
    _, body = app.graphql(query)
    shop = body["data"]["shop"]
    assert shop["name"] == "Harbour & Pine"
    assert (shop["currencyCode"], shop["ianaTimezone"], shop["taxesIncluded"]) == ("USD", "America/New_York", False)
    assert shop["billingAddress"]["countryCodeV2"] == "US"
    assert [scope["handle"] for scope in body["data"]["mine"]["accessScopes"]] == ["read_orders", "read_products"]
    assert body["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 100


def test_products_come_by_id_with_their_variants_and_missing_ones_as_null(app: PlayedApp) -> None:
    ids = ["gid://shopify/Product/7900000000001", "gid://shopify/Product/1", "nonsense"]
    _, body = app.graphql("query P($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { id } } }", {"ids": ids})
    product, *missing = body["data"]["nodes"]
    assert missing == [None, None]
    assert product["title"] == "Cedar Candle"
    assert product["featuredMedia"]["preview"]["image"]["url"] == "https://demo.myshopify.com/cdn/shop/files/cedar-candle.png?v=1"
    assert [edge["node"]["sku"] for edge in product["variants"]["edges"]] == ["CEDAR-S", "CEDAR-L"]
    assert product["variants"]["nodes"][0]["price"] == "18.00"
    _, one = app.graphql('{ product(id: "gid://shopify/Product/7900000000002") { title } }')
    assert one["data"]["product"]["title"] == "Sea Salt Soap"


def test_lists_are_paged_by_cursor(app: PlayedApp) -> None:
    query = "query L($first: Int = 3, $after: String) { products(first: $first, after: $after) { nodes { id } } }"
    _, first = app.graphql(query)
    info = first["data"]["products"]["pageInfo"]
    assert (len(first["data"]["products"]["nodes"]), info["hasNextPage"]) == (3, True)
    _, second = app.graphql(query, {"after": info["endCursor"]})
    assert (len(second["data"]["products"]["nodes"]), second["data"]["products"]["pageInfo"]["hasNextPage"]) == (1, False)


def test_orders_can_be_asked_for_by_update_time_and_by_token(app: PlayedApp, clock: Clock) -> None:
    clock.advance(minutes=30)
    since = clock.at.replace(microsecond=0)
    twin = app.world.shopify
    token = twin.start_checkout([("CEDAR-L", 2)], customer=MARY)
    order_id = twin.pay(token)
    clock.advance(minutes=1)
    later = twin.pay(twin.start_checkout([("SALT-SOAP", 1)], email="late@example.com"))
    query = "query O($query: String) { orders(first: 50, query: $query, sortKey: UPDATED_AT) { nodes { id } } }"

    def ids(text: str, reverse: bool = False) -> list[int]:
        asked = query.replace("sortKey: UPDATED_AT", "reverse: true") if reverse else query
        return [int(node["legacyResourceId"]) for node in app.graphql(asked, {"query": text})[1]["data"]["orders"]["nodes"]]

    assert ids(f"updated_at:>='{since.strftime('%Y-%m-%dT%H:%M:%SZ')}'") == [order_id, later]
    assert ids(f"updated_at:>{since.strftime('%Y-%m-%dT%H:%M:%S')}") == [later]
    assert ids(f"updated_at:>={since.isoformat()}", reverse=True) == [later, order_id]
    assert ids(f"checkout_token:{token}") == [order_id]
    _, body = app.graphql("query G($id: ID!) { order(id: $id) { id } }", {"id": f"gid://shopify/Order/{order_id}"})
    order = body["data"]["order"]
    assert (order["checkoutToken"], order["displayFinancialStatus"], order["cancelledAt"]) == (token, "PAID", None)
    assert order["totalPriceSet"]["shopMoney"] == {"amount": "64.00", "currencyCode": "USD"}
    assert order["lineItems"]["nodes"][0]["variant"]["sku"] == "CEDAR-L"
    assert order["customer"]["defaultAddress"]["phone"] == "207 555 0101"


def test_what_the_token_may_not_see_is_denied(app: PlayedApp) -> None:
    app.world.shopify.tokens.granted_scopes = ("read_products",)
    install_shopify(app)
    app.world.shopify.tokens.granted_scopes = None
    _, body = app.graphql("{ orders(first: 1) { nodes { id } } shop { name } }")
    assert body["data"]["orders"] is None
    assert body["data"]["shop"]["name"] == "Harbour & Pine"
    assert body["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_unknown_fields_and_broken_queries_are_errors(app: PlayedApp) -> None:
    assert app.graphql("{ carts { id } }")[1]["errors"][0]["extensions"]["code"] == "undefinedField"
    assert "errors" in app.graphql("")[1]
    url = "https://demo.myshopify.com/admin/api/2026-10/graphql.json"
    headers = {"x-shopify-access-token": app.token["access_token"]}
    assert app.client.send("shopify", "test", "POST", url, headers=headers, content=b"[").status == 400


def test_root_fields_are_found_among_fragments_directives_and_variables() -> None:
    query = """
      fragment F on Shop { name ...G } fragment G on Shop { id }
      query Q($ids: [ID!]!, $n: Int = 5, $on: Boolean = true) {
        shop @include(if: $on) { ...F }
        a: nodes(ids: $ids) { id }
        b: nodes(ids: ["x", "y\\"z"]) { id }
        orders(first: $n, reverse: true, query: "a:b # c", after: null) { nodes { id } }
        ... on QueryRoot { skipped }
        ...H
      }"""
    found = root_fields(query, {"ids": ["1"]})
    assert [(field.alias, field.name) for field in found] == [("shop", "shop"), ("a", "nodes"), ("b", "nodes"), ("orders", "orders")]
    assert found[1].arguments == {"ids": ["1"]}
    assert found[2].arguments["ids"] == ["x", 'y"z']
    assert found[3].arguments == {"first": 5, "reverse": True, "query": "a:b # c", "after": None}
    assert root_fields("query ( $a: Int", {}) == []
