"""What a sync must not lose, claim or write: each of these was once wrong."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.asked import Access, Listing
from connector.canonical import Order, Resource
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.platforms import NotPermitted, Platform, TransientError
from connector.reading import Page
from connector.rules.syncing import EXPORT_FROM, RunKind, RunState, Scope, SliceState
from connector.store import shops, sync_runs
from connector.store.work import hold_inbox
from connector.wire import BrokenReading
from sync import apply, backfill, erase
from sync.jobs import Job
from sync.readers import Reader
from tests.factories import make_order
from tests.sync.bodies import dump
from tests.sync.sync_stage import SyncStage
from tests.sync.world import Arrival, World, keep


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A store of pages of two records."""
    return SyncStage(world)


def not_permitted() -> NotPermitted:
    """The store does not show it."""
    return NotPermitted("not shown", platform="fake", call="pages", status=403)


def test_a_dry_run_that_finds_a_removed_record_is_no_proof_that_nothing_differs(stage: SyncStage) -> None:
    stage.hold_orders(3)
    stage.backfill()
    del stage.reads.records[Resource.ORDER]["2"]

    found = stage.resync(is_dry_run=True)

    assert found.differences == 1
    assert not found.is_proven
    assert stage.resync().is_proven


def test_a_kind_that_the_store_stops_showing_in_the_middle_has_failed_and_was_not_skipped(stage: SyncStage) -> None:
    stage.hold_orders(6)
    run, _ = stage.begin(RunKind.BACKFILL)
    looks = [0]

    def refuse(kind: Resource, page: int) -> None:
        if page == 2:
            # What stands before it is written by then: the turn goes on behind it.
            looks[0] += 1
            raise not_permitted() if looks[0] > 1 else TransientError("cut", platform="fake", call="pages")

    stage.reads.before_page = refuse
    found = stage.work(run)

    assert stage.kept() == ["1", "2", "3", "4"]
    assert (found.slices[0].state, found.run.state) == (SliceState.FAILED, RunState.FAILED)


