"""
RL-104: Redis is expendable: emptied, stopped, away for long, it costs neither an answer nor any work.
RL-105: a database that crashes again and again loses nothing that was acknowledged, and hangs nobody.
"""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.intake import Shoppers, Trouble, absent, answers, audited, drive, drive_until, row, settle, unprocessed
from tests.chaos.ledger import Ledger
from tests.chaos.posts import Post, checkout_post
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import Stack

REDIS_SECONDS, AWAY_SECONDS, REDIS_RATE = 75.0, 75.0, 60
CRASH_SECONDS, CRASH_RATE = 300.0, 80
HUNG_SECONDS = 5.0
SILENT_SECONDS = 8.0
LONGEST_WAIT = 65.0
RUNG_SECONDS = 2.0
"""What came sooner after Redis was lost may have been rung for."""
PATIENCE_SECONDS = 8.0
"""The driver waits longer than is allowed, so that it sees who hangs."""


def run_redis(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-104: first often emptied, stopped and cut off, then silent, then away for long, all under load with steps that fall due."""
    busy, away, rng = size.seconds(REDIS_SECONDS, least=8.0), size.seconds(AWAY_SECONDS, least=8.0), random.Random(f"{seed}:redis")
    with Stack(directory, seed=seed, web=2, worker=2, scheduler=1, shops=4, spoilt=["redis"]) as stack:
        total = int((busy + SILENT_SECONDS + away + 5.0) * REDIS_RATE)
        posts = Shoppers(stack.shops, stack.rng)
        driver = Driver(stack.ports, lambda number: _sometimes_due(stack, posts, number), REDIS_RATE, total, rng=random.Random(seed))
        with audited(stack, driver.ledger, size) as auditor:
            driver.start()
            with Trouble(lambda: _lose_redis(stack, rng), rng, 1.0, 4.0) as trouble:
                time.sleep(busy)
            idle = _silence_redis(stack)
            stack.redis.stop()
            gone_at = stack.now()
            time.sleep(away)
            idle += _stood_still(stack, gone_at, "away")
            stack.redis.start()
            drive(driver, 120)
            restless = settle(stack, auditor)
        faults = trouble.faults + 2
        wrong = [*idle, *restless, *unprocessed(stack), *absent(stack, driver.ledger), *not_acknowledged(driver.ledger), *_unsent(stack)]
        figures = {
            "redis_losses": faults,
            "away": f"{away:.0f} s",
            "p99": f"{driver.ledger.p99() * 1000:.0f} ms",
            "mails": stack.sink.count,
        }
        title = "Redis is expendable"
        return [row("RL-104", title, total, faults, wrong, seed, **answers(driver.ledger), **figures), auditor.row(faults, seed)]


def _sometimes_due(stack: Stack, posts: Shoppers, number: int) -> Post:
    """Every tenth post is a checkout that was left long ago, so that its mail is due at once."""
    if number % 10:
        return posts(number)
    return checkout_post(stack.rng.choice(stack.shops), number, updated_at=datetime.now(UTC) - timedelta(minutes=61))


def _lose_redis(stack: Stack, rng: random.Random) -> int:
    """One of the ways to lose what Redis knows."""
    how = rng.choice(("flush", "stop", "cut"))
    if how == "flush":
        stack.redis.flush()
    elif how == "stop":
        stack.redis.stop()
        time.sleep(rng.uniform(0.0, 2.0))
        stack.redis.start()
    else:
        stack.redis.flush()
        stack.redis.client_kill()
    return 1


def _silence_redis(stack: Stack) -> list[str]:
    """Redis takes everything and answers nothing, which is worse than being away: whoever waits for it waits long."""
    silent_at = stack.now()
    stack.proxies.redis.half_open()
    time.sleep(SILENT_SECONDS)
    idle = _stood_still(stack, silent_at, "silent")
    stack.proxies.redis.heal()
    stack.proxies.redis.cut()
    return idle


def _stood_still(stack: Stack, since: datetime, how: str) -> list[str]:
    """Work goes on without Redis: by now some of what came meanwhile is done."""
    with stack.connect() as connection:
        handled = connection.execute(
            "select count(handled_at), count(*) from deliveries where received_at > %s", [since + timedelta(seconds=RUNG_SECONDS)]
        ).fetchone()
    if handled is None or not handled[1]:
        return [f"nothing came while Redis was {how}: it proves nothing"]
    return [] if handled[0] else [f"none of the {handled[1]} deliveries that came while Redis was {how} was handled meanwhile"]


def not_acknowledged(ledger: Ledger) -> list[str]:
    """Every attempt that was not answered with 200."""
    return [
        f"request {attempt.number}: {attempt.outcome} with status {attempt.status} after {attempt.seconds:.2f} s"
        for attempt in ledger.attempts
        if attempt.outcome != "ok"
    ]


def _unsent(stack: Stack) -> list[str]:
    """Checkouts whose mail was due and did not leave, not even after a minute: so long one may wait for its store to be asked."""
    statement = """
        select c.platform_id, m.state, m.lease_until - app_now(), m.due_at - app_now(), m.reason
        from checkouts c left join messages m on m.checkout_id = c.id
        where c.converted_at is null and c.source_version < app_now() - interval '60 minutes' and m.state is distinct from 'sent'
    """
    until = time.monotonic() + LONGEST_WAIT
    with stack.connect() as connection:
        while (rows := connection.execute(statement).fetchall()) and time.monotonic() < until:
            time.sleep(0.5)
    return [f"the mail of checkout {row[0]} was due and is {row[1]} (leased {row[2]}, due {row[3]}, {row[4]})" for row in rows]


def run_crashes(size: Size, seed: int, directory: Path) -> list[Row]:
    """RL-105: the database is stopped immediately every 5 to 40 s and comes back after 0 to 2 s, under load."""
    seconds, rng = size.seconds(CRASH_SECONDS, least=20.0), random.Random(f"{seed}:crashes")
    longest = 40.0 if size.share >= 1 else 10.0
    with Stack(directory, seed=seed, web=2, worker=2, scheduler=1, shops=4) as stack:
        posts = Shoppers(stack.shops, stack.rng)
        driver = Driver(
            stack.ports,
            lambda number: _sometimes_due(stack, posts, number),
            CRASH_RATE,
            int(seconds * CRASH_RATE),
            seconds_per_request=PATIENCE_SECONDS,
            retries=1,
            rng=random.Random(seed),
        )
        with audited(stack, driver.ledger, size) as auditor:
            with Trouble(lambda: _crash(stack, rng), rng, 5.0, longest) as monkey:
                driver.start()
                drive_until(driver, lambda: False, seconds + 120)
            # A worker that lost its database in mid-send leaves a message whose end nobody knows until its lease runs out.
            restless = settle(stack, auditor, besides_sending=True)
        wrong = [*restless, *unprocessed(stack), *absent(stack, driver.ledger), *_hung(driver.ledger), *_given_up(driver.ledger)]
        figures = {"crashes": monkey.faults, "longest": f"{driver.ledger.longest():.2f} s"}
        result = row(
            "RL-105",
            "a crashing database loses nothing",
            len(driver.ledger.ok),
            monkey.faults,
            wrong,
            seed,
            **figures,
            **answers(driver.ledger),
        )
        return [result, auditor.row(monkey.faults, seed)]


def _crash(stack: Stack, rng: random.Random) -> int:
    stack.postgres.stop_immediately()
    time.sleep(rng.uniform(0.0, 2.0))
    stack.postgres.start()
    return 1


def _hung(ledger: Ledger) -> list[str]:
    return [
        too_late(f"request {attempt.number} took {attempt.seconds:.2f} s ({attempt.outcome}, status {attempt.status})")
        for attempt in ledger.attempts
        if attempt.seconds > HUNG_SECONDS
    ]


def _given_up(ledger: Ledger) -> list[str]:
    """Whoever does not come back after a crash loses nothing either: most posts must have been acknowledged in the end."""
    ok, posts = len(ledger.ok), len({attempt.number for attempt in ledger.attempts})
    return [] if ok > posts / 2 else [f"only {ok} of {posts} posts were acknowledged: what was away has not come back"]


CASES = (
    Case("redis", ("RL-104", "RL-113"), run_redis, seconds=37),
    Case("database-crashes", ("RL-105", "RL-113"), run_crashes, seconds=36),
)
