"""
How many points each shop still takes from us, shared by all processes.

On a connection of its own, with short limits: the points only spare us refusals, so a database that does not answer must not stop
the calls. For a while each process then goes by what it knows itself.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
import structlog

from connector.budget import Budget
from connector.store.db import SYSTEM_ROLE, AnsweringConnection, libpq_url

ANSWER_SECONDS = 1.0
CONNECT_SECONDS = 2
AFTER_TROUBLE = 10.0
"""Seconds in which the database is not asked again once it failed."""
TURN_SECONDS = 0.5
"""The longest that a thread waits for the others of its process before it goes by what the process knows itself."""

log = structlog.get_logger()


class _Line(AnsweringConnection):
    """A connection that is given up sooner than those on which work waits."""

    answer_seconds = ANSWER_SECONDS


class SharedBudget:
    """
    A Budget for all processes on one database; thread-safe; close() at the end.

    `alone`: what counts while the database does not answer. `assumed`: the bucket (maximum, per second) of a shop that nobody has
    called yet. An answer never raises the estimate: calls of others, still under way, are missing from what it says.
    """

    def __init__(self, url: str, alone: Budget, assumed: tuple[float, float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = libpq_url(url)
        self._alone = alone
        self._assumed = assumed
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._line: _Line | None = None
        self._rests_until = 0.0

    def close(self) -> None:
        """Let the connection go."""
        with self._turn:
            self._drop()

    def reserve(self, key: str, points: float) -> float:
        """Set `points` aside; returns the seconds until the bucket holds them, 0 for the first call of all."""
        maximum, per_second = self._assumed
        values = {"key": key, "points": points, "maximum": maximum, "per_second": per_second}
        found = self._ask(_RESERVE, values)
        return self._alone.reserve(key, points) if found is None else float(found[0])

    def give_back(self, key: str, points: float) -> None:
        """Points that were set aside and not used; below zero: more were used than set aside."""
        if points and self._ask(_GIVE_BACK, {"key": key, "points": points}) is None:
            self._alone.give_back(key, points)

    def learn(self, key: str, available: float, maximum: float, per_second: float) -> None:
        """What the platform says of its bucket; a bucket larger than assumed was larger from the start."""
        if maximum <= 0 or per_second <= 0:
            return
        # Told to both, so that this process knows the bucket should it come to be alone.
        self._alone.learn(key, available, maximum, per_second)
        self._ask(_LEARN, {"key": key, "available": available, "maximum": maximum, "per_second": per_second})

    def _ask(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The row that a statement gives, empty if it gives none; None if the database is not to be had."""
        if self._monotonic() < self._rests_until or not self._turn.acquire(timeout=TURN_SECONDS):
            return None
        try:
            if self._line is None or self._line.closed:
                self._line = _open(self._url)
            cursor = self._line.execute(statement, values)
            return (cursor.fetchone() if cursor.description else None) or ()
        except psycopg.Error as error:
            self._rests_until = self._monotonic() + AFTER_TROUBLE
            log.warning("budget.alone", error=type(error).__name__, seconds=AFTER_TROUBLE)
            self._drop()
            return None
        finally:
            self._turn.release()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(psycopg.Error):
                line.close()


def _open(url: str) -> _Line:
    line = _Line.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS)
    line.execute(_SETTLE)
    return line


_SETTLE: LiteralString = f"set role {SYSTEM_ROLE}; set statement_timeout = '800ms'; set lock_timeout = '500ms'"
# Real time and not the application's: what the platform refills does not follow a clock that tests move.
_NOW: LiteralString = "least(b.maximum, b.available + greatest(0, extract(epoch from clock_timestamp() - b.at)) * b.per_second)"
_RESERVE: LiteralString = f"""
insert into call_budgets as b (key, available, maximum, per_second, at)
values (%(key)s, %(maximum)s::float8 - %(points)s::float8, %(maximum)s, %(per_second)s, clock_timestamp())
on conflict (key) do update set available = {_NOW} - %(points)s::float8, at = greatest(b.at, clock_timestamp())
returning greatest(0, -b.available) / b.per_second
"""
_GIVE_BACK: LiteralString = f"""
update call_budgets b set available = least(b.maximum, {_NOW} + %(points)s::float8), at = greatest(b.at, clock_timestamp())
where key = %(key)s
"""
_LEARN: LiteralString = f"""
insert into call_budgets as b (key, available, maximum, per_second, at)
values (%(key)s, %(available)s, %(maximum)s, %(per_second)s, clock_timestamp())
on conflict (key) do update set
    available = least(%(available)s::float8, {_NOW} + %(maximum)s::float8 - b.maximum),
    maximum = excluded.maximum, per_second = excluded.per_second, at = greatest(b.at, clock_timestamp())
"""
