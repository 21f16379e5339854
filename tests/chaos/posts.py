"""Signed Shopify webhooks as the driver posts them, each with the key that its delivery will have."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tests.sync import bodies

PATH = "/webhooks/shopify"


class Sells(Protocol):
    """What a post needs of a shop; SeededShop is one."""

    @property
    def domain(self) -> str: ...
    @property
    def secret(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook request. `key` is that of its delivery; `entity` the row it speaks of: ("checkout" or "order", platform id)."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    key: bytes
    entity: tuple[str, str] | None = field(default=None)


def signed_post(
    shop: Sells,
    topic: str,
    body: bytes,
    *,
    webhook_id: str | None = None,
    triggered_at: datetime | None = None,
    entity: tuple[str, str] | None = None,
) -> Post:
    """A signed webhook of any topic and body; the same `webhook_id` again is the same delivery."""
    webhook_id = webhook_id or str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop.domain,
        "X-Shopify-Webhook-Id": webhook_id,
        "X-Shopify-Triggered-At": bodies.zulu(triggered_at or datetime.now(UTC)),
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(shop.secret, body, "sha256")).decode(),
    }
    return Post(PATH, headers, body, delivery_key(shop.domain, webhook_id), entity)


def delivery_key(domain: str, webhook_id: str) -> bytes:
    """The key of a Shopify delivery: SHA-256 over platform, shop and webhook id, each after its length."""
    parts = (b"shopify", domain.encode(), webhook_id.encode())
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def checkout_post(
    shop: Sells,
    number: int,
    *,
    token: str | None = None,
    email: str | None = None,
    updated_at: datetime | None = None,
    lines: Sequence[tuple[int, int]] = ((101, 1),),
    topic: str = "checkouts/update",
    webhook_id: str | None = None,
    triggered_at: datetime | None = None,
    **changes: Any,
) -> Post:
    """A checkout; without more words the `number`th of its shop: token `t<number>`, e-mail `shopper-<number>@example.com`."""
    token = token or f"t{number}"
    email = email if email is not None else f"shopper-{number}@example.com"
    at = updated_at or datetime.now(UTC)
    body = bodies.shopify_checkout(token, at, email=email or None, lines=lines, **changes)
    return signed_post(shop, topic, body, webhook_id=webhook_id, triggered_at=triggered_at, entity=("checkout", token))


def order_post(
    shop: Sells,
    number: int,
    *,
    token: str | None = None,
    email: str | None = None,
    updated_at: datetime | None = None,
    topic: str = "orders/create",
    webhook_id: str | None = None,
    triggered_at: datetime | None = None,
    **changes: Any,
) -> Post:
    """An order of the checkout `token` (none: of no checkout that we know)."""
    at = updated_at or datetime.now(UTC)
    body = bodies.shopify_order(number, at, checkout_token=token, email=email, **changes)
    return signed_post(shop, topic, body, webhook_id=webhook_id, triggered_at=triggered_at, entity=("order", str(number)))


def poison_post(shop: Sells, number: int, *, kind: str = "raises", webhook_id: str | None = None) -> Post:
    """
    A delivery that cannot be applied. `kind` "raises": well formed, and after `Stack.poison()` the database refuses what it
    says each time; "nonsense": its body is no checkout at all.
    """
    if kind == "nonsense":
        return signed_post(shop, "checkouts/update", json.dumps({"number": number}).encode(), webhook_id=webhook_id)
    token = f"poison-{number}"
    body = bodies.shopify_checkout(token, datetime.now(UTC), email=f"{token}@example.com")
    return signed_post(shop, "checkouts/update", body, webhook_id=webhook_id, entity=("checkout", token))
