"""The door and what goes wrong around it: repeats, a full inbox, a database that refuses, secrets that change."""

import asyncio

import pytest
from sqlalchemy import text

from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.fakes import APP_SECRET, FakePlatform, sign
from tests.webhooks.stand import BODY, MAX_BODY, FakeKeeper, inner_app, kept, open_door, send_request, until, woo_path, woo_sign
from webhooks.door import Door
from webhooks.inbox import Inbox, Limits

pytestmark = pytest.mark.anyio


async def test_each_shop_is_woken_after_its_deliveries_are_kept(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    async with open_door(db.url, vault) as stand:
        await stand.post(sign(BODY, shop=shopify_shop.domain))
        await stand.post(woo_sign(woo_shop), path=woo_path(woo_shop))
    assert stand.woken == [shopify_shop.id, woo_shop.id]


async def test_a_repeated_delivery_is_answered_alike_but_wakes_nobody(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(BODY, shop=shopify_shop.domain))).status == 200
    async with open_door(db.url, vault) as again:
        assert (await again.post(sign(BODY, shop=shopify_shop.domain))).status == 200
    assert (stand.woken, again.woken) == ([shopify_shop.id], [])
    assert len(kept(db)) == 1


async def test_a_full_inbox_asks_to_come_back(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    keeper = FakeKeeper()
    inbox = Inbox(keeper, lambda shop_id: None, Limits(rows=1))
    await inbox.start()
    async with open_door(db.url, vault) as stand:
        door = Door({"shopify": FakePlatform()}, inbox, stand.directory, MAX_BODY, inner_app)
        first = asyncio.create_task(send_request(door, headers=sign(BODY, shop=shopify_shop.domain)))
        await until(lambda: inbox.waiting == 1)
        reply = await send_request(door, headers=sign(BODY, shop=shopify_shop.domain, delivery="d2"))
        assert (reply.status, reply.headers[b"retry-after"]) == (503, b"5")
        keeper.gate.set()
        assert (await first).status == 200
        assert (door.counts["full"], door.counts["kept"]) == (1, 1)
    await inbox.stop()


async def test_a_delivery_that_the_database_refuses_has_its_shop_looked_up_again(
    db: Database, vault: Vault, shopify_shop: TestShop
) -> None:
    headers = sign(BODY, shop=shopify_shop.domain)
    keeper = FakeKeeper(bad={FakePlatform().verify(headers, BODY, [APP_SECRET], "").key})
    keeper.gate.set()
    inbox = Inbox(keeper, lambda shop_id: None)
    await inbox.start()
    async with open_door(db.url, vault) as stand:
        door = Door({"shopify": FakePlatform()}, inbox, stand.directory, MAX_BODY, inner_app)
        assert (await send_request(door, headers=headers)).status == 503
        with db.system_transaction("delete the shop") as session:
            session.execute(text("delete from shops"))
        assert (await send_request(door, headers=headers)).status == 200
        assert door.counts == {**dict.fromkeys(door.counts, 0), "unavailable": 1, "unknown_shop": 1}
    await inbox.stop()


async def test_a_secret_that_was_exchanged_is_found_after_a_second(
    db: Database, vault: Vault, woo_shop: TestShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchange(secrets: dict[str, str]) -> None:
        with db.system_transaction("exchange the secret") as session:
            session.execute(text("update shops set webhook_secret = :sealed"), {"sealed": vault.seal(secrets)})

    now = [1000.0]
    async with open_door(db.url, vault) as stand:
        monkeypatch.setattr(stand.directory, "_now", lambda: now[0])

        async def post(secret: str, delivery: str) -> int:
            reply = await stand.post(sign(BODY, secret.encode(), delivery=delivery), path=woo_path(woo_shop))
            return reply.status

        assert await post(woo_shop.webhook_secret, "d1") == 200
        exchange({"secret": "new", "previous": woo_shop.webhook_secret})
        assert await post("new", "d2") == 401
        now[0] += 1.1
        assert [await post("new", "d2"), await post(woo_shop.webhook_secret, "d3")] == [200, 200]
        exchange({"secret": "new"})
        now[0] += 31
        assert [await post("new", "d4"), await post(woo_shop.webhook_secret, "d5")] == [200, 401]


async def test_a_secret_that_cannot_be_opened_is_our_own_trouble(db: Database, woo_shop: TestShop) -> None:
    other = Vault(["OTg3NjU0MzIxMGFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="])
    async with open_door(db.url, other) as stand:
        assert (await stand.post(woo_sign(woo_shop), path=woo_path(woo_shop))).status == 503


async def test_nothing_is_taken_after_the_end(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    async with open_door(db.url, vault) as stand:
        await stand.post(sign(BODY, shop=shopify_shop.domain))
        await stand.inbox.stop()
        assert (await stand.post(sign(BODY, shop=shopify_shop.domain, delivery="late"))).status == 503
        await stand.inbox.start()
