"""
Whether the parts that we depend on work, as a process sees it: looked at every ten seconds at most, and waited for never.

A look runs in a thread of its own; whoever asks waits a fifth of a second at most and then gets the last answer. A look that has
no end in sight says that the database does not answer.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog

from connector.config import Settings
from connector.store.db import Database
from connector.store.incidents import Lateness, MailSigns, Pauses, PlatformSigns, read_lateness, read_mail, read_platforms
from connector.web.disk import free_bytes

KEPT_SECONDS = 10.0
WAIT_SECONDS = 0.2
SILENT_SECONDS = 3.0
LATE_SECONDS = 5 * 60
MAIL_LATE_SECONDS = 10 * 60
FEW = 3
LOST_SHARE, UNREAD_SHARE, SILENT_SHARE = 0.2, 0.5, 0.2

log = structlog.get_logger()


class Fault(StrEnum):
    """What can be wrong."""

    DATABASE_SILENT = "database_silent"
    QUEUE_LATE = "queue_late"
    MAIL_LATE = "mail_late"
    MAIL_REFUSED = "mail_refused"
    PLATFORM_SIGN_INS = "platform_sign_ins"
    PLATFORM_READS = "platform_reads"
    PLATFORM_SILENT = "platform_silent"
    DISK_FULL = "disk_full"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong; `platform` with those of a platform."""

    fault: Fault
    platform: str = ""


class Watch:
    """The looks of one process. Thread-safe."""

    def __init__(self, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._answer: tuple[Trouble, ...] = ()
        self._answered_at: float | None = None
        self._began_at = 0.0
        self._ended: threading.Event | None = None

    def troubles(self, db: Database, settings: Settings, pauses: Pauses) -> tuple[Trouble, ...]:
        """What is wrong now, or was a few seconds ago; empty if nothing is. Waits 0.2 seconds at most."""
        ended = self._look(db, settings, pauses)
        if ended is not None:
            ended.wait(WAIT_SECONDS)
        with self._lock:
            is_silent = self._ended is not None and time.monotonic() - self._began_at > SILENT_SECONDS
            return (Trouble(Fault.DATABASE_SILENT),) if is_silent else self._answer

    def _look(self, db: Database, settings: Settings, pauses: Pauses) -> threading.Event | None:
        """The look to wait for: the one under way or a new one; None while the last answer is good."""
        with self._lock:
            if self._ended is not None:
                return self._ended
            if self._answered_at is not None and time.monotonic() - self._answered_at < self._kept_seconds:
                return None
            self._ended, self._began_at = threading.Event(), time.monotonic()
            threading.Thread(target=self._go, args=(self._ended, db, settings, pauses), name="watch", daemon=True).start()
            return self._ended

    def _go(self, ended: threading.Event, db: Database, settings: Settings, pauses: Pauses) -> None:
        answer: tuple[Trouble, ...] = (Trouble(Fault.DATABASE_SILENT),)
        try:
            answer = _read(db, pauses)
        except Exception as error:
            # Whatever it is: a database that cannot be read is what this is there to tell.
            log.warning("watch.failed", error=type(error).__name__)
        room = free_bytes(settings.data_dir)
        if room is not None and room < settings.min_free_bytes:
            answer = (*answer, Trouble(Fault.DISK_FULL))
        with self._lock:
            self._answer, self._answered_at, self._ended = answer, time.monotonic(), None
        ended.set()


def judge(late: Lateness, mail: MailSigns, platforms: Mapping[str, PlatformSigns]) -> tuple[Trouble, ...]:
    """What the signs mean. One or two of something are somebody's own trouble, not a platform's or a mail server's."""
    found = []
    if max(late.deliveries, late.checkouts, late.messages) > LATE_SECONDS:
        found.append(Trouble(Fault.QUEUE_LATE))
    if max(late.messages, mail.late) > MAIL_LATE_SECONDS:
        found.append(Trouble(Fault.MAIL_LATE))
    if mail.refused_for_now >= FEW and mail.refused_for_now > mail.accepted:
        found.append(Trouble(Fault.MAIL_REFUSED))
    for name, platform in platforms.items():
        found += [Trouble(fault, name) for fault in _of_platform(platform)]
    return tuple(found)


def _read(db: Database, pauses: Pauses) -> tuple[Trouble, ...]:
    """Look, in three short transactions, which are in nobody's way."""
    reason = "how the parts are that we depend on"
    with db.system_transaction(reason) as session:
        late = read_lateness(session)
    with db.system_transaction(reason) as session:
        mail = read_mail(session, pauses)
    with db.system_transaction(reason) as session:
        platforms = read_platforms(session)
    return judge(late, mail, platforms)


def _of_platform(signs: PlatformSigns) -> list[Fault]:
    found = []
    if signs.lost >= FEW and signs.lost >= LOST_SHARE * signs.shops:
        found.append(Fault.PLATFORM_SIGN_INS)
    if signs.unread >= FEW and signs.unread >= UNREAD_SHARE * signs.asking:
        found.append(Fault.PLATFORM_READS)
    if signs.silent >= FEW and signs.silent >= SILENT_SHARE * signs.shops:
        found.append(Fault.PLATFORM_SILENT)
    return found
