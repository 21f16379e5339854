"""The pretend Shopify's authorisation server: signed queries, codes and session tokens against expiring tokens that are refreshed."""

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.shopify_people import OWNER, PACKER, STAFF, Person, subject_of

ACCESS_LIFE = timedelta(hours=1)
ONLINE_LIFE = timedelta(hours=24)
REFRESH_LIFE = timedelta(days=90)
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a kind of token, not one
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
ONLINE = "urn:shopify:params:oauth:token-type:online-access-token"
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

    `granted_scopes`: what the merchant grants at the next install; None grants what the app asks for. `answered` counts what the
    token endpoint gave, by kind: code, refresh, offline, online. `people` may use the admin.
    """

    def __init__(self, app: AppConfiguration, now: Callable[[], datetime]) -> None:
        self.granted_scopes: tuple[str, ...] | None = None
        self.people: dict[int, Person] = {one.id: one for one in (OWNER, STAFF, PACKER)}
        self.answered: Counter[str] = Counter()
        self._granted: tuple[str, ...] | None = None
        self._app = app
        self._now = now
        self._codes: dict[str, tuple[str, ...]] = {}
        self._grants: list[_Grant] = []

    @property
    def is_installed(self) -> bool:
        """True from the first token, or from install(), until revoke_all()."""
        return self._granted is not None

    def install(self) -> None:
        """The merchant approved the app on Shopify's own page; the app has no token yet. It gets what is granted."""
        self._granted = self._app.scopes if self.granted_scopes is None else self.granted_scopes

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
        if fields.get("grant_type") == EXCHANGE:
            return self._trade(fields)
        scopes = self._codes.pop(fields.get("code", ""), None)
        if scopes is None:
            return _refuse("invalid_request", "The authorization code was not found or was already used")
        self.answered["code"] += 1
        self._granted = scopes
        return self._acquire(scopes, fields.get("expiring") in {"1", "true"})

    def scopes_of(self, token: str) -> tuple[str, ...] | None:
        """The scopes of a living access token, else None."""
        for grant in self._grants:
            if hmac.compare_digest(grant.access.encode(), token.encode()):
                return None if grant.expires_at is not None and grant.expires_at <= self._now() else grant.scopes
        return None

    def change_scopes(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """The merchant gives or takes permissions: all living tokens have these from now on. Returns those of before."""
        previous, self._granted = self._granted or (), scopes
        for grant in self._grants:
            grant.scopes = scopes
        return previous

    def revoke_all(self) -> None:
        """Every token and code dies, as on uninstall."""
        self._codes.clear()
        self._grants.clear()
        self._granted = None

    def _trade(self, fields: Mapping[str, str]) -> Answer:
        """A session token against the shop's token pair, or against a token of the person's own."""
        scopes = self._granted
        if scopes is None:
            return _refuse("invalid_client", "The app is not installed on this shop")
        if fields.get("subject_token_type") != ID_TOKEN:
            return _refuse("invalid_request", "The subject token type is not supported")
        user = subject_of(fields.get("subject_token", ""), self._app.client_id, self._app.client_secret, self._now())
        person = None if user is None else self.people.get(user)
        if person is None:
            return _refuse("invalid_subject_token", "Subject token is invalid")
        if fields.get("requested_token_type") == OFFLINE:
            self.answered["offline"] += 1
            return self._acquire(scopes, fields.get("expiring") in {"1", "true"})
        if fields.get("requested_token_type") == ONLINE:
            self.answered["online"] += 1
            return self._introduce(person, scopes)
        return _refuse("invalid_request", "The requested token type is not supported")

    def _introduce(self, person: Person, scopes: tuple[str, ...]) -> Answer:
        own = scopes if person.scopes is None else tuple(scope for scope in scopes if scope in person.scopes)
        grant = _Grant(f"shpua_{secrets.token_hex(16)}", own, self._now() + ONLINE_LIFE)
        self._grants.append(grant)
        user = {
            "id": person.id,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "email_verified": person.is_verified,
            "account_owner": person.is_owner,
            "locale": person.locale,
            "collaborator": person.is_collaborator,
        }
        life = int(ONLINE_LIFE.total_seconds()) - 1
        answer = {"access_token": grant.access, "scope": ",".join(scopes), "expires_in": life, "associated_user_scope": ",".join(own)}
        return 200, answer | {"associated_user": user}

    def _acquire(self, scopes: tuple[str, ...], is_expiring: bool) -> Answer:
        """A pair that is no successor of another: refresh tokens of before are good no more."""
        for grant in self._grants:
            grant.refresh = None
        return self._issue(scopes, is_expiring)

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
                self.answered["refresh"] += 1
                return self._issue(grant.scopes, True, grant)
        return _refuse("invalid_grant", "The refresh token is invalid or expired")


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _refuse(error: str, words: str) -> Answer:
    return 400, {"error": error, "error_description": words}
