"""What strangers try with installs and with our page in Shopify's admin, and what they get for it."""

import base64
import hmac
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import jwt
import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.web.composition import Composition
from tests.conftest import SHOPIFY_SECRET
from tests.integrations.shopify_installs import FOREIGN_HOSTS, encoded
from tests.web.conftest import browser, scalar
from tests.web.embedding import CLIENT, DOMAIN, FakeShopify, ask, session_token
from tests.web.signing import send, sign_in_staff

NO_SHOPS = (
    "evil.com",
    "x.myshopify.com.evil.com",
    "x.myshopify.com@evil.com",
    "x.myshopify.com/path",
    "",
    "a" * 300,
    "a" * 300 + ".myshopify.com",
    "x.myshopify.com\n",
    "https://x.myshopify.com",
    "x.myshopify.com#.evil.com",
    "x.myshopify.com:443",
    ".myshopify.com",
    "-x.myshopify.com",
    "\u212a.myshopify.com",  # the Kelvin sign, which is a k without letter case
)
HOST = encoded(f"admin.shopify.com/store/{DOMAIN.partition('.')[0]}")


@pytest.fixture
def shop() -> FakeShopify:
    """The shop's Shopify."""
    return FakeShopify()


@pytest.fixture
def here(make_parts: Callable[..., Composition], shop: FakeShopify) -> Composition:
    """Our process on the real adapter."""
    return make_parts({"shopify": shop.platform(make_parts().settings)})


@pytest.fixture
def client(here: Composition) -> Iterator[TestClient]:
    """A browser."""
    with browser(here) as one:
        yield one


def signed(secret: str = SHOPIFY_SECRET, **changes: str) -> dict[str, str]:
    """A query as Shopify signs it."""
    pairs = {"shop": DOMAIN, "host": HOST, "timestamp": str(int(time.time()))} | changes
    message = urlencode(sorted(pairs.items())).replace("+", "%20")
    return {**pairs, "hmac": hmac.digest(secret.encode(), message.encode(), "sha256").hex()}


def begin(client: TestClient) -> str:
    """Start an install; returns its state."""
    answer = client.get("/install/shopify", params=signed())
    assert answer.status_code == 302
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))["state"]


def come_back(client: TestClient, query: dict[str, str]) -> httpx2.Response:
    answer: httpx2.Response = client.get("/install/shopify/callback", params=query)
    return answer


def install(client: TestClient, code: str = "code-1") -> httpx2.Response:
    return come_back(client, signed(state=begin(client), code=code))


