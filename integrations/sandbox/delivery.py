"""
The background machine that carries the pretend stores' webhooks to the app: late, twice, out of order or never.

Every delivery is a row with its attempts. Due times are instants of the virtual clock; time-outs are real seconds.
One delivery is on its way at a time, so that a run with a given seed can be repeated. Faults befall single deliveries on
command or by seed (`faults`); `mischief` is a network that is bad for all of them.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from connector.errors import ConnectorError
from integrations.sandbox.faults import DELIVERIES, Faults, Kind
from integrations.transport import Transport

REACH = 5
"""A delivery that steps back is overtaken by up to so many."""
TICK = 0.02
"""Seconds between two looks at the virtual clock."""

PIECES = 20
Built = tuple[Mapping[str, str], bytes]


class Post(Protocol):
    """How a body leaves: the status that came back. Over `seconds` it goes in many small pieces. Raises ConnectorError."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float = 0.0) -> int: ...


class Outgoing:
    """The stores' way out to the app. Until connect() says where the app is, nothing answers."""

    def __init__(self) -> None:
        self._transport: Transport | None = None

    def connect(self, address_map: Mapping[str, str], ca_pem: Path) -> None:
        """Lead the app's host names to loopback; certificates must be signed by `ca_pem`. May be called again."""
        former, self._transport = self._transport, Transport(dict(address_map), ca_pem, is_closed_world=True)
        if former is not None:
            former.close()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float = 0.0) -> int:
        """POST once and return the status, see Post. Raises ConnectorError if nothing came back."""
        if self._transport is None:
            raise ConnectorError("the sandbox does not know yet where the app is")
        content: bytes | Iterable[bytes] = body
        if seconds:
            headers, content = {**headers, "Content-Length": str(len(body))}, _pieces(body, seconds)
        return self._transport.send("sandbox", "webhook", "POST", url, headers=headers, content=content).status

    def ask(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """POST once and return the status and where it redirects to, if it does. Raises ConnectorError if nothing came back."""
        if self._transport is None:
            raise ConnectorError("the sandbox does not know yet where the app is")
        answer = self._transport.send("sandbox", "ask", "POST", url, headers=headers, content=body)
        return answer.status, answer.headers.get("location", "")

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            self._transport.close()


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at an instant of the virtual clock: the status that came back, or None with the reason."""

    at: datetime
    status: int | None
    words: str = ""


@dataclass(slots=True)
class Delivery:
    """
    One webhook on its way to one address.

    `build` gives headers and body; it is called once, right before the first attempt (a store may build late).
    A delivery whose `merge_key` equals that of one not yet begun is not added again. `spoilt` is what befalls the body of the
    next attempt; `steps_back` is how many later ones may overtake it.
    """

    id: str
    topic: str
    url: str
    build: Callable[[], Built]
    after: Callable[[bool], None] | None = None
    merge_key: object = None
    due_at: datetime | None = None
    copies: int = 1
    steps_back: int = 0
    again_after: timedelta | None = None
    spoilt: Kind | None = None
    slow_seconds: float = 0.0
    built: Built | None = None
    state: State = State.WAITING
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The exact bytes that were sent; empty before the first attempt."""
        return self.built[1] if self.built else b""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that were sent; empty before the first attempt."""
        return self.built[0] if self.built else {}


@dataclass(slots=True)
class Mischief:
    """
    How badly the network behaves; change it while running.

    `repeat` and `drop` are chances from 0 to 1, `window` is how many due deliveries are shuffled, `delay` is added
    to every due time on the virtual clock.
    """

    repeat: float = 0.0
    drop: float = 0.0
    window: int = 1
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Policy:
    """A platform's rules: real seconds to wait for an answer, retry times after the first attempt, what counts as success."""

    timeout: float
    retries: tuple[timedelta, ...]
    is_success: Callable[[int], bool]


class DeliveryMachine:
    """Sends what is due in a background thread until close(). All methods may be called from any thread."""

    def __init__(self, now: Callable[[], datetime], policy: Policy, post: Post, seed: int = 0) -> None:
        self.mischief = Mischief()
        self.faults = Faults(DELIVERIES)
        self._now = now
        self._policy = policy
        self._post = post
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret depends on it
        self._rows: list[Delivery] = []
        self._waiting: list[Delivery] = []
        self._holders = 0
        self._busy = False
        self._open = True
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)
        self._thread.start()

    def submit(self, *deliveries: Delivery) -> None:
        """Add deliveries that one action caused; they may be shuffled among each other by `mischief.window`."""
        with self._changed:
            for delivery in deliveries:
                if delivery.merge_key is not None and any(self._is_same_pending(row, delivery) for row in self._waiting):
                    continue
                delivery.due_at = self._now() + self.mischief.delay
                self._rows.append(delivery)
                if self._random.random() < self.mischief.drop:
                    self.faults.count(Kind.DROP)
                    delivery.state, delivery.due_at = State.DROPPED, None
                    continue
                if self._random.random() < self.mischief.repeat:
                    self.faults.count(Kind.REPEAT)
                    delivery.copies = 2
                self._harm(delivery)
                if delivery.state is State.WAITING:
                    self._waiting.append(delivery)
            self._changed.notify_all()

    def _harm(self, delivery: Delivery) -> None:
        """What the faults have in store for a delivery."""
        fault = self.faults.take(delivery.topic)
        if fault is None or delivery.due_at is None:
            return
        match fault.kind:
            case Kind.DROP:
                delivery.state, delivery.due_at = State.DROPPED, None
            case Kind.REPEAT:
                delivery.copies = 2
            case Kind.DELAY:
                delivery.due_at += timedelta(seconds=fault.seconds)
            case Kind.AGAIN:
                delivery.again_after = timedelta(seconds=fault.seconds)
            case Kind.REORDER:
                delivery.steps_back = 1 + fault.number % REACH
            case kind:
                delivery.spoilt, delivery.slow_seconds = kind, fault.seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing leaves inside this block; what gathers may be shuffled afterwards."""
        with self._changed:
            self._holders += 1
        try:
            yield
        finally:
            with self._changed:
                self._holders -= 1
                self._changed.notify_all()

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is due now nor on its way; False if `timeout` real seconds were not enough."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._busy or self._due():
                if time.monotonic() >= deadline:
                    return False
                self._changed.wait(TICK)
        return True

    def next_due(self) -> datetime | None:
        """The earliest instant at which something is waiting to be sent, or None."""
        with self._changed:
            return min((row.due_at for row in self._waiting if row.due_at is not None), default=None)

    def deliveries(self, topic: str | None = None) -> list[Delivery]:
        """All rows so far in the order of submission, or those of one topic. Do not change them."""
        with self._changed:
            return [row for row in self._rows if topic is None or row.topic == topic]

    def close(self) -> None:
        """Stop; what is still waiting stays unsent."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._thread.join(self._policy.timeout + 1)

    def _run(self) -> None:
        while True:
            with self._changed:
                due = [] if self._holders else self._due()
                if not self._open:
                    return
                if not due:
                    self._changed.wait(TICK)
                    continue
                row = self._choose(due)
                self._busy = True
            attempt = self._attempt(row)
            with self._changed:
                self._record(row, attempt)
                if row.state is not State.WAITING:
                    self._waiting.remove(row)
                self._busy = False
                self._changed.notify_all()

    def _choose(self, due: Sequence[Delivery]) -> Delivery:
        """The next to leave; those that step back let others pass as long as there are others."""
        ready = [row for row in due if not row.steps_back] or due
        row = self._random.choice(ready[: max(1, self.mischief.window)])
        if row is not ready[0]:
            self.faults.count(Kind.REORDER)
        for waiting in due:
            if waiting is not row and waiting.steps_back:
                waiting.steps_back -= 1
        return row

    def _due(self) -> list[Delivery]:
        now = self._now()
        rows = [row for row in self._waiting if row.due_at is not None and row.due_at <= now]
        return sorted(rows, key=lambda row: row.due_at or now)

    def _is_same_pending(self, row: Delivery, other: Delivery) -> bool:
        return row.built is None and row.merge_key == other.merge_key

    def _attempt(self, row: Delivery) -> Attempt:
        """One try. A receiver that takes too long is left alone, as a real sender does; it may still finish its work."""
        if row.built is None:
            row.built = row.build()
        headers, body = row.built
        seconds = row.slow_seconds if row.spoilt is Kind.SLOW else 0.0
        if row.spoilt is Kind.TRUNCATE:
            body = body[: len(body) // 2]
        row.spoilt = None
        at = self._now()
        outcome: list[Attempt] = []

        def send() -> None:
            try:
                outcome.append(Attempt(at, self._post(row.url, headers, body, seconds)))
            except ConnectorError as error:
                outcome.append(Attempt(at, None, str(error)))

        sender = threading.Thread(target=send, name="delivery", daemon=True)
        sender.start()
        sender.join(self._policy.timeout)
        attempt = outcome[0] if outcome else Attempt(at, None, "timed out")
        if row.after is not None:
            row.after(attempt.status is not None and self._policy.is_success(attempt.status))
        return attempt

    def _record(self, row: Delivery, attempt: Attempt) -> None:
        row.attempts.append(attempt)
        if attempt.status is not None and self._policy.is_success(attempt.status):
            row.copies -= 1
            row.due_at = attempt.at if row.copies else None
            if not row.copies and row.again_after is not None:
                row.copies, row.due_at, row.again_after = 1, attempt.at + row.again_after, None
            row.state = State.WAITING if row.copies else State.DELIVERED
            return
        failures = sum(1 for one in row.attempts if one.status is None or not self._policy.is_success(one.status))
        if failures > len(self._policy.retries):
            row.state, row.due_at = State.FAILED, None
        else:
            row.due_at = row.attempts[0].at + self._policy.retries[failures - 1]


def _pieces(body: bytes, seconds: float) -> Iterator[bytes]:
    size = max(1, -(-len(body) // PIECES))
    for at in range(0, len(body), size):
        time.sleep(seconds / PIECES)
        yield body[at : at + size]
