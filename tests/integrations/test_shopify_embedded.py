"""Being a page inside Shopify's admin: session tokens that are believed and those that are not, and what they are traded for."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from pydantic import SecretStr

from connector.config import Settings
from connector.platforms import AdminSession, BadSignature, Embedded, InstallRefused, Rejected, TransientError
from integrations.shopify.client import Client
from integrations.shopify.embedded import ShopifyEmbedded
from integrations.transport import Transport
from tests.integrations.shopify_installs import FOREIGN_HOSTS, PROFILE, encoded

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SHOP = "atelier-brume.myshopify.com"
SECRET, OLD_SECRET = "shpss_" + "5e" * 16, "shpss_" + "01" * 16
CLIENT = "client-id-123"
SETTINGS = Settings(
    shopify_client_id=CLIENT,
    shopify_client_secret=SecretStr(SECRET),
    shopify_old_client_secret=SecretStr(OLD_SECRET),
    shopify_scopes="read_orders,read_customers",
)
PAIR = {"access_token": "shpat_x", "scope": "read_orders", "expires_in": 3600, "refresh_token": "shprt_x"}
USER = {"id": 902541635, "first_name": "Camille", "last_name": "Durand", "email": "Camille@brume.example", "locale": "fr-FR"}
ONLINE = {"access_token": "shpua_x", "scope": "read_orders,write_customers", "associated_user_scope": "read_orders,write_customers"}
NESTED = base64.b64encode(b"[" * 3000).decode() + ".e30.AA"
Answers = Callable[[httpx2.Request], httpx2.Response]


def claims(**changes: Any) -> dict[str, Any]:
    """What a genuine token says; None takes a claim away."""
    instant = int(NOW.timestamp())
    given = {
        "iss": f"https://{SHOP}/admin",
        "dest": f"https://{SHOP}",
        "aud": CLIENT,
        "sub": "902541635",
        "exp": instant + 60,
        "nbf": instant,
        "iat": instant,
        "jti": "f8912129-1af6-4cad-9ca3-76b0f7621087",
        "sid": "aaea182f2732d44c23057c0fea584021a4485b2bd25d3eb7fd349313ad24c685",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def token(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm=algorithm)


def embedded(answers: Answers | None = None, settings: Settings = SETTINGS) -> Embedded:
    def nobody(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"nothing may be sent to {request.url.host}")

    return ShopifyEmbedded(Client(Transport(inner=httpx2.MockTransport(answers or nobody))), settings)


def shopify(answer: Mapping[str, Any] | httpx2.Response, sent: list[dict[str, Any]] | None = None) -> Answers:
    """A token endpoint that gives this answer, and a shop that can be read."""

    def store(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/access_token"):
            if sent is not None:
                sent.append({"url": str(request.url), **json.loads(request.content)})
            return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)
        return httpx2.Response(200, json={"data": {"shop": PROFILE, "currentAppInstallation": {"accessScopes": []}}})

    return store


def session() -> AdminSession:
    return AdminSession(SHOP, "902541635", token())


class TestFrame:
    def test_the_shop_that_asks_is_told(self) -> None:
        query = [("shop", "Atelier-Brume.myshopify.com"), ("host", encoded("admin.shopify.com/store/atelier-brume")), ("embedded", "1")]
        assert embedded().check_frame(query) == SHOP
        assert embedded().check_frame([("shop", SHOP)]) == SHOP

    @pytest.mark.parametrize("shop", ["", "evil.com", f"{SHOP}.evil.com", f"{SHOP}@evil.com", f"{SHOP}/path", f"{SHOP}\n", "a" * 300])
    def test_what_is_no_shop_is_refused(self, shop: str) -> None:
        with pytest.raises(InstallRefused, match="not the address of a Shopify store"):
            embedded().check_frame([("shop", shop)])

    def test_a_second_shop_is_refused(self) -> None:
        with pytest.raises(InstallRefused):
            embedded().check_frame([("shop", "other.myshopify.com"), ("shop", SHOP)])

    @pytest.mark.parametrize("place", FOREIGN_HOSTS)
    def test_a_host_that_is_not_shopifys_is_refused(self, place: str) -> None:
        with pytest.raises(InstallRefused, match="host is not Shopify"):
            embedded().check_frame([("shop", SHOP), ("host", encoded(place))])


class TestSessionToken:
    def test_a_genuine_one_names_shop_and_user(self) -> None:
        given = token()
        opened = embedded().open_session(given, NOW)
        assert (opened.domain, opened.user_id, opened.token) == (SHOP, "902541635", given)
        assert given not in repr(opened)

    def test_the_old_secret_counts_while_it_is_rotated(self) -> None:
        assert embedded().open_session(token(OLD_SECRET), NOW).domain == SHOP

    @pytest.mark.parametrize("seconds", [-10, 0, 59, 69])
    def test_clocks_may_differ_by_ten_seconds(self, seconds: int) -> None:
        assert embedded().open_session(token(), NOW + timedelta(seconds=seconds)).domain == SHOP

    @pytest.mark.parametrize("seconds", [-11, 70, 3600, 86_400 * 365])
    def test_outside_of_its_minute_it_is_worth_nothing(self, seconds: int) -> None:
        with pytest.raises(BadSignature, match="not valid now"):
            embedded().open_session(token(), NOW + timedelta(seconds=seconds))

    @pytest.mark.parametrize("name", ["exp", "nbf", "aud", "iss", "dest", "sub"])
    def test_no_claim_may_be_missing(self, name: str) -> None:
        given: dict[str, Any] = {name: None}
        with pytest.raises(BadSignature):
            embedded().open_session(token(**given), NOW)

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "another-app"},
            {"iss": "https://other.myshopify.com/admin"},
            {"iss": f"http://{SHOP}/admin"},
            {"iss": "https://[/admin"},
            {"iss": f"https://{SHOP}@evil.com/admin"},
            {"dest": "https://other.myshopify.com"},
            {"dest": SHOP},
            {"dest": f"http://{SHOP}"},
            {"dest": f"https://{SHOP}/admin"},
            {"dest": "https://evil.com", "iss": "https://evil.com/admin"},
            {"dest": f"https://{SHOP}\n"},
            {"dest": ["https://" + SHOP]},
            {"sub": ""},
            {"sub": "abc:1"},
            {"sub": "²"},
            {"exp": "soon"},
            {"exp": [1]},
            {"nbf": "now"},
            {"nbf": {"a": 1}},
        ],
        ids=str,
    )
    def test_a_signed_one_that_says_something_else_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(BadSignature):
            embedded().open_session(token(**changes), NOW)

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    def test_no_other_algorithm_is_taken(self, algorithm: str) -> None:
        with pytest.raises(BadSignature):
            embedded().open_session(jwt.encode(claims(), SECRET.ljust(64, "\0"), algorithm=algorithm), NOW)

    def test_an_unsigned_one_is_refused(self) -> None:
        with pytest.raises(BadSignature):
            embedded().open_session(jwt.encode(claims(), None, algorithm="none"), NOW)  # type: ignore[arg-type]
        head, body, _ = token().split(".")
        for algorithm in ("none", "None", "NONE", ""):
            unsigned = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()).decode().rstrip("=")
            for forged in (f"{unsigned}.{body}.", f"{unsigned}.{body}", f"{head}.{body}."):
                with pytest.raises(BadSignature):
                    embedded().open_session(forged, NOW)

    def test_one_of_another_secret_is_refused(self) -> None:
        for secret in ("shpss_" + "aa" * 16, "\0" * 32, SECRET[:-1] + "f", SECRET + "x"):
            with pytest.raises(BadSignature):
                embedded().open_session(token(secret), NOW)

    @pytest.mark.parametrize("settings", [Settings(shopify_client_id=CLIENT), Settings(shopify_client_secret=SecretStr(SECRET))])
    def test_without_an_app_nothing_is_believed(self, settings: Settings) -> None:
        with pytest.raises(BadSignature):
            embedded(settings=settings).open_session(jwt.encode(claims(aud=""), "\0" * 32), NOW)
        with pytest.raises(BadSignature):
            embedded(settings=settings).open_session(token(aud=settings.shopify_client_id), NOW)

    @pytest.mark.parametrize(
        "text", ["", ".", "..", "a.b.c", "é.é.é", "\ud800", "x" * 5000, base64.b64encode(b"[" * 3000).decode() + ".e30.AA"]
    )
    def test_what_is_no_token_at_all_is_refused(self, text: str) -> None:
        with pytest.raises(BadSignature):
            embedded().open_session(text, NOW)

    def test_one_flipped_bit_is_refused(self) -> None:
        given = token()
        for place in range(0, len(given), 7):
            flipped = given[:place] + ("A" if given[place] != "A" else "B") + given[place + 1 :]
            with pytest.raises(BadSignature):
                embedded().open_session(flipped, NOW)

    def test_a_short_secret_signs_as_it_always_did(self) -> None:
        settings = SETTINGS.model_copy(update={"shopify_client_secret": SecretStr("hush")})
        assert embedded(settings=settings).open_session(token("hush".ljust(32, "\0")), NOW).domain == SHOP


class TestInstall:
    def test_the_session_token_is_traded_for_an_expiring_pair(self) -> None:
        sent: list[dict[str, Any]] = []
        asked = session()
        made = embedded(shopify(PAIR, sent)).install(asked, NOW)
        assert sent == [
            {
                "url": f"https://{SHOP}/admin/oauth/access_token",
                "client_id": CLIENT,
                "client_secret": SECRET,
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": asked.token,
                "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
                "requested_token_type": "urn:shopify:params:oauth:token-type:offline-access-token",
                "expiring": "1",
            }
        ]
        assert (made.domain, made.credentials["access_token"], made.credentials["refresh_token"]) == (SHOP, "shpat_x", "shprt_x")
        assert made.credentials["expires_at"] == "2026-11-22T13:00:00+00:00"
        assert (made.scopes, made.missing_scopes) == (("read_orders",), ("read_customers",))
        assert made.profile.name == "Atelier Brume"

    def test_a_token_that_is_not_accepted_any_more_is_to_be_replaced(self) -> None:
        answer = httpx2.Response(400, json={"error": "invalid_subject_token", "error_description": "Subject token is invalid"})
        with pytest.raises(InstallRefused, match="not accepted any more"):
            embedded(shopify(answer)).install(session(), NOW)

    @pytest.mark.parametrize(("status", "body"), [(400, {"error": "invalid_client"}), (401, {}), (403, {"error": "x"})])
    def test_an_app_that_shopify_does_not_know_there_is_refused_for_good(self, status: int, body: dict[str, str]) -> None:
        with pytest.raises(Rejected):
            embedded(shopify(httpx2.Response(status, json=body))).install(session(), NOW)

    @pytest.mark.parametrize("answer", [httpx2.Response(500), httpx2.Response(520, html="<html>"), httpx2.Response(200, text="[]")])
    def test_what_is_no_answer_is_asked_for_later(self, answer: httpx2.Response) -> None:
        with pytest.raises(TransientError):
            embedded(shopify(answer)).install(session(), NOW)

    def test_a_token_that_never_ends_is_not_taken(self) -> None:
        with pytest.raises(InstallRefused, match="no expiring access token"):
            embedded(shopify({"access_token": "shpat_x", "scope": "read_orders"})).install(session(), NOW)


class TestWho:
    def test_a_persons_own_token_says_who_they_are(self) -> None:
        sent: list[dict[str, Any]] = []
        user = {"associated_user": USER | {"email_verified": True, "account_owner": True}}
        found = embedded(shopify(ONLINE | user, sent)).who(session(), NOW)
        assert sent[0]["requested_token_type"] == "urn:shopify:params:oauth:token-type:online-access-token"
        assert "expiring" not in sent[0]
        assert (found.user_id, found.is_owner, found.email) == ("902541635", True, "Camille@brume.example")
        assert (found.name, found.language, found.sees_customers) == ("Camille Durand", "fr-FR", True)

    def test_an_address_that_was_not_verified_is_none(self) -> None:
        found = embedded(shopify(ONLINE | {"associated_user": USER})).who(session(), NOW)
        assert (found.email, found.is_owner) == (None, False)

    @pytest.mark.parametrize(("own", "sees"), [("read_orders", False), ("", False), ("read_customers,read_orders", True)])
    def test_whoever_may_not_see_customers_there_is_told_apart(self, own: str, sees: bool) -> None:
        answer = ONLINE | {"associated_user": USER, "associated_user_scope": own}
        assert embedded(shopify(answer)).who(session(), NOW).sees_customers is sees

    def test_an_answer_about_somebody_else_is_refused(self) -> None:
        with pytest.raises(Rejected, match="another person"):
            embedded(shopify(ONLINE | {"associated_user": USER | {"id": 7}})).who(session(), NOW)

    def test_an_answer_about_nobody_is_asked_for_later(self) -> None:
        with pytest.raises(TransientError):
            embedded(shopify(ONLINE)).who(session(), NOW)
