"""
Which of two versions of a record is the newer one.

The platform's own update instant decides. Platforms stamp whole seconds, and people type two versions of an address within one,
so equal instants are settled by when the platform triggered the delivery (Shopify tells it to the nanosecond), then by how far the
record has come, and last by a digest: any order of deliveries ends in the same row.
"""

import hashlib
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

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
# Everything that a record says. When it was told is no content: the same version may be told twice.
_SAYS = {kind: attrgetter(*(field.name for field in fields(kind) if field.name != "triggered_at")) for kind in (Checkout, Customer, Order)}


class Rank(NamedTuple):
    """Comparable: the greater one is newer."""

    version: datetime
    triggered_at: datetime
    progress: int
    digest: str


def rank(record: Checkout | Customer | Order, read_at: datetime | None = None) -> Rank:
    """The rank of one version of a record; `read_at`: of one that was read from the store, which is when it was told."""
    triggered_at = read_at or record.triggered_at or record.source_version
    return Rank(record.source_version, triggered_at, _progress(record), digest(record))


def digest(record: Checkout | Customer | Order) -> str:
    """32 hex digits over everything a record says; when it was told does not count."""
    return hashlib.sha256(msgspec.json.encode(_SAYS[type(record)](record))).hexdigest()[:32]


def _progress(record: Checkout | Customer | Order) -> int:
    if isinstance(record, Checkout):
        # An address is typed in the course of a checkout and does not vanish: of two versions the one that has it is newer.
        return (4 if record.completed_at else 2 if record.closed_at else 0) + (1 if record.email else 0)
    if isinstance(record, Order):
        return _PAYMENT_PROGRESS[record.payment_state] + (_CANCELLED if record.cancelled_at else 0)
    return 0
