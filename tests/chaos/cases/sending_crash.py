"""RL-122: a sending process is killed at seven points, hundreds of times; nothing is sent twice, nothing is hidden."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from connector.store.outgoing import LEASE
from sync import sweep
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.report import Row
from tests.chaos.sending import carts
from tests.chaos.sending.carts import MessageView
from tests.chaos.sending.killable import Killable, Plan
from tests.chaos.size import Size
from tests.chaos.stack import Stack

KILLS = 100
OWN_POINTS = ("before_claim", "after_claim", "after_250", "after_record")
SINK_POINTS = ("connect", "data", "dot")
POINTS = ("before_claim", "after_claim", "connect", "data", "dot", "after_250", "after_record")
"""The process stands still at its own points; at the others the mail server stands still, mid-answer, while it is killed."""
CONCURRENCY = 2
SHOPS = 16
CARTS_PER_KILL = 4
PATIENCE = 20.0
BETWEEN = timedelta(minutes=2)
"""The clock moves on after each kill, as it would before another worker takes a shop over."""
ARRIVED = {"after_claim": 0, "connect": 0, "data": 0, "dot": 1, "after_250": 1}
"""How many complete messages the mail server holds of one that was hit at this point."""


@dataclass
class Deaths:
    """What the kills left: for each message that was taken and not finished, at which point its process died."""

    stack: Stack
    directory: Path
    hits: Counter[str] = field(default_factory=Counter)
    stuck: dict[int, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    _point: str = ""
    _hit: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at_sink(self, point: str) -> None:
        """The mail server's hook: the first connection that comes to the point waits there until its client is dead."""
        with self._lock:
            is_it = point == self._point
            if is_it:
                self._point = ""
        if is_it:
            self._hit.set()
            self._over.wait(PATIENCE)

    def kill_at(self, point: str, shops: tuple[int, ...]) -> None:
        """One process is born, comes to the point, and is killed there."""
        self._hit.clear()
        self._over.clear()
        self._point = point if point in SINK_POINTS else ""
        child = Killable(self.plan(shops, point if point in OWN_POINTS else ""), self.stack.nursery)
        try:
            reached = self._hit.wait(PATIENCE) if point in SINK_POINTS else child.wait(PATIENCE) == point
        finally:
            child.kill()
            self._over.set()
        if not reached:
            self.violations.append(f"a process never came to the point {point}: the kill proves nothing")
            return
        self.hits[point] += 1
        self._note_stuck(point)

    def plan(self, shops: tuple[int, ...], point: str = "") -> Plan:
        """What a process does."""
        return Plan(self.stack.postgres.url, self.stack.sink.port, self.directory, shops, point)

    def taken(self, connection: psycopg.Connection[Any]) -> list[int]:
        """What was taken and not finished."""
        return [row[0] for row in connection.execute("select id from messages where state in ('sending', 'unknown')")]

    def _note_stuck(self, point: str) -> None:
        with self.stack.connect() as connection:
            _let_the_dead_finish(connection)
            new = [row for row in self.taken(connection) if row not in self.stuck]
        self.stuck |= dict.fromkeys(new, point)
        if len(new) > CONCURRENCY:
            self.violations.append(f"one kill at {point} left {len(new)} messages, more than the {CONCURRENCY} threads that died")


