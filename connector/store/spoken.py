"""
The raw bodies of a shop's deliveries: read in portions to find who they speak of, and forgotten where they speak of the erased.

The row of a delivery stays: it says what became of it, and its key makes a repeated delivery change nothing. Needs a system
transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.subjects import Fact
from connector.store import people
from connector.store.sealed import Vault

PORTION = 500
PORTION_BYTES = 16 * 2**20
ERASED = "erased"
HASHED = ("email", "phone", "customer")


@dataclass(frozen=True, slots=True)
class Spoken:
    """A delivery with its raw body."""

    id: int
    topic: str
    state: str
    received_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk through a shop's deliveries is."""

    at: datetime
    id: int


def read_portion(session: Session, shop_id: int, after: Place | None, until: datetime) -> tuple[list[Spoken], Place | None]:
    """
    The next bodies of a shop, oldest first, and where they end; (…, None) when there are no more that came by `until`.

    Deliveries whose body is gone are passed over.
    """
    values = {"shop": shop_id, "at": after.at if after else None, "id": after.id if after else 0, "until": until, "limit": PORTION}
    rows = session.execute(_PORTION, {**values, "bytes": PORTION_BYTES}).all()
    if not rows:
        return [], None
    found = [Spoken(row.id, row.topic, row.state, row.received_at, bytes(row.body)) for row in rows if row.body is not None]
    return found, Place(rows[-1].received_at, rows[-1].id)


def forget_bodies(session: Session, delivery_ids: Collection[int]) -> int:
    """Delete the bodies of these deliveries and whom they speak of; those that waited wait no more. Returns how many bodies went."""
    ids = sorted(delivery_ids)
    if not ids:
        return 0
    days = session.execute(text("select distinct received_on from deliveries where id = any(cast(:ids as bigint[]))"), {"ids": ids})
    values = {"ids": ids, "first": ids[0], "last": ids[-1], "reason": ERASED, "days": list(days.scalars())}
    count = len(session.execute(_FORGET, values).all())
    session.execute(_UNSAY, values)
    session.execute(_SETTLE, values)
    return count


def deliveries_of(session: Session, vault: Vault, shop_id: int, facts: Collection[Fact]) -> list[int]:
    """The deliveries that were noted to speak of these."""
    hashes = [people.person_hash(vault, shop_id, kind, value) for kind, value in sorted(facts) if kind in HASHED]
    statement = text("select distinct delivery_id from delivery_people where shop_id = :shop and person_hash = any(:hashes) order by 1")
    return list(session.execute(statement, {"shop": shop_id, "hashes": hashes}).scalars())


def unsay(session: Session, vault: Vault, shop_id: int, facts: Collection[Fact]) -> int:
    """Forget which deliveries speak of these, also of those whose bodies went before; returns how many notes went."""
    hashes = [people.person_hash(vault, shop_id, kind, value) for kind, value in sorted(facts) if kind in HASHED]
    statement = text("delete from delivery_people where shop_id = :shop and person_hash = any(:hashes) returning 1")
    return len(session.execute(statement, {"shop": shop_id, "hashes": hashes}).all())


def read_bodies(session: Session, shop_id: int, delivery_ids: Sequence[int], limit: int) -> list[Spoken]:
    """The bodies of some of a shop's deliveries, the newest first."""
    rows = session.execute(_READ, {"shop": shop_id, "ids": list(delivery_ids), "limit": limit}).all()
    return [Spoken(row.id, row.topic, row.state, row.received_at, bytes(row.body)) for row in rows]


def not_understood(session: Session, shop_id: int, limit: int) -> list[Spoken]:
    """Bodies that were never applied, so that nobody noted whom they speak of; the newest first."""
    rows = session.execute(_NOT_UNDERSTOOD, {"shop": shop_id, "limit": limit}).all()
    return [Spoken(row.id, row.topic, row.state, row.received_at, bytes(row.body)) for row in rows]


# The body is looked up row by row through its partition's key: a join could be planned as a scan of every partition.
_BODY = "(select b.body from delivery_bodies b where b.received_on = d.received_on and b.delivery_id = d.id)"
_PORTION = text(f"""
    with next as materialized (
        select d.id, d.topic, d.state, d.received_at, d.received_on from deliveries d
        where d.shop_id = :shop and d.received_at <= :until
          and (cast(:at as timestamptz) is null or (d.received_at, d.id) > (cast(:at as timestamptz), cast(:id as bigint)))
        order by d.received_at, d.id limit :limit
    ),
    measured as (
        select d.*, coalesce((select octet_length(b.body) from delivery_bodies b
            where b.received_on = d.received_on and b.delivery_id = d.id), 0) as size from next d
    ),
    stacked as materialized (select d.*, sum(size) over (order by received_at, id) - size as below from measured d)
    select d.id, d.topic, d.state, d.received_at, {_BODY} as body from stacked d where d.below < :bytes order by d.received_at, d.id
""")
_FORGET = text("""
    delete from delivery_bodies where received_on = any(cast(:days as date[])) and delivery_id = any(cast(:ids as bigint[])) returning 1
""")
_UNSAY = text("""
    delete from delivery_people where delivery_id between :first and :last and delivery_id = any(cast(:ids as bigint[]))
""")
_SETTLE = text("""
    update deliveries set reason = :reason, state = case when state = 'pending' then 'applied' else state end,
        handled_at = coalesce(handled_at, app_now())
    where id = any(cast(:ids as bigint[]))
""")
_READ = text(f"""
    select * from (
        select d.id, d.topic, d.state, d.received_at, {_BODY} as body from deliveries d
        where d.shop_id = :shop and d.id = any(cast(:ids as bigint[])) order by d.id desc limit :limit
    ) d where body is not null
""")
_NOT_UNDERSTOOD = text(f"""
    select * from (
        select d.id, d.topic, d.state, d.received_at, {_BODY} as body from deliveries d
        where d.shop_id = :shop and d.state <> 'applied' order by d.received_at desc, d.id desc limit :limit
    ) d where body is not null
""")
