"""What our rows say of checkouts, orders, messages and offers, in a shape that outside observers can compare with what they saw."""

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


@dataclass(frozen=True, slots=True)
class WrittenGrant:
    """One grant of an offer: what became of it, by our rows."""

    platform: str
    email: str | None
    state: str
    reason: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class WrittenOffer:
    """One offer: its state, and everything that happened to it, oldest first."""

    platform: str
    name: str
    state: str
    actions: tuple[str, ...]


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
    """All messages to shoppers whose hand-over succeeded, those of offers too, oldest first."""
    statement = text("""
        select address, handed_over_at from messages where state = 'sent'
        union all select address, handed_over_at from grant_mails where state = 'sent' order by handed_over_at
    """)
    return [WrittenMessage(*row) for row in session.execute(statement)]


def sent_notices(session: Session) -> int:
    """How many letters to owners were handed over."""
    return int(session.execute(text("select count(*) from system_mails where kind = 'notice' and state = 'sent'")).scalar_one())


def owners(session: Session) -> Sequence[str]:
    """The addresses of all owners."""
    statement = text("select distinct lower(email) from members where role = 'owner' and email is not null")
    return session.execute(statement).scalars().all()


def grants(session: Session) -> Sequence[WrittenGrant]:
    """All grants, oldest first."""
    statement = text("""
        select s.platform, g.email_norm, g.state, g.reason, g.code from grants g join shops s on s.id = g.shop_id order by g.id
    """)
    return [WrittenGrant(*row) for row in session.execute(statement)]


def offers(session: Session) -> Sequence[WrittenOffer]:
    """All offers, oldest first."""
    statement = text("""
        select s.platform, o.name, o.state,
               (select coalesce(array_agg(e.action order by e.id), '{}') from offer_events e where e.offer_id = o.id)
        from offers o join shops s on s.id = o.shop_id order by o.id
    """)
    return [WrittenOffer(platform, name, state, tuple(actions)) for platform, name, state, actions in session.execute(statement)]


def unsettled_deliveries(session: Session) -> int:
    """Deliveries that are pending or quarantined."""
    return int(session.execute(text("select count(*) from deliveries where state in ('pending', 'quarantined')")).scalar_one())
