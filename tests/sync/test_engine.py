"""Slices of a shop's records: read whole, from where they stood, however often something gives way."""

from datetime import timedelta

import pytest

from connector.canonical import Resource
from connector.platforms import NotPermitted, ThrottledError, TransientError
from connector.rules.syncing import RunKind, RunState, Scope, SliceState
from connector.store import sync_runs
from connector.store.sync_runs import LEASE
from sync import backfill, engine
from tests.factories import make_order
from tests.sync.sync_stage import SyncStage
from tests.sync.world import World

BOTH = Scope((Resource.CUSTOMER, Resource.ORDER))


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A store of pages of two records."""
    return SyncStage(world)


def no_answer() -> TransientError:
    """The store did not answer."""
    return TransientError("no answer", platform="fake", call="pages", status=503)


def test_a_backfill_takes_in_every_kind_and_says_how_many(stage: SyncStage) -> None:
    stage.hold_orders(5)
    stage.hold_customers(3)

    found = stage.backfill(BOTH)

    assert found.run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5"]
    assert stage.kept("customers") == ["c1", "c2", "c3"]
    assert (found.total("missing"), found.total("unreadable"), found.progress.done, found.progress.total) == (8, 0, 8, 8)


@pytest.mark.spec("C79")
def test_a_worker_that_dies_leaves_the_run_to_the_next_one_which_goes_on_at_the_last_page_that_was_written(stage: SyncStage) -> None:
    stage.hold_orders(6)
    run, _ = stage.begin(RunKind.BACKFILL)

    def die(kind: Resource, page: int) -> None:
        if page == 2:
            stage.reads.before_page = lambda kind, page: None
            raise KeyboardInterrupt

    stage.reads.before_page = die
    with pytest.raises(KeyboardInterrupt):
        stage.turn()
    stage.turn()
    assert stage.look(run).run.finished_at is None, "the lease of the dead still holds"

    found = stage.work(run)

    assert found.run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5", "6"]
    assert stage.reads.asked.count("order 0") <= 2
    assert found.total("missing") == 6, "nothing was counted twice"


def test_who_lost_the_lease_writes_nothing_more(stage: SyncStage) -> None:
    stage.hold_orders(4)
    run, _ = stage.begin(RunKind.BACKFILL)

    def steal(kind: Resource, page: int) -> None:
        stage.world.execute("update sync_runs set lease = 'another' where shop_id = :shop")

    stage.reads.before_page = steal
    stage.turn()

    assert stage.kept() == []
    stage.reads.before_page = lambda kind, page: None
    stage.wait(LEASE + timedelta(seconds=1))
    assert stage.work(run).run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4"]


def test_a_store_that_does_not_answer_is_asked_again_from_the_same_page(stage: SyncStage) -> None:
    stage.hold_orders(6)
    stage.reads.errors[Resource.ORDER, 1] = no_answer()
    run, _ = stage.begin(RunKind.BACKFILL)

    stage.turn()
    waiting = stage.look(run)
    assert waiting.run.due_at > stage.world.now()
    assert "no answer" in str(waiting.run.error)
    found = stage.work(run)

    assert found.run.state == RunState.DONE
    assert [page for page in stage.reads.asked if page.startswith("order")][:4] == ["order 0", "order 2", "order 2", "order 4"]


@pytest.mark.spec("C81")
def test_a_store_that_asks_us_to_slow_down_is_asked_later_and_nothing_fails(stage: SyncStage) -> None:
    stage.hold_orders(6)
    for page in range(3):
        stage.reads.errors[Resource.ORDER, page] = ThrottledError("slower", platform="fake", call="pages", retry_after=0.01)
    run, _ = stage.begin(RunKind.BACKFILL)

    found = stage.work(run)

    assert found.run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5", "6"]
    assert found.run.error is None


def test_what_the_store_does_not_show_us_is_skipped_and_the_rest_goes_on(stage: SyncStage) -> None:
    stage.hold_orders(2)
    stage.reads.errors[Resource.CUSTOMER, 0] = NotPermitted("no scope for customers", platform="fake", call="pages", status=403)

    found = stage.backfill(BOTH)

    assert found.run.state == RunState.DONE
    assert stage.kept() == ["1", "2"]
    skipped = [one for one in found.slices if one.state == SliceState.SKIPPED]
    assert [(one.resource, one.error) for one in skipped] == [("customer", "no scope for customers")]


@pytest.mark.spec("C77")
def test_a_bad_record_is_put_aside_with_its_reason_while_all_others_go_on(stage: SyncStage) -> None:
    stage.hold_orders(5)
    stage.reads.unreadable["3"] = "bad_money"
    stage.reads.hold(make_order(stage.world.at(-30), platform_id="4", total="not a number"))

    found = stage.backfill()

    assert found.run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "5"]
    put_aside = stage.world.rows("select platform_id, reason from quarantined_records where shop_id = :shop order by platform_id")
    assert [(row["platform_id"], row["reason"]) for row in put_aside] == [("3", "bad_money"), ("4", "cannot_be_applied")]

    stage.reads.unreadable.clear()
    stage.hold_orders(5)
    stage.resync()
    assert stage.kept() == ["1", "2", "3", "4", "5"]
    assert stage.world.rows("select 1 from quarantined_records where shop_id = :shop") == []


@pytest.mark.spec("C84")
def test_a_slice_that_brings_fewer_records_than_the_store_counts_fails_loudly(stage: SyncStage) -> None:
    stage.hold_orders(6)
    stage.reads.lost.add("4")

    found = stage.backfill()

    assert found.run.state == RunState.FAILED
    assert "5 of the 6 records came" in str(found.run.error)
    assert stage.reads.asked[:6] == ["order 0", "order 2", "order 4"] * 2, "it was read again from its beginning first"
    with stage.world.db.transaction(shop=stage.shop_id) as session:
        assert sync_runs.active_run(session, stage.shop_id, RunKind.BACKFILL) is None
    assert stage.world.rows("select good_until from sync_marks where shop_id = :shop and resource = 'order'") == []


def test_what_was_deleted_while_it_was_read_is_not_missed(stage: SyncStage) -> None:
    stage.hold_orders(6)

    def delete(kind: Resource, page: int) -> None:
        if page == 1:
            stage.reads.records[Resource.ORDER].pop("6", None)

    stage.reads.before_page = delete
    assert stage.backfill().run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5"]


def test_what_is_edited_while_a_run_goes_on_is_seen_by_it(stage: SyncStage) -> None:
    stage.hold_orders(6)
    edited = make_order(stage.world.now() + timedelta(minutes=1), platform_id="1", email="buyer1@example.org", number="#edited")

    def edit(kind: Resource, page: int) -> None:
        if page == 2:
            stage.reads.hold(edited)

    stage.reads.before_page = edit
    stage.backfill()

    (row,) = stage.world.rows("select number from orders where shop_id = :shop and platform_id = '1'")
    assert row["number"] == "#edited"


def test_a_paused_run_rests_after_its_page_and_goes_on_where_it_was(stage: SyncStage) -> None:
    stage.hold_orders(6)
    run, _ = stage.begin(RunKind.BACKFILL)
    pause = "update sync_runs set state = 'paused' where shop_id = :shop"
    stage.reads.before_page = lambda kind, page: stage.world.execute(pause) if page == 1 else None
    stage.turn()
    stage.wait(LEASE + timedelta(seconds=1))
    stage.turn()
    resting = stage.look(run)
    assert resting.run.state == RunState.PAUSED
    assert len(stage.kept()) < 6

    stage.reads.before_page = lambda kind, page: None
    with stage.world.db.transaction(shop=stage.shop_id) as session:
        locked = sync_runs.find_run(session, stage.shop_id, run.public_id, lock=True)
        sync_runs.resume(session, locked, sync_runs.SYSTEM)
    assert stage.work(run).run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5", "6"]


def test_a_cancelled_run_ends_and_keeps_what_it_wrote(stage: SyncStage) -> None:
    stage.hold_orders(6)
    run, _ = stage.begin(RunKind.BACKFILL)

    def cancel(kind: Resource, page: int) -> None:
        if page == 1:
            with stage.world.db.transaction(shop=stage.shop_id) as session:
                sync_runs.cancel(session, sync_runs.find_run(session, stage.shop_id, run.public_id, lock=True), sync_runs.SYSTEM)

    stage.reads.before_page = cancel
    stage.turn()
    stage.wait(timedelta(hours=1))
    stage.turn()

    found = stage.look(run)
    assert (found.run.state, found.run.finished_at is not None) == (RunState.CANCELLED, True)
    assert set(stage.kept()) <= {"1", "2"}


@pytest.mark.spec("BX-46")
def test_a_second_sync_is_refused_while_one_runs_and_no_automation_fires_for_what_one_brings(stage: SyncStage) -> None:
    stage.world.turn_on()
    stage.hold_orders(3)
    run, is_new = stage.begin(RunKind.BACKFILL)
    again, is_new_again = stage.begin(RunKind.BACKFILL, BOTH)

    assert (is_new, is_new_again, again.public_id) == (True, False, run.public_id)
    stage.work(run)
    stage.wait(timedelta(days=3))
    stage.world.abandon()
    assert stage.world.rows("select 1 from enrollments where shop_id = :shop") == []
    assert stage.world.rows("select 1 from messages where shop_id = :shop") == []


def test_each_install_is_pulled_once(stage: SyncStage) -> None:
    assert backfill.begin_due(stage.world.services) == 1
    assert backfill.begin_due(stage.world.services) == 0
    stage.world.execute("update shops set installed_at = app_now() + interval '1 second' where id = :shop")
    stage.wait(timedelta(seconds=2))
    assert backfill.begin_due(stage.world.services) == 1, "the shop was installed anew"
    states = stage.world.rows("select state from sync_runs where shop_id = :shop order by id")
    assert [row["state"] for row in states] == ["cancelled", "waiting"]


def test_a_shop_that_is_not_connected_is_left_alone(stage: SyncStage) -> None:
    stage.hold_orders(2)
    run, _ = stage.begin(RunKind.BACKFILL)
    stage.world.execute("update shops set state = 'needs_sign_in' where id = :shop")

    engine.work(stage.world.services, stage.shop_id)

    assert stage.look(run).run.state == RunState.WAITING
    assert stage.reads.asked == []
