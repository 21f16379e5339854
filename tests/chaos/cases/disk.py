"""
RL-106: a full disk is refused and not corrupting, under the database and under the logs.

The disk is a small one in memory, mounted on a directory of this case and taken away at its end; only root may do that.
"""

import contextlib
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Shoppers, absent, answers, audited, drive, row, settle, unprocessed
from tests.chaos.report import Row
from tests.chaos.servers import Postgres
from tests.chaos.size import Size
from tests.chaos.stack import Stack

ROUNDS, RATE = 4, 60
DATA_MEGABYTES, LOG_MEGABYTES = 320, 128
QUIET_SECONDS, FULL_SECONDS = 4.0, 20.0
NOTICE_SECONDS = 5.0
"""So long after the first refusal every look at /readyz must be answered with 503."""
RECOVERY_SECONDS, STUCK_SECONDS = 60.0, 30.0
PAGE = os.sysconf("SC_PAGE_SIZE")
"""A file on a full disk in memory ends where its last page ends."""
LEAN = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
TITLE = "a full disk is refused and not corrupting"


class SmallDisk:
    """A disk in memory on a fresh directory. `fill()` leaves no byte free and keeps it so until `free()`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"
        self._full = threading.Event()
        self._thread: threading.Thread | None = None

    def fill(self) -> None:
        """Take all room, and whatever becomes free afterwards."""
        self._full.set()
        self._take()
        self._thread = threading.Thread(target=self._keep, name="ballast", daemon=True)
        self._thread.start()

    def free(self) -> None:
        """Give the room back."""
        self._full.clear()
        if self._thread is not None:
            self._thread.join(10)
        self._ballast.unlink(missing_ok=True)

    def _keep(self) -> None:
        while self._full.is_set():
            self._take()
            time.sleep(0.1)

    def _take(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of that size, which every account may enter. Raises CalledProcessError if that is not allowed."""
    place = Path(tempfile.mkdtemp(prefix="disk-", dir=directory))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "connector-test", str(place)], check=True, capture_output=True
    )
    disk = SmallDisk(place)
    try:
        yield disk
    finally:
        disk.free()
        # Whoever still holds a file there keeps it until the end of its process; the name goes at once.
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


class Watch:
    """Looks at /readyz of every web process again and again. A context manager."""

    def __init__(self, stack: Stack) -> None:
        self.looks: list[tuple[float, str, int]] = []
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="readiness", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def between(self, begin: float, end: float) -> list[int]:
        """What was answered in a span of time."""
        return [status for at, _, status in self.looks if begin <= at <= end]

    def _work(self) -> None:
        while not self._stop.wait(0.3):
            for web in self._stack.web:
                at = time.monotonic()
                self.looks.append((at, web.name, web.get("/readyz")))


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """First the database's disk, then that of the logs."""
    if os.geteuid() != 0:
        return [Row("RL-106", TITLE, 0, 0, [], seed, not_run="needs root")]
    try:
        with small_disk(directory, 1):
            pass
    except (OSError, subprocess.CalledProcessError):
        return [Row("RL-106", TITLE, 0, 0, [], seed, not_run="needs root that may mount")]
    return [*_full_data(size, seed, directory), *_full_logs(size, seed, directory)]


def _full_data(size: Size, seed: int, directory: Path) -> list[Row]:
    rounds = size.count(ROUNDS)
    wrong: list[str] = []
    recoveries: list[float] = []
    with small_disk(directory, DATA_MEGABYTES) as disk, _stack(directory, seed, disk.place, LEAN) as stack:
        driver = Driver(stack.ports, Shoppers(stack.shops, stack.rng), RATE, 1_000_000, 8.0, retries=1, rng=random.Random(seed))
        with audited(stack, driver.ledger, size) as auditor:
            with Watch(stack) as watch:
                driver.start()
                for _ in range(rounds):
                    time.sleep(QUIET_SECONDS)
                    wrong += _fill_once(stack, disk, driver, watch, size.seconds(FULL_SECONDS, least=10.0), recoveries)
                time.sleep(QUIET_SECONDS)
                driver.stop()
                drive(driver, 60)
            wrong += _ended(stack)
            wrong += settle(stack, auditor)
        wrong += [*absent(stack, driver.ledger), *unprocessed(stack)]
        recovery = f"{max(recoveries, default=0.0):.1f} s"
        result = row("RL-106", TITLE, len(driver.ledger.ok), rounds, wrong, seed, recovery=recovery, **answers(driver.ledger))
        return [result, auditor.row(rounds, seed)]


