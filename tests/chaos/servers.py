"""PostgreSQL and Redis as real servers that may be stopped in the worst way and started again at the same place."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import psycopg
import redis

from connector.store.embedded import LAUNCH, SETTINGS
from connector.store.embedded_home import NAME, SH, Home, make_temporary_home
from tests.chaos import template
from tests.chaos.proxy import FaultProxy
from tests.valkey import BINARY

OURS = {
    **SETTINGS,
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
START_SECONDS = 60.0
REFUSAL = "FATAL:  the database system is "


class Postgres:
    """
    A crash-safe PostgreSQL on 127.0.0.1. `url` leads to it directly, `proxied_url` through its proxy.

    With `directory` its data lives there (it must be empty and reachable by every account), else in a fresh home that is
    deleted at the end. `is_migrated`: its database came with all tables, see `template`.
    """

    def __init__(self, port: int, directory: Path | None = None, settings: dict[str, str] | None = None) -> None:
        self.port = port
        self.stops = 0
        self.proxy: FaultProxy | None = None
        self.settings = {**OURS, "port": str(port), **(settings or {})}
        self._home: Home = make_temporary_home()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        try:
            self.is_migrated = template.copy_into(self._home)
            self._home.prepare()
            self.data = self._home.data if directory is None else self._move_to(directory)
        except BaseException:
            self._home.remove()
            raise

    @property
    def url(self) -> str:
        """The owner's way in, past the proxy."""
        return self.url_at(self.port)

    @property
    def proxied_url(self) -> str:
        """What the roles use: through the proxy if there is one."""
        return self.url_at(self.proxy.port if self.proxy is not None else self.port)

    def url_at(self, port: int, database: str = NAME) -> str:
        """The URL at another port or of another database."""
        return f"postgresql://{NAME}@127.0.0.1:{port}/{database}"

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is stopped."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """True until the server process has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """What the server wrote about itself."""
        return self._home.log

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start it (recovering if it was cut off) and wait until it takes connections. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while not self.is_running or not self._is_ready():
                if not self.is_running:
                    self._spawn()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"PostgreSQL did not start: {self.last_words()}")
                time.sleep(0.02)
            if not self.is_migrated:
                self._ensure_database()

    def stop_immediately(self) -> None:
        """As if the power went: no checkpoint, no farewell; what was not flushed is gone."""
        self._stop(signal.SIGQUIT)
        self.stops += 1

    def stop(self) -> None:
        """A fast, orderly shutdown."""
        self._stop(signal.SIGINT)

    def terminate_backends(self) -> int:
        """End every connection but our own; returns how many."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(
                "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity"
                " where pid <> pg_backend_pid() and backend_type = 'client backend'"
            ).fetchone()
            return int(row[0]) if row else 0

    def remove(self) -> None:
        """Stop, and delete what was made for it."""
        self._stop(signal.SIGQUIT)
        self._home.remove()

    def last_words(self) -> str:
        """The end of its log, without the callers that it turned away: they are many, and say nothing of why."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        own = [line for line in lines if REFUSAL not in line]
        return " / ".join(own[-12:]) or "it said nothing"

    def _move_to(self, directory: Path) -> Path:
        """The fresh data, copied by the server's own account to where it shall live."""
        target = directory / "data"
        target.mkdir(mode=0o700)
        if self._home.account:
            os.chown(target, self._home.account["user"], self._home.account["group"], follow_symlinks=False)
        done = self._home.shell('cp -R "$1"/. "$2"/', str(self._home.data), str(target))
        if done.returncode != 0:
            raise OSError(f"the database cannot be made in {directory}: {done.stdout.strip()}")
        return target

    def _spawn(self) -> None:
        self._let_go()
        command = [str(self._home.program("postgres")), "-D", str(self.data), "-k", str(self._home.sockets)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as output:
            self._process = self._home.popen([SH, "-c", LAUNCH, NAME, *command], output)

    def _is_ready(self) -> bool:
        try:
            psycopg.connect(self.url if self.is_migrated else self.url_at(self.port, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url_at(self.port, "postgres"), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone() is None:
                connection.execute(f"create database {NAME}".encode())

    def _stop(self, how: signal.Signals) -> None:
        with self._lock:
            if self._process is None:
                return
            for number, seconds in ((how, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
                if self._process.poll() is None:
                    self._process.send_signal(signal.SIGCONT)
                    self._process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
                    break
            self._let_go()
            self._process = None

    def _let_go(self) -> None:
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.communicate(b"ended\n", timeout=5)


class Redis:
    """Valkey without persistence on 127.0.0.1: what it knew is gone with it."""

    def __init__(self, port: int, directory: Path) -> None:
        self.port = port
        self.proxy: FaultProxy | None = None
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """The direct way."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def proxied_url(self) -> str:
        """What the roles use: through the proxy if there is one."""
        return f"redis://127.0.0.1:{self.proxy.port if self.proxy is not None else self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id; 0 while it is stopped."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """True until the server process has ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, seconds: float = 10.0) -> None:
        """Start it, empty, and wait until it answers. Raises redis.ConnectionError."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        with self._lock:
            if not self.is_running:
                with (self._directory / "redis.log").open("ab") as output:
                    self._process = subprocess.Popen(
                        [SH, "-c", LAUNCH, NAME, str(BINARY), *options], stdin=subprocess.PIPE, stdout=output, stderr=output
                    )
            deadline = time.monotonic() + seconds
            while True:
                try:
                    with self.client() as client:
                        client.ping()
                        return
                except redis.RedisError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def client(self) -> "redis.Redis":
        """A client past the proxy; close it."""
        return redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=1)

    def flush(self) -> None:
        """FLUSHALL: every wake and mark is gone."""
        with self.client() as client:
            client.flushall()

    def client_kill(self) -> int:
        """Cut off every client; returns how many."""
        with self.client() as client:
            return int(client.client_kill_filter(_type="normal", skipme=True))

    def stop(self) -> None:
        """SHUTDOWN NOSAVE, or what ends a server that does not answer."""
        with self._lock:
            if self._process is None:
                return
            if self._process.poll() is None:
                with contextlib.suppress(redis.RedisError), self.client() as client:
                    client.shutdown(nosave=True)
                try:
                    self._process.wait(3)
                except subprocess.TimeoutExpired:
                    self._process.kill()
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._process.communicate(b"ended\n", timeout=10)
            self._process = None
