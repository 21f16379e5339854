"""
Which shops the door knows: a cache in front of the database, with each shop's webhook secrets opened.

A shop is remembered for half a minute, an unknown one for three seconds, ten thousand of each; look-ups of the same shop at
the same time are one look-up, and a shop that keeps delivering is looked up again before it has to be. Names that do not exist
cannot push shops out of the cache.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from connector.store.keeping import KnownShop, RowRefused, StoreUnavailable
from connector.store.sealed import Vault

KNOWN_SECONDS = 30.0
AHEAD_SECONDS = 20.0
UNKNOWN_SECONDS = 3.0
FRESH_SECONDS = 1.0
LOOK_UP_SECONDS = 1.5
COUNT_SECONDS = 0.2
MOST_ENTRIES = 10_000
MOST_COUNTED = 1_000

log = structlog.get_logger()

Value = TypeVar("Value")


class FindsShops(Protocol):
    """Where shops are looked up; `connector.store.keeping.ShopReader` is one."""

    @property
    def is_open(self) -> bool: ...
    async def open(self, seconds: float = ...) -> None: ...
    async def find_shop(self, platform: str, shop_ref: str, *, by_key: bool, seconds: float) -> KnownShop | None: ...
    async def count_unknown(self, counts: Mapping[tuple[str, str, str], int], seconds: float) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ShopEntry:
    """A shop as the door sees it. `secrets`: those that sign its own deliveries, newest first. `read_at`: monotonic seconds."""

    shop_id: int
    secrets: tuple[bytes, ...]
    read_at: float


class ShopDirectory:
    """Finds shops by platform and name: the key in our address (`by_key`) or the store's domain."""

    def __init__(self, reader: FindsShops, vault: Vault, now: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._vault = vault
        self._now = now
        self._known: dict[tuple[str, str], ShopEntry] = {}
        self._unknown: dict[tuple[str, str], float] = {}
        self._looking: dict[tuple[str, str], asyncio.Task[ShopEntry | None]] = {}
        self._turn = asyncio.Lock()
        self._rest_until = 0.0
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._counting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect. A database that is away is tried again by each look-up."""
        try:
            await self._reader.open()
        except StoreUnavailable as error:
            log.warning("directory.unavailable", reason=str(error))

    async def stop(self) -> None:
        """Write the last figures and close the connection."""
        if self._counting is not None:
            await self._counting
        await self._reader.close()

    async def find(self, platform: str, shop_ref: str, *, by_key: bool) -> ShopEntry | None:
        """The shop, None if there is none. Raises StoreUnavailable, or ConfigError if its secret cannot be opened."""
        key = (platform, shop_ref)
        entry = self._known.get(key)
        if entry is not None and (age := self._now() - entry.read_at) < KNOWN_SECONDS:
            if age > AHEAD_SECONDS:
                self._look_ahead(key, by_key=by_key)
            return entry
        read_at = self._unknown.get(key)
        if read_at is not None and self._now() - read_at < UNKNOWN_SECONDS:
            return None
        return await self._look_up(key, by_key=by_key)

    async def find_again(self, platform: str, shop_ref: str, entry: ShopEntry, *, by_key: bool) -> ShopEntry | None:
        """
        The same shop read anew, because its secret may have been exchanged; None if `entry` is fresh.

        At most one look-up a second and shop: bad signatures cannot be used to tire the database.
        """
        if self._now() - entry.read_at < FRESH_SECONDS:
            return None
        known = self._known.get((platform, shop_ref))
        if known is not None and self._now() - known.read_at < FRESH_SECONDS:
            return known
        return await self._look_up((platform, shop_ref), by_key=by_key)

    def forget(self, platform: str, shop_ref: str) -> None:
        """Look this shop up again next time."""
        self._known.pop((platform, shop_ref), None)

    def count_unknown(self, platform: str, shop_ref: str, topic: str) -> None:
        """Count an authentic delivery of a shop that we do not know; written down a moment later."""
        key = (platform, shop_ref, topic)
        if key not in self._counts and len(self._counts) >= MOST_COUNTED:
            key = (platform, "(others)", topic)
        self._counts[key] += 1
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._write_counts())

    def _look_ahead(self, key: tuple[str, str], *, by_key: bool) -> None:
        """Renew an entry that will soon be too old, while everybody is still served from it; trouble is for those who must ask."""
        if key not in self._looking and self._now() >= self._rest_until:
            looking = self._begin_look_up(key, by_key=by_key)
            looking.add_done_callback(self._rest_after)

    def _rest_after(self, looking: "asyncio.Task[ShopEntry | None]") -> None:
        if looking.cancelled() or looking.exception() is not None:
            self._rest_until = self._now() + FRESH_SECONDS

    async def _look_up(self, key: tuple[str, str], *, by_key: bool) -> ShopEntry | None:
        looking = self._looking.get(key)
        if looking is None:
            looking = self._begin_look_up(key, by_key=by_key)
        # Shielded: one request that is given up must not fail the others that wait for the same shop.
        return await asyncio.shield(looking)

    def _begin_look_up(self, key: tuple[str, str], *, by_key: bool) -> "asyncio.Task[ShopEntry | None]":
        looking = self._looking[key] = asyncio.create_task(self._read(key, by_key=by_key))
        looking.add_done_callback(lambda _: self._looking.pop(key))
        return looking

    async def _read(self, key: tuple[str, str], *, by_key: bool) -> ShopEntry | None:
        read_at = self._now()
        shop = await self._ask(key, by_key=by_key)
        if shop is None:
            self._known.pop(key, None)
            _remember(self._unknown, key, read_at)
            return None
        # Only shops with an address of their own are signed with a secret of their own.
        opened = self._vault.open(shop.sealed_secret) if by_key and shop.sealed_secret else {}
        secrets = tuple(opened[name].encode() for name in ("secret", "previous") if opened.get(name))
        entry = ShopEntry(shop.shop_id, secrets, read_at)
        self._unknown.pop(key, None)
        _remember(self._known, key, entry)
        return entry

    async def _ask(self, key: tuple[str, str], *, by_key: bool) -> KnownShop | None:
        """Ask the database when it is our turn; a connection that was lost while nobody used it costs one more try."""
        until = time.monotonic() + LOOK_UP_SECONDS
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("the database is slow: the shop could not be looked up in time") from error
        try:
            was_open = self._reader.is_open
            try:
                return await self._ask_once(key, by_key, until)
            except StoreUnavailable:
                await self._reader.close()
                if not was_open or time.monotonic() >= until:
                    raise
                return await self._ask_once(key, by_key, until)
        except RowRefused:
            return None  # a name that the database cannot even hold
        finally:
            self._turn.release()

    async def _ask_once(self, key: tuple[str, str], by_key: bool, until: float) -> KnownShop | None:
        if not self._reader.is_open:
            await self._reader.open(max(0.05, until - time.monotonic()))
        return await self._reader.find_shop(*key, by_key=by_key, seconds=max(0.05, until - time.monotonic()))

    async def _write_counts(self) -> None:
        while self._counts:
            await asyncio.sleep(COUNT_SECONDS)
            counts, self._counts = self._counts, Counter()
            try:
                async with self._turn:
                    if not self._reader.is_open:
                        await self._reader.open()
                    await self._reader.count_unknown(counts, LOOK_UP_SECONDS)
            except (StoreUnavailable, RowRefused) as error:
                # Figures, not deliveries: what cannot be written now is not worth keeping.
                log.warning("directory.counts_lost", reason=str(error), counts=counts.total())


def _remember(cache: dict[tuple[str, str], Value], key: tuple[str, str], value: Value) -> None:
    """Put at the end; the longest unread entry makes room."""
    cache.pop(key, None)
    if len(cache) >= MOST_ENTRIES:
        del cache[next(iter(cache))]
    cache[key] = value
