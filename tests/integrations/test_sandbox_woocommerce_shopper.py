"""The pretend WooCommerce's webhooks, shopper's actions and pages."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest

from connector.errors import NotFound, Refused
from integrations.sandbox.woocommerce_store import Contact
from tests.integrations.sandbox_app import (
    WOOCOMMERCE_HOOKS,
    WOOCOMMERCE_SECRET,
    Clock,
    PlayedApp,
    played,
    reset_woocommerce,
    sent,
    subscribe,
)

LEA = Contact("lea@example.com", "Léa", "Fournier", "06 45 67 89 01", "8 rue du Bac", "Paris", "75007")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("woocommerce"), clock) as app:
        yield app


@pytest.fixture
def app(running: PlayedApp, clock: Clock) -> Iterator[PlayedApp]:
    reset_woocommerce(running, clock)
    yield running
    running.world.settle()


def test_every_delivery_is_signed_and_carries_woocommerces_headers(app: PlayedApp) -> None:
    app.world.woocommerce.open_checkout([("BOUG-LAV", 2)])
    one = sent(app, "order.updated")[0]
    digest = base64.b64encode(hmac.new(WOOCOMMERCE_SECRET.encode(), one.body, hashlib.sha256).digest()).decode()
    assert one.headers["x-wc-webhook-signature"] == digest
    assert one.headers["user-agent"] == "WooCommerce/10.5.0 Hookshot (WordPress/6.9.7)"
    assert (one.headers["x-wc-webhook-source"], one.headers["x-wc-webhook-resource"]) == ("https://boutique.test/", "order")
    assert len(one.headers["x-wc-webhook-delivery-id"]) == 32
    assert b"https:\\/\\/boutique.test" in one.body
    assert b"parfum\\u00e9e" in one.body


def test_a_draft_keeps_its_id_from_the_opened_page_to_the_paid_order(app: PlayedApp, clock: Clock) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("BOUG-LAV", 2)])
    app.world.settle()
    clock.advance(seconds=3)
    shop.type_contact(order_id, "lea@example.com", "06 45 67 89 01", "Léa Fournier", "BE")
    app.world.settle()
    clock.advance(seconds=30)
    shop.change_quantity(order_id, "HUILE-500", 1)
    app.world.settle()
    clock.advance(minutes=2)
    assert shop.place_order(order_id) == "processing"
    opened, typed, changed, placed = [one.json for one in sent(app, "order.updated")]
    created = sent(app, "order.created")[0].json
    assert {one["id"] for one in (opened, typed, changed, placed, created)} == {order_id}
    assert (opened["status"], opened["billing"]["email"], opened["total"], opened["cart_tax"]) == ("checkout-draft", "", "55.68", "8.30")
    assert opened["payment_url"] == shop.payment_url(order_id)
    assert typed["billing"] | {"address_1": ""} == typed["billing"]
    assert (typed["billing"]["last_name"], typed["shipping"]["phone"], typed["billing"]["country"]) == ("Fournier", "06 45 67 89 01", "BE")
    assert [line["name"] for line in changed["line_items"]] == ["Bougie parfumée « Lavande »", "Huile d’olive AOP - 500 ml"]
    assert (changed["line_items"][1]["variation_id"], changed["line_items"][1]["parent_name"]) == (38, "Huile d’olive AOP")
    assert opened["line_items"][0]["id"] != changed["line_items"][0]["id"]
    assert (placed["status"], placed["date_paid_gmt"], placed["date_created_gmt"]) == (
        "processing",
        "2026-11-21T10:18:03",
        "2026-11-21T10:15:30",
    )
    assert placed["date_modified"] == "2026-11-21T11:18:03"
    topics = [one.headers["x-wc-webhook-topic"] for one in app.heard]
    assert topics[-2:] == ["order.updated", "order.created"]


@pytest.mark.parametrize(
    ("method", "status", "needs_payment", "is_paid"),
    [
        ("card", "processing", False, True),
        ("bacs", "on-hold", False, False),
        ("cod", "processing", False, False),
        ("offsite", "pending", True, False),
        ("declined", "failed", True, False),
    ],
)
def test_the_way_of_paying_decides_the_status(app: PlayedApp, method: str, status: str, needs_payment: bool, is_paid: bool) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    shop.type_contact(order_id, "a@example.com")
    assert shop.place_order(order_id, method) == status
    body = sent(app, "order.created")[0].json
    assert (body["status"], body["needs_payment"], body["date_paid"] is not None) == (status, needs_payment, is_paid)


def test_a_declined_order_keeps_its_id_when_paid_again_and_is_not_created_twice(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    shop.type_contact(order_id, "a@example.com")
    shop.place_order(order_id, "declined")
    app.world.settle()
    shop.place_order(order_id, "card")
    assert len(sent(app, "order.created")) == 1
    assert sent(app, "order.updated")[-1].json["status"] == "processing"
    with pytest.raises(Refused):
        shop.place_order(order_id)


def test_an_order_needs_an_address_to_write_to(app: PlayedApp) -> None:
    order_id = app.world.woocommerce.open_checkout([("SAVON-MRS", 1)])
    with pytest.raises(Refused):
        app.world.woocommerce.place_order(order_id)


def test_the_merchant_moves_an_order_on(app: PlayedApp, clock: Clock) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    shop.type_contact(order_id, "a@example.com")
    shop.place_order(order_id, "bacs")
    app.world.settle()
    clock.advance(hours=1)
    for status in ("processing", "completed", "refunded"):
        shop.set_status(order_id, status)
        app.world.settle()
    last = [one.json for one in sent(app, "order.updated")][-3:]
    assert [one["status"] for one in last] == ["processing", "completed", "refunded"]
    assert last[1]["date_paid_gmt"] == last[1]["date_completed_gmt"] == "2026-11-21T11:15:30"


def test_emptying_the_cart_leaves_the_draft_as_it_was(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    app.world.settle()
    shop.change_quantity(order_id, "SAVON-MRS", 0)
    assert len(sent(app, "order.updated")) == 1
    assert len(shop.store.orders[order_id].items) == 1


def test_changes_in_a_burst_are_one_delivery_with_the_latest_state(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    with shop.deliveries.held():
        order_id = shop.open_checkout([("SAVON-MRS", 1)])
        shop.type_contact(order_id, "a@example.com")
        shop.type_contact(order_id, "b@example.com")
    assert [one.json["billing"]["email"] for one in sent(app, "order.updated")] == ["b@example.com"]


def test_old_drafts_vanish_without_a_word(app: PlayedApp, clock: Clock) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    app.world.settle()
    clock.advance(hours=23, minutes=59)
    assert shop.clean_drafts() == 0
    clock.advance(minutes=1)
    assert shop.clean_drafts() == 1
    assert len(sent(app, "order.updated")) == 1
    assert app.rest("GET", f"/wc/v3/orders/{order_id}")[1]["code"] == "woocommerce_rest_shop_order_invalid_id"


def test_an_order_gone_before_delivery_gives_a_signed_error_body(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    with shop.deliveries.held():
        order_id = shop.open_checkout([("SAVON-MRS", 1)])
        del shop.store.orders[order_id]
    assert sent(app, "order.updated")[0].json == {
        "code": "woocommerce_rest_shop_order_invalid_id",
        "message": "Invalid ID.",
        "data": {"status": 404},
    }


def test_the_seventh_failure_in_a_row_disables_a_webhook_and_nothing_is_retried(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    app.statuses[WOOCOMMERCE_HOOKS] = 500
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    app.world.settle()
    for number in range(2, 8):
        hook = next(one for one in shop.store.webhooks.values() if one.topic == "order.updated")
        assert hook.status == "active"
        shop.type_contact(order_id, f"{number}@example.com")
        app.world.settle()
    assert hook.status == "disabled"
    assert len(sent(app, "order.updated")) == 7
    assert app.world.next_due() is None
    shop.type_contact(order_id, "8@example.com")
    assert len(sent(app, "order.updated")) == 7
    app.rest("PUT", f"/wc/v3/webhooks/{hook.id}", {"status": "active"})
    shop.type_contact(order_id, "9@example.com")
    assert len(sent(app, "order.updated")) == 8
    assert hook.status == "disabled"


def test_a_success_resets_the_count_of_failures(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    hook = next(one for one in shop.store.webhooks.values() if one.topic == "order.updated")
    app.statuses[WOOCOMMERCE_HOOKS] = 500
    order_id = shop.open_checkout([("SAVON-MRS", 1)])
    app.world.settle()
    assert hook.failures == 1
    app.statuses[WOOCOMMERCE_HOOKS] = 302
    shop.type_contact(order_id, "a@example.com")
    app.world.settle()
    assert hook.failures == 0


def test_an_unanswered_greeting_is_repeated_after_every_delivery(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    app.statuses["/deaf"] = 404
    hook = subscribe(app, "order.updated", "https://connector.test/deaf")
    absent = subscribe(app, "order.updated", "https://nobody.invalid/x")
    shop.open_checkout([("SAVON-MRS", 1)])
    assert app.world.settle()
    pings = [one for one in app.heard if one.body == f"webhook_id={hook['id']}".encode()]
    assert len(pings) == 2
    assert shop.store.webhooks[absent["id"]].failures == 1


def test_a_checkout_link_rebuilds_the_cart_and_the_order_can_be_placed(app: PlayedApp) -> None:
    browser = app.world.browser()
    page = browser.open("https://boutique.test/checkout-link/?products=16:2,38:1,999:1&coupon=moins5")
    assert 'Coupon "moins5" cannot be applied because it does not exist.' in page.text
    assert "Some products are not available any more" in page.text
    assert "Bougie parfumée « Lavande »" in page.text
    assert "500 ml" in page.text
    refused = browser.submit(page)
    assert (refused.status, "e-mail address" in refused.text) == (400, True)
    thanks = browser.submit(page, email="lea@example.com", name="Léa Fournier")
    assert "Your order has been received" in thanks.text
    created = sent(app, "order.created")[0].json
    assert (created["billing"]["email"], created["status"]) == ("lea@example.com", "processing")
    assert [line["quantity"] for line in created["line_items"]] == [2, 1]
    browser.close()


def test_the_shoppers_own_browser_keeps_the_draft_and_needs_only_the_button(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    shop.type_contact(order_id, "lea@example.com")
    browser = app.world.browser()
    browser.set_cookie("https://boutique.test", *shop.session_cookie(order_id))
    page = browser.open("https://boutique.test/checkout-link/?products=16:3,16")
    assert not [name for name in page.forms[0].fields if name == "email"]
    browser.click(page, "Place order")
    created = sent(app, "order.created")[0].json
    assert (created["id"], created["line_items"][0]["quantity"]) == (order_id, 4)
    again = browser.open("https://boutique.test/checkout/")
    assert "Your cart is empty" in again.text
    assert len(shop.store.orders) == 1
    browser.close()


def test_a_cart_without_anything_sold_says_so(app: PlayedApp) -> None:
    browser = app.world.browser()
    page = browser.open("https://boutique.test/checkout-link/?products=999:1")
    assert "not available any more" in page.text
    stranger = app.world.browser()
    assert "Nothing has been added" in stranger.open("https://boutique.test/checkout/").text
    assert stranger._visit("POST", "https://boutique.test/checkout/", b"").status == 400
    browser.close()
    stranger.close()


def test_a_session_whose_cart_was_emptied_leaves_its_draft_alone(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    _, key = shop.session_cookie(order_id)
    shop.store.sessions[key].cart = {}
    assert len(shop.open_page(key).items) == 1


def test_the_pay_page_takes_the_payment_once(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    order_id = shop.open_checkout([("BOUG-LAV", 1)])
    browser = app.world.browser()
    page = browser.open(shop.payment_url(order_id))
    assert browser.click(page, "Pay for order").status == 400
    shop.type_contact(order_id, "lea@example.com")
    shop.place_order(order_id, "offsite")
    page = browser.open(shop.payment_url(order_id))
    assert "lea@example.com" not in page.text
    assert "received" in browser.click(page, "Pay for order").text
    assert "received" in browser.open(shop.payment_url(order_id)).text
    wrong = shop.payment_url(order_id).replace("key=wc", "key=no")
    assert browser.open(wrong).status == 404
    assert browser._visit("POST", wrong, b"").status == 404
    assert browser.open(wrong.replace("order-pay", "order-received")).status == 404
    assert shop.store.orders[order_id].status == "processing"
    browser.close()


def test_a_customer_opens_a_checkout_with_the_accounts_contact(app: PlayedApp) -> None:
    number = app.world.woocommerce.add_customer(LEA)
    app.world.woocommerce.open_checkout([("HUILE-250", 1)], customer_id=number)
    body = sent(app, "order.updated")[0].json
    assert (body["customer_id"], body["billing"]["email"]) == (number, "lea@example.com")


def test_the_storefront_shows_products_and_their_pictures(app: PlayedApp) -> None:
    browser = app.world.browser()
    home = browser.open("https://boutique.test/")
    assert "HUILE-500" in browser.click(home, "Huile").text
    product = browser.click(home, "Savon de Marseille")
    assert "SAVON-MRS" in product.text
    origin = app.world.browser_map["https://boutique.test"]
    for path, status in ((product.images[0], 200), ("/wp-content/uploads/2026/11/none.png", 404), ("/product/none/", 404)):
        assert browser.open(origin + path).status == status
    browser.close()


def test_unknown_things_are_said_to_be_unknown(app: PlayedApp) -> None:
    shop = app.world.woocommerce
    for attempt in (lambda: shop.open_checkout([("NONE", 1)]), lambda: shop.place_order(1), lambda: shop.session_cookie(1)):
        with pytest.raises(NotFound):
            attempt()
