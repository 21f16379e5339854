"""A resync as support does it: looked at first, applied once, interrupted and gone on with, and proven."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.canonical import Resource
from connector.errors import Refused
from connector.platforms import ThrottledError
from connector.rules.resyncing import Act
from connector.rules.syncing import RunState, Scope
from connector.store import shops, sync_runs
from connector.store.run_tables import SyncRunRow
from connector.web.support.sync_lines import proof_of
from sync import resync
from tests.factories import make_order
from tests.sync.sync_stage import ANNA, SyncStage
from tests.sync.world import World

WHY = "Request 4711: an order is missing"


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A store of pages of two records, whose shop mails whoever leaves a checkout."""
    made = SyncStage(world)
    made.world.turn_on()
    return made


def ask(stage: SyncStage, scope: Scope, *, is_dry_run: bool = False, reason: str = WHY) -> tuple[SyncRunRow, bool]:
    """Support asks for a resync."""
    with stage.world.db.transaction(shop=stage.shop_id) as session:
        shop = shops.get_shop(session, stage.shop_id)
        return resync.request(session, shop, scope, actor=ANNA, reason=reason, is_dry_run=is_dry_run)


def act(stage: SyncStage, run: SyncRunRow, what: Act) -> tuple[SyncRunRow, bool]:
    """Support does something with a run."""
    with stage.world.db.transaction(shop=stage.shop_id) as session:
        shop = shops.get_shop(session, stage.shop_id)
        found = sync_runs.find_run(session, stage.shop_id, run.public_id, lock=True)
        return resync.act(session, shop, found, what, actor=ANNA)


def consequences(stage: SyncStage) -> list[Any]:
    """What a sync must never cause: messages, enrollments, grants, decisions about them."""
    tables = ("messages", "enrollments", "grants", "decisions", "offer_decisions")
    known = {row["tablename"] for row in stage.world.rows("select tablename from pg_tables where schemaname = 'public'")}
    return [row for table in tables if table in known for row in stage.world.rows(f"select * from {table}")]


@pytest.mark.spec("NH-09")
def test_a_resync_can_be_trusted(stage: SyncStage) -> None:
    """Of one customer, some days or all; looked at by field, throttled, gone on with, its end foreseen, proven; and nobody hears of it."""
    stage.hold_orders(6)
    stage.hold_customers(3)
    stage.reads.hold(make_order(stage.world.at(-2), platform_id="7", email="buyer7@example.org"))
    stage.work(ask(stage, Scope((Resource.CUSTOMER,), platform_id="c2"))[0])
    assert (stage.kept("customers"), stage.kept()) == (["c2"], [])
    stage.work(ask(stage, Scope((Resource.ORDER,), since=stage.world.at(-5), until=stage.world.at(-1)))[0])
    assert (stage.kept("customers"), stage.kept()) == (["c2"], ["7"])
    everything = stage.work(ask(stage, Scope())[0])
    assert (stage.kept("customers"), stage.kept(), everything.is_proven) == (["c1", "c2", "c3"], list("1234567"), True)
    stage.world.execute("update orders set total = 1 where shop_id = :shop and platform_id in ('1', '5')")
    stage.world.execute("delete from orders where shop_id = :shop and platform_id = '6'")
    before = stage.touched()

    dry = stage.work(ask(stage, Scope((Resource.ORDER,)), is_dry_run=True)[0])
    told = {one.platform_id: (one.kind, one.fields.get("total")) for one in stage.differences(dry.run)}
    assert told == {"1": ("changed", ["1.00", "12.50"]), "5": ("changed", ["1.00", "12.50"]), "6": ("missing", None)}
    assert (stage.touched(), dry.is_proven) == (before, False)

    stage.reads.asked.clear()
    stage.reads.errors[Resource.ORDER, 2] = ThrottledError("slower", platform="shopify", call="orders", retry_after=0.01)
    applied, is_new = act(stage, dry.run, Act.APPLY)
    stage.turn()
    stage.wait(timedelta(seconds=1))
    halfway = stage.look(applied)
    assert (is_new, halfway.run.state, halfway.progress.done, halfway.progress.total) == (True, RunState.RUNNING, 4, 7)
    assert halfway.progress.eta_seconds is not None
    ended = stage.work(applied)
    assert stage.reads.asked == ["order 0", "order 2", "order 4", "order 4", "order 6", "order 0"], "what was written is not read again"

    proof = proof_of(ended)
    assert proof is not None
    assert (proof.is_equal, proof.differing, proof.missing, proof.changed) == (True, 0, 1, 2)
    assert proof.store_digest == proof.ours_digest != f"{0:064x}"
    assert {row["total"] for row in stage.world.rows("select total from orders")} == {Decimal("12.50")}
    assert consequences(stage) == []


