"""What a merchant does with orders and coupons in the pretend WooCommerce store, as far as offers live on it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from integrations.sandbox.woocommerce_coupon_use import Cart, CouponRefused, refusal
from integrations.sandbox.woocommerce_store import Order
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from tests.integrations.sandbox_app import Clock, PlayedApp, played, reset_woocommerce, sent

CART = Cart(Decimal(80), "lea@example.org")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("offers"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_woocommerce(running, clock)
    running.world.woocommerce.store.coupons.behind = timedelta()
    yield running
    running.world.settle()


@pytest.fixture
def shop(app: PlayedApp) -> WooCommerceTwin:
    return app.world.woocommerce


def bought(shop: WooCommerceTwin, method: str = "card", code: str = "") -> Order:
    key = shop.start_cart([("HUILE-500", 1)])
    shop.open_page(key)
    shop.type_into(key, "lea@example.org", name="Léa Fournier")
    if code:
        shop.try_code(key, code)
    return shop.buy(key, method)


def newest(app: PlayedApp) -> dict[str, Any]:
    return sent(app, "order.updated")[-1].json


def test_money_goes_back_in_parts_and_then_all_that_is_left(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order = bought(shop)
    shop.refund(order.id, Decimal("5.00"))
    part = newest(app)
    assert (part["status"], [one["total"] for one in part["refunds"]]) == ("processing", ["-5.00"])
    shop.refund(order.id)
    whole = newest(app)
    assert (whole["status"], [one["total"] for one in whole["refunds"]]) == ("refunded", ["-5.00", f"-{order.total - 5}"])
    assert whole["total"] == part["total"]


def test_an_order_set_to_refunded_by_hand_gets_the_refund_that_is_missing(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order = bought(shop)
    for _ in range(2):
        shop.set_status(order.id, "refunded")
    assert [one["total"] for one in newest(app)["refunds"]] == [f"-{order.total}"]


def test_a_cancelled_order_is_taken_up_again_with_its_payment(app: PlayedApp, shop: WooCommerceTwin, clock: Clock) -> None:
    order = bought(shop)
    paid_at = newest(app)["date_paid_gmt"]
    clock.advance(hours=1)
    shop.cancel_order(order.id)
    assert newest(app)["status"] == "cancelled"
    shop.reinstate_order(order.id)
    again = newest(app)
    assert (again["status"], again["date_paid_gmt"]) == ("processing", paid_at)


def test_cash_on_delivery_is_paid_when_it_is_completed(app: PlayedApp, shop: WooCommerceTwin) -> None:
    order = bought(shop, "cod")
    shop.cancel_order(order.id)
    shop.reinstate_order(order.id)
    assert newest(app)["date_paid_gmt"] is None
    shop.set_status(order.id, "completed")
    assert newest(app)["date_paid_gmt"] is not None


def test_a_code_is_tried_in_the_cart_and_at_the_checkout(shop: WooCommerceTwin) -> None:
    shop.coupons.make("merci10", discount_type="percent", amount="10")
    key = shop.start_cart([("HUILE-500", 1)])
    assert shop.apply_code(key, "MERCI10")
    order = shop.open_page(key)
    assert order is not None
    assert (order.coupons, order.discount_net > 0) == (["merci10"], True)
    assert not shop.apply_code(key, "merci10")
    with pytest.raises(CouponRefused, match="does not exist"):
        shop.try_code(key, "unknown")


def test_a_purchase_in_the_same_session_does_not_excuse_the_next(shop: WooCommerceTwin) -> None:
    shop.coupons.make("merci10", discount_type="percent", amount="10", usage_limit=1)
    order = bought(shop, code="merci10")
    (key,) = (key for key, session in shop.store.sessions.items() if session.order_id == order.id)
    shop.set_quantity(key, "HUILE-500", 1)
    assert not shop.apply_code(key, "merci10")


@pytest.mark.parametrize("late", [0, 1])
def test_a_late_clock_ends_coupons_late(shop: WooCommerceTwin, clock: Clock, late: int) -> None:
    shop.coupons.make("merci10", date_expires=(clock.at + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    shop.store.coupons.behind = timedelta(hours=late)
    clock.advance(minutes=11)
    assert (refusal(shop.store.coupons, "merci10", CART) == "") == bool(late)
    clock.advance(hours=1)
    assert "has expired" in refusal(shop.store.coupons, "merci10", CART)


@pytest.mark.parametrize(
    ("locked_to", "email", "is_for"),
    [
        ("lea@example.org", "Lea@Example.org", True),
        ("lea@example.org", "leo@example.org", False),
        ("*@example.org", "leo@example.org", True),
        ("lea+sale@example.org", "lea+sale@example.org", True),
        ("lea.m@example.org", "leaxm@example.org", True),
        ("le?a@example.org", "la@example.org", True),
        ("lea{@example.org", "lea@example.org", False),
    ],
)
def test_an_e_mail_lock_is_compared_as_woocommerce_does_it(shop: WooCommerceTwin, locked_to: str, email: str, is_for: bool) -> None:
    """As a regular expression: a known weakness, because of which our adapter refuses some addresses."""
    coupon = shop.coupons.make("vip", amount="5")
    coupon.emails = [locked_to]
    assert (refusal(shop.store.coupons, "vip", Cart(Decimal(80), email)) == "") is is_for


def test_what_we_issue_stands_in_the_merchants_book(app: PlayedApp, shop: WooCommerceTwin) -> None:
    status, body, _ = app.rest("POST", "/wc/v3/coupons", {"code": "merci-ours", "discount_type": "percent", "amount": "10"})
    assert status == 201
    shop.coupons.edit(body["id"], minimum_amount="30")
    assert app.rest("GET", f"/wc/v3/coupons/{body['id']}")[1]["minimum_amount"] == "30.00"
    shop.coupons.trash(body["id"])
    assert app.rest("GET", "/wc/v3/coupons", code="merci-ours")[1] == []
