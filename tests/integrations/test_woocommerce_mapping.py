"""WooCommerce's orders, customers and products in our words."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.canonical import Checkout, ConsentChanged, Customer, Event, Order, PaymentState, Removed, Resource, Stale
from connector.platforms import DeliveryContext, PayloadError
from integrations.woocommerce.mapping import to_events, to_product
from integrations.woocommerce.payloads import ProductBody
from integrations.woocommerce.payments import payment_state
from integrations.woocommerce.subscriptions import TOPICS

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"
TOPIC_OF = {topic.replace(".", "_"): topic for topic in TOPICS}
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def body(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return found


def events(name: str, country: str | None = "FR", **changes: Any) -> list[Event]:
    topic = TOPIC_OF[name.split("__")[0]]
    return to_events(DeliveryContext(topic, AT, country), json.dumps({**body(name), **changes}).encode())


def checkout(name: str, **changes: Any) -> Checkout:
    (found,) = events(name, **changes)
    assert isinstance(found, Checkout)
    return found


def order(name: str, **changes: Any) -> Order:
    (found,) = events(name, **changes)
    assert isinstance(found, Order)
    return found


def customer(name: str, country: str | None = "FR", **changes: Any) -> Customer:
    (found,) = events(name, country, **changes)
    assert isinstance(found, Customer)
    return found


# ---------------------------------------------------------------- the life of one order id


def test_every_file_maps_to_the_expected_kinds() -> None:
    kinds = {path.stem: [type(event) for event in events(path.stem)] for path in sorted(PAYLOADS.glob("*.json"))}
    placed = {"on_hold", "processing", "completed", "refunded", "custom_status", "made_by_rest", "yen", "after_payment"}
    for name, found in kinds.items():
        if name.startswith("customer_") and "deleted" not in name:
            assert found == [Customer], name
        elif name == "customer_deleted__only_id":
            assert found == [Removed], name
        elif name.startswith("action_wc_"):
            assert found[0] is (Removed if "forgotten" in name else Checkout), name
        elif name.startswith(("order_deleted", "action_", "product_", "coupon_")):
            assert set(found) == {Stale}, name
        elif "trash" in name:
            assert found == [Removed, Removed], name
        elif "pending_again" in name:
            assert found == [Checkout, Order], name
        elif any(word in name for word in placed):
            assert found == [Order], name
        else:
            assert found == [Checkout], name


def test_a_draft_becomes_an_order_that_names_its_checkout() -> None:
    draft, placed = checkout("order_updated__draft_contact_typed"), order("order_updated__on_hold_transfer")
    assert draft.token == draft.platform_id == placed.checkout_token == placed.platform_id == "4101"
    assert placed.source_version > draft.source_version
    assert placed.created_at == draft.created_at


def test_an_open_checkout_is_neither_completed_nor_closed() -> None:
    for name in ("order_updated__draft_page_opened", "order_created__pending_pay_page", "order_updated__failed_card"):
        found = checkout(name)
        assert (found.completed_at, found.closed_at) == (None, None)


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft", "draft", "pending", "failed", "cancelled"])
@pytest.mark.parametrize("via", ["admin", "rest-api", "", None, "subscription", 7])
def test_unplaced_orders_that_no_shopper_made_mean_nothing(status: str, via: object) -> None:
    assert events("order_created__pending_pay_page", status=status, created_via=via) == []


def test_an_order_once_paid_and_set_back_to_pending_is_completed_and_has_no_pay_link() -> None:
    found, _ = events("order_updated__pending_again_after_payment")
    assert isinstance(found, Checkout)
    assert found.completed_at == datetime(2026, 11, 20, 10, 12, tzinfo=UTC)
    assert found.recovery_url is None


def test_a_never_paid_cancelled_order_closes_its_checkout() -> None:
    found = checkout("order_updated__cancelled_unpaid")
    assert found.closed_at == found.source_version == datetime(2026, 11, 20, 11, 5, tzinfo=UTC)
    assert found.recovery_url is None


def test_an_order_cancelled_after_payment_is_a_voided_order() -> None:
    found = order("order_updated__cancelled_after_payment")
    assert (found.payment_state, found.cancelled_at) == (PaymentState.VOIDED, datetime(2026, 11, 24, 7, 0, tzinfo=UTC))


def test_the_bin_takes_order_and_checkout_away() -> None:
    at = datetime(2026, 11, 20, 11, 30, tzinfo=UTC)
    both = [Removed(Resource.ORDER, at, "4103"), Removed(Resource.CHECKOUT, at, "4103")]
    assert events("order_updated__trash") == both


def test_of_what_is_said_to_be_deleted_the_store_is_asked() -> None:
    """`*.deleted` also comes with ids of other kinds (recorded: 046, 062), and says nothing of when."""
    both = [Stale(Resource.ORDER, "4103", AT), Stale(Resource.CHECKOUT, "4103", AT)]
    assert events("order_deleted__only_id") == events("action_woocommerce_delete_order__for_good") == both
    assert events("product_deleted__only_id") == [Stale(Resource.PRODUCT, "210", AT)]
    assert events("coupon_deleted__only_id") == events("action_woocommerce_delete_coupon__for_good")
    assert events("coupon_deleted__only_id") == [Stale(Resource.DISCOUNT_CODE, "158", AT)]


def test_the_removal_of_an_account_counts_from_when_it_was_told() -> None:
    assert events("customer_deleted__only_id") == [Removed(Resource.CUSTOMER, AT, "80")]


@pytest.mark.parametrize("topic", ["tag.created", "action.woocommerce_add_to_cart", "", "orders.updated"])
def test_other_topics_are_left_alone(topic: str) -> None:
    assert to_events(DeliveryContext(topic, AT), b"anything") == []


@pytest.mark.parametrize(
    ("status", "paid", "refunds", "state"),
    [
        ("on-hold", False, False, PaymentState.PENDING),
        ("processing", False, False, PaymentState.PAID),
        ("completed", True, False, PaymentState.PAID),
        ("completed", True, True, PaymentState.PARTIALLY_REFUNDED),
        ("refunded", True, True, PaymentState.REFUNDED),
        ("refunded", True, False, PaymentState.REFUNDED),
        ("cancelled", True, True, PaymentState.VOIDED),
        ("awaiting-pickup", True, False, PaymentState.PAID),
        ("awaiting-pickup", False, False, PaymentState.PENDING),
        ("awaiting-pickup", True, True, PaymentState.PARTIALLY_REFUNDED),
    ],
)
def test_the_payment_state_follows_status_date_and_refunds(status: str, paid: bool, refunds: bool, state: PaymentState) -> None:
    assert payment_state(status, paid, refunds) is state


def test_an_order_paid_offline_is_placed_and_not_a_checkout() -> None:
    assert order("order_updated__on_hold_transfer").payment_state is PaymentState.PENDING
    assert order("order_created__processing_cash_on_delivery").placed_at == datetime(2026, 11, 20, 13, 0, 2, tzinfo=UTC)


def test_an_order_is_placed_when_paid_but_never_before_it_was_made() -> None:
    assert order("order_updated__processing_paid").placed_at == datetime(2026, 11, 21, 6, 29, 58, tzinfo=UTC)
    early = order("order_updated__processing_paid", date_paid_gmt="2026-01-01T00:00:00")
    assert early.placed_at == early.created_at


def test_an_order_carries_what_the_checkout_had() -> None:
    found = order("order_updated__processing_paid")
    assert (found.number, found.platform_status, found.email) == ("4101", "processing", "nolwenn.tanguy@courriel.example")
    assert (found.first_name, found.last_name, found.country) == ("Nolwenn", "Tanguy", "FR")
    assert found.discount_codes == ("vague10",)
    assert found.phone is None
    assert order("order_created__made_by_rest").customer_id == "77"


# ---------------------------------------------------------------- what makes no sense


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": 0}, "id"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": True}, "shape"),
        ({"status": " "}, "shape"),
        ({"total": ""}, "money"),
        ({"total": None}, "money"),
        ({"total": "1,234.50"}, "money"),
        ({"total": "NaN"}, "money"),
        ({"total": "1e5"}, "money"),
        ({"currency": ""}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"date_created_gmt": ""}, "time"),
        ({"date_created_gmt": "2026-13-01T00:00:00"}, "time"),
        ({"date_created_gmt": "20/11/2026"}, "time"),
        ({"date_created_gmt": "0001-01-01T00:00:00+10:00"}, "time"),
        ({"line_items": [{"id": 1, "quantity": 3_000_000_000}]}, "quantity"),
        ({"line_items": {"0": {}}}, "shape"),
        ({"date_created_gmt": None, "date_modified_gmt": None}, "shape"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_payload_error_with_its_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        events("order_updated__draft_contact_typed", **change)
    assert caught.value.reason == reason


def test_a_record_without_any_date_is_a_payload_error() -> None:
    with pytest.raises(PayloadError, match="account"):
        events("customer_created__subscriber", date_created_gmt=None)
    with pytest.raises(PayloadError, match="product"):
        to_product(ProductBody(id=1))


def test_a_time_with_an_offset_is_the_same_instant() -> None:
    found = checkout(
        "order_updated__draft_page_opened", date_created_gmt="2026-11-20T09:00:10+01:00", date_modified_gmt="2026-11-20T08:00:10Z"
    )
    assert found.created_at == found.source_version == datetime(2026, 11, 20, 8, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}', "store_error_body"),
        (b'{"code":"woocommerce_rest_cannot_view","message":"Sorry.","data":{"status":403}}', "store_error_body"),
        (b'{"code":"rest_x","message":"","data":null}', "store_error_body"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b"webhook_id=12", "not_json"),
        (b"\xff", "not_json"),
        (b"<html></html>", "not_json"),
        (b'{"a":' + b"[" * 100_000, "not_json"),
        (b"[]", "shape"),
        (b"{}", "shape"),
    ],
)
def test_a_body_that_is_no_record_says_why(body: bytes, reason: str) -> None:
    for topic in TOPICS:
        with pytest.raises(PayloadError) as caught:
            to_events(DeliveryContext(topic, AT), body)
        assert caught.value.reason == reason


def test_a_text_that_is_no_text_is_no_record() -> None:
    for topic in (topic for topic in TOPICS if not topic.startswith("action.")):
        with pytest.raises(PayloadError, match="not JSON"):
            to_events(DeliveryContext(topic, AT), b'{"id":"\xff"}')


# ---------------------------------------------------------------- anything else


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TOPICS), st.binary(max_size=300))
def test_no_bytes_raise_anything_but_payload_errors(topic: str, body: bytes) -> None:
    try:
        found = to_events(DeliveryContext(topic, AT, "FR"), body)
    except PayloadError:
        return
    assert all(isinstance(event, Checkout | Order | Customer | Removed | Stale | ConsentChanged) for event in found)


@pytest.mark.parametrize(
    "name",
    [
        "order_updated__draft_contact_typed",
        "order_updated__processing_paid",
        *sorted(path.stem for path in PAYLOADS.glob("customer_updated__*.json")),
    ],
)
def test_records_carry_when_their_delivery_was_triggered_if_anybody_tells(name: str) -> None:
    topic, raw = TOPIC_OF[name.split("__")[0]], (PAYLOADS / f"{name}.json").read_bytes()
    silent, told = (to_events(DeliveryContext(topic, AT, "FR", at), raw) for at in (None, AT))

    assert silent == [replace(event, triggered_at=None) for event in told]  # type: ignore[arg-type]
    assert {event.triggered_at for event in told} == {AT}  # type: ignore[union-attr]


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30) | st.just([]) | st.just({})
)
FIELDS = sorted(body("order_updated__draft_contact_typed"))
LINE_FIELDS = sorted(body("order_updated__draft_contact_typed")["line_items"][0])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["order_updated__draft_contact_typed", "order_updated__processing_paid"]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    st.dictionaries(st.sampled_from(LINE_FIELDS), VALUES, max_size=4),
)
def test_no_mixed_up_order_raises_anything_but_payload_errors(name: str, changes: dict[str, Any], in_line: dict[str, Any]) -> None:
    mixed = body(name)
    mixed["line_items"][0].update(in_line)
    mixed.update(changes)
    try:
        found = to_events(DeliveryContext("order.updated", AT, None), json.dumps(mixed).encode())
    except PayloadError:
        return
    assert all(isinstance(event, Checkout | Order | Removed) for event in found)
    amounts = [line.unit_price for event in found if isinstance(event, Checkout | Order) for line in event.lines]
    assert all(isinstance(amount, Decimal) and amount.is_finite() for amount in amounts)
