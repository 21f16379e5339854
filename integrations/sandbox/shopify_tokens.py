"""The pretend Shopify's authorisation server: signed queries, one-time codes, expiring access tokens that are refreshed."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from integrations.sandbox.app_configuration import AppConfiguration

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=90)
Answer = tuple[int, dict[str, object]]


@dataclass(slots=True)
class _Grant:
    """One issued pair. `expires_at` None: a token of the old, non-expiring kind."""

    access: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    refresh: str | None = None
    refresh_until: datetime | None = None
    former: "_Grant | None" = None


def signed_query(pairs: Mapping[str, str], secret: str) -> str:
    """The query text with Shopify's `hmac`: names sorted, form-encoded with %20, HMAC-SHA256 in lower-case hex."""
    message = _encoded(sorted(pairs.items()))
    digest = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return _encoded([*pairs.items(), ("hmac", digest)])


class Tokens:
    """
    Codes and tokens of the one app on the one shop. Times are the virtual clock's; the caller holds the shop's lock.

    `granted_scopes`: what the merchant grants at the next install; None grants what the app asks for.
    """

    def __init__(self, app: AppConfiguration, now: Callable[[], datetime]) -> None:
        self.granted_scopes: tuple[str, ...] | None = None
        self._app = app
        self._now = now
        self._codes: dict[str, tuple[str, ...]] = {}
        self._grants: list[_Grant] = []

    @property
    def is_installed(self) -> bool:
        """True from the first token until revoke_all()."""
        return bool(self._grants)

    def mint_code(self, scopes: Sequence[str]) -> str:
        """A code that can be exchanged once for these scopes."""
        code = secrets.token_hex(16)
        self._codes[code] = tuple(scopes)
        return code

    def exchange(self, fields: Mapping[str, str]) -> Answer:
        """Answer a request to the token endpoint: a code for a pair, or a refresh token for the next pair."""
        if fields.get("client_id") != self._app.client_id or fields.get("client_secret") != self._app.client_secret:
            return _refuse("invalid_client", "The client credentials are not known")
        if fields.get("grant_type") == "refresh_token":
            return self._refresh(fields.get("refresh_token", ""))
        scopes = self._codes.pop(fields.get("code", ""), None)
        if scopes is None:
            return _refuse("invalid_request", "The authorization code was not found or was already used")
        return self._issue(scopes, fields.get("expiring") in {"1", "true"})

    def scopes_of(self, token: str) -> tuple[str, ...] | None:
        """The scopes of a living access token, else None."""
        for grant in self._grants:
            if hmac.compare_digest(grant.access.encode(), token.encode()):
                return None if grant.expires_at is not None and grant.expires_at <= self._now() else grant.scopes
        return None

    def revoke_all(self) -> None:
        """Every token and code dies, as on uninstall."""
        self._codes.clear()
        self._grants.clear()

    def _issue(self, scopes: tuple[str, ...], is_expiring: bool, former: _Grant | None = None) -> Answer:
        now = self._now()
        grant = _Grant(f"shpat_{secrets.token_hex(16)}", scopes, now + ACCESS_LIFE if is_expiring else None, former=former)
        self._grants.append(grant)
        answer: dict[str, object] = {"access_token": grant.access, "scope": ",".join(scopes)}
        if is_expiring:
            grant.refresh, grant.refresh_until = f"shprt_{secrets.token_hex(16)}", now + REFRESH_LIFE
            answer |= {"expires_in": int(ACCESS_LIFE.total_seconds()), "refresh_token": grant.refresh}
            answer["refresh_token_expires_in"] = int(REFRESH_LIFE.total_seconds())
        return 200, answer

    def _refresh(self, token: str) -> Answer:
        """Rotate. The presented token keeps working until the newer one is used, so a lost answer can be fetched again."""
        for grant in self._grants:
            if grant.refresh is not None and grant.refresh == token and grant.refresh_until and grant.refresh_until > self._now():
                if grant.former is not None:
                    grant.former.refresh = None
                return self._issue(grant.scopes, True, grant)
        return _refuse("invalid_grant", "The refresh token is invalid or expired")


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _refuse(error: str, words: str) -> Answer:
    return 400, {"error": error, "error_description": words}
