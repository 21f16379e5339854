"""
The whole way, from POST to canonical row: door, broker and workers as processes of their own on one machine.

Each round measures the door's own rate with nobody applying, then the same load with one worker, then random arrivals at
1,000 a second, then two web processes and two workers. Every body is another one (`pool`), nothing runs that would find lost
wakes, and each starts with empty tables and with workers that have worked once.

Rates count what was applied before the load ended; what still waited then does not count. The lag is the time between the commit
that kept a delivery, which comes before its answer, and the commit that applied it, both as the server noted them
(`track_commit_timestamp`): every delivery is measured, and nothing polls beside the load.
"""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median

from connector.store.db import Wake
from connector.web.composition import compose
from sync.jobs import Job
from tests.bench import bodies, processes
from tests.bench.ground import SHOPS, Ground
from tests.bench.load import Round, run_wrk
from tests.bench.paced import arrivals, send_paced
from tests.bench.passage import Load, Passage, read_passage
from tests.bench.pool import START, read_pool, write_pool, write_pool_script
from tests.bench.report import Check, Figure, Findings, percentile, span

ROUNDS = 3
CONNECTIONS, SECONDS, DRAIN_SECONDS = 64, 4.0, 6.0
POOL = 50_000
PACED_RATE, PACED_SECONDS = 1_000.0, 4.0
LEAST_SHARE, MOST_LAG_MS, MOST_PACED_LAG_MS = 0.6, 250.0, 50.0
WARM_UP_DELIVERIES, WARM_UP_SECONDS = 200, 30.0
ALONE, ONE, TWO = "the door, nobody applies", "one web, one worker", "two web, two workers"
PACED = f"one web, one worker, {PACED_RATE:,.0f}/s open loop"


