"""The doorbell, in memory and on a real Redis server: a ring becomes work, and losing rings loses no work."""

import socket
import threading
import time
from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from pydantic import SecretStr
from structlog.testing import capture_logs

from connector.config import Settings
from connector.store.db import Wake
from sync import actors
from sync.broker import MARK_SECONDS, MARKS, NAMESPACE, Bell, make_broker
from sync.jobs import QUEUE_OF, Job
from sync.services import Services
from tests.sync.bodies import shopify_checkout
from tests.sync.working import PATIENCE, wait_until, working
from tests.sync.world import Arrival, World, keep
from tests.valkey import free_port


@pytest.fixture
def bell(services: Services, sandbox_settings: Settings) -> Iterator[Bell]:
    """A bell of this process."""
    broker = make_broker(sandbox_settings)
    yield Bell(broker, services)
    broker.close()


def test_every_job_has_work_and_a_queue(services: Services, sandbox_settings: Settings) -> None:
    assert set(actors.WORK) == set(QUEUE_OF) == set(Job)


def test_a_ring_becomes_work(world: World, bell: Bell) -> None:
    world.db.on_wake(bell.ring)
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start))])
    with working(bell):
        bell.ring(Wake(Job.APPLY.value, world.shop.id))
        wait_until(lambda: len(world.rows("select * from checkouts")) == 1)
        wait_until(bell.is_silent)

    assert [row["platform_id"] for row in world.rows("select * from checkouts")] == ["tok-1"]


def test_rings_for_the_same_work_are_one_until_it_is_answered(bell: Bell, told: list[int], services: Services) -> None:
    fresh = Bell(make_broker(services.settings), services)
    for _ in range(5):
        fresh.ring(Wake(Job.APPLY.value, 1))
        fresh.ring(Wake(Job.APPLY.value, 2))
    assert not fresh.is_silent()
    with working(fresh):
        wait_until(lambda: len(told) >= 2)
        wait_until(fresh.is_silent)

    assert sorted(told) == [1, 2]


