"""When a Shopify order was paid, what of it was given back, and whether its payment is disputed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.canonical import DisputeChanged, Order, PaymentState
from integrations.sandbox.shopify_bodies import order_body
from integrations.shopify.nodes import DisputeNode, TransactionNode
from integrations.shopify.payments import disputed, paid_by_transactions
from tests.integrations.graph_kit import START, GraphShop
from tests.integrations.shopify_bodies import AT, body_of, read, reason

PLACED = datetime(2026, 11, 20, 16, 51, 6, tzinfo=UTC)
CREATED = datetime(2026, 11, 20, 16, 51, 8, tzinfo=UTC)


def order(topic: str = "orders/updated", seconds: float = 2, **changes: Any) -> Order:
    """The order of the recorded shapes, in a version of so many seconds after its creation."""
    body = body_of("orders_paid__with_code") | {"updated_at": (CREATED + timedelta(seconds=seconds)).isoformat()} | changes
    found = read(topic, body)[0]
    assert isinstance(found, Order)
    return found


class TestPaidAt:
    """The moment of the payment, as far as a webhook tells."""

    @pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/paid"])
    @pytest.mark.parametrize("seconds", [0, 300])
    def test_a_young_version_that_is_paid_was_paid_when_it_was_placed(self, topic: str, seconds: int) -> None:
        assert order(topic, seconds).paid_at == PLACED
        assert order(topic, seconds, processed_at=None).paid_at == CREATED

    def test_news_of_a_later_payment_tell_its_moment(self) -> None:
        assert order("orders/paid", 301).paid_at == CREATED + timedelta(seconds=301)

    @pytest.mark.parametrize("topic", ["orders/updated", "orders/cancelled", "orders/create"])
    def test_any_other_later_version_does_not(self, topic: str) -> None:
        assert order(topic, 301).paid_at is None

    @pytest.mark.parametrize("word", ["pending", "authorized", "partially_paid", "voided", "expired", "", None])
    def test_what_is_not_paid_has_no_such_moment(self, word: str | None) -> None:
        assert order("orders/paid", 2, financial_status=word).paid_at is None

    @pytest.mark.parametrize("word", ["paid", "partially_refunded", "refunded"])
    def test_what_was_given_back_had_been_paid(self, word: str) -> None:
        assert order("orders/updated", 2, financial_status=word).paid_at == PLACED


def moved(kind: str, status: str, hours: float | None) -> TransactionNode:
    """Money that moved, or should have, so many hours after the order was placed."""
    return TransactionNode(kind, status, None if hours is None else PLACED + timedelta(hours=hours))


class TestTransactions:
    """The same by GraphQL, which tells each payment."""

    @pytest.mark.parametrize(
        ("transactions", "hours"),
        [
            ((), 0),
            ((moved("SALE", "SUCCESS", 5),), 5),
            ((moved("AUTHORIZATION", "SUCCESS", 1), moved("CAPTURE", "SUCCESS", 30)), 30),
            ((moved("SALE", "SUCCESS", 2), moved("SALE", "SUCCESS", 9), moved("SALE", "FAILURE", 20)), 9),
            ((moved("SALE", "SUCCESS", 2), moved("REFUND", "SUCCESS", 50), moved("VOID", "SUCCESS", 60)), 2),
            ((moved("SALE", "SUCCESS", None),), 0),
        ],
    )
    def test_the_last_payment_that_came_in_counts(self, transactions: tuple[TransactionNode, ...], hours: float) -> None:
        assert paid_by_transactions(transactions, PaymentState.PAID, PLACED) == PLACED + timedelta(hours=hours)

    @pytest.mark.parametrize("state", [PaymentState.PENDING, PaymentState.PARTIALLY_PAID, PaymentState.VOIDED])
    def test_what_is_not_paid_was_not_paid(self, state: PaymentState) -> None:
        assert paid_by_transactions((moved("SALE", "SUCCESS", 1),), state, PLACED) is None


def refund(amount: str | None = "10.00", kind: str = "refund", status: str = "success", currency: str | None = "EUR") -> dict[str, Any]:
    """A refund with one movement of money."""
    return {"transactions": [{"kind": kind, "status": status, "amount": amount, "currency": currency}]}


class TestRefundedTotal:
    """What was given back so far."""

    @pytest.mark.parametrize(
        ("refunds", "total"),
        [
            ([], "0"),
            ([refund("10.00"), refund("5.50")], "15.50"),
            ([refund("10.00"), refund("99.00", status="failure"), refund("99.00", status="pending"), refund("9.00", kind="void")], "10.00"),
            ([{"transactions": []}, {"transactions": None}, {}], "0"),
            ([refund("10.00", currency=None)], "10.00"),
        ],
    )
    def test_only_refunds_that_went_through_count(self, refunds: list[Any], total: str) -> None:
        assert order(refunds=refunds).refunded_total == Decimal(total)

    @pytest.mark.parametrize("refunds", [None, [refund("10.00", currency="CHF")], [refund(None)]])
    def test_what_is_not_told_in_the_orders_currency_is_not_guessed(self, refunds: Any) -> None:
        assert order(refunds=refunds).refunded_total is None

    def test_an_absurd_amount_is_refused(self) -> None:
        assert reason("orders/updated", body_of("orders_paid__with_code") | {"refunds": [refund("1E+400")]}) == "bad_money"


class TestDisputes:
    """Chargebacks, by webhook and by GraphQL."""

    @pytest.mark.parametrize(
        ("status", "is_disputed"),
        [
            *(
                (word, True)
                for word in ("needs_response", "under_review", "accepted", "lost", "charge_refunded", "a word of tomorrow", None)
            ),
            *((word, False) for word in ("won", "Prevented")),
        ],
    )
    def test_a_chargeback_is_disputed_until_it_is_won(self, status: str | None, is_disputed: bool) -> None:
        body = body_of("disputes_create__chargeback") | {"status": status}
        assert read("disputes/update", body) == [DisputeChanged("6210000000001", is_disputed, AT)]

    def test_an_inquiry_takes_no_money_yet_and_one_without_an_order_is_about_none(self) -> None:
        body = body_of("disputes_create__chargeback")
        assert read("disputes/create", body | {"type": "inquiry"}) == []
        assert read("disputes/create", body | {"order_id": None}) == []

    @pytest.mark.parametrize("name", ["orders_paid__with_code", "discounts_create__code", "shop_update__renamed"])
    def test_other_bodies_are_refused(self, name: str) -> None:
        assert reason("disputes/create", body_of(name)) == "wrong_topic"

    @pytest.mark.parametrize(
        ("disputes", "is_disputed"),
        [
            ((), False),
            ((("CHARGEBACK", "NEEDS_RESPONSE"),), True),
            ((("CHARGEBACK", "WON"), ("CHARGEBACK", "UNDER_REVIEW")), True),
            ((("CHARGEBACK", "WON"), ("CHARGEBACK", "PREVENTED"), ("INQUIRY", "WON")), False),
            ((("INQUIRY", "NEEDS_RESPONSE"),), None),
            ((("INQUIRY", "LOST"),), True),
        ],
    )
    def test_of_several_the_worst_counts(self, disputes: tuple[tuple[str, str], ...], is_disputed: bool | None) -> None:
        assert disputed([DisputeNode(*one) for one in disputes]) is is_disputed


def test_a_webhook_of_an_order_says_nothing_of_disputes() -> None:
    graph = GraphShop()
    body = order_body(graph.shop, graph.buy())
    found = read("orders/create", body)[0]
    assert isinstance(found, Order)
    assert (found.is_disputed, found.paid_at, found.refunded_total) == (None, START + timedelta(minutes=1), Decimal(0))
