"""A resync: nothing is written before somebody has read what differs, and at the end stands a proof."""

from dataclasses import replace
from decimal import Decimal

import pytest

from connector.canonical import PaymentState, Resource
from connector.platforms import TransientError
from connector.rules.syncing import EXPORT_FROM, RunKind, RunState, Scope
from tests.factories import make_order
from tests.sync.sync_stage import SyncStage
from tests.sync.world import World


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A store of pages of two records."""
    return SyncStage(world)


def test_a_dry_run_tells_field_by_field_what_differs_and_writes_nothing(stage: SyncStage) -> None:
    stage.hold_orders(3)
    stage.backfill()
    changed = make_order(stage.world.at(-1), platform_id="2", email="buyer2@example.org", total=Decimal("99.00"), number="#2")
    stage.reads.hold(changed, make_order(stage.world.at(-1), platform_id="4", email="buyer4@example.org"))
    before = stage.touched()

    found = stage.resync(is_dry_run=True)

    assert stage.touched() == before
    assert stage.kept() == ["1", "2", "3"]
    told = {one.platform_id: (one.kind, one.is_applied, one.fields) for one in stage.differences(found.run)}
    assert told.keys() == {"2", "4"}
    kind, is_applied, fields = told["2"]
    assert (kind, is_applied, fields["total"], fields["number"]) == ("changed", False, ["12.50", "99.00"], [None, "#2"])
    assert told["4"][0] == "missing"
    assert not found.is_proven


def test_what_differs_is_applied_and_the_proof_is_read_back_from_our_rows(stage: SyncStage) -> None:
    stage.hold_orders(3)
    stage.backfill()
    stage.world.execute("update orders set total = 1, email = 'wrong@example.org' where shop_id = :shop and platform_id = '3'")
    stage.world.execute("delete from orders where shop_id = :shop and platform_id = '1'")

    found = stage.resync()

    assert (found.total("missing"), found.total("changed"), found.total("remaining")) == (1, 1, 0)
    assert found.is_proven
    assert {one.store_sum for one in found.slices} == {one.ours_sum for one in found.slices}
    row = stage.world.rows("select total, email from orders where shop_id = :shop and platform_id = '3'")[0]
    assert (row["total"], row["email"]) == (Decimal("12.50"), "buyer3@example.org")
    assert stage.resync(is_dry_run=True).is_proven


def test_an_unchanged_shop_costs_no_write(stage: SyncStage) -> None:
    stage.hold_orders(5)
    stage.backfill()
    before = stage.touched()

    found = stage.resync()

    assert stage.touched() == before
    assert (found.differences, found.is_proven) == (0, True)


def test_a_record_that_the_store_did_not_list_goes_only_after_it_was_asked_for(stage: SyncStage) -> None:
    stage.hold_orders(4)
    stage.backfill()
    stage.reads.asked.clear()
    del stage.reads.records[Resource.ORDER]["2"]

    dry = stage.resync(is_dry_run=True)
    assert [(one.platform_id, one.kind) for one in stage.differences(dry.run)] == [("2", "removed")]
    assert stage.kept() == ["1", "2", "3", "4"]
    found = stage.resync()

    assert stage.reads.asked.count("order = 2") == 2
    assert stage.kept() == ["1", "3", "4"]
    assert found.run.state == RunState.DONE


def test_one_record_is_read_by_its_id(stage: SyncStage) -> None:
    stage.hold_orders(3)
    one = Scope((Resource.ORDER,), platform_id="2")

    assert stage.resync(one).is_proven
    assert stage.kept() == ["2"]
    del stage.reads.records[Resource.ORDER]["2"]
    stage.resync(one)
    assert stage.kept() == []
    assert not [asked for asked in stage.reads.asked if asked.startswith("order ") and "=" not in asked]


def test_a_span_of_time_reads_what_changed_in_it(stage: SyncStage) -> None:
    stage.hold_orders(4)
    span = Scope((Resource.ORDER,), stage.world.at(-60, 2), stage.world.at(-60, 4))

    stage.resync(span)

    assert stage.kept() == ["2", "3"]


def test_what_the_store_says_wins_at_the_same_version_and_a_newer_row_of_ours_stays(stage: SyncStage) -> None:
    stage.hold_orders(2)
    stage.backfill()
    stage.world.execute(
        "update orders set source_version = app_now() + interval '1 hour', total = 7 where shop_id = :shop and platform_id = '1'"
    )
    other = replace(stage.reads.records[Resource.ORDER]["2"], payment_state=PaymentState.PENDING)
    stage.reads.hold(other)

    found = stage.resync()

    assert (found.total("newer"), found.total("changed")) == (1, 1)
    rows = stage.world.rows("select total, payment_state from orders where shop_id = :shop order by platform_id")
    assert (rows[0]["total"], rows[1]["payment_state"]) == (Decimal(7), "pending")


def test_many_records_come_by_a_file_and_a_cut_download_goes_on_behind_what_was_written(world: World) -> None:
    stage = SyncStage(world, exports=True)
    stage.reads.size = 50
    stage.hold_orders(EXPORT_FROM)
    stage.reads.export_states = ["running"]
    stage.reads.errors[Resource.ORDER, 3] = TransientError("cut", platform="fake", call="export_file")

    found = stage.backfill()

    assert found.run.state == RunState.DONE
    assert len(stage.kept()) == EXPORT_FROM
    assert found.total("missing") == EXPORT_FROM
    assert found.slices[0].export_id == "order-0"
    assert [page for page in stage.reads.asked if page.startswith("order ")] == ["order 0"], "only what changed meanwhile came by pages"


def test_a_file_that_fails_is_replaced_by_pages(world: World) -> None:
    stage = SyncStage(world, exports=True)
    stage.reads.size = 50
    stage.hold_orders(EXPORT_FROM)
    stage.reads.export_states = ["running", "failed"]

    found = stage.work(stage.begin(RunKind.BACKFILL)[0])

    assert found.run.state == RunState.DONE
    assert len(stage.kept()) == EXPORT_FROM
    assert found.slices[0].export_id is None


@pytest.mark.parametrize("trouble", ["cut", "gone"])
def test_a_file_that_cannot_be_had_again_and_again_is_replaced_by_pages(world: World, trouble: str) -> None:
    stage = SyncStage(world, exports=True)
    stage.reads.size = 50
    stage.hold_orders(EXPORT_FROM)
    stage.reads.export_states = ["running"]
    run, _ = stage.begin(RunKind.BACKFILL)
    stage.turn()
    assert stage.look(run).slices[0].export_id == "order-0"
    if trouble == "gone":
        stage.reads.exports.clear()
    stage.reads.cut = trouble == "cut"

    found = stage.work(run)

    assert found.run.state == RunState.DONE
    assert (len(stage.kept()), found.slices[0].export_id) == (EXPORT_FROM, None)


def test_an_order_that_a_store_hides_only_for_its_age_is_gone_if_it_is_young_and_not_shown(stage: SyncStage) -> None:
    stage.hold_orders(3)
    stage.backfill()
    stage.reads.shown_since = stage.world.at(-60 * 24 * 10)
    stage.reads.hidden.add("2")
    del stage.reads.records[Resource.ORDER]["2"]

    found = stage.resync()

    assert stage.kept() == ["1", "3"]
    assert found.run.state == RunState.DONE
