"""
The asynchronous way into the inbox: many deliveries in one commit, and the look-ups that the webhook door needs.

The door answers thousands of requests a second from one event loop, so these speak to the driver directly, on connections
of their own.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar, LiteralString

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

from connector.errors import ConnectorError
from connector.store.db import SYSTEM_ROLE, libpq_url
from connector.store.deliveries import Incoming

CONNECT_SECONDS = 2.0

# An acknowledged delivery is on disk whatever the server's default says, hence synchronous_commit.
AS_SYSTEM: LiteralString = f"""
set role {SYSTEM_ROLE}; set timezone = 'UTC'; set synchronous_commit = on; set statement_timeout = '2s'
"""


class StoreUnavailable(ConnectorError):
    """The database cannot keep anything now: gone, too slow, out of room. The same call may succeed on a new connection."""


class RowRefused(ConnectorError):
    """The database refuses the content of a row; nothing of that statement was kept."""


@dataclass(frozen=True, slots=True)
class KnownShop:
    """What the door needs of a shop: its id, the sealed secret of its webhooks, its state."""

    shop_id: int
    sealed_secret: bytes | None
    state: str


class Link:
    """One connection, for one statement at a time. After trouble, `open` again."""

    settle: ClassVar[LiteralString] = AS_SYSTEM
    """What is said first on each connection."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._cursor: AsyncCursor[Any] | None = None

    @property
    def is_open(self) -> bool:
        """False before `open`, and once the connection is known to be lost."""
        return self._cursor is not None and not self._cursor.connection.closed

    async def open(self, seconds: float = CONNECT_SECONDS) -> None:
        """Connect, within `seconds` for the handshake and as much for the settings. Raises StoreUnavailable."""
        await self.close()
        with _in_our_words():
            async with asyncio.timeout(seconds):
                connection = await AsyncConnection.connect(self._url, autocommit=True)
        connection.adapters.register_dumper(_Array, _ArrayDumper)
        self._cursor = connection.cursor(binary=True)
        try:
            await self._within(seconds, connection.execute(self.settle))
        except RowRefused as error:  # as when the role is missing
            await self.close()
            raise StoreUnavailable(str(error)) from error
        except BaseException:
            await self.close()
            raise

    def abort(self) -> None:
        """Cut the line: a statement that waits for its answer fails at once."""
        if self._cursor is not None and self.is_open:
            with socket.socket(fileno=os.dup(self._cursor.connection.fileno())) as line, suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Let the connection go."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            await cursor.connection.close()

    async def _run(self, statement: LiteralString, values: Sequence[object], seconds: float) -> list[Any]:
        if self._cursor is None:
            raise StoreUnavailable("the database connection is not open")
        await self._within(seconds, self._cursor.execute(statement, values, prepare=True))
        return await self._cursor.fetchall()

    async def _do(self, statement: LiteralString, values: Sequence[object] | None, seconds: float) -> None:
        """What answers no rows and is too rare to be prepared."""
        if self._cursor is None:
            raise StoreUnavailable("the database connection is not open")
        await self._within(seconds, self._cursor.connection.execute(statement, values))

    async def _within(self, seconds: float, work: Awaitable[object]) -> None:
        # Cancelling would wait for a server that may be gone; cutting the line makes the statement fail at once.
        timer = asyncio.get_running_loop().call_later(seconds, self.abort)
        try:
            with _in_our_words():
                await work
        finally:
            timer.cancel()


class Keeper(Link):
    """The way into the inbox: one connection on which many deliveries are kept in one commit."""

    async def keep(self, rows: Sequence[Incoming], seconds: float) -> set[int]:
        """
        Keep deliveries for good, each key once, within `seconds`, and answer the shops that have new ones.

        The keys of `rows` must differ. Rows go in by order of key, so that two processes that keep the same deliveries
        wait for each other and never deadlock. Raises RowRefused (nothing kept) or StoreUnavailable (perhaps kept).
        """
        with _in_our_words():
            values = _columns(sorted(rows, key=_key_of))
        return {shop_id for (shop_id,) in await self._run(_KEEP, values, seconds)}


class ShopReader(Link):
    """The door's look-ups, on a connection of their own so that they never wait behind a batch."""

    async def find_shop(self, platform: str, shop_ref: str, *, by_key: bool, seconds: float) -> KnownShop | None:
        """The shop by its key in our address (`by_key`) or by its domain. Raises RowRefused or StoreUnavailable."""
        rows = await self._run(_FIND_BY_KEY if by_key else _FIND_BY_DOMAIN, (platform, shop_ref), seconds)
        return KnownShop(*rows[0]) if rows else None

    async def count_unknown(self, counts: Mapping[tuple[str, str, str], int], seconds: float) -> None:
        """Add to the figures of shops that we do not know: (platform, shop, topic) -> deliveries. Raises StoreUnavailable."""
        keys = sorted(counts)
        columns = [_Texts(len(keys), _sized([key[part].encode() for key in keys])) for part in range(3)]
        await self._run(_COUNT_UNKNOWN, [*columns, _BigInts(len(keys), [_int8(8, counts[key]) for key in keys])], seconds)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn the driver's errors into ours: the row's fault, or the database's trouble."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError, ValueError, struct.error) as error:
        raise RowRefused(f"the database refuses a row: {type(error).__name__}") from error
    except (psycopg.Error, OSError) as error:
        raise StoreUnavailable(f"the database does not answer: {type(error).__name__}") from error


class _Array:
    """A ready-made binary array: half the work of lists that the driver converts item by item, and always of one type."""

    __slots__ = ("data",)
    oid: ClassVar[int]
    element: ClassVar[int]

    def __init__(self, count: int, pieces: Sequence[bytes]) -> None:
        """`pieces`: for each element its length and its bytes."""
        self.data = b"".join((_array_head(1, 1, self.element, count, 1), *pieces))


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
    count = len(rows)
    keys = _Byteas(count, _sized([row.key for row in rows]))
    return [
        keys,
        _BigInts(count, [_NULL if row.shop_id is None else _int8(8, row.shop_id) for row in rows]),
        _Texts(count, [_sized_text(row.platform) for row in rows]),
        _Texts(count, [_sized_text(row.topic) for row in rows]),
        _Instants(count, [_NULL if row.triggered_at is None else _int8(8, (row.triggered_at - _EPOCH) // _MICROSECOND) for row in rows]),
        keys,
        _Texts(count, _sized([row.headers.encode() for row in rows])),
        _Byteas(count, _sized([row.body for row in rows])),
    ]


def _sized(items: Sequence[bytes]) -> list[bytes]:
    return [piece for item in items for piece in (_length(len(item)), item)]


@lru_cache(maxsize=1024)
def _sized_text(text: str) -> bytes:
    data = text.encode()
    return _length(len(data)) + data


_key_of = attrgetter("key")
_array_head = struct.Struct("!iiIii").pack
_length = struct.Struct("!i").pack
_int8 = struct.Struct("!iq").pack
_NULL = _length(-1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # where PostgreSQL counts microseconds from
_MICROSECOND = timedelta(microseconds=1)

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
select distinct shop_id from kept where shop_id is not null
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
