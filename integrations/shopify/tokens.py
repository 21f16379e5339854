"""
The life of an offline token pair: access token one hour, refresh token 90 days, both replaced at each refresh.

A presented refresh token stays usable until its successor is used, so a lost answer is fetched again with the same one.
Source: shopify.dev, "Offline access tokens" and the changelog entry of 2026-08-28.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from connector.config import Settings
from connector.platforms import Access, AccessLost, Rejected, TransientError
from integrations.shopify.client import PLATFORM, TokenAnswer, check_status, token_endpoint, token_refusal
from integrations.transport import Transport, decode

EARLY = timedelta(minutes=5)
LONGEST = timedelta(days=3660)
"""No life of a token is taken for longer: a nonsensical one would not fit into a date."""


def credentials_of(answer: TokenAnswer, now: datetime) -> dict[str, str]:
    """A token answer as the credentials we seal; instants as ISO 8601."""
    return {
        "access_token": answer.access_token,
        "refresh_token": answer.refresh_token,
        "expires_at": (now + _life(answer.expires_in)).isoformat(),
        "refresh_expires_at": (now + _life(answer.refresh_token_expires_in)).isoformat(),
        "scope": answer.scope,
    }


def is_fresh(credentials: Mapping[str, str], now: datetime) -> bool:
    """True while the access token lives for more than five minutes."""
    return datetime.fromisoformat(credentials["expires_at"]) - EARLY > now


def refresh(access: Access, now: datetime, settings: Settings, transport: Transport) -> dict[str, str]:
    """
    Trade the refresh token for the next pair.

    Raises: AccessLost if it is not accepted any more (400 `invalid_grant` or 401); Rejected if it is our own client id or secret
    that is not accepted, which no merchant can cure by signing in again; TransientError for an incomplete answer or one that
    is not Shopify's: the old pair must then be kept and the same refresh token presented again.
    """
    answer = token_endpoint(
        transport,
        access.domain,
        {
            "client_id": settings.shopify_client_id,
            "client_secret": settings.shopify_client_secret.get_secret_value(),
            "grant_type": "refresh_token",
            "refresh_token": access.credentials["refresh_token"],
        },
        call="refresh",
    )
    refusal = token_refusal(answer)
    if refusal == "invalid_client":
        raise Rejected("Shopify does not know our client id and secret", platform=PLATFORM, call="refresh", status=answer.status)
    if refusal is not None:
        raise AccessLost("the refresh token is not accepted any more", platform=PLATFORM, call="refresh", status=answer.status)
    check_status(answer, "refresh")
    given = decode(answer, TokenAnswer, platform=PLATFORM, call="refresh")
    if not given.access_token or not given.refresh_token:
        raise TransientError("the answer holds no complete token pair", platform=PLATFORM, call="refresh", status=answer.status)
    return credentials_of(given, now)


def _life(seconds: int) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0), LONGEST.total_seconds()))
