"""The virtual clock of a sandbox database; elsewhere the database refuses to move its clock."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session

from connector import clock


def read(session: Session) -> datetime:
    """The database's instant; brings our copy of the clock in step."""
    row = session.execute(text("select app_now(), ahead from app_clock")).one()
    clock.set_offset(row[1])
    now: datetime = row[0]
    return now


def step_to(session: Session, instant: datetime) -> None:
    """Move a sandbox's clock forward to `instant`; never back. Refused by the database outside a sandbox."""
    now = read(session)
    step = max(instant - now, timedelta())
    session.execute(text("update app_clock set ahead = ahead + :step"), {"step": step})
    read(session)


def is_sandbox(session: Session) -> bool:
    """Whether this database belongs to a sandbox."""
    return bool(session.execute(text("select is_sandbox from app_clock")).scalar_one())
