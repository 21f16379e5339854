"""What Shopify's customers, carts, orders and removals mean."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connector.canonical import Checkout, Customer, LineItem, Order, PaymentState, Phone, Removed, Resource, Stage, Uninstalled
from tests.integrations.shopify_bodies import ANNA, AT, body_of, customer, order, read, reason


class TestCustomers:
    def test_a_checkouts_customer_is_its_own_record_too(self) -> None:
        _, found = read("checkouts/update", body_of(ANNA))
        assert isinstance(found, Customer)
        assert (found.platform_id, found.email, found.company) == ("7340000000011", "anna.petit@example.org", "Petit & Filles")
        assert found.source_version == datetime(2026, 11, 20, 16, 43, 1, tzinfo=UTC)
        assert found.phone == Phone("06 45 67 89 01", "+33645678901")

    @pytest.mark.parametrize("missing", ["id", "updated_at"])
    def test_a_customer_without_id_or_version_is_no_record(self, missing: str) -> None:
        body = body_of(ANNA)
        body["customer"][missing] = None
        assert len(read("checkouts/update", body)) == 1

    def test_an_empty_list_is_no_customer(self) -> None:
        assert len(read("checkouts/update", body_of(ANNA) | {"customer": []})) == 1

    def test_an_orders_customer_is_its_own_record_too(self) -> None:
        assert [type(event) for event in read("orders/create", body_of("orders_create__pending_bank_deposit"))] == [Order, Customer]

    @pytest.mark.spec("AC-51", "AC-62")
    def test_phone_sources_of_a_customer(self) -> None:
        record = customer("customers_create__phone_on_record", "customers/create")
        assert record.phone == Phone("+33612345678", "+33612345678")
        assert customer("customers_update__phone_on_default_address").phone == Phone("06 45 67 89 01", "+33645678901")

    def test_a_customer_of_whom_nothing_is_known_is_still_one(self) -> None:
        found = customer("customers_update__phone_only_on_another_address")
        assert (found.platform_id, found.email, found.first_name, found.created_at, found.country) == (
            "7340000000055",
            None,
            None,
            None,
            "US",
        )


class TestCarts:
    def test_a_cart_is_a_checkout_before_any_contact(self) -> None:
        (found,) = read("carts/create", body_of("carts_create__two_lines"))
        assert isinstance(found, Checkout)
        assert found.stage is Stage.CART
        assert found.platform_id == found.cart_token == "c1-4b7d2f90ae6c41b3857de0192f6a3c58"
        assert (found.token, found.email, found.total, found.currency) == (None, None, Decimal("73.50"), "EUR")
        assert [(line.key, line.sku) for line in found.lines] == [
            ("47110000000101:6c1f0e", "BOUG-CED-G"),
            ("47110000000202:9ad3b2", None),
        ]

    def test_cart_amounts_are_what_the_buyer_sees(self) -> None:
        (found,) = read("carts/update", body_of("carts_update__buyer_currency"))
        assert isinstance(found, Checkout)
        assert (found.currency, found.lines[0].unit_price, found.lines[0].total) == ("CHF", Decimal("23.0"), Decimal("69.0"))

    def test_an_emptied_cart_is_worth_nothing_in_no_currency(self) -> None:
        for lines in ([], None):
            (found,) = read("carts/update", body_of("carts_update__emptied") | {"line_items": lines})
            assert isinstance(found, Checkout)
            assert (found.total, found.currency, found.lines) == (Decimal(0), "XXX", ())

    def test_without_presentment_amounts_the_shops_count(self) -> None:
        body = body_of("carts_update__buyer_currency")
        body["line_items"][0]["price_set"].pop("presentment_money")
        body["line_items"][0]["line_price_set"] = None
        (found,) = read("carts/update", body)
        assert isinstance(found, Checkout)
        assert (found.currency, found.total) == ("EUR", Decimal("65.70"))

    def test_id_stands_in_for_the_token(self) -> None:
        (found,) = read("carts/update", body_of("carts_update__emptied") | {"token": None, "created_at": None})
        assert isinstance(found, Checkout)
        assert found.cart_token == "c1-4b7d2f90ae6c41b3857de0192f6a3c58"

    def test_carts_that_make_no_sense_are_refused(self) -> None:
        name = "carts_create__two_lines"
        body = body_of(name)
        assert reason("carts/update", body | {"token": None, "id": None}) == "missing_token"
        assert reason("carts/update", body | {"abandoned_checkout_url": "https://x.example/"}) == "wrong_topic"
        mixed = body_of(name)
        mixed["line_items"][0]["price_set"]["presentment_money"]["currency_code"] = "CHF"
        assert reason("carts/update", mixed) == "bad_currency"
        mixed["line_items"][0]["line_price_set"]["presentment_money"]["currency_code"] = "CHF"
        assert reason("carts/update", mixed) == "bad_currency"
        mixed["line_items"][0]["price_set"] = None
        assert reason("carts/update", mixed) == "missing_currency"


class TestOrders:
    def test_an_order_names_the_checkout_and_cart_it_came_from(self) -> None:
        found = order()
        assert (found.checkout_token, found.cart_token) == ("9f2c61d07be34d5a8c1e0f73b6a4d219", "c1-4b7d2f90ae6c41b3857de0192f6a3c58")
        assert (found.platform_id, found.number, found.discount_codes) == ("6210000000001", "#1042", ("MERCI-7Q2K",))
        assert (found.customer_id, found.email, found.language) == ("7340000000011", "anna.petit@example.org", "fr-FR")
        assert found.phone == Phone("06 45 67 89 01", "+33645678901")

    def test_an_order_is_placed_when_processed_else_when_created(self) -> None:
        assert order().placed_at == datetime(2026, 11, 20, 16, 51, 6, tzinfo=UTC)
        assert order(lambda body: body.update(processed_at=None)).placed_at == datetime(2026, 11, 20, 16, 51, 8, tzinfo=UTC)

    @pytest.mark.parametrize("state", list(PaymentState))
    def test_every_payment_word_is_understood(self, state: PaymentState) -> None:
        found = order(lambda body: body.update(financial_status=state.value))
        assert (found.payment_state, found.platform_status) == (state, state.value)

    @pytest.mark.parametrize("word", [None, "", "something_new"])
    def test_an_unknown_payment_word_is_pending_and_stays_readable(self, word: str | None) -> None:
        found = order(lambda body: body.update(financial_status=word))
        assert (found.payment_state, found.platform_status) == (PaymentState.PENDING, word or None)

    def test_a_cancelled_guest_test_order(self) -> None:
        found = order(name="orders_cancelled__guest_draft_voided")
        assert (found.email, found.phone, found.customer_id, found.first_name, found.country) == (None,) * 5
        assert found.cancelled_at == datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
        assert (found.is_test, found.payment_state, found.checkout_token) == (True, PaymentState.VOIDED, None)
        assert found.lines == (LineItem("15330000000011", "Article sur mesure", 1, Decimal("24.00"), Decimal("24.00")),)

    def test_line_totals_of_orders_are_price_by_quantity(self) -> None:
        assert [(line.quantity, line.total) for line in order().lines] == [(2, Decimal("64.00"))]

    def test_orders_that_make_no_sense_are_refused(self) -> None:
        body = body_of("orders_paid__with_code")
        assert reason("orders/paid", body | {"id": None}) == "missing_id"
        assert reason("orders/paid", body | {"total_price": None}) == "missing_total"
        assert reason("orders/paid", body | {"currency": ""}) == "missing_currency"


class TestRemovals:
    def test_removed_records_are_known_by_id_or_cart_token(self) -> None:
        assert read("orders/delete", body_of("orders_delete__id_only")) == [Removed(Resource.ORDER, AT, platform_id="6210000000002")]
        assert read("customers/delete", body_of("customers_delete__id_only")) == [
            Removed(Resource.CUSTOMER, AT, platform_id="7340000000055")
        ]
        assert read("checkouts/delete", body_of("checkouts_delete__by_cart_token")) == [
            Removed(Resource.CHECKOUT, AT, cart_token="c1-4b7d2f90ae6c41b3857de0192f6a3c58")
        ]

    def test_a_removed_checkout_without_cart_token_cannot_be_found_and_is_ignored(self) -> None:
        assert read("checkouts/delete", {"id": 1, "cart_token": None}) == []

    def test_a_removal_without_id_is_refused(self) -> None:
        assert reason("orders/delete", {"id": None}) == "missing_id"
        assert reason("checkouts/delete", {"id": 1}) == "missing_token"

    def test_an_uninstall_is_the_shop_resource_at_its_time(self) -> None:
        assert read("app/uninstalled", body_of("app_uninstalled__null_domains")) == [Uninstalled(AT)]
