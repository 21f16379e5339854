"""
Reports of gaps: times in which a shop's webhooks did not come, and what was recovered.

Gaps that follow closely on each other are one report. How many messages went out because of it is counted, from rows: those to carts
and orders that changed in the gap and of which only a sync ever told.
"""

from datetime import timedelta

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Resource
from connector.rules.gaps import Gap, joined
from connector.store.db import app_now
from connector.store.ids import public_id
from connector.store.run_tables import GapReportRow

COUNTED = timedelta(days=14)
"""So long messages are counted: what was left in a gap has been reminded of by then, or never will be."""
MOST_LOST = 500
"""Of what cannot be recovered so many are named."""


def newest(session: Session, shop_id: int) -> GapReportRow | None:
    """The shop's last report."""
    statement = select(GapReportRow).where(col(GapReportRow.shop_id) == shop_id).order_by(col(GapReportRow.id).desc()).limit(1)
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def note(session: Session, shop_id: int, gap: Gap) -> GapReportRow:
    """Write a gap down: as part of the last report if it follows on it, else as a new one. Messages are counted."""
    row = newest(session, shop_id)
    whole = joined(to_gap(row), gap) if row is not None else None
    if row is None or whole is None:
        whole = gap
        row = GapReportRow(public_id=public_id("gap"), shop_id=shop_id, since=gap.since, until=gap.until, created_at=app_now(session))
        session.add(row)
    row.since, row.until, row.topics = whole.since, whole.until, list(whole.topics)
    row.recovered = {kind.value: count for kind, count in whole.recovered.items()}
    row.unrecoverable = [{"resource": kind.value, "platform_id": one} for kind, one in whole.lost[:MOST_LOST]]
    session.flush()
    row.messages = _count(session, row)
    session.flush()
    return row


def recount(session: Session, shop_id: int) -> None:
    """Count the messages of the shop's last report anew."""
    row = newest(session, shop_id)
    if row is not None and row.created_at > app_now(session) - COUNTED:
        row.messages = _count(session, row)
        session.flush()


def to_gap(row: GapReportRow) -> Gap:
    """What a report says."""
    return Gap(
        since=row.since,
        until=row.until,
        recovered={Resource(kind): count for kind, count in row.recovered.items()},
        lost=tuple((Resource(one["resource"]), one["platform_id"]) for one in row.unrecoverable),
        topics=tuple(row.topics),
        messages=row.messages,
    )


def _count(session: Session, row: GapReportRow) -> int:
    values = {"shop": row.shop_id, "since": row.since, "until": row.until, "written": row.created_at}
    return int(session.execute(_MESSAGES, values).scalar_one())


_MESSAGES = text("""
    select (
        select count(*) from messages m join checkouts c on c.id = m.checkout_id
        where m.shop_id = :shop and m.queued_at >= :written and c.is_quiet and c.source_version between :since and :until
    ) + (
        select count(*) from grant_mails m join grants g on g.id = m.grant_id join orders o on o.id = g.order_id
        where m.shop_id = :shop and m.queued_at >= :written and o.is_quiet and o.source_version between :since and :until
    )
""")
