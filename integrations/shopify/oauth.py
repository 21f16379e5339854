"""
A shop's token endpoint: codes, session tokens and refresh tokens against token pairs.

Source: shopify.dev, "Offline access tokens", "Authenticate a standalone or API-only app".
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from connector.platforms import InstallRefused
from integrations.shopify.answers import PLATFORM, check_status, is_page
from integrations.transport import Answer, Transport, decode

SECRET_FIELDS = ("client_secret", "code", "refresh_token", "subject_token")


class TokenAnswer(msgspec.Struct):
    """What the token endpoint gives for a code, a session token or a refresh token. Anything may be missing from it."""

    access_token: str = ""
    scope: str = ""
    refresh_token: str | None = None
    expires_in: int | float | str | None = None
    refresh_token_expires_in: int | float | str | None = None


def exchange_code(transport: Transport, domain: str, client_id: str, client_secret: str, code: str) -> TokenAnswer:
    """
    Trade an authorization code for an expiring offline token pair.

    Raises: InstallRefused if Shopify does not take the code (used, old, foreign), else PlatformError.
    """
    fields = {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}
    answer = token_endpoint(transport, domain, fields, call="access_token")
    if token_refusal(answer) is not None:
        raise InstallRefused(
            "Shopify did not accept the sign-in; open the app in Shopify again",
            platform=PLATFORM,
            call="access_token",
            status=answer.status,
        )
    check_status(answer, "access_token")
    return decode(answer, TokenAnswer, platform=PLATFORM, call="access_token")


def token_endpoint(transport: Transport, domain: str, fields: Mapping[str, str], *, call: str) -> Answer:
    """Ask a shop's token endpoint; the answer as it comes, refusals included. Raises TransientError if none comes."""
    answer = transport.send(PLATFORM, call, "POST", f"https://{domain}/admin/oauth/access_token", json=dict(fields))
    return answer if answer.status == 200 else without(answer, *(fields.get(name, "") for name in SECRET_FIELDS))


def without(answer: Answer, *secrets: str) -> Answer:
    """The answer with what we sent in confidence struck out: its words may end in an error, on a page and in a log."""
    body = answer.body
    for secret in filter(None, secrets):
        body = body.replace(secret.encode(), b"[...]")
    return answer if body is answer.body else replace(answer, body=body)


def token_refusal(answer: Answer) -> str | None:
    """
    Why the token endpoint refuses, in its own word (`invalid_grant` …) or "" where it gives none; None if Shopify refused nothing.

    Where JSON is not wanted it says so in a page titled "Oauth error …". Any other page is of something in between.
    """
    if answer.status not in (400, 401, 403) or (is_page(answer) and b"oauth error" not in answer.body.lower()):
        return None
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    word = content.get("error") if isinstance(content, dict) else None
    return word if isinstance(word, str) else ""
