"""RL-130: one process's clock is an hour or a day wrong. The database's clock decides: nothing is early, double or lost."""

import random
import signal
from datetime import datetime, timedelta
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.roles import Role
from tests.chaos.sending import carts, witness
from tests.chaos.sending.carts import Cart
from tests.chaos.size import Size
from tests.chaos.stack import Stack

STEPS = 1_000
HOUR, DAY = 3_600, 86_400
SKEWS = (HOUR, -HOUR, DAY, -DAY)
KINDS = ("web", "worker", "scheduler")
EARLY = timedelta(seconds=5)
LATE = timedelta(seconds=60)
"""Later than that after its due time a step counts as lost: the table of RL-103 allows so much after a downtime."""
SOON, SPREAD = 4.0, 4.0
"""Carts of a round fall due between `SOON` and `SOON + SPREAD` seconds after they came."""
RATE = 100.0
PATIENCE = 45.0
SHOPS = 4


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """
    Each kind of process in turn starts with each wrong clock, jumps as far again in mid-work, and is set right by a restart.

    In a smaller run each kind has one of the wrong clocks.
    """
    rng = random.Random(seed)
    rounds = [(kind, skew) for kind in KINDS for skew in (SKEWS if size.share >= 1 else [rng.choice(SKEWS)])]
    each = max(4, -(-size.count(STEPS) // len(rounds)))
    settings = {"track_commit_timestamp": "on"}
    with Stack(directory, seed=seed, shops=SHOPS, postgres_settings=settings) as stack:
        with stack.connect() as connection:
            witness.install(connection)
        violations: list[str] = []
        told: list[Cart] = []
        jumps = 0
        for number, (kind, skew) in enumerate(rounds):
            role: Role = getattr(stack, kind)[0]
            violations += _restart(role, skew)
            jumps += 1
            coming = _carts(stack, number, each, rng)
            violations += _deliver(stack, coming, rng)
            role.signal(signal.SIGUSR1)
            jumps += 1
            violations += _wait(stack, f"the {kind}'s clock was {skew:+} s wrong", len(told) + each)
            told += coming
            violations += _restart(role, 0)
        row = Row("RL-130", "clocks of one process jump", len(told), jumps, violations, seed)
        return [_judge(stack, told, row)]


def _restart(role: Role, skew: int) -> list[str]:
    role.terminate()
    role.start(skew)
    return [] if role.wait_ready() else [f"{role.name} did not start with a clock {skew:+} s wrong: {role.last_words(3)}"]


def _carts(stack: Stack, number: int, count: int, rng: random.Random) -> list[Cart]:
    now = stack.now()
    return [
        Cart(
            rng.choice(stack.shops).id,
            f"t{number}-{n}",
            f"p{number}-{n}@example.com",
            now + timedelta(seconds=SOON + SPREAD * n / count),
        )
        for n in range(count)
    ]


def _deliver(stack: Stack, coming: list[Cart], rng: random.Random) -> list[str]:
    """The carts come through the door, where the web's clock may matter."""
    shops = {shop.id: shop for shop in stack.shops}
    posts = iter(
        [
            checkout_post(shops[cart.shop_id], n, token=cart.token, email=cart.email, updated_at=cart.due_at - carts.THRESHOLD)
            for n, cart in enumerate(coming)
        ]
    )
    driver = Driver(stack.live_ports, posts, RATE, len(coming), retries=3, rng=rng).start()
    driver.join(PATIENCE)
    return [] if len(driver.ledger.ok) == len(coming) else [f"only {len(driver.ledger.ok)} of {len(coming)} carts were acknowledged"]


def _wait(stack: Stack, what: str, count: int) -> list[str]:
    if stack.sink.wait_for(count, PATIENCE):
        return []
    missing = count - stack.sink.count
    return [f"while {what}, {missing} messages were not sent within {PATIENCE:.0f} s"]


def _judge(stack: Stack, told: list[Cart], row: Row) -> Row:
    if not stack.wait_idle(PATIENCE):
        row.violations.append(f"no quiet within {PATIENCE:.0f} s after the last message: {stack.waiting()}")
    with stack.connect() as connection:
        claims, messages = witness.read(connection).first_by_subject("sending"), carts.views(connection)
    claimed: dict[str, datetime] = {one.token: claims[one.id].app_at for one in messages if one.id in claims}
    lateness = [claimed[cart.token] - cart.due_at for cart in told if cart.token in claimed]
    row.violations += [f"{cart.token} was never sent: lost" for cart in told if cart.token not in claimed]
    row.violations += [f"a step was {-late.total_seconds():.1f} s early" for late in lateness if late < -EARLY]
    row.violations += [
        too_late(f"a step was {late.total_seconds():.1f} s late: for so long it was lost") for late in lateness if late > LATE
    ]
    row.violations += carts.doubles(stack.sink)
    row.violations += [f"{one.public_id} is {one.state}" for one in messages if one.state != "sent"]
    if lateness:
        row.figures |= {"earliest": f"{min(lateness).total_seconds():+.2f} s", "latest": f"{max(lateness).total_seconds():+.2f} s"}
    return row


CASE = Case("clocks", ("RL-130",), run, seconds=50)
