"""
A process that sends reminders, or mails of offers, on a real database and a real mail server, and can be killed at an exact point.

Processes come out of a nursery that has everything loaded already, so that hundreds of them can be born and killed.
A process that reaches its point says so and stands still; whoever started it then sends it SIGKILL.
"""

import itertools
import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
import structlog
from sqlalchemy import event

from connector.config import Settings
from connector.messages.envelope import Envelope, Sender, SendResult
from connector.store.db import Database
from connector.store.sealed import open_vault
from integrations.registry import make_mail_sender, make_platforms, make_transport
from sync import offer_mails, send
from sync.services import Services
from tests.chaos.nursery import Nursery
from tests.conftest import SEALING_KEY

STAND_STILL_SECONDS = 60.0
SENDING: dict[str, Callable[[Services, int], int]] = {"messages": send.send_messages, "grant_mails": offer_mails.send_offers}
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a sending process does: it sends for each of `shops` in a thread of its own until nothing is due.

    `point`: where it stands still: "before_claim", "after_claim", "after_250" or "after_record"; empty: nowhere. `table`: of what it
    sends, messages or grant_mails.
    """

    database_url: str
    smtp_port: int
    directory: Path
    shops: tuple[int, ...]
    point: str = ""
    table: str = "messages"


def settings_of(plan: Plan) -> Settings:
    """Settings of a sending process."""
    return Settings.model_validate(
        {
            "database_url": plan.database_url,
            "smtp_url": f"smtp://127.0.0.1:{plan.smtp_port}",
            "data_dir": plan.directory,
            "sealing_key": SEALING_KEY,
            "operator_key": "operator-key-of-a-case",
            "public_url": "https://connector.test",
            "sandbox": True,
        }
    )


class Stop:
    """Stands still at the planned point, once, in whichever thread comes there first."""

    def __init__(self, point: str, reports: IO[str]) -> None:
        self._point = point
        self._reports = reports
        self._lock = threading.Lock()

    def at(self, point: str) -> None:
        """This thread is at a point: if it is the planned one, say so and wait for the end."""
        if point == self._point and self._lock.acquire(blocking=False):
            print(point, file=self._reports, flush=True)
            time.sleep(STAND_STILL_SECONDS)


class StoppingSender:
    """The real Sender, with a point before and one after each hand-over."""

    def __init__(self, inner: Sender, stop: Stop) -> None:
        self._inner = inner
        self._stop = stop

    def send(self, envelope: Envelope) -> SendResult:
        """Hand over. The claim has committed before; nothing is recorded yet after."""
        self._stop.at("after_claim")
        result = self._inner.send(envelope)
        self._stop.at("after_250")
        return result

    def close(self) -> None:
        """As the real one."""
        self._inner.close()


def _watch_commits(database: Database, stop: Stop, table: str) -> None:
    """The points that only transactions know: the claim that is about to commit, and the record that has committed."""
    here = threading.local()
    execute = psycopg.Cursor.execute

    def executes(cursor: psycopg.Cursor[Any], query: Any, params: Any = None, **options: Any) -> Any:
        """Not the engine's event: most statements go by the driver alone."""
        if isinstance(query, str) and query.lstrip().lower().startswith(f"update {table} set"):
            values = params if isinstance(params, dict) else {}
            here.is_claiming = values.get("state") == "sending"
            here.has_recorded = values.get("state") == "sent"
        return execute(cursor, query, params, **options)

    # For good: this process ends with its plan.
    psycopg.Cursor.execute = executes  # type: ignore[method-assign]

    @event.listens_for(database.engine, "commit")
    def commits(connection: Any) -> None:
        if getattr(here, "is_claiming", False):
            here.is_claiming = False
            stop.at("before_claim")

    @event.listens_for(database.engine, "begin")
    def begins(connection: Any) -> None:
        if getattr(here, "has_recorded", False):
            here.has_recorded = False
            stop.at("after_record")


def be_born(plan: dict[str, Any], reports: str) -> None:
    """The process."""
    with Path(reports).open("w", encoding="utf-8") as line:
        work(Plan(**{**plan, "directory": Path(plan["directory"]), "shops": tuple(plan["shops"])}), line)


def work(plan: Plan, reports: IO[str]) -> None:
    """Send until nothing is due, then say `done`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = settings_of(plan)
    database = Database(plan.database_url, pool_size=2 * len(plan.shops) + 1)
    mail = make_mail_sender(settings)
    assert mail is not None
    stop = Stop(plan.point, reports)
    _watch_commits(database, stop, plan.table)
    # No store exists in this closed world: asked before each message, none answers, and none ever will.
    platforms = make_platforms(settings, make_transport(settings))
    services = Services(database, open_vault(settings), platforms, StoppingSender(mail, stop), settings)

    def send_all(shop_id: int) -> None:
        while SENDING[plan.table](services, shop_id):
            pass

    threads = [threading.Thread(target=send_all, args=(shop,)) for shop in plan.shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mail.close()
    database.close()
    print("done", file=reports, flush=True)


class Killable:
    """One sending process, out of this nursery. Its words come by a pipe with a name in the plan's directory."""

    def __init__(self, plan: Plan, nursery: Nursery) -> None:
        name = plan.directory / f"sending-{next(_numbers)}"
        os.mkfifo(name)
        self._reports = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        words = {"plan": {**asdict(plan), "directory": str(plan.directory)}, "reports": str(name)}
        self._process = nursery.bear({"call": f"{__name__}:be_born", "words": words, "log": str(name.with_suffix(".log"))})

    def wait(self, seconds: float) -> str:
        """What it says within so many seconds: its point, `done`, or nothing ("")."""
        poll = select.poll()
        poll.register(self._reports, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return ""
        return os.read(self._reports, 100).decode().strip() or "gone"

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Harmless if it is gone already."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        os.close(self._reports)

    def end(self, seconds: float) -> None:
        """Let it finish; raises AssertionError if it does not."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"a sending process did not end within {seconds:.0f} s") from error
        assert code == 0, f"a sending process ended with {code}"
        os.close(self._reports)