def _stack(directory: Path, seed: int, data: Path | None = None, settings: Mapping[str, str] | None = None) -> Stack:
    return Stack(directory, seed=seed, web=2, worker=2, shops=3, automation=False, postgres_directory=data, postgres_settings=settings)


def _fill_once(stack: Stack, disk: SmallDisk, driver: Driver, watch: Watch, seconds: float, recoveries: list[float]) -> list[str]:
    """Fill the database's disk for a while, free it, and wait until everything works again."""
    filled_at = time.monotonic()
    disk.fill()
    time.sleep(seconds)
    freed_at = time.monotonic()
    disk.free()
    _start_again(stack.postgres)
    refused = [one.ended_at for one in driver.ledger.attempts if one.outcome == "failed" and filled_at < one.ended_at < freed_at]
    if not refused:
        return ["no delivery was refused while the disk was full: it was never felt"]
    looks = watch.between(min(refused) + NOTICE_SECONDS, freed_at)
    wrong = [f"/readyz answered {status} while the disk was full" for status in looks if status != 503]
    if not looks:
        wrong.append("nobody looked at /readyz while the disk was full")

    def is_back() -> bool:
        served = any(one.outcome == "ok" and one.ended_at > freed_at for one in reversed(driver.ledger.attempts[-2000:]))
        return served and all(web.get("/readyz") == 200 for web in stack.web)

    if not stack.wait_until(is_back, RECOVERY_SECONDS):
        wrong.append(f"not back within {RECOVERY_SECONDS:.0f} s after the disk was freed")
    recoveries.append(time.monotonic() - freed_at)
    return wrong


def _start_again(postgres: Postgres) -> None:
    """
    What an operator does once there is room.

    A server that could not even recover has ended. Sometimes (18.6; 3 of some 700 times) its recovering process ended of the
    full disk and the others never noticed: they take no connection, for ever, and have to be stopped first.
    """
    try:
        postgres.start(STUCK_SECONDS)
    except TimeoutError:
        print(f"stopped, as it was stuck: {postgres.last_words()}", flush=True)
        postgres.stop_immediately()
        postgres.start()


def _ended(stack: Stack) -> list[str]:
    return [
        f"{role.name} ended with {role.exit_code}: {role.last_words(5)}" for role in stack.roles if not role.is_alive or role.starts != 1
    ]


def _full_logs(size: Size, seed: int, directory: Path) -> list[Row]:
    """What the roles print goes to a full disk, and Redis is gone for a while so that they have much to say."""
    seconds, wrong = size.seconds(2 * FULL_SECONDS, least=6.0), list[str]()
    with small_disk(directory, LOG_MEGABYTES) as disk, _stack(disk.place, seed) as stack:
        driver = Driver(stack.ports, Shoppers(stack.shops, stack.rng), RATE, 1_000_000, rng=random.Random(seed))
        with audited(stack, driver.ledger, size) as auditor:
            driver.start()
            time.sleep(2.0)
            disk.fill()
            stack.redis.stop()
            time.sleep(seconds / 2)
            stack.redis.start()
            time.sleep(seconds / 2)
            felt = [role.name for role in stack.roles if role.log.stat().st_size % PAGE == 0]
            wrong += _ended(stack)
            disk.free()
            time.sleep(2.0)
            driver.stop()
            drive(driver, 60)
            wrong += _ended(stack)
            wrong += settle(stack, auditor)
        wrong += [*absent(stack, driver.ledger), *unprocessed(stack)]
        troubled = (one for one in driver.ledger.attempts if one.outcome != "ok")
        wrong += [f"{one.outcome} with status {one.status} while the logs were full" for one in troubled]
        if not felt:
            wrong.append("no log came to the end of its last page: the full disk was never felt")
        return [row("RL-106", TITLE, len(driver.ledger.ok), len(felt), wrong, seed), auditor.row(1, seed)]


CASE = Case("full-disk", ("RL-106", "RL-113"), run, seconds=42)
