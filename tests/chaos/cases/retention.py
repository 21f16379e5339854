"""
RL-145: what is too old goes, under live load, and nobody waits for it.

Bodies older than the retention time go with their day; rows older than 90 days go in batches. A reader that holds the bodies
for seconds, as a backup does, makes the job give up and come back, and holds up no acknowledgement.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy.exc import OperationalError

from connector.store import retention
from sync import sweep
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.posts import checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import Stack

OLD = 1_000_000
STRAYS = 20_000
BODY_DAYS = range(15, 35)
"""Days ago: past the retention time of bodies (14), and their rows are still known."""
ROW_DAYS = range(91, 121)
RATE = 100.0
CALM_SECONDS = 5.0
READER_SECONDS = 3.0
MOST_P99 = 1.0
MOST_TRIES = 60


@dataclass
class Job:
    """The scheduler's turns, by hand, until nothing is left to do."""

    services: Services
    tries: int = 0
    batches: int = 0
    forgotten: int = 0
    refused: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Clean, and again where somebody was in the way; then forget, batch by batch."""
        began = time.monotonic()
        while self.tries < MOST_TRIES:
            self.tries += 1
            try:
                sweep.clean(self.services)
                break
            except OperationalError:
                self.refused += 1
                time.sleep(0.5)
        while count := self._forget():
            self.batches += 1
            self.forgotten += count
        self.seconds = time.monotonic() - began

    def _forget(self) -> int:
        with self.services.db.system_transaction("forget old deliveries") as session:
            return retention.forget_deliveries(session)


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Fill, load, clean while somebody reads, and look at what is left and how long the acknowledgements took."""
    with Stack(directory, seed=seed, shops=3) as stack:
        old = size.count(OLD, least=20_000)
        today = stack.one("select (app_now() at time zone 'UTC')::date")
        fill(stack, today, old)
        driver = Driver(stack.ports, lambda n: checkout_post(stack.shops[n % 3], n), RATE, 10**6).start()
        time.sleep(CALM_SECONDS)
        job = Job(stack.services())
        began = time.monotonic()
        reader = threading.Thread(target=_read, args=(stack,), daemon=True)
        reader.start()
        time.sleep(0.5)
        job.run()
        reader.join()
        ended = time.monotonic()
        driver.stop()
        driver.join(20)
        found = _left(stack, today, old) + _answered(driver, began, ended) + _kept(stack, driver)
        stack.wait_idle(30)
        during = _times(driver, began, ended)
    figures = {
        "old rows": str(old),
        "job": f"{job.seconds:.1f} s",
        "batches": str(job.batches),
        "gave up": str(job.refused),
        "p99 before": f"{1000 * _p99(_times(driver, 0, began)):.0f} ms",
        "p99 during": f"{1000 * _p99(during):.0f} ms",
        "longest": f"{1000 * max(during, default=0):.0f} ms",
    }
    if not job.refused:
        found.append("nobody was in the job's way: its giving up is not proven")
    return [Row("RL-145", "a million old deliveries go under live load", old, job.refused + job.batches, found, seed, figures)]


def fill(stack: Stack, today: date, old: int) -> None:
    """Old deliveries with small bodies, half of them past 14 days and half past 90, some bodies without a partition of their own."""
    with stack.connect() as connection:
        connection.execute("set synchronous_commit = off")
        for days in (*BODY_DAYS, *ROW_DAYS):
            day = today - timedelta(days=days)
            connection.execute(
                f"create table delivery_bodies_{day:%Y%m%d} partition of delivery_bodies"
                f" for values from ('{day}') to ('{day + timedelta(days=1)}')".encode()
            )
        for days in (ROW_DAYS, BODY_DAYS):
            _insert(stack, days, old // 2)
        strays = "select %s, 10^12::bigint + n, null, '', 'stray' from generate_series(1, %s) n"
        connection.execute(
            f"insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body) {strays}".encode(),
            [today - timedelta(days=200), min(STRAYS, old // 10)],
        )
        connection.execute(
            "insert into delivery_people (person_hash, delivery_id, shop_id) select key, id, shop_id from deliveries where id % 10 = 0"
        )
        connection.execute("analyze deliveries")


def _insert(stack: Stack, days: range, count: int) -> None:
    """Oldest first, as they would have come."""
    statement = """
        with kept as (
            insert into deliveries (key, shop_id, platform, topic, state, attempts, received_at, received_on, handled_at)
            select sha256((%(first)s || '-' || n)::bytea), %(shop)s, 'shopify', 'checkouts/update', 'applied', 1, t.at,
                (t.at at time zone 'UTC')::date, t.at
            from generate_series(0, %(count)s - 1) n,
                lateral (select app_now() - make_interval(days => (%(last)s - n * %(span)s / %(count)s)::int) as at) t
            returning id, shop_id, received_on
        )
        insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
        select received_on, id, shop_id, 'content-type: application/json', convert_to(repeat('x', 200), 'UTF8') from kept
    """
    values = {"first": days.start, "last": days.stop - 1, "span": len(days), "count": count, "shop": stack.shops[0].id}
    with stack.connect() as connection:
        connection.execute("set synchronous_commit = off")
        connection.execute(statement, values)


def _read(stack: Stack) -> None:
    """A long look at the bodies, as a backup takes it."""
    with stack.connect() as connection:
        connection.execute("begin")
        connection.execute("lock table delivery_bodies in access share mode")
        time.sleep(READER_SECONDS)
        connection.execute("commit")


def _left(stack: Stack, today: date, old: int) -> list[str]:
    """Nothing over age, and everything that is not."""
    bodies = stack.one("select count(*) from delivery_bodies where received_on < %s", today - timedelta(days=14))
    rows = stack.one("select count(*) from deliveries where received_at < app_now() - interval '90 days'")
    known = stack.one("select count(*) from deliveries where received_at < app_now() - interval '10 days'")
    people = stack.one("select count(*) from delivery_people p where not exists (select 1 from deliveries d where d.id = p.delivery_id)")
    found = [f"{count} {what}" for count, what in ((bodies, "bodies are over age"), (rows, "rows are over age")) if count]
    if known != old // 2:
        found.append(f"{known} rows of the last 90 days are left of {old // 2}")
    return found + ([f"{people} people point to nothing"] if people else [])


def _kept(stack: Stack, driver: Driver) -> list[str]:
    """What was acknowledged meanwhile is there with its body."""
    keys = list(driver.ledger.ok)
    there = stack.one(
        "select count(*) from deliveries d join delivery_bodies b on b.received_on = d.received_on and b.delivery_id = d.id"
        " where key = any(%s)",
        keys,
    )
    return [] if there == len(keys) and keys else [f"{len(keys)} were acknowledged and {there} are kept with their body"]


def _answered(driver: Driver, began: float, ended: float) -> list[str]:
    """Everybody was answered, and soon."""
    lost = [one for one in driver.ledger.attempts if one.outcome != "ok"]
    p99 = _p99(_times(driver, began, ended))
    found = [f"{len(lost)} deliveries were not acknowledged, the first with {lost[0].status}"] if lost else []
    return found + ([too_late(f"p99 of acknowledgements during the job was {p99:.2f} s")] if p99 > MOST_P99 else [])


def _times(driver: Driver, began: float, ended: float) -> list[float]:
    return sorted(one.seconds for one in driver.ledger.attempts if began <= one.ended_at <= ended)


def _p99(times: Sequence[float]) -> float:
    return times[min(len(times) - 1, int(len(times) * 0.99))] if times else 0.0


CASE = Case("retention", ("RL-145",), run, alone=True, seconds=22)
