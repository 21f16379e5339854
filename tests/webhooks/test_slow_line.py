"""Commits that take long, as over a slow line: further connections help, and nobody waits for two commits."""

import asyncio

import pytest

from connector.store.db import Database
from connector.store.keeping import Keeper, StoreUnavailable
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.webhooks.stand import FakeKeeper, make_incoming, until
from tests.webhooks.test_directory import SECRET, Clock, FakeReader
from webhooks.directory import ShopDirectory
from webhooks.inbox import Inbox, Limits, NotKept

pytestmark = pytest.mark.anyio


def helped(keeper: FakeKeeper, *helpers: FakeKeeper) -> Inbox:
    """An inbox with helpers."""
    for helper in helpers:
        helper.gate.set()
    return Inbox(keeper, lambda shop_id: None, Limits(longest_pause_seconds=0.1), helpers)


async def test_helpers_get_ready_before_they_are_needed_and_then_leave_the_work_to_the_flusher() -> None:
    keeper, helper = FakeKeeper(), FakeKeeper()
    keeper.gate.set()
    inbox = helped(keeper, helper)
    await inbox.start()
    await until(lambda: helper.is_open)
    for number in range(20):
        await inbox.keep(make_incoming(number))
    assert helper.batches == [0]
    assert len(keeper.kept) == 20
    await inbox.stop()
    assert (keeper.is_open, helper.is_open) == (False, False)


async def test_what_waits_behind_a_slow_commit_is_kept_beside_it() -> None:
    keeper, helper = FakeKeeper(), FakeKeeper()
    inbox = helped(keeper, helper)
    await inbox.start()
    first = asyncio.create_task(inbox.keep(make_incoming(0)))
    await until(lambda: keeper.batches == [1])
    async with asyncio.timeout(1):
        await asyncio.gather(*(inbox.keep(make_incoming(number)) for number in range(1, 11)))
    assert not first.done()
    assert len(helper.kept) == 10
    keeper.gate.set()
    await first
    await inbox.stop()


async def test_a_helper_that_fails_loses_nothing_and_tries_again_later() -> None:
    keeper, helper = FakeKeeper(), FakeKeeper(fails_at={2})
    inbox = helped(keeper, helper)
    await inbox.start()
    await until(lambda: helper.batches == [0])
    first = asyncio.create_task(inbox.keep(make_incoming(0)))
    await until(lambda: keeper.batches == [1])
    second = asyncio.create_task(inbox.keep(make_incoming(1)))
    await until(lambda: helper.batches[:2] == [0, 1])
    assert not inbox.is_failing, "the flusher may still succeed"
    await until(lambda: second.done())
    assert set(helper.kept) == {make_incoming(1).key}
    keeper.gate.set()
    await first
    await inbox.stop()


async def test_what_a_helper_gives_back_at_the_very_end_is_refused_not_forgotten() -> None:
    keeper, helper = FakeKeeper(), FakeKeeper()
    inbox = helped(keeper, helper)
    await inbox.start()
    await until(lambda: helper.batches == [0])
    first = asyncio.create_task(inbox.keep(make_incoming(0)))
    await until(lambda: keeper.batches == [1])
    helper.gate.clear()
    second = asyncio.create_task(inbox.keep(make_incoming(1)))
    await until(lambda: helper.batches == [0, 1])
    helper.failures.append(StoreUnavailable("gone"))
    stopping = asyncio.create_task(inbox.stop())
    keeper.gate.set()
    await first
    await asyncio.sleep(0.1)
    helper.gate.set()
    await stopping
    with pytest.raises(NotKept):
        await second
    assert inbox.waiting == 0


async def test_an_inbox_knows_that_it_fails_until_a_batch_or_somebody_else_shows_the_contrary() -> None:
    keeper = FakeKeeper(failures=[StoreUnavailable("gone")])
    keeper.gate.set()
    inbox = helped(keeper)
    await inbox.start()
    await until(lambda: inbox.is_failing)
    await inbox.keep(make_incoming(1))
    assert not inbox.is_failing
    keeper.failures.append(StoreUnavailable("out of room"))
    keeping = asyncio.create_task(inbox.keep(make_incoming(2)))
    await until(lambda: inbox.is_failing)
    inbox.hope()
    assert not inbox.is_failing
    await keeping
    await inbox.stop()


async def test_the_same_delivery_on_two_connections_at_once_is_kept_once(db: Database, shopify_shop: TestShop) -> None:
    keepers = [Keeper(db.url) for _ in range(3)]
    for keeper in keepers:
        await keeper.open()
        assert await keeper.keep([], 2.0) == set()
    rows = [make_incoming(number, shopify_shop.id) for number in range(50)]
    found = await asyncio.gather(*(keeper.keep(rows[:: (1 if n % 2 else -1)], 2.0) for n, keeper in enumerate(keepers)))
    assert sorted(map(len, found)) == [0, 0, 1]
    for keeper in keepers:
        await keeper.close()


async def test_a_shop_that_keeps_delivering_is_read_again_while_it_is_served_from_memory(vault: Vault) -> None:
    reader, clock = FakeReader(vault, {"a": SECRET}), Clock()
    reader.gate.set()
    directory = ShopDirectory(reader, vault, lambda: clock.seconds)
    first = await directory.find("woocommerce", "a", by_key=True)
    clock.seconds += 19
    assert await directory.find("woocommerce", "a", by_key=True) is first
    assert reader.asked == ["a"]
    clock.seconds += 2
    reader.gate.clear()
    for _ in range(5):
        assert await directory.find("woocommerce", "a", by_key=True) is first, "nobody waits"
        await asyncio.sleep(0)
    assert reader.asked == ["a", "a"], "and one look-up is enough"
    reader.gate.set()
    await asyncio.sleep(0.01)
    clock.seconds += 15
    second = await directory.find("woocommerce", "a", by_key=True)
    assert second is not None
    assert second is not first
    assert reader.asked == ["a", "a"]


async def test_looking_ahead_rests_after_a_failure_and_troubles_nobody(vault: Vault) -> None:
    reader, clock = FakeReader(vault, {"a": SECRET}), Clock()
    reader.gate.set()
    directory = ShopDirectory(reader, vault, lambda: clock.seconds)
    first = await directory.find("woocommerce", "a", by_key=True)
    clock.seconds += 21
    reader.failures += [StoreUnavailable("gone")] * 10
    for _ in range(5):
        assert await directory.find("woocommerce", "a", by_key=True) is first
        await asyncio.sleep(0.01)
    tried = len(reader.asked)
    assert tried <= 3
    clock.seconds += 1.1
    await directory.find("woocommerce", "a", by_key=True)
    await asyncio.sleep(0.01)
    assert len(reader.asked) > tried
