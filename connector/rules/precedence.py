"""
Which of two versions of a record is the newer one.

The platform's own update instant decides; platforms stamp whole seconds and send several versions within one, so equal
instants are settled by how far the record has come, and last by a digest: any order of deliveries ends in the same row.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import msgspec

from connector.canonical import Checkout, Customer, Order, PaymentState

_PAYMENT_PROGRESS = {
    PaymentState.PENDING: 0,
    PaymentState.AUTHORIZED: 1,
    PaymentState.PARTIALLY_PAID: 2,
    PaymentState.PAID: 3,
    PaymentState.PARTIALLY_REFUNDED: 4,
    PaymentState.REFUNDED: 5,
    PaymentState.EXPIRED: 5,
    PaymentState.VOIDED: 6,
}
_CANCELLED = 10


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """Comparable: the greater one is newer."""

    version: datetime
    progress: int
    digest: str


def rank(record: Checkout | Customer | Order) -> Rank:
    """The rank of one version of a record."""
    return Rank(record.source_version, _progress(record), digest(record))


def digest(record: object) -> str:
    """32 hex digits over everything a record says."""
    return hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:32]


def _progress(record: Checkout | Customer | Order) -> int:
    if isinstance(record, Checkout):
        return 2 if record.completed_at else 1 if record.closed_at else 0
    if isinstance(record, Order):
        return _PAYMENT_PROGRESS[record.payment_state] + (_CANCELLED if record.cancelled_at else 0)
    return 0
