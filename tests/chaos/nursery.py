"""
Processes at once: one that has loaded our code turns into another by forking.

Loading costs some two seconds of processor time, and a case may kill hundreds of roles. What comes out is an ordinary process
that runs `connector web|worker|scheduler` with its own environment, output and process id. If whoever asked for them dies, the
nursery kills its children and ends.
"""

import contextlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connector.cli import app
from connector.cli import process as _loaded  # noqa: F401 - what every role would load first
from tests.chaos import skewed

READY_SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[2]
"""Where the program lies."""
_own: "Nursery | None" = None


class Nursery:
    """The way to such a process. Thread-safe; close() it at the end."""

    def __init__(self, line: socket.socket, process: "subprocess.Popen[bytes] | Forked", log: Path) -> None:
        self._line = line
        self._process = process
        self._log = log
        self._ends: dict[int, tuple[int, float]] = {}
        self._born: list[int] = []
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._ended = False
        self._reader = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._reader.start()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, skew_seconds: float = 0) -> "Forked":
        """
        `connector ARGUMENTS…`, e.g. a role; its own clocks may be wrong. Raises RuntimeError with the nursery's last words if it is dead.
        """
        return self.bear({"arguments": list(arguments), "environment": dict(environment), "log": str(log), "skew": skew_seconds})

    def bear(self, wanted: Mapping[str, object]) -> "Forked":
        """A process that gets these words. Raises RuntimeError with the nursery's last words if it is dead."""
        with self._asking:
            with contextlib.suppress(OSError):
                self._line.sendall(json.dumps(wanted).encode() + b"\n")
            with self._changed:
                self._changed.wait_for(lambda: self._born or self._ended, READY_SECONDS)
                if not self._born:
                    raise RuntimeError(f"no process can be started: {self._log.read_text(errors='replace')[-2000:]}")
                return Forked(self._born.pop(0), self)

    def end_of(self, pid: int, seconds: float = 2.0) -> tuple[int, float] | None:
        """How a process of ours ended and how many seconds of processors it and its children took; None while it lives."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._ends or self._ended, seconds)
            return self._ends.get(pid)

    def close(self) -> None:
        """End it, and whatever process is left."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
        self._reader.join(5)
        self._line.close()

    def _listen(self) -> None:
        with self._line.makefile("r", encoding="utf-8") as lines, contextlib.suppress(OSError):
            for line in lines:
                told = json.loads(line)
                with self._changed:
                    if "born" in told:
                        self._born.append(told["born"])
                    else:
                        self._ends[told["ended"]] = told["code"], told["cpu"]
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Forked:
    """
    A process that came out of a nursery (or, without one, out of this very process), with the part of Popen's words that we use;
    safe against reused process ids.
    """

    def __init__(self, pid: int, nursery: Nursery | None = None) -> None:
        self.pid = pid
        self.cpu_seconds = 0.0
        """What it and its children took of the processors; known once it has ended."""
        self._nursery = nursery
        self._code: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = -1

    def poll(self) -> int | None:
        """How it ended, None while it lives."""
        return self._code if self._code is not None or not self._is_over(0) else self._finish()

    def wait(self, timeout: float) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if self._code is None:
            if not self._is_over(timeout):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            return self._finish()
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """A signal, to nobody else than this process."""
        if self._code is None and self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def _is_over(self, seconds: float) -> bool:
        if self._handle < 0:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _finish(self) -> int:
        if self._nursery is None:
            told: tuple[int, float] | None = (os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), 0.0)
        else:
            told = self._nursery.end_of(self.pid)
        self._code, self.cpu_seconds = told or (-signal.SIGKILL, 0.0)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        return self._code


def spawned(log: Path, module: str = "tests.chaos.nursery", environment: Mapping[str, str] | None = None) -> Nursery:
    """A nursery that loads everything by itself, in a session of its own; without an `environment` it has next to none."""
    ours, theirs = socket.socketpair()
    with log.open("ab") as output, theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **(environment or {}), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[theirs.fileno()],
            start_new_session=environment is not None,
        )
    return Nursery(ours, process, log)


def fork_own(log: Path) -> Nursery:
    """
    From now on this process has a nursery of its own, out of what is loaded here; it is returned, and `own()` tells it.

    In the nursery and in what comes out of it this raises SystemExit: whoever calls it must let that through. Raises
    RuntimeError if there are threads already, which a fork would leave behind.
    """
    global _own
    if threading.active_count() > 1:
        raise RuntimeError("only a process without threads can become a nursery")
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        live(theirs)
        raise SystemExit(0)
    theirs.close()
    _own = Nursery(ours, Forked(pid), log)
    return _own


def own() -> Nursery | None:
    """The nursery of this process, if it has one."""
    return _own


def live(line: socket.socket) -> None:
    """Be a nursery until the end of the line; in a child, be what was asked for."""
    wanted = serve(line)
    if wanted is not None:
        become(wanted, line)


def serve(line: socket.socket) -> dict[str, Any] | None:
    """In the nursery: fork for each request, tell of births and ends. Returns in each child what it shall be, else None at the end."""
    wake, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    living: set[int] = set()
    pending = b""
    while True:
        ready, _, _ = select.select([line.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _bury(line, living)
        if line.fileno() not in ready:
            continue
        data = line.recv(1 << 20)
        if not data:
            break
        *requests, pending = (pending + data).split(b"\n")
        for request in requests:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (wake, told):
                    os.close(descriptor)
                wanted: dict[str, Any] = json.loads(request)
                return wanted
            living.add(pid)
            _tell(line, {"born": pid})
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def _bury(line: socket.socket, living: set[int]) -> None:
    for pid in list(living):
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            living.discard(pid)
            _tell(line, {"ended": pid, "code": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime})


def _tell(line: socket.socket, what: dict[str, float]) -> None:
    with contextlib.suppress(OSError):
        line.sendall(json.dumps(what).encode() + b"\n")


def become(wanted: dict[str, Any], line: socket.socket) -> None:
    """In a child: be `connector ARGUMENTS…`, or one call of a function of ours, with a file for output and nothing of the nursery's."""
    leave(line, Path(wanted["log"]))
    if "call" in wanted:
        pkgutil.resolve_name(wanted["call"])(**wanted["words"])
        return
    os.environ.clear()
    os.environ.update(wanted["environment"])
    if wanted["skew"]:
        skewed.begin(wanted["skew"])
    sys.argv = ["connector", *wanted["arguments"]]
    app()


def leave(line: socket.socket, log: Path) -> None:
    """In a child: nothing of the nursery's is ours any more, and what we say goes to a file."""
    line.close()
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


if __name__ == "__main__":
    live(socket.socket(fileno=int(sys.argv[1])))
