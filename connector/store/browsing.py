"""What waits in one shop, and its kept deliveries, for support: lists, one with its raw body, and handling one again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.errors import NotFound, Refused
from connector.store import deliveries
from connector.store.inbox_tables import DeliveryRow
from connector.store.tables import AccountRow, ShopRow

STATES = ("pending", "applied", "no_meaning_yet", "after_uninstall", "quarantined")
REPLAYABLE = frozenset({"applied", "no_meaning_yet", "after_uninstall", "quarantined"})
"""All but what waits anyway: handling a delivery twice ends in the same rows."""
MOST_COUNTED = 10_000
MOST_LOOKED_AT = 20_000
"""How many deliveries one page looks at, at most: of a topic that is rare in a busy shop it may show fewer than fit."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are wanted; empty: all. `day` is a day in UTC."""

    state: str = ""
    topic: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One delivery of a list."""

    id: int
    topic: str
    state: str
    reason: str | None
    attempts: int
    received_at: datetime
    handled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of them, newest first. `older`: the delivery from which the next page goes on; None: there are no more."""

    rows: tuple[Shown, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class Kept:
    """One delivery with what is left of it. `headers` and `body` are None once the retention time took them."""

    row: DeliveryRow
    headers: str | None
    body: bytes | None
    speaks_of: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one shop, each up to 10,000; `oldest_at`: when the delivery came that waits the longest."""

    deliveries: int
    oldest_at: datetime | None
    due_checkouts: int
    queued_messages: int
    due_messages: int
    sending: int


def account_of(session: Session, shop: ShopRow) -> AccountRow:
    """The account of a shop."""
    return session.get_one(AccountRow, shop.account_id)


def backlog(session: Session, shop_id: int) -> Backlog:
    """What waits in a shop now."""
    return Backlog(*session.execute(_BACKLOG, {"shop": shop_id, "most": MOST_COUNTED}).one())


def list_deliveries(
    session: Session, shop_id: int, wanted: Filter, before: int | None, limit: int, *, most: int = MOST_LOOKED_AT
) -> Listing:
    """
    A shop's deliveries that fit, from the one after `before` on. An unknown `before` ends the list.

    No more than `most` are looked at; then `older` leads on from there though fewer than `limit` were found.
    """
    # A state that has an index of its own is found by it; its name must stand in the statement for that.
    state = f"and state = '{wanted.state}'" if wanted.state in ("pending", "quarantined") else ""
    values: dict[str, Any] = {
        "shop": shop_id,
        "before": before,
        "state": wanted.state or None,
        "topic": wanted.topic or None,
        "day": wanted.day,
        "most": most,
        "limit": limit,
    }
    found = session.execute(text(_LIST.format(state=state)), values).all()
    looked, last = (found[0].looked, found[0].last) if found else (0, None)
    rows = tuple(Shown(*row[2:]) for row in found if row.id is not None)
    if len(rows) >= limit:
        return Listing(rows, rows[-1].id)
    return Listing(rows, last if looked >= most else None)


def topics(session: Session, shop_id: int, *, most: int = MOST_LOOKED_AT) -> Sequence[str]:
    """The topics of a shop's `most` newest deliveries."""
    return session.execute(_TOPICS, {"shop": shop_id, "most": most}).scalars().all()


def load_delivery(session: Session, shop_id: int, number: int) -> Kept:
    """One delivery of a shop with its raw bytes. Raises NotFound."""
    row = session.scalars(select(DeliveryRow).where(col(DeliveryRow.shop_id) == shop_id, col(DeliveryRow.id) == number)).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    kept = session.execute(_BODY, {"day": row.received_on, "id": row.id}).one_or_none()
    headers, body = (None, None) if kept is None else (kept.headers, bytes(kept.body))
    return Kept(row, headers, body, speaks_of=session.execute(_PEOPLE, {"id": row.id}).scalar_one())


def replay_delivery(session: Session, shop_id: int, number: int) -> None:
    """
    Let one delivery of a shop wait again; the caller rings for the shop.

    Raises NotFound, or Refused for one that waits already or whose bytes are gone.
    """
    lock = select(DeliveryRow).where(col(DeliveryRow.shop_id) == shop_id, col(DeliveryRow.id) == number).with_for_update()
    row = session.scalars(lock).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    if row.state not in REPLAYABLE:
        raise Refused("This delivery waits already: it is handled by itself.")
    if not deliveries.replay(session, [number]):
        raise Refused("The bytes of this delivery are gone: there is nothing left to handle.")
    session.expire(row)


# Newest first by the instant of arrival and, among equals, the number. `looked` and `last` stand in every row, so that they are known
# even where nothing fits.
_LIST = """
with looked as materialized (
    select id, topic, state, reason, attempts, received_at, handled_at from deliveries
    where shop_id = :shop {state}
      and (cast(:before as bigint) is null or (received_at, id) < (
          select b.received_at, b.id from deliveries b where b.id = :before and b.shop_id = :shop))
      and (cast(:day as date) is null
           or (received_at >= cast(:day as date)::timestamp at time zone 'UTC'
               and received_at < (cast(:day as date) + 1)::timestamp at time zone 'UTC'))
    order by received_at desc, id desc limit :most
),
fitting as (
    select * from looked where (cast(:state as text) is null or state = :state) and (cast(:topic as text) is null or topic = :topic)
    order by received_at desc, id desc limit :limit
),
seen as (
    select count(*) as looked, (select id from looked order by received_at, id limit 1) as last from looked
)
select s.looked, s.last, f.* from seen s left join fitting f on true order by f.received_at desc, f.id desc
"""
_TOPICS = text("""
select distinct topic from (
    select topic from deliveries where shop_id = :shop order by received_at desc, id desc limit :most
) t order by topic
""")
_BODY = text("select headers, body from delivery_bodies where received_on = :day and delivery_id = :id")
# The numbers of deliveries rise with time: an index by ranges finds what speaks of one.
_PEOPLE = text("select count(*) from delivery_people where delivery_id = :id")
# Partial indexes hold what waits and nothing else.
_BACKLOG = text("""
select
    (select count(*) from (select 1 from deliveries where shop_id = :shop and state = 'pending' limit :most) x),
    (select received_at from deliveries where shop_id = :shop and state = 'pending' order by id limit 1),
    (select count(*) from (select 1 from checkouts where shop_id = :shop and due_at <= app_now() limit :most) x),
    (select count(*) from (select 1 from messages where shop_id = :shop and state = 'queued' limit :most) x),
    (select count(*) from (select 1 from messages where shop_id = :shop and state = 'queued' and due_at <= app_now() limit :most) x),
    (select count(*) from (select 1 from messages where shop_id = :shop and state = 'sending' limit :most) x)
""")