def test_a_record_of_which_the_store_does_not_say_whether_it_is_gone_stays_and_the_proof_says_so(
    stage: SyncStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.hold_orders(4)
    stage.backfill()
    gone = stage.reads.records[Resource.ORDER]
    del gone["2"], gone["3"]

    def record_now(access: object, what: Resource, platform_id: str) -> None:
        if platform_id == "2":
            raise not_permitted()

    monkeypatch.setattr(stage.reads, "record_now", record_now)
    found = stage.resync()

    assert stage.kept() == ["1", "2", "4"], "the other one is settled all the same"
    assert found.run.state == RunState.DONE
    assert (found.slices[0].state, found.total("remaining"), found.is_proven) == (SliceState.DONE, 1, False)


def test_a_dry_run_neither_puts_records_aside_nor_back_and_notes_nothing_about_the_shop(stage: SyncStage) -> None:
    stage.hold_orders(3)
    stage.reads.hold(make_order(stage.world.at(-30), platform_id="3", total="not a number"))
    stage.backfill()
    query = "select platform_id, reason, times from quarantined_records where shop_id = :shop"
    before = stage.world.rows(query)
    assert [row["platform_id"] for row in before] == ["3"]

    stage.hold_orders(3)
    stage.reads.unreadable["1"] = "bad_money"
    stage.reads.withheld = ("email",)
    stage.resync(is_dry_run=True)

    assert stage.world.rows(query) == before
    assert stage.world.rows("select withheld from shops where id = :shop")[0]["withheld"] == []


def test_a_removal_is_applied_though_a_record_beside_it_is_refused(stage: SyncStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.hold_orders(3)
    stage.backfill()
    orders = stage.reads.records[Resource.ORDER]
    del orders["2"], orders["3"]
    broken = make_order(stage.world.at(-30), platform_id="3", total="not a number")
    monkeypatch.setattr(stage.reads, "record_now", lambda access, what, platform_id: broken if platform_id == "3" else None)

    found = stage.resync()

    assert stage.kept() == ["1", "3"]
    assert (found.total("unreadable"), found.is_proven) == (1, False)


def test_codes_of_one_discount_are_compared_together(stage: SyncStage) -> None:
    code = CodeState("77", stage.world.at(-60), "MERCI10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10))
    stage.reads.records[Resource.DISCOUNT_CODE] = {"a": code, "b": replace(code, code="MERCI20")}

    found = stage.resync(Scope((Resource.DISCOUNT_CODE,)))

    assert (found.run.state, found.total("missing"), found.is_proven) == (RunState.DONE, 2, True)
    assert [(one.platform_id, one.kind) for one in stage.differences(found.run)] == [("77", "missing")]


@pytest.mark.parametrize("exports", [False, True])
def test_what_a_webhook_told_after_the_store_was_asked_is_not_overwritten_by_what_was_read_before(world: World, exports: bool) -> None:
    stage = SyncStage(world, exports=exports)
    stage.reads.size = 500
    stage.hold_orders(EXPORT_FROM)
    old = stage.reads.records[Resource.ORDER]["1"]
    assert isinstance(old, Order)
    stage.backfill()
    stage.wait(timedelta(minutes=5))
    stage.reads.hold(replace(old, number="#read"))
    run, _ = stage.begin()

    def tell() -> None:
        """A page is read; then a delivery tells of the same second's last version, and is written first."""
        stage.wait(timedelta(seconds=5))
        with stage.world.db.transaction(shop=stage.shop_id) as session:
            shop = hold_inbox(session, stage.shop_id)
            assert shop is not None
            batch = apply.Batch()
            batch.tell([replace(old, number="#told", triggered_at=stage.world.now())])
            apply.save(session, stage.world.services, shop, batch)

    if exports:
        stage.reads.export_states = ["running"]
        stage.turn()
        tell()
        stage.wait(timedelta(seconds=5))
    else:
        todo = [tell]
        stage.reads.before_page = lambda kind, page: todo.pop()() if todo else None
    stage.turn()

    (row,) = stage.world.rows("select number from orders where shop_id = :shop and platform_id = '1'")
    assert row["number"] == "#told"
    assert (stage.look(run).total("newer"), stage.look(run).total("remaining")) == (1, 0)


def test_a_shop_that_is_uninstalled_in_the_middle_of_a_turn_is_not_written_any_more(stage: SyncStage) -> None:
    stage.hold_orders(4)
    run, _ = stage.begin(RunKind.BACKFILL)
    uninstall = "update shops set state = 'uninstalled' where id = :shop"
    stage.reads.before_page = lambda kind, page: stage.world.execute(uninstall)

    stage.turn()

    assert stage.kept() == []
    assert backfill.begin_due(stage.world.services) == 0
    over = stage.look(run).run
    assert (over.state, over.finished_at is not None) == (RunState.CANCELLED, True), "nobody is shown a run that never goes on"


def test_a_page_that_is_being_written_and_the_erasing_of_its_shop_do_not_block_each_other(world: World) -> None:
    stage = SyncStage(world)
    stage.hold_orders(2)
    stage.begin(RunKind.BACKFILL)
    failures: list[Exception] = []
    is_held = threading.Event()

    def write() -> None:
        try:
            with world.db.transaction(shop=stage.shop_id) as session:
                run = sync_runs.claim(session, stage.shop_id, (RunKind.BACKFILL,))
                assert run is not None
                assert sync_runs.hold(session, run)
                is_held.set()
                time.sleep(0.8)
                hold_inbox(session, stage.shop_id)
        except Exception as error:
            failures.append(error)

    with world.db.transaction(shop=stage.shop_id) as session:
        assert shops.uninstall(session, stage.shop_id, world.at(20))
    world.arrive("shop/redact", dump({"shop_id": 1, "shop_domain": world.shop.domain}), world.at(30))
    world.execute("update shops set state = 'connected' where id = :shop")
    writer = threading.Thread(target=write)
    writer.start()
    assert is_held.wait(5)
    world.execute("update shops set state = 'uninstalled' where id = :shop")
    for _ in range(5):
        erase.erase(world.services, stage.shop_id)
    writer.join()

    assert failures == []
    assert world.rows("select 1 from sync_runs where shop_id = :shop") == []


def test_whoever_was_turned_away_while_a_page_was_written_is_rung_for(stage: SyncStage) -> None:
    rung: list[str] = []
    stage.hold_orders(2)
    stage.world.db.on_wake(lambda wake: rung.append(wake.job))
    stage.backfill()
    assert Job.APPLY.value not in rung

    keep(stage.world.db, stage.world.shop, [Arrival("checkouts/update", b"{}")])
    stage.hold_orders(4)
    stage.backfill()
    assert Job.APPLY.value in rung


def rows_read(world: World) -> int:
    """How many rows of orders and people were read by going through a whole table, by all connections until now."""
    world.db.engine.dispose()
    counted = "select coalesce(sum(seq_tup_read), 0)::int n from pg_stat_user_tables where relname in ('orders', 'contacts', 'customers')"
    others = "select count(*) n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    end = time.monotonic() + 5
    while world.rows(others)[0]["n"] and time.monotonic() < end:
        time.sleep(0.02)
    world.db.engine.dispose()
    return int(world.rows(counted)[0]["n"])


def test_a_shop_that_comes_into_empty_tables_is_not_read_whole_for_each_new_row(stage: SyncStage) -> None:
    stage.reads.size = 20
    stage.hold_orders(1500)
    stage.world.execute("truncate orders, contacts, customers cascade; analyze orders, contacts, customers")
    before = rows_read(stage.world)

    stage.backfill()

    assert len(stage.kept()) == 1500
    # With the plans of the first few rows it would be a million: each new row would go through all before it.
    assert rows_read(stage.world) - before < 200_000


def test_reading_that_breaks_in_its_own_process_is_shown_and_tried_again_from_the_same_page(stage: SyncStage) -> None:
    stage.hold_orders(5)
    reader = stage.world.services.reader
    stage.world = replace(stage.world, services=replace(stage.world.services, reader=BreaksOnce(reader, 1)))
    run, _ = stage.begin(RunKind.BACKFILL)
    with pytest.raises(BrokenReading):
        stage.turn()
    found = stage.look(run)
    assert (found.run.error, found.run.finished_at) == ("reading broke: KeyError", None)
    assert stage.work(run).run.state == RunState.DONE
    assert stage.kept() == ["1", "2", "3", "4", "5"]


@dataclass
class BreaksOnce:
    """A Reader that meets an error of our own after so many pages, the first time."""

    inner: Reader
    pages_left: int
    is_broken: bool = False

    def pages(self, platform: Platform, access: Access, listing: Listing) -> Iterator[Page]:
        """See `Reader`."""
        for page in self.inner.pages(platform, access, listing):
            if not self.is_broken and not self.pages_left:
                self.is_broken = True
                raise BrokenReading("KeyError")
            self.pages_left -= 1
            yield page
