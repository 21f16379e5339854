"""The door with the real adapters: every payload we have, signed as its platform signs, comes to rest byte for byte."""

import base64
import hmac
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.registry import make_platforms, make_transport
from tests.conftest import SHOPIFY_SECRET, TestShop
from tests.webhooks.stand import MAX_BODY, SHOPIFY, open_door

pytestmark = pytest.mark.anyio

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"
RECORDED = os.environ.get("RECORDED_DIR")


def bodies(platform: str) -> list[bytes]:
    """Our payload files of a platform, and the recorded ones where they are."""
    places = [PAYLOADS / platform, *([Path(RECORDED) / platform] if RECORDED else [])]
    found = [path.read_bytes() for place in places for path in sorted(place.rglob("*.json"))]
    return [body for body in found if len(body) <= MAX_BODY]


def signature(secret: str, body: bytes) -> bytes:
    """Base64 of the HMAC-SHA256."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))


@pytest.fixture
def platforms(sandbox_settings: Settings) -> dict[str, object]:
    return dict(make_platforms(sandbox_settings, make_transport(sandbox_settings)))


def kept(db: Database) -> list[tuple[int, str, bytes]]:
    """Shop, topic and body of everything in the inbox."""
    with db.system_transaction("look at the inbox") as session:
        rows = session.execute(
            text("select d.shop_id, d.topic, b.body from deliveries d join delivery_bodies b on b.delivery_id = d.id order by d.id")
        )
        return [(row.shop_id, row.topic, row.body) for row in rows]


async def test_shopifys_deliveries_come_to_rest(db: Database, vault: Vault, shopify_shop: TestShop, platforms: dict[str, object]) -> None:
    sent = bodies("shopify")
    async with open_door(db.url, vault, platforms=platforms) as stand:  # type: ignore[arg-type]
        for number, body in enumerate(sent):
            headers = {
                b"x-shopify-topic": b"orders/updated",
                b"x-shopify-shop-domain": shopify_shop.domain.encode(),
                b"x-shopify-webhook-id": str(number).encode(),
                b"x-shopify-hmac-sha256": signature(SHOPIFY_SECRET, body),
            }
            assert (await stand.post(headers, body)).status == 200
            assert (await stand.post(headers, body + b" ")).status == 401
    assert kept(db) == [(shopify_shop.id, "orders/updated", body) for body in sent]
    assert len(sent) > 10


async def test_woocommerces_deliveries_come_to_rest_and_its_ping_does_not(
    db: Database, vault: Vault, woo_shop: TestShop, platforms: dict[str, object]
) -> None:
    sent = bodies("woocommerce")
    path = f"/webhooks/woocommerce/{woo_shop.shop_key}"
    async with open_door(db.url, vault, platforms=platforms) as stand:  # type: ignore[arg-type]
        assert (await stand.post({b"content-type": b"application/x-www-form-urlencoded"}, b"webhook_id=7", path)).status == 200
        for number, body in enumerate(sent):
            headers = {
                b"content-type": b"application/json",
                b"x-wc-webhook-topic": b"order.updated",
                b"x-wc-webhook-delivery-id": str(number).encode(),
                b"x-wc-webhook-signature": signature(woo_shop.webhook_secret, body),
            }
            assert (await stand.post(headers, body, path)).status == 200
            assert (await stand.post(headers, body + b" ", path)).status == 401
            assert (await stand.post(headers, body, SHOPIFY)).status == 401
    assert kept(db) == [(woo_shop.id, "order.updated", body) for body in sent]
    assert len(sent) > 10
