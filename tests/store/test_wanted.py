"""What must be read again: wished for, claimed, settled, given up."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import Resource
from connector.store import wanted
from connector.store.db import Database, Session, app_now
from connector.store.wanted import LEASE_SECONDS, MAX_ATTEMPTS, Claimed
from tests.conftest import TestShop

ONE, TWO = (Resource.CUSTOMER, "1"), (Resource.CUSTOMER, "2")
PRODUCT = (Resource.PRODUCT, "9")


@pytest.fixture
def wishes(db: Database, shopify_shop: TestShop) -> "Wishes":
    """The wishes of one shop."""
    return Wishes(db, shopify_shop.id)


class Wishes:
    """One shop's wishes; every method is a transaction of its own."""

    def __init__(self, db: Database, shop: int) -> None:
        self.db, self.shop = db, shop

    def do(self, what: Any, *values: Any) -> Any:
        """Call a function of `wanted`."""
        with self.db.transaction(shop=self.shop) as session:
            return what(session, self.shop, *values)

    def want(self, *records: tuple[Resource, str], delay: float = 0.0) -> int:
        """Wish."""
        return int(self.do(wanted.want, records, delay))

    def claim(self, limit: int = 10) -> Claimed:
        """Claim what must be there."""
        claimed = self.do(wanted.claim, limit)
        assert isinstance(claimed, Claimed)
        return claimed

    def later(self, seconds: float) -> None:
        """So much time goes by: all that is known of time becomes older."""
        with self.db.engine.begin() as connection:
            statement = "update wanted_reads set wanted_at = wanted_at - :s * interval '1s', due_at = due_at - :s * interval '1s'"
            connection.execute(text(statement), {"s": seconds})

    def rows(self) -> list[tuple[str, int, str | None]]:
        """(id, attempts, reason) of all, by id."""
        with self.db.engine.connect() as connection:
            found = connection.exec_driver_sql("select platform_id, attempts, reason from wanted_reads order by platform_id")
            return [tuple(row) for row in found]

    def waits(self) -> list[float]:
        """In how many seconds each is due, by id."""
        with self.db.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "select extract(epoch from due_at - app_now())::float from wanted_reads order by platform_id"
            )
            return [row[0] for row in found]


def test_a_wish_is_claimed_once_one_kind_at_a_time_the_longest_waiting_first(wishes: Wishes) -> None:
    assert wishes.want(ONE) == 1
    wishes.later(1)
    assert wishes.want(PRODUCT, TWO, TWO) == 2

    claimed = wishes.claim()
    assert (claimed.resource, claimed.attempts) == (Resource.CUSTOMER, {"1": 0, "2": 0})
    assert wishes.claim().attempts == {"9": 0}
    assert wishes.do(wanted.claim, 10) is None


def test_a_claim_takes_no_more_than_it_may(wishes: Wishes) -> None:
    wishes.want(ONE, TWO)

    assert wishes.claim(1).attempts == {"1": 0}
    assert wishes.claim(1).attempts == {"2": 0}


def test_nothing_wished_for_is_nothing(wishes: Wishes) -> None:
    assert wishes.want() == 0
    assert wishes.do(wanted.claim, 10) is None
    assert not wishes.do(wanted.has_due)


def test_a_reader_that_dies_leaves_the_record_to_the_next(wishes: Wishes) -> None:
    wishes.want(ONE)
    wishes.claim()
    wishes.later(LEASE_SECONDS - 5)
    assert wishes.do(wanted.claim, 10) is None
    wishes.later(10)

    assert wishes.claim().attempts == {"1": 1}


def test_what_was_read_is_settled_and_what_was_wished_for_meanwhile_is_read_once_more(wishes: Wishes) -> None:
    wishes.want(ONE, TWO)
    claimed = wishes.claim()
    wishes.want(TWO)
    assert not wishes.do(wanted.has_due), "it is being read"
    wishes.do(wanted.settle, claimed, ["1", "2"])

    assert wishes.do(wanted.has_due)
    assert wishes.claim().attempts == {"2": 0}


