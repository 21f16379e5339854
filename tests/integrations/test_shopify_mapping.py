"""What a Shopify checkout means, field by field, with its fallbacks and oddities."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connector.canonical import Phone, Stage
from connector.platforms import DeliveryContext
from integrations.shopify.events import parse
from integrations.shopify.lines import LONGEST_REMEMBERED
from tests.integrations.shopify_bodies import ANNA, AT, body_of, checkout, customer, read


class TestCheckoutFields:
    def test_one_delivery_brings_every_mapped_field_at_once(self) -> None:
        found = checkout()
        mapped = (found.first_name, found.last_name, found.email, found.company, found.phone, found.total, found.shipping_method)
        assert all(mapped)
        assert found.created_at == datetime(2026, 11, 20, 16, 41, 7, tzinfo=UTC)
        for line in found.lines:
            assert all((line.title, line.product_id, line.unit_price, line.quantity))

    @pytest.mark.spec("AC-47", "AC-48")
    def test_names_are_the_customers(self) -> None:
        assert (checkout().first_name, checkout().last_name) == ("Anna", "Petit")

    @pytest.mark.spec("AC-47", "AC-48")
    def test_without_a_customer_both_names_come_from_one_address(self) -> None:
        found = checkout(lambda body: body.pop("customer"))
        assert (found.first_name, found.last_name) == ("Léo", "Petit")

    def test_names_of_two_people_are_never_mixed(self) -> None:
        def only_last_name(body: dict[str, Any]) -> None:
            body["customer"] |= {"first_name": " ", "last_name": "Durand"}

        assert (checkout(only_last_name).first_name, checkout(only_last_name).last_name) == (None, "Durand")

    @pytest.mark.spec("AC-47", "AC-48")
    def test_an_empty_name_is_absent_not_blank(self) -> None:
        found = checkout(name="checkouts_create__no_contact")
        assert (found.first_name, found.last_name) == (None, None)

    @pytest.mark.spec("AC-49")
    def test_the_email_is_read_case_insensitively(self) -> None:
        assert checkout(name="checkouts_update__guest_email_typed").email == "anna.petit@example.org"

    @pytest.mark.spec("AC-49")
    def test_the_email_typed_in_the_checkout_wins_over_the_customers(self) -> None:
        assert checkout(lambda body: body.update(email="other@example.org")).email == "other@example.org"
        assert checkout(lambda body: body.update(email=None)).email == "anna.petit@example.org"

    def test_a_half_typed_email_is_none(self) -> None:
        assert checkout(lambda body: body.update(email="anna@exam") or body.pop("customer")).email is None

    def test_the_company_comes_from_the_default_address_only(self) -> None:
        assert checkout().company == "Petit & Filles"

        def elsewhere(body: dict[str, Any]) -> None:
            body["customer"]["default_address"]["company"] = None
            body["shipping_address"]["company"] = "Someone Else SARL"

        assert checkout(elsewhere).company is None

    @pytest.mark.spec("AC-51", "AC-62")
    def test_the_phone_of_the_customer_record_comes_first(self) -> None:
        found = checkout(lambda body: body["customer"].update(phone="+33612345678"))
        assert found.phone == Phone("+33612345678", "+33612345678")

    @pytest.mark.spec("AC-51", "AC-62")
    def test_else_the_phone_of_the_default_address_normalised_by_its_country(self) -> None:
        assert checkout().phone == Phone("06 45 67 89 01", "+33645678901")

    @pytest.mark.spec("AC-62")
    def test_a_phone_on_any_other_address_is_none(self) -> None:
        found = checkout(lambda body: body["customer"]["default_address"].update(phone=None))
        assert found.phone is None
        assert found.checkout_phone == Phone("06 99 88 77 66", "+33699887766")
        assert customer("customers_update__phone_only_on_another_address").phone is None

    @pytest.mark.spec("AC-62")
    def test_the_phone_typed_in_the_checkout_is_kept_apart(self) -> None:
        def typed(body: dict[str, Any]) -> None:
            body["phone"] = "0612345678"
            body.pop("customer")

        found = checkout(typed)
        assert found.phone is None
        assert found.checkout_phone == Phone("0612345678", "+33612345678")

    def test_the_checkout_phone_falls_back_to_shipping_billing_and_sms_phone(self) -> None:
        found = [
            checkout(),
            checkout(lambda body: body["shipping_address"].update(phone=None)),
            checkout(lambda body: body.update(shipping_address=[], billing_address=[], sms_marketing_phone="+33611223344")),
            checkout(lambda body: body.update(shipping_address=[], billing_address=[])),
        ]
        assert [one.checkout_phone and one.checkout_phone.e164 for one in found] == ["+33699887766", "+33240112233", "+33611223344", None]

    def test_the_country_for_phones_is_default_then_shipping_then_shop(self) -> None:
        def typed(default: str | None, shipping: object) -> Callable[[dict[str, Any]], None]:
            def change(body: dict[str, Any]) -> None:
                body["phone"] = "0791234567"
                body["customer"]["default_address"]["country_code"] = default
                body["shipping_address"] = shipping

            return change

        swiss = {"country_code": "ch"}
        e164 = [
            found.checkout_phone.e164 if found.checkout_phone else None
            for found in (
                checkout(typed("CH", [])),
                checkout(typed(None, swiss)),
                checkout(typed("", []), country="CH"),
                checkout(typed("Switzerland", []), country=None),
            )
        ]
        assert e164 == ["+41791234567"] * 3 + [None]

    @pytest.mark.spec("AC-52")
    def test_the_product_title_is_the_name_of_the_line(self) -> None:
        assert [line.title for line in checkout().lines] == ["Bougie Cèdre", "Bougie Cèdre", "Savon au sel"]

    def test_a_line_without_title_takes_what_shoppers_saw(self) -> None:
        def untitled(body: dict[str, Any]) -> None:
            body["line_items"][0] |= {"title": None}
            body["line_items"][1] |= {"title": "", "presentment_title": None, "name": "Bougie - Grande"}
            body["line_items"][2] |= {"title": None, "presentment_title": None}

        assert [line.title for line in checkout(untitled).lines] == ["Bougie Cèdre", "Bougie - Grande", ""]

    @pytest.mark.spec("AC-54")
    def test_product_and_variant_ids_are_kept_as_text_beyond_2_to_the_53(self) -> None:
        def huge(body: dict[str, Any]) -> None:
            body["line_items"][0] |= {"product_id": 788032119674292922, "variant_id": "704912205188288575"}

        line = checkout(huge).lines[0]
        assert (line.product_id, line.variant_id) == ("788032119674292922", "704912205188288575")

    @pytest.mark.spec("AC-55")
    def test_the_total_is_the_shops_digits_and_currency(self) -> None:
        found = checkout(lambda body: body.update(total_price="123456789012.10"))
        assert (str(found.total), found.currency) == ("123456789012.10", "EUR")
        assert str(checkout(lambda body: body.update(total_price=Decimal("0.30"))).total) == "0.30"

    def test_amounts_are_in_the_buyers_currency_if_it_is_named(self) -> None:
        found = checkout(name="checkouts_update__buyer_currency_with_code")
        assert (found.total, found.currency) == (Decimal("62.10"), "CHF")
        assert checkout(lambda body: body.update(presentment_currency=None)).currency == "EUR"
        assert checkout(lambda body: body.update(presentment_currency="usd")).currency == "USD"

    @pytest.mark.spec("AC-56")
    def test_the_shipping_method_is_shown_when_chosen_and_empty_otherwise(self) -> None:
        assert checkout().shipping_method == "Colissimo à domicile"
        assert (
            checkout(lambda body: body.update(shipping_lines=[{"title": None}, {"title": "", "code": "express"}])).shipping_method
            == "express"
        )
        assert checkout(name="checkouts_create__no_contact").shipping_method is None
        assert checkout(lambda body: body.update(shipping_lines=None)).shipping_method is None

    @pytest.mark.spec("AC-57")
    def test_the_cart_date_is_the_shops_creation_time_in_utc(self) -> None:
        found = checkout(lambda body: body.update(created_at="2026-11-20T23:30:00-05:00"))
        assert found.created_at == datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
        assert found.created_at.tzinfo is UTC
        assert found.source_version == datetime(2026, 11, 20, 16, 44, 2, tzinfo=UTC)

    def test_a_checkout_without_creation_time_began_when_it_changed(self) -> None:
        found = checkout(lambda body: body.update(created_at=None))
        assert found.created_at == found.source_version

    @pytest.mark.spec("AC-58", "AC-60")
    def test_prices_and_quantities_are_exact(self) -> None:
        lines = checkout().lines
        assert [(str(line.unit_price), line.quantity, str(line.total)) for line in lines] == [
            ("32.00", 1, "32.00"),
            ("32.00", 1, "32.00"),
            ("9.50", 3, "28.50"),
        ]

    def test_an_amount_may_be_written_with_an_exponent(self) -> None:
        assert checkout(lambda body: body.update(total_price="4E+2")).total == Decimal(400)

    def test_a_line_total_is_price_by_quantity_if_shopify_gives_none(self) -> None:
        found = checkout(lambda body: body["line_items"][2].update(line_price=None, price="0.10", quantity=3))
        assert found.lines[2].total == Decimal("0.30")

    def test_webhooks_carry_no_image_so_the_line_has_none(self) -> None:
        assert {line.image_url for line in checkout().lines} == {None}

    def test_repeated_line_keys_are_told_apart(self) -> None:
        assert [line.key for line in checkout().lines] == ["b7c9f1", "b7c9f1#2", "47110000000202"]

    def test_made_up_keys_never_meet_real_ones(self) -> None:
        def colliding(body: dict[str, Any]) -> None:
            for line, key in zip(body["line_items"], ("k#2", "k", "k"), strict=True):
                line["key"] = key

        assert [line.key for line in checkout(colliding).lines] == ["k#2", "k", "k#3"]

    def test_a_line_without_any_key_is_known_by_its_place(self) -> None:
        assert checkout(lambda body: body["line_items"][2].update(key=None, variant_id=None)).lines[2].key == "3"

    def test_equal_lines_are_one_and_the_same_and_changed_ones_are_read_anew(self) -> None:
        first = checkout()
        again = checkout(lambda body: body["line_items"][2].update(quantity=5))
        assert again.lines[0] is first.lines[0]
        assert (first.lines[2].quantity, again.lines[2].quantity) == (3, 5)

    def test_a_long_line_is_read_like_any_other(self) -> None:
        def lengthen(body: dict[str, Any]) -> None:
            body["line_items"][0]["properties"] = {"engraving": "x" * LONGEST_REMEMBERED}

        first, again = checkout(lengthen), checkout(lengthen)
        assert first == again == checkout()
        assert again.lines[0] is not first.lines[0]

    @pytest.mark.parametrize(
        ("topic", "name"),
        [
            ("checkouts/update", ANNA),
            ("carts/update", "carts_create__two_lines"),
            ("orders/paid", "orders_paid__with_code"),
            ("customers/update", "customers_create__phone_on_record"),
        ],
    )
    def test_records_carry_when_the_platform_triggered_their_delivery(self, topic: str, name: str) -> None:
        raw, triggered_at = json.dumps(body_of(name), default=str).encode(), datetime(2026, 11, 21, 10, 15, 29, 5, tzinfo=UTC)
        silent, told = (parse(DeliveryContext(topic, AT, "FR", at), raw) for at in (None, triggered_at))
        assert silent == [replace(event, triggered_at=None) for event in told]  # type: ignore[arg-type]
        assert {event.triggered_at for event in told} == {triggered_at}  # type: ignore[union-attr]

    def test_codes_are_kept_in_order_and_empty_ones_dropped(self) -> None:
        assert checkout(name="checkouts_update__buyer_currency_with_code").discount_codes == ("HERBST10", "PORTOFREI")
        assert checkout(lambda body: body.update(discount_codes=[{"code": ""}, {}, {"code": "A"}])).discount_codes == ("A",)
        assert checkout(lambda body: body.update(discount_codes=None)).discount_codes == ()

    def test_tokens_number_language_and_country_are_kept(self) -> None:
        found = checkout()
        assert found.platform_id == found.token == "9f2c61d07be34d5a8c1e0f73b6a4d219"
        assert (found.cart_token, found.number) == ("c1-4b7d2f90ae6c41b3857de0192f6a3c58", "#61720000000301")
        assert (found.language, found.country, found.stage, found.customer_id) == ("fr-FR", "FR", Stage.CHECKOUT, "7340000000011")

    def test_completion_is_an_instant(self) -> None:
        found = checkout(name="checkouts_update__completed")
        assert found.completed_at == datetime(2026, 11, 20, 16, 51, 6, tzinfo=UTC)
        assert checkout().completed_at is None
        assert checkout(lambda body: body.update(closed_at="2026-11-20T18:00:00Z")).closed_at == datetime(2026, 11, 20, 18, tzinfo=UTC)

    def test_marketing_flags_only_add(self) -> None:
        assert checkout(name="checkouts_update__guest_email_typed").accepts_email is True
        found = read("checkouts/update", body_of(ANNA))
        assert (found[0].accepts_email, found[1].consents) == (False, ())  # type: ignore[union-attr]

    def test_sms_consent_counts_only_for_the_number_it_was_given_for(self) -> None:
        def sms(phone: str | None, sms_phone: str | None) -> bool:
            def change(body: dict[str, Any]) -> None:
                addresses: dict[str, Any] = {"shipping_address": [], "billing_address": None}
                body.update(phone=phone, sms_marketing_phone=sms_phone, buyer_accepts_sms_marketing=True, **addresses)

            return checkout(change).accepts_sms

        assert sms("06 12 34 56 78", "+33612345678") is True
        assert sms(None, "+33612345678") is True
        assert sms("0612345678", None) is True
        assert sms("0612345678", "+33699887766") is False
        assert sms("not a phone", "not a phone") is True
        assert sms(None, None) is False
        assert checkout().accepts_sms is False

    def test_only_an_https_address_becomes_the_recovery_link(self) -> None:
        assert (checkout().recovery_url or "").startswith("https://atelier-brume.example/71200000001/checkouts/ac/")
        for url in ("javascript:alert(1)", "http://plain.example/x", "", None, "//x"):
            assert checkout(lambda body, url=url: body.update(abandoned_checkout_url=url)).recovery_url is None

    def test_an_unknown_place_stays_unknown(self) -> None:
        assert checkout(name="checkouts_create__no_contact").country is None

    def test_nul_characters_are_dropped(self) -> None:
        assert checkout(lambda body: body["customer"].update(first_name="An\x00na", last_name="\x00")).first_name == "Anna"
