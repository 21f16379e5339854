"""RL-103: there may be no scheduler, one or two, coming and going: each due step fires once, and not much later than it could."""

import itertools
import random
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Trouble, answers, audited, drive, row, settle, unprocessed
from tests.chaos.posts import Post, checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import Stack

STEPS, SECONDS, SCHEDULERS = 2_000, 150.0, 2
BEFORE_SECONDS = 12.0
"""The checkouts arrive so long before the first of them is due."""
THRESHOLD = timedelta(minutes=60)
ALLOWED_SECONDS = 60.0


class Presence:
    """How many schedulers were alive from which moment on (monotonic)."""

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self._stack = stack
        self._rng = rng
        self._changes: list[tuple[float, int]] = [(time.monotonic(), 0)]
        self._lock = threading.Lock()

    def change(self) -> int:
        """Another number of them than now: kill some, or start some; returns how many kills and starts that took."""
        alive = [role for role in self._stack.scheduler if role.is_alive]
        wanted = self._rng.choice([count for count in range(SCHEDULERS + 1) if count != len(alive)])
        dead = [role for role in self._stack.scheduler if not role.is_alive]
        for role in self._rng.sample(alive, max(0, len(alive) - wanted)):
            role.kill()
        for role in self._rng.sample(dead, max(0, wanted - len(alive))):
            role.start()
            # While it starts it does not work yet: that time counts as absence.
            role.wait_ready(30)
        self._note(wanted)
        return abs(wanted - len(alive))

    def _note(self, count: int) -> None:
        with self._lock:
            self._changes.append((time.monotonic(), count))

    def absence(self, begin: float, end: float) -> float:
        """Seconds between two moments in which there was none."""
        with self._lock:
            changes = [*self._changes, (float("inf"), 0)]
        spans = ((since, until) for (since, count), (until, _) in itertools.pairwise(changes) if count == 0)
        return sum(max(0.0, min(until, end) - max(since, begin)) for since, until in spans)


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Checkouts fall due while schedulers come and go."""
    steps, seconds = size.count(STEPS), size.seconds(SECONDS, least=20.0)
    with Stack(directory, seed=seed, worker=2, scheduler=SCHEDULERS, shops=3, start=False) as stack:
        for role in (*stack.web, *stack.worker):
            role.start()
        stack.wait_ready()
        rng = random.Random(f"{seed}:schedulers")
        zero, began = stack.now(), time.monotonic()
        dues = sorted(BEFORE_SECONDS + rng.random() * seconds for _ in range(steps))
        driver = Driver(stack.ports, lambda number: _due_at(stack, number, zero + timedelta(seconds=dues[number])), 400, steps, retries=3)
        presence = Presence(stack, rng)
        with audited(stack, driver.ledger, size) as auditor:
            driver.start()
            drive(driver, 60)
            with Trouble(presence.change, rng, 2.0, 8.0) as trouble:
                while time.monotonic() - began < BEFORE_SECONDS + seconds:
                    time.sleep(0.1)
            for role in stack.scheduler:
                role.start()
            # What could not be handed over at once is tried again later, and is not "waiting" until then; its lateness is judged below.
            stack.sink.wait_for(steps, ALLOWED_SECONDS)
            restless = settle(stack, auditor)
        wrong, lateness = _judge(stack, presence, zero, began, steps)
        wrong = [*restless, *unprocessed(stack), *wrong]
        title = "each due step fires once with 0, 1 and 2 schedulers"
        late = {"latest": f"{max(lateness, default=0.0):.1f} s", "latest_beyond_absence": f"{_beyond(stack, presence, zero, began):.1f} s"}
        absent = f"{presence.absence(began, time.monotonic()):.0f} s"
        result = row("RL-103", title, steps, trouble.faults, wrong, seed, **answers(driver.ledger), without_scheduler=absent, **late)
        return [result, auditor.row(trouble.faults, seed)]


def _due_at(stack: Stack, number: int, due: datetime) -> Post:
    return checkout_post(stack.shops[number % len(stack.shops)], number, updated_at=due - THRESHOLD)


def _arrivals(stack: Stack, zero: datetime, began: float) -> list[tuple[str, float, float]]:
    """Of each mail: its message, when it was due and when it arrived, both monotonic."""
    with stack.connect() as connection:
        rows = connection.execute("select m.public_id, c.abandoned_at from messages m join checkouts c on c.id = m.checkout_id").fetchall()
    due = {str(found[0]): began + (found[1] - zero).total_seconds() for found in rows}
    mails = ((mail.message_id.partition("@")[0], mail.arrived_at) for mail in stack.sink.mails)
    return [(message, due[message], arrived) for message, arrived in mails if message in due]


def _beyond(stack: Stack, presence: Presence, zero: datetime, began: float) -> float:
    late = (arrived - due - presence.absence(due, arrived) for _, due, arrived in _arrivals(stack, zero, began))
    return max(late, default=0.0)


def _judge(stack: Stack, presence: Presence, zero: datetime, began: float, steps: int) -> tuple[list[str], list[float]]:
    arrivals = _arrivals(stack, zero, began)
    wrong = []
    with stack.connect() as connection:
        fired = connection.execute(
            "select c.platform_id, count(m.id), min(m.state) from checkouts c left join messages m on m.checkout_id = c.id group by c.id"
        ).fetchall()
    if len(fired) != steps:
        wrong.append(f"{len(fired)} checkouts and not {steps}")
    wrong += [
        f"the step of checkout {token} fired {count} times ({state})" for token, count, state in fired if (count, state) != (1, "sent")
    ]
    mailed = Counter(message for message, _, _ in arrivals)
    wrong += [f"message {message} arrived {count} times" for message, count in mailed.items() if count != 1]
    if len(mailed) != steps:
        wrong.append(f"{len(mailed)} messages arrived and not {steps}")
    for message, due, arrived in arrivals:
        allowed = presence.absence(due, arrived) + ALLOWED_SECONDS
        if arrived < due:
            wrong.append(f"message {message} arrived {due - arrived:.2f} s before it was due")
        elif arrived - due > allowed:
            wrong.append(too_late(f"message {message} arrived {arrived - due:.1f} s late; {allowed:.1f} s were allowed"))
    return wrong, [arrived - due for _, due, arrived in arrivals]


CASE = Case("schedulers", ("RL-103", "RL-113"), run, seconds=38)
