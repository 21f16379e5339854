"""The cache of shops: how long it believes what it read, and what it never does."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from connector.store.keeping import KnownShop, RowRefused, StoreUnavailable
from connector.store.sealed import Vault
from webhooks import directory as directory_module
from webhooks.directory import ShopDirectory

pytestmark = pytest.mark.anyio

SECRET = {"secret": "one"}


@dataclass
class FakeReader:
    """Shops in memory. `gate` holds look-ups back; `asked` lists them."""

    vault: Vault
    shops: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_open: bool = False

    async def open(self, seconds: float = 2.0) -> None:
        """Open."""
        self.is_open = True

    async def find_shop(self, platform: str, shop_ref: str, *, by_key: bool, seconds: float) -> KnownShop | None:
        """Look into `shops`."""
        self.asked.append(shop_ref)
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        secrets = self.shops.get(shop_ref)
        return None if secrets is None else KnownShop(len(shop_ref), self.vault.seal(secrets), "connected")

    async def count_unknown(self, counts: Mapping[tuple[str, str, str], int], seconds: float) -> None:
        """Add up."""
        if self.failures:
            raise self.failures.pop(0)
        for key, count in counts.items():
            self.counts[key] = self.counts.get(key, 0) + count

    async def close(self) -> None:
        """Closed."""
        self.is_open = False


class Clock:
    """Monotonic seconds that stand still unless moved."""

    def __init__(self) -> None:
        self.seconds = 500.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def reader(vault: Vault) -> FakeReader:
    reader = FakeReader(vault, {"shop": dict(SECRET)})
    reader.gate.set()
    return reader


@pytest.fixture
async def directory(reader: FakeReader, vault: Vault, clock: Clock) -> ShopDirectory:
    return ShopDirectory(reader, vault, clock)


async def test_a_shop_is_read_once_in_half_a_minute(directory: ShopDirectory, reader: FakeReader, clock: Clock) -> None:
    for seconds in (0, 15, 14.9):
        clock.seconds += seconds
        entry = await directory.find("woocommerce", "shop", by_key=True)
        assert entry is not None
        assert entry.secrets == (b"one",)
    assert reader.asked == ["shop"]
    clock.seconds += 0.2
    await directory.find("woocommerce", "shop", by_key=True)
    assert reader.asked == ["shop", "shop"]


async def test_an_unknown_shop_is_asked_for_again_after_three_seconds(directory: ShopDirectory, reader: FakeReader, clock: Clock) -> None:
    for seconds in (0, 2.9):
        clock.seconds += seconds
        assert await directory.find("shopify", "new", by_key=False) is None
    assert reader.asked == ["new"]
    reader.shops["new"] = {}
    clock.seconds += 0.2
    entry = await directory.find("shopify", "new", by_key=False)
    assert entry is not None
    assert entry.secrets == ()


async def test_a_shop_that_vanished_is_unknown(directory: ShopDirectory, reader: FakeReader, clock: Clock) -> None:
    assert await directory.find("woocommerce", "shop", by_key=True)
    del reader.shops["shop"]
    clock.seconds += 31
    assert await directory.find("woocommerce", "shop", by_key=True) is None
    assert await directory.find("woocommerce", "shop", by_key=True) is None


async def test_many_requests_for_one_shop_are_one_look_up(directory: ShopDirectory, reader: FakeReader) -> None:
    reader.gate.clear()
    requests = [asyncio.create_task(directory.find("woocommerce", "shop", by_key=True)) for _ in range(50)]
    await asyncio.sleep(0.01)
    requests[0].cancel()
    reader.gate.set()
    entries = await asyncio.gather(*requests, return_exceptions=True)
    assert isinstance(entries[0], asyncio.CancelledError)
    assert len(set(entries[1:])) == 1
    assert reader.asked == ["shop"]


async def test_platforms_do_not_share_names(directory: ShopDirectory, reader: FakeReader) -> None:
    await directory.find("woocommerce", "shop", by_key=True)
    await directory.find("shopify", "shop", by_key=False)
    assert reader.asked == ["shop", "shop"]


async def test_both_secrets_of_a_rotation_count_newest_first(directory: ShopDirectory, reader: FakeReader) -> None:
    reader.shops["shop"] = {"previous": "old", "secret": "new"}
    entry = await directory.find("woocommerce", "shop", by_key=True)
    assert entry is not None
    assert entry.secrets == (b"new", b"old")


async def test_an_empty_secret_is_none(directory: ShopDirectory, reader: FakeReader) -> None:
    reader.shops["shop"] = {"secret": "", "previous": ""}
    entry = await directory.find("woocommerce", "shop", by_key=True)
    assert entry is not None
    assert entry.secrets == ()


async def test_bad_signatures_cost_at_most_one_look_up_a_second(directory: ShopDirectory, reader: FakeReader, clock: Clock) -> None:
    entry = await directory.find("woocommerce", "shop", by_key=True)
    assert entry is not None
    assert await directory.find_again("woocommerce", "shop", entry, by_key=True) is None
    clock.seconds += 1.1
    for _ in range(100):
        assert await directory.find_again("woocommerce", "shop", entry, by_key=True)
    assert reader.asked == ["shop", "shop"]


async def test_forgetting_asks_again(directory: ShopDirectory, reader: FakeReader) -> None:
    await directory.find("woocommerce", "shop", by_key=True)
    directory.forget("woocommerce", "shop")
    directory.forget("woocommerce", "never known")
    await directory.find("woocommerce", "shop", by_key=True)
    assert reader.asked == ["shop", "shop"]


async def test_invented_names_push_no_shop_out(directory: ShopDirectory, reader: FakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "MOST_ENTRIES", 10)
    await directory.find("woocommerce", "shop", by_key=True)
    for number in range(100):
        assert await directory.find("woocommerce", f"invented-{number}", by_key=True) is None
    await directory.find("woocommerce", "shop", by_key=True)
    assert reader.asked.count("shop") == 1
    await directory.find("woocommerce", "invented-99", by_key=True)
    await directory.find("woocommerce", "invented-0", by_key=True)
    assert (reader.asked.count("invented-99"), reader.asked.count("invented-0")) == (1, 2)


async def test_a_lost_connection_is_tried_once_more(directory: ShopDirectory, reader: FakeReader) -> None:
    await directory.start()
    reader.failures = [StoreUnavailable("gone")]
    assert await directory.find("woocommerce", "shop", by_key=True)
    reader.failures = [StoreUnavailable("gone"), StoreUnavailable("gone")]
    with pytest.raises(StoreUnavailable):
        await directory.find("woocommerce", "other", by_key=True)
    assert await directory.find("woocommerce", "other", by_key=True) is None


async def test_a_name_that_the_database_cannot_hold_is_unknown(directory: ShopDirectory, reader: FakeReader) -> None:
    reader.failures = [RowRefused("NUL")]
    assert await directory.find("shopify", "a\x00", by_key=False) is None


async def test_a_look_up_does_not_wait_for_ever_for_its_turn(
    directory: ShopDirectory, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "LOOK_UP_SECONDS", 0.05)
    reader.gate.clear()
    first = asyncio.create_task(directory.find("woocommerce", "shop", by_key=True))
    await asyncio.sleep(0.01)
    with pytest.raises(StoreUnavailable):
        await directory.find("woocommerce", "other", by_key=True)
    reader.gate.set()
    assert await first


async def test_strangers_are_counted_together_and_in_bounds(
    directory: ShopDirectory, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "MOST_COUNTED", 3)
    for number in range(5):
        for _ in range(2):
            directory.count_unknown("shopify", f"stranger-{number}", "orders/create")
    await directory.stop()
    assert reader.counts == {
        ("shopify", "stranger-0", "orders/create"): 2,
        ("shopify", "stranger-1", "orders/create"): 2,
        ("shopify", "stranger-2", "orders/create"): 2,
        ("shopify", "(others)", "orders/create"): 4,
    }


async def test_figures_that_cannot_be_written_do_no_harm(directory: ShopDirectory, reader: FakeReader) -> None:
    reader.failures = [StoreUnavailable("gone")]
    directory.count_unknown("shopify", "stranger", "orders/create")
    await directory.stop()
    directory.count_unknown("shopify", "stranger", "orders/create")
    await directory.stop()
    assert reader.counts == {("shopify", "stranger", "orders/create"): 1}
