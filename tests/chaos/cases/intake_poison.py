"""RL-112: a delivery that fails each time hurts nobody else, ends in quarantine, and comes back once what was wrong is mended."""

import random
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Shoppers, absent, answers, audited, drive, row, settle, unprocessed
from tests.chaos.ledger import Ledger
from tests.chaos.posts import Post, checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

EVENTS, ONE_IN, SHOPS, RATE = 12_000, 1_000, 3, 150
DELAY_SECONDS = 2.0
TRIES = 5
QUARANTINE_SECONDS = 120.0


class PoisonedShoppers:
    """Shoppers, and among a thousand posts one that the database refuses whenever it is applied; the shops take turns."""

    def __init__(self, shops: list[SeededShop], rng: random.Random) -> None:
        self._shops = shops
        self._posts = Shoppers(shops, rng)
        self.poisoned: set[bytes] = set()

    def __call__(self, number: int) -> Post:
        """The number-th post."""
        if number % ONE_IN != ONE_IN // 4:
            return self._posts(number + 1_000_000)
        post = checkout_post(self._shops[len(self.poisoned) % len(self._shops)], number, token=f"poison-{number}")
        self.poisoned.add(post.key)
        return post


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """A quiet quarter of the load for the baseline, then the same with poison in it."""
    total, rng, ledger = size.count(EVENTS, least=SHOPS * ONE_IN), random.Random(f"{seed}:poison"), Ledger()
    with Stack(directory, seed=seed, worker=2, shops=SHOPS, automation=False) as stack:
        stack.poison()
        posts = PoisonedShoppers(stack.shops, rng)
        with audited(stack, ledger, size) as auditor:
            quiet = Driver(stack.ports, Shoppers(stack.shops, rng), RATE, total // 4, ledger=ledger, rng=rng)
            drive(quiet.start(), 300)
            stack.wait_idle(60)
            before = set(ledger.expected)
            drive(Driver(stack.ports, posts, RATE, total, ledger=ledger, rng=rng).start(), 300)
            stack.wait_until(lambda: not _restless(stack), QUARANTINE_SECONDS)
            others = ledger.ok - before - posts.poisoned
            baseline = _delays(stack, before)
            after = _delays(stack, others)
            wrong = [*_judge_delays(baseline, after), *_judge_quarantine(stack, posts.poisoned, ledger.ok)]
            stack.antidote()
            for shop in stack.shops:
                wrong += _replay(stack, shop)
            wrong += settle(stack, auditor)
        wrong += [*unprocessed(stack), *absent(stack, ledger)]
        figures = {"baseline_p99": f"{_p99(baseline):.2f} s", "others_p99": f"{_p99(after):.2f} s", "others_longest": f"{max(after):.2f} s"}
        title = "a poison delivery hurts nobody else"
        faults = len(posts.poisoned) * TRIES
        result = row("RL-112", title, total, faults, wrong, seed, poisoned=len(posts.poisoned), **figures, **answers(ledger))
        return [result, auditor.row(faults, seed)]


def _restless(stack: Stack) -> int:
    return int(stack.one("select count(*) from deliveries where state = 'pending'"))


def _delays(stack: Stack, keys: set[bytes]) -> list[float]:
    """Seconds from reception to the end of handling, by the database's clock; what still waits has waited until now."""
    with stack.connect() as connection:
        rows = connection.execute(
            "select extract(epoch from coalesce(handled_at, app_now()) - received_at)::float8 from deliveries where key = any(%s)",
            [list(keys)],
        )
        return [float(found[0]) for found in rows]


def _p99(delays: list[float]) -> float:
    return sorted(delays)[int(len(delays) * 0.99)] if delays else 0.0


def _judge_delays(baseline: list[float], after: list[float]) -> list[str]:
    allowed = _p99(baseline) + DELAY_SECONDS
    if not baseline or not after:
        return ["nothing was measured"]
    return [too_late(f"an innocent delivery waited {took:.2f} s; {allowed:.2f} s were allowed") for took in after if took > allowed]


def _judge_quarantine(stack: Stack, poisoned: set[bytes], acknowledged: set[bytes]) -> list[str]:
    """What was acknowledged must be kept; a post that a slow machine did not answer in time need not be."""
    with stack.connect() as connection:
        query = "select id, state, attempts, key from deliveries where key = any(%s)"
        rows = connection.execute(query, [list(poisoned)]).fetchall()
    wrong = [f"poison {found[0]} is {found[1]} after {found[2]} tries" for found in rows if found[1:3] != ("quarantined", TRIES)]
    lost = (poisoned & acknowledged) - {bytes(found[3]) for found in rows}
    wrong += [f"{len(lost)} of {len(poisoned)} poisoned deliveries were acknowledged and not kept"] if lost else []
    return wrong if rows else [*wrong, "no poison came through: it proves nothing"]


def _replay(stack: Stack, shop: SeededShop) -> list[str]:
    """`connector replay SHOP`, as an operator types it."""
    code, said = stack.command("replay", shop.domain)
    return [] if code == 0 else [f"connector replay ended with {code}: {said[-600:]}"]


CASE = Case("poison", ("RL-112", "RL-113"), run, seconds=45)
