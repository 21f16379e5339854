"""What one claim of waiting deliveries reads."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from connector.store import deliveries
from connector.store.db import Database, is_passing
from tests.conftest import TestShop
from tests.sync.world import Arrival, keep


def claimed(db: Database, shop: TestShop, limit: int = 10) -> list[int]:
    """The lengths of the bodies that a claim reads."""
    with db.transaction(shop=shop.id) as session:
        return [len(one.body) for one in deliveries.claim_pending(session, shop.id, limit)]


@pytest.mark.parametrize(("most", "expected"), [(1, [70]), (70, [70]), (71, [70, 70]), (140, [70, 70]), (250, [70, 70, 70, 70])])
def test_a_claim_ends_with_the_body_that_reaches_the_most_bytes(
    db: Database, shopify_shop: TestShop, monkeypatch: pytest.MonkeyPatch, most: int, expected: list[int]
) -> None:
    monkeypatch.setattr(deliveries, "BATCH_BYTES", most)
    keep(db, shopify_shop, [Arrival("checkouts/update", bytes([n]) * 70) for n in range(4)])

    assert claimed(db, shopify_shop) == expected


def test_what_a_claim_left_unread_waits_for_the_next(db: Database, shopify_shop: TestShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BATCH_BYTES", 1)
    ids = keep(db, shopify_shop, [Arrival("checkouts/update", b"12"), Arrival("checkouts/update", b"345")])

    with db.transaction(shop=shopify_shop.id) as session:
        (first,) = deliveries.claim_pending(session, shopify_shop.id, 10)
        deliveries.mark(session, [deliveries.Outcome(first.id, "applied")])
    with db.transaction(shop=shopify_shop.id) as session:
        (second,) = deliveries.claim_pending(session, shopify_shop.id, 10)

    assert [(first.id, first.body), (second.id, second.body)] == [(ids[0], b"12"), (ids[1], b"345")]


def test_a_delivery_whose_body_is_gone_is_claimed_without(db: Database, shopify_shop: TestShop) -> None:
    keep(db, shopify_shop, [Arrival("checkouts/update", b"gone"), Arrival("checkouts/update", b"\x00\xff here")])
    with db.engine.begin() as connection:
        connection.execute(text("delete from delivery_bodies where body = 'gone'"))

    assert claimed(db, shopify_shop) == [0, 7]


def test_a_body_that_cannot_be_read_just_now_is_trouble_of_the_databases_own(db: Database, shopify_shop: TestShop) -> None:
    keep(db, shopify_shop, [Arrival("checkouts/update", b"{}")])
    with db.engine.begin() as other, db.transaction(shop=shopify_shop.id) as session:
        other.execute(text("lock table delivery_bodies in access exclusive mode"))
        session.execute(text("set local lock_timeout = '50ms'"))
        with pytest.raises(OperationalError) as caught:
            deliveries.claim_pending(session, shopify_shop.id, 10)

    assert is_passing(caught.value)
