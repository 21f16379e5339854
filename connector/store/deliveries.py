"""
The rows of the inbox: what comes in, and how it is claimed, marked and replayed inside a transaction of the caller's.

How deliveries get in stands in `keeping.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from connector.store.upserts import as_array

BATCH_BYTES = 32 * 2**20
"""How much of bodies one claim reads at most, so that a batch of large ones cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """
    A verified request on its way into the inbox.

    `key`: 32 bytes, the same when the platform repeats itself. `headers`: `name: value` lines without NUL.
    """

    platform: str
    topic: str
    shop_id: int | None
    key: bytes
    triggered_at: datetime | None
    headers: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """
    A kept delivery that waits for its meaning, with its raw body.

    `attempts` counts the times `mark` was called on it. `body` is empty if the retention time took it.
    """

    id: int
    platform: str
    topic: str
    received_at: datetime
    triggered_at: datetime | None
    body: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one delivery: a state of `deliveries.state` and, unless all went well, a short reason."""

    delivery_id: int
    state: str
    reason: str | None = None


def claim_pending(session: Session, shop_id: int | None, limit: int) -> list[Pending]:
    """
    Lock and read the oldest waiting deliveries of a shop until the transaction ends; skips what another one has locked.

    `shop_id` None claims those without a shop: privacy requests of shops we do not know (needs a system transaction). No more
    are read than BATCH_BYTES of bodies, the last one counted whole.
    """
    rows = session.execute(_CLAIM if shop_id is not None else _CLAIM_WITHOUT_SHOP, {"shop": shop_id, "limit": limit}).all()
    bodies = _read_bodies(session, [row.id for row in rows], [row.received_on for row in rows]) if rows else {}
    return [
        Pending(row.id, row.platform, row.topic, row.received_at, row.triggered_at, bodies[row.id], row.attempts)
        for row in rows
        if row.id in bodies
    ]


def has_pending(session: Session, shop_id: int) -> bool:
    """Whether anything waits in a shop's inbox."""
    statement = text("select exists (select 1 from deliveries where shop_id = :shop and state = 'pending')")
    return bool(session.execute(statement, {"shop": shop_id}).scalar_one())


def mark(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of claimed deliveries, in one statement a kind. `pending` leaves one waiting, with one more attempt."""
    alike: dict[tuple[str, str | None], list[int]] = {}
    for outcome in outcomes:
        alike.setdefault((outcome.state, outcome.reason), []).append(outcome.delivery_id)
    for (state, reason), ids in alike.items():
        session.execute(_MARK, {"ids": as_array(ids), "state": state, "reason": reason})


def shops_with_pending(session: Session, limit: int) -> list[int]:
    """Shops whose inbox holds waiting deliveries, the longest waiting first. Needs a system transaction."""
    return list(session.execute(_SHOPS_WITH_PENDING, {"limit": limit}).scalars())


def replay(session: Session, delivery_ids: Sequence[int]) -> list[int]:
    """
    Let deliveries wait again as if they had just come, and answer the shops to wake.

    Deliveries whose body is gone stay as they are: there is nothing left to read.
    """
    rows = session.execute(_REPLAY, {"ids": list(delivery_ids)}).scalars()
    return sorted({shop_id for shop_id in rows if shop_id is not None})


def _read_bodies(session: Session, ids: Sequence[int], days: Sequence[date]) -> dict[int, bytes]:
    """
    Bodies by delivery, empty where the retention time took it. They travel as bytes: as text they would be twice as long and
    cost more than understanding them.

    Read within a savepoint that is rolled back, which lets go of the tables: a reader holds every day's partition until its
    transaction ends, and on a busy system old days could never be dropped between one batch and the next.
    """
    connection = session.connection()
    with connection.begin_nested() as savepoint:
        try:
            with cast(psycopg.Connection, connection.connection.driver_connection).cursor(binary=True) as cursor:
                rows = cursor.execute(
                    _BODIES, {"ids": as_array(ids), "days": f"{{{','.join(map(str, days))}}}", "bytes": BATCH_BYTES}
                ).fetchall()
        except psycopg.Error as error:
            raise DBAPIError.instance(_BODIES, None, error, psycopg.Error) from error
        savepoint.rollback()
    return {row[0]: row[1] or b"" for row in rows}


_CLAIM_TEXT = """
select id, platform, topic, received_at, triggered_at, received_on, attempts from deliveries
where state = 'pending' and shop_id {which}
order by id limit :limit for update skip locked
"""
_CLAIM = text(_CLAIM_TEXT.format(which="= :shop"))
_CLAIM_WITHOUT_SHOP = text(_CLAIM_TEXT.format(which="is null"))

# The body is looked up row by row through its partition's key: a join could be planned as a scan of every partition.
_BODY = "from delivery_bodies b where b.received_on = c.received_on and b.delivery_id = c.id"
_BODIES = f"""
with measured as (
    select c.*, coalesce((select octet_length(b.body) {_BODY}), 0) as size
    from unnest(cast(%(ids)s as bigint[]), cast(%(days)s as date[])) as c (id, received_on)
),
stacked as materialized (select id, received_on, sum(size) over (order by id) - size as below from measured)
select c.id, (select b.body {_BODY}) from stacked c where c.below < %(bytes)s order by c.id
"""

_MARK = text("""
update deliveries set state = cast(:state as text), reason = :reason, attempts = least(attempts + 1, 32767),
    handled_at = case when cast(:state as text) = 'pending' then null else app_now() end
where id = any(cast(:ids as bigint[]))
""")

# Hops from shop to shop through the partial index, so that a backlog of millions costs one probe a shop.
_SHOPS_WITH_PENDING = text("""
with recursive shop (id) as (
    (select shop_id from deliveries where state = 'pending' and shop_id is not null order by shop_id limit 1)
    union all
    select (select d.shop_id from deliveries d where d.state = 'pending' and d.shop_id > shop.id order by d.shop_id limit 1)
    from shop where shop.id is not null
)
select id from shop where id is not null
order by (select d.id from deliveries d where d.state = 'pending' and d.shop_id = shop.id order by d.id limit 1) limit :limit
""")

_REPLAY = text("""
update deliveries d set state = 'pending', reason = null, handled_at = null, attempts = 0
where d.id = any(cast(:ids as bigint[]))
  and exists (select 1 from delivery_bodies b where b.received_on = d.received_on and b.delivery_id = d.id)
returning d.shop_id
""")


def ids_in_state(session: Session, shop_id: int, state: str) -> list[int]:
    """The deliveries of a shop in one state, oldest first."""
    statement = text("select id from deliveries where shop_id = :shop and state = :state order by id")
    return list(session.execute(statement, {"shop": shop_id, "state": state}).scalars())


def states_of(session: Session, keys: Sequence[bytes]) -> dict[bytes, tuple[str, str | None]]:
    """State and reason of those deliveries, by key, that are kept. Needs a system transaction."""
    statement = text("select key, state, reason from deliveries where key = any(:keys)")
    return {bytes(row[0]): (row[1], row[2]) for row in session.execute(statement, {"keys": list(keys)})}
