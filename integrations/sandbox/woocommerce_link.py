"""The plugin's signed way back to a cart: a token, the second at which it ends, and a seal over both."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta

from connector.errors import Refused

LIFE = timedelta(days=30)
SHORTEST_KEY = 32
PARAMETER = "connector_cart"
_SHAPE = re.compile(r"([0-9a-f]{32})\.([0-9]{1,12})\.([0-9a-f]{64})", re.ASCII)


def link_of(key: bytes, token: str, now: datetime, home: str) -> str:
    """The address that leads back to a cart for thirty days. Raises Refused for a key that protects nothing."""
    until = int((now + LIFE).timestamp())
    return f"{home}/?{PARAMETER}={token}.{until}.{_seal(key, token, str(until))}"


def token_of(key: bytes, text: str, now: datetime) -> str | None:
    """The token of a link's parameter; None for anything that this store did not seal, or that has ended. Raises Refused as link_of."""
    token, until = _opened(key, text)
    return token if token and now.timestamp() <= until else None


def has_ended(key: bytes, text: str, now: datetime) -> bool:
    """Whether this store sealed the link, and its time is over. Raises Refused as link_of."""
    token, until = _opened(key, text)
    return bool(token) and now.timestamp() > until


def _opened(key: bytes, text: str) -> tuple[str, int]:
    """Token and end of what this store sealed; nothing of anything else."""
    found = _SHAPE.fullmatch(text)
    sealed = _seal(key, found[1], found[2]) if found else _seal(key, "", "")
    if found is None or not hmac.compare_digest(sealed.encode(), found[3].encode()):
        return "", 0
    return found[1], int(found[2])


def _seal(key: bytes, token: str, until: str) -> str:
    if len(key) < SHORTEST_KEY or not any(key):
        raise Refused("the plugin has no key to sign its links with")
    return hmac.new(key, f"{token}.{until}".encode(), hashlib.sha256).hexdigest()
