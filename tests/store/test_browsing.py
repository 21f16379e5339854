"""The kept deliveries of a shop: lists by state, topic and day, one with its bytes, and one handled again."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connector.errors import NotFound, Refused
from connector.store import browsing
from connector.store.browsing import REPLAYABLE, STATES, Filter, list_deliveries, load_delivery, replay_delivery
from connector.store.db import Database
from tests.conftest import TestShop

NOW = datetime.now(UTC).replace(microsecond=0)
KEEP = text("""
    insert into deliveries (key, shop_id, platform, topic, state, reason, attempts, received_at, received_on, handled_at)
    values (sha256(gen_random_uuid()::text::bytea), :shop, 'shopify', :topic, :state, :reason, 2, :at, cast(:at as timestamptz)::date, :at)
    returning id
""")
BODY = text("insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body) values (:day, :id, :shop, :headers, :body)")
Keep = Callable[..., int]


@pytest.fixture
def keep(db: Database) -> Keep:
    """Write one delivery; without `body` its bytes are gone."""

    def write(shop: TestShop, state: str = "applied", body: bytes | None = b"{}", **given: Any) -> int:
        values = {"topic": "orders/create", "reason": None, "at": NOW} | given
        with db.engine.begin() as connection:
            number: int = connection.execute(KEEP, {"shop": shop.id, "state": state} | values).scalar_one()
            if body is not None:
                day = values["at"].date()
                connection.execute(BODY, {"day": day, "id": number, "shop": shop.id, "headers": "topic: x\nhost: y", "body": body})
        return number

    return write


@pytest.fixture
def numbers(db: Database, shopify_shop: TestShop) -> Callable[..., list[int]]:
    """The numbers of the shop's deliveries that fit."""

    def ask(before: int | None = None, limit: int = 50, **wanted: Any) -> list[int]:
        with db.transaction(shop=shopify_shop.id) as session:
            return [row.id for row in list_deliveries(session, shopify_shop.id, Filter(**wanted), before, limit).rows]

    return ask


