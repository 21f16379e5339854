"""Calls to a shop: products and orders page by page, partial answers, and each failure in its class."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest
import respx
from structlog.testing import capture_logs

from connector import clock
from connector.canonical import Order, PaymentState, Phone, Product
from connector.config import Settings
from connector.platforms import (
    Access,
    AccessLost,
    Gone,
    NotPermitted,
    PayloadError,
    PlatformError,
    Rejected,
    ShopClosed,
    ThrottledError,
    TransientError,
)
from integrations.shopify.adapter import ShopifyPlatform
from integrations.shopify.answers import TooDear
from integrations.shopify.queries import PRODUCT_PAGE
from integrations.transport import Transport
from tests.integrations.bridge import respx2
from tests.integrations.shopify_answers import (
    ACCESS,
    IMAGE,
    SINCE,
    VARIANT_IMAGE,
    Shop,
    error,
    line,
    media,
    nodes,
    order,
    orders,
    page,
    product,
    variant,
)

__all__ = ["respx2"]


class TestProducts:
    @pytest.mark.spec("AC-53")
    def test_the_category_is_the_product_type(self) -> None:
        (found,) = Shop(nodes(product())).platform.read_products(ACCESS, ["101"])
        assert (found.category, found.title, found.platform_id) == ("Bougies", "Bougie Cèdre", "101")
        assert found.source_version == datetime(2026, 11, 19, 8, tzinfo=UTC)

    @pytest.mark.spec("AC-59")
    def test_the_description_is_plain_text_cut_at_500(self) -> None:
        shop = Shop(nodes(product(description="Cire. " * 200), product(102, description=" ")))
        long, blank = shop.platform.read_products(ACCESS, ["101", "102"])
        assert len(long.description or "") == 500
        assert blank.description is None
        assert "description(truncateAt: 500)" in shop.asked[0]["query"]

    @pytest.mark.spec("AC-61")
    def test_the_image_is_https_and_the_variants_if_it_has_one(self) -> None:
        (found,) = Shop(nodes(product())).platform.read_products(ACCESS, ["101"])
        first, second = found.variants
        assert (first.image_url or found.image_url) == VARIANT_IMAGE
        assert (second.image_url or found.image_url) == IMAGE

    @pytest.mark.parametrize("featured", [None, {"preview": None}, media(None), media("http://plain.example/x.jpg")])
    def test_without_an_https_picture_there_is_none(self, featured: object) -> None:
        (found,) = Shop(nodes(product(featuredMedia=featured))).platform.read_products(ACCESS, ["101"])
        assert found.image_url is None

    @pytest.mark.spec("AC-58")
    def test_variant_prices_are_exact_text(self) -> None:
        (found,) = Shop(nodes(product(variants=page([variant(1, price="0.10")])))).platform.read_products(ACCESS, ["101"])
        assert str(found.variants[0].price) == "0.10"

    def test_products_that_are_gone_come_back_deleted_in_the_order_asked(self) -> None:
        found = Shop(nodes(None, product(102))).platform.read_products(ACCESS, ["101", "102"])
        assert [(one.platform_id, one.is_deleted) for one in found] == [("101", True), ("102", False)]
        assert abs((clock.now() - found[0].source_version).total_seconds()) < 60

    def test_an_id_that_cannot_be_shopifys_is_never_asked_for(self) -> None:
        shop = Shop(nodes(product()))
        found = shop.platform.read_products(ACCESS, ["abc", "101", "1/2", "²"])
        assert shop.asked[0]["variables"] == {"ids": ["gid://shopify/Product/101"]}
        assert [(one.platform_id, one.is_deleted) for one in found] == [("abc", True), ("101", False), ("1/2", True), ("²", True)]

    def test_a_withheld_product_is_not_called_deleted(self) -> None:
        answer = nodes(None, product(102), errors=[{"message": "no", "extensions": {"code": "ACCESS_DENIED"}, "path": ["nodes", 0]}])
        with capture_logs() as logs:
            found = Shop(answer).platform.read_products(ACCESS, ["101", "102"])
        assert [one.platform_id for one in found] == ["102"]
        assert logs[0]["event"] == "shopify.withheld"
        assert logs[0]["gaps"] == ("nodes.0",)

    def test_many_products_are_asked_in_parts_that_one_query_may_cost(self) -> None:
        ids = [str(number) for number in range(1, 51)]
        parts = [ids[start : start + PRODUCT_PAGE] for start in range(0, 50, PRODUCT_PAGE)]
        shop = Shop(*(nodes(*(product(int(one)) for one in part)) for part in parts))
        assert [one.platform_id for one in shop.platform.read_products(ACCESS, ids)] == ids
        assert [len(asked["variables"]["ids"]) for asked in shop.asked] == [24, 24, 2]

    def test_nothing_asked_is_nothing_called(self) -> None:
        assert Shop().platform.read_products(ACCESS, []) == []

    def test_variants_behind_the_first_page_are_read_too(self) -> None:
        def more(number: int, cursor: str | None) -> dict[str, Any]:
            return {"data": {"product": {"variants": page([variant(number)], cursor)}}}

        shop = Shop(nodes(product(variants=page([variant(1)], "c1"))), more(2, "c2"), more(3, None))
        (found,) = shop.platform.read_products(ACCESS, ["101"])
        assert [one.platform_id for one in found.variants] == ["1", "2", "3"]
        assert [asked["variables"].get("after") for asked in shop.asked] == [None, "c1", "c2"]

    def test_a_product_that_vanishes_while_paging_keeps_what_was_read(self) -> None:
        shop = Shop(nodes(product(variants=page([variant(1)], "c1"))), {"data": {"product": None}})
        (found,) = shop.platform.read_products(ACCESS, ["101"])
        assert [one.platform_id for one in found.variants] == ["1"]

    def test_a_product_without_version_makes_no_sense(self) -> None:
        with pytest.raises(PayloadError):
            Shop(nodes(product(updatedAt=None))).platform.read_products(ACCESS, ["101"])


class TestOrders:
    def test_a_listed_order_is_the_record_its_webhook_gives(self) -> None:
        (found,) = Shop(orders(order())).platform.read_orders_since(ACCESS, SINCE)
        assert isinstance(found, Order)
        assert (found.platform_id, found.number, found.customer_id) == ("6210000000001", "#1042", "7340000000011")
        assert (found.total, found.subtotal, found.discount_total, found.tax_total) == (
            Decimal("63.5"),
            Decimal("57.6"),
            Decimal("6.4"),
            None,
        )
        assert (found.payment_state, found.platform_status) == (PaymentState.PARTIALLY_PAID, "partially_paid")
        assert (found.checkout_token, found.cart_token) == ("9f2c61d07be34d5a8c1e0f73b6a4d219", "c1-4b7d2f90ae6c41b3857de0192f6a3c58")
        assert (found.email, found.phone) == ("anna.petit@example.org", Phone("06 45 67 89 01", "+33645678901"))
        assert (found.first_name, found.last_name, found.country, found.language) == ("Anna", "Petit", "BE", "fr-FR")
        assert (found.discount_codes, found.placed_at) == (("MERCI-7Q2K",), datetime(2026, 11, 20, 16, 51, 6, tzinfo=UTC))
        (item,) = found.lines
        assert (item.key, item.product_id, item.variant_id, item.total) == ("1", "101", "201", Decimal("64.0"))

    def test_an_order_with_every_protected_field_withheld_is_still_an_order(self) -> None:
        bare = order(customer=None, email=None, shippingAddress=None, processedAt=None, discountCodes=None, displayFinancialStatus=None)
        bare["lineItems"] = page([line(1) | {"product": None, "variant": None}])
        with capture_logs() as logs:
            (found,) = Shop(
                orders(bare, errors=[{"message": "not approved", "path": ["orders", "nodes", 0, "customer"]}])
            ).platform.read_orders_since(ACCESS, SINCE)
        assert (found.customer_id, found.email, found.phone, found.first_name, found.platform_status) == (None,) * 5
        assert (found.payment_state, found.placed_at) == (PaymentState.PENDING, found.created_at)
        assert (found.lines[0].product_id, found.lines[0].variant_id) == (None, None)
        assert logs[0]["gaps"] == ("orders.nodes.0.customer",)

    def test_orders_are_asked_for_by_change_time_page_by_page(self) -> None:
        shop = Shop(orders(order(1), order(2), cursor="c1"), orders(order(3)))
        assert [one.platform_id for one in shop.platform.read_orders_since(ACCESS, SINCE)] == ["1", "2", "3"]
        assert [asked["variables"] for asked in shop.asked] == [
            {"first": 14, "after": None, "query": "updated_at:>='2026-11-20T12:00:30Z'"},
            {"first": 14, "after": "c1", "query": "updated_at:>='2026-11-20T12:00:30Z'"},
        ]
        assert "sortKey: UPDATED_AT" in shop.asked[0]["query"]

    def test_orders_changed_before_are_dropped_should_shopify_send_some(self) -> None:
        early = order(1, updatedAt="2026-11-20T12:00:29Z")
        exact = order(2, updatedAt="2026-11-20T12:00:30Z")
        assert [one.platform_id for one in Shop(orders(early, exact)).platform.read_orders_since(ACCESS, SINCE)] == ["2"]

    def test_lines_behind_the_first_page_are_read_too(self) -> None:
        rest = {"data": {"order": {"lineItems": page([line(2)])}}}
        (found,) = Shop(orders(order(lineItems=page([line(1)], "c1"))), rest).platform.read_orders_since(ACCESS, SINCE)
        assert [one.key for one in found.lines] == ["1", "2"]

    def test_an_order_that_vanishes_while_paging_keeps_what_was_read(self) -> None:
        (found,) = Shop(orders(order(lineItems=page([line(1)], "c1"))), {"data": {"order": None}}).platform.read_orders_since(ACCESS, SINCE)
        assert [one.key for one in found.lines] == ["1"]

    def test_a_shop_without_changes_has_none(self) -> None:
        assert Shop(orders()).platform.read_orders_since(ACCESS, SINCE) == []


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (error("ACCESS_DENIED"), NotPermitted),
            (error("ACCESS_DENIED", data={"nodes": None}), NotPermitted),
            (error("SHOP_INACTIVE", data=None), ShopClosed),
            (error("INTERNAL_SERVER_ERROR"), TransientError),
            (error("TIMEOUT"), TransientError),
            (error("MAX_COST_EXCEEDED"), TooDear),
            ({"errors": [{"message": ""}]}, Rejected),
            ({"errors": "something went wrong"}, Rejected),
            ({"errors": {"query": "required"}}, Rejected),
            ({}, TransientError),
            ({"data": None}, TransientError),
            ({"data": {"nodes": 5}}, TransientError),
        ],
    )
    def test_an_answer_without_usable_data_is_classed_by_its_code(self, answer: object, kind: type[PlatformError]) -> None:
        with pytest.raises(kind) as caught:
            Shop(answer).platform.read_products(ACCESS, ["101"])
        assert type(caught.value) is kind
        assert (caught.value.call, caught.value.status) == ("products", 200)

    def test_words_of_shopify_are_kept_on_one_line(self) -> None:
        with pytest.raises(Rejected, match=r"^it is max_cost_exceeded$"):
            Shop(error("MAX_COST_EXCEEDED")).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize(
        ("extensions", "seconds"),
        [
            ({"cost": {"requestedQueryCost": 70, "throttleStatus": {"currentlyAvailable": 66, "restoreRate": 50}}}, 0.1),
            ({"cost": {"requestedQueryCost": 566, "throttleStatus": {"currentlyAvailable": 66, "restoreRate": 50}}}, 10.0),
            ({"cost": {"requestedQueryCost": 1000, "throttleStatus": {"currentlyAvailable": 0, "restoreRate": 0.5}}}, 60.0),
            ({"cost": {"requestedQueryCost": 70, "throttleStatus": {"currentlyAvailable": 66, "restoreRate": 0}}}, 2.0),
            ({"cost": {"requestedQueryCost": None, "throttleStatus": {"currentlyAvailable": 66, "restoreRate": 50}}}, 2.0),
            ({"cost": {"requestedQueryCost": 70, "throttleStatus": None}}, 2.0),
            ({"cost": None}, 2.0),
            (None, 2.0),
        ],
    )
    def test_a_throttle_waits_until_the_bucket_holds_the_query(self, extensions: object, seconds: float) -> None:
        with pytest.raises(ThrottledError) as caught:
            Shop(error("THROTTLED", extensions=extensions)).platform.read_orders_since(ACCESS, SINCE)
        assert caught.value.retry_after == pytest.approx(seconds)

    def test_a_throttle_beside_data_is_a_throttle(self) -> None:
        with pytest.raises(ThrottledError):
            Shop(nodes(product(), **error("THROTTLED"))).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("status", [402, 423])
    def test_a_frozen_or_locked_shop_is_not_permitted(self, status: int) -> None:
        with pytest.raises(NotPermitted):
            Shop(httpx2.Response(status)).platform.read_products(ACCESS, ["101"])

    def test_a_missing_scope_keeps_shopifys_words(self) -> None:
        words = "This action requires merchant approval for read_orders scope."
        with pytest.raises(NotPermitted, match="read_orders"):
            Shop(httpx2.Response(403, json={"errors": words})).platform.read_orders_since(ACCESS, SINCE)

    def test_a_token_of_the_kind_that_never_expires_is_lost_access(self) -> None:
        words = "[API] Non-expiring access tokens are no longer accepted for the Admin API."
        with pytest.raises(AccessLost):
            Shop(httpx2.Response(403, json={"errors": words})).platform.read_products(ACCESS, ["101"])

    def test_an_unknown_shop_is_gone(self) -> None:
        with pytest.raises(Gone):
            Shop(httpx2.Response(404, json={"errors": "Not Found"})).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"errors": {"a": 1}}', b"[" * 100_000, b"\xff"])
    def test_a_strange_error_body_is_no_obstacle(self, content: bytes) -> None:
        with pytest.raises(Rejected, match="answered 400"):
            Shop(httpx2.Response(400, content=content)).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("access", [Access(7, "atelier-brume.myshopify.com", {}), Access(7, "evil.example", {"access_token": "x"})])
    def test_without_token_or_for_a_foreign_host_nothing_is_sent(self, access: Access) -> None:
        shop = Shop()
        with pytest.raises(AccessLost):
            shop.platform.read_products(access, ["101"])
        assert shop.requests == []


class TestRequests:
    def test_the_token_travels_in_its_header_to_the_version_we_know(self) -> None:
        shop = Shop(nodes(product()))
        shop.platform.read_products(ACCESS, ["101"])
        (request,) = shop.requests
        assert str(request.url) == "https://atelier-brume.myshopify.com/admin/api/2026-10/graphql.json"
        assert request.headers["x-shopify-access-token"] == "shpat_made_up"

    def test_another_api_version_in_the_answer_raises_an_alarm(self) -> None:
        with capture_logs() as logs:
            Shop(httpx2.Response(200, json=nodes(product()), headers={"X-Shopify-API-Version": "2027-01"})).platform.read_products(
                ACCESS, ["101"]
            )
        assert logs == [
            {"event": "shopify.version_differs", "log_level": "warning", "asked": "2026-10", "served": "2027-01", "call": "products"}
        ]

    def test_the_whole_way_through_the_connection_pool(self, respx2: respx.MockRouter) -> None:
        route = respx2.post("https://atelier-brume.myshopify.com/admin/api/2026-10/graphql.json")
        route.respond(200, json=nodes(product()))
        transport = Transport()
        found = ShopifyPlatform(transport, Settings()).read_products(ACCESS, ["101"])
        transport.close()
        assert [type(one) for one in found] == [Product]
        assert route.call_count == 1
