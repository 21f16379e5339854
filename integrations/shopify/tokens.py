"""
The life of an offline token pair: access token one hour, refresh token 90 days, both replaced at each refresh.

A presented refresh token stays usable until its successor is used, so a lost answer is fetched again with the same one, and an
answer that holds no successor takes nothing away. Source: shopify.dev, "Offline access tokens" and the changelog entry of
2026-08-28; "Manage your app credentials" for two secrets side by side.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from connector.config import Settings
from connector.platforms import Access, AccessLost, Rejected, TransientError
from integrations.shopify.answers import PLATFORM, check_status
from integrations.shopify.oauth import TokenAnswer, token_endpoint, token_refusal
from integrations.transport import Answer, Transport, decode

EARLY = timedelta(minutes=5)
UNTOLD = timedelta(minutes=10)
"""How long a token is trusted whose life Shopify did not tell: it is then replaced every five minutes, until Shopify tells again."""
REFRESH_LIFE = timedelta(days=90)
LONGEST = timedelta(days=3660)
"""No life of a token is taken for longer: a nonsensical one would not fit into a date."""

log = structlog.get_logger()


def credentials_of(answer: TokenAnswer, now: datetime, held: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    A token answer as the credentials we seal; instants as ISO 8601.

    What is missing never ends a pair: without a life it is taken to be short, without a refresh token the `held` one stays. Either is
    logged as an error, for somebody to look at. Raises TransientError without an access token, or without any refresh token.
    """
    before = held or {}
    refresh_token = answer.refresh_token or before.get("refresh_token", "")
    if not answer.access_token or not refresh_token:
        raise TransientError("the answer holds no complete token pair", platform=PLATFORM, call="refresh")
    life = _life(answer.expires_in)
    missing = [
        name for name, value in (("expires_in", life), ("refresh_token", answer.refresh_token), ("scope", answer.scope)) if not value
    ]
    if missing:
        log.error("shopify.incomplete_token_answer", missing=missing)
    return {
        "access_token": answer.access_token,
        "refresh_token": refresh_token,
        "expires_at": (now + (life if life and answer.refresh_token else UNTOLD)).isoformat(),
        "refresh_expires_at": (now + (_life(answer.refresh_token_expires_in) or REFRESH_LIFE)).isoformat(),
        "scope": answer.scope or before.get("scope", ""),
    }


def is_fresh(access: Access, now: datetime) -> bool:
    """True while the access token lives for more than five minutes."""
    return access.ends_at is None or access.ends_at - EARLY > now


def refresh(access: Access, now: datetime, settings: Settings, transport: Transport) -> dict[str, str]:
    """
    Trade the refresh token for the next pair.

    While two secrets are good, the newer one is presented first, because that moves the pair to it; a pair of the older one that is
    not taken so is presented with that. Raises: AccessLost if it is not accepted any more (400 `invalid_grant` or 401); Rejected if
    it is our own client id or secret that is not accepted, which no merchant can cure by signing in again; TransientError for an
    answer without a token or one that is not Shopify's: the old pair must then be kept and the same refresh token presented again.
    """
    if not access.credentials.get("refresh_token"):
        raise AccessLost("no refresh token is held", platform=PLATFORM, call="refresh")
    refusals: list[str] = []
    for secret in _secrets(settings):
        answer = _present(access, secret, settings, transport)
        refusal = token_refusal(answer)
        if refusal is None:
            check_status(answer, "refresh")
            given = decode(answer, TokenAnswer, platform=PLATFORM, call="refresh")
            return credentials_of(given, now, access.credentials)
        refusals.append(refusal)
    if all(refusal == "invalid_client" for refusal in refusals):
        raise Rejected("Shopify does not know our client id and secret", platform=PLATFORM, call="refresh", status=answer.status)
    raise AccessLost("the refresh token is not accepted any more", platform=PLATFORM, call="refresh", status=answer.status)


def _secrets(settings: Settings) -> list[str]:
    """The secrets to present, in their order; the newer one even if it is empty, to be told so."""
    newer, older = (one.get_secret_value() for one in (settings.shopify_client_secret, settings.shopify_old_client_secret))
    return [newer, older] if older and older != newer else [newer]


def _present(access: Access, secret: str, settings: Settings, transport: Transport) -> Answer:
    fields = {
        "client_id": settings.shopify_client_id,
        "client_secret": secret,
        "grant_type": "refresh_token",
        "refresh_token": access.credentials["refresh_token"],
    }
    return token_endpoint(transport, access.domain, fields, call="refresh")


def _life(seconds: float | str | None) -> timedelta | None:
    """A life as told, within what a date can hold; None if it is not told, or makes no sense."""
    try:
        told = float(seconds or 0)
    except ValueError:
        return None
    return timedelta(seconds=min(told, LONGEST.total_seconds())) if told > 0 and math.isfinite(told) else None
