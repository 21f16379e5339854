"""The pretend Shopify's admin: session tokens, what they are traded for, and the pages around an app's own."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.shopify_people import OWNER, PACKER, STAFF, session_token, subject_of
from integrations.sandbox.shopify_tokens import EXCHANGE, ID_TOKEN, OFFLINE, ONLINE, Tokens
from integrations.sandbox.world import Sandbox
from integrations.transport import Transport
from tests.integrations.sandbox_app import START, Clock, PlayedApp, is_signed, played

CLIENT, SECRET = "sandbox-client-id", "sandbox-client-secret"


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    """The token endpoint of a shop that approved the app."""
    made = Tokens(AppConfiguration.standard("https://connector.test"), clock)
    made.install()
    return made


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Iterator[PlayedApp]:
    """The pretend Shopify with our played app."""
    with played(tmp_path, clock, for_people=True) as one:
        yield one


def trade(tokens: Tokens, kind: str = OFFLINE, token: str | None = None, **changes: str) -> tuple[int, dict[str, Any]]:
    fields = {"client_id": CLIENT, "client_secret": SECRET, "grant_type": EXCHANGE, "subject_token_type": ID_TOKEN, "expiring": "1"}
    subject = session_token(OWNER, CLIENT, SECRET, START) if token is None else token
    return tokens.exchange(fields | {"subject_token": subject, "requested_token_type": kind} | changes)


def test_a_session_token_is_what_a_library_takes_for_one() -> None:
    claims = jwt.decode(
        session_token(STAFF, CLIENT, SECRET, START),
        SECRET.ljust(32, "\0"),
        algorithms=["HS256"],
        audience=CLIENT,
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["dest"]) == ("https://demo.myshopify.com/admin", "https://demo.myshopify.com")
    assert (claims["sub"], claims["exp"] - claims["nbf"]) == (str(STAFF.id), 60)


def test_it_becomes_the_shops_pair_and_ends_what_was_acquired_before(tokens: Tokens) -> None:
    status, first = trade(tokens)
    assert (status, first["expires_in"], first["refresh_token_expires_in"]) == (200, 3600, 7776000)
    _, second = trade(tokens)
    both = {"client_id": CLIENT, "client_secret": SECRET, "grant_type": "refresh_token"}
    assert tokens.exchange(both | {"refresh_token": str(first["refresh_token"])}) == (
        400,
        {"error": "invalid_grant", "error_description": "The refresh token is invalid or expired"},
    )
    assert tokens.exchange(both | {"refresh_token": str(second["refresh_token"])})[0] == 200
    assert tokens.scopes_of(str(first["access_token"])) is not None, "it keeps its hour"
    assert dict(tokens.answered) == {"offline": 2, "refresh": 1}


def test_it_becomes_a_persons_own_token_which_says_who_they_are(tokens: Tokens) -> None:
    status, answer = trade(tokens, ONLINE, session_token(PACKER, CLIENT, SECRET, START))
    assert status == 200
    assert "refresh_token" not in answer
    assert answer["associated_user"] == {
        "id": PACKER.id,
        "first_name": "Lina",
        "last_name": "Moreau",
        "email": "lina@demo-shop.example",
        "email_verified": True,
        "account_owner": False,
        "locale": "en",
        "collaborator": False,
    }
    assert answer["associated_user_scope"] == "read_products"
    assert tokens.scopes_of(answer["access_token"]) == ("read_products",)


def test_a_token_that_is_not_good_is_refused(tokens: Tokens, clock: Clock) -> None:
    good = session_token(OWNER, CLIENT, SECRET, START)
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "1"}).encode()).decode().rstrip("=")
    for bad in (
        "",
        "x.y.z",
        f"{head}.{other}.{signature}",
        session_token(OWNER, CLIENT, "another", START),
        session_token(OWNER, "another", SECRET, START),
        session_token(OWNER, CLIENT, SECRET, START, dest="https://other.myshopify.com"),
        session_token(OWNER, CLIENT, SECRET, START, sub="1"),
    ):
        assert trade(tokens, token=bad)[1]["error"] == "invalid_subject_token"
    assert subject_of(good, CLIENT, SECRET, clock()) == OWNER.id
    clock.advance(seconds=61)
    assert trade(tokens, token=good)[1] == {"error": "invalid_subject_token", "error_description": "Subject token is invalid"}


@pytest.mark.parametrize("changes", [{"client_secret": "x"}, {"client_id": "x"}])
def test_only_the_app_may_trade(tokens: Tokens, changes: dict[str, str]) -> None:
    assert trade(tokens, **changes)[1]["error"] == "invalid_client"


def test_only_the_two_documented_kinds_are_given(tokens: Tokens) -> None:
    assert trade(tokens, "urn:other")[1]["error"] == "invalid_request"
    assert trade(tokens, subject_token_type="urn:other")[1]["error"] == "invalid_request"


def test_where_the_app_is_not_installed_nothing_is_given(tokens: Tokens) -> None:
    _, answer = trade(tokens)
    tokens.revoke_all()
    assert not tokens.is_installed
    assert trade(tokens)[1]["error"] == "invalid_client"
    assert tokens.scopes_of(answer["access_token"]) is None


def test_the_merchant_may_grant_less_and_change_it_later(tokens: Tokens) -> None:
    tokens.granted_scopes = ("read_orders",)
    tokens.install()
    _, answer = trade(tokens)
    assert answer["scope"] == "read_orders"
    assert tokens.change_scopes(("read_orders", "read_products")) == ("read_orders",)
    assert tokens.scopes_of(answer["access_token"]) == ("read_orders", "read_products")
    assert trade(tokens)[1]["scope"] == "read_orders,read_products"


def test_a_click_on_the_app_asks_first_and_then_shows_its_page_in_a_frame(app: PlayedApp) -> None:
    origin = app.world.browser_map["https://demo.myshopify.com"]
    browser = app.world.browser()
    asked = browser.open(f"{origin}/admin/apps/connector?locale=fr&user={STAFF.id}")
    before = app.world.shopify.tokens.is_installed
    shown = browser.click(asked, "Install app")
    assert (before, app.world.shopify.tokens.is_installed) == (False, True)
    browser.close()
    url = re.search(r'<iframe src="([^"]+)"', shown.html)
    assert url is not None
    address = urlsplit(url[1].replace("&amp;", "&"))
    query = dict(parse_qsl(address.query))
    assert address.path == "/embedded/shopify"
    assert is_signed(address.query)
    assert (query["shop"], query["embedded"], query["locale"]) == ("demo.myshopify.com", "1", "fr")
    assert base64.b64decode(query["host"] + "==") == b"admin.shopify.com/store/demo"
    assert subject_of(query["id_token"], CLIENT, SECRET, START) == STAFF.id


def test_the_page_around_gives_tokens_of_whoever_is_signed_in_there(app: PlayedApp) -> None:
    client = Transport(app.world.address_map, app.world.ca_pem, is_closed_world=True)
    for user, expected in ((f"?user={STAFF.id}", STAFF.id), ("", OWNER.id), ("?user=0", OWNER.id), ("?user=x", OWNER.id)):
        answer = client.send("shopify", "token", "POST", f"https://demo.myshopify.com/admin/apps/connector/session-token{user}")
        assert subject_of(json.loads(answer.body)["token"], CLIENT, SECRET, START) == expected
    for path in ("/shopifycloud/app-bridge.js", "/admin/admin.js"):
        answer = client.send("shopify", "script", "GET", f"https://demo.myshopify.com{path}")
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/javascript")
    client.close()


def test_an_app_of_its_own_site_is_led_to_by_a_signed_address(tmp_path: Path, clock: Clock) -> None:
    text = (Path(__file__).parents[2] / "shopify.app.standalone.toml").read_text(encoding="utf-8")
    with Sandbox(tmp_path, clock, app_toml=text) as world:
        client = Transport(world.address_map, world.ca_pem, is_closed_world=True)
        answer = client.send("shopify", "open", "GET", "https://demo.myshopify.com/admin/apps/connector")
        client.close()
    address = urlsplit(answer.headers["location"])
    assert (answer.status, address.netloc, address.path) == (302, "connector.test", "/install/shopify")
    assert is_signed(address.query)
