"""Who sent this? WooCommerce signs each delivery with the webhook's own secret; the topic header and the body tell the rest."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from connector.canonical import Headers
from connector.platforms import BadSignature, DeliveryMeta
from integrations.woocommerce.payloads import PLATFORM

_TOPIC = re.compile(rb"[A-Za-z0-9_.\-]{1,100}")
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")
FORM = b"application/x-www-form-urlencoded"


def verify(headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta:
    """
    Check one delivery against the shop's secrets and name it.

    The signature is base64 of HMAC-SHA256 over the raw body, compared whole and in constant time. The key takes in topic,
    Delivery-ID and body: the Delivery-ID alone is shared by deliveries of the same second, and no time is signed.
    Raises BadSignature. Source: class-wc-webhook.php, generate_signature() and get_new_delivery_id().
    """
    given = headers.get(b"x-wc-webhook-signature")
    if not given or not _signed(given, body, secrets):
        raise BadSignature("the signature does not match", platform=PLATFORM, call="verify")
    topic = headers.get(b"x-wc-webhook-topic", b"")
    if not _TOPIC.fullmatch(topic):
        raise BadSignature("a signed request without a topic is no delivery", platform=PLATFORM, call="verify")
    topic = topic.lower()
    delivery = headers.get(b"x-wc-webhook-delivery-id", b"")
    key = _digest(PLATFORM.encode(), shop_key.encode(), topic, delivery, hashlib.sha256(body).digest())
    return DeliveryMeta(topic=topic.decode("ascii"), shop_ref=shop_key, key=key)


def is_ping(headers: Headers, body: bytes) -> bool:
    """True for the unsigned form body `webhook_id=N` that a store posts when a webhook is made or was never answered with 200."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == FORM and _PING.fullmatch(body) is not None


def _signed(given: bytes, body: bytes, secrets: Sequence[bytes]) -> bool:
    # Every secret is tried, so the time taken does not tell which one fits. An empty secret would let anybody sign.
    matches = [hmac.compare_digest(base64.b64encode(hmac.digest(secret, body, "sha256")), given) for secret in secrets if secret]
    return any(matches)


def _digest(*parts: bytes) -> bytes:
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
