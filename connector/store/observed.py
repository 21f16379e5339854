"""What our rows say of checkouts, orders and messages, in a shape that outside observers can compare with what they saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class WrittenCheckout:
    """One checkout: what became of it, by our rows. `reason` is the current Decision's."""

    platform: str
    platform_id: str
    email: str | None
    is_recovered: bool
    is_converted: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """One order by our rows."""

    platform: str
    platform_id: str
    email: str | None
    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """One message that we say was sent."""

    address: str
    handed_over_at: datetime


def checkouts(session: Session) -> Sequence[WrittenCheckout]:
    """All checkouts, oldest first."""
    statement = text("""
        select s.platform, c.platform_id, c.email_norm, coalesce(c.converted_at > c.abandoned_at, false),
               c.converted_at is not null, d.reason
        from checkouts c join shops s on s.id = c.shop_id left join decisions d on d.checkout_id = c.id
        where c.stage = 'checkout' order by c.id
    """)
    return [WrittenCheckout(*row) for row in session.execute(statement)]


def orders(session: Session) -> Sequence[WrittenOrder]:
    """All orders, oldest first."""
    statement = text("""
        select s.platform, o.platform_id, o.email_norm, o.total, o.currency from orders o join shops s on s.id = o.shop_id order by o.id
    """)
    return [WrittenOrder(*row) for row in session.execute(statement)]


def sent_messages(session: Session) -> Sequence[WrittenMessage]:
    """All messages whose hand-over succeeded, oldest first."""
    statement = text("select address, handed_over_at from messages where state = 'sent' order by handed_over_at, id")
    return [WrittenMessage(*row) for row in session.execute(statement)]


def unsettled_deliveries(session: Session) -> int:
    """Deliveries that are pending or quarantined."""
    return int(session.execute(text("select count(*) from deliveries where state in ('pending', 'quarantined')")).scalar_one())
