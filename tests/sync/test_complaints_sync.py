"""What people say of other apps' syncs, and what of it must never be said of ours; each test is named after its complaint."""

import pytest

from connector.canonical import PaymentState, Resource
from connector.rules.syncing import RunState, Scope
from tests.factories import make_order
from tests.statements import before_statements
from tests.sync.sync_stage import SyncStage
from tests.sync.world import World


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A store."""
    return SyncStage(world)


@pytest.mark.spec("C80")
def test_c80_hundreds_of_orders_cost_the_same_few_statements_as_one_and_the_rate_is_shown(stage: SyncStage) -> None:
    stage.reads.size = 250
    asked: list[str] = []

    def cost(orders: int) -> int:
        stage.hold_orders(orders)
        asked.clear()
        with before_statements(asked.append):
            found = stage.backfill()
        assert found.run.state == RunState.DONE
        assert found.progress.done == orders
        assert found.progress.rate is not None
        return len(asked)

    few = cost(1)
    stage.world.execute("delete from orders where shop_id = :shop")
    many = cost(500)

    assert len(stage.kept()) == 500
    assert many <= few + 40, "statements are about sets of orders"


@pytest.mark.spec("C88")
def test_c88_orders_and_customers_are_counted_as_the_store_counts_them_and_what_was_cancelled_is_told_apart(stage: SyncStage) -> None:
    stage.hold_customers(3)
    stage.hold_orders(4)
    cancelled = make_order(stage.world.at(-5), platform_id="2", email="buyer2@example.org", cancelled_at=stage.world.at(-6))
    refunded = make_order(stage.world.at(-5), platform_id="3", email="buyer3@example.org", payment_state=PaymentState.REFUNDED)
    stage.reads.hold(cancelled, refunded)
    both = Scope((Resource.CUSTOMER, Resource.ORDER))

    for _ in range(2):
        stage.resync(both)
    found = stage.resync(both)

    assert (len(stage.kept("customers")), len(stage.kept())) == (3, 4)
    assert (found.progress.done, found.progress.total) == (7, 7)
    rows = stage.world.rows(
        "select platform_id, cancelled_at is not null is_over, payment_state from orders where shop_id = :shop order by platform_id"
    )
    assert [row["is_over"] for row in rows] == [False, True, False, False]
    assert [row["payment_state"] for row in rows] == ["paid", "paid", "refunded", "paid"]
