"""Processes that come out of a nursery, and databases that come out of a template."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.chaos import nursery, template
from tests.chaos.nursery import Nursery
from tests.chaos.roles import fixed_port
from tests.chaos.servers import Postgres

OWN = """
import os, sys, threading
from pathlib import Path
from tests.chaos import nursery
made = nursery.fork_own(Path(sys.argv[1]))
assert nursery.own() is made
child = made.bear({"call": "os:write", "words": {}, "log": sys.argv[1]})
print("code", child.wait(20))
made.close()
print("over")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """A nursery that has loaded the program."""
    made = nursery.spawned(tmp_path_factory.mktemp("nursery") / "log")
    yield made
    made.close()


def test_a_command_has_its_own_environment_output_and_exit_code(made: Nursery, tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = made.start(["replay", "nobody.example"], {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "DATA_DIR": str(tmp_path)}, log)
    assert asked.pid != os.getpid()
    assert asked.wait(30) == 1
    assert asked.poll() == 1
    assert asked.cpu_seconds > 0
    assert log.read_text()


def test_a_function_of_ours_can_be_called_in_a_process_of_its_own(made: Nursery, tmp_path: Path) -> None:
    called = made.bear({"call": "os:mkdir", "words": {"path": str(tmp_path / "made")}, "log": str(tmp_path / "log")})
    assert called.wait(30) == 0
    assert (tmp_path / "made").is_dir()
    again = made.bear({"call": "os:mkdir", "words": {"path": str(tmp_path / "made")}, "log": str(tmp_path / "log")})
    assert again.wait(30) == 1
    assert "FileExistsError" in (tmp_path / "log").read_text()


def test_a_process_can_be_killed_and_waiting_for_it_has_an_end(made: Nursery, tmp_path: Path) -> None:
    waiting = made.bear({"call": "signal:pause", "words": {}, "log": str(tmp_path / "log")})
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.2)
    assert waiting.poll() is None
    waiting.send_signal(signal.SIGKILL)
    assert waiting.wait(30) == -signal.SIGKILL


def test_a_nursery_takes_its_children_with_it_and_then_says_so(tmp_path: Path) -> None:
    short = nursery.spawned(tmp_path / "log")
    child = short.bear({"call": "signal:pause", "words": {}, "log": str(tmp_path / "child")})
    short.close()
    assert child.wait(10) == -signal.SIGKILL
    with pytest.raises(RuntimeError, match="no process can be started"):
        short.bear({"call": "os:getpid", "words": {}, "log": str(tmp_path / "child")})


def test_a_process_gets_a_nursery_of_its_own_and_goes_on_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OWN, str(tmp_path / "log")], cwd=nursery.ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["code", "1", "over"]


def test_no_process_with_threads_becomes_a_nursery(tmp_path: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="threads"):
            nursery.fork_own(tmp_path / "log")
    finally:
        stop.set()
        thread.join()


def test_databases_begin_with_all_tables_and_nothing_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "_place", None)
    template.use(tmp_path / "template")
    servers = [Postgres(fixed_port(Random())) for _ in range(2)]
    try:
        found = []
        for server in servers:
            server.start()
            assert server.is_migrated
            with psycopg.connect(server.url) as connection:
                sandbox = connection.execute("select is_sandbox from app_clock").fetchone()
                accounts = connection.execute("select count(*) from accounts").fetchone()
                connection.execute("insert into accounts (public_id, name, created_at) values ('acc_one', 'One', now())")
                found.append((sandbox, accounts))
        assert found == [((True,), (0,))] * 2
    finally:
        for server in servers:
            server.remove()
