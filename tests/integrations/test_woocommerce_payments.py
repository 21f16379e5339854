"""When an order was paid, what went back of it, and what withdraws its payment."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.canonical import Checkout, Event, Order, PaymentState
from connector.platforms import DeliveryContext, PayloadError
from connector.rules.grants import GrantReason, OrderFacts, taken_back
from integrations.woocommerce.mapping import to_events

PAYLOADS = Path(__file__).parents[1] / "payloads" / "woocommerce"
AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PAID_AT = datetime(2026, 11, 21, 6, 29, 58, tzinfo=UTC)
PAID, CASH = "order_updated__processing_paid", "order_created__processing_cash_on_delivery"
recorded = pytest.mark.skipif("RECORDED_DIR" not in os.environ, reason="RECORDED_DIR is not set")


def events(name: str, **changes: Any) -> list[Event]:
    body = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    return to_events(DeliveryContext("order.updated", AT, "FR"), json.dumps({**body, **changes}).encode())


def order(name: str = PAID, **changes: Any) -> Order:
    (found,) = [one for one in events(name, **changes) if isinstance(one, Order)]
    return found


def facts(found: Order) -> OrderFacts:
    refunded = found.refunded_total or Decimal(0)
    return OrderFacts(found.payment_state, found.paid_at, found.total, refunded, is_cancelled=found.cancelled_at is not None)


def test_it_was_paid_when_the_record_says_so() -> None:
    assert order().paid_at == PAID_AT
    assert order(status="completed").paid_at == PAID_AT


def test_cash_on_delivery_is_paid_for_us_when_it_is_first_seen_as_processing() -> None:
    found = order(CASH)
    assert (found.payment_state, found.paid_at) == (PaymentState.PAID, found.source_version)
    later = order(CASH, status="completed", date_paid_gmt="2026-11-23T10:00:00", date_modified_gmt="2026-11-23T10:00:00")
    assert later.paid_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize("status", ["on-hold", "awaiting-pickup"])
def test_what_waits_for_its_money_is_not_paid(status: str) -> None:
    found = order(status=status, date_paid_gmt=None)
    assert (found.payment_state, found.paid_at) == (PaymentState.PENDING, None)


@pytest.mark.parametrize("status", ["on-hold", "pending", "failed"])
@pytest.mark.parametrize("refunds", [[], [{"id": 1, "total": "-5.00"}]])
def test_a_paid_order_that_waits_for_its_money_again_is_pending(status: str, refunds: list[Any]) -> None:
    found = order(status=status, refunds=refunds)
    assert found.payment_state is PaymentState.PENDING
    assert taken_back(facts(found)) is GrantReason.ORDER_UNPAID
    assert found.paid_at == PAID_AT


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_its_checkout_stays_completed_and_one_made_by_hand_has_none(status: str) -> None:
    checkout, placed = events(PAID, status=status)
    assert isinstance(checkout, Checkout)
    assert isinstance(placed, Order)
    assert (checkout.completed_at, checkout.recovery_url) == (PAID_AT, None)
    (alone,) = events(PAID, status=status, created_via="admin")
    assert isinstance(alone, Order)


@pytest.mark.parametrize("method", ["cod", "bacs", "cheque"])
def test_an_order_bought_offline_and_cancelled_is_a_cancelled_order(method: str) -> None:
    """These never stood at `pending`: they were bought, and have no payment date."""
    checkout, placed = events(CASH, status="cancelled", payment_method=method)
    assert isinstance(checkout, Checkout)
    assert isinstance(placed, Order)
    assert checkout.closed_at == placed.cancelled_at == placed.source_version
    assert taken_back(facts(placed)) is GrantReason.ORDER_CANCELLED


def test_a_payment_that_never_came_makes_no_order() -> None:
    (found,) = events(CASH, status="cancelled", payment_method="stripe")
    assert isinstance(found, Checkout)


def test_a_cancelled_order_that_is_taken_up_again_is_paid_as_before() -> None:
    before, after = order(status="cancelled"), order(date_modified_gmt="2026-11-24T09:00:00")
    assert taken_back(facts(before)) is GrantReason.ORDER_CANCELLED
    assert (after.cancelled_at, after.payment_state, after.paid_at) == (None, PaymentState.PAID, PAID_AT)
    assert taken_back(facts(after)) is None


@pytest.mark.parametrize(
    ("refunds", "total"),
    [
        ([], "0"),
        ([{"id": 1, "total": "-10.80"}], "10.80"),
        ([{"id": 1, "total": "-10.80"}, {"id": 2, "total": "-86.70"}], "97.50"),
        ([{"id": 1, "total": "-0.00"}], "0.00"),
        ([{"id": 1, "total": ""}, {"id": 2, "total": None}, {"id": 3}], "0"),
        ([{"id": 1, "total": -5}], "5"),
        ([{"id": 1, "total": "10.80"}], "10.80"),
    ],
)
def test_what_went_back_is_the_sum_of_its_refunds(refunds: list[Any], total: str) -> None:
    assert order(refunds=refunds).refunded_total == Decimal(total)


def test_without_a_word_of_refunds_nothing_is_told() -> None:
    assert order(refunds=None).refunded_total is None


def test_a_refund_that_is_no_amount_makes_no_sense() -> None:
    with pytest.raises(PayloadError):
        order(refunds=[{"id": 1, "total": "ten"}])


def test_wholly_refunded_is_taken_back_and_a_part_is_not() -> None:
    whole, part = order("order_updated__refunded"), order("order_updated__completed_partial_refund")
    assert (whole.total, whole.refunded_total) == (Decimal("97.50"), Decimal("97.50"))
    assert taken_back(facts(whole)) is GrantReason.ORDER_REFUNDED
    assert (part.payment_state, part.refunded_total) == (PaymentState.PARTIALLY_REFUNDED, Decimal("10.80"))
    assert taken_back(facts(part)) is None


def test_woocommerce_says_nothing_of_disputes() -> None:
    assert order().is_disputed is None


@recorded
@pytest.mark.parametrize(("number", "total"), [("012", "3.00"), ("034", "162.43")])
def test_recorded_refunds_are_read_exactly(number: str, total: str) -> None:
    (path,) = (Path(os.environ["RECORDED_DIR"]) / "woocommerce" / "webhooks").glob(f"{number}-*")
    body = json.loads(path.read_bytes())["request"]["body"]
    (found,) = to_events(DeliveryContext("order.updated", AT, "FR"), body.encode())
    assert isinstance(found, Order)
    assert str(found.refunded_total) == total
    assert found.paid_at is not None
