"""The fields of an abandoned cart, from the store's webhook to our rows, for both platforms (AC-46 to AC-62)."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import Product, Variant
from connector.config import Settings
from connector.platforms import Access
from connector.store import clock
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.shopify.adapter import ShopifyPlatform
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from sync import abandon, apply, products
from sync.services import Services
from tests.conftest import TestShop

PAYLOADS = Path(__file__).resolve().parents[1] / "payloads"
READ = Product(
    platform_id="",
    source_version=datetime(2026, 11, 1, tzinfo=UTC),
    title="As the store has it",
    category="Candles",
    description="Slow-burning wax.",
    image_url="https://cdn.example/product.png",
)


def known_product(access: Access, ids: Any) -> list[Product]:
    """Every product, with one variant picture for the second and later ones asked for by the tests."""
    return [
        Product(
            platform_id=one,
            source_version=READ.source_version,
            title=READ.title,
            category=READ.category,
            description=READ.description,
            image_url=READ.image_url,
            variants=(Variant("808950810", image_url="https://cdn.example/variant.png"),),
        )
        for one in ids
    ]


@pytest.fixture
def services(db: Database, vault: Vault, sandbox_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    transport = Transport(is_closed_world=True)
    shopify, woocommerce = ShopifyPlatform(transport, sandbox_settings), WooCommercePlatform(transport, sandbox_settings)
    for platform in (shopify, woocommerce):
        monkeypatch.setattr(platform, "read_products", known_product)
        monkeypatch.setattr(platform, "refresh", lambda access, now: None)
    yield Services(db, vault, {"shopify": shopify, "woocommerce": woocommerce}, None, sandbox_settings)
    transport.close()


def deliver(db: Database, shop: TestShop, topic: str, body: bytes) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            text("""
                with d as (insert into deliveries (key, shop_id, platform, topic, received_at, received_on)
                           values (:key, :shop, :platform, :topic, app_now(), (app_now() at time zone 'UTC')::date) returning *)
                insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
                select received_on, id, shop_id, '', :body from d
            """),
            {"key": topic.encode() + body[:8], "shop": shop.id, "platform": shop.platform, "topic": topic, "body": body},
        )


def abandoned(services: Services, shop: TestShop, topic: str, body: bytes) -> dict[str, Any]:
    """Deliver, apply, read products, let the clock run out; then the checkout with its first line, contact and company."""
    deliver(services.db, shop, topic, body)
    assert apply.drain(services, shop.id) == 1
    products.read_missing(services, shop.id)
    with services.db.system_transaction("let the clock run out") as session:
        clock.step_to(session, clock.read(session) + timedelta(days=3))
    abandon.mark_abandoned(services, shop.id)
    with services.db.transaction(shop=shop.id) as session:
        row = session.execute(
            text("""
                select c.*, l.title line_title, l.quantity, l.unit_price, l.product_id, l.variant_id, p.category, p.description,
                       coalesce(v.image_url, l.image_url, p.image_url) image, k.first_name known_first, k.last_name known_last,
                       k.phone_e164 known_phone, k.email known_email, o.name company_name
                from checkouts c join checkout_lines l on l.checkout_id = c.id and l.position = 0
                left join products p on p.shop_id = c.shop_id and p.platform_id = l.product_id
                left join product_variants v on v.shop_id = c.shop_id and v.platform_id = l.variant_id
                left join contacts k on k.email = c.email_norm left join companies o on o.id = k.company_id
            """)
        ).one()
    found: Mapping[str, Any] = row._mapping
    return dict(found)


def shopify_body() -> dict[str, Any]:
    name = "checkouts_update__customer_repeated_line_keys.json"
    body: dict[str, Any] = json.loads((PAYLOADS / "shopify" / name).read_bytes())
    body["updated_at"] = body["created_at"] = datetime.now(UTC).isoformat()
    return body


@pytest.mark.spec("AC-46", "AC-50", "AC-52", "AC-53", "AC-54", "AC-55", "AC-57", "AC-58", "AC-59", "AC-60", "AC-61")
def test_a_shopify_cart_brings_every_field_to_our_rows(services: Services, shopify_shop: TestShop) -> None:
    body = shopify_body()
    body["customer"]["default_address"]["company"] = "Moulin & Fils"
    found = abandoned(services, shopify_shop, "checkouts/update", json.dumps(body).encode())
    line = body["line_items"][0]
    assert found["abandoned_at"] is not None
    assert (found["known_first"], found["known_last"]) == (body["customer"]["first_name"], body["customer"]["last_name"])
    assert found["known_email"] == (body["email"] or body["customer"]["email"]).lower()
    assert found["company_name"] == "Moulin & Fils"
    assert found["line_title"] == line["title"]
    assert (found["product_id"], found["category"]) == (str(line["product_id"]), "Candles")
    assert found["total"] == Decimal(body["total_price"])
    assert str(found["total"]) == body["total_price"]
    assert found["currency"] == (body["presentment_currency"] or body["currency"])
    assert found["created_at"] == datetime.fromisoformat(body["created_at"])
    assert found["unit_price"] == Decimal(line["price"])
    assert found["quantity"] == line["quantity"]
    assert found["description"] == "Slow-burning wax."
    assert found["image"] == "https://cdn.example/product.png"


@pytest.mark.spec("AC-46", "AC-50", "AC-52", "AC-54", "AC-55", "AC-56", "AC-58", "AC-60", "AC-61")
def test_a_woocommerce_draft_brings_every_field_to_our_rows(services: Services, woo_shop: TestShop) -> None:
    raw = (PAYLOADS / "woocommerce" / "order_updated__draft_contact_typed.json").read_text()
    body = json.loads(raw.replace("galets.example", woo_shop.domain))
    stamp = datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()
    body |= {"date_created_gmt": stamp, "date_modified_gmt": stamp}
    body["billing"]["company"] = "Moulin & Fils"
    found = abandoned(services, woo_shop, "order.updated", json.dumps(body).encode())
    line = body["line_items"][0]
    assert found["abandoned_at"] is not None
    assert (found["known_first"], found["known_last"]) == (body["billing"]["first_name"], body["billing"]["last_name"])
    assert found["known_email"] == body["billing"]["email"].lower()
    assert found["company_name"] == "Moulin & Fils"
    assert found["line_title"] == line["name"]
    assert found["product_id"] == str(line["product_id"])
    assert str(found["total"]) == body["total"]
    assert found["currency"] == body["currency"]
    assert found["shipping_method"] == body["shipping_lines"][0]["method_title"]
    assert found["unit_price"] * line["quantity"] == Decimal(line["subtotal"]) + Decimal(line["subtotal_tax"])
    assert found["quantity"] == line["quantity"]
    assert found["image"].startswith("https://")


@pytest.mark.spec("AC-61")
def test_the_variants_own_picture_comes_first(services: Services, shopify_shop: TestShop) -> None:
    body = shopify_body()
    body["line_items"][0]["variant_id"] = 808950810
    found = abandoned(services, shopify_shop, "checkouts/update", json.dumps(body).encode())
    assert found["image"] == "https://cdn.example/variant.png"
