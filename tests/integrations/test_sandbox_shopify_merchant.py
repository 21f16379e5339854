"""What the pretend Shopify's merchant does, and what the app hears of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector.errors import NotFound, Refused
from integrations.sandbox.shopify_shop import Address, Customer, Shop, Shopper
from integrations.sandbox.shopify_twin import ShopifyTwin
from tests.integrations.sandbox_app import SHOPIFY_HOOKS, Clock, PlayedApp, played, recorded, reset_shopify

MARY = Shopper("mary@example.com", "Mary", "Moss", "+12075550100", Address("Mary", "Moss", phone="207 555 0101"))
NORA = Shopper("nora@example.com", "Nora", "New", "+12075550111", Address("Nora", "New"))


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
        shop.products, shop.withheld, shop.name = fresh.products, set(), fresh.name
    yield running
    running.world.settle()


@pytest.fixture
def twin(app: PlayedApp) -> ShopifyTwin:
    return app.world.shopify


def bodies(app: PlayedApp, topic: str) -> list[dict[str, Any]]:
    assert app.world.settle()
    return [one.json for one in app.webhooks(topic)]


def topics(app: PlayedApp) -> list[str]:
    assert app.world.settle()
    return [one.headers["x-shopify-topic"] for one in app.heard if one.path == SHOPIFY_HOOKS]


def customer(app: PlayedApp, shopper: Shopper) -> Customer:
    """A customer with an order; what that caused is not heard."""
    twin = app.world.shopify
    twin.pay(twin.start_checkout([("CEDAR-S", 1)], customer=shopper))
    assert app.world.settle()
    app.heard.clear()
    return next(one for one in twin.shop.customers.values() if one.shopper == shopper)


class TestProducts:
    """The catalogue changes."""

    def test_a_new_price_is_told_and_open_checkouts_keep_theirs(self, app: PlayedApp, twin: ShopifyTwin, clock: Clock) -> None:
        token = twin.start_checkout([("CEDAR-L", 2)])
        clock.advance(minutes=5)
        twin.set_price("CEDAR-L", "35.00")
        (body,) = bodies(app, "products/update")
        assert [variant["price"] for variant in body["variants"]] == ["18.00", "35.00"]
        assert body["updated_at"] == "2026-11-21T05:20:30-05:00"
        twin.touch(token)
        assert bodies(app, "checkouts/update")[0]["subtotal_price"] == "64.00"

    def test_stock_that_runs_out_and_comes_back_is_told_by_its_own_topics(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.set_stock("SALT-SOAP", 3)
        twin.set_stock("SALT-SOAP", 0)
        twin.set_stock("SALT-SOAP", 5)
        often = ["inventory_levels/update", "products/update"]
        assert topics(app) == [*often, *often, "variants/out_of_stock", *often, "variants/in_stock"]
        variant = twin.shop.find_variant("SALT-SOAP")[1]
        assert bodies(app, "inventory_levels/update")[1] | {"updated_at": None} == {
            "inventory_item_id": variant.inventory_item_id,
            "location_id": 24826418,
            "available": 0,
            "updated_at": None,
            "admin_graphql_api_id": f"gid://shopify/InventoryLevel/24826418?inventory_item_id={variant.inventory_item_id}",
        }
        (out,) = bodies(app, "variants/out_of_stock")
        assert (out["id"], out["product_id"], out["inventory_quantity"]) == (variant.id, 7900000000002, 0)

    def test_a_product_is_renamed_hidden_added_and_deleted(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        number = twin.add_product("Beeswax Balm", "12.00", "BALM")
        twin.edit_product(number, title="Beeswax Lip Balm")
        twin.edit_product(number, is_published=False)
        twin.delete_product(number)
        assert topics(app) == ["products/create", "products/update", "products/update", "products/delete"]
        renamed, hidden = bodies(app, "products/update")
        assert (renamed["title"], renamed["status"]) == ("Beeswax Lip Balm", "active")
        assert (hidden["status"], hidden["published_at"]) == ("draft", None)
        assert bodies(app, "products/delete") == [{"id": number}]

    def test_a_product_has_the_keys_of_a_recorded_one(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.set_price("CEDAR-L", "35.00")
        ours, theirs = bodies(app, "products/update")[0], recorded("shopify/webhook.products_update.doc.json")
        assert set(ours) == set(theirs)
        assert set(ours["variants"][0]) == set(theirs["variants"][0])


class TestPeople:
    """Customers, their consent, their rights."""

    def test_each_channel_names_the_customer_in_its_own_way(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        mary = customer(app, MARY)
        twin.set_email_consent(mary.id, "subscribed")
        twin.set_sms_consent(mary.id, "unsubscribed")
        twin.set_whatsapp_consent(mary.id, "subscribed")
        (email,) = bodies(app, "customers_email_marketing_consent/update")
        (sms,) = bodies(app, "customers_marketing_consent/update")
        (whatsapp,) = bodies(app, "customers_whats_app_marketing_consent/update")
        assert (email["customer_id"], email["email_address"], email["email_marketing_consent"]["state"]) == (
            mary.id,
            MARY.email,
            "subscribed",
        )
        assert (sms["id"], sms["phone"], sms["sms_marketing_consent"]["state"]) == (mary.id, MARY.phone, "unsubscribed")
        assert (whatsapp["customer_id"], whatsapp["whats_app_marketing_consent"]["state"]) == (mary.id, "SUBSCRIBED")
        kept = twin.shop.customers[mary.id]
        assert [one.state for one in (kept.email_marketing, kept.sms_marketing, kept.whatsapp_marketing) if one] == [
            "subscribed",
            "unsubscribed",
            "subscribed",
        ]

    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            ("customers_email_marketing_consent/update", "customers_email_marketing_consent_update"),
            ("customers_marketing_consent/update", "customers_marketing_consent_update"),
            ("inventory_levels/update", "inventory_levels_update"),
            ("app/scopes_update", "app_scopes_update"),
            ("checkouts/delete", "checkouts_delete"),
            ("customers/data_request", "customers_data_request"),
            ("discounts/create", "discounts_create"),
        ],
    )
    def test_bodies_have_the_keys_of_recorded_ones(self, app: PlayedApp, twin: ShopifyTwin, topic: str, name: str) -> None:
        mary = customer(app, MARY)
        twin.set_email_consent(mary.id, "subscribed")
        twin.set_sms_consent(mary.id, "subscribed")
        twin.set_stock("CEDAR-S", 4)
        twin.change_scopes(("read_orders",))
        twin.delete_checkout(twin.start_checkout([("CEDAR-S", 1)]))
        twin.request_data(mary.id)
        twin.delete_discount(twin.make_discount("KEYS-1"))
        ours, theirs = bodies(app, topic)[0], recorded(f"shopify/webhook.{name}.doc.json")
        assert set(ours) == set(theirs)
        for key, value in theirs.items():
            if isinstance(value, dict):
                assert set(ours[key]) == set(value)

    def test_of_two_customers_one_stays_with_all_their_orders(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        mary, nora = customer(app, MARY), customer(app, NORA)
        twin.merge_customers(mary.id, nora.id)
        assert topics(app) == ["customers/merge", "customers/update", "customers/delete"]
        (merge,) = bodies(app, "customers/merge")
        assert merge["admin_graphql_api_customer_kept_id"] == f"gid://shopify/Customer/{mary.id}"
        assert merge["admin_graphql_api_customer_deleted_id"] == f"gid://shopify/Customer/{nora.id}"
        assert (merge["status"], merge["errors"]) == ("completed", [])
        assert nora.id not in twin.shop.customers
        assert {order.checkout.customer.id for order in twin.shop.orders.values() if order.checkout.customer} >= {mary.id}
        assert not [order for order in twin.shop.orders.values() if order.checkout.customer is nora]
        with pytest.raises(NotFound):
            twin.merge_customers(mary.id, nora.id)

    def test_a_customer_is_changed_and_deleted_and_asks_what_is_known(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        mary = customer(app, MARY)
        number = twin.request_data(mary.id)
        twin.edit_customer(mary.id, NORA)
        twin.delete_customer(mary.id)
        (request,) = bodies(app, "customers/data_request")
        assert request["data_request"] == {"id": number}
        assert request["customer"]["email"] == MARY.email
        assert request["orders_requested"]
        assert bodies(app, "customers/update")[0]["email"] == NORA.email
        assert bodies(app, "customers/delete")[0]["id"] == mary.id


class TestTheRest:
    """Orders, checkouts, permissions, the shop itself."""

    def test_a_test_order_says_so_and_one_taken_out_of_the_books_is_gone(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        order = twin.pay_test(twin.start_checkout([("CEDAR-S", 1)], email="test@example.com"))
        twin.delete_order(order)
        assert bodies(app, "orders/paid")[0]["test"] is True
        assert bodies(app, "orders/delete") == [{"id": order}]
        with pytest.raises(NotFound):
            twin.delete_order(order)

    def test_a_deleted_checkout_names_only_its_cart(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        token = twin.start_checkout([("CEDAR-S", 1)])
        twin.delete_checkout(token)
        (gone,) = bodies(app, "checkouts/delete")
        assert gone["cart_token"] == bodies(app, "carts/create")[0]["token"]
        assert "token" not in gone

    def test_permissions_change_for_tokens_that_live(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.change_scopes(("read_orders",))
        (body,) = bodies(app, "app/scopes_update")
        assert (body["previous"], body["current"]) == (["read_orders", "read_products"], ["read_orders"])
        assert twin.tokens.scopes_of(app.token["access_token"]) == ("read_orders",)

    def test_the_shop_tells_its_new_name(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.update_shop(name="Harbour & Oak", email="new@harbour.example", timezone="America/Chicago")
        (body,) = bodies(app, "shop/update")
        assert (body["name"], body["customer_email"], body["iana_timezone"]) == (
            "Harbour & Oak",
            "new@harbour.example",
            "America/Chicago",
        )
        twin.update_shop(timezone="America/New_York")

    def test_discounts_made_by_hand_are_told_without_their_code(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        number = twin.make_discount("BY-HAND", 15)
        with pytest.raises(Refused):
            twin.make_discount("by-hand")
        assert twin.use_code("by-hand")
        twin.delete_discount(number)
        assert not twin.use_code("by-hand")
        assert topics(app) == ["discounts/create", "discounts/delete"]
        assert "by-hand" not in str(bodies(app, "discounts/delete")).lower()

    def test_any_webhook_can_be_sent(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.send("products/delete", {"id": 7})
        assert bodies(app, "products/delete") == [{"id": 7}]


class TestWithheld:
    """Groups of personal data that the app was not approved for."""

    def test_single_values_are_null_and_whole_records_left_out(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        twin.shop.withheld = {"customer", "name", "email", "phone", "address"}
        twin.pay(twin.start_checkout([("CEDAR-S", 1)], email="mary@example.com", phone="+12075550100", customer=MARY))
        order, checkout = bodies(app, "orders/paid")[0], bodies(app, "checkouts/create")[0]
        for body in (order, checkout):
            assert not {"customer", "shipping_address", "billing_address"} & set(body)
            assert (body["email"], body["phone"]) == (None, None)
            assert body["name"].startswith("#")
            assert "Mary" not in str(body)
        assert order["line_items"][0]["name"] == "Cedar Candle - Small"

    @pytest.mark.parametrize(
        ("group", "hidden", "shown"),
        [
            ("name", ["Mary", "Moss"], ["mary@example.com", "+12075550100", "12 Mill Street"]),
            ("email", ["mary@example.com"], ["Mary", "+12075550100"]),
            ("phone", ["+12075550100", "207 555 0101"], ["Mary", "mary@example.com"]),
            ("address", ["12 Mill Street", "207 555 0101"], ["Mary", "+12075550100"]),
        ],
    )
    def test_each_group_by_itself(self, app: PlayedApp, twin: ShopifyTwin, group: str, hidden: list[str], shown: list[str]) -> None:
        twin.shop.withheld = {group}
        twin.start_checkout([("CEDAR-S", 1)], customer=MARY)
        text = str(bodies(app, "checkouts/create")[0])
        assert not [word for word in hidden if word in text]
        assert not [word for word in shown if word not in text]

    def test_privacy_requests_always_name_the_person(self, app: PlayedApp, twin: ShopifyTwin) -> None:
        mary = customer(app, MARY)
        twin.shop.withheld = {"customer", "name", "email", "phone", "address"}
        twin.redact_customer(mary.id)
        assert bodies(app, "customers/redact")[0]["customer"]["email"] == MARY.email
        twin.update_shop(name="X")
        assert bodies(app, "shop/update")[0]["email"] == "owner@harbour-and-pine.example"
