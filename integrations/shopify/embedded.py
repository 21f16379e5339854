"""
Being a page inside Shopify's admin: the request that opens it, session tokens, and what they are traded for.

A session token is a JWT that Shopify signs with our client secret, good for a minute. Source: shopify.dev, "Session tokens",
"Access tokens"; the answers' forms are those that Shopify's own libraries read.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec

from connector.config import Settings
from connector.platforms import AdminSession, AdminUser, BadSignature, Installation, InstallRefused, Rejected
from integrations.shopify.answers import PLATFORM, check_status
from integrations.shopify.client import Client
from integrations.shopify.install import app_secrets, check_host, expand_scopes, installation, refused, split_scopes
from integrations.shopify.oauth import TokenAnswer, token_endpoint, token_refusal
from integrations.shopify.signature import shop_domain
from integrations.shopify.values import text
from integrations.transport import Answer, decode

LEEWAY_SECONDS = 10
MAX_TOKEN = 4096
SHORTEST_KEY = 32
CLAIMS = ("iss", "dest", "aud", "sub", "exp", "nbf")
PERSONAL = frozenset({"read_customers", "read_orders"})
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a kind of token, not one
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
ONLINE = "urn:shopify:params:oauth:token-type:online-access-token"

_USER = re.compile(r"[0-9]{1,20}", re.ASCII)


class AssociatedUser(msgspec.Struct):
    """The person of a token of their own."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    email_verified: bool = False
    account_owner: bool = False
    locale: str | None = None


class OnlineAnswer(msgspec.Struct):
    """A token of one person's own; only who it is for is used."""

    associated_user: AssociatedUser
    scope: str = ""
    associated_user_scope: str = ""


class ShopifyEmbedded:
    """`platforms.Embedded` of Shopify; thread-safe."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._transport = client.transport
        self._client = client
        self._settings = settings

    def check_frame(self, query: Sequence[tuple[str, str]]) -> str:
        """
        The shop of a request that opens our page in its admin. Raises InstallRefused for anything but a shop, or a foreign host.

        The page holds nothing of the shop, so it is for whoever asks; what it shows later is asked for with a session token.
        """
        values = dict(query)
        shop = shop_domain(values.get("shop", ""))
        if shop is None or len(values) < len(query):
            raise refused("this is not the address of a Shopify store")
        check_host(values.get("host", ""), shop)
        return shop

    def open_session(self, token: str, now: datetime) -> AdminSession:
        """Check a session token: signed with one of our secrets by HS256 and nothing else, for us, alive. Raises BadSignature."""
        claims = _claims(token, self._settings)
        shop = _shop_of(claims)
        instant, start, end = now.timestamp(), _number(claims["nbf"]), _number(claims["exp"])
        if not start - LEEWAY_SECONDS <= instant < end + LEEWAY_SECONDS:
            raise _bad("the session token is not valid now")
        user = claims["sub"]
        if shop is None or not isinstance(user, str) or not _USER.fullmatch(user):
            raise _bad("the session token is of no shop's user")
        return AdminSession(shop, user, token)

    def install(self, session: AdminSession, now: datetime) -> Installation:
        """
        Trade the session token for an expiring pair of the shop and prove it by reading the shop.

        Raises InstallRefused if a new session token helps, Rejected if the app is not installed there, else PlatformError.
        """
        answer = self._trade(session, OFFLINE)
        return installation(
            self._client, session.domain, decode(answer, TokenAnswer, platform=PLATFORM, call="session"), now, self._settings
        )

    def who(self, session: AdminSession, now: datetime) -> AdminUser:
        """Trade the session token for one of the person's own, which says who they are; it is not kept. Raises as `install`."""
        given = decode(self._trade(session, ONLINE), OnlineAnswer, platform=PLATFORM, call="session")
        user = given.associated_user
        if str(user.id) != session.user_id:
            raise Rejected("Shopify answered for another person", platform=PLATFORM, call="session")
        wanted = PERSONAL & expand_scopes(split_scopes(given.scope))
        return AdminUser(
            user_id=session.user_id,
            is_owner=user.account_owner,
            email=text(user.email) if user.email_verified else None,
            name=" ".join(filter(None, (text(user.first_name), text(user.last_name)))) or None,
            language=text(user.locale),
            sees_customers=wanted <= expand_scopes(split_scopes(given.associated_user_scope)),
        )

    def _trade(self, session: AdminSession, kind: str) -> Answer:
        fields = {
            "client_id": self._settings.shopify_client_id,
            "client_secret": self._settings.shopify_client_secret.get_secret_value(),
            "grant_type": EXCHANGE,
            "subject_token": session.token,
            "subject_token_type": ID_TOKEN,
            "requested_token_type": kind,
        }
        # An offline token that never ends may not be used; one of a person's own always ends.
        fields |= {"expiring": "1"} if kind == OFFLINE else {}
        answer = token_endpoint(self._transport, session.domain, fields, call="session")
        refusal = token_refusal(answer)
        if refusal == "invalid_subject_token":
            raise InstallRefused("the session token is not accepted any more", platform=PLATFORM, call="session", status=answer.status)
        if refusal is not None:
            raise Rejected("Shopify does not know the app in this store", platform=PLATFORM, call="session", status=answer.status)
        check_status(answer, "session")
        return answer


def _claims(token: str, settings: Settings) -> Mapping[str, Any]:
    """What the token says, if we may believe it; times are for the caller to check, on our own clock. Raises BadSignature."""
    if token.isascii() and len(token) <= MAX_TOKEN and settings.shopify_client_id:
        for secret in app_secrets(settings):
            options: Any = {"require": list(CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False}
            # HMAC fills up a short key with zeros by itself; filled up before, the library has nothing to warn about.
            key = secret.ljust(SHORTEST_KEY, b"\0")
            try:
                return jwt.decode(token, key, algorithms=["HS256"], audience=settings.shopify_client_id, options=options)
            except (jwt.PyJWTError, ValueError, RecursionError):
                continue
    raise _bad("the session token is not genuine")


def _shop_of(claims: Mapping[str, Any]) -> str | None:
    """The shop that is named as issuer and as destination; None unless both are one shop's."""
    issuer, destination = claims["iss"], claims["dest"]
    if not isinstance(issuer, str) or not isinstance(destination, str):
        return None
    shop = shop_domain(destination.removeprefix("https://"))
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return None
    is_one = destination.startswith("https://") and parts.scheme == "https" and parts.netloc.lower() == shop
    return shop if is_one else None


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else math.nan


def _bad(why: str) -> BadSignature:
    return BadSignature(why, platform=PLATFORM, call="session")
