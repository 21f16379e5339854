"""What the topics beside checkouts, orders and customers mean."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.canonical import (
    Channel,
    Consent,
    ConsentChanged,
    ConsentState,
    CustomerMerged,
    Removed,
    Resource,
    ScopesChanged,
    Stale,
    StockMoved,
)
from connector.platforms import DeliveryContext
from integrations.shopify.consents import consent_state
from integrations.shopify.events import COMPLIANCE_TOPICS, TOPICS, parse
from tests.integrations.shopify_bodies import AT, body_of, read, reason

EMAIL_TOPIC = "customers_email_marketing_consent/update"
SMS_TOPIC = "customers_marketing_consent/update"
WHATSAPP_TOPIC = "customers_whats_app_marketing_consent/update"
ANNA = "7340912558311"
DISCOUNT = "1498765432101"


def of_email(**changes: Any) -> dict[str, Any]:
    """An e-mail consent with other words."""
    body = body_of("customers_email_marketing_consent_update__subscribed")
    body["email_marketing_consent"] |= changes
    return body


class TestConsents:
    def test_of_an_email_address(self) -> None:
        since = datetime(2026, 11, 20, 17, 2, 11, tzinfo=UTC)
        assert read(EMAIL_TOPIC, of_email()) == [
            ConsentChanged("anna.petit@example.org", Consent(Channel.EMAIL, ConsentState.SUBSCRIBED, since, "platform"), ANNA)
        ]

    def test_of_a_number_for_sms_where_the_customer_is_called_id(self) -> None:
        (found,) = read(SMS_TOPIC, body_of("customers_marketing_consent_update__sms_subscribed"))
        assert isinstance(found, ConsentChanged)
        assert (found.address, found.customer_id, found.consent.channel) == ("+33645678901", ANNA, Channel.SMS)

    def test_of_a_number_for_whatsapp_in_national_form_and_upper_case(self) -> None:
        since = datetime(2026, 11, 20, 17, 2, 11, 250_000, tzinfo=UTC)
        assert read(WHATSAPP_TOPIC, body_of("customers_whats_app_marketing_consent_update__pending")) == [
            ConsentChanged("+33645678901", Consent(Channel.WHATSAPP, ConsentState.PENDING, since, "platform"), ANNA)
        ]

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("subscribed", ConsentState.SUBSCRIBED),
            ("SUBSCRIBED", ConsentState.SUBSCRIBED),
            (" Pending ", ConsentState.PENDING),
            ("Unsubscribed", ConsentState.UNSUBSCRIBED),
            ("redacted", ConsentState.UNSUBSCRIBED),
            ("NOT_SUBSCRIBED", ConsentState.UNKNOWN),
            ("never_subscribed", ConsentState.UNKNOWN),
            ("invalid", ConsentState.UNKNOWN),
            ("a word of tomorrow", ConsentState.UNKNOWN),
            ("", ConsentState.UNKNOWN),
            (None, ConsentState.UNKNOWN),
        ],
    )
    def test_only_a_word_against_it_unsubscribes(self, word: str | None, state: ConsentState) -> None:
        assert consent_state(word) is state

    @pytest.mark.parametrize(
        "body",
        [
            of_email(state=None),
            of_email(state=" "),
            of_email() | {"email_marketing_consent": None},
            of_email() | {"email_address": None},
            of_email() | {"email_address": "anna@exam"},
        ],
    )
    def test_without_a_state_or_an_address_the_customer_is_read_again(self, body: dict[str, Any]) -> None:
        assert read(EMAIL_TOPIC, body) == [Stale(Resource.CUSTOMER, ANNA, AT)]

    def test_a_number_that_cannot_be_read_is_no_address(self) -> None:
        body = body_of("customers_marketing_consent_update__sms_subscribed") | {"phone": "555-BILL"}
        assert read(SMS_TOPIC, body) == [Stale(Resource.CUSTOMER, ANNA, AT)]

    def test_without_a_time_it_holds_from_when_it_was_told(self) -> None:
        (found,) = read(EMAIL_TOPIC, of_email(consent_updated_at=None))
        assert isinstance(found, ConsentChanged)
        assert found.consent.at == AT

    def test_an_address_without_a_customer_is_enough_and_neither_is_nothing(self) -> None:
        (found,) = read(EMAIL_TOPIC, of_email() | {"customer_id": None})
        assert isinstance(found, ConsentChanged)
        assert found.customer_id is None
        assert reason(EMAIL_TOPIC, of_email() | {"customer_id": None, "email_address": None}) == "missing_id"


class TestMerges:
    MERGE = body_of("customers_merge__completed")

    def test_a_completed_merge_names_both(self) -> None:
        assert read("customers/merge", self.MERGE) == [CustomerMerged(AT, ANNA, "7340912558999")]

    @pytest.mark.parametrize("status", ["failed", "in_progress", "requested", "FAILED"])
    def test_one_that_failed_or_is_not_done_means_nothing(self, status: str) -> None:
        assert read("customers/merge", self.MERGE | {"status": status}) == []

    @pytest.mark.parametrize("status", [None, "done"])
    def test_a_word_that_we_do_not_know_makes_both_be_read_again(self, status: str | None) -> None:
        both = [Stale(Resource.CUSTOMER, one, AT) for one in (ANNA, "7340912558999")]
        assert read("customers/merge", self.MERGE | {"status": status}) == both

    @pytest.mark.parametrize("gid", ["gid://shopify/Order/1", f"gid://shopify/Customer/{ANNA}"])
    def test_what_are_not_two_customers_is_refused(self, gid: str) -> None:
        assert reason("customers/merge", self.MERGE | {"admin_graphql_api_customer_deleted_id": gid}) == "wrong_topic"

    @pytest.mark.parametrize("gid", [None, "", "7340912558999", "gid://shopify/Customer/", "gid://shopify/Customer/1x"])
    def test_without_two_ids_it_says_nothing(self, gid: str | None) -> None:
        assert reason("customers/merge", self.MERGE | {"admin_graphql_api_customer_kept_id": gid}) == "missing_id"


class TestProducts:
    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            ("products/create", "products_create__one_variant"),
            ("products/update", "products_update__without_creation_time"),
            ("variants/in_stock", "variants_in_stock__back"),
            ("variants/out_of_stock", "variants_out_of_stock__gone"),
        ],
    )
    def test_a_change_has_the_product_read_again(self, topic: str, name: str) -> None:
        assert read(topic, body_of(name)) == [Stale(Resource.PRODUCT, "8122334455661", AT)]

    def test_a_deleted_one_is_gone(self) -> None:
        assert read("products/delete", body_of("products_delete__id_only")) == [Removed(Resource.PRODUCT, AT, "8122334455661")]

    def test_stock_names_only_what_it_is_counted_under(self) -> None:
        assert read("inventory_levels/update", body_of("inventory_levels_update__sold")) == [StockMoved("46211903325001", AT)]
        assert reason("inventory_levels/update", {}) == "missing_id"


class TestDiscounts:
    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            ("discounts/create", "discounts_create__code"),
            ("discounts/update", "discounts_update__expired"),
            ("discounts/redeemcode_added", "discounts_redeemcode_added__one"),
            ("discounts/redeemcode_removed", "discounts_redeemcode_removed__one"),
        ],
    )
    def test_a_change_has_the_discount_looked_up(self, topic: str, name: str) -> None:
        assert read(topic, body_of(name)) == [Stale(Resource.DISCOUNT_CODE, DISCOUNT, AT)]

    def test_a_deleted_one_is_gone_with_its_codes(self) -> None:
        assert read("discounts/delete", body_of("discounts_delete__code")) == [Removed(Resource.DISCOUNT_CODE, AT, DISCOUNT)]

    @pytest.mark.parametrize("name", ["discounts_create__code", "discounts_update__expired", "discounts_delete__code"])
    def test_an_automatic_one_has_no_code_and_means_nothing(self, name: str) -> None:
        body = body_of(name) | {"admin_graphql_api_id": "gid://shopify/DiscountAutomaticNode/1"}
        assert read(name.split("__")[0].replace("_", "/", 1), body) == []

    @pytest.mark.parametrize("gid", [None, "", "1498765432101"])
    def test_without_its_id_it_says_nothing(self, gid: str | None) -> None:
        assert reason("discounts/create", body_of("discounts_create__code") | {"admin_graphql_api_id": gid}) == "missing_id"

    def test_one_whose_kind_is_not_told_is_looked_up(self) -> None:
        body = body_of("discounts_create__code") | {"admin_graphql_api_id": "gid://shopify/DiscountNode/5"}
        assert read("discounts/create", body) == [Stale(Resource.DISCOUNT_CODE, "5", AT)]


class TestTheShop:
    SCOPES = body_of("app_scopes_update__one_taken_away")

    def changed(self, wanted: list[str]) -> ScopesChanged:
        """What our body says to an app that wants these scopes."""
        (found,) = parse(DeliveryContext("app/scopes_update", AT), json.dumps(self.SCOPES).encode(), wanted)
        assert isinstance(found, ScopesChanged)
        return found

    def test_scopes_are_compared_with_all_that_they_imply(self) -> None:
        found = self.changed(["read_customers", "read_discounts", "write_discounts", "read_orders"])
        assert found == ScopesChanged(("read_discounts", "read_orders", "read_products", "write_discounts"), ("read_customers",), AT)

    def test_a_wanted_scope_to_write_is_one_missing_scope(self) -> None:
        assert self.changed(["write_orders"]).missing == ("write_orders",)
        assert self.changed(["write_customers"]).missing == ("write_customers",)

    def test_a_shop_that_changed_is_read_again(self) -> None:
        assert read("shop/update", body_of("shop_update__renamed")) == [Stale(Resource.SHOP, "shop", AT)]


class TestReplayUnderAnotherTopic:
    """Only the body is signed, so a captured body must not work under another topic."""

    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            (EMAIL_TOPIC, "customers_marketing_consent_update__sms_subscribed"),
            (SMS_TOPIC, "customers_email_marketing_consent_update__subscribed"),
            (WHATSAPP_TOPIC, "customers_marketing_consent_update__sms_subscribed"),
            (EMAIL_TOPIC, "customers_create__phone_on_record"),
            (SMS_TOPIC, "customers_create__phone_on_record"),
            ("products/update", "variants_in_stock__back"),
            ("products/update", "products_delete__id_only"),
            ("products/update", "customers_create__phone_on_record"),
            ("products/delete", "products_create__one_variant"),
            ("products/delete", "products_update__without_creation_time"),
            ("products/delete", "customers_delete__id_only"),
            ("variants/in_stock", "products_create__one_variant"),
            ("discounts/update", "discounts_delete__code"),
            ("discounts/update", "discounts_redeemcode_removed__one"),
            ("discounts/delete", "discounts_update__expired"),
            ("discounts/redeemcode_removed", "discounts_update__expired"),
            ("discounts/update", "customers_create__phone_on_record"),
            ("app/scopes_update", "shop_update__renamed"),
            ("shop/update", "app_scopes_update__one_taken_away"),
        ],
    )
    def test_it_is_refused(self, topic: str, name: str) -> None:
        assert reason(topic, body_of(name)) == "wrong_topic"


def test_every_topic_is_told_apart_from_the_three_of_the_law() -> None:
    assert len(TOPICS - COMPLIANCE_TOPICS) == 33
    assert "bulk_operations/finish" not in TOPICS