@pytest.mark.spec("SEC-140")
@pytest.mark.parametrize("shop_name", NO_SHOPS, ids=lambda name: name[:30] or "empty")
def test_what_is_no_shop_is_answered_400_and_led_nowhere(shop_name: str, client: TestClient, shop: FakeShopify) -> None:
    state = begin(client)
    for answer in (
        client.get("/install/shopify", params=signed(shop=shop_name)),
        client.get("/install/shopify", params={"shop": shop_name}),
        client.get("/embedded/shopify", params={"shop": shop_name, "host": HOST}),
        client.get("/embedded/shopify", params=signed(shop=shop_name)),
        come_back(client, signed(shop=shop_name, state=state, code="code-1")),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert shop.asked == []


@pytest.mark.spec("SEC-142")
@pytest.mark.parametrize("how", ["bad", "missing", "of another app", "old", "of the future", "without time", "something added"])
def test_a_callback_that_shopify_did_not_sign_lately_is_answered_401(
    how: str, client: TestClient, here: Composition, shop: FakeShopify
) -> None:
    known = {"state": begin(client), "code": "code-1"}
    seconds = {"old": -91, "of the future": 95}.get(how, 0)
    query = signed("another" if how == "of another app" else SHOPIFY_SECRET, **known, timestamp=str(int(time.time()) + seconds))
    if how == "bad":
        query["hmac"] = query["hmac"][:-1] + ("0" if query["hmac"][-1] != "0" else "1")
    elif how == "missing":
        del query["hmac"]
    elif how == "without time":
        query = signed(**known, timestamp="")
    elif how == "something added":
        query["extra"] = "1"
    answer = come_back(client, query)
    assert answer.status_code == 401
    assert shop.asked == []
    assert scalar(here, "select count(*) from shops") == 0
    assert client.get("/install/shopify", params={name: value for name, value in query.items() if name not in known}).status_code == 401


@pytest.mark.spec("SEC-143")
def test_a_code_that_is_replayed_is_refused_in_plain_words_and_the_first_token_stays(
    client: TestClient, here: Composition, shop: FakeShopify
) -> None:
    assert install(client).status_code == 303
    before = scalar(here, "select credentials from shops")
    shop.access, shop.refusal = "shpat_second", httpx2.Response(400, json={"error": "invalid_request"})
    answer = install(client)
    assert answer.status_code == 400
    assert "Shopify did not accept the sign-in; open the app in Shopify again" in answer.text
    assert scalar(here, "select credentials from shops") == before
    assert here.services.vault.open(before)["access_token"] == "shpat_first"
    assert scalar(here, "select state from shops") == "connected"


@pytest.mark.spec("SEC-144")
@pytest.mark.parametrize("is_embedded", [False, True])
def test_fewer_permissions_make_the_connection_incomplete_and_are_named(
    is_embedded: bool, client: TestClient, here: Composition, shop: FakeShopify
) -> None:
    shop.scopes = "read_orders,read_products"
    if is_embedded:
        shown = [ask(client, "opening").text]
        code = ask(client, "codes").json()["code"]
        client.post("/embedded/shopify/entrance", data={"code": code}, headers={"sec-fetch-site": "same-origin"})
    else:
        assert install(client).status_code == 303
        shown = []
    page = f"/app/shops/{scalar(here, 'select public_id from shops')}"
    shown.append(client.get(page).text)
    sign_in_staff(client, here, StaffRole.SUPPORT)
    support = page.replace("/app/", "/support/")
    send(client, here, f"{support}/reason", reason="checking a connection", ticket="T-1")
    shown.append(client.get(support).text)
    for text in shown:
        assert "incomplete" in text.lower()
        for scope in ("read_customer_merge", "read_customers", "read_inventory", "read_shopify_payments_disputes", "write_discounts"):
            assert f"<code>{scope}</code>" in text
    shop.scopes = FakeShopify.scopes
    assert install(client).status_code == 303
    assert "incomplete" not in client.get(page).text.lower()


def unsigned(algorithm: str) -> str:
    head = base64.urlsafe_b64encode(f'{{"alg":"{algorithm}","typ":"JWT"}}'.encode()).decode().rstrip("=")
    return f"{head}.{session_token().split('.')[1]}."


@pytest.mark.spec("SEC-145")
@pytest.mark.parametrize(
    "make",
    [
        lambda: unsigned("none"),
        lambda: unsigned("NONE"),
        lambda: jwt.encode({"aud": CLIENT}, "", algorithm="none"),
        lambda: session_token(secret="another-secret-of-somebody-else-1"),
        lambda: session_token(aud="another-app"),
        lambda: session_token(exp=int(time.time()) - 11),
        lambda: session_token(exp=None),
        lambda: session_token(nbf=int(time.time()) + 60, exp=int(time.time()) + 120),
        lambda: session_token(dest="https://other.myshopify.com"),
        lambda: session_token(domain="evil.com"),
    ],
    ids=["none", "NONE", "none by library", "other secret", "wrong aud", "expired", "no exp", "not yet", "other dest", "no shop"],
)
def test_a_session_token_that_is_not_good_is_answered_401(make: Callable[[], str], client: TestClient, shop: FakeShopify) -> None:
    assert ask(client, "opening").status_code == 200
    shop.asked.clear()
    for name in ("opening", "automation", "codes"):
        answer = ask(client, name, make(), is_on=True)
        assert answer.status_code == 401
        assert answer.headers["x-shopify-retry-invalid-session-request"] == "1"
        assert "Atelier Brume" not in answer.text
    assert shop.asked == []


@pytest.mark.spec("SEC-146")
@pytest.mark.parametrize("place", FOREIGN_HOSTS)
def test_a_host_that_is_not_shopifys_is_answered_400(place: str, client: TestClient, shop: FakeShopify) -> None:
    state = begin(client)
    for answer in (
        client.get("/embedded/shopify", params={"shop": DOMAIN, "host": encoded(place)}),
        client.get("/embedded/shopify", params=signed(host=encoded(place))),
        client.get("/install/shopify", params=signed(host=encoded(place))),
        come_back(client, signed(host=encoded(place), state=state, code="code-1")),
    ):
        assert answer.status_code == 400
        assert "location" not in answer.headers
    assert shop.asked == []


@pytest.mark.spec("SEC-147")
def test_the_page_may_be_framed_by_the_shop_that_asks_and_the_admin_and_by_nobody_else(client: TestClient) -> None:
    for name in (DOMAIN, "other-1.myshopify.com", DOMAIN.upper()):
        policy = client.get("/embedded/shopify", params=signed(shop=name)).headers["content-security-policy"]
        found = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert found["frame-ancestors"] == f"https://{name.lower()} https://admin.shopify.com"
        assert found["script-src"] == "'self' https://cdn.shopify.com"
        assert found["default-src"] == "'none'"
    for query in ({}, {"shop": "evil.com"}, {"host": HOST}):
        answer = client.get("/embedded/shopify", params=query)
        assert answer.status_code == 400
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for path in ("/", "/status", "/sign-in", "/connect/woocommerce", "/app"):
        policy = client.get(path).headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "shopify" not in policy


@pytest.mark.parametrize("name", ["opening", "automation", "codes", "entrance"])
def test_nothing_of_the_page_that_acts_can_be_read(name: str, client: TestClient) -> None:
    answer = client.get(f"/embedded/shopify/{name}", headers={"authorization": f"Bearer {session_token()}"})
    assert answer.status_code == 405


def test_the_document_holds_nothing_of_the_shop_and_is_kept_by_nobody(client: TestClient) -> None:
    ask(client, "opening")
    answer = client.get("/embedded/shopify", params=signed(id_token=session_token()))
    assert answer.status_code == 200
    assert DOMAIN not in answer.text
    assert "Atelier Brume" not in answer.text
    assert "set-cookie" not in answer.headers
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "strict-origin")


def test_without_an_app_the_page_says_what_is_to_be_set(make_parts: Callable[..., Composition], shop: FakeShopify) -> None:
    bare = make_parts(shopify_client_id="")
    with browser(make_parts({"shopify": shop.platform(bare.settings)}, shopify_client_id="")) as client:
        answer = client.get("/embedded/shopify", params=signed())
    assert answer.status_code == 400
    assert "SHOPIFY_CLIENT_ID" in answer.text


def test_a_platform_without_pages_in_its_admin_has_none(make_parts: Callable[..., Composition]) -> None:
    with browser(make_parts()) as client:
        assert client.get("/embedded/shopify", params=signed()).status_code == 404
        assert ask(client, "opening").status_code == 404
