"""
RL-101: an acknowledged webhook is never lost though web processes are killed.
RL-102: killing workers loses nothing, and what a killed worker was doing goes on within 10 s.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Shoppers, Trouble, absent, answers, audited, drive_until, kill_and_restart, row, settle, unprocessed
from tests.chaos.report import Row, too_late
from tests.chaos.roles import Role
from tests.chaos.size import Size
from tests.chaos.stack import Stack

DELIVERIES, WEB_KILLS, RATE = 10_000, 100, 200
EVENTS, EVENT_RATE, WORKERS = 5_000, 40, 3
SHOPS, IN_A_ROW = 12, 60
"""Workers are killed while so many deliveries of one shop follow each other; then it is quiet for long, and nobody rings for it."""
SLOW_SECONDS = 0.01
"""Each way to the database: so that more requests, and more batches, are on their way when a process dies."""
GOES_ON_SECONDS = 10.0
LOOK_SECONDS = 0.02


def run_web_kills(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-101: a killer for each of two web processes under load; every acknowledged delivery is there afterwards."""
    total, kills = size.count(DELIVERIES), size.count(WEB_KILLS, least=5)
    with Stack(directory, seed=seed, web=2, shops=3, spoilt=["postgres"], automation=False) as stack:
        stack.proxies.postgres.delay_seconds = SLOW_SECONDS
        driver = Driver(stack.ports, Shoppers(stack.shops, stack.rng), RATE, total * 100, retries=2, rng=random.Random(seed))
        killers = [Trouble(partial(_kill_when_up, web), random.Random(f"{seed}:{web.name}"), 2.0, 5.0) for web in stack.web]
        with audited(stack, driver.ledger, size) as auditor:
            with killers[0], killers[1]:
                driver.start()
                drive_until(driver, lambda: _is_enough(killers, kills) and len(driver.ledger.ok) >= total, 600)
            killed = sum(killer.faults for killer in killers)
            restless = settle(stack, auditor)
        lost = absent(stack, driver.ledger)
        title = "an acknowledged webhook is never lost, webs killed"
        result = row("RL-101", title, len(driver.ledger.ok), killed, lost + restless, seed, kills=killed, **answers(driver.ledger))
        return [result, auditor.row(killed, seed)]


def _is_enough(killers: Sequence[Trouble], kills: int) -> bool:
    """True as well once a killer failed: the end of its block says why."""
    return any(killer.is_over for killer in killers) or sum(killer.faults for killer in killers) >= kills


def _kill_when_up(web: Role) -> int:
    """A process that was never up again between two kills would prove nothing: one that is still starting is let be this time."""
    return kill_and_restart(web) if web.is_ready() else 0


@dataclass
class Resumptions:
    """When what was in flight at each kill went on. `slow`: what did not in time."""

    seconds: list[float] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    in_flight: int = 0

    def p95(self) -> float:
        """Within so many seconds 95 of 100 went on."""
        found = sorted(self.seconds)
        return found[min(len(found) - 1, int(len(found) * 0.95))] if found else 0.0


def run_worker_kills(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-102: workers die in mid-batch while events flow; nothing stays behind, and each shop's batch goes on soon."""
    total, went_on, rng = size.count(EVENTS), Resumptions(), random.Random(f"{seed}:workers")
    with Stack(directory, seed=seed, worker=WORKERS, shops=SHOPS, spoilt=["postgres"], automation=False, start=False) as stack:
        _start_with_names(stack)
        stack.proxies.postgres.delay_seconds = SLOW_SECONDS
        crowds = [Shoppers([shop], stack.rng) for shop in stack.shops]
        driver = Driver(stack.ports, lambda number: crowds[number // IN_A_ROW % SHOPS](number), EVENT_RATE, total, rng=random.Random(seed))
        with audited(stack, driver.ledger, size) as auditor:
            with Trouble(lambda: _kill_in_flight(stack, rng.choice(stack.worker), went_on), rng, 2.0, 8.0) as killer:
                driver.start()
                drive_until(driver, lambda: False, 600)
            restless = settle(stack, auditor)
        wrong = [*restless, *unprocessed(stack), *absent(stack, driver.ledger), *went_on.slow]
        figures = {"kills": killer.faults, "in_mid_batch": went_on.in_flight, "p95": f"{went_on.p95():.2f} s"}
        longest = f"{max(went_on.seconds, default=0.0):.2f} s"
        title = "killed workers lose nothing, their work goes on within 10 s"
        result = row("RL-102", title, len(driver.ledger.ok), killer.faults, wrong, seed, **figures, longest=longest)
        if not went_on.seconds:
            result.violations.append("no worker was killed while a shop waited: nothing was measured")
        return [result, auditor.row(killer.faults, seed)]


def _start_with_names(stack: Stack) -> None:
    """Each role tells the database its name, so that locks can be told apart."""
    for role in stack.roles:
        role.start(environment=_named(stack, role))
    stack.wait_ready()


def _named(stack: Stack, role: Role) -> dict[str, str]:
    return {"DATABASE_URL": f"{stack.postgres.proxied_url}?application_name={role.name}"}


def _kill_in_flight(stack: Stack, worker: Role, went_on: Resumptions) -> int:
    """Kill a worker while it works on a shop (if it does so within two seconds), and wait until every waiting shop is served again."""
    if not worker.is_ready():
        return 0
    held: set[int] = set()
    give_up = time.monotonic() + 2.0
    with stack.connect() as connection:
        while not held and time.monotonic() < give_up:
            # It stands still while we look: what it holds now it holds when it dies.
            worker.freeze()
            rows = connection.execute(
                "select w.shop_id from shop_work w join pg_stat_activity a on a.backend_xid = w.xmax where a.application_name = %s",
                [worker.name],
            )
            held = {int(found[0]) for found in rows}
            if not held:
                worker.thaw()
                time.sleep(LOOK_SECONDS)
        waiting = connection.execute("select min(id), shop_id from deliveries where state = 'pending' group by shop_id").fetchall()
        if not worker.kill():
            return 0
        killed_at = time.monotonic()
        worker.start(environment=_named(stack, worker))
        went_on.in_flight += bool(held)
        open_ids = {int(found[0]): int(found[1]) for found in waiting}
        while open_ids and time.monotonic() - killed_at < 3 * GOES_ON_SECONDS:
            done = connection.execute("select id from deliveries where id = any(%s) and state <> 'pending'", [list(open_ids)]).fetchall()
            for (delivery,) in done:
                _note(went_on, time.monotonic() - killed_at, open_ids.pop(delivery), held)
            time.sleep(LOOK_SECONDS)
        for shop in open_ids.values():
            _note(went_on, time.monotonic() - killed_at, shop, held)
    return 1


def _note(went_on: Resumptions, seconds: float, shop: int, held: set[int]) -> None:
    went_on.seconds.append(seconds)
    if seconds > GOES_ON_SECONDS:
        how = "in mid-batch" if shop in held else "waiting"
        went_on.slow.append(too_late(f"shop {shop}, {how} when its worker was killed, went on after {seconds:.1f} s"))


CASES = (
    Case("web-kills", ("RL-101", "RL-113"), run_web_kills, seconds=25),
    Case("worker-kills", ("RL-102", "RL-113"), run_worker_kills, seconds=20),
)
