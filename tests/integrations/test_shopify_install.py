"""From Shopify's opening request to a proven install: each forgery is refused, each answer is read as it is."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from connector.config import Settings
from connector.platforms import (
    AccessLost,
    BadSignature,
    Callback,
    Installation,
    InstallRefused,
    InstallStart,
    NotPermitted,
    TransientError,
)
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.install import expand_scopes
from integrations.transport import Transport
from tests.integrations.shopify_installs import FOREIGN_HOSTS, PROFILE, encoded

NOW = datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
SHOP = "atelier-brume.myshopify.com"
CALLBACK = "https://connector.example/install/shopify/callback"
STATE = "S3cret-state_0123456789"
HOST = base64.urlsafe_b64encode(b"admin.shopify.com/store/atelier-brume").decode().rstrip("=")
SETTINGS = Settings(
    shopify_client_id="client-id-123",
    shopify_client_secret=SecretStr("hush"),
    shopify_old_client_secret=SecretStr("old-hush"),
    shopify_scopes="read_customers, read_orders,read_products,",
)
TOKENS = {
    "access_token": "shpat_made_up",
    "scope": "read_orders,write_customers,read_products",
    "expires_in": 3600,
    "refresh_token": "shprt_made_up",
    "refresh_token_expires_in": 7776000,
}
Pairs = list[tuple[str, str]]


def signed(secret: str = "hush", **values: str) -> Pairs:
    pairs = {"shop": SHOP, "timestamp": str(int(NOW.timestamp())), "host": HOST} | values
    message = urlencode(sorted(pairs.items())).replace("+", "%20")
    return [*pairs.items(), ("hmac", hmac.digest(secret.encode(), message.encode(), "sha256").hex())]


def callback(secret: str = "hush", **values: str) -> Pairs:
    return signed(secret, **({"state": STATE, "code": "0907a61c"} | values))


def answer(tokens: object = TOKENS, **profile: Any) -> Callable[[httpx2.Request], httpx2.Response]:
    shop = {
        "shop": PROFILE | profile,
        "currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}, {"handle": "write_products"}]},
    }

    def store(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/access_token"):
            return tokens if isinstance(tokens, httpx2.Response) else httpx2.Response(200, json=tokens)
        assert request.headers["x-shopify-access-token"] == "shpat_made_up"
        return httpx2.Response(200, json={"data": shop})

    return store


def begin(query: Pairs, settings: Settings = SETTINGS, now: datetime = NOW) -> InstallStart:
    platform = ShopifyPlatform(Transport(inner=httpx2.MockTransport(nobody)), settings)
    return platform.begin_install(query, STATE, CALLBACK, "https://connector.example/done", now)


def finish(
    query: Pairs,
    store: Callable[[httpx2.Request], httpx2.Response] | None = None,
    *,
    settings: Settings = SETTINGS,
    remembered: str = SHOP,
    state: str = STATE,
    now: datetime = NOW,
) -> Installation:
    platform = ShopifyPlatform(Transport(inner=httpx2.MockTransport(store or nobody)), settings)
    return platform.finish_install(Callback(query), {"shop": remembered} if remembered else {}, state, CALLBACK, now)


def nobody(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"nothing may be sent to {request.url.host}")


class TestBegin:
    def test_the_browser_goes_to_the_shops_permission_page(self) -> None:
        start = begin(signed(shop="Atelier-Brume.myshopify.com"))
        url = urlsplit(start.url)
        assert (url.scheme, url.netloc, url.path) == ("https", SHOP, "/admin/oauth/authorize")
        assert parse_qs(url.query) == {
            "client_id": ["client-id-123"],
            "scope": ["read_customers,read_orders,read_products"],
            "redirect_uri": [CALLBACK],
            "state": [STATE],
        }
        assert start.remember == {"shop": SHOP}

    def test_the_old_secret_counts_while_it_is_rotated(self) -> None:
        assert begin(signed("old-hush")).remember == {"shop": SHOP}

    @pytest.mark.parametrize("shop", ["", "evil.example", "atelier-brume.myshopify.com\n", "a.myshopify.com.evil.example"])
    def test_anything_but_a_shop_address_is_refused(self, shop: str) -> None:
        with pytest.raises(InstallRefused, match="not the address of a Shopify store"):
            begin(signed(shop=shop))

    def test_an_unsigned_request_is_refused(self) -> None:
        with pytest.raises(BadSignature, match="not signed by Shopify"):
            begin([pair for pair in signed() if pair[0] != "hmac"])

    def test_a_request_signed_by_somebody_else_is_refused(self) -> None:
        with pytest.raises(BadSignature, match="not signed by Shopify"):
            begin(signed("guess"))

    def test_a_second_shop_in_the_query_is_refused(self) -> None:
        with pytest.raises(BadSignature):
            begin([*signed(), ("shop", "other.myshopify.com")])

    @pytest.mark.parametrize("place", FOREIGN_HOSTS)
    def test_a_host_that_is_not_shopifys_is_refused(self, place: str) -> None:
        with pytest.raises(InstallRefused, match="host is not Shopify"):
            begin(signed(host=encoded(place)))

    @pytest.mark.parametrize("host", ["!!!", "é", "YWRtaW4", HOST[:-1]])
    def test_a_host_that_cannot_be_read_is_refused(self, host: str) -> None:
        with pytest.raises(InstallRefused, match="host is not Shopify"):
            begin(signed(host=host))

    @pytest.mark.parametrize("host", [HOST, encoded(f"{SHOP}/admin"), ""])
    def test_either_of_shopifys_admins_will_do_and_so_will_none(self, host: str) -> None:
        assert begin(signed(host=host)).url

    @pytest.mark.parametrize("seconds", [-91, 91, -86_400])
    def test_a_stale_or_future_request_is_refused(self, seconds: int) -> None:
        with pytest.raises(BadSignature, match="too old"):
            begin(signed(), now=NOW + timedelta(seconds=seconds))

    @pytest.mark.parametrize("seconds", [-90, 0, 90])
    def test_clocks_may_differ_by_90_seconds_both_ways(self, seconds: int) -> None:
        assert begin(signed(), now=NOW + timedelta(seconds=seconds)).url

    @pytest.mark.parametrize("timestamp", ["", "soon", "1e9", "²", "-1795256130", "9" * 400])
    def test_a_strange_timestamp_is_refused(self, timestamp: str) -> None:
        with pytest.raises(BadSignature, match="too old"):
            begin(signed(timestamp=timestamp))

    @pytest.mark.parametrize("settings", [Settings(shopify_client_id="x"), Settings(shopify_client_secret=SecretStr("hush"))])
    def test_without_an_app_nothing_is_begun_and_the_cure_is_named(self, settings: Settings) -> None:
        with pytest.raises(InstallRefused, match="SHOPIFY_CLIENT_ID and SHOPIFY_CLIENT_SECRET"):
            begin(signed(""), settings)

    def test_words_for_the_merchant_say_what_helps(self) -> None:
        with pytest.raises(BadSignature, match=r"^The request was not signed by Shopify; open the app in Shopify again\.$"):
            begin(signed("guess"))


class TestFinish:
    def test_a_genuine_callback_gives_an_expiring_pair_and_the_profile(self) -> None:
        found = finish(callback(), answer())
        assert found.domain == SHOP
        assert found.credentials == {
            "access_token": "shpat_made_up",
            "refresh_token": "shprt_made_up",
            "expires_at": "2026-11-21T11:15:30+00:00",
            "refresh_expires_at": "2027-02-19T10:15:30+00:00",
            "scope": "read_orders,write_customers,read_products",
        }
        profile = found.profile
        assert (profile.name, profile.currency, profile.timezone, profile.taxes_included) == ("Atelier Brume", "EUR", "Europe/Paris", True)
        assert profile.hosts == (SHOP, "atelier-brume.example")
        assert (profile.platform_shop_id, profile.country, profile.url) == ("71200000001", "FR", "https://Atelier-Brume.example")
        assert profile.contact_email == "bonjour@atelier-brume.example"
        assert profile.address == "Brume SARL, 3 rue des Tisserands, 44000 Nantes, France"

    def test_the_code_is_traded_for_an_expiring_token(self) -> None:
        sent: list[dict[str, Any]] = []
        store = answer()

        def spy(request: httpx2.Request) -> httpx2.Response:
            sent.append({"url": str(request.url), **json.loads(request.content)})
            return store(request)

        finish(callback(), spy)
        assert sent[0] == {
            "url": f"https://{SHOP}/admin/oauth/access_token",
            "client_id": "client-id-123",
            "client_secret": "hush",
            "code": "0907a61c",
            "expiring": "1",
        }

    def test_a_write_scope_gives_its_read_scope_too(self) -> None:
        found = finish(callback(), answer())
        assert set(found.scopes) == {"read_customers", "read_orders", "read_products", "write_customers"}
        assert found.missing_scopes == ()

    def test_scopes_that_were_not_granted_are_named(self) -> None:
        found = finish(callback(), answer(TOKENS | {"scope": "read_products"}))
        assert found.missing_scopes == ("read_customers", "read_orders")

    def test_without_scopes_in_the_answer_the_installation_says_them(self) -> None:
        found = finish(callback(), answer(TOKENS | {"scope": ""}))
        assert set(found.scopes) == {"read_orders", "write_products", "read_products"}
        assert found.missing_scopes == ("read_customers",)

    def test_a_sparse_profile_has_defaults(self) -> None:
        nothing = dict.fromkeys(("contactEmail", "ianaTimezone", "taxesIncluded", "primaryDomain", "billingAddress"))
        profile = finish(callback(), answer(**nothing)).profile
        assert (profile.url, profile.hosts, profile.timezone) == (f"https://{SHOP}", (SHOP,), "UTC")
        assert (profile.contact_email, profile.address, profile.country) == ("owner@atelier-brume.example", None, None)
        assert finish(callback(), answer(billingAddress={"zip": " "})).profile.address is None

    def test_a_profile_without_a_readable_address_is_transient(self) -> None:
        with pytest.raises(TransientError):
            finish(callback(), answer(myshopifyDomain="not a domain"))

    @pytest.mark.parametrize("state", ["", "another", "é", STATE + "x"])
    def test_another_state_is_refused(self, state: str) -> None:
        with pytest.raises(InstallRefused, match="another sign-in"):
            finish(callback(state=state))

    def test_without_a_state_of_ours_nothing_is_accepted(self) -> None:
        with pytest.raises(InstallRefused, match="another sign-in"):
            finish(callback(state=""), state="")

    @pytest.mark.parametrize("remembered", ["other.myshopify.com", ""])
    def test_another_shop_than_the_one_that_asked_is_refused(self, remembered: str) -> None:
        with pytest.raises(InstallRefused, match="another store"):
            finish(callback(), remembered=remembered)

    def test_a_host_that_is_no_shop_is_refused_whatever_was_remembered(self) -> None:
        with pytest.raises(InstallRefused, match="another store"):
            finish(callback(shop="evil.example"), remembered="evil.example")

    def test_a_forged_callback_is_refused_before_anything_is_sent(self) -> None:
        with pytest.raises(BadSignature, match="not signed"):
            finish(callback("guess"))

    def test_the_old_secret_may_sign_the_callback(self) -> None:
        assert finish(callback("old-hush"), answer()).domain == SHOP

    def test_a_stale_callback_is_refused(self) -> None:
        with pytest.raises(BadSignature, match="too old"):
            finish(callback(), now=NOW + timedelta(minutes=2))

    def test_a_callback_without_code_is_refused(self) -> None:
        with pytest.raises(InstallRefused, match="no code"):
            finish(callback(code=""))

    @pytest.mark.parametrize("status", [400, 401, 403])
    def test_a_used_or_foreign_code_is_refused(self, status: int) -> None:
        with pytest.raises(InstallRefused, match="did not accept the sign-in") as caught:
            finish(callback(), answer(httpx2.Response(status, json={"error": "invalid_request"})))
        assert caught.value.status == status

    @pytest.mark.parametrize("lacking", ["access_token", "refresh_token"])
    def test_a_token_that_never_expires_is_refused(self, lacking: str) -> None:
        tokens = {name: value for name, value in TOKENS.items() if name != lacking}
        with pytest.raises(InstallRefused, match="no expiring access token"):
            finish(callback(), answer(tokens))

    def test_a_pair_whose_life_is_not_told_is_taken_to_be_short(self) -> None:
        tokens = {name: value for name, value in TOKENS.items() if "expires" not in name}
        assert finish(callback(), answer(tokens)).credentials["expires_at"] == "2026-11-21T10:25:30+00:00"

    @pytest.mark.parametrize("status", [500, 502, 520])
    def test_a_broken_token_endpoint_is_transient(self, status: int) -> None:
        with pytest.raises(TransientError):
            finish(callback(), answer(httpx2.Response(status, content=b"<html>")))

    @pytest.mark.parametrize(("status", "kind"), [(401, AccessLost), (402, NotPermitted)])
    def test_credentials_that_prove_nothing_are_no_install(self, status: int, kind: type[Exception]) -> None:
        store = answer()

        def refuses(request: httpx2.Request) -> httpx2.Response:
            return store(request) if request.url.path.endswith("/access_token") else httpx2.Response(status)

        with pytest.raises(kind):
            finish(callback(), refuses)

    def test_no_secret_is_in_what_an_error_says(self) -> None:
        with pytest.raises(InstallRefused) as caught:
            finish(callback(), answer(httpx2.Response(400, json={"error_description": "hush"})))
        assert "hush" not in str(caught.value)


def test_scopes_are_compared_as_sets_after_expansion() -> None:
    assert expand_scopes(["write_a", "read_b"]) == {"write_a", "read_a", "read_b"}
    assert expand_scopes([]) == set()


def test_the_permission_address_has_the_same_parts_in_any_order_of_the_query() -> None:
    assert begin(signed()).url == begin(signed()[::-1]).url
    assert dict(parse_qsl(urlsplit(begin(signed()).url).query))["state"] == STATE
