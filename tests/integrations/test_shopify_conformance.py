"""Shopify passes the suite that every platform must pass."""

import base64
import hmac
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from pydantic import SecretStr

from connector.canonical import PaymentState, Stage
from connector.config import Settings
from connector.platforms import Access, Platform, Subscriptions, ThrottledError
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.client import API_VERSION
from integrations.transport import Transport
from tests.conformance import PlatformConformance

CHECKOUT = ("token", "updated_at", "total_price")
CART = ("updated_at",)
ORDER = ("id", "created_at", "updated_at", "currency", "total_price")
CUSTOMER = ("id", "updated_at")


class TestShopify(PlatformConformance):
    payloads_dir = Path(__file__).parent.parent / "payloads" / "shopify"
    access = Access(shop_id=1, domain="atelier-brume.myshopify.com", credentials={"access_token": "shpat_made_up_token"})
    refusal: ClassVar[Mapping[str, Any]] = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}
    shop_key = ""
    shop_ref = "atelier-brume.myshopify.com"
    required: ClassVar[Mapping[str, Sequence[str]]] = {
        "checkouts/create": CHECKOUT,
        "checkouts/update": CHECKOUT,
        "checkouts/delete": ("cart_token",),
        "carts/create": CART,
        "carts/update": CART,
        "orders/create": ORDER,
        "orders/updated": ORDER,
        "orders/paid": ORDER,
        "orders/cancelled": ORDER,
        "orders/delete": ("id",),
        "customers/create": CUSTOMER,
        "customers/update": CUSTOMER,
        "customers/delete": ("id",),
        "customers/merge": ("admin_graphql_api_customer_kept_id", "admin_graphql_api_customer_deleted_id"),
        "customers_email_marketing_consent/update": ("email_marketing_consent",),
        "customers_marketing_consent/update": ("sms_marketing_consent",),
        "customers_whats_app_marketing_consent/update": ("whats_app_marketing_consent",),
        "products/create": ("id",),
        "products/update": ("id",),
        "products/delete": ("id",),
        "variants/in_stock": ("product_id",),
        "variants/out_of_stock": ("product_id",),
        "inventory_levels/update": ("inventory_item_id",),
        "discounts/create": ("admin_graphql_api_id",),
        "discounts/update": ("admin_graphql_api_id",),
        "discounts/delete": ("admin_graphql_api_id", "deleted_at"),
        "discounts/redeemcode_added": ("admin_graphql_api_id", "redeem_code"),
        "discounts/redeemcode_removed": ("admin_graphql_api_id", "redeem_code"),
        "disputes/create": ("id", "type", "initiated_at"),
        "disputes/update": ("id", "type", "initiated_at"),
        "app/scopes_update": ("current", "previous"),
    }
    exact: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "checkouts_update__customer_repeated_line_keys": {
            "total": Decimal("98.40"),
            "tax_total": Decimal("16.40"),
            "currency": "EUR",
            "created_at": datetime(2026, 11, 20, 16, 41, 7, tzinfo=UTC),
            "source_version": datetime(2026, 11, 20, 16, 44, 2, tzinfo=UTC),
        },
        "checkouts_update__buyer_currency_with_code": {
            "total": Decimal("62.10"),
            "discount_total": Decimal("6.90"),
            "currency": "CHF",
            "source_version": datetime(2026, 11, 20, 17, 0, 0, 250_000, tzinfo=UTC),
        },
        "carts_update__buyer_currency": {
            "total": Decimal("69.0"),
            "currency": "CHF",
            "stage": Stage.CART,
            "source_version": datetime(2026, 11, 20, 16, 55, 0, 500_000, tzinfo=UTC),
        },
        "carts_update__emptied": {"total": Decimal(0), "currency": "XXX", "lines": ()},
        "orders_paid__with_code": {
            "total": Decimal("63.50"),
            "subtotal": Decimal("57.60"),
            "discount_total": Decimal("6.40"),
            "currency": "EUR",
            "payment_state": PaymentState.PAID,
            "placed_at": datetime(2026, 11, 20, 16, 51, 6, tzinfo=UTC),
            "paid_at": datetime(2026, 11, 20, 16, 58, 31, tzinfo=UTC),
            "refunded_total": Decimal(0),
        },
        "orders_updated__partially_refunded": {"refunded_total": Decimal("32.00"), "paid_at": None},
    }

    def make_platform(self, transport: Transport) -> Platform:
        settings = Settings(
            shopify_client_id="client-id",
            shopify_client_secret=SecretStr(self.secret.decode()),
            shopify_old_client_secret=SecretStr(self.previous_secret.decode()),
        )
        return ShopifyPlatform(transport, settings)

    def sign(self, topic: str, body: bytes, secret: bytes, delivery: str = "delivery-1") -> dict[bytes, bytes]:
        return {
            b"content-type": b"application/json",
            b"x-shopify-topic": topic.encode(),
            b"x-shopify-shop-domain": self.shop_ref.encode(),
            b"x-shopify-webhook-id": delivery.encode(),
            b"x-shopify-triggered-at": b"2026-11-21T10:15:30.877041743Z",
            b"x-shopify-hmac-sha256": base64.b64encode(hmac.digest(secret, body, "sha256")),
        }

    def test_the_app_signs_with_the_current_and_the_previous_secret(self, platform: Platform) -> None:
        assert platform.app_secrets() == (self.secret, self.previous_secret)

    def test_without_a_secret_the_app_signs_nothing(self) -> None:
        platform = ShopifyPlatform(Transport(inner=httpx2.MockTransport(answers([]))), Settings())
        assert platform.app_secrets() == ()

    def test_subscriptions_stand_in_the_app_configuration_so_a_shops_own_are_only_looked_for(self) -> None:
        asked: list[bytes] = []

        def store(request: httpx2.Request) -> httpx2.Response:
            asked.append(request.content)
            page = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
            return httpx2.Response(200, json={"data": {"webhookSubscriptions": page}})

        platform = self.make_platform(Transport(inner=httpx2.MockTransport(store)))
        assert platform.subscribe(self.access, "https://connector.example/webhooks/shopify", "") == Subscriptions((), ())
        assert len(asked) == 1
        assert b"mutation" not in asked[0]

    def test_an_app_token_is_never_sent_to_a_host_that_is_not_shopifys(self) -> None:
        platform = self.platform_for(answers([]))
        with pytest.raises(Exception, match="no access token"):
            platform.read_products(Access(1, "evil.example", {"access_token": "shpat_x"}), ["1"])

    def test_a_throttle_inside_a_200_waits_until_the_bucket_holds_the_query(self) -> None:
        cost = {
            "requestedQueryCost": 740,
            "throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 140, "restoreRate": 100.0},
        }
        body = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": cost}}
        with pytest.raises(ThrottledError) as caught:
            self.call(lambda _: httpx2.Response(200, json=body))
        assert caught.value.retry_after == 6.0


