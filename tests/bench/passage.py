"""What became of the deliveries of one load: how many were applied in its time, and how long each waited."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.bench.report import percentile


@dataclass(frozen=True, slots=True)
class Load:
    """What was sent: acknowledged requests, the checkouts they tell of, seconds of sending, 99th percentile of the answers in ms."""

    acknowledged: int
    checkouts: int
    seconds: float
    answer_p99: float

    @property
    def rate(self) -> float:
        """Acknowledged requests a second."""
        return self.acknowledged / self.seconds


@dataclass(frozen=True, slots=True)
class Passage:
    """Of one load: kept, applied within its time, waiting at its end, never applied; and the lag, ms."""

    load: Load
    kept: int
    applied: int
    left: int
    lag_p50: float
    lag_p99: float

    @property
    def rate(self) -> float:
        """Deliveries that became canonical rows, a second, while the load lasted."""
        return self.applied / self.load.seconds

    @property
    def backlog(self) -> int:
        """Deliveries that waited when the load ended."""
        return self.kept - self.applied


def read_passage(connection: psycopg.Connection[Any], load: Load) -> Passage:
    """
    Look at the rows, now, by the instants at which the server says they were committed.

    The body's row is written once, with the delivery; the delivery's own row is written again by the transaction that applies it.
    """
    return to_passage(load, [(kept, applied, now) for kept, applied, now in connection.execute(_COMMITS)])


def to_passage(load: Load, commits: Sequence[tuple[float, float | None, float]]) -> Passage:
    """
    Count and time them. `commits`: when kept, when applied or None, and when looked at; seconds of the epoch.

    What was not applied has waited until it was looked at.
    """
    end = min(kept for kept, _, _ in commits) + load.seconds
    lags = [((now if applied is None else applied) - kept) * 1000 for kept, applied, now in commits]
    return Passage(
        load=load,
        kept=len(commits),
        applied=sum(applied is not None and applied <= end for _, applied, _ in commits),
        left=sum(applied is None for _, applied, _ in commits),
        lag_p50=percentile(lags, 0.5),
        lag_p99=percentile(lags, 0.99),
    )


_COMMITS = """
select extract(epoch from pg_xact_commit_timestamp(b.xmin))::float8,
    case when d.state <> 'pending' then extract(epoch from pg_xact_commit_timestamp(d.xmin))::float8 end,
    extract(epoch from clock_timestamp())::float8
from deliveries d join delivery_bodies b on b.received_on = d.received_on and b.delivery_id = d.id
"""
