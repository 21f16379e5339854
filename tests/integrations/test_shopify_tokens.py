"""The token pair: refreshed early, never blanked, retried with the same refresh token."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from connector.config import Settings
from connector.platforms import Access, AccessLost, ThrottledError, TransientError
from integrations.shopify.adapter import ShopifyPlatform
from integrations.transport import Transport

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PAIR = {"access_token": "shpat_new", "refresh_token": "shprt_new", "expires_in": 3600, "refresh_token_expires_in": 7776000, "scope": "a"}


def access(minutes_left: float) -> Access:
    held = {"access_token": "shpat_old", "refresh_token": "shprt_old", "expires_at": (NOW + timedelta(minutes=minutes_left)).isoformat()}
    return Access(1, "demo.myshopify.com", held)


def platform(status: int, body: Any, asked: list[dict[str, str]] | None = None) -> ShopifyPlatform:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if asked is not None:
            asked.append(json.loads(request.content) | {"url": str(request.url)})
        return httpx2.Response(status, json=body) if not isinstance(body, str) else httpx2.Response(status, text=body)

    settings = Settings.model_validate({"shopify_client_id": "id", "shopify_client_secret": "secret"})
    return ShopifyPlatform(Transport(inner=httpx2.MockTransport(answer)), settings)


def test_a_token_that_lives_is_not_refreshed() -> None:
    asked: list[dict[str, str]] = []
    assert platform(200, PAIR, asked).refresh(access(5.1), NOW) is None
    assert asked == []


def test_five_minutes_before_its_end_the_pair_is_replaced_as_a_whole() -> None:
    asked: list[dict[str, str]] = []
    fresh = platform(200, PAIR, asked).refresh(access(5), NOW)
    assert fresh == {
        "access_token": "shpat_new",
        "refresh_token": "shprt_new",
        "expires_at": "2026-11-21T13:00:00+00:00",
        "refresh_expires_at": "2027-02-19T12:00:00+00:00",
        "scope": "a",
    }
    assert asked == [
        {
            "client_id": "id",
            "client_secret": "secret",
            "grant_type": "refresh_token",
            "refresh_token": "shprt_old",
            "url": "https://demo.myshopify.com/admin/oauth/access_token",
        }
    ]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_means_access_is_lost(status: int) -> None:
    with pytest.raises(AccessLost):
        platform(status, {"error": "invalid_grant"}).refresh(access(0), NOW)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, "oops"), (520, "<html>"), (200, "<html>"), (200, {**PAIR, "refresh_token": ""}), (200, {**PAIR, "access_token": ""})],
)
def test_an_unclear_answer_keeps_the_old_pair_for_another_try(status: int, body: Any) -> None:
    with pytest.raises(TransientError):
        platform(status, body).refresh(access(0), NOW)


def test_a_throttled_refresh_waits() -> None:
    with pytest.raises(ThrottledError):
        platform(429, "slow down").refresh(access(0), NOW)
