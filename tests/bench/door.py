"""
The door: how many signed webhooks a second are kept for good and answered by one process, beside its ceilings and its peers.

Every contestant gets the same load in interleaved rounds. A contestant that is not installed here is left out, and that is said.
"""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from tests.bench import node, processes
from tests.bench.ground import Ground
from tests.bench.load import Round, run_wrk, write_script
from tests.bench.report import Check, Figure, Findings, span

CONNECTIONS = 64
ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 3.0, 2.0
CEILING, SIGNED, FASTAPI, SESSION, DOOR = "bare ASGI", "bare ASGI + HMAC", "FastAPI, nothing done", "FastAPI + SQLModel session", "our door"
EXPRESS = "Express + Shopify's library + BullMQ"
CONTESTANTS = {CEILING: "bare", SIGNED: "signed", FASTAPI: "idle_fastapi", SESSION: "session_per_request"}
STORING = (SESSION, DOOR)
TARGETS = {SIGNED: 0.35, SESSION: 12.0, FASTAPI: 1.0, EXPRESS: 6.0}
MOST_P99_MS = 40.0


@dataclass
class Result:
    """The rounds of one contestant."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Acknowledged requests a second, round by round."""
        return [one.rate for one in self.rounds]

    @property
    def rate(self) -> float:
        """Their median."""
        return median(self.rates)

    def p50(self) -> float:
        """Median of the rounds' median latencies, ms."""
        return median(one.p50 for one in self.rounds)

    def p99(self) -> float:
        """Median of the rounds' 99th percentiles, ms."""
        return median(one.p99 for one in self.rounds)


def measure(ground: Ground, rounds: int | None) -> Findings:
    """Run all rounds."""
    ground.empty()
    with ExitStack() as stack:
        ports = {name: stack.enter_context(processes.contestant(ground, factory)) for name, factory in CONTESTANTS.items()}
        ports[DOOR] = stack.enter_context(processes.web(ground))
        missing = None
        try:
            ports[EXPRESS] = stack.enter_context(node.serve(ground))
        except node.Skipped as reason:
            missing = str(reason)
        results = {name: Result() for name in ports}
        lost = 0
        for number in range((rounds or ROUNDS) + 1):
            for name, port in ports.items():
                measured = _round(ground, port, SECONDS if number else WARM_UP_SECONDS)
                lost += _lost(ground, measured) if name in STORING else 0
                if number:
                    results[name].rounds.append(measured)
            ground.empty()
    return _findings(results, ground.durability(), lost, missing)


def _round(ground: Ground, port: int, seconds: float) -> Round:
    script = ground.scratch / "door.lua"
    write_script(script, ground.secret, secrets.token_hex(8))
    measured = run_wrk(script, port, CONNECTIONS, seconds)
    if measured.refused or measured.broken:
        raise RuntimeError(f"{measured.refused} requests refused, {measured.broken} broken: this measures nothing")
    return measured


def _lost(ground: Ground, measured: Round) -> int:
    """Acknowledged deliveries that are not in both tables. Empties them, so that no round pays for the one before."""
    row = ground.connection.execute("select (select count(*) from deliveries), (select count(*) from delivery_bodies)").fetchone()
    assert row is not None
    ground.connection.execute("truncate deliveries, delivery_bodies cascade")
    ground.connection.execute("checkpoint")
    return sum(max(0, measured.acknowledged - int(kept)) for kept in row)


def _findings(results: Mapping[str, Result], durability: Mapping[str, str], lost: int, missing: str | None) -> Findings:
    found = Findings(f"The door: signed webhooks of one body, {CONNECTIONS} connections, one process each")
    found.table.append(f"{'':38}{'req/s':>9}{'min–max':>17}{'p50 ms':>9}{'p99 ms':>9}{'of bare':>9}{'of HMAC':>9}")
    for name, result in results.items():
        ratios = "".join(f"{result.rate / results[ceiling].rate:9.3f}" for ceiling in (CEILING, SIGNED))
        found.table.append(f"{name:38}{result.rate:9,.0f}{span(result.rates):>17}{result.p50():9.2f}{result.p99():9.2f}{ratios}")
    found.rates({name: result.rates for name, result in results.items()}, "requests/s", "webhooks")
    door = results[DOOR]
    found.figures.append(Figure("webhooks: p99 of our door", round(door.p99(), 2), "ms"))
    found.notes.append(", ".join(f"{name} = {value}" for name, value in durability.items()) + f"; acknowledged and not stored: {lost}")
    for name, least in TARGETS.items():
        if name in results:
            found.at_least(door.rate / results[name].rate, name, least)
    if missing is not None:
        found.notes.append(f"skipped: {missing}. So nothing is said here of {TARGETS[EXPRESS]:g} × {EXPRESS}.")
    found.at_most(door.p99(), "ms", f"p99 at {CONNECTIONS} connections", MOST_P99_MS)
    found.checks.append(Check("the database flushes to disk before it answers", set(durability.values()) == {"on"}))
    found.checks.append(Check("nothing acknowledged is missing", lost == 0))
    return found