def test_deliveries_are_listed_newest_first_and_filtered(
    keep: Keep, numbers: Callable[..., list[int]], shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    found = {state: keep(shopify_shop, state, at=NOW + timedelta(seconds=place)) for place, state in enumerate(STATES)}
    topic = keep(shopify_shop, topic="carts/update", at=NOW - timedelta(hours=1))
    early = keep(shopify_shop, at=datetime(2026, 5, 3, 23, 59, 59, tzinfo=UTC))
    late = keep(shopify_shop, at=datetime(2026, 5, 4, tzinfo=UTC))
    keep(woo_shop)
    assert numbers() == [*reversed(found.values()), topic, late, early]
    for state in ("pending", "no_meaning_yet", "after_uninstall", "quarantined"):
        assert numbers(state=state) == [found[state]]
    assert numbers(topic="carts/update") == [topic]
    assert numbers(topic="carts/update", state="pending") == []
    assert (numbers(day=date(2026, 5, 3)), numbers(day=date(2026, 5, 4))) == ([early], [late])


def test_pages_follow_each_other_without_a_gap(
    db: Database, keep: Keep, numbers: Callable[..., list[int]], shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    made = [keep(shopify_shop) for _ in range(7)]  # all at the same instant
    strange = keep(woo_shop)
    seen: list[int] = []
    before = None
    while True:
        with db.transaction(shop=shopify_shop.id) as session:
            page = list_deliveries(session, shopify_shop.id, Filter(), before, 3)
        seen += [row.id for row in page.rows]
        before = page.older
        if before is None:
            break
    assert seen == made[::-1]
    assert numbers(before=strange) == numbers(before=10**12) == []


def test_a_rare_topic_of_a_busy_shop_is_looked_for_piece_by_piece(db: Database, keep: Keep, shopify_shop: TestShop) -> None:
    rare = keep(shopify_shop, topic="rare")
    others = [keep(shopify_shop) for _ in range(6)]
    with db.transaction(shop=shopify_shop.id) as session:
        first = list_deliveries(session, shopify_shop.id, Filter(topic="rare"), None, 3, most=4)
        assert (first.rows, first.older) == ((), others[2])
        second = list_deliveries(session, shopify_shop.id, Filter(topic="rare"), first.older, 3, most=4)
        assert ([row.id for row in second.rows], second.older) == ([rare], None)
        assert browsing.topics(session, shopify_shop.id, most=4) == ["orders/create"]


def test_one_delivery_comes_with_its_bytes_as_they_were(db: Database, keep: Keep, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    raw = bytes(range(256))
    kept, gone, foreign = keep(shopify_shop, "quarantined", raw, reason="currency"), keep(shopify_shop, body=None), keep(woo_shop)
    with db.transaction(shop=shopify_shop.id) as session:
        people = "insert into delivery_people (person_hash, delivery_id, shop_id) values ('\\x01', :id, :shop), ('\\x02', :id, :shop)"
        session.execute(text(people), {"id": kept, "shop": shopify_shop.id})
        found = load_delivery(session, shopify_shop.id, kept)
        assert (found.body, found.headers, found.row.reason, found.speaks_of) == (raw, "topic: x\nhost: y", "currency", 2)
        lost = load_delivery(session, shopify_shop.id, gone)
        assert (lost.body, lost.headers, lost.speaks_of) == (None, None, 0)
        for number in (foreign, 10**12):
            with pytest.raises(NotFound):
                load_delivery(session, shopify_shop.id, number)
            with pytest.raises(NotFound):
                replay_delivery(session, shopify_shop.id, number)


@pytest.mark.parametrize("state", STATES)
def test_whatever_does_not_wait_can_be_handled_again(db: Database, keep: Keep, shopify_shop: TestShop, state: str) -> None:
    number = keep(shopify_shop, state, reason="currency")
    with db.transaction(shop=shopify_shop.id) as session:
        if state in REPLAYABLE:
            replay_delivery(session, shopify_shop.id, number)
            row = load_delivery(session, shopify_shop.id, number).row
            assert (row.state, row.reason, row.attempts, row.handled_at) == ("pending", None, 0, None)
        else:
            with pytest.raises(Refused, match="waits already"):
                replay_delivery(session, shopify_shop.id, number)


def test_what_has_no_bytes_left_is_not_handled_again(db: Database, keep: Keep, shopify_shop: TestShop) -> None:
    number = keep(shopify_shop, "quarantined", None)
    with db.transaction(shop=shopify_shop.id) as session, pytest.raises(Refused, match="gone"):
        replay_delivery(session, shopify_shop.id, number)
    with db.transaction(shop=shopify_shop.id) as session:
        assert load_delivery(session, shopify_shop.id, number).row.state == "quarantined"


def test_a_page_reads_no_more_than_it_may(db: Database, shopify_shop: TestShop) -> None:
    """60,000 deliveries: whatever is asked for, a page reads no table and looks at 20,000 rows at most."""
    fill = """
        insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on, handled_at)
        select decode(lpad(to_hex(n), 64, '0'), 'hex'), :shop, 'shopify', 'orders/create', 'applied', now() - n * interval '1 second',
            now()::date, now() from generate_series(1, 60000) n
    """
    for prepare in (fill, "analyze deliveries"):
        with db.engine.begin() as connection:
            connection.execute(text(prepare), {"shop": shopify_shop.id} if ":shop" in prepare else {})
        with db.transaction(shop=shopify_shop.id) as session:
            for state in ("", "applied", "quarantined", "pending"):
                index = f"and state = '{state}'" if state in ("quarantined", "pending") else ""
                values = {"shop": shopify_shop.id, "before": None, "state": state or None, "topic": "x", "day": None}
                explained = text("explain analyze " + browsing._LIST.format(state=index))
                plan = "\n".join(session.execute(explained, values | {"most": 20_000, "limit": 51}).scalars())
                assert "Seq Scan on deliveries" not in plan, plan
