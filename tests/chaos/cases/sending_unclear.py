"""RL-123: the mail server hangs up after the final dot. Nobody knows, everybody can see it, and nothing is repeated by itself."""

import random
import re
import time
import urllib.request
from collections import Counter
from datetime import timedelta
from html import unescape
from pathlib import Path

from connector.store.outgoing import LEASE
from tests.chaos.case import Case
from tests.chaos.merchant import sign_in
from tests.chaos.report import Row
from tests.chaos.sending import carts
from tests.chaos.size import Size
from tests.chaos.stack import Stack

MESSAGES = 500
SHOPS = 4
LATER = (LEASE + timedelta(seconds=1), timedelta(hours=1), timedelta(hours=7), timedelta(days=1), timedelta(days=5), timedelta(days=25))
LOOK_SECONDS = 1.5
"""So long after each step of the clock scheduler and worker may find something to repeat; they look every half second."""
PATIENCE = 90.0
SHOWN_STATE, SHOWN_REASON = "outcome unknown", "Nobody knows whether the reminder arrived; it is not repeated"
_OLDER = re.compile(r'href="([^"]*before=[^"]*)"')


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Every message ends unclear; then a month passes with everything that could repeat one, and one fresh cart is sent."""
    count = size.count(MESSAGES)
    rng = random.Random(seed)
    with Stack(directory, seed=seed, shops=SHOPS) as stack:
        stack.sink.die_at("dot", times=count)
        begin = stack.now()
        for place, shop in enumerate(stack.shops):
            carts.start(stack.services(), shop, [(f"t{n}", f"p{n}@example.com", begin) for n in range(place, count, SHOPS)])
        carts.step(stack.services(), carts.THRESHOLD)
        violations = [] if stack.sink.wait_for(count, PATIENCE) else ["not every message reached the mail server once"]
        stack.wait_idle(PATIENCE)
        stack.sink.heal()
        hung_up = stack.sink.faults
        violations += _listed(stack, count) + _shown(stack, count)
        _pass_a_month(stack, rng)
        seconds = sum(number - 1 for number in carts.arrivals(stack.sink).values())
        violations += carts.doubles(stack.sink) + _listed(stack, count) + _works_still(stack)
        figures = {"unknown and shown": str(carts.count(stack.services(), "state = 'unknown'")), "second attempts": str(seconds)}
        attempts = Counter(attempt.recipient for attempt in stack.sink.attempts)
        violations += [f"{person} was named to the mail server {times} times" for person, times in attempts.items() if times > 1]
        return [Row("RL-123", "hung up after the dot", count, hung_up, violations, seed, figures)]


def _listed(stack: Stack, count: int) -> list[str]:
    """Each message is `unknown`, was tried once, and the Decision of its cart says why."""
    with stack.connect() as connection:
        found = [view for view in carts.views(connection) if view.token.startswith("t")]
    wrong = [
        f"{view.public_id} is {view.state} after {view.attempts} attempts, its decision {view.decision}"
        for view in found
        if (view.state, view.reason, view.decision, view.attempts) != ("unknown", "unknown_outcome", "unknown_outcome", 1)
    ]
    return wrong + ([] if len(found) == count else [f"of {count} messages {len(found)} are left"])


def _shown(stack: Stack, count: int) -> list[str]:
    """The pages of the list of checkouts, as the merchant turns them, name every one of them with its reason."""
    states, reasons = 0, 0
    for shop in stack.shops:
        merchant = sign_in(stack, shop.id)
        path = f"/app/shops/{stack.one('select public_id from shops where id = %s', shop.id)}/checkouts"
        while path:
            request = urllib.request.Request(f"http://127.0.0.1:{stack.ports[0]}{path}", headers=merchant.headers)
            with urllib.request.urlopen(request, timeout=20) as answer:
                page = unescape(answer.read().decode())
            states, reasons = states + page.count(SHOWN_STATE), reasons + page.count(SHOWN_REASON)
            older = _OLDER.search(page)
            path = older.group(1) if older else ""
    if (states, reasons) == (count, count):
        return []
    return [f"of {count} unclear messages the lists show {states} as such, and {reasons} with the reason"]


def _pass_a_month(stack: Stack, rng: random.Random) -> None:
    """Leases run out, sweeps come round, days pass; workers and schedulers die and return, and the queue forgets everything."""
    for number, pause in enumerate(LATER):
        stack.step_clock(pause)
        if number % 2 == 0:
            role = rng.choice([*stack.worker, *stack.scheduler])
            role.kill()
            stack.redis.flush()
            role.start()
            role.wait_ready()
        time.sleep(LOOK_SECONDS)


def _works_still(stack: Stack) -> list[str]:
    """A fresh cart gets its message: that nothing was repeated is not because nothing works."""
    before = stack.sink.count
    carts.start(stack.services(), stack.shops[0], [("fresh", "fresh@example.com", stack.now() - carts.THRESHOLD + timedelta(seconds=1))])
    return [] if stack.sink.wait_for(before + 1, PATIENCE) else ["a fresh cart got no message: the silence before proves nothing"]


CASE = Case("sending_unclear", ("RL-123",), run, seconds=18)
