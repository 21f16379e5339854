"""Many offers end at once: each code is ended in its store, and nothing else takes the store's time meanwhile."""

from datetime import timedelta

import pytest

from connector.canonical import Resource, Stale
from connector.store.work import hold_inbox
from sync import apply, news
from sync.services import Services
from tests.conftest import TestShop
from tests.sync.code_desk import CodeDesk, code_desk

COUNT = 7


@pytest.fixture(params=["shopify", "woocommerce"])
def desk(request: pytest.FixtureRequest, services: Services) -> CodeDesk:
    """A shop of either kind of store, whose offers all end in a minute's time."""
    shop: TestShop = request.getfixturevalue(f"{'woo' if request.param == 'woocommerce' else 'shopify'}_shop")
    desk = code_desk(services, shop)
    for number in range(COUNT):
        desk.publish_shared(days=1, code=f"ENDS{number}")
    return desk


def wanted(desk: CodeDesk) -> list[tuple[str, bool]]:
    """Which discounts are to be read again, and whether at once."""
    rows = desk.rows("select platform_id, due_at <= app_now() now from wanted_reads where shop_id = :shop order by 1")
    return [(row["platform_id"], row["now"]) for row in rows]


def tell(desk: CodeDesk, *platform_ids: str) -> None:
    """The store says that something of these discounts changed."""
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        shop = hold_inbox(session, desk.shop_id)
        assert shop is not None
        batch = apply.Batch()
        batch.tell([Stale(Resource.DISCOUNT_CODE, one, desk.now) for one in platform_ids])
        apply.save(session, desk.services, shop, batch)


def end(desk: CodeDesk) -> None:
    """The end comes, and the offers are looked at."""
    desk.later(days=1, seconds=1)
    desk.tend()


def test_all_are_ended_in_one_turn_each_with_its_entry_in_the_audit(desk: CodeDesk) -> None:
    desk.store.behind = timedelta(days=3)
    end(desk)
    desk.work()
    assert [(row.wanted, row.actual) for row in desk.codes()] == [("suspended", "suspended")] * COUNT
    assert [one.is_off for one in desk.store.discounts.values()] == [True] * COUNT
    told = desk.rows("select object from audit_entries where shop_id = :shop and action = 'code.suspended'")
    assert {row["object"] for row in told} == {row.public_id for row in desk.codes()}


def test_where_the_store_falls_silent_in_between_what_was_done_counts_and_the_rest_follows(desk: CodeDesk) -> None:
    desk.store.behind = timedelta(days=3)
    end(desk)
    desk.store.answers_left = 6
    desk.work()
    done = [row.actual for row in desk.codes()].count("suspended")
    assert 0 < done < COUNT
    desk.store.answers_left = None
    for _ in range(3):
        desk.later(seconds=20)
        desk.work()
    assert [row.actual for row in desk.codes()] == ["suspended"] * COUNT


def test_what_the_store_tells_of_codes_that_we_end_is_read_later_and_anything_else_at_once(desk: CodeDesk) -> None:
    ids = sorted(row.platform_id or "" for row in desk.codes())
    tell(desk, ids[0], "999")
    assert wanted(desk) == [(ids[0], True), ("999", True)]
    with desk.services.db.engine.begin() as connection:
        connection.exec_driver_sql("delete from wanted_reads")
    end(desk)
    tell(desk, *ids, "999")
    assert wanted(desk) == [*((one, False) for one in ids), ("999", True)]
    desk.later(seconds=news.ENDED_DELAY_SECONDS)
    assert all(is_now for _, is_now in wanted(desk))