def test_a_ring_during_the_work_is_answered_afterwards(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    started, go_on, times = threading.Event(), threading.Event(), []

    def work(services: Services, shop: int) -> None:
        times.append(shop)
        started.set()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(actors, "WORK", dict.fromkeys(Job, work))
    bell = Bell(make_broker(services.settings), services)
    with working(bell, threads=1):
        bell.ring(Wake(Job.APPLY.value, 7))
        assert started.wait(PATIENCE)
        bell.ring(Wake(Job.APPLY.value, 7))
        go_on.set()
        wait_until(lambda: times == [7, 7])


def test_work_that_hangs_holds_up_no_work_of_another_kind(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    hanging, go_on, done = threading.Semaphore(0), threading.Event(), []

    def hang(services: Services, shop: int) -> None:
        hanging.release()
        assert go_on.wait(PATIENCE)

    monkeypatch.setattr(actors, "WORK", dict.fromkeys(Job, hang) | {Job.APPLY: lambda services, shop: done.append(shop)})
    bell = Bell(make_broker(services.settings), services)
    with working(bell, threads=2):
        for shop in range(4):
            bell.ring(Wake(Job.SEND.value, shop))
            bell.ring(Wake(Job.PRODUCTS.value, shop))
        for _ in range(4):
            assert hanging.acquire(timeout=PATIENCE)
        bell.ring(Wake(Job.APPLY.value, 9))
        wait_until(lambda: done == [9])
        go_on.set()


def test_a_job_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    ended: list[int] = []

    def never_end(services: Services, shop: int) -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.append(shop)

    monkeypatch.setattr(actors, "WORK", dict.fromkeys(Job, never_end))
    monkeypatch.setattr(actors, "TIME_LIMIT_MS", 200)
    bell = Bell(make_broker(services.settings), services)
    with working(bell, threads=1), capture_logs() as said:
        bell.ring(Wake(Job.APPLY.value, 5))
        wait_until(lambda: ended == [5])
        wait_until(lambda: "job.failed" in {entry["event"] for entry in said})

    assert [entry["error"] for entry in said if entry["event"] == "job.failed"] == ["TimeLimitExceeded"]


def test_a_failing_job_stops_nothing_and_leaves_no_dead_letter(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    done: list[int] = []

    def work(services: Services, shop: int) -> None:
        if shop == 1:
            raise RuntimeError("no")
        done.append(shop)

    monkeypatch.setattr(actors, "WORK", dict.fromkeys(Job, work))
    broker = make_broker(services.settings)
    bell = Bell(broker, services)
    with working(bell):
        for shop in (1, 2):
            bell.ring(Wake(Job.SEND.value, shop))
        wait_until(lambda: done == [2])
        wait_until(bell.is_silent)

    assert isinstance(broker, StubBroker)
    assert broker.dead_letters == []


def test_a_bell_out_of_order_raises_nothing_and_rings_again_later(bell: Bell, services: Services) -> None:
    broker = make_broker(services.settings)
    broken = Bell(broker, services)

    def refuse(message: dramatiq.Message[None], *, delay: int | None = None) -> dramatiq.Message[None]:
        raise ConnectionError

    broker.enqueue = refuse  # type: ignore[method-assign]
    broken.ring(Wake(Job.APPLY.value, 1))
    assert broken.is_silent()
    broken.ring(Wake("unheard of", 1))
    assert broken.is_silent()


def test_without_redis_a_ring_raises_nothing(services: Services, sandbox_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = sandbox_settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    bell = Bell(make_broker(settings), services)

    with capture_logs() as said:
        bell.clear(Wake(Job.APPLY.value, 1))
        monkeypatch.setattr("sync.broker.PAUSE_SECONDS", 60.0)
        bell._paused_until = 0.0
        bell.ring(Wake(Job.APPLY.value, 1))
        for _ in range(100):
            bell.ring(Wake(Job.APPLY.value, 2))
            bell.clear(Wake(Job.APPLY.value, 2))

    assert [entry["event"] for entry in said] == ["bell.mark_stays", "bell.out_of_order"], "nobody waits for it a second time"
    assert not bell.is_in_order()


def test_workers_that_cannot_hear_the_bell_look_for_work_themselves(world: World, sandbox_settings: Settings) -> None:
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start))])
    settings = sandbox_settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    broker = make_broker(settings)
    with working(Bell(broker, world.services)):
        wait_until(lambda: len(world.rows("select * from checkouts")) == 1)
    broker.close()

    assert [row["platform_id"] for row in world.rows("select platform_id from checkouts")] == ["tok-1"]


def test_workers_that_hear_the_bell_wait_for_it(world: World, redis_broker: RedisBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.lookout.LOOK_SECONDS", 0.01)
    bell = Bell(redis_broker, world.services)
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start))])
    with working(bell):
        time.sleep(0.5)
        assert bell.is_in_order()
        assert world.rows("select * from checkouts") == []


def test_on_redis_a_ring_reaches_a_worker(world: World, redis_broker: RedisBroker) -> None:
    bell = Bell(redis_broker, world.services)
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start))])
    bell.ring(Wake(Job.APPLY.value, world.shop.id))
    assert not bell.is_silent()
    with working(bell):
        wait_until(lambda: len(world.rows("select * from checkouts")) == 1)
        wait_until(bell.is_silent)


def test_on_redis_the_rings_of_two_processes_are_one_until_answered(
    redis_broker: RedisBroker, services: Services, told: list[int], sandbox_settings: Settings, redis_url: str
) -> None:
    other_broker = make_broker(sandbox_settings.model_copy(update={"redis_url": SecretStr(redis_url)}))
    one, other = Bell(redis_broker, services), Bell(other_broker, services)
    for _ in range(3):
        one.ring(Wake(Job.APPLY.value, 1))
        other.ring(Wake(Job.APPLY.value, 1))
    assert 0 < redis_broker.client.ttl(f"{MARKS}:{Job.APPLY.value}:1") <= MARK_SECONDS <= 5, "or work in flight on a killed worker waits"
    with working(other):
        wait_until(one.is_silent)
        one.ring(Wake(Job.APPLY.value, 1))
        wait_until(lambda: told == [1, 1])
    other_broker.close()


