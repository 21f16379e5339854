"""
RL-141, of syncs: one shop has 50,000 orders and as many customers waiting to be pulled; 25 others hardly notice.

As in the case of a flood, each of the others has a delivery and an e-mail a second, and what they feel without the noisy shop is
measured first.
"""

import time
from pathlib import Path

from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from connector.store.run_tables import SyncRunRow
from tests.chaos.case import Case
from tests.chaos.cases.fairness import OTHERS, Figures, at_rest, calm_posts, judge_deliveries, judge_mails, know_products, prepare
from tests.chaos.cases.sync_kills import SUPPORT, Story, opened
from tests.chaos.driver import Driver
from tests.chaos.report import Row
from tests.chaos.size import Size

ORDERS, FEW_ORDERS = 50_000, 2_500
FEW_OTHERS = 8
LEAST_READ, FEW_READ = 1_000, 200
"""
So many records must be read while the others are watched. A small run has other cases beside it and judges no timings: it wants
fewer, and waits until they are read.
"""
QUIET_SECONDS, LOUD_SECONDS = 20.0, 60.0
REST_SECONDS, SHORTEST_SECONDS = 60.0, 1.0


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """A quiet time, then the sync, and the same quiet load all along."""
    orders, shops = (ORDERS, OTHERS) if size.share >= 1 else (FEW_ORDERS, FEW_OTHERS)
    quiet, loud = size.seconds(QUIET_SECONDS, least=2.0), size.seconds(LOUD_SECONDS, least=5.0)
    found = Figures()
    with opened(size, seed, directory, orders, shops=shops, before=_hold_back, latency=0.0) as story:
        stack, others = story.stack, story.stack.shops
        know_products(stack)
        begin = prepare(stack, others[0], others, quiet, loud, 0)
        to_monotonic = time.monotonic() - stack.now().timestamp()
        driver = Driver(stack.ports, calm_posts(others), float(shops), int(shops * (quiet + loud)))
        time.sleep(max(0.0, begin.timestamp() + to_monotonic - time.monotonic()))
        driver.start()
        time.sleep(quiet)
        _let_go(story)
        synced_at = stack.now()
        driver.join(loud + 30)
        run_id = story.run_id(RunKind.BACKFILL)
        assert run_id is not None
        if size.share < 1:
            stack.wait_until(lambda: story.seen(run_id) >= FEW_READ, REST_SECONDS)
        read = story.seen(run_id)
        mails = shops * int(quiet + loud)
        stack.wait_until(lambda: at_rest(stack, others) and stack.sink.count >= mails, REST_SECONDS)
        judge_deliveries(stack, driver, found, synced_at)
        judge_mails(stack, others, found, begin, synced_at, quiet, loud, to_monotonic)
        found.shown |= {"waiting": str(2 * orders), "records read meanwhile": str(read)}
        busy = _seconds(story, run_id)
        found.shown["sync took"] = f"{busy:.0f} s" if busy else "longer"
        if read < size.count(LEAST_READ, least=FEW_READ) or 0 < busy < SHORTEST_SECONDS:
            found.violations.append(f"{read} records were read while the others were watched: it proves nothing")
    title = f"one shop's sync of {orders:,} orders and customers starves nobody"
    return [Row("RL-141", title, int(shops * loud), read, found.violations, seed, found.shown)]


def _hold_back(story: Story) -> None:
    """The backfill of the noisy shop waits for us; that of the others is over: their stores are not here."""
    with story.db.transaction(shop=story.shop.id) as session:
        made, _ = sync_runs.begin(session, story.shop.id, RunKind.BACKFILL, Scope())
        sync_runs.pause(session, made, SUPPORT)
    with story.stack.connect() as connection:
        connection.execute(
            """
            insert into sync_runs (public_id, shop_id, kind, state, is_dry_run, scope, asked_by, reason, high_water_at, created_at, due_at)
            select 'syn_' || id, id, 'backfill', 'done', false, '{}', 'the case', '', app_now(), app_now(), app_now()
            from shops where id <> %s
            """,
            [story.shop.id],
        )


def _let_go(story: Story) -> None:
    with story.db.transaction(shop=story.shop.id) as session:
        held = session.get_one(SyncRunRow, story.run_id(RunKind.BACKFILL))
        sync_runs.resume(session, held, SUPPORT)


def _seconds(story: Story, run_id: int) -> float:
    """How long the sync took; 0 if it goes on."""
    query = "select coalesce(extract(epoch from finished_at - started_at), 0)::float8 from sync_runs where id = %s"
    return float(story.stack.one(query, run_id))


CASE = Case("sync_fairness", ("RL-141",), run, alone=True, seconds=20)
"""Measured alone, as its figure is a timing."""
