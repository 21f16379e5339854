"""How long raw bodies stay."""

from sqlalchemy import text
from sqlmodel import Session

DAYS_AHEAD = 2


def keep_bodies(session: Session, days: int) -> int:
    """
    Make the partitions of the next days and drop those older than `days`; returns how many were dropped.

    Takes no row locks. Dropping waits for whoever reads the bodies, and whoever wants to write waits behind it: so it gives up
    after a second, long before a platform would miss its answer, and is tried again the next time.
    """
    session.execute(text("set local lock_timeout = '1s'"))
    return int(session.execute(text("select keep_body_partitions(:ahead, :keep)"), {"ahead": DAYS_AHEAD, "keep": days}).scalar_one())