def test_a_flushed_redis_costs_rings_but_rings_go_on(redis_broker: RedisBroker, services: Services, told: list[int]) -> None:
    bell = Bell(redis_broker, services)
    bell.ring(Wake(Job.APPLY.value, 1))
    redis_broker.client.flushall()
    bell.ring(Wake(Job.APPLY.value, 1))
    with working(bell):
        wait_until(lambda: told == [1])

    assert told == [1]


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_wake_from_a_process_whose_clock_is_wrong_is_answered(
    redis_broker: RedisBroker, services: Services, told: list[int], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    bell = Bell(redis_broker, services)
    right = time.time
    with monkeypatch.context() as wrong:
        wrong.setattr("dramatiq.message.time.time", lambda: right() + hours * 3600)
        bell.ring(Wake(Job.APPLY.value, 1))
    with working(bell):
        wait_until(lambda: told == [1])

    assert told == [1]


def test_wakes_that_nobody_answers_do_not_pile_up(redis_broker: RedisBroker, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.broker.MOST_WAITING", 3)
    bell = Bell(redis_broker, services)
    for shop in range(10):
        bell.ring(Wake(Job.APPLY.value, shop))
    bell.ring(Wake(Job.SEND.value, 1))

    assert redis_broker.client.llen(f"{NAMESPACE}:{QUEUE_OF[Job.APPLY].value}") == 3
    assert redis_broker.client.llen(f"{NAMESPACE}:{QUEUE_OF[Job.SEND].value}") == 1


def test_a_workforce_starts_without_a_warning_and_has_each_middleware_once(
    told: list[int], caplog: pytest.LogCaptureFixture, sandbox_settings: Settings, services: Services
) -> None:
    broker = make_broker(sandbox_settings)
    bell = Bell(broker, services)
    with caplog.at_level("WARNING"), working(bell):
        kinds = [type(one) for one in broker.middleware]
        assert len(set(kinds)) == len(kinds) >= 5
        for job in Job:
            bell.ring(Wake(job.value, 3))
        wait_until(lambda: told == [3] * len(Job))
    assert [record.getMessage() for record in caplog.records] == []


def test_wakes_that_wait_in_a_worker_go_back_when_it_leaves(
    redis_broker: RedisBroker, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on, done = threading.Event(), threading.Event(), []

    def work(services: Services, shop: int) -> None:
        started.set()
        assert go_on.wait(PATIENCE)
        done.append(shop)

    monkeypatch.setattr(actors, "WORK", dict.fromkeys(Job, work))
    bell, queue = Bell(redis_broker, services), f"{NAMESPACE}:{QUEUE_OF[Job.APPLY].value}"
    with working(bell, threads=1):
        bell.ring(Wake(Job.APPLY.value, 0))
        assert started.wait(PATIENCE)
        bell.ring(Wake(Job.APPLY.value, 1))
        wait_until(lambda: redis_broker.client.llen(queue) == 0)
        threading.Timer(0.5, go_on.set).start()

    assert done == [0]
    assert redis_broker.client.llen(queue) == 1


def test_a_redis_that_takes_everything_and_answers_nothing_holds_nobody_up(
    services: Services, sandbox_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.broker.ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        broker = make_broker(sandbox_settings.model_copy(update={"redis_url": SecretStr(url)}))
        began = time.monotonic()
        Bell(broker, services).ring(Wake(Job.APPLY.value, 1))
        assert time.monotonic() - began < 2.0
        broker.close()