def answers(responses: list[httpx2.Response]) -> Callable[[httpx2.Request], httpx2.Response]:
    """A store that gives these answers in order and nothing more."""
    left: Iterator[httpx2.Response] = iter(responses)
    return lambda _: next(left)


def test_the_app_configuration_names_what_the_adapter_says_is_subscribed() -> None:
    text = (Path(__file__).parents[2] / "shopify.app.toml").read_text(encoding="utf-8")
    configuration = tomllib.loads(text)
    subscriptions = configuration["webhooks"]["subscriptions"]
    platform = ShopifyPlatform(Transport(inner=httpx2.MockTransport(answers([]))), Settings())
    assert {topic for entry in subscriptions for topic in entry.get("topics", ())} == platform.topics
    assert {topic for entry in subscriptions for topic in entry.get("compliance_topics", ())} == platform.compliance_topics
    assert {entry["uri"] for entry in subscriptions} == {"https://connector.example/webhooks/shopify"}
    assert configuration["webhooks"]["api_version"] == API_VERSION
    assert configuration["access_scopes"]["scopes"] == Settings().shopify_scopes


def test_payload_files_are_all_explained() -> None:
    folder = TestShopify.payloads_dir
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in folder.glob("*.json") if f"`{path.stem}`" not in readme] == []
