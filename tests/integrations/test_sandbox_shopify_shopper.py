"""The pretend Shopify's webhooks, shopper's actions and storefront."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.errors import NotFound
from integrations.sandbox.shopify_shop import Address, Shopper
from tests.integrations.sandbox_app import SHOPIFY_HOOKS, START, Clock, PlayedApp, played, recorded, reset_shopify

MARY = Shopper("mary@example.com", "Mary", "Moss", "+12075550100", Address("Mary", "Moss", phone="207 555 0101"))


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
    yield running
    running.world.settle()


def bodies(app: PlayedApp, topic: str) -> list[dict[str, Any]]:
    assert app.world.settle()
    return [one.json for one in app.webhooks(topic)]


def topics(app: PlayedApp) -> list[str]:
    assert app.world.settle()
    return [one.headers["x-shopify-topic"] for one in app.heard if one.path == SHOPIFY_HOOKS]


def test_every_webhook_is_signed_and_carries_shopifys_headers(app: PlayedApp) -> None:
    app.world.shopify.start_checkout([("CEDAR-S", 1)], email="signed@example.com")
    app.world.settle()
    cart, checkout = app.heard
    for one in (cart, checkout):
        digest = base64.b64encode(hmac.new(b"sandbox-client-secret", one.body, hashlib.sha256).digest()).decode()
        assert one.headers["x-shopify-hmac-sha256"] == digest
        assert one.headers["x-shopify-shop-domain"] == "demo.myshopify.com"
        assert one.headers["x-shopify-api-version"] == "2026-10"
        assert one.headers["content-type"] == "application/json"
        assert re.fullmatch(r"2026-11-21T10:15:30\.123456\d{3}Z", one.headers["x-shopify-triggered-at"])
    assert cart.headers["x-shopify-webhook-id"] != checkout.headers["x-shopify-webhook-id"]
    assert cart.headers["x-shopify-event-id"] == checkout.headers["x-shopify-event-id"]


def test_a_new_guest_checkout_has_no_id_customer_or_address(app: PlayedApp) -> None:
    token = app.world.shopify.start_checkout([("CEDAR-S", 2), ("SALT-SOAP", 1)])
    body = bodies(app, "checkouts/create")[0]
    assert (body["token"], body["email"], body["shipping_address"], body["completed_at"]) == (token, None, [], None)
    assert not {"id", "customer", "billing_address"} & set(body)
    assert (body["subtotal_price"], body["total_price"], body["total_tax"]) == ("45.50", "45.50", "0.00")
    assert body["created_at"].endswith("+00:00")
    assert body["updated_at"].endswith("-05:00")
    assert datetime.fromisoformat(body["created_at"]) == datetime.fromisoformat(body["updated_at"])
    assert body["abandoned_checkout_url"] == app.world.shopify.recovery_url(token)
    cart = bodies(app, "carts/create")[0]
    assert (cart["id"], cart["updated_at"]) == (body["cart_token"], "2026-11-21T10:15:30.123Z")
    assert [line["variant_title"] for line in body["line_items"]] == ["Small", ""]


def test_what_the_shopper_does_is_sent_and_what_the_platform_does_only_moves_the_tax(app: PlayedApp, clock: Clock) -> None:
    twin = app.world.shopify
    token = twin.start_checkout([("CEDAR-S", 1)], phone="+12075550111", accepts_marketing=False)
    clock.advance(seconds=20)
    twin.type_email(token, "new@example.com", accepts_marketing=True)
    twin.type_email(token, "newer@example.com")
    twin.type_address(token, Address("Nora", "New"))
    twin.change_quantity(token, "CEDAR-S", 3)
    twin.change_quantity(token, "TOWEL-OAT", 1)
    twin.change_quantity(token, "CEDAR-S", 0)
    clock.advance(minutes=5)
    twin.touch(token)
    updates = bodies(app, "checkouts/update")
    assert [one["email"] for one in updates[:2]] == ["new@example.com", "newer@example.com"]
    assert updates[1]["buyer_accepts_marketing"] is True
    assert updates[2]["shipping_address"]["name"] == "Nora New"
    assert [[line["quantity"] for line in one["line_items"]] for one in updates[3:6]] == [[3], [3, 1], [1]]
    assert len(bodies(app, "carts/update")) == 3
    before, touched = updates[-2:]
    changed = {key for key in before if before[key] != touched[key]}
    assert changed == {"updated_at", "total_tax", "total_price", "tax_lines", "line_items"}
    assert (touched["total_tax"], touched["total_price"]) == ("1.92", "25.92")
    assert touched["phone"] == "+12075550111"


def test_paying_completes_the_checkout_and_makes_a_paid_order(app: PlayedApp) -> None:
    token = app.world.shopify.start_checkout([("CEDAR-L", 1)], email="guest@example.com")
    order_id = app.world.shopify.pay(token)
    assert topics(app) == ["carts/create", "checkouts/create", "customers/create", "checkouts/update", "orders/create", "orders/paid"]
    done, order = bodies(app, "checkouts/update")[0], bodies(app, "orders/paid")[0]
    assert done["completed_at"].endswith("-05:00")
    assert done["customer"]["email"] == "guest@example.com"
    assert done["billing_address"]["last_name"] == "Buyer"
    assert (order["id"], order["checkout_token"], order["cart_token"]) == (order_id, token, done["cart_token"])
    assert (order["financial_status"], order["total_price"], order["test"]) == ("paid", "32.00", False)
    assert app.world.shopify.pay(token) == order_id


def test_a_bank_transfer_is_pending_until_the_money_arrives(app: PlayedApp) -> None:
    twin = app.world.shopify
    order_id = twin.pay_by_bank_transfer(twin.start_checkout([("CEDAR-L", 1)], customer=MARY))
    assert bodies(app, "orders/create")[0]["financial_status"] == "pending"
    assert bodies(app, "orders/paid") == []
    twin.mark_paid(order_id)
    assert bodies(app, "orders/paid")[0]["total_outstanding"] == "0.00"


def test_a_cancelled_order_says_when(app: PlayedApp) -> None:
    twin = app.world.shopify
    paid = twin.pay(twin.start_checkout([("CEDAR-L", 1)]))
    pending = twin.pay_by_bank_transfer(twin.start_checkout([("CEDAR-L", 1)], email="x@example.com"))
    twin.cancel_order(paid)
    twin.cancel_order(pending)
    first, second = bodies(app, "orders/cancelled")
    assert (first["financial_status"], second["financial_status"]) == ("paid", "voided")
    assert first["cancelled_at"] == "2026-11-21T05:15:30-05:00"
    assert "customer" not in first


def test_a_known_customer_is_told_once_and_brings_contact_and_phones(app: PlayedApp) -> None:
    twin = app.world.shopify
    person = Shopper("once@example.com", "Ona", None, None, Address("Ona", None, phone="207 555 0199"))
    twin.start_checkout([("CEDAR-L", 1)], customer=person)
    twin.start_checkout([("CEDAR-L", 1)], customer=person)
    twin.start_checkout([("CEDAR-L", 1)], email="else@example.com", customer=Shopper("ONCE@example.com", "Ona", "Olsen"))
    assert len(bodies(app, "customers/create")) == 1
    first, _, third = bodies(app, "checkouts/create")
    assert (first["email"], first["customer"]["phone"]) == ("once@example.com", None)
    assert first["customer"]["default_address"]["phone"] == "207 555 0199"
    assert third["email"] == "else@example.com"
    assert third["customer"]["last_name"] == "Olsen"
    assert "default_address" not in third["customer"]


def test_consent_and_privacy_topics_name_the_person(app: PlayedApp) -> None:
    twin = app.world.shopify
    twin.pay(twin.start_checkout([("CEDAR-L", 1)], customer=MARY))
    customer = next(one for one in twin.shop.customers.values() if one.shopper == MARY)
    twin.set_email_consent(customer.id, "unsubscribed")
    twin.redact_customer(customer.id)
    twin.redact_shop()
    consent = bodies(app, "customers_email_marketing_consent/update")[0]
    assert (consent["customer_id"], consent["email_marketing_consent"]["state"]) == (customer.id, "unsubscribed")
    redact = bodies(app, "customers/redact")[0]
    assert redact["customer"] == {"id": customer.id, "email": "mary@example.com", "phone": "+12075550100"}
    assert len(redact["orders_to_redact"]) >= 1
    assert bodies(app, "shop/redact")[0]["shop_domain"] == "demo.myshopify.com"


def test_an_uninstall_kills_the_token_and_silences_the_shop(app: PlayedApp) -> None:
    twin = app.world.shopify
    twin.uninstall()
    twin.start_checkout([("CEDAR-L", 1)])
    twin.redact_shop()
    assert topics(app) == ["app/uninstalled", "shop/redact"]
    assert bodies(app, "app/uninstalled")[0]["myshopify_domain"] is None
    assert app.graphql("{ shop { name } }")[0] == 401


def test_a_failed_webhook_returns_eight_times_over_four_hours(app: PlayedApp, clock: Clock) -> None:
    app.statuses[SHOPIFY_HOOKS] = 500
    app.world.shopify.redact_shop()
    waits = []
    for _ in range(9):
        assert app.world.settle()
        due = app.world.next_due()
        if due is not None:
            waits.append((due - START).total_seconds())
            clock.at = due
    assert waits == [10, 30, 120, 600, 1800, 3600, 7200, 14400]
    assert len(app.heard) == 9
    assert len({(one.body, one.headers["x-shopify-webhook-id"]) for one in app.heard}) == 1


def test_the_recovery_page_shows_the_checkout_and_its_button_pays(app: PlayedApp) -> None:
    token = app.world.shopify.start_checkout([("CEDAR-L", 2)], email="back@example.com")
    browser = app.world.browser()
    page = browser.open(app.world.shopify.recovery_url(token) + "&utm_source=x")
    assert "Cedar Candle" in page.text
    assert "64.00 USD" in page.text
    assert browser.open(page.url.partition("/683")[0] + page.images[0]).status == 200
    thanks = browser.click(page, "Pay now")
    assert "Thank you" in thanks.text
    assert bodies(app, "orders/paid")[0]["email"] == "back@example.com"
    assert "Thank you" in browser.open(app.world.shopify.recovery_url(token)).text
    browser.close()


def test_a_wrong_recovery_key_leads_home_and_cannot_pay(app: PlayedApp) -> None:
    token = app.world.shopify.start_checkout([("CEDAR-L", 2)])
    browser = app.world.browser()
    page = browser.open(app.world.shopify.recovery_url(token))
    assert urlsplit(browser.open(page.url.replace("key=", "key=0")).url).path == "/"
    assert browser.submit(page, key="wrong").status == 400
    app.world.shopify.change_quantity(token, "CEDAR-L", 0)
    assert browser.click(page, "Pay now").status == 400
    browser.close()


def test_the_storefront_shows_products_and_their_pictures(app: PlayedApp) -> None:
    browser = app.world.browser()
    home = browser.open("https://demo.myshopify.com/")
    product = browser.click(home, "Linen Towel")
    assert "TOWEL-MOSS" in product.text
    origin = app.world.browser_map["https://demo.myshopify.com"]
    for path, status in (
        (product.images[0], 200),
        ("/cdn/shop/files/none.png", 404),
        ("/products/none", 404),
        ("/1/orders/1/authenticate", 404),
    ):
        assert browser.open(origin + path).status == status
    browser.close()


def test_unknown_things_are_said_to_be_unknown(app: PlayedApp) -> None:
    twin = app.world.shopify
    with pytest.raises(NotFound):
        twin.start_checkout([("NO-SUCH-SKU", 1)])
    with pytest.raises(NotFound):
        twin.pay("no-token")
    with pytest.raises(NotFound):
        twin.cancel_order(1)


def shape(value: object) -> object:
    """Keys and kinds of a body: what must be alike between two of them."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return "list" if isinstance(value, list) else "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else "other"


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("checkouts/create", "webhook.checkouts_update.derived_email_typed.json"),
        ("checkouts/update", "webhook.checkouts_update.derived_completed.json"),
        ("carts/create", "webhook.carts_create.doc.json"),
        ("orders/paid", "webhook.orders_paid.derived_with_code.json"),
    ],
)
def test_bodies_have_the_keys_of_recorded_ones(app: PlayedApp, topic: str, name: str) -> None:
    twin = app.world.shopify
    twin.pay(twin.start_checkout([("CEDAR-L", 2)], email="shape@example.com"))
    ours, theirs = bodies(app, topic)[0], recorded(f"shopify/{name}")
    assert set(ours) <= set(theirs) | {"customer"}
    optional = {"client_details", "confirmation_number", "duties_included", "reference", "merchant_of_record_app_id"}
    missing = {key for key in set(theirs) - set(ours) if not key.endswith("_set") and key not in optional}
    assert missing <= {"landing_site_ref", "merchant_business_entity_id", "po_number", "source_identifier"}
    line, recorded_line = ours["line_items"][0], theirs["line_items"][0]
    assert set(line) == set(recorded_line)
    assert {key: shape(value) for key, value in ours.items() if key.endswith("_price")} == {
        key: shape(value) for key, value in theirs.items() if key.endswith("_price")
    }