def test_what_could_not_be_tried_is_as_if_it_had_not_been_claimed(wishes: Wishes) -> None:
    wishes.want(ONE)
    wishes.do(wanted.release, wishes.claim(), ["1"])

    assert wishes.claim().attempts == {"1": 0}


def test_each_try_waits_longer_and_the_tenth_is_the_last(wishes: Wishes) -> None:
    wishes.want(ONE)
    waits = []
    for _ in range(MAX_ATTEMPTS - 1):
        wishes.do(wanted.postpone, wishes.claim(), ["1"], "no_answer")
        waits += wishes.waits()
        wishes.later(waits[-1] + 1)
    assert [round(seconds, -1) for seconds in waits] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]

    wishes.do(wanted.postpone, wishes.claim(), ["1"], "no_answer")
    wishes.later(1e6)
    assert wishes.rows() == [("1", MAX_ATTEMPTS, "no_answer")]
    assert wishes.do(wanted.claim, 10) is None


def test_a_wish_that_was_given_up_comes_back_with_a_new_one(wishes: Wishes) -> None:
    wishes.want(ONE)
    wishes.do(wanted.give_up, wishes.claim(), ["1"], "not_permitted")
    assert wishes.do(wanted.list_hopeless, 10) == [(Resource.CUSTOMER, "1", "not_permitted")]

    wishes.want(ONE)
    assert wishes.do(wanted.list_hopeless, 10) == []
    assert wishes.claim().attempts == {"1": 0}


def test_a_wish_that_may_wait_waits_unless_another_one_may_not(wishes: Wishes) -> None:
    wishes.want(ONE, TWO, delay=60)
    assert wishes.do(wanted.claim, 10) is None
    wishes.want(ONE)
    wishes.want(ONE, delay=60)

    assert wishes.claim().attempts == {"1": 0}
    wishes.later(61)
    assert wishes.claim().attempts == {"2": 0}


def test_a_new_wish_does_not_shorten_the_wait_for_a_store_that_does_not_answer(wishes: Wishes) -> None:
    wishes.want(ONE)
    wishes.do(wanted.postpone, wishes.claim(), ["1"], "no_answer")
    wishes.want(ONE)

    assert wishes.do(wanted.claim, 10) is None
    assert wishes.waits()[0] > 25


def test_settling_nothing_changes_nothing(wishes: Wishes) -> None:
    wishes.want(ONE)
    claimed = wishes.claim()
    before = wishes.rows()
    for without_reason in (wanted.settle, wanted.release):
        wishes.do(without_reason, claimed, [])
    for with_reason in (wanted.postpone, wanted.give_up):
        wishes.do(with_reason, claimed, [], "why")

    assert wishes.rows() == before


def test_shops_with_wishes_are_found_while_they_are_connected(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    for shop in (woo_shop, shopify_shop):
        Wishes(db, shop.id).want(ONE)

    def due() -> list[int]:
        with db.system_transaction("test") as session:
            return wanted.shops_with_due(session, 10)

    assert due() == [woo_shop.id, shopify_shop.id]
    with db.engine.begin() as connection:
        connection.exec_driver_sql("update shops set state = 'needs_sign_in' where id = %s", (woo_shop.id,))
    assert due() == [shopify_shop.id]
    Wishes(db, shopify_shop.id).claim()
    assert due() == []


def test_one_shop_never_sees_the_wishes_of_another(session: Session, shopify_shop: TestShop, woo_shop: TestShop, db: Database) -> None:
    now = app_now(session)
    assert isinstance(now, datetime)
    Wishes(db, woo_shop.id).want(ONE)

    assert Wishes(db, shopify_shop.id).do(wanted.claim, 10) is None
    assert wanted.claim(session, woo_shop.id, 10) is None
