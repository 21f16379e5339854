"""
`python -m tests.bench`: interleaved rounds of every contestant against one load, a table, and the ratios that must hold.

Absolute figures depend on the machine, ratios of interleaved rounds much less. Ends with 1 if a target is missed, a delivery
was acknowledged that is not in the database, or the database does not flush to disk before it answers.
"""

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg

from connector.store import embedded, migrate
from tests.bench.load import SHOP, Round, run_wrk, write_script

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 64
CEILING, SIGNED, FASTAPI, SESSION, DOOR = "bare ASGI", "bare ASGI + HMAC", "FastAPI, nothing done", "FastAPI + SQLModel session", "our door"
CONTESTANTS = {CEILING: "bare", SIGNED: "signed", FASTAPI: "idle_fastapi", SESSION: "session_per_request", DOOR: "door"}
STORING = (SESSION, DOOR)
TARGETS = {SIGNED: 0.35, SESSION: 12.0, FASTAPI: 1.0}
MOST_P99_MS = 40.0


@dataclass
class Result:
    """The rounds of one contestant."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of acknowledged requests a second."""
        return median(one.rate for one in self.rounds)

    def span(self) -> str:
        """Slowest and fastest round."""
        rates = [one.rate for one in self.rounds]
        return f"{min(rates):,.0f}–{max(rates):,.0f}"

    def p50(self) -> float:
        """Median of the rounds' median latencies, ms."""
        return median(one.p50 for one in self.rounds)

    def p99(self) -> float:
        """Median of the rounds' 99th percentiles, ms."""
        return median(one.p99 for one in self.rounds)


def main(arguments: list[str]) -> int:
    """Run everything; 0 if all targets hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds of load before the first round counts")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        directory = ROOT / "var" / "bench"
        server = stack.enter_context(embedded.start(directory))
        if not server.is_owner:
            print("another benchmark is running: two at once measure nothing")
            return 2
        url = stack.enter_context(_database(server))
        secret = secrets.token_hex(16)
        ports = {name: stack.enter_context(_server(factory, url, secret, directory)) for name, factory in CONTESTANTS.items()}
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        durability = _durability(connection)
        results = {name: Result() for name in CONTESTANTS}
        lost = 0
        for number in range(options.rounds + 1):
            for name, port in ports.items():
                seconds = options.seconds if number else options.warm_up
                measured = _round(directory / "load.lua", secret, port, seconds)
                lost += _lost(connection, measured) if name in STORING else 0
                if number:
                    results[name].rounds.append(measured)
    return _report(results, durability, lost)


@contextmanager
def _database(server: embedded.EmbeddedPostgres) -> Iterator[str]:
    """A fresh migrated database with one shop, dropped at the end; the server's own directory stays for the next time."""
    _drop(server)
    url = server.ensure_database("bench")
    migrate.upgrade(url)
    with psycopg.connect(url) as connection:
        connection.execute("insert into accounts (public_id, name, created_at) values ('acc_bench', 'Bench', now())")
        connection.execute(
            """
            insert into shops (public_id, account_id, platform, domain, shop_key, state, name, url, currency, timezone, taxes_included,
                threshold_minutes, activity_clock, installed_at, created_at)
            select 'shp_bench', id, 'shopify', %s, 'bench', 'connected', 'Bench', 'https://bench.example', 'EUR', 'UTC', true,
                60, 'activity', now(), now() from accounts
            """,
            [SHOP],
        )
    yield url
    _drop(server)


def _drop(server: embedded.EmbeddedPostgres) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("drop database if exists bench with (force)")


@contextmanager
def _server(factory: str, url: str, secret: str, directory: Path) -> Iterator[int]:
    """One uvicorn process; yields its port once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", f"tests.bench.contestants:{factory}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    environment = {**os.environ, "BENCH_SECRET": secret, "BENCH_DATABASE_URL": url, "BENCH_DATA_DIR": str(directory)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise RuntimeError(f"{factory} did not start")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _durability(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, str]:
    rows = connection.execute("select name, setting from pg_settings where name in ('fsync', 'synchronous_commit') order by name")
    return {str(name): str(setting) for name, setting in rows}


def _round(script: Path, secret: str, port: int, seconds: float) -> Round:
    write_script(script, secret, secrets.token_hex(8))
    measured = run_wrk(script, port, CONNECTIONS, seconds)
    if measured.refused or measured.broken:
        raise RuntimeError(f"{measured.refused} requests refused, {measured.broken} broken: this measures nothing")
    return measured


def _lost(connection: psycopg.Connection[tuple[object, ...]], measured: Round) -> int:
    """Acknowledged deliveries that are not in both tables. Empties them, so that no round pays for the one before."""
    row = connection.execute("select (select count(*) from deliveries), (select count(*) from delivery_bodies)").fetchone()
    assert row is not None
    connection.execute("truncate deliveries, delivery_bodies cascade")
    connection.execute("checkpoint")
    return sum(max(0, measured.acknowledged - int(str(kept))) for kept in row)


def _report(results: dict[str, Result], durability: dict[str, str], lost: int) -> int:
    print(f"{'':28}{'req/s':>9}{'min–max':>17}{'p50 ms':>9}{'p99 ms':>9}{'of bare':>9}{'of HMAC':>9}")
    for name, result in results.items():
        ratios = "".join(f"{result.rate / results[ceiling].rate:9.3f}" for ceiling in (CEILING, SIGNED))
        print(f"{name:28}{result.rate:9,.0f}{result.span():>17}{result.p50():9.2f}{result.p99():9.2f}{ratios}")
    print(", ".join(f"{name} = {value}" for name, value in durability.items()) + f"; acknowledged and not stored: {lost}")
    door = results[DOOR]
    checks = []
    for name, least in TARGETS.items():
        ratio = door.rate / results[name].rate
        checks.append((f"{ratio:.2f} × {name} (at least {least:g})", ratio >= least))
    checks.append((f"p99 {door.p99():.1f} ms at {CONNECTIONS} connections (below {MOST_P99_MS:g})", door.p99() < MOST_P99_MS))
    checks.append(("the database flushes to disk before it answers", set(durability.values()) == {"on"}))
    checks.append(("nothing acknowledged is missing", lost == 0))
    for text, holds in checks:
        print(f"{'holds ' if holds else 'MISSED'}  {text}")
    _write(results)
    return 0 if all(holds for _, holds in checks) else 1


def _write(results: dict[str, Result]) -> None:
    figures = [
        {
            "name": f"webhooks: {name}",
            "value": round(result.rate, 1),
            "unit": "requests/s",
            "ratio_to": {other: round(result.rate / results[other].rate, 3) for other in results if other != name},
        }
        for name, result in results.items()
    ]
    figures.append({"name": "webhooks: p99 of our door", "value": round(results[DOOR].p99(), 2), "unit": "ms", "ratio_to": {}})
    path = ROOT / "var" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