class Course:
    """The pool of requests, and the ways it is sent through fresh processes."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._pool = ground.scratch / "pool"
        posts = islice(bodies.posts(POOL, len(SHOPS), _since()), POOL)
        self._sent = write_pool(self._pool, ground.secret, posts, SHOPS)
        self._requests = [START.encode(), *islice(read_pool(self._pool), round(PACED_RATE * PACED_SECONDS * 2))]

    def alone(self) -> Load:
        """The door without workers, but with the doorbell that it rings."""
        self._ground.empty()
        with processes.web(self._ground) as port:
            return self._saturate([port])

    def pass_through(self, *, processes_each: int, paced: bool = False) -> Passage:
        """Load the door while the workers apply; what waits some seconds after the end is left undone."""
        self._ground.empty()
        with ExitStack() as stack:
            ports = [stack.enter_context(processes.web(self._ground)) for _ in range(processes_each)]
            for _ in range(processes_each):
                stack.enter_context(processes.worker(self._ground))
            self._warm_up()
            load = self._pace(ports[0]) if paced else self._saturate(ports)
            processes.wait_until(self._ground.is_idle, DRAIN_SECONDS, every=0.1)
            passage = read_passage(self._ground.connection, load)
        self._check(passage)
        return passage

    def _warm_up(self) -> None:
        """Let every worker process have applied something, then forget it."""
        ground = self._ground
        with compose(ground.settings) as composition:
            ground.keep(list(islice(bodies.posts(WARM_UP_DELIVERIES, len(SHOPS), _since(), seed=2), WARM_UP_DELIVERIES)))
            for shop_id in ground.shop_ids:
                composition.bell.ring(Wake(Job.APPLY.value, shop_id))
            if not processes.wait_until(lambda: ground.is_idle() and composition.bell.is_silent(), WARM_UP_SECONDS):
                raise RuntimeError("the workers do not answer the bell")
        ground.empty_rows()

    def _saturate(self, ports: Sequence[int]) -> Load:
        """wrk on each port, each with its share of connections and of the pool."""

        def load(place: int) -> Round:
            script = self._ground.scratch / f"flow-{place}.lua"
            write_pool_script(script, self._pool, secrets.token_hex(8), first=place + 1, step=len(ports))
            return run_wrk(script, ports[place], CONNECTIONS // len(ports), SECONDS)

        with ThreadPoolExecutor(len(ports)) as threads:
            rounds = list(threads.map(load, range(len(ports))))
        if any(one.refused or one.broken for one in rounds):
            raise RuntimeError("requests were refused or connections broke: this measures nothing")
        return Load(
            acknowledged=sum(one.acknowledged for one in rounds),
            checkouts=len(
                {number for place, one in enumerate(rounds) for number, _ in self._sent[place :: len(ports)][: one.acknowledged]}
            ),
            seconds=max(one.seconds for one in rounds),
            answer_p99=max(one.p99 for one in rounds),
        )

    def _pace(self, port: int) -> Load:
        start, *rests = self._requests
        due = arrivals(PACED_RATE, PACED_SECONDS, seed=1)
        mark = secrets.token_hex(8).encode()
        requests = [b"%b%b-%d%b" % (start, mark, number, rests[number]) for number in range(len(due))]
        latencies = send_paced(port, requests, due)
        checkouts = len({number for number, _ in self._sent[: len(due)]})
        return Load(len(latencies), checkouts, PACED_SECONDS, percentile(latencies, 0.99))

    def _check(self, passage: Passage) -> None:
        """What was applied must be there: as many checkouts as were begun, but for requests cut off at the end."""
        query = "select (select count(*) from deliveries where state not in ('applied', 'pending')), (select count(*) from checkouts)"
        refused, checkouts = self._ground.connection.execute(query.encode()).fetchone() or (0, 0)
        begun = passage.load.checkouts
        if refused or (passage.left == 0 and abs(checkouts - begun) > CONNECTIONS):
            raise RuntimeError(f"{refused} deliveries were not applied, {checkouts} checkouts came of {begun}: this measures nothing")


def measure(ground: Ground, rounds: int | None) -> Findings:
    """Interleaved rounds of all four."""
    course = Course(ground)
    alone: list[Load] = []
    passages: dict[str, list[Passage]] = {ONE: [], PACED: [], TWO: []}
    for _ in range(rounds or ROUNDS):
        alone.append(course.alone())
        passages[ONE].append(course.pass_through(processes_each=1))
        passages[PACED].append(course.pass_through(processes_each=1, paced=True))
        passages[TWO].append(course.pass_through(processes_each=2))
    ground.empty()
    return _findings(alone, passages)


def _since() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def _findings(alone: Sequence[Load], passages: dict[str, list[Passage]]) -> Findings:
    found = Findings(f"From POST to canonical row: {CONNECTIONS} connections, {len(SHOPS)} shops, a pool of {POOL:,} bodies")
    found.table.append(bodies.MIX)
    rates = {ALONE: [load.rate for load in alone], **{name: [one.rate for one in some] for name, some in passages.items()}}
    found.rates(rates, "deliveries/s", "flow")
    found.table.append(
        f"{'':38}{'acked/s':>9}{'applied/s':>11}{'min–max':>15}{'waiting':>9}{'left':>7}{'answer p99':>12}{'lag p50':>9}{'lag p99':>10}"
    )
    answers = median(load.answer_p99 for load in alone)
    found.table.append(f"{ALONE:38}{median(rates[ALONE]):9,.0f}{'':11}{span(rates[ALONE]):>15}{'':16}{answers:12.1f}")
    for name, some in passages.items():
        acked, answer = median(one.load.rate for one in some), median(one.load.answer_p99 for one in some)
        waiting, left = median(one.backlog for one in some), median(one.left for one in some)
        p50, p99 = median(one.lag_p50 for one in some), median(one.lag_p99 for one in some)
        found.table.append(
            f"{name:38}{acked:9,.0f}{median(rates[name]):11,.0f}{span(rates[name]):>15}{waiting:9,.0f}{left:7,.0f}"
            f"{answer:12.1f}{p50:9,.1f}{p99:10,.1f}"
        )
        found.figures.append(Figure(f"flow: lag p99, {name}", round(p99, 1), "ms"))
    if max(load.acknowledged for load in alone) > POOL:
        found.notes.append("the door was faster than the pool is large: some bodies were sent twice")
    share = median(one.rate / load.rate for one, load in zip(passages[ONE], alone, strict=True))
    found.at_least(share, "the door's own rate, from POST to canonical row", LEAST_SHARE)
    for name, most in ((ONE, MOST_LAG_MS), (PACED, MOST_PACED_LAG_MS)):
        found.at_most(median(one.lag_p99 for one in passages[name]), "ms", f"lag p99, {name}", most)
    found.checks.append(Check(f"all of {PACED_RATE:,.0f}/s became canonical rows", not any(one.left for one in passages[PACED])))
    return found
