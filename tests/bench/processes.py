"""The processes that are measured: started as in production, ended by their own id."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import redis

from integrations.sandbox.tls import Certificates
from tests.bench.ground import ROOT, Ground
from tests.valkey import free_port

START_SECONDS = 30.0
STOP_SECONDS = 40.0
SESSION_THREADS = 8
OURS = (sys.executable, "-c", "from connector.cli import app; app()")


class NotStarted(Exception):
    """A process ended, or did not get ready in time."""


def wait_until(claim: Callable[[], bool], seconds: float, *, every: float = 0.02) -> bool:
    """Wait for `claim`; False if it did not come true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


@contextmanager
def contestant(ground: Ground, factory: str) -> Iterator[int]:
    """One uvicorn process with an application of `contestants`; yields its port once it listens."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"tests.bench.contestants:{factory}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    with _running(ground, command, _environment(ground), lambda: is_listening(port), factory):
        yield port


@contextmanager
def web(ground: Ground) -> Iterator[int]:
    """`connector web`: our door in front of all the pages; yields its port once it listens."""
    port = free_port()
    with _running(ground, [*OURS, "web"], _settings(ground) | {"PORT": str(port)}, lambda: is_listening(port), "the web"):
        yield port


@contextmanager
def worker(ground: Ground, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """`connector worker`, ready to answer the bell, with these settings beside the usual ones; yields its process id."""
    listeners = _listeners(ground)
    settings = {**_settings(ground), **(environment or {})}
    with _running(ground, [*OURS, "worker"], settings, lambda: _listeners(ground) > listeners, "the worker") as number:
        yield number


@contextmanager
def store(ground: Ground, factory: str, certificates: Certificates, environment: Mapping[str, str]) -> Iterator[int]:
    """A pretend store with TLS, an application of `sync_server`; yields its port once it listens."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", f"tests.bench.sync_server:{factory}", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command += ["--ssl-certfile", str(certificates.cert_pem), "--ssl-keyfile", str(certificates.key_pem)]
    with _running(ground, command, environment, lambda: is_listening(port), factory):
        yield port


@contextmanager
def session_worker(ground: Ground) -> Iterator[None]:
    """The peer: the dramatiq command with one process of SESSION_THREADS threads."""
    command = [sys.executable, "-m", "dramatiq", "tests.bench.session_worker:broker", "--processes", "1", "--threads", str(SESSION_THREADS)]
    listeners = _listeners(ground)
    with _running(ground, command, _environment(ground), lambda: _listeners(ground) > listeners, "the session worker"):
        yield


@contextmanager
def node(ground: Ground, script: Path) -> Iterator[int]:
    """A Node server that takes PORT; yields the port once it listens."""
    port = free_port()
    environment = _environment(ground) | {"PORT": str(port), "NODE_ENV": "production"}
    with _running(ground, ["node", str(script)], environment, lambda: is_listening(port), script.name):
        yield port


@contextmanager
def later(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Do something once, so many seconds after the block began; it has been done when the block is over."""
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def is_listening(port: int) -> bool:
    """True if somebody accepts connections on a loopback port."""
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _environment(ground: Ground) -> dict[str, str]:
    """What the peers need."""
    return {"BENCH_SECRET": ground.secret, "BENCH_DATABASE_URL": ground.url, "BENCH_REDIS_URL": ground.redis_url}


def _settings(ground: Ground) -> dict[str, str]:
    """What our own roles need; they end at once when told, since no load balancer has to notice."""
    return {
        "DATABASE_URL": ground.url,
        "REDIS_URL": ground.redis_url,
        "DATA_DIR": str(ground.directory),
        "SHOPIFY_CLIENT_ID": "bench",
        "SHOPIFY_CLIENT_SECRET": ground.secret,
        "DRAIN_SECONDS": "0",
    }


@contextmanager
def _running(
    ground: Ground, command: Sequence[str], environment: Mapping[str, str], is_ready: Callable[[], bool], name: str
) -> Iterator[int]:
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with ground.log.open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**base, **environment}, stdout=log, stderr=log)
    try:
        if not wait_until(lambda: process.poll() is not None or is_ready(), START_SECONDS) or process.poll() is not None:
            raise NotStarted(f"{name} did not start (exit code {process.poll()}); {ground.last_words()}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _listeners(ground: Ground) -> int:
    """How many dramatiq workers have shown a sign of life since the doorbell was emptied."""
    with redis.Redis.from_url(ground.redis_url) as client:
        return int(str(client.zcard("dramatiq:__heartbeats__")))
