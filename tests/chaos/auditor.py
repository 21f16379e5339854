"""
The auditor: at every moment, what was acknowledged is kept, once, as it was sent, and is accounted for.

It reads past the product, on a connection of its own and in one snapshot, and holds the rows against what the driver and the
sink know.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg

from tests.chaos.ledger import Ledger
from tests.chaos.report import Row, some
from tests.chaos.sink import SinkMail, SmtpSink

PROCESSED = {"applied", "no_meaning_yet", "after_uninstall"}
LEFT = ("sending", "sent", "unknown")
"""States of a message that may have reached the sink."""


class Audited(Protocol):
    """What is audited; a Stack is one."""

    @property
    def sink(self) -> SmtpSink: ...
    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]": ...


class Auditor:
    """
    `check()` at any moment, `final()` after quiet; `watch()` checks in the background. Everything found is in `violations`.

    `checks` counts the snapshots that could be taken: a database that is stopped cannot be audited.
    """

    def __init__(self, stack: Audited, ledger: Ledger) -> None:
        self.checks = 0
        self.violations: list[str] = []
        self._stack = stack
        self._ledger = ledger
        self._seen: set[bytes] = set()
        self._highest = 0
        self._lock = threading.Lock()

    def check(self) -> list[str]:
        """One look; returns what is wrong. Raises psycopg.OperationalError while the database is away."""
        with self._lock:
            # Before the snapshot: whatever is acknowledged or sent by now must show in it.
            ok, mails = self._ledger.ok, list(self._stack.sink.mails)
            with self._stack.connect() as connection:
                connection.execute("begin isolation level repeatable read read only")
                found = [*self._kept(connection, ok - self._seen), *self._conserved(connection, ok), *self._mailed(connection, mails)]
            self.checks += 1
            if not found:
                self._seen |= ok
            self._add(found)
            return found

    def final(self) -> list[str]:
        """The last look, at everything again, when all is quiet: nothing may be pending, and what was applied has its row."""
        self._seen.clear()
        found = self.check()
        with self._stack.connect() as connection:
            connection.execute("begin isolation level repeatable read read only")
            late = [*self._settled(connection), *self._has_effect(connection), *self._arrived(connection)]
        self.checks += 1
        self._add(late)
        return [*found, *late]

    @contextmanager
    def watch(self, seconds: float = 10.0) -> Iterator["Auditor"]:
        """Check every so often in the background while the block runs."""
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(max(1.0, seconds)):
                try:
                    self.check()
                except psycopg.OperationalError:
                    continue
                except Exception as error:
                    self._add([f"the auditor itself failed: {type(error).__name__}: {error}"])
                    return

        thread = threading.Thread(target=look, name="auditor", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join(30)

    def row(self, faults: int, seed: int) -> Row:
        """What it found, as a row of RL-113."""
        return Row("RL-113", "conservation at every moment", self.checks, faults, list(self.violations), seed)

    def _add(self, found: Iterable[str]) -> None:
        self.violations += [sentence for sentence in found if sentence not in self.violations]

    def _kept(self, connection: "psycopg.Connection[Any]", keys: set[bytes]) -> Iterator[str]:
        """Acknowledged, hence there, exactly once, with its very bytes."""
        rows = connection.execute(
            "select d.key, count(*), min(sha256(b.body)) from deliveries d"
            " left join delivery_bodies b on b.delivery_id = d.id and b.received_on = d.received_on where d.key = any(%s) group by d.key",
            [list(keys)],
        ).fetchall()
        found = {bytes(key): (int(count), None if digest is None else bytes(digest)) for key, count, digest in rows}
        yield from _listed("acknowledged and not in the inbox", (key.hex() for key in keys if key not in found))
        yield from _listed("in the inbox more than once", (key.hex() for key, (count, _) in found.items() if count != 1))
        yield from _listed("kept without its body", (key.hex() for key, (_, digest) in found.items() if digest is None))
        expected = self._ledger.expected
        yield from _listed(
            "kept with other bytes than were sent",
            (key.hex() for key, (_, digest) in found.items() if digest is not None and key in expected and digest != expected[key].digest),
        )

    def _conserved(self, connection: "psycopg.Connection[Any]", ok: set[bytes]) -> Iterator[str]:
        """accepted = processed + quarantined + pending, nothing vanishes, nothing comes from nowhere."""
        states = {
            bytes(key): str(state)
            for key, state in connection.execute("select key, state from deliveries where key = any(%s)", [list(self._ledger.expected)])
        }
        counts = Counter(states.values())
        processed, rest = sum(counts[state] for state in PROCESSED), counts["quarantined"] + counts["pending"]
        if processed + rest != len(states):
            yield f"{len(states)} accepted are not {processed} processed + {rest} quarantined or pending"
        if len(states) < len(ok):
            yield f"{len(ok)} were acknowledged and only {len(states)} are accounted for"
        if len(states) < self._highest:
            yield f"there were {self._highest} deliveries before and are {len(states)} now"
        self._highest = max(self._highest, len(states))
        total = connection.execute("select count(*) from deliveries").fetchone()
        if total is not None and int(total[0]) != len(states):
            yield f"{total[0]} deliveries are kept, and {len(states)} of them were ever sent"
        unhandled = connection.execute(
            "select count(*) from deliveries where (state = 'pending') <> (handled_at is null) or attempts < 0"
        ).fetchone()
        if unhandled is not None and unhandled[0]:
            yield f"{unhandled[0]} deliveries say both that they were handled and that they were not"

    def _mailed(self, connection: "psycopg.Connection[Any]", mails: Sequence[SinkMail]) -> Iterator[str]:
        """No message twice for a checkout, step and channel at the sink; each has its row, claimed before it left."""
        rows = {row[0]: row[1:] for row in connection.execute("select public_id, checkout_id, step, channel, state from messages")}
        keys: Counter[tuple[Any, ...]] = Counter()
        for mail in mails:
            row = rows.get(_public_id(mail))
            if row is not None:
                keys[tuple(row[:3])] += 1
        yield from _listed(
            "mailed more than once", (f"checkout {c}, step {s}, {channel}: {n} times" for (c, s, channel), n in keys.items() if n > 1)
        )
        yield from _listed("at the sink without a row", (mail.message_id for mail in mails if _public_id(mail) not in rows))
        yield from _listed(
            "at the sink although its row says otherwise",
            (f"{mail.message_id} {row[3]}" for mail in mails if (row := rows.get(_public_id(mail))) is not None and row[3] not in LEFT),
        )

    def _settled(self, connection: "psycopg.Connection[Any]") -> Iterator[str]:
        rows = connection.execute("select id, attempts, reason from deliveries where state = 'pending' order by id").fetchall()
        yield from _listed("still pending after quiet", (f"delivery {row[0]} after {row[1]} tries ({row[2]})" for row in rows))

    def _has_effect(self, connection: "psycopg.Connection[Any]") -> Iterator[str]:
        """What is marked as applied has left the row that it speaks of."""
        applied = [
            self._ledger.expected[bytes(key)]
            for (key,) in connection.execute(
                "select key from deliveries where state = 'applied' and key = any(%s)", [list(self._ledger.expected)]
            )
        ]
        for kind, table in (("checkout", "checkouts"), ("order", "orders")):
            names = {one.entity[1] for one in applied if one.entity is not None and one.entity[0] == kind}
            there = connection.execute(f"select platform_id from {table} where platform_id = any(%s)".encode(), [list(names)])
            yield from _listed(f"applied without leaving its {kind}", sorted(names - {row[0] for row in there}))

    def _arrived(self, connection: "psycopg.Connection[Any]") -> Iterator[str]:
        """What counts as sent is at the sink."""
        at_sink = {_public_id(mail) for mail in self._stack.sink.mails}
        rows = connection.execute("select public_id from messages where state = 'sent' order by id").fetchall()
        yield from _listed("said to be sent and never at the sink", (row[0] for row in rows if row[0] not in at_sink))


def _public_id(mail: SinkMail) -> str:
    return mail.message_id.partition("@")[0]


def _listed(claim: str, items: Iterable[str]) -> Iterator[str]:
    """One sentence for all that is wrong in the same way, with the count and the first few."""
    every = list(items)
    if every:
        yield f"{len(every)} {claim}: {some(every)}".replace("\n  ", ", ")
