"""
RL-147: a store's rate limit is respected, and used.

All orders of a pretend Shopify are read by pages. Its bucket is the law; now and then something that we know nothing of empties it.
The clock is virtual and moves with every answer and every wait of ours, so the share of the refill that was used is no timing.
"""

import random
from pathlib import Path

from connector.canonical import Resource
from connector.platforms import ThrottledError
from integrations.sandbox.shopify_cost import Bucket
from tests.chaos.case import Case
from tests.chaos.report import Row
from tests.chaos.size import Size
from tests.integrations.reads_kit import ACCESS, Store

ORDERS = 30_000
"""At a tenth still more than 200 pages of 14: below that the one refusal that a theft may cost is above the bound by itself."""
MAXIMUM, PER_SECOND = 2000.0, 100.0
SECONDS_A_CALL = 0.15
CALLS_BETWEEN = 400
"""So many calls lie between two thefts of all points: each may cost one refusal, and five in a thousand are the bound."""
REFUSED_PER_1000, USED = 5, 0.9


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-147."""
    dice, count = random.Random(seed), size.count(ORDERS)
    store = Store(seconds_a_call=SECONDS_A_CALL)
    wanted = {str(store.twin.buy(quantity=1 + number % 3).id) for number in range(count)}
    bucket = store.twin.shop.bucket = Bucket(MAXIMUM, PER_SECOND, lambda: store.twin.seconds)
    began, cursor, waits, lost = store.twin.seconds, None, 0, [0.0]
    read: list[str] = []
    theft = dice.randrange(20, 60)
    while True:
        if bucket.calls >= theft:
            lost.append(bucket.available)
            bucket.drain()
            theft += CALLS_BETWEEN
        try:
            page = store.reads.changes(ACCESS, Resource.ORDER, None, None, cursor)
        except ThrottledError as error:
            waits += 1
            store.sleep(error.retry_after)
            continue
        read += [record.platform_id for record in page.records]
        if (cursor := page.cursor) is None:
            break
    used = (bucket.spent + sum(lost) - MAXIMUM) / (PER_SECOND * (store.twin.seconds - began))
    refused = 1000 * bucket.throttled / bucket.calls
    violations = []
    if sorted(read) != sorted(wanted):
        violations.append(f"{len(read)} orders were read, {len(wanted)} there are")
    if refused > REFUSED_PER_1000:
        violations.append(f"{refused:.1f} of 1,000 calls were refused")
    if used < USED:
        violations.append(f"{used:.0%} of the refill were used")
    figures = {"refused": str(bucket.throttled), "told to wait": str(waits), "refill used": f"{used:.1%}"}
    return [Row("RL-147", "a store's rate limit is respected, and used", bucket.calls, len(lost) - 1, violations, seed, figures)]


CASE = Case("points", ("RL-147",), run, seconds=20)
