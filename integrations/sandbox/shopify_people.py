"""Who works in the pretend Shopify's admin, and the session tokens that prove it to an app's page there."""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.sandbox.shopify_shop import DOMAIN

LIFE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a login to the shop's admin. `scopes`: which of the app's scopes their own permissions cover; None: all."""

    id: int
    first_name: str
    last_name: str
    email: str
    is_owner: bool = False
    is_verified: bool = True
    is_collaborator: bool = False
    locale: str = "en"
    scopes: tuple[str, ...] | None = None


OWNER = Person(902541635, "Camille", "Durand", "hello@harbour-and-pine.example", is_owner=True)
"""Whose address is the shop's contact address too."""
STAFF = Person(902541636, "Noah", "Petit", "noah@demo-shop.example")
PACKER = Person(902541637, "Lina", "Moreau", "lina@demo-shop.example", scopes=("read_products",))


def session_token(person: Person, client_id: str, client_secret: str, now: datetime, **changes: Any) -> str:
    """The token that an app's page in the admin gets for this person, good for a minute. `changes` spoil claims for tests."""
    instant = int(now.timestamp())
    claims = {
        "iss": f"https://{DOMAIN}/admin",
        "dest": f"https://{DOMAIN}",
        "aud": client_id,
        "sub": str(person.id),
        "exp": instant + LIFE_SECONDS,
        "nbf": instant,
        "iat": instant,
        "jti": str(uuid.uuid4()),
        "sid": secrets.token_hex(32),
    }
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims | changes)}"
    return f"{signed}.{_signature(signed, client_secret)}"


def subject_of(token: str, client_id: str, client_secret: str, now: datetime) -> int | None:
    """Whose living session token this is, as the token endpoint checks it; None for any other text."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed, client_secret).encode()):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        is_living = claims["nbf"] <= now.timestamp() < claims["exp"] and claims["aud"] == client_id
        return int(claims["sub"]) if is_living and claims["dest"] == f"https://{DOMAIN}" else None
    except (ValueError, KeyError, TypeError):
        return None


def _signature(text: str, secret: str) -> str:
    return base64.urlsafe_b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode().rstrip("=")


def _encoded(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
