"""RL-120: with everything broken at once, no cart gets two messages, and none of them vanishes."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from connector.store.outgoing import LEASE
from tests.chaos.auditor import Auditor
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import Post, checkout_post, order_post
from tests.chaos.report import Row
from tests.chaos.sending import carts, witness
from tests.chaos.sending.monkey import Monkey
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

CARTS = 2_000
SECONDS = 100.0
"""How long it goes on; the carts fall due during that time."""
VERSIONS = 2
ORDERED = 0.2
REPEATED = 0.15
FIRST_DUE = 6.0
PATIENCE = 60.0
SHOPS = 4
ENDED = ("sent", "unknown", "refused", "cancelled")


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Carts and orders come in repeated and out of order while everything breaks; then all is repaired and counted."""
    count, seconds = size.count(CARTS), size.seconds(SECONDS, least=20.0)
    rng = random.Random(seed)
    settings = {"track_commit_timestamp": "on"}
    with Stack(directory, seed=seed, web=2, worker=2, scheduler=2, shops=SHOPS, spoilt=["smtp"], postgres_settings=settings) as stack:
        with stack.connect() as connection:
            witness.install(connection)
        posts = _posts(stack, count, seconds, rng)
        driver = Driver(stack.live_ports, iter(posts), len(posts) / seconds, len(posts), retries=12, rng=rng).start()
        monkey = Monkey(stack, rng).start()
        driver.join(seconds)
        monkey.stop()
        violations = [] if driver.join(PATIENCE) else ["the driver did not come to its end"]
        violations += _settle(stack)
        tokens = {post.key: post.entity[1] for post in posts if post.entity is not None and post.entity[0] == "checkout"}
        known = {tokens[key] for key in driver.ledger.ok if key in tokens}
        with stack.connect() as connection:
            found, notes = carts.views(connection), witness.read(connection)
            reasons = dict(
                connection.execute("select c.token, d.reason from checkouts c left join decisions d on d.checkout_id = c.id").fetchall()
            )
        violations += carts.doubles(stack.sink) + _vanished(known, found, reasons, stack)
        violations += _after_order(found, notes) + Auditor(stack, driver.ledger).final()
        return [_row(found, known, monkey, stack, violations, seed)]


def _posts(stack: Stack, count: int, seconds: float, rng: random.Random) -> list[Post]:
    """Each cart in several versions, some of them repeated, some carts with an order, all somewhat out of order."""
    now = stack.now()
    planned: list[tuple[float, int, Post]] = []
    for number in range(count):
        shop = stack.shops[number % SHOPS]
        comes = seconds * 0.8 * number / count
        # Due soon after it came, and after the last of its versions: so it is abandoned and claimed amid the faults.
        last = now + timedelta(seconds=comes + FIRST_DUE) - carts.THRESHOLD
        for post in _history(shop, number, last, rng):
            planned.append((comes + rng.uniform(0.0, 4.0), len(planned), post))
            if rng.random() < REPEATED:
                planned.append((comes + rng.uniform(0.0, 15.0), len(planned), post))
        if rng.random() < ORDERED:
            order = order_post(shop, number, token=f"t{number}", email=f"p{number}@example.com")
            planned.append((comes + rng.uniform(FIRST_DUE - 3, FIRST_DUE + 6), len(planned), order))
    return [post for _, _, post in sorted(planned, key=lambda one: one[:2])]


def _history(shop: SeededShop, number: int, last: datetime, rng: random.Random) -> Iterator[Post]:
    for version in range(VERSIONS):
        at = last - timedelta(minutes=3 * (VERSIONS - 1 - version))
        lines = ((101, 1 + version),)
        topic = "checkouts/create" if version == 0 else "checkouts/update"
        yield checkout_post(shop, number, token=f"t{number}", email=f"p{number}@example.com", updated_at=at, lines=lines, topic=topic)


def _settle(stack: Stack) -> list[str]:
    """
    Give everything its time: what is due is done, leases run out, refusals for now come round again; then a week passes.
    """
    wrong = [] if stack.wait_idle(PATIENCE, besides_sending=True) else ["work was still waiting a minute after everything was repaired"]
    for pause in (LEASE * 1.1, timedelta(hours=2), timedelta(hours=8), timedelta(days=7)):
        stack.step_clock(pause)
        time.sleep(1.0)
        # Schedulers look for expired leases every five seconds.
        if not stack.wait_idle(PATIENCE):
            wrong.append(f"{pause} later work was still waiting")
    return wrong


def _vanished(known: set[str], found: list[carts.MessageView], reasons: dict[str, str | None], stack: Stack) -> list[str]:
    """Every acknowledged cart has its Decision, and its message, if it has one, an end that is told as it was."""
    seen = carts.arrivals(stack.sink)
    wrong = [f"cart {token} was acknowledged and has no decision" for token in sorted(known) if not reasons.get(token)]
    for message in found:
        count = seen.pop(message.public_id, 0)
        if message.state not in ENDED and not (message.state == "queued" and message.reason):
            wrong.append(f"{message.public_id} is {message.state} without a reason")
        if message.state == "sent" and count != 1:
            wrong.append(f"{message.public_id} is said to be sent and reached the mail server {count} times")
        if message.state in ("cancelled", "queued", "refused") and count:
            wrong.append(f"{message.public_id} is {message.state} and reached the mail server all the same")
        if message.state == "unknown" and message.decision != "unknown_outcome":
            wrong.append(f"{message.public_id} is unknown, and its cart's decision is {message.decision}: not listed")
    return wrong + [f"{name} reached the mail server and has no row" for name in seen]


def _after_order(found: list[carts.MessageView], notes: witness.Notes) -> list[str]:
    orders, claims = notes.first_by_subject("ordered"), notes.last_by_subject("sending")
    pairs = [(one, claims[one.id], orders[one.checkout_id]) for one in found if one.id in claims and one.checkout_id in orders]
    return [
        f"{one.public_id} was claimed after its order had committed"
        for one, claim, order in pairs
        if claim.committed_at > order.committed_at
    ]


def _row(found: list[carts.MessageView], known: set[str], monkey: Monkey, stack: Stack, violations: list[str], seed: int) -> Row:
    states = Counter(message.state for message in found)
    figures = {state: str(number) for state, number in sorted(states.items())}
    figures |= {"without a message": str(len(known) - len(found)), "reached the sink": str(stack.sink.count)}
    figures["broken"] = ", ".join(f"{name} {number}" for name, number in sorted(monkey.done.items()))
    if monkey.errors:
        figures["could not be broken"] = str(len(monkey.errors))
    if not states["sent"]:
        violations.append("nothing was sent at all: nothing was proven")
    faults = monkey.faults + stack.proxies.faults + stack.sink.faults
    return Row("RL-120", "everything at once", len(known), faults, violations, seed, figures)


CASE = Case("sending_everything", ("RL-120",), run, alone=True, seconds=32)
