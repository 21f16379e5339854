"""
Session tokens and the bodies sent to the token endpoint, compared with Shopify's own Python libraries.

ShopifyAPI (deprecated) knows session tokens; shopifyapp knows session tokens, token exchange and refresh. Where we differ from one of
them, the case says why.
"""

import json
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import httpx2
import jwt
import pytest
from pydantic import SecretStr

from connector.config import Settings
from connector.platforms import Access, AccessLost, AdminSession, BadSignature, PlatformError, TransientError
from integrations.shopify.client import Client
from integrations.shopify.embedded import ShopifyEmbedded
from integrations.shopify.tokens import refresh
from integrations.transport import Transport

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shopify_app
    from shopify import session_token

SHOP = "atelier-brume.myshopify.com"
CLIENT = "client-id-123"
SECRET, OLD = "shpss_" + "5e" * 16, "shpss_" + "01" * 16
SETTINGS = Settings(shopify_client_id=CLIENT, shopify_client_secret=SecretStr(SECRET), shopify_scopes="read_orders")
ROTATING = SETTINGS.model_copy(update={"shopify_old_client_secret": SecretStr(OLD)})
PAIR = {
    "access_token": "shpat_2",
    "expires_in": 3600,
    "refresh_token": "shprt_2",
    "refresh_token_expires_in": 7689600,
    "scope": "read_orders",
}


