"""One checkout with everything around it, and what came in lately. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Checkout, Phone
from connector.errors import NotFound
from connector.rules.automations import CheckoutFacts
from connector.store import outgoing, people
from connector.store.automation_tables import DecisionRow, MessageRow
from connector.store.checkouts import facts_of
from connector.store.inbox_tables import DeliveryRow, UnknownShopRow
from connector.store.outgoing import LineView
from connector.store.sealed import Vault
from connector.store.tables import CheckoutRow, CheckoutVersionRow, OrderRow

DAYS = 14

_NEWEST = tuple(
    column.desc()
    for column in (
        col(CheckoutVersionRow.source_version),
        col(CheckoutVersionRow.source_triggered_at),
        col(CheckoutVersionRow.source_progress),
        col(CheckoutVersionRow.source_digest),
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """One checkout with all that is around it, newest first where there is an order."""

    row: CheckoutRow
    facts: CheckoutFacts
    lines: Sequence[LineView]
    decisions: Sequence[DecisionRow]
    messages: Sequence[MessageRow]
    versions: Sequence[CheckoutVersionRow]
    order: OrderRow | None
    deliveries: Sequence[DeliveryRow]


@dataclass(frozen=True, slots=True)
class TopicHealth:
    """How much of one topic came lately, how much of it was quarantined, and when the last one came."""

    topic: str
    count: int
    quarantined: int
    last_at: datetime


def find_checkout_shop(session: Session, public_id: str) -> int:
    """The shop of a checkout. Raises NotFound. Needs a system transaction."""
    shop_id = session.scalars(select(col(CheckoutRow.shop_id)).where(col(CheckoutRow.public_id) == public_id)).one_or_none()
    if shop_id is None:
        raise NotFound("There is no such checkout.")
    return shop_id


def load_checkout(session: Session, vault: Vault, shop_id: int, public_id: str, limit: int = 50) -> Found:
    """One checkout of a shop; of what is many the `limit` newest. Raises NotFound."""
    row = session.scalars(
        select(CheckoutRow).where(col(CheckoutRow.shop_id) == shop_id, col(CheckoutRow.public_id) == public_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such checkout.")
    assert row.id is not None
    lines = outgoing.load_lines(session, row.id)
    order = None if row.converted_order_id is None else session.get(OrderRow, row.converted_order_id)
    messages = select(MessageRow).where(col(MessageRow.checkout_id) == row.id)
    versions = select(CheckoutVersionRow).where(col(CheckoutVersionRow.checkout_id) == row.id)
    return Found(
        row=row,
        facts=facts_of(row),
        lines=lines,
        decisions=session.scalars(select(DecisionRow).where(col(DecisionRow.checkout_id) == row.id)).all(),
        messages=session.scalars(messages.order_by(col(MessageRow.id).desc()).limit(limit)).all(),
        versions=session.scalars(versions.order_by(*_NEWEST).limit(limit)).all(),
        order=order,
        deliveries=_deliveries(session, vault, row, limit),
    )


def delivery_counts(session: Session, shop_id: int) -> Mapping[str, int]:
    """How many deliveries of the last 14 days are in which state."""
    statement = text("""
        select state, count(*) from deliveries where shop_id = :shop and received_at > app_now() - make_interval(days => :days)
        group by state order by state
    """)
    return {row[0]: row[1] for row in session.execute(statement, {"shop": shop_id, "days": DAYS})}


def topics_heard(session: Session, shop_id: int) -> list[TopicHealth]:
    """Which topics came in the last 14 days."""
    statement = text("""
        select topic, count(*), count(*) filter (where state = 'quarantined'), max(received_at) from deliveries
        where shop_id = :shop and received_at > app_now() - make_interval(days => :days) group by topic order by topic
    """)
    return [TopicHealth(*row) for row in session.execute(statement, {"shop": shop_id, "days": DAYS})]


def unknown_shops(session: Session, limit: int = 20) -> Sequence[UnknownShopRow]:
    """Who else sent authentic deliveries without being connected, the latest first. Needs a system transaction."""
    return session.scalars(select(UnknownShopRow).order_by(col(UnknownShopRow.last_at).desc()).limit(limit)).all()


def _deliveries(session: Session, vault: Vault, row: CheckoutRow, limit: int) -> Sequence[DeliveryRow]:
    """The deliveries that speak of the checkout's person: that index exists to erase people, and serves support as well."""
    person = Checkout(
        platform_id=row.platform_id,
        source_version=row.source_version,
        created_at=row.created_at,
        currency=row.currency,
        total=row.total,
        customer_id=row.customer_platform_id,
        email=row.email,
        phone=Phone(row.phone_raw or "", row.phone_e164),
        checkout_phone=Phone(row.checkout_phone_raw or "", row.checkout_phone_e164),
    )
    hashes = [value for value in people.person_hashes(vault, row.shop_id, person) if value]
    if not hashes:
        return []
    ids = text("select delivery_id from delivery_people where shop_id = :shop and person_hash = any(:hashes)")
    known = list(session.execute(ids, {"shop": row.shop_id, "hashes": hashes}).scalars())
    statement = select(DeliveryRow).where(col(DeliveryRow.id).in_(known)).order_by(col(DeliveryRow.id).desc()).limit(limit)
    return session.scalars(statement).all()
