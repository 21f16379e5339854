"""The token pair: refreshed early, never blanked, retried with the same refresh token."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from connector.config import Settings
from connector.platforms import Access, AccessLost, Rejected, ThrottledError, TransientError
from integrations.shopify.adapter import ShopifyPlatform
from integrations.transport import Transport

SETTINGS = Settings.model_validate({"shopify_client_id": "id", "shopify_client_secret": "secret"})
BOTH = Settings.model_validate({"shopify_client_id": "id", "shopify_client_secret": "secret", "shopify_old_client_secret": "old"})
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

    return ShopifyPlatform(Transport(inner=httpx2.MockTransport(answer)), SETTINGS)


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


def test_a_token_that_is_refused_is_replaced_though_it_lives() -> None:
    fresh = platform(200, PAIR).refresh(access(50), NOW, is_refused=True)
    assert fresh is not None
    assert fresh["access_token"] == "shpat_new"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_means_access_is_lost(status: int) -> None:
    with pytest.raises(AccessLost):
        platform(status, {"error": "invalid_grant"}).refresh(access(0), NOW)


def test_a_token_of_the_old_kind_cannot_be_refreshed() -> None:
    asked: list[dict[str, str]] = []
    forever = Access(1, "demo.myshopify.com", {"access_token": "shpat_forever"})
    assert platform(200, PAIR, asked).refresh(forever, NOW) is None
    with pytest.raises(AccessLost, match="no refresh token"):
        platform(200, PAIR, asked).refresh(forever, NOW, is_refused=True)
    assert asked == []


@pytest.mark.parametrize(
    ("status", "body"), [(500, "oops"), (520, "<html>"), (200, "<html>"), (200, "[]"), (200, {**PAIR, "access_token": ""})]
)
def test_an_unclear_answer_keeps_the_old_pair_for_another_try(status: int, body: Any) -> None:
    with pytest.raises(TransientError):
        platform(status, body).refresh(access(0), NOW)


def test_a_throttled_refresh_waits() -> None:
    with pytest.raises(ThrottledError):
        platform(429, "slow down").refresh(access(0), NOW)


@pytest.mark.parametrize("told", [None, "", "soon", 0, -1, "NaN", "missing"])
def test_a_life_that_is_not_told_is_taken_to_be_short_and_somebody_is_told(told: Any) -> None:
    body = {**PAIR, "expires_in": told} if told != "missing" else {name: value for name, value in PAIR.items() if name != "expires_in"}
    with capture_logs() as logs:
        fresh = platform(200, body).refresh(access(0), NOW)
    assert fresh is not None
    assert fresh["expires_at"] == (NOW + timedelta(minutes=10)).isoformat()
    assert fresh["refresh_token"] == "shprt_new"
    assert [(one["event"], one["missing"], one["log_level"]) for one in logs if one["event"].startswith("shopify")] == [
        ("shopify.incomplete_token_answer", ["expires_in"], "error")
    ]


@pytest.mark.parametrize("told", ["3600", 3600.0, 3600])
def test_a_life_may_come_as_text_or_with_a_fraction(told: Any) -> None:
    fresh = platform(200, {**PAIR, "expires_in": told}).refresh(access(0), NOW)
    assert fresh is not None
    assert fresh["expires_at"] == (NOW + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("told", [None, "", "missing"])
def test_an_answer_without_a_refresh_token_never_takes_away_the_one_that_is_held(told: Any) -> None:
    body = (
        {**PAIR, "refresh_token": told} if told != "missing" else {name: value for name, value in PAIR.items() if name != "refresh_token"}
    )
    with capture_logs() as logs:
        fresh = platform(200, body).refresh(access(0), NOW)
    assert fresh is not None
    assert (fresh["access_token"], fresh["refresh_token"]) == ("shpat_new", "shprt_old")
    assert fresh["expires_at"] == (NOW + timedelta(minutes=10)).isoformat(), "asked for again soon"
    assert "shopify.incomplete_token_answer" in [one["event"] for one in logs]
    assert "shp" not in repr([one for one in logs if one["event"].startswith("shopify")]).replace("shopify", "")


class TestTwoSecrets:
    """While the client secret is being changed."""

    @staticmethod
    def shop(accepted: dict[str, Any], asked: list[str]) -> ShopifyPlatform:
        """A shop that answers each secret as `accepted` says: status and body."""

        def answer(request: httpx2.Request) -> httpx2.Response:
            secret = json.loads(request.content)["client_secret"]
            asked.append(secret)
            status, body = accepted[secret]
            return httpx2.Response(status, json=body)

        return ShopifyPlatform(Transport(inner=httpx2.MockTransport(answer)), BOTH)

    def test_the_new_one_moves_the_pair(self) -> None:
        asked: list[str] = []
        assert self.shop({"secret": (200, PAIR)}, asked).refresh(access(0), NOW)
        assert asked == ["secret"]

    @pytest.mark.parametrize("refusal", ["invalid_client", "invalid_grant"])
    def test_the_old_one_is_presented_where_the_new_one_is_not_good_yet(self, refusal: str) -> None:
        asked: list[str] = []
        fresh = self.shop({"secret": (400, {"error": refusal}), "old": (200, PAIR)}, asked).refresh(access(0), NOW)
        assert fresh is not None
        assert (fresh["access_token"], asked) == ("shpat_new", ["secret", "old"])

    def test_only_if_neither_is_known_it_is_our_own_fault(self) -> None:
        unknown, lost = (401, {"error": "invalid_client"}), (400, {"error": "invalid_grant"})
        with pytest.raises(Rejected, match="client id and secret"):
            self.shop({"secret": unknown, "old": unknown}, []).refresh(access(0), NOW)
        for answers in ({"secret": unknown, "old": lost}, {"secret": lost, "old": unknown}, {"secret": lost, "old": lost}):
            with pytest.raises(AccessLost):
                self.shop(answers, []).refresh(access(0), NOW)

    def test_an_unclear_answer_to_the_new_one_does_not_burn_the_old(self) -> None:
        asked: list[str] = []
        with pytest.raises(TransientError):
            self.shop({"secret": (503, {})}, asked).refresh(access(0), NOW)
        assert asked == ["secret"]
