"""
Roles at once: a process that has loaded our code and turns into a role by forking.

Loading costs more than a second of processor time, and a case may kill hundreds of roles. What comes out is an ordinary
process that runs `connector web|worker|scheduler` with its own environment, output and process id. If whoever asked for them
dies, the nursery kills its children and ends.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.cli import app
from connector.cli import process as _loaded  # noqa: F401 - what every role would load first

READY_SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[2]
"""Where the program lies."""


class Nursery:
    """The way to such a process. Thread-safe; close() it at the end."""

    def __init__(self, log: Path) -> None:
        self._log = log
        ours, theirs = socket.socketpair()
        self._line = ours
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        with log.open("ab") as output, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[theirs.fileno()],
            )
        self._codes: dict[int, int] = {}
        self._born: list[int] = []
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._ended = False
        self._reader = threading.Thread(target=self._listen, name="nursery", daemon=True)
        self._reader.start()

    def start(self, kind: str, environment: Mapping[str, str], log: Path) -> "Forked":
        """One more role. Raises RuntimeError with the nursery's last words if it is dead."""
        request = json.dumps({"kind": kind, "environment": dict(environment), "log": str(log)})
        with self._asking:
            with contextlib.suppress(OSError):
                self._line.sendall(request.encode() + b"\n")
            with self._changed:
                self._changed.wait_for(lambda: self._born or self._ended, READY_SECONDS)
                if not self._born:
                    raise RuntimeError(f"no role can be started: {self._log.read_text(errors='replace')[-2000:]}")
                return Forked(self, self._born.pop(0))

    def code_of(self, pid: int, seconds: float = 2.0) -> int | None:
        """How a role of ours ended, once it has; None while it lives."""
        with self._changed:
            self._changed.wait_for(lambda: pid in self._codes or self._ended, seconds)
            return self._codes.get(pid)

    def close(self) -> None:
        """End it, and whatever role is left."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
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
                        self._codes[told["ended"]] = told["code"]
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Forked:
    """A role that came out of a nursery, with the part of Popen's words that we use; safe against reused process ids."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
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
                raise subprocess.TimeoutExpired(f"role {self.pid}", timeout)
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
        code = self._nursery.code_of(self.pid)
        self._code = -signal.SIGKILL if code is None else code
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        return self._code


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
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            living.discard(pid)
            _tell(line, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _tell(line: socket.socket, what: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        line.sendall(json.dumps(what).encode() + b"\n")


def become(wanted: dict[str, Any], line: socket.socket) -> None:
    """In a child: be `connector KIND`, with its output in a file and nothing of the nursery's."""
    line.close()
    log = os.open(wanted["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.argv = ["connector", wanted["kind"]]
    app()


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    what = serve(connection)
    if what is not None:
        become(what, connection)
