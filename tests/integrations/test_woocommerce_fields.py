"""The fields of WooCommerce's people, carts and products in our words, and the links that take a purchase up again."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.canonical import Checkout, Phone, Product
from connector.platforms import DeliveryContext
from integrations.woocommerce.mapping import to_events, to_product
from integrations.woocommerce.payloads import ProductBody, decode
from integrations.woocommerce.plaintext import plain
from tests.integrations.test_woocommerce_mapping import AT, PAYLOADS, body, checkout, customer, order


def products() -> list[Product]:
    return [to_product(item) for item in decode((PAYLOADS / "rest" / "products.json").read_bytes(), list[ProductBody])]


# ---------------------------------------------------------------- persons


@pytest.mark.spec("AC-47")
def test_the_first_name_is_copied_and_an_empty_one_is_none() -> None:
    assert customer("customer_created__from_checkout").first_name == "Aart"
    assert checkout("order_updated__draft_contact_typed").first_name == "Nolwenn"
    assert customer("customer_updated__no_phone_at_all", billing=None).first_name is None
    assert checkout("order_updated__draft_page_opened").first_name is None


@pytest.mark.spec("AC-48")
def test_the_last_name_is_copied_and_an_empty_one_is_none() -> None:
    assert customer("customer_created__from_checkout").last_name == "de Wit"
    assert customer("customer_updated__no_phone_at_all").last_name == "Le Bris"
    assert checkout("order_updated__draft_contact_typed").last_name == "Tanguy"
    assert checkout("order_updated__draft_page_opened").last_name is None


@pytest.mark.spec("AC-49")
def test_the_email_is_the_accounts_own_in_the_form_in_which_addresses_are_compared() -> None:
    assert customer("customer_created__from_checkout").email == "aart@dewit.example"
    assert customer("customer_updated__no_phone_at_all").email == "gil.lebris@courriel.example"
    assert checkout("order_updated__draft_contact_typed").email == "nolwenn.tanguy@courriel.example"


def test_a_half_typed_email_is_none() -> None:
    assert checkout("order_updated__draft_half_typed_email").email is None


def test_the_company_is_that_of_the_billing_address() -> None:
    assert customer("customer_created__from_checkout").company == "De Wit BV"
    assert checkout("order_updated__draft_contact_typed").company == "Atelier Tanguy"


@pytest.mark.spec("AC-51", "AC-62")
def test_the_phone_is_the_records_else_that_of_the_shipping_address_else_none() -> None:
    assert customer("customer_created__from_checkout").phone == Phone("06 12345678", "+31612345678")
    assert customer("customer_updated__shipping_phone_only").phone == Phone("0470 98 76 54", "+32470987654")
    assert customer("customer_updated__no_phone_at_all").phone is None


@pytest.mark.spec("AC-62")
def test_the_phone_typed_in_a_checkout_is_kept_apart() -> None:
    typed = checkout("order_updated__draft_contact_typed")
    assert (typed.phone, typed.checkout_phone) == (None, Phone("06 12 34 56 78", "+33612345678"))
    shipping_only = checkout("order_updated__draft_logged_in")
    assert (shipping_only.phone, shipping_only.checkout_phone) == (None, Phone("06 12345678", "+31612345678"))
    assert shipping_only.customer_id == "77"


def test_an_account_without_a_country_counts_as_at_home() -> None:
    phone = {"phone": "06 12 34 56 78"}
    assert customer("customer_updated__no_phone_at_all", "FR", billing=phone, shipping=None).phone == Phone(
        "06 12 34 56 78", "+33612345678"
    )
    assert customer("customer_updated__no_phone_at_all", None, billing=phone, shipping=None).phone == Phone("06 12 34 56 78")


def test_an_account_that_never_changed_has_the_version_of_its_beginning() -> None:
    found = customer("customer_created__subscriber")
    assert found.source_version == found.created_at == datetime(2026, 10, 4, 7, 0, tzinfo=UTC)


# ---------------------------------------------------------------- what was in the cart


@pytest.mark.spec("AC-52", "AC-54", "AC-60")
def test_lines_have_the_products_title_its_id_as_text_and_the_whole_quantity() -> None:
    mug, jumper = checkout("order_updated__draft_contact_typed").lines
    assert (mug.title, mug.product_id, mug.variant_id, mug.quantity) == ("Mug « Marée »", "210", None, 2)
    assert (jumper.title, jumper.variant_title, jumper.product_id, jumper.variant_id, jumper.quantity) == (
        "Pull marin",
        "M, Écume",
        "220",
        "223",
        1,
    )
    assert (jumper.sku, jumper.key) == ("PULL-M-EC", "32")


@pytest.mark.spec("AC-55")
def test_the_cart_total_is_the_shops_own_to_the_digit() -> None:
    found = checkout("order_updated__draft_contact_typed")
    assert (str(found.total), found.currency) == ("97.50", "EUR")
    assert (str(checkout("order_created__tax_on_top_usd").total), checkout("order_created__tax_on_top_usd").currency) == ("42.30", "USD")


@pytest.mark.spec("AC-56")
def test_the_shipping_method_is_shown_when_chosen() -> None:
    assert checkout("order_updated__draft_contact_typed").shipping_method == "Point relais"
    assert checkout("order_created__tax_on_top_usd").shipping_method == "Ground & Air"
    assert checkout("order_updated__draft_page_opened", shipping_lines=[]).shipping_method is None
    assert checkout("order_updated__draft_page_opened", shipping_lines=[{"method_title": ""}]).shipping_method is None


@pytest.mark.spec("AC-57")
def test_the_cart_date_is_when_the_checkout_was_opened_in_utc() -> None:
    assert checkout("order_updated__draft_contact_typed").created_at == datetime(2026, 11, 20, 8, 0, 10, tzinfo=UTC)


@pytest.mark.spec("AC-58")
def test_the_unit_price_is_the_one_on_the_shelf() -> None:
    mug, jumper = checkout("order_updated__draft_contact_typed").lines
    assert (str(mug.unit_price), str(mug.total)) == ("12.00", "21.60")
    assert (str(jumper.unit_price), str(jumper.total)) == ("79.90", "71.90")


def test_prices_without_tax_stay_without_tax_and_round_half_up() -> None:
    found = checkout("order_created__tax_on_top_usd")
    assert [str(line.unit_price) for line in found.lines] == ["3.33", "12.25"]
    assert [str(line.total) for line in found.lines] == ["10.00", "24.49"]
    assert (str(found.subtotal), str(found.discount_total), found.taxes_included) == ("34.49", "0.00", False)


def test_unit_prices_round_to_the_decimals_of_their_currency() -> None:
    assert str(order("order_created__yen").lines[0].unit_price) == "1167"
    line = body("order_created__yen")["line_items"][0] | {"subtotal": "10.000", "subtotal_tax": "0", "quantity": 3}
    assert str(order("order_created__yen", currency="KWD", line_items=[line]).lines[0].unit_price) == "3.333"


@pytest.mark.spec("AC-61")
def test_pictures_are_https_and_the_variations_own() -> None:
    _, jumper = checkout("order_updated__draft_contact_typed").lines
    assert jumper.image_url == "https://galets.example/wp-content/uploads/pull-ecume.jpg"
    assert products()[0].image_url == "https://galets.example/wp-content/uploads/mug.jpg"
    assert [line.image_url for line in checkout("order_updated__draft_with_loose_values").lines] == [None] * 4


def test_loose_values_are_read_as_far_as_they_go() -> None:
    found = checkout("order_updated__draft_with_loose_values")
    assert [line.key for line in found.lines] == ["61", "61-1", "line-2", "64"]
    assert [line.quantity for line in found.lines] == [1, 1, 1, 1]
    assert [str(line.unit_price) for line in found.lines] == ["12.00", "6.00", "0", "1.20"]
    assert [line.product_id for line in found.lines] == [None, "512", None, "514"]
    assert found.lines[3].variant_title is None
    assert (found.number, found.customer_id, found.discount_codes, found.taxes_included) == ("4302", None, (), True)
    assert (found.discount_total, found.tax_total, found.shipping_method, found.recovery_url) == (None, None, None, None)
    assert (found.country, found.first_name, found.checkout_phone) == ("BE", "Lou", Phone("0470 12 34 56", "+32470123456"))
    assert found.source_version == found.created_at


def test_an_order_may_lack_everything_that_is_not_needed() -> None:
    bare = {key: body("order_updated__draft_page_opened")[key] for key in ("id", "status", "currency", "total", "date_created_gmt")}
    (found,) = to_events(DeliveryContext("order.updated", AT), json.dumps(bare | {"created_via": "checkout"}).encode())
    assert isinstance(found, Checkout)
    assert (found.lines, found.email, found.country) == ((), None, None)


# ---------------------------------------------------------------- taking up the purchase again


def test_a_draft_is_taken_up_by_a_checkout_link_with_its_lines_and_coupon() -> None:
    url = checkout("order_updated__draft_contact_typed").recovery_url
    assert url == "https://galets.example/checkout-link/?products=210:2,223:1&coupon=vague10"


def test_coupon_codes_are_escaped_and_only_the_first_fits() -> None:
    url = checkout("order_updated__draft_page_opened", coupon_lines=[{"code": ""}, {"code": "été & co"}, {"code": "b"}]).recovery_url
    assert url == "https://galets.example/checkout-link/?products=210:2&coupon=%C3%A9t%C3%A9%20%26%20co"


def test_a_store_in_a_folder_keeps_its_folder() -> None:
    link = {"self": [{"href": ""}, {"href": "https://galets.example/boutique/wp-json/wc/v3/orders/4101"}]}
    url = checkout("order_updated__draft_page_opened", _links=link).recovery_url
    assert url == "https://galets.example/boutique/checkout-link/?products=210:2"


@pytest.mark.parametrize(
    "change",
    [
        {"_links": None},
        {"_links": {"self": None}},
        {"_links": {"self": [{"href": "https://galets.example/orders/1"}]}},
        {"_links": {"self": [{"href": "javascript:alert(1)/wp-json/"}]}},
        {"line_items": []},
        {"line_items": [{"id": 1, "product_id": 0, "quantity": 1}]},
        {"line_items": [{"id": 1, "product_id": 5, "quantity": 0.5}]},
    ],
)
def test_a_draft_whose_store_or_lines_are_unknown_has_no_link(change: dict[str, Any]) -> None:
    assert checkout("order_updated__draft_page_opened", **change).recovery_url is None


def test_an_unpaid_order_is_taken_up_on_its_pay_page() -> None:
    url = "https://galets.example/commande/order-pay/4103/?pay_for_order=true&key=wc_order_fake4103Key"
    assert checkout("order_created__pending_pay_page").recovery_url == url
    assert checkout("order_updated__failed_card").recovery_url == url
    assert checkout("order_updated__failed_card", payment_url="javascript:alert(1)").recovery_url is None


def test_a_draft_of_a_store_without_checkout_links_is_taken_up_on_its_pay_page() -> None:
    url = checkout("order_updated__draft_of_an_older_store").recovery_url
    assert url is not None
    assert "/order-pay/4301/" in url
    newer = checkout("order_updated__draft_of_an_older_store", version="").recovery_url
    assert newer is not None
    assert "/checkout-link/" in newer


# ---------------------------------------------------------------- products


@pytest.mark.spec("AC-53")
def test_the_category_is_the_first_and_all_are_kept() -> None:
    mug, jumper = products()
    assert (mug.category, mug.categories) == ("Arts de la table", ("Arts de la table", "Bols & mugs"))
    assert (jumper.category, jumper.categories) == (None, ())


@pytest.mark.spec("AC-59")
def test_the_description_is_plain_text_cut_at_five_hundred_characters() -> None:
    mug, jumper = products()
    assert mug.description == "Grès émaillé & tourné à la main. 30 cl Lave-vaisselle"
    assert jumper.description is not None
    assert len(jumper.description) <= 500
    assert jumper.description.startswith("Laine douce. Laine douce.")
    assert jumper.description.endswith("…")
    assert (mug.title, mug.url, mug.is_deleted) == ("Mug « Marée »", "https://galets.example/produit/p210/", False)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("3 < 5 &amp; 7 > 2", "3 < 5 & 7 > 2"),
        ("<p>a</p><p>b</p>", "a b"),
        ("un<b>e</b> <em>tasse</em>", "une tasse"),
        ("<!-- x -->", None),
        ("<script>a<b", None),
        ("<STYLE>p{}</style >après", "après"),
        ("<![weird[x]]>ok", "ok"),
        ("a<br", "a"),
        ("nul\x00&#0;", "nul\ufffd"),
        (True, None),
        (7, "7"),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, expected: str | None) -> None:
    assert plain(html) == expected
