"""
STORY: the demo's story on 2 web, 3 worker and 2 scheduler processes, one of each killed every 5 s; it ends as if nothing happened.

And what a killed worker had in its hands goes on at another one within 10 s.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector.cli.demo.observe import Report, observe
from connector.cli.demo.story import Story
from connector.cli.demo.world import World
from connector.errors import ConnectorError
from integrations.sandbox.world import Sandbox
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import checkout_post
from tests.chaos.production import production_form
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

STORIES = 4
PAUSE_SECONDS = 0.5
KILL_SECONDS = 5.0
HANDOVERS = 10
HANDOVER_SECONDS = 10.0
IN_HAND = 20
MOST_REPEATS = 2
"""How often a story is told again because a kill hit a hand-over: plain SMTP then keeps its promise by not sending again."""


@dataclass
class Killer:
    """Kills one of each kind every 5 s, and starts it again at once."""

    stack: Stack
    rng: random.Random
    kills: dict[str, int] = field(default_factory=lambda: {"web": 0, "worker": 0, "scheduler": 0})

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """From now until the end of the block; the first kills come soon."""
        stop = threading.Event()
        thread = threading.Thread(target=self._kill, args=(stop,), name="killer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    def _kill(self, stop: threading.Event) -> None:
        pause = self.rng.uniform(0.5, 1.5)
        while not stop.wait(pause):
            pause = KILL_SECONDS
            for kind in self.kills:
                role = self.rng.choice(getattr(self.stack, kind))
                self.kills[kind] += role.kill()
                role.start()


_UNFINISHED = """
    select (select count(*) from messages where state in ('unknown', 'sending'))
         + (select count(*) from grant_mails where state in ('unknown', 'sending'))
         + (select count(*) from system_mails where state in ('unknown', 'sending'))
"""


@dataclass
class Told:
    """What came of the stories and of the work that killed workers had in their hands."""

    violations: list[str] = field(default_factory=list)
    kills: int = 0
    stories: int = 0
    again: int = 0
    seconds: list[float] = field(default_factory=list)
    handovers: list[float] = field(default_factory=list)
    made_good: int = 0


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Tell the stories, each on processes and a database of its own; after the last one, kill workers with work in hand."""
    told = Told()
    rng = random.Random(seed)
    stories = size.count(STORIES)
    while told.stories < stories and not told.violations:
        home = directory / f"story-{told.stories}-{told.again}"
        home.mkdir()
        with production_form(home, rng.randrange(2**31), pause_seconds=PAUSE_SECONDS) as made:
            if not _tell(made.stack, made.world, rng, told):
                continue
            told.made_good += made.balancer.repeated + made.balancer.refused
            if told.stories == stories:
                _hand_over(made.stack, made.shop, size.count(HANDOVERS, least=2), told)
    figures = {
        "kills": str(told.kills),
        "story seconds": f"{max(told.seconds, default=0):.0f}",
        "told again": str(told.again),
        "made good by the balancer": str(told.made_good),
        "work in hand goes on within": f"{max(told.handovers, default=0):.1f} s of {len(told.handovers)}",
    }
    title = "the demo's story on 7 processes, one of each kind killed every 5 s"
    return [Row("STORY", title, told.stories + len(told.handovers), told.kills, told.violations, seed, figures)]


def _tell(stack: Stack, world: World, rng: random.Random, told: Told) -> bool:
    """One day in two stores; false if it must be told again because a kill left a mail that nobody knows the end of."""
    killer = Killer(stack, rng)
    began = time.monotonic()
    with killer.at_work():
        try:
            story = Story(world, say=lambda text: None)
            story.play()
            found = _problems(observe(story))
        except ConnectorError as error:
            found = [f"the story broke off: {error}"]
    told.kills += sum(killer.kills.values())
    told.seconds.append(time.monotonic() - began)
    unfinished = stack.one(_UNFINISHED)
    found += _twice(world.sandbox)
    if found and unfinished and told.again < MOST_REPEATS:
        told.again += 1
        return False
    if min(killer.kills.values()) < 2:
        found.append(f"too few kills to prove anything: {killer.kills}")
    told.stories += 1
    told.violations += [*found, *(_last_words(stack) if found else [])]
    return True


def _problems(report: Report) -> list[str]:
    return report.disagreements()


def _twice(sandbox: Sandbox) -> list[str]:
    """Mails with the same message id at the sink: not even a kill excuses them."""
    ids = [str(mail.message["message-id"]) for mail in sandbox.mail.messages()]
    return [f"the mail {one} came {ids.count(one)} times" for one in sorted(set(ids)) if ids.count(one) > 1]


def _hand_over(stack: Stack, shop: SeededShop, times: int, told: Told) -> None:
    """Let one worker take a batch and stand still in the middle of it, kill it there, and see when another one has done the work."""
    stack.wait_ready()
    for turn in range(times):
        first, *others = stack.worker[turn % 3 :] + stack.worker[: turn % 3]
        stack.wait_idle(30)
        for other in others:
            other.freeze()
        with stack.connect() as connection:
            connection.execute("begin")
            connection.execute("lock table checkouts in share row exclusive mode")
            driver = Driver(stack.ports, lambda n, turn=turn: checkout_post(shop, n, token=f"hand-{turn}-{n}"), 200.0, IN_HAND)  # type: ignore[misc]
            driver.start().join(20)
            in_hand = stack.wait_until(lambda: _is_held(stack), 20)
            first.kill()
            began = time.monotonic()
            connection.execute("rollback")
        for other in others:
            other.thaw()
        told.kills += 1
        is_done = stack.wait_until(lambda: stack.one("select count(*) from deliveries where state = 'pending'") == 0, 30, pause=0.02)
        took = time.monotonic() - began
        first.start()
        first.wait_ready()
        told.handovers.append(took)
        if not in_hand:
            told.violations.append("the worker did not take the batch: the kill proves nothing")
        if not is_done or took > HANDOVER_SECONDS:
            told.violations.append(too_late(f"what {first.name} had in its hands went on after {took:.1f} s"))
        there = stack.one("select count(*) from checkouts where platform_id like %s", f"hand-{turn}-%")
        if there != IN_HAND:
            told.violations.append(f"{there} of the {IN_HAND} checkouts that {first.name} had in its hands are there")


def _is_held(stack: Stack) -> bool:
    """A drain stands still before the locked table."""
    waits = "select count(*) from pg_locks where not granted and relation = 'checkouts'::regclass"
    return bool(stack.one(waits))


def _last_words(stack: Stack) -> list[str]:
    return [f"{role.name} said last: {role.last_words(3)}" for role in stack.roles]


CASE = Case("story", ("STORY",), run, seconds=40)
