"""A shop whose store is read by pages, and its runs: begun, worked on turn by turn, and looked at."""

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.canonical import Resource
from connector.capabilities import Capabilities
from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from connector.store.audit import Actor
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow
from connector.store.sync_runs import LEASE, RunView
from sync import engine
from sync.pauses import Pauses
from tests.factories import make_customer, make_order
from tests.fakes import FakePlatform
from tests.sync.paged import PagedReads
from tests.sync.world import World

ANNA = Actor("staff stf_anna")
ORDERS = Scope((Resource.ORDER,))
MOST_TURNS = 40


class SyncStage:
    """Made of a world; `reads` is the store."""

    def __init__(self, world: World, *, exports: bool = False) -> None:
        self.reads = PagedReads()
        self.platform = FakePlatform(reads=self.reads)  # type: ignore[arg-type] # of Reads, what syncing asks
        self.platform.can = Capabilities(False, False, True, False, exports=exports)
        # Whoever was asked to wait has waited by the next look.
        pauses = Pauses(itertools.count(0.0, 60.0).__next__)
        self.world = replace(world, services=replace(world.services, platforms={"shopify": self.platform}, pauses=pauses))
        self.shop_id = world.shop.id

    def hold_orders(self, count: int, **changes: Any) -> None:
        """So many orders of as many people are in the store, from before the story."""
        for number in range(1, count + 1):
            at = self.world.at(-60) + timedelta(seconds=number)
            self.reads.hold(make_order(at, platform_id=str(number), email=f"buyer{number}@example.org", **changes))

    def hold_customers(self, count: int) -> None:
        """So many customers are in the store."""
        for number in range(1, count + 1):
            self.reads.hold(make_customer(self.world.at(-60), platform_id=f"c{number}", email=f"buyer{number}@example.org", phone=None))

    def begin(self, kind: RunKind = RunKind.RESYNC, scope: Scope = ORDERS, *, is_dry_run: bool = False) -> tuple[SyncRunRow, bool]:
        """Begin a run."""
        with self.world.db.transaction(shop=self.shop_id) as session:
            return sync_runs.begin(session, self.shop_id, kind, scope, actor=ANNA, reason="a test", is_dry_run=is_dry_run)

    def turn(self) -> None:
        """One turn of a worker."""
        engine.work(self.world.services, self.shop_id)

    def work(self, run: SyncRunRow) -> RunView:
        """Turns until the run is over, however long it must wait between them."""
        for _ in range(MOST_TURNS):
            self.turn()
            found = self.look(run)
            if found.run.finished_at is not None:
                return found
            self.wait(max(found.run.due_at - self.world.now(), LEASE) + timedelta(seconds=1))
        raise AssertionError(f"not over after {MOST_TURNS} turns: {found}")

    def resync(self, scope: Scope = ORDERS, *, is_dry_run: bool = False) -> RunView:
        """A whole resync."""
        return self.work(self.begin(scope=scope, is_dry_run=is_dry_run)[0])

    def backfill(self, scope: Scope = ORDERS) -> RunView:
        """A whole backfill."""
        return self.work(self.begin(RunKind.BACKFILL, scope)[0])

    def look(self, run: SyncRunRow) -> RunView:
        """How it stands."""
        with self.world.db.transaction(shop=self.shop_id) as session:
            return sync_runs.view(session, sync_runs.find_run(session, self.shop_id, run.public_id))

    def differences(self, run: SyncRunRow) -> list[SyncDifferenceRow]:
        """What it found."""
        with self.world.db.transaction(shop=self.shop_id) as session:
            return list(sync_runs.list_differences(session, run.id or 0))

    def wait(self, span: timedelta) -> None:
        """The clock moves on."""
        self.world.go_to(self.world.now() + span)

    def kept(self, table: str = "orders") -> list[str]:
        """The ids of what we keep and is not gone, sorted."""
        rows = self.world.rows(f"select platform_id from {table} where shop_id = :shop and deleted_at is null order by platform_id")
        return [row["platform_id"] for row in rows]

    def touched(self) -> dict[int, Any]:
        """Which transaction wrote each order last: the same as before if nothing was written."""
        return {row["id"]: row["xmin"] for row in self.world.rows("select id, xmin::text xmin from orders where shop_id = :shop")}
