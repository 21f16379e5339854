"""
SH-24, SH-25: no history of purchases, edits, ends, deletions, refunds and deaths gives a person two offers, or anything of a suspended one,
and the numbers are those of a recount.

Each history is decided by its seed and told to a shop of its own; what must hold is checked after every step.
"""

import random
from collections import deque
from pathlib import Path

from connector.store.sealed import Vault
from tests.chaos.case import Case
from tests.chaos.report import Row
from tests.chaos.size import Size
from tests.chaos.telling import PLATFORMS, empty_services
from tests.conftest import SEALING_KEY
from tests.sync.test_offer_histories import tell

HISTORIES, LENGTH = 40, 80
LAST_STEPS = 3


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Tell histories to shops of both platforms in turn."""
    violations: list[str] = []
    deaths, count = 0, size.count(HISTORIES, least=2)
    with empty_services(directory) as services:
        for number in range(count):
            platform, own = PLATFORMS[number % 2], random.Random(f"{seed}:{number}").getrandbits(32)
            said: deque[str] = deque(maxlen=LENGTH)
            try:
                tell(services, Vault([SEALING_KEY]), platform, own, said.append, LENGTH)
            except AssertionError as error:
                violations.append(f"{platform}, seed {own}, after {list(said)[-LAST_STEPS:]}: {str(error)[:400]}")
            deaths += sum(step.startswith(("tend_and_die", "fail")) for step in said)
    title = "no history of offers gives a person two, or anything of a suspended one"
    return [Row("SH-25", title, count, deaths, violations, seed, {"steps": str(count * LENGTH)})]


CASE = Case("offer_histories", ("SH-25",), run, seconds=20)
