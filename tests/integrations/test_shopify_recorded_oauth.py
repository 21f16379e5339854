"""Each recorded exchange with the token endpoint, over the wire; the files are not part of this repository (RECORDED_DIR)."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from pydantic import SecretStr

from connector.config import Settings
from connector.platforms import Access, AccessLost, AdminSession, InstallRefused
from integrations.shopify.client import Client
from integrations.shopify.embedded import ShopifyEmbedded
from integrations.shopify.oauth import exchange_code
from integrations.shopify.tokens import credentials_of, refresh
from integrations.transport import Transport
from tests.integrations.bridge import respx2 as respx2
from tests.integrations.shopify_installs import PROFILE

ROOT = os.environ.get("RECORDED_DIR")
RECORDED = Path(ROOT or "unset") / "shopify"
pytestmark = pytest.mark.skipif(ROOT is None, reason="RECORDED_DIR is not set")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHOP = "atelier-brume.myshopify.com"
ENDPOINT = f"https://{SHOP}/admin/oauth/access_token"
SETTINGS = Settings(shopify_client_id="client-id-123", shopify_client_secret=SecretStr("hush"), shopify_scopes="read_orders")
USED = {
    "oauth.code_exchange.expiring.json",
    "oauth.error.invalid_grant.json",
    "oauth.error.invalid_subject_token.json",
    "oauth.offline_token.expiring.json",
    "oauth.refresh.ok.json",
}


def load(name: str) -> Any:
    return json.loads((RECORDED / name).read_bytes())


def answer(router: respx.MockRouter, name: str) -> respx.Route:
    """The recorded answer, given by the shop's endpoint."""
    recorded = load(name)["response"]
    return router.post(ENDPOINT).mock(httpx.Response(recorded["status"], json=recorded["json"]))


def sent(route: respx.Route) -> dict[str, Any]:
    """What the endpoint was sent, in the form of the recordings."""
    (call,) = route.calls
    return {"method": call.request.method, "path": call.request.url.path, "json": json.loads(call.request.content)}


def held(refresh_token: str = "shprt_EXAMPLE_REFRESH_1") -> Access:
    return Access(1, SHOP, {"access_token": "shpat_EXAMPLE_ACCESS_1", "refresh_token": refresh_token, "expires_at": NOW.isoformat()})


def test_every_recorded_exchange_is_used() -> None:
    assert {path.name for path in RECORDED.glob("oauth.*")} == USED


def test_a_code_is_traded_for_a_pair(respx2: respx.MockRouter) -> None:
    route = answer(respx2, "oauth.code_exchange.expiring.json")
    recorded = load("oauth.code_exchange.expiring.json")
    asked = recorded["request"]["json"]
    found = exchange_code(Transport(), SHOP, asked["client_id"], asked["client_secret"], asked["code"])
    assert sent(route) == recorded["request"]
    assert credentials_of(found, NOW) == {
        "access_token": "shpat_EXAMPLE_ACCESS_1",
        "refresh_token": "shprt_EXAMPLE_REFRESH_1",
        "expires_at": (NOW + timedelta(hours=1)).isoformat(),
        "refresh_expires_at": (NOW + timedelta(days=90)).isoformat(),
        "scope": "read_orders,write_discounts",
    }


def test_a_session_token_is_traded_for_a_pair(respx2: respx.MockRouter) -> None:
    route = answer(respx2, "oauth.offline_token.expiring.json")
    shop = {"data": {"shop": PROFILE, "currentAppInstallation": {"accessScopes": []}}}
    respx2.post(f"https://{SHOP}/admin/api/2026-10/graphql.json").mock(httpx.Response(200, json=shop))
    recorded = load("oauth.offline_token.expiring.json")
    given = recorded["request"]["json"]["subject_token"]
    found = ShopifyEmbedded(Client(Transport()), SETTINGS).install(AdminSession(SHOP, "1", given), NOW)
    assert sent(route) == recorded["request"]
    assert found.credentials["refresh_token"] == "shprt_EXAMPLE_REFRESH_1"
    assert (found.missing_scopes, "read_discounts" in found.scopes) == ((), True), "what a write scope implies counts"


def test_a_refresh_token_is_traded_for_the_next_pair_whose_end_may_be_nearer(respx2: respx.MockRouter) -> None:
    route = answer(respx2, "oauth.refresh.ok.json")
    fresh = refresh(held(), NOW, SETTINGS, Transport())
    assert sent(route) == load("oauth.refresh.ok.json")["request"]
    assert (fresh["access_token"], fresh["refresh_token"]) == ("shpat_EXAMPLE_ACCESS_2", "shprt_EXAMPLE_REFRESH_2")
    assert fresh["refresh_expires_at"] == (NOW + timedelta(seconds=7_689_600)).isoformat()


def test_a_refused_grant_means_that_somebody_must_sign_in(respx2: respx.MockRouter) -> None:
    route = answer(respx2, "oauth.error.invalid_grant.json")
    with pytest.raises(AccessLost) as lost:
        refresh(held("shprt_dead"), NOW, SETTINGS, Transport())
    assert route.call_count == 1
    assert (lost.value.status, "shprt" in str(lost.value)) == (400, False)


def test_a_refused_session_token_means_that_a_fresh_one_helps(respx2: respx.MockRouter) -> None:
    route = answer(respx2, "oauth.error.invalid_subject_token.json")
    with pytest.raises(InstallRefused) as refused:
        ShopifyEmbedded(Client(Transport()), SETTINGS).install(AdminSession(SHOP, "1", "stale.session.token"), NOW)
    assert route.call_count == 1
    assert "stale.session.token" not in str(refused.value)
