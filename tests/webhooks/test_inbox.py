"""How the inbox batches, bounds, isolates and gives up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import text

from connector.store.db import Database
from connector.store.deliveries import Incoming
from connector.store.keeping import Keeper, StoreUnavailable
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.fakes import sign
from tests.webhooks.stand import BODY, FakeKeeper, make_incoming, open_door, until
from webhooks.bell import Bell
from webhooks.inbox import Inbox, InboxFull, Limits, NotKept, Unkeepable

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(keeper: FakeKeeper | Keeper, limits: Limits | None = None, woken: list[int] | None = None) -> AsyncIterator[Inbox]:
    """A running inbox."""
    inbox = Inbox(keeper, (woken if woken is not None else []).append, limits)
    await inbox.start()
    try:
        yield inbox
    finally:
        await inbox.stop()


async def outcome_of(inbox: Inbox, number: int, shop_id: int | None = None) -> str:
    """Keep a made-up row and tell what came of it."""
    return await outcome_of_row(inbox, make_incoming(number, shop_id))


async def outcome_of_row(inbox: Inbox, row: Incoming) -> str:
    """Keep a row and tell what came of it."""
    try:
        await inbox.keep(row)
    except NotKept as error:
        return type(error).__name__
    return "kept"


async def test_what_arrives_during_a_commit_is_the_next_batch() -> None:
    keeper = FakeKeeper()
    async with opened(keeper) as inbox:
        first = asyncio.create_task(outcome_of(inbox, 0))
        await until(lambda: keeper.batches == [1])
        rest = [asyncio.create_task(outcome_of(inbox, number)) for number in range(1, 41)]
        await until(lambda: inbox.waiting == 41)
        keeper.gate.set()
        assert await asyncio.gather(first, *rest) == ["kept"] * 41
        assert keeper.batches == [1, 40]
        assert inbox.waiting == 0


async def test_nobody_is_answered_before_the_commit() -> None:
    keeper = FakeKeeper()
    async with opened(keeper) as inbox:
        request = asyncio.create_task(outcome_of(inbox, 1))
        await asyncio.sleep(0.05)
        assert not request.done()
        keeper.gate.set()
        assert await request == "kept"


async def test_a_batch_is_bounded_by_rows_and_by_bytes() -> None:
    for limits in (Limits(batch_rows=7), Limits(batch_bytes=7 * (len(BODY) + 31))):
        keeper = FakeKeeper()
        async with opened(keeper, limits) as inbox:
            requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(20)]
            keeper.gate.set()
            assert await asyncio.gather(*requests) == ["kept"] * 20
        assert keeper.batches == [7, 7, 6]


async def test_one_row_larger_than_a_batch_goes_alone() -> None:
    keeper = FakeKeeper()
    async with opened(keeper, Limits(batch_bytes=10)) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(3)]
        keeper.gate.set()
        assert await asyncio.gather(*requests) == ["kept"] * 3
    assert keeper.batches == [1, 1, 1]


@pytest.mark.parametrize("limits", [Limits(rows=5), Limits(bytes=5 * (len(BODY) + 31) + 1)])
async def test_a_full_inbox_refuses_at_once_and_recovers(limits: Limits) -> None:
    keeper = FakeKeeper()
    async with opened(keeper, limits) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(5)]
        await until(lambda: inbox.waiting == 5)
        with pytest.raises(InboxFull):
            await inbox.keep(make_incoming(6))
        keeper.gate.set()
        assert await asyncio.gather(*requests) == ["kept"] * 5
        assert await outcome_of(inbox, 6) == "kept"


async def test_the_same_delivery_twice_in_a_batch_is_one_row_and_both_are_answered() -> None:
    keeper = FakeKeeper()
    async with opened(keeper) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, 1)) for _ in range(10)]
        keeper.gate.set()
        assert await asyncio.gather(*requests) == ["kept"] * 10
    assert keeper.batches == [1]
    assert len(keeper.kept) == 1


async def test_a_shop_is_woken_once_for_a_batch() -> None:
    keeper, woken = FakeKeeper(), list[int]()
    async with opened(keeper, woken=woken) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number, number % 2 + 7)) for number in range(20)]
        keeper.gate.set()
        await asyncio.gather(*requests)
    assert sorted(woken) == [7, 8]


async def test_bad_rows_fail_alone() -> None:
    keeper = FakeKeeper(bad={make_incoming(number).key for number in (3, 17)})
    async with opened(keeper) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(30)]
        keeper.gate.set()
        outcomes = await asyncio.gather(*requests)
    assert [number for number, outcome in enumerate(outcomes) if outcome == "Unkeepable"] == [3, 17]
    assert outcomes.count("kept") == 28
    assert len(keeper.kept) == 28
    assert keeper.batches[0] == 30


async def test_a_row_that_the_database_refuses_fails_alone(db: Database, shopify_shop: TestShop) -> None:
    async with opened(Keeper(db.url)) as inbox:
        rows = [make_incoming(number, shopify_shop.id, topic="a\x00" if number == 5 else "orders/create") for number in range(20)]
        outcomes = await asyncio.gather(*(outcome_of_row(inbox, row) for row in rows))
    assert outcomes == ["kept"] * 5 + ["Unkeepable"] + ["kept"] * 14
    with db.system_transaction("count") as session:
        assert session.execute(text("select count(*) from delivery_bodies")).scalar_one() == 19


async def test_a_connection_lost_for_a_moment_is_no_news_to_the_sender() -> None:
    keeper = FakeKeeper(failures=[StoreUnavailable("gone"), StoreUnavailable("still gone"), StoreUnavailable("starting up")])
    async with opened(keeper) as inbox:
        keeper.is_open = True
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(5)]
        keeper.gate.set()
        assert await asyncio.gather(*requests) == ["kept"] * 5


@pytest.mark.parametrize("lost", range(1, 8))
async def test_a_connection_lost_while_bad_rows_are_sought_loses_nothing(lost: int) -> None:
    keeper = FakeKeeper(bad={make_incoming(3).key}, fails_at={lost})
    async with opened(keeper) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(8)]
        keeper.gate.set()
        outcomes = await asyncio.gather(*requests)
    assert outcomes == ["kept"] * 3 + ["Unkeepable"] + ["kept"] * 4
    assert sorted(keeper.kept) == [make_incoming(number).key for number in range(8) if number != 3]
    assert len(keeper.batches) > lost


async def test_a_shop_is_woken_though_only_the_answer_of_the_commit_was_lost() -> None:
    class Forgetful(FakeKeeper):
        async def keep(self, rows: Sequence[Incoming], seconds: float) -> set[int]:
            new = await super().keep(rows, seconds)
            if len(self.batches) == 1:
                raise StoreUnavailable("the answer was lost")
            return new

    keeper, woken = Forgetful(), list[int]()
    keeper.gate.set()
    async with opened(keeper, woken=woken) as inbox:
        assert await outcome_of(inbox, 1, 7) == "kept"
    assert (keeper.batches, woken) == ([1, 1], [7])


async def test_a_request_waits_no_longer_than_promised() -> None:
    keeper = FakeKeeper(failures=[StoreUnavailable("gone")] * 1000)
    async with opened(keeper, Limits(wait_seconds=0.3)) as inbox:
        began = asyncio.get_running_loop().time()
        assert await outcome_of(inbox, 1) == "NotKept"
        assert 0.2 < asyncio.get_running_loop().time() - began < 1.5
        assert inbox.waiting == 0
        keeper.failures.clear()
        keeper.gate.set()
        await until(lambda: keeper.is_open)
        assert await outcome_of(inbox, 2) == "kept"


async def test_a_request_that_expired_while_its_batch_was_built_is_told_so() -> None:
    keeper = FakeKeeper(bad={make_incoming(1).key})
    async with opened(keeper, Limits(wait_seconds=0.1)) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in (1, 2)]
        await until(lambda: keeper.batches == [2])
        await asyncio.sleep(0.15)
        keeper.gate.set()
        assert await asyncio.gather(*requests) == ["NotKept", "NotKept"]
    assert keeper.kept == {}


async def test_a_cancelled_request_does_not_disturb_the_others() -> None:
    keeper = FakeKeeper()
    async with opened(keeper) as inbox:
        requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(3)]
        await until(lambda: keeper.batches == [3])
        late = asyncio.create_task(outcome_of(inbox, 4))
        await until(lambda: inbox.waiting == 4)
        for request in (requests[1], late):
            request.cancel()
            with suppress(asyncio.CancelledError):
                await request
        keeper.gate.set()
        assert [await requests[0], await requests[2]] == ["kept", "kept"]
        assert await outcome_of(inbox, 5) == "kept"
        assert inbox.waiting == 0
    assert make_incoming(4).key not in keeper.kept


async def test_at_the_end_what_waits_is_kept_and_nothing_more_taken() -> None:
    keeper = FakeKeeper()
    inbox = Inbox(keeper, lambda shop_id: None)
    assert await outcome_of(inbox, 0) == "NotKept"
    await inbox.start()
    requests = [asyncio.create_task(outcome_of(inbox, number)) for number in range(10)]
    await until(lambda: inbox.waiting == 10)
    ending = asyncio.create_task(inbox.stop())
    await asyncio.sleep(0.01)
    assert await outcome_of(inbox, 11) == "NotKept"
    keeper.gate.set()
    await ending
    assert await asyncio.gather(*requests) == ["kept"] * 10
    assert not keeper.is_open


async def test_the_end_comes_even_if_the_database_never_does() -> None:
    keeper = FakeKeeper(failures=[StoreUnavailable("gone")] * 1000)
    inbox = Inbox(keeper, lambda shop_id: None, Limits(wait_seconds=0.2))
    await inbox.start()
    request = asyncio.create_task(outcome_of(inbox, 1))
    await until(lambda: inbox.waiting == 1)
    async with asyncio.timeout(3):
        await inbox.stop()
    assert await request == "NotKept"


async def test_a_wake_that_fails_or_hangs_holds_up_no_delivery() -> None:
    hang = asyncio.Event()
    loop = asyncio.get_running_loop()
    woken: list[int] = []

    def wake(shop_id: int) -> None:
        woken.append(shop_id)
        if shop_id == 1:
            asyncio.run_coroutine_threadsafe(hang.wait(), loop).result(5)
        raise ConnectionError("no queue")

    keeper = FakeKeeper()
    keeper.gate.set()
    inbox = Inbox(keeper, wake)
    await inbox.start()
    assert await outcome_of(inbox, 1, 1) == "kept"
    await until(lambda: woken == [1])
    assert [await outcome_of(inbox, number, 2) for number in range(2, 9)] == ["kept"] * 7
    hang.set()
    await until(lambda: woken == [1, 2])
    await inbox.stop()
    assert woken == [1, 2]


async def test_a_bell_that_never_rang_can_be_stopped() -> None:
    woken: list[int] = []
    Bell(woken.append).stop()
    bell = Bell(woken.append)
    bell.start()
    bell.ring(set())
    await asyncio.to_thread(bell.stop)
    assert woken == []


@pytest.mark.spec("RL-109")
async def test_fifty_identical_deliveries_at_once_take_effect_once(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    times, copies = 200, 50
    async with open_door(db.url, vault) as one, open_door(db.url, vault) as other:
        statuses: list[int] = []
        for number in range(times):
            headers = sign(BODY, shop=shopify_shop.domain, delivery=f"delivery-{number}")
            doors = [one if copy % 2 else other for copy in range(copies)]
            replies = await asyncio.gather(*(stand.post(headers) for stand in doors))
            statuses += [reply.status for reply in replies]
    assert statuses == [200] * (times * copies)
    with db.system_transaction("count") as session:
        counted = session.execute(text("select (select count(*) from deliveries), (select count(*) from delivery_bodies)")).one()
    assert tuple(counted) == (times, times)


async def test_a_row_that_was_refused_can_be_sent_again_in_order(db: Database) -> None:
    async with opened(Keeper(db.url)) as inbox:
        with pytest.raises(Unkeepable):
            await inbox.keep(make_incoming(1, topic="a\x00"))
        await inbox.keep(make_incoming(1, topic="a"))
