"""What the pretend Shopify's people do with codes and orders after a purchase, and what the app hears of it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.errors import NotFound, Refused
from integrations.sandbox.shopify_shop import Shop
from integrations.sandbox.shopify_storefront import open_again
from integrations.sandbox.shopify_twin import ShopifyTwin
from tests.integrations.sandbox_app import SHOPIFY_HOOKS, Clock, PlayedApp, played, reset_shopify


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("shopify"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_shopify(running, clock)
    shop, fresh = running.world.shopify.shop, Shop(clock)
    with shop.lock:
        shop.has_password = shop.is_frozen = False
        shop.discounts, shop.products = fresh.discounts, fresh.products
        shop.discounts.on_change = running.world.shopify.send
    yield running
    running.world.settle()


@pytest.fixture
def twin(app: PlayedApp) -> ShopifyTwin:
    return app.world.shopify


def heard(app: PlayedApp) -> list[tuple[str, dict[str, Any]]]:
    """All webhooks since the last look, with their bodies."""
    assert app.world.settle()
    found = [(one.headers["x-shopify-topic"], one.json) for one in app.heard if one.path == SHOPIFY_HOOKS]
    app.heard.clear()
    return found


def bought(app: PlayedApp, email: str = "mary@example.com", code: str = "") -> int:
    """A paid order, whose webhooks are not heard."""
    twin = app.world.shopify
    number = twin.pay(twin.start_checkout([("CEDAR-L", 1)], email=email), code)
    heard(app)
    return number


def path_of(url: str) -> str:
    """The path of an address."""
    return urlsplit(url).path


def code_of(twin: ShopifyTwin, order_id: int) -> tuple[str | None, Decimal]:
    """The code that an order was placed with, and what was paid."""
    order = twin.shop.find_order(order_id)
    return order.checkout.discount_code, order.total


def ask_order(app: PlayedApp, order_id: int) -> dict[str, Any]:
    """An order as GraphQL tells it."""
    query = """query O($id: ID!) { order(id: $id) { displayFinancialStatus updatedAt totalRefundedSet { shopMoney { amount } }
      transactions(first: 9) { kind status processedAt } disputes { initiatedAs status } } }"""
    _, answer = app.graphql(query, {"id": f"gid://shopify/Order/{order_id}"}, app.token["access_token"])
    found: dict[str, Any] = answer["data"]["order"]
    return found


class TestMoneyBack:
    """Refunds, and what banks take back."""

    def test_a_refund_in_part_and_the_rest(self, app: PlayedApp, twin: ShopifyTwin, clock: Clock) -> None:
        order_id = bought(app)
        told = []
        for amount in (Decimal("10.00"), None):
            clock.advance(minutes=10)
            twin.refund(order_id, amount)
            ((topic, body),) = heard(app)
            amounts = [one["amount"] for refund in body["refunds"] for one in refund["transactions"]]
            told.append((topic, body["financial_status"], amounts))
        assert told == [("orders/updated", "partially_refunded", ["10.00"]), ("orders/updated", "refunded", ["10.00", "22.00"])]
        found = ask_order(app, order_id)
        assert (found["displayFinancialStatus"], found["totalRefundedSet"]) == ("REFUNDED", {"shopMoney": {"amount": "32.00"}})
        assert [one["kind"] for one in found["transactions"]] == ["SALE", "REFUND", "REFUND"]
        with pytest.raises(Refused):
            twin.refund(order_id, Decimal("0.01"))

    def test_what_is_not_paid_cannot_be_given_back_and_is_paid_once(self, app: PlayedApp, twin: ShopifyTwin, clock: Clock) -> None:
        order_id = twin.pay_by_bank_transfer(twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com"))
        with pytest.raises(Refused):
            twin.refund(order_id)
        assert ask_order(app, order_id)["transactions"] == [{"kind": "SALE", "status": "PENDING", "processedAt": None}]
        clock.advance(hours=1)
        twin.mark_paid(order_id)
        paid_at = twin.shop.find_order(order_id).paid_at
        clock.advance(hours=1)
        twin.refund(order_id, Decimal(1))
        twin.mark_paid(order_id)
        order = twin.shop.find_order(order_id)
        assert (order.paid_at, order.financial_status) == (paid_at, "partially_refunded")

    def test_a_chargeback_is_told_by_its_own_topics_and_does_not_touch_the_order(
        self, app: PlayedApp, twin: ShopifyTwin, clock: Clock
    ) -> None:
        order_id = bought(app)
        before = ask_order(app, order_id)["updatedAt"]
        clock.advance(minutes=30)
        number = twin.dispute_order(order_id)
        twin.win_dispute(order_id)
        (begun, first), (ended, last) = heard(app)
        assert (begun, ended) == ("disputes/create", "disputes/update")
        assert (first["id"], first["order_id"], first["type"], first["status"]) == (number, order_id, "chargeback", "needs_response")
        assert (last["status"], last["finalized_on"] is None, first["finalized_on"]) == ("won", False, None)
        found = ask_order(app, order_id)
        assert (found["disputes"], found["updatedAt"]) == ([{"initiatedAs": "CHARGEBACK", "status": "WON"}], before)

    def test_an_inquiry_that_becomes_a_chargeback_is_still_told_as_it_began(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        order_id = bought(app)
        twin.dispute_order(order_id, "inquiry")
        twin.charge_back(order_id)
        twin.lose_dispute(order_id)
        assert [(body["type"], body["status"]) for _, body in heard(app)] == [
            ("inquiry", "needs_response"),
            ("chargeback", "needs_response"),
            ("chargeback", "lost"),
        ]
        assert ask_order(app, order_id)["disputes"] == [{"initiatedAs": "INQUIRY", "status": "LOST"}]

    def test_nobody_wins_what_nobody_began(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        with pytest.raises(NotFound):
            twin.win_dispute(bought(app))

    def test_without_the_scope_a_shops_own_subscription_to_disputes_is_refused(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        wanted = {"uri": "https://app.example/hooks"}
        with twin.shop.lock:
            refused = twin.shop.subscriptions.create("DISPUTES_CREATE", wanted, ("read_orders",))
        assert "permission" in getattr(refused, "message", "")


class TestCodesAtTheCheckout:
    """Typed or brought by a link, and looked at again when the order is placed."""

    def test_one_that_holds_takes_its_share_and_is_counted(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        number = twin.make_discount("THANKS-10", 10)
        token = twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com")
        heard(app)
        assert [twin.apply_code(token, "NO-SUCH"), twin.apply_code(token, "thanks-10")] == [False, True]
        assert [body["discount_codes"] for _, body in heard(app)][1] == [{"code": "thanks-10", "amount": "3.20", "type": "fixed_amount"}]
        assert code_of(twin, twin.pay(token)) == ("thanks-10", Decimal("28.80"))
        held = twin.shop.discounts.get(number)
        assert held is not None
        assert held.used == 1

    @pytest.mark.parametrize("change", ["expired", "switched off", "deleted", "taken away", "used up", "for others", "for other products"])
    def test_one_that_holds_no_more_is_dropped_at_order_time(self, app: PlayedApp, twin: ShopifyTwin, clock: Clock, change: str) -> None:
        number = twin.make_discount("THANKS-10", 10)
        twin.edit_discount(number, usageLimit=1, endsAt=clock() + timedelta(days=1))
        token = twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com")
        assert twin.apply_code(token, "THANKS-10")
        towel = twin.shop.find_variant("TOWEL-OAT")[0].id
        items = {"products": {"productsToAdd": [f"gid://shopify/Product/{towel}"]}}
        match change:
            case "expired":
                clock.advance(days=1)
            case "switched off":
                twin.end_discount(number)
            case "deleted":
                twin.delete_discount(number)
            case "taken away":
                twin.remove_code("thanks-10")
            case "used up":
                assert code_of(twin, bought(app, "nora@example.com", "THANKS-10"))[0] == "THANKS-10"
            case "for others":
                twin.edit_discount(number, context={"customers": {"add": ["gid://shopify/Customer/1"]}})
            case _:
                twin.edit_discount(number, customerGets={"value": {"percentage": 0.1}, "items": items})
        assert code_of(twin, twin.pay(token)) == (None, Decimal("32.00"))

    def test_once_per_customer_holds_for_each_code_by_itself_and_in_any_letter_case(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        number = twin.make_discount("THANKS-10", 10)
        twin.edit_discount(number, appliesOncePerCustomer=True)
        with twin.shop.lock:
            started, _ = twin.shop.discounts.begin_import(number, ["SECOND-1"])
            assert started is not None
            twin.shop.discounts.look_at(started.id)
        tries = [("mary@example.com", "THANKS-10"), ("MARY@Example.com", "thanks-10"), ("mary@example.com", "SECOND-1")]
        tries.append(("nora@example.com", "THANKS-10"))
        found = [code_of(twin, bought(app, email, code))[0] for email, code in tries]
        assert found == ["THANKS-10", None, "SECOND-1", "THANKS-10"]

    @pytest.mark.parametrize(
        ("wanted", "quantity", "is_taken"),
        [
            ({"minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "64.00"}}}, 1, False),
            ({"minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "64.00"}}}, 2, True),
            ({"minimumRequirement": {"quantity": {"greaterThanOrEqualToQuantity": "3"}}}, 2, False),
            ({"minimumRequirement": {"quantity": {"greaterThanOrEqualToQuantity": "3"}}}, 3, True),
            ({"context": {"customerSegments": {"add": ["gid://shopify/Segment/1"]}}}, 1, False),
            ({"context": {"markets": {"add": ["gid://shopify/Market/1"]}}}, 1, False),
            ({"customerGets": {"value": {"percentage": 0.1}, "items": {"collections": {"add": ["gid://shopify/Collection/1"]}}}}, 1, False),
        ],
    )
    def test_its_terms_count(self, app: PlayedApp, twin: ShopifyTwin, wanted: dict[str, Any], quantity: int, is_taken: bool) -> None:
        twin.edit_discount(twin.make_discount("THANKS-10", 10), **wanted)
        assert twin.apply_code(twin.start_checkout([("CEDAR-L", quantity)], email="mary@example.com"), "THANKS-10") is is_taken

    def test_what_it_is_for_is_what_it_takes_from(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        mary = twin.shop.find_order(bought(app)).checkout.customer
        assert mary is not None
        number = twin.make_discount("ONLY-MARY", 50, customers=[mary.id])
        items = {"products": {"productsToAdd": [f"gid://shopify/Product/{twin.shop.find_variant('SALT-SOAP')[0].id}"]}}
        twin.edit_discount(number, customerGets={"value": {"percentage": 0.5}, "items": items})
        token = twin.start_checkout([("CEDAR-L", 1), ("SALT-SOAP", 2)], email="Mary@example.com")
        with twin.shop.lock:
            opened = open_again(twin.shop, twin.shop.find_checkout(token), "ONLY-MARY")
        assert (opened.code, opened.discount, opened.subtotal) == ("ONLY-MARY", Decimal("9.50"), Decimal("51.00"))

    def test_the_link_of_the_online_store_brings_it_to_the_checkout(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.make_discount("THANKS-10", 10)
        token = twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com")
        with closing(app.world.browser()) as shopper:
            for target in ("", "?redirect=//evil.example", "?redirect=https://evil.example"):
                assert path_of(shopper.open(f"https://demo.myshopify.com/discount/THANKS-10{target}").url) == "/"
            assert "Cedar Candle" in shopper.open("https://demo.myshopify.com/discount/THANKS-10?redirect=/products/cedar-candle").text
            thanks = shopper.click(shopper.open(twin.recovery_url(token)), "Pay now")
        assert "28.80" in thanks.text
        assert [one.checkout.discount_code for one in twin.shop.orders.values() if one.checkout.token == token] == ["THANKS-10"]


class TestAdmin:
    """What the merchant does with discounts, and Shopify with the shop."""

    def test_no_change_of_a_discount_names_its_code(self, app: PlayedApp, twin: ShopifyTwin, clock: Clock) -> None:
        number = twin.make_discount("SECRET-77")
        twin.edit_discount(number, endsAt=clock() + timedelta(days=1))
        twin.end_discount(number)
        told = heard(app)
        assert [topic for topic, _ in told] == ["discounts/create", "discounts/update", "discounts/update"]
        assert [body["status"] for _, body in told] == ["ACTIVE", "ACTIVE", "EXPIRED"]
        assert all("code" not in body and "endsAt" not in body for _, body in told)
        twin.remove_code("secret-77")
        ((topic, body),) = heard(app)
        assert (topic, body["redeem_code"]["code"]) == ("discounts/redeemcode_removed", "SECRET-77")
        with pytest.raises(NotFound):
            twin.remove_code("SECRET-77")
        with pytest.raises(NotFound):
            twin.edit_discount(1, usageLimit=2)
        with pytest.raises(Refused, match="greater than 0"):
            twin.edit_discount(number, usageLimit=0)

    def test_a_slow_clock_of_the_shop_honours_what_has_ended_until_it_is_switched_off(
        self, app: PlayedApp, twin: ShopifyTwin, clock: Clock
    ) -> None:
        number = twin.make_discount("THANKS-10")
        twin.edit_discount(number, endsAt=clock() + timedelta(minutes=5))
        with twin.shop.lock:
            twin.shop.discounts.behind = timedelta(hours=1)
        clock.advance(minutes=30)
        assert code_of(twin, bought(app, code="THANKS-10"))[0] == "THANKS-10"
        held = twin.shop.discounts.get(number)
        assert held is not None
        assert twin.shop.discounts.status(held) == "ACTIVE"
        twin.end_discount(number)
        assert code_of(twin, bought(app, code="THANKS-10"))[0] is None
        assert twin.shop.discounts.status(held) == "EXPIRED"

    def test_behind_a_password_nobody_gets_in(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        url = twin.recovery_url(twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com"))
        heard(app)
        paths = []
        with closing(app.world.browser()) as shopper:
            for is_on in (True, False):
                twin.set_password(is_on)
                addresses = ("https://demo.myshopify.com/", "https://demo.myshopify.com/password", url)
                paths.append([path_of(shopper.open(address).url).rpartition("/")[2] for address in addresses])
        assert paths == [["password", "password", "password"], ["", "", "recover"]]
        assert [(topic, body["password_enabled"]) for topic, body in heard(app)] == [("shop/update", True), ("shop/update", False)]

    def test_a_frozen_shop_answers_402_to_everybody(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.freeze()
        status, body = app.graphql("{ shop { name } }", token=app.token["access_token"])
        assert (status, body) == (402, {"errors": "Unavailable Shop"})
        with closing(app.world.browser()) as shopper:
            assert shopper.open("https://demo.myshopify.com/").status == 402
        twin.unfreeze()
        assert app.graphql("{ shop { name } }", token=app.token["access_token"])[0] == 200
