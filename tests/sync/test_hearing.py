"""Wakes are heard at once and not asked for; what is not heard is found by asking."""

import time

import pytest
from dramatiq.brokers.redis import RedisBroker

from connector.store.db import Wake
from sync.broker import NAMESPACE, Bell
from sync.hearing import CHANNEL, Hearing
from sync.jobs import QUEUE_OF, Job
from sync.services import Services
from tests.sync.working import wait_until, working

WAKE = Wake(Job.APPLY.value, 1)
QUEUE = QUEUE_OF[Job.APPLY].value


def listeners(redis_broker: RedisBroker) -> int:
    """How many processes hear the channel."""
    return int(redis_broker.client.pubsub_numsub(CHANNEL)[0][1])


def test_an_idle_worker_hears_a_ring_although_it_hardly_ever_asks(
    redis_broker: RedisBroker, services: Services, told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.hearing.HEARING_SECONDS", 3600.0)
    bell = Bell(redis_broker, services)
    with working(bell):
        wait_until(lambda: listeners(redis_broker) == 1)
        time.sleep(0.5)  # the consumers' first questions are over
        before = redis_broker.client.info("commandstats")["cmdstat_evalsha"]["calls"]
        time.sleep(0.5)
        assert redis_broker.client.info("commandstats")["cmdstat_evalsha"]["calls"] == before, "nobody asks"
        for _ in range(3):
            bell.ring(WAKE)
            wait_until(bell.is_silent)
        wait_until(lambda: told == [1, 1, 1])


def test_what_was_not_said_on_the_channel_is_found_by_asking(redis_broker: RedisBroker, services: Services, told: list[int]) -> None:
    bell = Bell(redis_broker, services)
    with working(bell):
        wait_until(lambda: listeners(redis_broker) == 1)
        redis_broker.client.client_kill_filter(_type="pubsub")
        bell._actors[Job.APPLY].send(1)  # as a dead worker's wake comes back
        wait_until(lambda: told == [1])
        wait_until(lambda: listeners(redis_broker) == 1)
        bell.ring(WAKE)
        wait_until(lambda: len(told) == 2)
    assert told == [1, 1]


def test_more_wakes_than_a_worker_takes_at_once_are_all_answered(redis_broker: RedisBroker, services: Services, told: list[int]) -> None:
    bell = Bell(redis_broker, services)
    for shop in range(200):
        bell.ring(Wake(Job.APPLY.value, shop))
    with working(bell, threads=1):
        wait_until(lambda: len(told) == 200)
        wait_until(lambda: redis_broker.client.hlen(f"{NAMESPACE}:{QUEUE}.msgs") == 0)
    assert sorted(told) == list(range(200))


def test_nobody_waits_for_an_ear_that_is_closed(redis_broker: RedisBroker) -> None:
    hearing = Hearing(redis_broker.client, [QUEUE])
    hearing.start()
    hearing.stop()
    began = time.monotonic()
    hearing.wait(QUEUE, 3600.0)
    assert time.monotonic() - began < 5.0
