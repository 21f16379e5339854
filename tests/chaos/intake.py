"""What the intake cases share: shops with shoppers, something that breaks things every few seconds, and the last look."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.chaos.auditor import Auditor
from tests.chaos.driver import Driver
from tests.chaos.ledger import Ledger
from tests.chaos.posts import Post, checkout_post, order_post
from tests.chaos.report import Row
from tests.chaos.roles import Role
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

RESTART_SECONDS = 40.0


class Shoppers:
    """Makes the number-th post: mostly checkouts of a new shopper, some edited once more, some ordered."""

    def __init__(self, shops: Sequence[SeededShop], rng: random.Random) -> None:
        self._shops = shops
        self._rng = rng

    def __call__(self, number: int) -> Post:
        """The shop is drawn; every fifth post is an order, of nobody else's checkout."""
        shop = self._rng.choice(self._shops)
        if number % 5 == 4:
            return order_post(shop, number, email=f"buyer-{number}@example.com")
        topic = self._rng.choice(("checkouts/create", "checkouts/update"))
        lines = [(self._rng.randint(1, 40), self._rng.randint(1, 3)) for _ in range(self._rng.randint(1, 3))]
        return checkout_post(shop, number, topic=topic, lines=lines, updated_at=datetime.now(UTC))


class Trouble:
    """
    Does something bad again and again, in a thread, with a random pause before each time. A context manager.

    `make` returns how many faults that was; what it raises ends the trouble and is raised at the end of the block.
    """

    def __init__(self, make: Callable[[], int], rng: random.Random, shortest: float, longest: float) -> None:
        self.faults = 0
        self._make = make
        self._rng = rng
        self._pauses = (shortest, longest)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="trouble", daemon=True)

    @property
    def is_over(self) -> bool:
        """True once it was stopped or failed."""
        return not self._thread.is_alive()

    def __enter__(self) -> "Trouble":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more of it; what is going on is finished first. Raises what went wrong with it."""
        self._stop.set()
        self._thread.join(120)
        if self._error is not None:
            raise self._error
        if self._thread.is_alive():
            raise TimeoutError("trouble that was begun did not end within two minutes")

    def _work(self) -> None:
        try:
            while not self._stop.wait(self._rng.uniform(*self._pauses)):
                self.faults += self._make()
        except BaseException as error:
            self._error = error


def kill_and_restart(role: Role) -> int:
    """`kill -9`, and a new process at once; returns 1 if something was there to kill."""
    was_alive = role.kill()
    role.start()
    return int(was_alive)


def revive(stack: Stack) -> None:
    """Start every role that is not alive. Raises TimeoutError if one does not get ready."""
    for role in stack.roles:
        role.start()
    stack.wait_ready(RESTART_SECONDS)


@contextmanager
def audited(stack: Stack, ledger: Ledger, size: Size) -> Iterator[Auditor]:
    """An auditor that looks on from time to time while the block runs."""
    with Auditor(stack, ledger).watch(size.seconds(10.0, least=1.0)) as auditor:
        yield auditor


def drive(driver: Driver, seconds: float) -> None:
    """Wait for the driver's end. Raises TimeoutError if it never comes."""
    if not driver.join(seconds):
        driver.stop()
        raise TimeoutError(f"the driver did not end within {seconds} s")


def drive_until(driver: Driver, is_enough: Callable[[], bool], seconds: float) -> None:
    """Let the driver post until there was enough of everything. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while driver.is_running and not is_enough():
        if time.monotonic() > deadline:
            driver.stop()
            raise TimeoutError(f"there was not enough of everything within {seconds} s")
        time.sleep(0.05)
    driver.stop()
    drive(driver, 60)


def settle(stack: Stack, auditor: Auditor, seconds: float = 90.0, *, besides_sending: bool = False) -> list[str]:
    """Everything lives; wait for quiet, and let the auditor take its last look. Returns what never became quiet."""
    revive(stack)
    is_quiet = stack.wait_idle(seconds, besides_sending=besides_sending)
    auditor.final()
    return [] if is_quiet else [f"no quiet within {seconds:.0f} s: {stack.waiting()}"]


def absent(stack: Stack, ledger: Ledger) -> list[str]:
    """Acknowledged deliveries that are not in the database with their very bytes."""
    ok = ledger.ok
    with stack.connect() as connection:
        rows = connection.execute(
            "select d.key, sha256(b.body) from deliveries d left join delivery_bodies b on b.delivery_id = d.id where d.key = any(%s)",
            [list(ok)],
        )
        kept = {bytes(key): None if digest is None else bytes(digest) for key, digest in rows}
    return [
        f"acknowledged and {'not kept' if key not in kept else 'kept without its bytes'}: {key.hex()}"
        for key in ok
        if kept.get(key) != ledger.expected[key].digest
    ]


def unprocessed(stack: Stack) -> list[str]:
    """Deliveries that did not come to their proper end."""
    with stack.connect() as connection:
        rows = connection.execute("select id, state, reason, attempts from deliveries where state not in ('applied', 'no_meaning_yet')")
        return [f"delivery {row[0]} is {row[1]} ({row[2]}) after {row[3]} tries" for row in rows]


def answers(ledger: Ledger) -> dict[str, str]:
    """The figures that every row with a driver shows."""
    counts = ledger.counts()
    told = {"requests": sum(counts.values()), "ok": len(ledger.ok), "failed": counts["failed"], "unknown": counts["unknown"]}
    return {name: str(count) for name, count in told.items()}


def row(id: str, title: str, trials: int, faults: int, violations: list[str], seed: int, **figures: object) -> Row:
    """A row with figures of any kind."""
    return Row(id, title, trials, faults, violations, seed, {name.replace("_", " "): str(value) for name, value in figures.items()})