def test_applying_reads_the_store_again(stage: SyncStage) -> None:
    stage.hold_orders(2)
    dry = stage.work(ask(stage, Scope((Resource.ORDER,)), is_dry_run=True)[0])
    stage.reads.hold(make_order(stage.world.at(-1), platform_id="1", email="buyer1@example.org", total=Decimal("50.00")))
    stage.work(act(stage, dry.run, Act.APPLY)[0])
    rows = stage.world.rows("select total from orders where platform_id = '1'")
    assert [row["total"] for row in rows] == [Decimal("50.00")], "not what it was when it was looked at"


def test_a_dry_run_is_applied_once_unless_that_failed(stage: SyncStage) -> None:
    stage.hold_orders(1)
    dry = stage.work(ask(stage, Scope((Resource.ORDER,)), is_dry_run=True)[0])
    first, _ = act(stage, dry.run, Act.APPLY)
    assert act(stage, dry.run, Act.APPLY) == (first, False)
    act(stage, first, Act.CANCEL)
    second, is_new = act(stage, dry.run, Act.APPLY)
    assert (second.public_id != first.public_id, is_new, second.dry_run_id) == (True, True, dry.run.id)
    stage.work(second)
    assert act(stage, dry.run, Act.APPLY)[0].public_id == second.public_id


def test_a_run_rests_and_goes_on_where_it_was(stage: SyncStage) -> None:
    stage.hold_orders(4)
    run, _ = ask(stage, Scope((Resource.ORDER,)))

    def pause(kind: Resource, page: int) -> None:
        if page == 1:
            act(stage, run, Act.PAUSE)

    stage.reads.before_page = pause
    stage.turn()
    assert stage.look(run).run.state == RunState.PAUSED
    stage.reads.before_page = lambda kind, page: None
    stage.wait(timedelta(minutes=1))
    stage.turn()
    assert stage.look(run).run.state == RunState.PAUSED, "it rests until somebody says so"
    act(stage, run, Act.RESUME)
    assert stage.work(run).is_proven
    assert stage.kept() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("what", list(Act))
def test_what_is_over_stays_over(stage: SyncStage, what: Act) -> None:
    run, _ = ask(stage, Scope((Resource.ORDER,)))
    stage.work(run)
    with pytest.raises(Refused):
        act(stage, run, what)


def test_nothing_begins_without_a_reason_or_without_a_connection(stage: SyncStage) -> None:
    with pytest.raises(Refused, match="say in a few words why"):
        ask(stage, Scope(), reason=" x ")
    stage.world.execute("update shops set state = 'uninstalled' where id = :shop")
    with pytest.raises(Refused, match="not connected"):
        ask(stage, Scope())
    assert stage.world.rows("select * from sync_runs") == []


def test_a_dry_run_of_a_shop_that_was_lost_since_is_not_applied(stage: SyncStage) -> None:
    stage.hold_orders(1)
    dry = stage.work(ask(stage, Scope((Resource.ORDER,)), is_dry_run=True)[0])
    stage.world.execute("update shops set state = 'needs_sign_in' where id = :shop")
    with pytest.raises(Refused, match="not connected"):
        act(stage, dry.run, Act.APPLY)
