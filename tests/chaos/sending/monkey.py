"""Everything at once: at random moments something dies, freezes, forgets or is cut off, and comes back."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg
import redis

from connector.store.outgoing import LEASE
from tests.chaos.sink import Point
from tests.chaos.stack import Stack

AWAY = (0.0, 2.0)
PAUSE = (0.3, 1.0)
DEATHS: tuple[Point, ...] = ("connect", "mail", "data", "dot", "after_250")


class Monkey:
    """
    Between start() and stop() it breaks one thing after another, each for at most two seconds; `done` counts them by kind.

    stop() repairs everything: all processes and servers run, nothing is spoilt. It raises what the thread could not cope with.
    """

    def __init__(self, stack: Stack, rng: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self._stack = stack
        self._rng = rng
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monkey", daemon=True)
        self._tricks: list[tuple[str, Callable[[], None]]] = [
            ("kill a worker", lambda: self._kill("worker")),
            ("kill a web", lambda: self._kill("web")),
            ("kill a scheduler", lambda: self._kill("scheduler")),
            ("freeze a process", self._freeze),
            ("freeze a worker beyond its leases", self._outlive_lease),
            ("flush Redis", stack.redis.flush),
            ("stop Redis", self._stop_redis),
            ("stop PostgreSQL", self._stop_postgres),
            ("end all backends", self._end_backends),
            ("cut SMTP", self._cut_smtp),
            ("the mail server dies", self._kill_mail),
            ("the mail server refuses for now", lambda: stack.sink.answer(451, times=3)),
        ]

    def start(self) -> "Monkey":
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, and repair everything."""
        self._stopping.set()
        self._thread.join(120)
        if self._failure is not None:
            raise self._failure
        if self._thread.is_alive():
            raise TimeoutError("a fault that was begun did not end within two minutes")
        stack = self._stack
        stack.proxies.heal()
        stack.sink.heal()
        stack.postgres.start()
        stack.redis.start()
        for role in stack.roles:
            role.thaw()
            role.start()
        stack.wait_ready()

    @property
    def faults(self) -> int:
        """How many things were broken."""
        return self.done.total()

    def _run(self) -> None:
        try:
            self._break()
        except BaseException as error:
            self._failure = error

    def _break(self) -> None:
        tricks: list[tuple[str, Callable[[], None]]] = []
        while not self._stopping.is_set():
            if not tricks:  # each once before any is repeated, in a new order
                tricks = self._rng.sample(self._tricks, len(self._tricks))
            name, trick = tricks.pop()
            try:
                trick()
                self.done[name] += 1
            except (psycopg.Error, redis.RedisError, OSError) as error:
                self.errors.append(f"{name}: {type(error).__name__}")
            self._stopping.wait(self._rng.uniform(*PAUSE))

    def _away(self) -> None:
        time.sleep(self._rng.uniform(*AWAY))

    def _kill(self, kind: str) -> None:
        role = self._rng.choice(getattr(self._stack, kind))
        role.kill()
        self._away()
        role.start()

    def _freeze(self) -> None:
        role = self._rng.choice(self._stack.roles)
        role.freeze()
        self._away()
        role.thaw()

    def _outlive_lease(self) -> None:
        """The others hold its messages for lost by the time it goes on."""
        role = self._rng.choice(self._stack.worker)
        role.freeze()
        self._stack.step_clock(LEASE * 1.1)
        self._away()
        role.thaw()

    def _stop_redis(self) -> None:
        self._stack.redis.stop()
        self._away()
        self._stack.redis.start()

    def _stop_postgres(self) -> None:
        self._stack.postgres.stop_immediately()
        self._away()
        self._stack.postgres.start()

    def _end_backends(self) -> None:
        self._stack.postgres.terminate_backends()

    def _cut_smtp(self) -> None:
        """Connections end after a number of bytes that lies anywhere in the conversation, or in the message."""
        self._stack.proxies.smtp.cut_after(self._rng.randrange(50, 12_000))
        self._away()
        self._stack.proxies.smtp.heal()

    def _kill_mail(self) -> None:
        self._stack.sink.die_at(self._rng.choice(DEATHS), times=self._rng.randrange(1, 5))
