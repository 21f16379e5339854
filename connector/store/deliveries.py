"""
The rows of the inbox: what comes in, and how it is claimed, marked and replayed inside a transaction of the caller's.

How deliveries get in stands in `keeping.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from connector.store.db import Session, run
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
    rows = run(session, _CLAIM if shop_id is not None else _CLAIM_WITHOUT_SHOP, {"shop": shop_id, "limit": limit})
    bodies = _read_bodies(session, [row[0] for row in rows], [row[-1] for row in rows]) if rows else {}
    return [
        Pending(delivery_id, platform, topic, received_at, triggered_at, bodies[delivery_id], attempts)
        for delivery_id, platform, topic, received_at, triggered_at, attempts, _ in rows
        if delivery_id in bodies
    ]


def has_pending(session: Session, shop_id: int) -> bool:
    """Whether anything waits in a shop's inbox."""
    return bool(run(session, _HAS_PENDING, {"shop": shop_id})[0][0])


def mark(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of claimed deliveries, in one statement a kind. `pending` leaves one waiting, with one more attempt."""
    alike: dict[tuple[str, str | None], list[int]] = {}
    for outcome in outcomes:
        alike.setdefault((outcome.state, outcome.reason), []).append(outcome.delivery_id)
    for (state, reason), ids in alike.items():
        run(session, _MARK, {"ids": as_array(ids), "state": state, "reason": reason})


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
    values = {"ids": as_array(ids), "days": f"{{{','.join(map(str, days))}}}", "bytes": BATCH_BYTES}
    run(session, "savepoint bodies")
    rows = run(session, _BODIES, values, binary=True)
    run(session, "rollback to savepoint bodies")
    return {row[0]: row[1] or b"" for row in rows}


_CLAIM_TEXT = """
select id, platform, topic, received_at, triggered_at, attempts, received_on from deliveries
where state = 'pending' and shop_id {which}
order by id limit %(limit)s for update skip locked
"""
_CLAIM = _CLAIM_TEXT.format(which="= %(shop)s")
_CLAIM_WITHOUT_SHOP = _CLAIM_TEXT.format(which="is null")

_HAS_PENDING = "select exists (select 1 from deliveries where shop_id = %(shop)s and state = 'pending')"

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

_MARK = """
update deliveries set state = cast(%(state)s as text), reason = %(reason)s, attempts = least(attempts + 1, 32767),
    handled_at = case when cast(%(state)s as text) = 'pending' then null else app_now() end
where id = any(cast(%(ids)s as bigint[]))
"""

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
