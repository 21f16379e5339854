"""
Plans for tables that grow while they are filled.

PostgreSQL keeps the plans of prepared statements and of foreign keys' checks for as long as a connection lives. Those made while a table
was empty read all of it, which is right then; a thousand records later each new row would do so, until `autovacuum` comes by.
"""

from connector.store.db import Session, run

FIRST, FACTOR = 100, 4
"""Plans are made anew after so many records, and again whenever there are so many times more."""


class Growth:
    """What one filler has written so far. Not thread-safe."""

    def __init__(self) -> None:
        self._written = self._due = 0

    def note(self, session: Session, records: int) -> None:
        """So many records are about to be written on this connection: at first, and as they multiply, it forgets what it planned."""
        if self._written >= self._due:
            run(session, "discard plans")
            self._due = max(FACTOR * self._written, FIRST)
        self._written += records