def _let_the_dead_finish(connection: psycopg.Connection[Any]) -> None:
    """A claim whose commit was on its way when its process died still becomes true; it must not count for the next kill."""
    busy = "select count(*) from pg_stat_activity where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()"
    until = time.monotonic() + PATIENCE
    while connection.execute(busy).fetchone() != (0,) and time.monotonic() < until:
        time.sleep(0.01)


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Kill, then let leases run out and healthy processes finish, then days pass."""
    kills = size.count(KILLS, least=3)
    rng = random.Random(seed)
    with Stack(directory, seed=seed, web=0, worker=0, scheduler=0, shops=SHOPS) as stack:
        services, shops = stack.services(), [shop.id for shop in stack.shops]
        begin = carts.now(services)
        each = -(-kills * len(POINTS) * CARTS_PER_KILL // SHOPS)
        for shop in stack.shops:
            carts.start(services, shop, [(f"t{shop.id}-{n}", f"p{n}@shop{shop.id}.example.com", begin) for n in range(each)])
        carts.step(services, carts.THRESHOLD)
        carts.queue_due(services, shops)
        deaths = Deaths(stack, directory)
        stack.sink.on_point = deaths.at_sink
        kill_everywhere(stack, services, deaths, kills, shops, rng)
        with stack.connect() as connection:
            found = carts.views(connection)
        violations = deaths.violations + judge(found, deaths, stack)
        return [_row(found, deaths, stack, kills, seed, violations)]


def kill_everywhere(stack: Stack, services: Services, deaths: Deaths, kills: int, shops: list[int], rng: random.Random) -> None:
    """So many kills at each point, in any order; then leases run out, and healthy processes finish what was left."""
    points = [point for point in POINTS for _ in range(kills)]
    rng.shuffle(points)
    for number, point in enumerate(points):
        carts.step(services, BETWEEN)
        deaths.kill_at(point, tuple(rng.sample(shops, CONCURRENCY)))
        if number % 20 == 0:
            sweep.expire(services)
    let_others_finish(stack, deaths, shops)


def let_others_finish(stack: Stack, deaths: Deaths, shops: list[int]) -> None:
    """Leases run out, healthy processes send what waits; then again, days later, when nothing may be left to send."""
    services = stack.services()
    for pause in (LEASE + timedelta(seconds=1), timedelta(days=1), timedelta(days=2)):
        carts.step(services, pause)
        sweep.expire(services)
        healthy = [Killable(deaths.plan(tuple(shops[start::2])), stack.nursery) for start in range(2)]
        for child in healthy:
            child.end(PATIENCE * 10)


def judge(found: list[MessageView], deaths: Deaths, stack: Stack) -> list[str]:
    """
    What must hold. Killed before the claim: sent later, once. Killed after it and before the record: unknown and shown as such,
    never sent again, whether it had reached the mail server or not. Killed after the record: sent, once.
    """
    seen = carts.arrivals(stack.sink)
    wrong = carts.doubles(stack.sink)
    for message in found:
        point, count = deaths.stuck.get(message.id, ""), seen[message.public_id]
        if point and (message.state, message.decision) != ("unknown", "unknown_outcome"):
            wrong.append(f"{message.public_id}, hit at {point}, is {message.state} with {message.decision}: not listed as unknown")
        elif not point and message.state != "sent":
            wrong.append(f"{message.public_id} is {message.state} ({message.reason}), though nobody died with it")
        elif not point and count != 1:
            wrong.append(f"{message.public_id} is said to be sent and reached the mail server {count} times")
        if message.attempts != 1:
            wrong.append(f"{message.public_id} was tried {message.attempts} times")
    kills = deaths.hits.total()
    if len(deaths.stuck) > kills * CONCURRENCY:
        wrong.append(f"{len(deaths.stuck)} unknown messages after {kills} kills of {CONCURRENCY} threads")
    strangers = set(seen) - {message.public_id for message in found}
    return wrong + [f"{name} reached the mail server and has no row" for name in strangers] + _misses(found, deaths, seen)


def _misses(found: list[MessageView], deaths: Deaths, seen: Counter[str]) -> list[str]:
    """Kills must have hit where they should: as many stuck messages of a point as kills have, or have not, arrived."""
    wrong = []
    for point, count in ARRIVED.items():
        hit = sum(1 for message in found if deaths.stuck.get(message.id) == point and seen[message.public_id] == count)
        if hit < deaths.hits[point]:
            wrong.append(f"of {deaths.hits[point]} kills at {point} only {hit} hit a message of which {count} arrived: not the point meant")
    return wrong


def _row(found: list[MessageView], deaths: Deaths, stack: Stack, kills: int, seed: int, violations: list[str]) -> Row:
    states = Counter(message.state for message in found)
    lost = sum(1 for message in found if message.state == "unknown" and not carts.arrivals(stack.sink)[message.public_id])
    figures = {
        "kills": ", ".join(f"{point} {deaths.hits[point]}" for point in POINTS),
        "sent": str(states["sent"]),
        "unknown, listed": str(states["unknown"]),
        "of these never arrived": str(lost),
    }
    return Row("RL-122", "killed in mid-send", kills * len(POINTS), deaths.hits.total(), violations, seed, figures)


CASE = Case("sending_crash", ("RL-122",), run, seconds=30)
