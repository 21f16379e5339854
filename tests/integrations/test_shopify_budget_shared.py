"""Several processes that call one shop at once, with the budget in the database: in real time, so that nothing is played."""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from connector.store.budgets import SharedBudget
from connector.store.db import Database
from integrations.registry import ASSUMED_BUCKET, make_budget
from integrations.sandbox.shopify_cost import Bucket

KEY = "shopify:atelier-brume.myshopify.com"
REQUESTED = 672.0
MAXIMUM, PER_SECOND = 60_000.0, 30_000.0
"""A shop as fast as a test must be: 600 calls take four seconds or so."""
CALLS = 600


@pytest.fixture
def processes(db: Database) -> Iterator[list[SharedBudget]]:
    """Two of them, as far as a budget is concerned."""
    budgets = [SharedBudget(db.url, make_budget(), ASSUMED_BUCKET) for _ in range(2)]
    yield budgets
    for budget in budgets:
        budget.close()


def call(budget: SharedBudget, bucket: Bucket, chance: random.Random) -> None:
    """As the client does it."""
    wait = budget.reserve(KEY, REQUESTED)
    if wait > 2.0:
        budget.give_back(KEY, REQUESTED)
        time.sleep(wait)
        return
    time.sleep(wait + chance.uniform(0.001, 0.004))
    used = 0.0
    if bucket.take(REQUESTED):
        used = chance.uniform(200, 400)
        bucket.give_back(REQUESTED - used)
    told = bucket.status()
    time.sleep(chance.uniform(0.001, 0.004))
    budget.give_back(KEY, REQUESTED - used)
    budget.learn(KEY, told["currentlyAvailable"], told["maximumAvailable"], told["restoreRate"])


def test_several_processes_are_hardly_ever_refused_and_use_what_the_shop_gives(processes: list[SharedBudget]) -> None:
    bucket = Bucket(MAXIMUM, PER_SECOND)
    # The first answer of all: until then the shop is taken for the smallest there is.
    processes[0].learn(KEY, MAXIMUM, MAXIMUM, PER_SECOND)
    began, end = time.monotonic(), time.monotonic() + 30

    def work(number: int) -> None:
        chance = random.Random(number)
        while bucket.calls < CALLS and time.monotonic() < end:
            call(processes[number % 2], bucket, chance)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(40)
    seconds = time.monotonic() - began
    refused = bucket.throttled / bucket.calls * 1000
    # What stands in the bucket at the beginning is no refill, and what is left at the end is not lost.
    used = (bucket.spent - MAXIMUM + bucket.available) / (PER_SECOND * seconds)
    print(f"{bucket.calls} calls in {seconds:.1f} s, {refused:.1f} of 1000 refused, {used:.1%} of the refill used")
    assert bucket.calls >= CALLS
    assert refused <= 5
    assert used >= 0.9
