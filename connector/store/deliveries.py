"""
The rows of the inbox: how deliveries get in (many in one commit), and how they are claimed, marked and replayed.

The way in is asynchronous and has connections of its own, since the webhook door answers thousands of requests a second
from one event loop; the rest runs inside a transaction of the caller's.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from struct import Struct
from typing import Any, ClassVar, LiteralString

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import text
from sqlmodel import Session

from connector.errors import ConnectorError
from connector.store.db import SYSTEM_ROLE, libpq_url

CONNECT_SECONDS = 2.0


class StoreUnavailable(ConnectorError):
    """The database cannot keep anything now: gone, too slow, out of room. The same call may succeed on a new connection."""


class RowRefused(ConnectorError):
    """The database refuses the content of a row; nothing of that statement was kept."""


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
class KnownShop:
    """What the door needs of a shop: its id, the sealed secret of its webhooks, its state."""

    shop_id: int
    sealed_secret: bytes | None
    state: str


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

    `shop_id` None claims those without a shop: privacy requests of shops we do not know (needs a system transaction).
    """
    rows = session.execute(_CLAIM if shop_id is not None else _CLAIM_WITHOUT_SHOP, {"shop": shop_id, "limit": limit})
    return [Pending(*row) for row in rows]


def mark(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of claimed deliveries, in one statement. `pending` leaves one waiting, with one more attempt."""
    if outcomes:
        session.execute(
            _MARK,
            {
                "ids": [outcome.delivery_id for outcome in outcomes],
                "states": [outcome.state for outcome in outcomes],
                "reasons": [outcome.reason for outcome in outcomes],
            },
        )


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


class _Link:
    """One connection of the system role, for one statement at a time. After trouble, `open` again."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._cursor: AsyncCursor[Any] | None = None

    @property
    def is_open(self) -> bool:
        """False before `open`, and once the connection is known to be lost."""
        return self._cursor is not None and not self._cursor.connection.closed

    async def open(self) -> None:
        """Connect, within two seconds; an earlier connection is dropped. Raises StoreUnavailable."""
        await self.close()
        with _in_our_words():
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await AsyncConnection.connect(self._url, autocommit=True)
                try:
                    await connection.execute(_SETTLE)
                except BaseException:
                    await connection.close()
                    raise
        connection.adapters.register_dumper(_Array, _ArrayDumper)
        self._cursor = connection.cursor(binary=True)

    def abort(self) -> None:
        """Cut the line: a statement that waits for its answer fails at once. Cancelling it would wait for the server."""
        if self._cursor is not None and self.is_open:
            with socket.socket(fileno=os.dup(self._cursor.connection.fileno())) as line, suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Let the connection go."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            await cursor.connection.close()

    async def _run(self, statement: LiteralString, values: Sequence[object]) -> list[Any]:
        with _in_our_words():
            if self._cursor is None:
                raise StoreUnavailable("the database connection is not open")
            await self._cursor.execute(statement, values, prepare=True)
            return await self._cursor.fetchall()


class Keeper(_Link):
    """The way into the inbox: one connection on which many deliveries are kept in one commit."""

    async def keep(self, rows: Sequence[Incoming]) -> list[tuple[int, int | None]]:
        """
        Keep deliveries for good, each key once, and answer (id, shop id) of those that are new.

        The keys of `rows` must differ. Rows go in by order of key, so that two processes that keep the same deliveries
        wait for each other and never deadlock. Raises RowRefused (nothing kept) or StoreUnavailable (perhaps kept).
        """
        with _in_our_words():
            values = _columns(sorted(rows, key=_key_of))
        return await self._run(_KEEP, values)


class ShopReader(_Link):
    """The door's look-ups, on a connection of their own so that they never wait behind a batch."""

    async def find_shop(self, platform: str, shop_ref: str, *, by_key: bool) -> KnownShop | None:
        """The shop by its key in our address (`by_key`) or by its domain. Raises StoreUnavailable."""
        rows = await self._run(_FIND_BY_KEY if by_key else _FIND_BY_DOMAIN, (platform, shop_ref))
        return KnownShop(*rows[0]) if rows else None

    async def count_unknown(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Add to the figures of shops that we do not know: (platform, shop, topic) -> deliveries. Raises StoreUnavailable."""
        keys = sorted(counts)
        columns = [_Texts([key[part].encode() for key in keys]) for part in range(3)]
        await self._run(_COUNT_UNKNOWN, [*columns, _BigInts([_int8(counts[key]) for key in keys])])


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn the driver's errors into ours: the row's fault, or the database's trouble."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError, ValueError, OverflowError) as error:
        raise RowRefused(f"the database refuses a row: {type(error).__name__}") from error
    except (psycopg.Error, OSError) as error:
        raise StoreUnavailable(f"the database does not answer: {type(error).__name__}") from error


class _Array:
    """A ready-made binary array: half the work of lists that the driver converts item by item, and always of one type."""

    __slots__ = ("data",)
    oid: ClassVar[int]
    element: ClassVar[int]

    def __init__(self, items: Sequence[bytes | None]) -> None:
        parts = [_array_head(1, None in items, self.element, len(items), 1)]
        for item in items:
            if item is None:
                parts.append(_NULL)
            else:
                parts += (_length(len(item)), item)
        self.data = b"".join(parts)


class _Byteas(_Array):
    oid, element = 1001, 17


class _Texts(_Array):
    oid, element = 1009, 25


class _BigInts(_Array):
    oid, element = 1016, 20


class _Instants(_Array):
    oid, element = 1185, 1184


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def __init__(self, cls: type[_Array], context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self.oid = cls.oid

    def dump(self, obj: _Array) -> bytes:
        return obj.data


def _columns(rows: Sequence[Incoming]) -> list[_Array]:
    keys = _Byteas([row.key for row in rows])
    return [
        keys,
        _BigInts([None if row.shop_id is None else _int8(row.shop_id) for row in rows]),
        _Texts([row.platform.encode() for row in rows]),
        _Texts([row.topic.encode() for row in rows]),
        _Instants([None if row.triggered_at is None else _int8((row.triggered_at - _EPOCH) // _MICROSECOND) for row in rows]),
        keys,
        _Texts([row.headers.encode() for row in rows]),
        _Byteas([row.body for row in rows]),
    ]


_key_of = attrgetter("key")
_array_head = Struct("!iiIii").pack
_length = Struct("!i").pack
_int8 = Struct("!q").pack
_NULL = _length(-1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # where PostgreSQL counts microseconds from
_MICROSECOND = timedelta(microseconds=1)

# An acknowledged delivery is on disk whatever the server's default says, hence synchronous_commit.
_SETTLE: LiteralString = f"""
set role {SYSTEM_ROLE}; set timezone = 'UTC'; set synchronous_commit = on; set statement_timeout = '2s'
"""

_KEEP: LiteralString = """
with now as materialized (select app_now() as at),
kept as (
    insert into deliveries (key, shop_id, platform, topic, triggered_at, received_at, received_on)
    select g.key, g.shop_id, g.platform, g.topic, g.triggered_at, now.at, (now.at at time zone 'UTC')::date
    from unnest(%b, %b, %b, %b, %b) as g (key, shop_id, platform, topic, triggered_at), now
    on conflict (key) do nothing
    returning id, key, shop_id, received_on
),
bodies as (
    insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
    select kept.received_on, kept.id, kept.shop_id, g.headers, g.body
    from unnest(%b, %b, %b) as g (key, headers, body) join kept on kept.key = g.key
)
select id, shop_id from kept
"""

_FIND: LiteralString = "select id, webhook_secret, state from shops where platform = %s and "
_FIND_BY_KEY: LiteralString = _FIND + "shop_key = %s"
_FIND_BY_DOMAIN: LiteralString = _FIND + "domain = %s"

_COUNT_UNKNOWN: LiteralString = """
insert into unknown_shops (platform, shop_ref, topic, count, last_at)
select g.platform, g.shop_ref, g.topic, g.count, app_now() from unnest(%b, %b, %b, %b) as g (platform, shop_ref, topic, count)
on conflict (platform, shop_ref, topic) do update set count = unknown_shops.count + excluded.count, last_at = excluded.last_at
returning count
"""

# The body is looked up row by row through its partition's key: a join could be planned as a scan of every partition.
_CLAIM_TEXT = """
with claimed as materialized (
    select id, platform, topic, received_at, triggered_at, received_on, attempts from deliveries
    where state = 'pending' and shop_id {which}
    order by id limit :limit for update skip locked
)
select id, platform, topic, received_at, triggered_at,
    coalesce((select body from delivery_bodies b where b.received_on = claimed.received_on and b.delivery_id = claimed.id), ''::bytea),
    attempts
from claimed order by id
"""
_CLAIM = text(_CLAIM_TEXT.format(which="= :shop"))
_CLAIM_WITHOUT_SHOP = text(_CLAIM_TEXT.format(which="is null"))

_MARK = text("""
update deliveries d set state = o.state, reason = o.reason, attempts = least(d.attempts + 1, 32767),
    handled_at = case when o.state = 'pending' then null else app_now() end
from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:reasons as text[])) as o (id, state, reason)
where d.id = o.id
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
