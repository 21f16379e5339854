"""
RL-149: a deploy under load. Each role is told to leave, 20 times; nobody sees a connection error, nothing is done twice.

The driver is a load balancer: it asks every web process four times a second whether it is ready, sends only to those that said
so, and repeats nothing. So every request that breaks off or is refused counts.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.chaos.auditor import Auditor
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import Post, checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.roles import Role
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

RESTARTS = 20
RATE = 60.0
MAIL_EVERY = 5
ASK_SECONDS = 0.25
MOST_DRAIN = 30.0
LEAD = timedelta(seconds=3)
"""A cart that was left an hour ago but for this: its message is due so much later."""


class Watch:
    """Which web processes said that they are ready, asked again and again as a load balancer asks."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self._roles = roles
        self._ready: set[int] = set()
        self._stop = threading.Event()

    @contextmanager
    def looking(self) -> Iterator["Watch"]:
        """Ask until the end of the block, each process in a thread of its own."""
        threads = [threading.Thread(target=self._ask, args=(role,), daemon=True) for role in self._roles]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(10)

    def ports(self) -> list[int]:
        """Where to send."""
        return sorted(self._ready)

    def sees(self, role: Role, seconds: float) -> bool:
        """Wait until a process gets requests again."""
        deadline = time.monotonic() + seconds
        while role.port not in self._ready and time.monotonic() < deadline:
            time.sleep(0.02)
        return role.port in self._ready

    def _ask(self, role: Role) -> None:
        while not self._stop.is_set():
            if role.get("/readyz", seconds=2.0) == 200:
                self._ready.add(role.port)
            else:
                self._ready.discard(role.port)
            self._stop.wait(ASK_SECONDS)


@dataclass
class Deploy:
    """What the restarts showed."""

    restarts: dict[str, int] = field(default_factory=lambda: {"web": 0, "worker": 0, "scheduler": 0})
    longest: dict[str, float] = field(default_factory=lambda: {"web": 0.0, "worker": 0.0, "scheduler": 0.0})
    violations: list[str] = field(default_factory=list)

    def restart(self, role: Role) -> None:
        """Tell it to leave, wait for that, start the next one in its place."""
        took = role.terminate(MOST_DRAIN + 5)
        code = role.exit_code
        role.start()
        if not role.wait_ready(60):
            self.violations.append(f"{role.name} did not come back: {role.last_words(5)}")
        self.restarts[role.kind] += 1
        self.longest[role.kind] = max(self.longest[role.kind], took)
        if took > MOST_DRAIN:
            self.violations.append(too_late(f"{role.name} took {took:.1f} s to leave"))
        elif code != 0:
            self.violations.append(f"{role.name} left with {code}: {role.last_words(5)}")

    def restart_webs(self, stack: Stack, watch: Watch, times: int) -> None:
        """One after the other, each only when the one before gets requests again."""
        for turn in range(times):
            role = stack.web[turn % len(stack.web)]
            self.restart(role)
            if not watch.sees(role, 30):
                self.violations.append(f"{role.name} came back and is never ready")

    def restart_others(self, stack: Stack, times: int) -> None:
        """A worker, a scheduler, the next worker …"""
        for turn in range(times):
            self.restart(stack.worker[turn % len(stack.worker)])
            self.restart(stack.scheduler[turn % len(stack.scheduler)])


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Load all along; webs on one hand, workers and schedulers on the other are exchanged one by one."""
    times = size.count(RESTARTS, least=2)
    with Stack(directory, seed=seed, web=2, worker=2, scheduler=2, shops=4) as stack:
        deploy, watch = Deploy(), Watch(stack.web)
        with watch.looking():
            for role in stack.web:
                watch.sees(role, 30)
            driver = Driver(watch.ports, lambda number: post(stack.shops, number), RATE, 10**6)
            auditor = Auditor(stack, driver.ledger)
            with auditor.watch(size.seconds(10.0, least=1.0)):
                driver.start()
                time.sleep(LEAD.total_seconds() + 1)
                others = threading.Thread(target=deploy.restart_others, args=(stack, times), daemon=True)
                others.start()
                deploy.restart_webs(stack, watch, times)
                others.join(300)
                driver.stop()
                driver.join(30)
            time.sleep(LEAD.total_seconds())
            is_quiet = stack.wait_idle(60)
        auditor.final()
        found = deploy.violations + auditor.violations + _unanswered(driver) + _unclear(stack)
        if not is_quiet:
            found.append(f"work is left over: {stack.waiting()}")
        figures = {f"longest {kind} drain": f"{seconds:.1f} s" for kind, seconds in deploy.longest.items()}
        figures |= {
            "restarts": "/".join(str(count) for count in deploy.restarts.values()),
            "deliveries": str(len(driver.ledger.ok)),
            "mails": str(stack.sink.count),
            "p99": f"{1000 * driver.ledger.p99():.0f} ms",
        }
        if stack.sink.count < times:
            found.append(f"only {stack.sink.count} mails were sent meanwhile: leaving workers had nothing to finish")
        if min(deploy.restarts.values()) < times:
            found.append(f"not every role was exchanged {times} times: {deploy.restarts}")
        faults = sum(deploy.restarts.values())
        return [Row("RL-149", "a deploy loop under load is not noticed", len(driver.ledger.attempts), faults, found, seed, figures)]


def post(shops: Sequence[SeededShop], number: int) -> Post:
    """A checkout of now; every fifth was left an hour ago, and its message is due in a moment."""
    at = datetime.now(UTC) - (timedelta(hours=1) - LEAD if number % MAIL_EVERY == 0 else timedelta())
    return checkout_post(shops[number % len(shops)], number, updated_at=at)


def _unanswered(driver: Driver) -> list[str]:
    """Every request that was not acknowledged, as the driver repeats nothing."""
    counts = driver.ledger.counts()
    lost = [f"{counts[outcome]} requests were {outcome}" for outcome in ("failed", "unknown") if counts[outcome]]
    statuses = sorted({one.status for one in driver.ledger.attempts if one.outcome != "ok"})
    return [f"{', '.join(lost)} (status {statuses})"] if lost else []


def _unclear(stack: Stack) -> list[str]:
    """Leaving is no accident: no message may be left in mid-send."""
    count = stack.one("select count(*) from messages where state in ('sending', 'unknown')")
    return [f"{count} messages were left in mid-send"] if count else []


CASE = Case("draining", ("RL-149",), run, alone=True, seconds=21)
