"""
The worker: how many kept deliveries a second become canonical rows, beside dramatiq with a message and a session per delivery.

A backlog lies in the inbox, then each shop is rung once; the clock runs until the last delivery is marked. The peer's messages
lie in the queue before it starts, and its clock starts once a tenth is done, so neither its start nor the sending
counts. Instants are those at which the transactions committed, as the server noted them.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from connector.store.db import Wake
from connector.web.composition import compose
from sync.jobs import Job
from tests.bench import bodies, processes
from tests.bench.ground import SHOPS, Ground
from tests.bench.report import Findings, span

ROUNDS = 3
DELIVERIES, PEER_DELIVERIES, WARM_UP_DELIVERIES = 5_000, 1_000, 200
MOST_SECONDS = 60.0
PEER_WARM_UP = 0.1
LEAST, AIM = 8.0, 15.0
OURS, OURS_MANY, OURS_TWO = "our worker, one shop", "our worker, four shops", "two of our workers, four shops"
PEER = f"dramatiq, {processes.SESSION_THREADS} threads, a session per delivery"


def measure(ground: Ground, rounds: int | None) -> Findings:
    """Interleaved rounds of all contestants."""
    ways: dict[str, Callable[[], float]] = {
        OURS: lambda: _ours(ground, shops=1, workers=1),
        PEER: lambda: _peer(ground),
        OURS_MANY: lambda: _ours(ground, shops=len(SHOPS), workers=1),
        OURS_TWO: lambda: _ours(ground, shops=len(SHOPS), workers=2),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds or ROUNDS):
        for name, way in ways.items():
            ground.empty()
            rates[name].append(way())
    ground.empty()
    return _findings(rates)


def _ours(ground: Ground, *, shops: int, workers: int) -> float:
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(processes.worker(ground))
        bell = stack.enter_context(compose(ground.settings)).bell

        def ring_and_wait(shop_ids: Sequence[int]) -> float:
            begun = time.time()
            for shop_id in shop_ids:
                bell.ring(Wake(Job.APPLY.value, shop_id))
            if not processes.wait_until(ground.is_idle, MOST_SECONDS, every=0.05):
                raise RuntimeError(f"{ground.pending()} deliveries still wait after {MOST_SECONDS:g} s; {ground.last_words()}")
            return begun

        ground.keep(_backlog(WARM_UP_DELIVERIES, shops, seed=2))
        ring_and_wait(ground.shop_ids[:shops])
        processes.wait_until(bell.is_silent, MOST_SECONDS)
        ground.empty_rows()
        backlog = _backlog(DELIVERIES, shops, seed=1)
        ground.keep(backlog)
        ground.connection.execute("checkpoint")
        begun = ring_and_wait(ground.shop_ids[:shops])
        _check(ground, backlog)
        return len(backlog) / (_marked_at(ground)[-1] - begun)


def _peer(ground: Ground) -> float:
    backlog = _backlog(PEER_DELIVERIES, 1, seed=1)
    ground.keep(backlog)
    _send(ground)
    ground.connection.execute("checkpoint")
    with processes.session_worker(ground):
        if not processes.wait_until(ground.is_idle, MOST_SECONDS, every=0.05):
            raise RuntimeError(f"the peer left {ground.pending()} deliveries after {MOST_SECONDS:g} s; {ground.last_words()}")
    _check(ground, backlog)
    return steady_rate(_marked_at(ground), PEER_WARM_UP)


def steady_rate(instants: Sequence[float], warm_up: float) -> float:
    """How many a second after the first share of them; `instants` ascend."""
    begin = int(len(instants) * warm_up)
    return (len(instants) - 1 - begin) / (instants[-1] - instants[begin])


def _backlog(count: int, shops: int, *, seed: int) -> list[bodies.Post]:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    return list(islice(bodies.posts(count, shops, since, seed=seed), count))


def _check(ground: Ground, backlog: Sequence[bodies.Post]) -> None:
    ground.check_applied(bodies.expected((post.number, post.version) for post in backlog))


def _send(ground: Ground) -> None:
    """One message per delivery, in the order of arrival."""
    broker = RedisBroker(url=ground.redis_url)  # type: ignore[no-untyped-call]
    broker.declare_queue("default")
    for (number,) in ground.connection.execute("select id from deliveries order by id"):
        broker.enqueue(dramatiq.Message[None](queue_name="default", actor_name="apply_delivery", args=(number,), kwargs={}, options={}))
    broker.close()


def _marked_at(ground: Ground) -> list[float]:
    """The instants at which deliveries were marked, ascending, seconds of the epoch."""
    query = "select extract(epoch from pg_xact_commit_timestamp(xmin))::float8 from deliveries where state <> 'pending' order by 1"
    return [float(at) for (at,) in ground.connection.execute(query)]


def _findings(rates: dict[str, list[float]]) -> Findings:
    found = Findings(f"The worker: a backlog of {DELIVERIES:,} deliveries (the peer's {PEER_DELIVERIES:,})")
    found.table.append(bodies.MIX)
    found.rates(rates, "deliveries/s", "apply")
    value = {figure.name.removeprefix("apply: "): figure.value for figure in found.figures}
    found.table.append(f"{'':46}{'a second':>9}{'min–max':>15}{'× peer':>9}")
    for name, rounds in rates.items():
        found.table.append(f"{name:46}{value[name]:9,.0f}{span(rounds):>15}{value[name] / value[PEER]:9.2f}")
    found.at_least(value[OURS] / value[PEER], PEER, LEAST, AIM)
    return found
