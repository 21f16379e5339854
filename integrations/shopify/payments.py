"""
When an order was paid, what of it was given back, and whether its payment is disputed: by webhook and by GraphQL. Pure.

Source: shopify.dev, webhooks reference and GraphQL Admin API 2026-10 (`OrderTransaction`, `OrderDisputeSummary`), REST `Dispute`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from connector.canonical import DisputeChanged, Event, PaymentState
from integrations.shopify.nodes import DisputeNode, TransactionNode
from integrations.shopify.payloads import DisputeBody, OrderBody, payload_error
from integrations.shopify.values import currency, instant, money, optional_instant, payment_state, text

AT_ONCE = timedelta(minutes=5)
"""An order that is paid in a version no older than this was paid when it was placed."""
_PAID = frozenset({PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED})
_OVER = frozenset({"won", "prevented"})
"""States of a dispute after which the merchant has the money."""


def paid_by_webhook(body: OrderBody, *, is_news_of_payment: bool) -> datetime | None:
    """
    When an order was paid, as far as its webhook tells: when it was placed, if it was paid then, else at the moment of `orders/paid`.

    Any other later version says that it was paid, not when: None; whoever reads the order finds it.
    """
    if payment_state(body.financial_status) not in _PAID:
        return None
    created_at, version = instant(body.created_at), instant(body.updated_at)
    if version - created_at <= AT_ONCE:
        return optional_instant(body.processed_at) or created_at
    return version if is_news_of_payment else None


def paid_by_transactions(transactions: Sequence[TransactionNode], state: PaymentState, placed_at: datetime) -> datetime | None:
    """When an order was paid: with the last payment that came in. One that is paid without any (free, or imported) was when placed."""
    if state not in _PAID:
        return None
    came_in = (one for one in transactions if one.kind in ("SALE", "CAPTURE") and one.status == "SUCCESS")
    return max((instant(one.processed_at) for one in came_in if one.processed_at is not None), default=placed_at)


def refunded_by_webhook(body: OrderBody) -> Decimal | None:
    """
    What was given back so far, in the order's own currency; None where that is not told.

    A transaction is in the currency that the buyer paid with: of another one than the order's we do not know what it is worth.
    """
    if body.refunds is None:
        return None
    total = Decimal(0)
    for one in (one for refund in body.refunds for one in refund.transactions or ()):
        if (one.kind, one.status) != ("refund", "success"):
            continue
        amount = money(one.amount)
        if amount is None or (text(one.currency) or currency(body.currency)) != currency(body.currency):
            return None
        total += amount
    return total


def disputed(disputes: Sequence[DisputeNode]) -> bool | None:
    """
    Whether a chargeback is open or lost.

    Of one that began as an inquiry it is not told whether it has become a chargeback: unless it was lost, nobody knows (None).
    """
    living = [one for one in disputes if one.status.lower() not in _OVER]
    if any(one.initiated_as == "CHARGEBACK" or one.status == "LOST" for one in living):
        return True
    return None if living else False


def to_dispute(body: DisputeBody, at: datetime) -> list[Event]:
    """
    Map `disputes/create` and `disputes/update`. An inquiry takes nobody's money yet, and a dispute without an order is about none: nothing.

    Raises: PayloadError (`missing_id`, `wrong_topic`).
    """
    if body.initiated_at is msgspec.UNSET or text(body.type) is None:
        raise payload_error("wrong_topic", "not a dispute")
    if text(body.id) is None:
        raise payload_error("missing_id")
    order_id, status = text(body.order_id), (text(body.status) or "").lower()
    if order_id is None or (text(body.type) or "").lower() == "inquiry":
        return []
    return [DisputeChanged(order_id, status not in _OVER, at)]
