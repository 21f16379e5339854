"""
Where the money of an order is: its state, when it was paid, what went back. Pure.

Source: class-wc-order.php, class-wc-gateway-cod.php, class-wc-rest-orders-v2-controller.php (9.9.5, 10.5.3, 11.0.1); recorded refunds.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from connector.canonical import PaymentState
from integrations.woocommerce.payloads import OrderBody, Refund
from integrations.woocommerce.plaintext import text
from integrations.woocommerce.values import instant, money

PAYMENT_STATES = {
    "pending": PaymentState.PENDING,
    "failed": PaymentState.PENDING,
    "on-hold": PaymentState.PENDING,
    "processing": PaymentState.PAID,
    "completed": PaymentState.PAID,
    "refunded": PaymentState.REFUNDED,
    "cancelled": PaymentState.VOIDED,
}
_PAID = frozenset({PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED})
_PLACED_AT_ONCE = frozenset({"bacs", "cheque", "cod"})
"""Core's offline methods: the order leaves `pending` in the request that places it, for on-hold or processing."""


def payment_state(status: str, is_paid: bool, has_refunds: bool) -> PaymentState:
    """
    Where the money is. A status of a plugin counts as paid if the order has a payment date.

    Refunds of an order that is not wholly refunded are partial ones. Cash on delivery is `processing` and thus paid for us. What was
    set back to waiting for its money is not paid any more, though it keeps its payment date.
    """
    state = PAYMENT_STATES.get(status)
    if has_refunds and (state is None or state is PaymentState.PAID):
        return PaymentState.PARTIALLY_REFUNDED
    return state or (PaymentState.PAID if is_paid else PaymentState.PENDING)


def paid_at(body: OrderBody, state: PaymentState, modified_at: datetime) -> datetime | None:
    """
    When it was paid, as near as this version tells, None if it is not; the earliest version is the true one.

    Cash on delivery gets no payment date before it is completed.
    """
    return instant(body.date_paid_gmt) or (modified_at if state in _PAID else None)


def refunded_total(refunds: Sequence[Refund] | None) -> Decimal | None:
    """What was given back so far, tax and shipping included; each total is a text that begins with a minus. None if none is told of."""
    if refunds is None:
        return None
    return sum((abs(money(refund.total) or Decimal(0)) for refund in refunds), Decimal(0))


def was_placed(body: OrderBody) -> bool:
    """Whether an order without a payment date was bought all the same, whatever became of it since."""
    return text(body.payment_method) in _PLACED_AT_ONCE
