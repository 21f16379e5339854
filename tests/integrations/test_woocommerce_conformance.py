"""WooCommerce passes the suite that every platform must pass."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.canonical import PaymentState
from connector.config import Settings
from connector.platforms import Access, Platform
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.subscriptions import TOPICS
from tests.conformance import Payload, PlatformConformance

TOPIC_OF = {topic.replace(".", "_"): topic for topic in TOPICS}
KEYS = {"consumer_key": "ck_" + "0a" * 20, "consumer_secret": "cs_" + "1b" * 20}
ORDER = ("id", "status", "currency", "total", "date_created_gmt")


def topic_of(name: str) -> str:
    """The topic of a payload file."""
    return TOPIC_OF.get(name.split("__")[0], "")


class TestWooCommerceConformance(PlatformConformance):
    payloads_dir = Path(__file__).parents[1] / "payloads" / "woocommerce"
    access = Access(shop_id=7, domain="galets.example", credentials=KEYS)
    refusal: ClassVar[Mapping[str, Any]] = {
        "code": "woocommerce_rest_authentication_error",
        "message": "Consumer key is invalid.",
        "data": {"status": 401},
    }
    shop_key = "shop-seven"
    shop_ref = "shop-seven"
    product_id = "210"
    required: ClassVar[Mapping[str, Sequence[str]]] = {
        "order.created": ORDER,
        "order.updated": ORDER,
        "order.restored": ORDER,
        "order.deleted": ("id",),
        "product.updated": ("id",),
        "coupon.updated": ("id",),
        "action.woocommerce_delete_order": ("action", "arg"),
        "action.wc_connector_cart": ("connector", "token", "seq", "status", "created_at", "updated_at"),
        "customer.created": ("id",),
        "customer.updated": ("id",),
        "customer.deleted": ("id",),
    }
    exact: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "order_updated__draft_contact_typed": {
            "total": Decimal("97.50"),
            "subtotal": Decimal("103.90"),
            "discount_total": Decimal("10.40"),
            "tax_total": Decimal("16.38"),
            "created_at": datetime(2026, 11, 20, 8, 0, 10, tzinfo=UTC),
            "source_version": datetime(2026, 11, 20, 8, 1, 42, tzinfo=UTC),
        },
        "order_updated__processing_paid": {
            "total": Decimal("97.50"),
            "placed_at": datetime(2026, 11, 21, 6, 29, 58, tzinfo=UTC),
            "payment_state": PaymentState.PAID,
        },
        "action_wc_connector_cart__guest_with_consents": {
            "total": Decimal("72.22"),
            "subtotal": Decimal("74.80"),
            "discount_total": Decimal("7.48"),
            "tax_total": Decimal("12.04"),
            "source_version": datetime(2026, 11, 20, 8, 2, 31, 3, tzinfo=UTC),
        },
        "order_created__yen": {"total": Decimal(3500), "subtotal": Decimal(3500), "currency": "JPY"},
    }

    def make_platform(self, transport: Transport) -> Platform:
        return WooCommercePlatform(transport, Settings(_env_file=None))

    def sign(self, topic: str, body: bytes, secret: bytes, delivery: str = "delivery-1") -> dict[bytes, bytes]:
        return {
            b"content-type": b"application/json",
            b"x-wc-webhook-source": b"https://galets.example/",
            b"x-wc-webhook-topic": topic.encode(),
            b"x-wc-webhook-signature": base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()),
            b"x-wc-webhook-id": b"12",
            b"x-wc-webhook-delivery-id": delivery.encode(),
        }

    @classmethod
    def payloads(cls) -> list[Payload]:
        """Our files write a topic's dot as an underscore."""
        return [Payload(path.stem, topic_of(path.stem), path.read_bytes()) for path in sorted(cls.payloads_dir.glob("*.json"))]

    def test_what_it_cannot_do_is_declared(self, platform: Platform) -> None:
        assert platform.can.shop_in_path
        assert not platform.can.tracks_carts
        assert platform.can.has_product_reads
        assert platform.can.registers_webhooks
        assert platform.app_secrets() == ()
        assert platform.compliance_topics == platform.farewell_topics == frozenset()

    @pytest.mark.parametrize("kind", [b"application/x-www-form-urlencoded", b"application/X-WWW-Form-Urlencoded; charset=UTF-8"])
    def test_the_greeting_of_a_new_webhook_is_a_ping(self, platform: Platform, kind: bytes) -> None:
        assert platform.is_ping({b"content-type": kind}, b"webhook_id=12")

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            (b"application/json", b"webhook_id=12"),
            (b"", b"webhook_id=12"),
            (b"application/x-www-form-urlencoded", b""),
            (b"application/x-www-form-urlencoded", b"webhook_id="),
            (b"application/x-www-form-urlencoded", b"webhook_id=12\n"),
            (b"application/x-www-form-urlencoded", b"webhook_id=12&a=1"),
            (b"application/x-www-form-urlencoded", b"webhook_id=" + b"1" * 21),
            (b"application/x-www-form-urlencoded", "webhook_id=١".encode()),
        ],
    )
    def test_nothing_else_is_a_ping(self, platform: Platform, kind: bytes, body: bytes) -> None:
        assert not platform.is_ping({b"content-type": kind}, body)
