"""Claim, mark, replay: the inbox as the workers see it; and what the keeper makes of its connection."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.store import deliveries
from connector.store.db import Database
from connector.store.deliveries import Incoming, Outcome
from connector.store.keeping import Keeper, RowRefused, ShopReader, StoreUnavailable
from tests.conftest import TestShop

TRIGGERED = datetime(2026, 11, 21, 10, 15, 30, 123456, tzinfo=UTC)


def incoming(number: int, shop_id: int | None, **changes: Any) -> Incoming:
    """A row; the number makes its key and its body."""
    values = {"platform": "shopify", "topic": "orders/create", "triggered_at": TRIGGERED, "headers": "a: b\n"}
    return Incoming(**{**values, "shop_id": shop_id, "key": number.to_bytes(32, "big"), "body": b"%d" % number, **changes})


def keep(db: Database, *rows: Incoming) -> set[int]:
    """Keep in one batch."""

    async def story() -> set[int]:
        keeper = Keeper(db.url)
        await keeper.open()
        try:
            return await keeper.keep(rows, 5.0)
        finally:
            await keeper.close()

    return asyncio.run(story())


def claim(session: Session, shop_id: int | None, limit: int = 100) -> list[bytes]:
    """The bodies of what a claim gets."""
    return [row.body for row in deliveries.claim_pending(session, shop_id, limit)]


def test_everything_that_was_kept_can_be_claimed_as_it_was(db: Database, shopify_shop: TestShop) -> None:
    body = bytes(range(256)) * 100
    assert keep(db, incoming(1, shopify_shop.id, body=body, topic="é", headers="name: väl\n")) == {shopify_shop.id}
    with db.transaction(shop=shopify_shop.id) as session:
        [row] = deliveries.claim_pending(session, shopify_shop.id, 10)
        headers = session.execute(text("select headers from delivery_bodies")).scalar_one()
    assert (row.platform, row.topic, row.triggered_at, row.body, row.attempts) == ("shopify", "é", TRIGGERED, body, 0)
    assert abs(row.received_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert headers == "name: väl\n"


def test_the_time_of_receipt_is_the_databases(db: Database, shopify_shop: TestShop) -> None:
    with db.system_transaction("move the clock") as session:
        session.execute(text("update app_clock set ahead = interval '40 days'"))
    keep(db, incoming(1, shopify_shop.id))
    with db.transaction(shop=shopify_shop.id) as session:
        [row] = deliveries.claim_pending(session, shopify_shop.id, 10)
        received_on = session.execute(text("select received_on from deliveries")).scalar_one()
    assert row.received_at > datetime.now(UTC) + timedelta(days=39)
    assert received_on == row.received_at.astimezone(UTC).date()


def test_a_key_is_kept_once_however_often_it_comes(db: Database, shopify_shop: TestShop) -> None:
    assert keep(db, incoming(1, shopify_shop.id), incoming(2, shopify_shop.id)) == {shopify_shop.id}
    assert keep(db, incoming(2, shopify_shop.id, body=b"other"), incoming(1, shopify_shop.id)) == set()
    assert keep(db, incoming(3, None), incoming(1, shopify_shop.id)) == set()
    with db.system_transaction("look") as session:
        assert claim(session, shopify_shop.id) == [b"1", b"2"]
        assert claim(session, None) == [b"3"]


def test_claims_come_in_the_order_of_arrival_and_stop_at_the_limit(db: Database, shopify_shop: TestShop) -> None:
    for number in (3, 1, 2):
        keep(db, incoming(number, shopify_shop.id))
    with db.transaction(shop=shopify_shop.id) as session:
        assert claim(session, shopify_shop.id, 2) == [b"3", b"1"]
        assert claim(session, shopify_shop.id) == [b"3", b"1", b"2"]


def test_two_workers_never_claim_the_same_delivery(db: Database, shopify_shop: TestShop) -> None:
    keep(db, *(incoming(number, shopify_shop.id) for number in range(6)))
    with db.transaction(shop=shopify_shop.id) as one, db.transaction(shop=shopify_shop.id) as other:
        first, second = claim(one, shopify_shop.id, 4), claim(other, shopify_shop.id, 4)
    assert (first, second) == ([b"0", b"1", b"2", b"3"], [b"4", b"5"])


def test_a_shop_cannot_claim_from_another(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    keep(db, incoming(1, shopify_shop.id), incoming(2, woo_shop.id), incoming(3, None))
    with db.transaction(shop=woo_shop.id) as session:
        assert claim(session, shopify_shop.id) == []
        assert claim(session, None) == []
        assert claim(session, woo_shop.id) == [b"2"]


def test_marking_says_what_became_of_each(db: Database, shopify_shop: TestShop) -> None:
    keep(db, *(incoming(number, shopify_shop.id) for number in range(4)))
    with db.transaction(shop=shopify_shop.id) as session:
        ids = [row.id for row in deliveries.claim_pending(session, shopify_shop.id, 10)]
        deliveries.mark(session, [])
        deliveries.mark(
            session, [Outcome(ids[0], "applied"), Outcome(ids[1], "quarantined", "json"), Outcome(ids[2], "pending", "throttled")]
        )
    with db.transaction(shop=shopify_shop.id) as session:
        rows = session.execute(text("select state, reason, attempts, handled_at is not null from deliveries order by id")).all()
        assert [tuple(row) for row in rows] == [
            ("applied", None, 1, True),
            ("quarantined", "json", 1, True),
            ("pending", "throttled", 1, False),
            ("pending", None, 0, False),
        ]
        assert [row.attempts for row in deliveries.claim_pending(session, shopify_shop.id, 10)] == [1, 0]


def test_a_replayed_delivery_waits_as_if_it_had_just_come(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    keep(db, incoming(1, shopify_shop.id), incoming(2, woo_shop.id), incoming(3, None))
    with db.system_transaction("handle all") as session:
        ids = list(session.execute(text("select id from deliveries order by id")).scalars())
        deliveries.mark(session, [Outcome(one, "quarantined", "json") for one in ids])
        assert claim(session, shopify_shop.id) == []
    with db.system_transaction("replay") as session:
        assert deliveries.replay(session, [*ids, 999_999]) == sorted([shopify_shop.id, woo_shop.id])
        assert deliveries.replay(session, []) == []
    with db.system_transaction("look") as session:
        [row] = deliveries.claim_pending(session, shopify_shop.id, 10)
        assert (row.body, row.attempts) == (b"1", 0)
        reasons = session.execute(text("select distinct reason, handled_at from deliveries")).all()
    assert [tuple(row) for row in reasons] == [(None, None)]


def test_a_body_that_retention_took_is_empty_and_cannot_be_replayed(db: Database, shopify_shop: TestShop) -> None:
    keep(db, incoming(1, shopify_shop.id))
    with db.system_transaction("the retention time is over") as session:
        session.execute(text("delete from delivery_bodies"))
        [row] = deliveries.claim_pending(session, shopify_shop.id, 10)
        assert row.body == b""
        deliveries.mark(session, [Outcome(row.id, "quarantined", "empty")])
        assert deliveries.replay(session, [row.id]) == []
        assert claim(session, shopify_shop.id) == []


def test_shops_with_waiting_deliveries_come_longest_waiting_first(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    with db.system_transaction("nobody waits") as session:
        assert deliveries.shops_with_pending(session, 10) == []
    keep(db, incoming(1, woo_shop.id))
    keep(db, incoming(2, shopify_shop.id), incoming(3, shopify_shop.id), incoming(4, None))
    with db.system_transaction("who waits?") as session:
        assert deliveries.shops_with_pending(session, 10) == [woo_shop.id, shopify_shop.id]
        assert deliveries.shops_with_pending(session, 1) == [woo_shop.id]
        [row] = deliveries.claim_pending(session, woo_shop.id, 10)
        deliveries.mark(session, [Outcome(row.id, "applied")])
        assert deliveries.shops_with_pending(session, 10) == [shopify_shop.id]


def test_deliveries_can_be_found_by_state_and_by_key(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    rows = [incoming(1, shopify_shop.id), incoming(2, shopify_shop.id), incoming(3, woo_shop.id)]
    keep(db, *rows)
    with db.system_transaction("look") as session:
        [first, second] = deliveries.claim_pending(session, shopify_shop.id, 10)
        deliveries.mark(session, [Outcome(first.id, "quarantined", "json")])
        assert deliveries.ids_in_state(session, shopify_shop.id, "quarantined") == [first.id]
        assert deliveries.ids_in_state(session, shopify_shop.id, "pending") == [second.id]
        states = deliveries.states_of(session, [rows[0].key, rows[2].key, b"unknown"])
        assert states == {rows[0].key: ("quarantined", "json"), rows[2].key: ("pending", None)}
        assert deliveries.has_pending(session, shopify_shop.id)
        deliveries.mark(session, [Outcome(second.id, "applied")])
        assert not deliveries.has_pending(session, shopify_shop.id)


def test_a_batch_with_a_bad_row_is_refused_as_a_whole(db: Database, shopify_shop: TestShop) -> None:
    bad = [
        incoming(2, shopify_shop.id, topic="a\x00b"),
        incoming(2, shopify_shop.id, headers="a\x00b"),
        incoming(2, shopify_shop.id, topic="\ud800"),
        incoming(2, 2**70),
    ]
    for row in bad:
        with pytest.raises(RowRefused):
            keep(db, incoming(1, shopify_shop.id), row)
    with db.system_transaction("look") as session:
        assert claim(session, shopify_shop.id) == []


def test_an_acknowledged_delivery_is_flushed_whatever_the_servers_default(db: Database) -> None:
    async def story() -> tuple[Any, ...]:
        keeper = Keeper(db.url)
        await keeper.open()
        rows = await keeper._run("select current_setting('synchronous_commit'), current_user::text, current_setting('timezone')", [], 5.0)
        await keeper.close()
        return tuple(rows[0])

    assert asyncio.run(story()) == ("on", "connector_system", "UTC")


def test_a_statement_on_no_connection_or_a_slow_one_is_unavailable(db: Database) -> None:
    async def story() -> None:
        keeper = Keeper(db.url)
        keeper.abort()
        with pytest.raises(StoreUnavailable):
            await keeper.keep([incoming(1, None)], 5.0)
        await keeper.open()
        with pytest.raises(StoreUnavailable):
            await keeper._run("select pg_sleep(5)", [], 0.05)
        states = [keeper.is_open]
        keeper.abort()
        await keeper.open()
        states.append(keeper.is_open)
        assert states == [False, True]
        with pytest.raises(StoreUnavailable):
            await keeper._run("select nonsense", [], 5.0)
        await keeper.close()

    asyncio.run(asyncio.wait_for(story(), 5))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def story() -> None:
        keeper = Keeper("postgresql://connector@127.0.0.1:1/nothing")
        with pytest.raises(StoreUnavailable):
            await keeper.open()
        assert not keeper.is_open

    asyncio.run(story())


@pytest.mark.parametrize("settings", ["set role nobody_of_this_name", "select pg_sleep(5)"])
def test_settings_that_cannot_be_made_leave_no_connection_behind(db: Database, monkeypatch: pytest.MonkeyPatch, settings: str) -> None:
    monkeypatch.setattr(Keeper, "settle", settings)

    async def story() -> None:
        keeper = Keeper(db.url)
        with pytest.raises(StoreUnavailable):
            await keeper.open(0.3)
        assert not keeper.is_open

    asyncio.run(story())


def test_the_reader_finds_shops_by_domain_or_by_key(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    async def story() -> None:
        reader = ShopReader(db.url)
        await reader.open()
        found = await reader.find_shop("shopify", shopify_shop.domain, by_key=False, seconds=5)
        assert found is not None
        assert (found.shop_id, found.state) == (shopify_shop.id, "connected")
        found = await reader.find_shop("woocommerce", woo_shop.shop_key, by_key=True, seconds=5)
        assert found is not None
        assert found.shop_id == woo_shop.id
        assert found.sealed_secret
        assert await reader.find_shop("woocommerce", shopify_shop.shop_key, by_key=True, seconds=5) is None
        assert await reader.find_shop("shopify", "nobody.myshopify.com", by_key=False, seconds=5) is None
        with pytest.raises(RowRefused):
            await reader.find_shop("shopify", "a\x00", by_key=False, seconds=5)
        await reader.count_unknown({("shopify", "x", "t"): 2, ("shopify", "y", "t"): 1}, 5)
        await reader.count_unknown({("shopify", "x", "t"): 3}, 5)
        await reader.close()

    asyncio.run(story())
    with db.system_transaction("look") as session:
        rows = session.execute(text("select shop_ref, count, last_at <= app_now() from unknown_shops order by 1")).all()
    assert [tuple(row) for row in rows] == [("x", 5, True), ("y", 1, True)]
