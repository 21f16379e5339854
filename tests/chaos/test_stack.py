"""The supervisor: what it starts works, and goes on working after each of its faults."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis

from connector.store import deliveries
from tests.chaos.auditor import Auditor
from tests.chaos.driver import Driver
from tests.chaos.ledger import Ledger
from tests.chaos.posts import checkout_post, poison_post
from tests.chaos.stack import Stack


class Traffic:
    """A few abandoned checkouts at a time; each ends as one mail at the sink."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ledger = Ledger()
        self.sent = 0
        self.mails = 0

    def goes_through(self, count: int = 5, seconds: float = 30.0) -> bool:
        """Post some; true if all are acknowledged, applied and mailed."""
        at, first = datetime.now(UTC) - timedelta(hours=2), self.sent
        driver = Driver(
            self.stack.live_ports,
            lambda number: checkout_post(self.stack.shops[0], first + number, updated_at=at),
            50,
            count,
            retries=6,
            ledger=self.ledger,
        ).start()
        assert driver.join(seconds)
        self.sent += count
        self.mails += count
        return (
            len(self.ledger.ok) == self.sent
            and self.stack.wait_until(lambda: self.stack.sink.count == self.mails, seconds)
            and self.stack.wait_idle(seconds)
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all of these tests: each leaves it healthy."""
    with Stack(tmp_path_factory.mktemp("stack"), seed=1, spoilt=["postgres", "redis", "smtp"]) as stack:
        yield stack


@pytest.fixture(scope="module")
def traffic(stack: Stack) -> Traffic:
    """What passes through it."""
    return Traffic(stack)


@pytest.fixture(autouse=True)
def nothing_is_violated(stack: Stack, traffic: Traffic) -> Iterator[None]:
    """Whatever a test did, conservation holds after it."""
    yield
    assert Auditor(stack, traffic.ledger).final() == []


def test_a_delivery_becomes_a_mail(stack: Stack, traffic: Traffic) -> None:
    assert traffic.goes_through()
    assert stack.one("select count(*) from checkouts where shop_id = %s", stack.shops[0].id) == traffic.sent
    assert all(role.is_alive for role in stack.roles)


@pytest.mark.parametrize("kind", ["web", "worker", "scheduler"])
def test_each_role_survives_kill_and_start(stack: Stack, traffic: Traffic, kind: str) -> None:
    (role,) = getattr(stack, kind)
    old, port = role.pid, role.port
    assert role.kill()
    assert not role.is_alive
    assert not role.kill(), "nobody is killed twice"
    role.start()
    assert role.wait_ready()
    assert (role.pid != old, role.port) == (True, port)
    assert traffic.goes_through()


def test_a_frozen_worker_does_nothing_and_then_goes_on(stack: Stack, traffic: Traffic) -> None:
    (worker,) = stack.worker
    worker.freeze()
    assert not traffic.goes_through(seconds=2.0)
    worker.thaw()
    assert stack.wait_idle(30)
    assert traffic.goes_through()


def test_a_worker_whose_clock_is_wrong_starts_and_works(stack: Stack, traffic: Traffic) -> None:
    (worker,) = stack.worker
    worker.kill()
    worker.start(skew_seconds=-3600)
    assert worker.wait_ready()
    assert traffic.goes_through()
    worker.kill()
    worker.start()
    assert worker.wait_ready()


def test_sigterm_ends_a_role_in_time(stack: Stack) -> None:
    for role in stack.roles:
        assert role.terminate(30) < 30
        assert role.exit_code == 0
        role.start()
    stack.wait_ready()


def test_postgres_stops_at_once_and_recovers_all_that_was_acknowledged(stack: Stack, traffic: Traffic) -> None:
    stack.postgres.stop_immediately()
    try:
        assert not stack.postgres.is_running
        with pytest.raises(psycopg.OperationalError):
            stack.connect()
        assert stack.wait_until(lambda: stack.web[0].get("/readyz") == 503, 10)
    finally:
        stack.postgres.start()
    assert stack.postgres.terminate_backends() >= 0
    assert traffic.goes_through()


def test_redis_may_forget_everything_and_go_away(stack: Stack, traffic: Traffic) -> None:
    stack.redis.flush()
    assert traffic.goes_through()
    assert stack.redis.client_kill() > 0
    stack.redis.stop()
    with pytest.raises(redis.ConnectionError), stack.redis.client() as client:
        client.ping()
    stack.redis.start()
    assert traffic.goes_through()


def test_the_roles_talk_through_the_proxies(stack: Stack, traffic: Traffic) -> None:
    proxies = stack.proxies
    before = proxies.faults
    assert proxies.postgres.cut() > 0
    proxies.smtp.refuse()
    proxies.redis.cut()
    assert proxies.faults > before
    proxies.heal()
    assert traffic.goes_through()


def test_the_clock_can_be_stepped(stack: Stack) -> None:
    before = stack.now()
    stack.step_clock(timedelta(hours=1))
    assert stack.now() - before >= timedelta(hours=1)


def test_poison_is_quarantined_until_the_antidote_and_a_replay(stack: Stack, traffic: Traffic) -> None:
    stack.poison()
    driver = Driver(stack.live_ports, lambda number: poison_post(stack.shops[0], number), 10, 1, ledger=traffic.ledger).start()
    assert driver.join(10)
    reason = "select reason from deliveries where state = 'quarantined'"
    assert stack.wait_until(lambda: stack.one(reason) == "cannot_be_applied", 30)

    stack.antidote()
    with stack.services().db.system_transaction("replay what was poison") as session:
        deliveries.replay(session, deliveries.ids_in_state(session, stack.shops[0].id, "quarantined"))
    assert stack.wait_idle(30)
    assert stack.one("select count(*) from checkouts where platform_id = 'poison-0'") == 1
    traffic.sent = len(traffic.ledger.ok)


def test_nothing_is_left_when_a_stack_ends_although_things_are_frozen_or_dead(tmp_path: Path) -> None:
    with Stack(tmp_path, seed=2, shops=2) as stack:
        assert len(stack.shops) == 2
        pids = [stack.postgres.pid, stack.redis.pid, *(role.pid for role in stack.roles)]
        home = stack.postgres.data.parent
        stack.worker[0].freeze()
        stack.scheduler[0].kill()
        stack.redis.stop()
    assert not home.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
