"""
RL-109: the same delivery sent fifty times at once takes effect once.
RL-110: the answer comes in time although the database is slow.
"""

import random
import time
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Shoppers, absent, answers, audited, drive, row, settle, unprocessed
from tests.chaos.ledger import Ledger
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import Stack

BURSTS, AT_ONCE = 200, 50
SLOW_SECONDS, SLOW_RATE = 150.0, 200
CALM_SECONDS = 1.0
ROUND_TRIP_SECONDS = 0.3
BUDGET_SECONDS, LIMIT_SECONDS, PATIENCE_SECONDS = 1.0, 5.0, 8.0


def run_bursts(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-109: bursts of one signed request, over two web processes."""
    bursts, ledger = size.count(BURSTS), Ledger()
    with Stack(directory, seed=seed, web=2, shops=2, automation=False) as stack:
        posts = Shoppers(stack.shops, stack.rng)
        with audited(stack, ledger, size) as auditor:
            for number in range(bursts):
                post = posts(number)
                together = Driver(stack.ports, lambda _, post=post: post, 1e6, AT_ONCE, ledger=ledger, rng=random.Random(number))  # type: ignore[misc]
                drive(together.start(), 30)
            restless = settle(stack, auditor)
        repeats = bursts * (AT_ONCE - 1)
        wrong = [*restless, *_refused(ledger), *_effects(stack, bursts), *absent(stack, ledger), *unprocessed(stack)]
        title = "fifty identical requests at once take effect once"
        return [row("RL-109", title, bursts, repeats, wrong, seed, **answers(ledger)), auditor.row(repeats, seed)]


def _refused(ledger: Ledger) -> list[str]:
    """Nobody did anything wrong, so nobody may be refused or left without an answer."""
    return [
        f"a request of burst {attempt.key.hex()[:12]} was {attempt.outcome}: {attempt.status}"
        for attempt in ledger.attempts
        if attempt.outcome != "ok"
    ]


def _effects(stack: Stack, bursts: int) -> list[str]:
    """One delivery, handled once, and one version of one record for each burst."""
    with stack.connect() as connection:
        found = connection.execute(
            "select d.id, d.attempts, count(b.body) from deliveries d left join delivery_bodies b on b.delivery_id = d.id group by d.id"
        )
        handled = [(str(one[0]), int(one[1]), int(one[2])) for one in found]
        records = stack.one("select (select count(*) from checkouts) + (select count(*) from orders)")
        versions = stack.one("select count(*) from checkout_versions")
        checkouts = stack.one("select count(*) from checkouts")
    wrong = [
        f"delivery {id} was handled {attempts} times and has {bodies} bodies"
        for id, attempts, bodies in handled
        if (attempts, bodies) != (1, 1)
    ]
    if len(handled) != bursts:
        wrong.append(f"{bursts} bursts left {len(handled)} deliveries")
    if records != bursts or versions != checkouts:
        wrong.append(f"{bursts} bursts left {records} records, and {versions} versions of {checkouts} checkouts")
    return wrong


def run_slow(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-110: in mid-traffic each question to the database begins to take 300 ms longer; 200 deliveries come in a second."""
    seconds = size.seconds(SLOW_SECONDS, least=15.0)
    with Stack(directory, seed=seed, web=2, shops=3, spoilt=["postgres"], automation=False) as stack:
        total = int(seconds * SLOW_RATE)
        driver = Driver(stack.ports, Shoppers(stack.shops, stack.rng), SLOW_RATE, total, PATIENCE_SECONDS, rng=random.Random(seed))
        with audited(stack, driver.ledger, size) as auditor:
            driver.start()
            time.sleep(CALM_SECONDS)
            stack.proxies.postgres.delay_seconds = ROUND_TRIP_SECONDS / 2
            drive(driver, seconds + 60)
            delayed = stack.proxies.postgres.faults
            stack.proxies.postgres.heal()
            restless = settle(stack, auditor, 180)
        times = sorted(attempt.seconds for attempt in driver.ledger.attempts)
        p99, longest = times[int(len(times) * 0.99)], times[-1]
        wrong = [*restless, *absent(stack, driver.ledger), *unprocessed(stack)]
        wrong += [too_late(f"p99 of the answers is {p99:.2f} s")] if p99 > BUDGET_SECONDS else []
        wrong += [too_late(f"an answer took {took:.2f} s") for took in times if took > LIMIT_SECONDS]
        wrong += [f"{attempt.outcome}: status {attempt.status}" for attempt in driver.ledger.attempts if attempt.outcome != "ok"]
        wrong += (
            [too_late(f"the driver itself fell behind by {driver.latest:.2f} s: nothing was measured")]
            if driver.latest > BUDGET_SECONDS
            else []
        )
        figures = {
            "p50": f"{times[len(times) // 2]:.3f} s",
            "p99": f"{p99:.3f} s",
            "longest": f"{longest:.3f} s",
            "driver_behind": f"{driver.latest:.3f} s",
        }
        title = "answers in time from a slow database"
        return [row("RL-110", title, total, delayed, wrong, seed, **figures, **answers(driver.ledger)), auditor.row(delayed, seed)]


CASES = (
    Case("bursts", ("RL-109", "RL-113"), run_bursts, seconds=4),
    Case("slow-database", ("RL-110", "RL-113"), run_slow, alone=True, seconds=21),
)
