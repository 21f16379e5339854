"""
The only now() of our Python code.

Time is the database's (SQL `app_now()`); this is its copy at the edge. The offset is zero outside sandbox mode,
where `store.clock` reads it from the database and tells it here.
"""

from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """The current instant, aware, UTC, on the virtual clock in sandbox mode."""
    return datetime.now(UTC) + _offset


def offset() -> timedelta:
    """How far this clock is from the system's."""
    return _offset


def set_offset(offset: timedelta) -> None:
    """Follow the database's clock: `store.clock` calls this, and a process without a database that is told by one that has it."""
    global _offset
    _offset = offset
