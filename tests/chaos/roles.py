"""The roles as real processes, started as the Procfile starts them, and ended in every way there is."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.nursery import Forked, Nursery

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = Path("/proc/")


def fixed_port(rng: random.Random) -> int:
    """A loopback port below those that the system hands out to outgoing connections, so that a restart finds it free again."""
    while True:
        port = rng.randrange(12_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Role:
    """
    One process: `connector web|worker|scheduler`, by a fork of what is loaded in a nursery. `name` is e.g. `web-0`; `port` is where
    a web listens (else 0), for good.

    Whatever it writes goes to the file `log`. Safe to use from several threads.
    """

    def __init__(self, kind: str, number: int, environment: Mapping[str, str], directory: Path, nursery: Nursery, port: int = 0) -> None:
        self.kind = kind
        self.name = f"{kind}-{number}"
        self.port = port
        self.log = directory / f"{self.name}.log"
        self.starts = 0
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
        if port:
            self._environment["PORT"] = str(port)
        self._nursery = nursery
        self._process: Forked | None = None
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """Its process id; 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_alive(self) -> bool:
        """True until it has ended (frozen counts as alive)."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def start(self, skew_seconds: float = 0, *, environment: Mapping[str, str] | None = None) -> None:
        """
        Start it unless it runs; returns at once, see `wait_ready`. With `skew_seconds` its own clocks are wrong by as much.

        `environment` is added to that of the stack for this start only.
        """
        with self._lock:
            if self.is_alive:
                return
            full = {**self._environment, **(environment or {})}
            self._process = self._nursery.start([self.kind], full, self.log, skew_seconds)
            self.starts += 1

    def wait_ready(self, seconds: float = 30.0) -> bool:
        """Wait until it does its work: a web answers /readyz, the others have been told how to end. False if it never came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.is_alive:
                return False
            if self.is_ready():
                return True
            time.sleep(0.02)
        return False

    def is_ready(self) -> bool:
        """One look, see `wait_ready`."""
        if self.port:
            return self.get("/readyz") == 200
        # A worker and a scheduler handle SIGTERM from the moment they are at work.
        with contextlib.suppress(OSError):
            for line in (PROCESSES / str(self.pid) / "status").read_text().splitlines():
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
        return False

    def get(self, path: str, seconds: float = 5.0) -> int:
        """The status with which a web answers a GET; 0 for no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=seconds) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def signal(self, number: signal.Signals) -> None:
        """Any signal; nothing happens if it has ended."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def kill(self) -> bool:
        """`kill -9`, gone when this returns; false if it had ended before."""
        with self._lock:
            was_alive = self.is_alive
            self.signal(signal.SIGKILL)
            if self._process is not None:
                self._process.wait(10)
            return was_alive

    def freeze(self) -> None:
        """Stop it in mid-step; its connections stay open."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def terminate(self, seconds: float = 30.0) -> float:
        """SIGTERM; returns the seconds until it had ended. After `seconds` it is killed, and `seconds` or more is returned."""
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                took = max(seconds, time.monotonic() - began)
                self.kill()
                return took
        return time.monotonic() - began

    def end(self) -> None:
        """Gone, whatever its state is."""
        self.thaw()
        self.kill()

    def last_words(self, lines: int = 15) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 20_000))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
