"""The companion plugin's cart snapshots in our words."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.canonical import (
    Channel,
    Checkout,
    Consent,
    ConsentState,
    Event,
    Order,
    Removed,
    Resource,
    Stage,
)
from connector.platforms import DeliveryContext, OtherSite, PayloadError
from integrations.woocommerce import carts
from integrations.woocommerce.mapping import to_events

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
TOKEN = "5f0c9b1e7a2d4c3f8e6b0a9d1c2e3f40"


def body(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return found


def told(name: str, hosts: tuple[str, ...] = (), **changes: Any) -> list[Event]:
    context = DeliveryContext(carts.TOPIC, AT, "FR", shop_hosts=hosts)
    return to_events(context, json.dumps({**body(f"action_wc_connector_cart__{name}"), **changes}).encode())


def cart(name: str, **changes: Any) -> Checkout:
    found = told(name, **changes)[0]
    assert isinstance(found, Checkout)
    return found


def order(name: str, **changes: Any) -> list[Event]:
    context = DeliveryContext("order.updated", AT, "FR")
    return to_events(context, json.dumps({**body(name), **changes}).encode())


def test_an_open_cart_is_a_checkout_by_its_token() -> None:
    found = cart("guest_with_consents")
    assert found.platform_id == found.token == found.cart_token == TOKEN
    assert (found.email, found.stage, found.language) == ("nolwenn.tanguy@courriel.example", Stage.CHECKOUT, "fr-FR")
    assert found.checkout_phone is not None
    assert found.checkout_phone.e164 == "+33645678901"
    assert found.discount_codes == ("vague10",)
    assert found.recovery_url is not None
    assert found.recovery_url.startswith("https://galets.example/?connector_cart=")
    assert (found.completed_at, found.closed_at) == (None, None)


@pytest.mark.spec("C26")
def test_every_line_is_kept_as_the_shopper_sees_it() -> None:
    lines = cart("guest_with_consents").lines
    assert [(line.title, line.variant_title, line.quantity) for line in lines] == [
        ("Galet « Marée basse »", None, 2),
        ("Bol de grès", "Grande, N & T", 1),
    ]
    assert [(line.unit_price, line.total) for line in lines] == [
        (Decimal("24.90"), Decimal("44.82")),
        (Decimal("25.00"), Decimal("22.50")),
    ]
    assert [(line.product_id, line.variant_id, line.sku) for line in lines] == [("210", None, "GAL-MB"), ("214", "216", "BOL-G")]


def test_consents_carry_their_time_and_what_stood_beside_the_box() -> None:
    at = datetime(2026, 11, 20, 8, 2, 29, tzinfo=UTC)
    words = "checkout: Je souhaite recevoir des rappels de mon panier par e-mail."
    assert cart("guest_with_consents").consents == (
        Consent(Channel.EMAIL, ConsentState.SUBSCRIBED, at, words),
        Consent(Channel.SMS, ConsentState.UNSUBSCRIBED, at, "checkout: Par SMS aussi."),
    )


def test_consents_of_channels_and_states_that_we_do_not_know_say_nothing() -> None:
    at = "2026-11-20T08:02:29Z"
    strange = [{"channel": "fax", "state": "subscribed", "at": at}, {"channel": "email", "state": "perhaps", "at": at}]
    assert cart("guest_with_consents", consents=strange).consents == ()
    assert cart("guest_with_consents", consents=None).consents == ()


def test_an_emptied_cart_has_no_lines() -> None:
    assert cart("emptied").lines == ()


@pytest.mark.parametrize("items", [[], body("action_wc_connector_cart__guest_with_consents")["lines"]])
def test_an_emptied_cart_has_no_lines_whatever_stands_in_it(items: list[Any]) -> None:
    assert cart("emptied", lines=items).lines == ()


def test_a_placed_cart_ends_for_its_order_goes_on_and_an_ordered_one_was_bought() -> None:
    placed, ordered = cart("placed_unpaid"), cart("ordered")
    assert (placed.closed_at, placed.completed_at, placed.recovery_url) == (placed.source_version, None, None)
    assert (ordered.closed_at, ordered.completed_at, ordered.recovery_url) == (None, ordered.source_version, None)


@pytest.mark.spec("C48")
def test_a_forgotten_cart_is_removed() -> None:
    at = datetime(2026, 11, 20, 8, 6, 0, 7, tzinfo=UTC)
    assert told("forgotten") == [Removed(Resource.CHECKOUT, at, TOKEN)]


def test_the_number_tells_which_of_two_snapshots_of_a_second_is_newer() -> None:
    first, second = cart("guest_with_consents", seq=11), cart("guest_with_consents", seq=12)
    assert first.source_version < second.source_version < cart("guest_with_consents", updated_at="2026-11-20T08:02:32Z").source_version


def test_loose_values_and_prices_without_tax() -> None:
    found = cart("logged_in_usd_tax_on_top")
    (line,) = found.lines
    assert (found.customer_id, found.stage, found.currency, found.subtotal) == ("77", Stage.CART, "USD", Decimal("10.00"))
    assert (line.title, line.quantity, line.unit_price, line.image_url) == ("Pebble & co", 1, Decimal("10.00"), None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"connector": 2}, "plugin_version"),
        ({"token": TOKEN[:-1]}, "shape"),
        ({"token": TOKEN.upper()}, "shape"),
        ({"status": "sold"}, "shape"),
        ({"updated_at": ""}, "time"),
        ({"created_at": "yesterday"}, "time"),
        ({"currency": ""}, "currency"),
        ({"totals": {"total": "1,5"}}, "money"),
        ({"seq": "7"}, "shape"),
    ],
)
def test_a_snapshot_that_makes_no_sense_says_why(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        told("guest_with_consents", **changes)
    assert caught.value.reason == reason


def test_a_body_that_the_plugin_had_no_part_in_is_kept_apart() -> None:
    with pytest.raises(PayloadError) as caught:
        to_events(DeliveryContext(carts.TOPIC, AT), json.dumps({"action": "wc_connector_cart", "arg": TOKEN}).encode())
    assert caught.value.reason == "plugin_off"


STAMP = {"meta_data": [{"id": 1, "key": "_other", "value": {"a": [1]}}, {"id": 2, "key": "_connector_cart", "value": TOKEN}]}


def test_an_order_names_the_cart_that_it_came_of() -> None:
    (placed,) = order("order_updated__processing_paid", **STAMP)
    assert isinstance(placed, Order)
    assert (placed.cart_token, placed.checkout_token) == (TOKEN, placed.platform_id)
    (waiting,) = order("order_updated__failed_card", **STAMP)
    assert isinstance(waiting, Checkout)
    assert (waiting.cart_token, waiting.token) == (TOKEN, waiting.platform_id)


def test_a_draft_of_a_cart_that_the_plugin_tells_of_is_nothing() -> None:
    at = datetime(2026, 11, 20, 8, 1, 42, tzinfo=UTC)
    assert order("order_updated__draft_contact_typed", **STAMP) == [Removed(Resource.CHECKOUT, at, "4101")]
    (found,) = order("order_updated__draft_contact_typed", meta_data=[{"key": "_connector_cart", "value": "me"}])
    assert isinstance(found, Checkout)


@pytest.mark.parametrize("value", [None, 7, {"token": TOKEN}, [TOKEN], f" {TOKEN}", TOKEN.upper(), ""])
def test_a_stamp_that_names_no_cart_is_none(value: object) -> None:
    (placed,) = order("order_updated__processing_paid", meta_data=[{"key": "_connector_cart", "value": value}])
    assert isinstance(placed, Order)
    assert placed.cart_token is None


def test_what_a_copy_of_the_store_sends_is_refused_with_the_copy_s_name() -> None:
    with pytest.raises(OtherSite) as caught:
        told("guest_with_consents", hosts=("other.example",))
    assert (caught.value.host, caught.value.reason) == ("galets.example", "other_site")
    assert told("guest_with_consents", hosts=("other.example", "galets.example"))
    context = DeliveryContext("order.updated", AT, "FR", shop_hosts=("other.example",))
    raw = (PAYLOADS / "order_updated__processing_paid.json").read_bytes()
    with pytest.raises(OtherSite):
        to_events(context, raw)


def test_a_record_whose_own_address_was_taken_away_is_believed() -> None:
    context = DeliveryContext("order.updated", AT, "FR", shop_hosts=("other.example",))
    for links in (None, {}, {"self": []}, {"self": [{"href": "http://[broken"}]}):
        raw = json.dumps({**body("order_updated__processing_paid"), "_links": links}).encode()
        assert [type(event) for event in to_events(context, raw)] == [Order]


@pytest.mark.parametrize("quantity", ["0", 0, None, "", "-1"])
def test_a_line_of_no_pieces_is_left_out(quantity: object) -> None:
    first, second = body("action_wc_connector_cart__guest_with_consents")["lines"]
    assert [line.product_id for line in cart("guest_with_consents", lines=[{**first, "quantity": quantity}, second]).lines] == ["214"]


def test_lines_that_share_a_key_are_told_apart() -> None:
    first, second = body("action_wc_connector_cart__guest_with_consents")["lines"]
    found = cart("guest_with_consents", lines=[first, {**second, "key": first["key"]}, {**second, "key": ""}]).lines
    assert len({line.key for line in found}) == 3


@pytest.mark.parametrize(
    ("name", "title"),
    [("Bol de grès - Grande, N &amp; T", "Bol de grès"), ("Bol - Grande", "Bol - Grande"), ("Bol de grès", "Bol de grès"), ("", "")],
)
def test_the_values_of_a_variation_stand_once(name: str, title: str) -> None:
    """Seen on a real store: a variation's name ends with its values, and a mail said them twice."""
    bowl = body("action_wc_connector_cart__guest_with_consents")["lines"][1]
    (line,) = cart("guest_with_consents", lines=[{**bowl, "name": name}]).lines
    assert (line.title, line.variant_title) == (title, "Grande, N & T")
