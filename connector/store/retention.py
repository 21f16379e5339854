"""
How long what came in stays: the raw bytes for the retention time, the row that says what became of them for 90 days.

The row outlives its bytes because its key is what makes a repeated delivery change nothing: platforms repeat for hours, and
people play recordings back after days. After 90 days it goes whatever its state: its bytes are gone by then, so there is
nothing left that could be applied or replayed.
"""

from sqlalchemy import text
from sqlmodel import Session

DAYS_AHEAD = 2
KNOWN_DAYS = 90
"""Never less than the longest retention time of bodies: a body is found by its row."""
BATCH = 5_000


def keep_bodies(session: Session, days: int) -> int:
    """
    Make the partitions of the next days and drop those older than `days`; returns how many were dropped.

    Takes no row locks. Dropping waits for whoever reads the bodies, and whoever wants to write waits behind it: so it gives up
    after half a second, long before a platform would miss its answer, and is tried again the next time.
    """
    session.execute(text("set local lock_timeout = '500ms'"))
    return int(session.execute(text("select keep_body_partitions(:ahead, :keep)"), {"ahead": DAYS_AHEAD, "keep": days}).scalar_one())


def forget_deliveries(session: Session, limit: int = BATCH) -> int:
    """
    Delete up to `limit` of the deliveries that are older than 90 days, and what points to them; returns how many.

    Needs a system transaction, and one of its own: it holds its rows until the end. Waits for nobody: rows that somebody works
    on are left for the next time.
    """
    return len(session.execute(_FORGET, {"limit": limit, "days": KNOWN_DAYS}).all())


# Ids rise with the time of arrival: the oldest come first, and looking at a batch of them costs the same however many there are.
# What speaks of them is looked for in their range of ids, which an index by ranges can find.
_FORGET = text("""
with gone as (
    delete from deliveries where id in (
        select d.id from deliveries d
        where d.id in (select id from deliveries order by id limit :limit) and d.received_at < app_now() - make_interval(days => :days)
        order by d.id for update skip locked
    ) returning id
),
unsaid as (
    delete from delivery_people p
    where p.delivery_id between (select min(id) from gone) and (select max(id) from gone) and p.delivery_id in (select id from gone)
)
select id from gone
""")


def forget_syncs(session: Session, limit: int = BATCH) -> int:
    """
    Delete what differed in syncs two weeks ago (it holds what people wrote), runs of 90 days ago with their slices, and reports of
    outages of over a year ago. Needs a system transaction. Returns how many rows went.
    """
    return sum(len(session.execute(statement, {"limit": limit}).all()) for statement in _FORGET_SYNCS)


_FORGET_SYNCS = tuple(
    text(f"delete from {table} where id = any(array(select id from {table} where {condition} order by id limit :limit)) returning 1")
    for table, condition in (
        ("sync_differences", "at < app_now() - interval '14 days'"),
        ("sync_runs", "finished_at < app_now() - interval '90 days'"),
        ("gap_reports", "created_at < app_now() - interval '400 days'"),
    )
)


def forget_mails(session: Session, limit: int = BATCH) -> int:
    """Delete mails of our own that were settled a month ago; they have been empty since then. Returns how many went."""
    statement = text("""
        delete from system_mails where id = any (array(
            select id from system_mails
            where state in ('sent', 'refused', 'unknown') and queued_at < app_now() - interval '30 days' order by id limit :limit
        )) returning 1
    """)
    return len(session.execute(statement, {"limit": limit}).all())
