"""The door while the database is away: it answers in time, loses nothing it acknowledged, and recovers by itself."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.fakes import sign
from tests.webhooks.line import line_to
from tests.webhooks.stand import BODY, Stand, open_door
from webhooks.inbox import Limits

pytestmark = pytest.mark.anyio

LONGEST_SECONDS = 4.5


def count(db: Database) -> int:
    """Deliveries with their bodies."""
    with db.system_transaction("count") as session:
        return int(session.execute(text("select count(*) from deliveries d join delivery_bodies b on b.delivery_id = d.id")).scalar_one())


async def post(stand: Stand, shop: TestShop, number: int) -> tuple[int, float]:
    """Post one delivery; status and seconds."""
    began = asyncio.get_running_loop().time()
    reply = await stand.post(sign(BODY, shop=shop.domain, delivery=f"d{number}"))
    return reply.status, asyncio.get_running_loop().time() - began


async def recover(stand: Stand, shop: TestShop) -> None:
    """Post until it is kept."""
    async with asyncio.timeout(10):
        while (await post(stand, shop, 1_000))[0] != 200:
            pass  # each answer takes its time


async def test_a_database_that_is_gone_is_answered_in_time_and_taken_up_again(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        assert (await post(stand, shopify_shop, 1))[0] == 200
        await line.cut()
        answers = await asyncio.gather(*(post(stand, shopify_shop, number) for number in range(2, 30)))
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < LONGEST_SECONDS
        await line.connect()
        await recover(stand, shopify_shop)
        assert count(db) == 2


async def test_a_database_that_hangs_is_answered_in_time_and_taken_up_again(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        assert (await post(stand, shopify_shop, 1))[0] == 200
        line.go_dead()
        answers = await asyncio.gather(*(post(stand, shopify_shop, number) for number in range(2, 30)))
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < LONGEST_SECONDS
        line.revive()
        await recover(stand, shopify_shop)


async def test_a_short_interruption_costs_the_sender_only_patience(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        assert (await post(stand, shopify_shop, 1))[0] == 200
        await line.cut()
        requests = [asyncio.create_task(post(stand, shopify_shop, number)) for number in range(2, 12)]
        await asyncio.sleep(0.3)
        await line.connect()
        assert [status for status, _ in await asyncio.gather(*requests)] == [200] * 10
    assert count(db) == 11


async def test_a_door_that_starts_before_its_database_waits_for_it(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line:
        await line.cut()
        async with open_door(line.url, vault, limits=Limits(longest_pause_seconds=0.1)) as stand:
            assert (await post(stand, shopify_shop, 1))[0] == 503
            await line.connect()
            await recover(stand, shopify_shop)


async def test_shops_cannot_be_looked_up_while_the_database_hangs(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        line.go_dead()
        answers = await asyncio.gather(*(post(stand, shopify_shop, number) for number in range(20)))
        assert {status for status, _ in answers} == {503}
        assert max(seconds for _, seconds in answers) < LONGEST_SECONDS
        line.revive()
        await recover(stand, shopify_shop)


async def test_a_look_up_survives_a_connection_that_was_lost_unnoticed(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        await line.cut()
        await line.connect()
        assert (await post(stand, shopify_shop, 1))[0] == 200


async def test_no_platform_hangs_up_because_the_database_is_slow(
    db: Database, vault: Vault, shopify_shop: TestShop, socket_dir: Path
) -> None:
    """One after the other these would take a minute and a half. How fast they are is told by RL-110."""
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        assert (await post(stand, shopify_shop, 0))[0] == 200
        line.delay_seconds = 0.3
        requests = []
        for number in range(1, 301):
            requests.append(asyncio.create_task(post(stand, shopify_shop, number)))
            await asyncio.sleep(0.005)
        answers = await asyncio.gather(*requests)
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < LONGEST_SECONDS
    assert count(db) == 301
    with db.engine.connect() as connection:
        commits = connection.execute(text("select count(distinct xmin::text) from deliveries")).scalar_one()
    assert commits < 100, "many requests share a commit"


async def test_figures_that_cannot_be_written_are_given_up(db: Database, vault: Vault, socket_dir: Path) -> None:
    async with line_to(db.url, socket_dir) as line, open_door(line.url, vault) as stand:
        assert (await stand.post(sign(BODY, shop="stranger.myshopify.com"))).status == 200
        await line.cut()
        await asyncio.sleep(0.5)
        await line.connect()
        assert (await stand.post(sign(BODY, shop="stranger.myshopify.com", delivery="d2"))).status == 200
    with db.system_transaction("look at the figures") as session:
        assert session.execute(text("select sum(count) from unknown_shops")).scalar_one() == 1
