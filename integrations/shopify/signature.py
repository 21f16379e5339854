"""
What Shopify signs: webhook bodies (base64 in a header) and query strings (hex in a parameter).

Both are HMAC-SHA256 with the app's client secret. During a rotation Shopify keeps signing with the oldest unrevoked
secret, so every check takes several. Source: shopify.dev, "Verify webhook deliveries", "Authenticate a standalone app".
"""

import hashlib
import hmac
import re
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote_plus

from connector.canonical import Headers
from connector.platforms import BadSignature, DeliveryMeta

# ASCII: without it the Kelvin sign would pass for a k.
_SHOP = re.compile(r"[a-z0-9][a-z0-9\-]*\.myshopify\.com", re.IGNORECASE | re.ASCII)
MAX_TEXT = 255


def verify_webhook(headers: Headers, body: bytes, secrets: Sequence[bytes]) -> DeliveryMeta:
    """
    Check a delivery and read its headers; the body is not parsed.

    Knows both header families (`x-shopify-*`, and `shopify-*` as newer deliveries use). `key` repeats when Shopify retries:
    SHA-256 over (platform, shop, webhook id), length-prefixed. Only the body is signed, so topic and shop are claims.
    Raises BadSignature.
    """
    given = _header(headers, b"hmac-sha256")
    if not given:
        raise BadSignature("delivery without signature", platform="shopify", call="verify")
    for secret in secrets:
        # An empty secret would let anyone sign.
        if secret and hmac.compare_digest(b2a_base64(hmac.digest(secret, body, "sha256"), newline=False), given):
            break
    else:
        raise BadSignature("signature does not match", platform="shopify", call="verify")
    topic = _header(headers, b"topic").decode("ascii", "replace").lower()[:MAX_TEXT]
    sent = _header(headers, b"shop-domain").decode("ascii", "replace")
    shop_ref = shop_domain(sent) or sent[:MAX_TEXT]
    return DeliveryMeta(topic, shop_ref, _key(headers, body, topic, shop_ref), _instant(_header(headers, b"triggered-at")))


def verify_query(query: Sequence[tuple[str, str]], secrets: Sequence[bytes]) -> bool:
    """
    True if `hmac` signs all other parameters, known or not, with one of `secrets`.

    Sorted by name, form-encoded with %20 for a space (as Shopify's JavaScript library signs), hex in lower case. The old
    `signature` parameter is left out. A name that occurs twice is refused: which one is signed would be a guess.
    """
    values = dict(query)
    given = values.pop("hmac", "")
    values.pop("signature", None)
    if not given or len({name for name, _ in query}) < len(query):
        return False
    message = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(values.items())).encode()
    return any(secret and same_text(hmac.digest(secret, message, "sha256").hex(), given) for secret in secrets)


def same_text(left: str, right: str) -> bool:
    """Compare two texts in constant time; text outside ASCII is allowed (compare_digest on str would raise TypeError)."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


def shop_domain(text: str) -> str | None:
    """`{shop}.myshopify.com` in lower case, None if it is anything else (a final newline included)."""
    return text.lower() if len(text) <= MAX_TEXT and _SHOP.fullmatch(text) else None


def _header(headers: Headers, name: bytes) -> bytes:
    value = headers.get(b"x-shopify-" + name)
    return headers.get(b"shopify-" + name, b"") if value is None else value


def _key(headers: Headers, body: bytes, topic: str, shop_ref: str) -> bytes:
    webhook_id = _header(headers, b"webhook-id")
    parts = [b"shopify", shop_ref.encode()]
    # Without an id the best repeat we can see is the same body under the same topic.
    parts += [webhook_id] if webhook_id else [topic.encode(), hashlib.sha256(body).digest()]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def _instant(raw: bytes) -> datetime | None:
    # Nanosecond fractions occur; fromisoformat drops what is finer than a microsecond.
    try:
        instant = datetime.fromisoformat(raw.decode("ascii"))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _encoded(text: str) -> str:
    return quote_plus(text, errors="surrogatepass").replace("+", "%20")