def token(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A session token of now; None takes a claim away."""
    instant = int(time.time())
    claims = {"iss": f"https://{SHOP}/admin", "dest": f"https://{SHOP}", "aud": CLIENT, "sub": "1", "jti": "a", "sid": "b"}
    claims |= {"exp": instant + 60, "nbf": instant, "iat": instant} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm=algorithm)


def ours(given: str, settings: Settings = SETTINGS) -> bool:
    """Whether we believe a session token."""
    try:
        ShopifyEmbedded(Client(Transport()), settings).open_session(given, datetime.now(UTC))
    except BadSignature:
        return False
    return True


def old_library(given: str) -> bool:
    """Whether ShopifyAPI does."""
    try:
        session_token.decode_from_header(f"Bearer {given}", CLIENT, SECRET)
    except session_token.SessionTokenError:
        return False
    return True


def new_library(given: str, old_secret: str | None = None) -> bool:
    """Whether shopifyapp does."""
    app = shopify_app.ShopifyApp(client_id=CLIENT, client_secret=SECRET, old_client_secret=old_secret)
    headers: Any = {"authorization": f"Bearer {given}"}
    request: Any = {"method": "GET", "url": "https://connector.example/embedded", "headers": headers, "body": ""}
    return bool(app.verify_app_home_req(request, "/patch").ok)


def now(seconds: int) -> int:
    return int(time.time()) + seconds


class TestSessionTokens:
    """Verdicts."""

    @pytest.mark.parametrize(
        ("make", "verdict"),
        [
            (token, True),
            (lambda: token(exp=now(-5)), True),
            (lambda: token(exp=now(-60)), False),
            (lambda: token(nbf=now(5)), True),
            (lambda: token(nbf=now(60)), False),
            (lambda: token(aud="another-app"), False),
            (lambda: token(aud=None), False),
            (lambda: token("shpss_" + "ff" * 16), False),
            (lambda: token("", algorithm="none"), False),
            (lambda: token()[:-2], False),
            (lambda: "", False),
            (lambda: "a.b.c", False),
        ],
        ids=["good", "leeway", "expired", "early", "too early", "aud", "no aud", "secret", "alg", "cut", "empty", "nonsense"],
    )
    def test_all_three_agree(self, make: Callable[[], str], verdict: bool) -> None:
        given = make()
        assert (ours(given), old_library(given), new_library(given)) == (verdict, verdict, verdict)

    def test_the_old_secret_counts_where_a_library_knows_of_two(self) -> None:
        """ShopifyAPI has one secret only: during a rotation it would lock out whoever has a page open."""
        given = token(OLD)
        assert ours(given, ROTATING)
        assert new_library(given, OLD)
        assert not old_library(given)
        assert not ours(given)

    @pytest.mark.parametrize(
        ("changes", "in_old", "in_new"),
        [
            # Without an end a stolen token is good for ever: both take it.
            ({"exp": None}, True, True),
            # Issuer and destination of two shops: shopifyapp does not compare them.
            ({"iss": "https://other.myshopify.com/admin"}, False, True),
            # No shop of Shopify's at all: shopifyapp looks at that only when it trades the token.
            ({"iss": "https://evil.example/admin", "dest": "https://evil.example"}, False, True),
            # Nobody's token: both take it, and we could not say whose session it is.
            ({"sub": ""}, True, True),
            ({"sub": "../1"}, True, True),
            # Not over https: ShopifyAPI compares hosts only.
            ({"iss": f"http://{SHOP}/admin", "dest": f"http://{SHOP}"}, True, True),
        ],
    )
    def test_we_refuse_what_a_library_lets_pass(self, changes: dict[str, Any], in_old: bool, in_new: bool) -> None:
        given = token(**changes)
        assert not ours(given)
        assert (old_library(given), new_library(given)) == (in_old, in_new)


class Recorder:
    """A token endpoint that notes what it was sent; for both makes of client."""

    def __init__(self, status: int = 200, body: Any = PAIR, headers: dict[str, str] | None = None) -> None:
        self.sent: list[tuple[str, str, dict[str, str]]] = []
        self.status, self.body, self.headers = status, body, headers or {}

    def ours(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append((request.method, str(request.url), json.loads(request.content)))
        return httpx2.Response(self.status, json=self.body, headers=self.headers)

    def theirs(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.method, str(request.url), json.loads(request.content)))
        return httpx.Response(self.status, json=self.body, headers=self.headers)

    @property
    def transport(self) -> Transport:
        return Transport(inner=httpx2.MockTransport(self.ours))

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.theirs))


def their_app() -> Any:
    return shopify_app.ShopifyApp(client_id=CLIENT, client_secret=SECRET)


def expired() -> Access:
    return Access(1, SHOP, {"access_token": "shpat_1", "refresh_token": "shprt_1", "expires_at": datetime.now(UTC).isoformat()})


def their_refresh(endpoint: Recorder) -> Any:
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 30))
    held = {"shop": SHOP.partition(".")[0], "token": "shpat_1", "refresh_token": "shprt_1", "access_mode": "offline"}
    held |= {"expires": past.isoformat(), "refresh_token_expires": future.isoformat(), "scope": "read_orders"}
    return their_app().refresh_token_exchanged_access_token(held, http_client=endpoint.client)


class TestRefreshing:
    """What is sent to have a pair replaced, and what is made of the answer."""

    def test_the_same_request_leaves(self) -> None:
        mine, theirs = Recorder(), Recorder()
        fresh = refresh(expired(), datetime.now(UTC), SETTINGS, mine.transport)
        result = their_refresh(theirs)
        assert mine.sent == theirs.sent
        assert (fresh["access_token"], fresh["refresh_token"]) == (result.access_token.token, result.access_token.refresh_token)
        our_end, their_end = datetime.fromisoformat(fresh["expires_at"]), datetime.fromisoformat(result.access_token.expires)
        assert abs(our_end - their_end) < timedelta(seconds=5)

    def test_both_call_a_refused_grant_lost(self) -> None:
        body = {"error": "invalid_grant"}
        with pytest.raises(AccessLost):
            refresh(expired(), datetime.now(UTC), SETTINGS, Recorder(400, body).transport)
        result = their_refresh(Recorder(400, body))
        assert (result.ok, result.log.code) == (False, "invalid_grant")

    def test_we_keep_a_refresh_token_that_the_answer_leaves_out_and_theirs_is_blank(self) -> None:
        """Storing theirs would end the chain for good: a person would have to open the app again."""
        body = {"access_token": "shpat_2", "scope": "read_orders"}
        assert refresh(expired(), datetime.now(UTC), SETTINGS, Recorder(body=body).transport)["refresh_token"] == "shprt_1"
        assert their_refresh(Recorder(body=body)).access_token.refresh_token == ""

    def test_a_throttled_refresh_waits_with_us_and_fails_with_them(self) -> None:
        """The refresh token is good still; theirs names no wait and no way to tell this from a lost one."""
        headers = {"retry-after": "2.0"}
        with pytest.raises(TransientError) as waits:
            refresh(expired(), datetime.now(UTC), SETTINGS, Recorder(429, {}, headers).transport)
        assert getattr(waits.value, "retry_after", None) == 2.0
        result = their_refresh(Recorder(429, {}, headers))
        assert (result.ok, result.log.code) == (False, "refresh_error")


class TestTokenExchange:
    """What is sent for a session token."""

    @staticmethod
    def theirs(endpoint: Recorder, given: str, mode: str) -> Any:
        id_token = {"exchangeable": True, "token": given, "claims": jwt.decode(given, options={"verify_signature": False})}
        return their_app().exchange_using_token_exchange(mode, id_token, http_client=endpoint.client)

    @pytest.mark.parametrize("mode", ["offline", "online"])
    def test_the_same_request_leaves(self, mode: str) -> None:
        given = token()
        mine, theirs = Recorder(), Recorder()
        embedded = ShopifyEmbedded(Client(mine.transport), SETTINGS)
        session = AdminSession(SHOP, "1", given)
        trade = embedded.install if mode == "offline" else embedded.who
        # What follows a good answer, reading the shop or the person, is ours alone.
        with pytest.raises(PlatformError):
            trade(session, datetime.now(UTC))
        self.theirs(theirs, given, mode)
        method, url, body = theirs.sent[0]
        expiring = {"expiring": str(body.pop("expiring"))}
        # Shopify documents the text "1" and, as tokens of a person's own always end, for the other kind only; theirs is a number in both.
        assert mine.sent[0] == (method, url, body | (expiring if mode == "offline" else {}))
