"""Accounts with people in them, clocks that move, and two who act at the same moment."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.permissions import Role
from connector.store import clock, members
from connector.store.access_tables import MemberRow
from connector.store.db import Database, app_now

R = TypeVar("R")


def account(db: Database, name: str = "First") -> int:
    """The id of one of the accounts that every test begins with."""
    with db.engine.connect() as connection:
        return int(connection.execute(text("select id from accounts where name = :name"), {"name": name}).scalar_one())


def member(db: Database, email: str = "anna@example.org", role: Role = Role.OWNER, account_name: str = "First") -> MemberRow:
    """A new member."""
    with db.system_transaction("a member for a test") as session:
        return members.add(session, account(db, account_name), email, role)


def pass_time(db: Database, **time: float) -> None:
    """The sandbox's clock moves on."""
    with db.system_transaction("a test moves the clock") as session:
        clock.step_to(session, app_now(session) + timedelta(**time))


def rows(db: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    """Rows, past all policies."""
    with db.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]


def at_once(db: Database, acts: list[Callable[[Session], R]]) -> list[R | Exception]:
    """Each in a system transaction and a thread of its own, begun together; what each came to, in their order."""
    ready = threading.Barrier(len(acts))
    ends: list[R | Exception] = [RuntimeError("did not end")] * len(acts)

    def run(place: int) -> None:
        try:
            with db.system_transaction("one of several at once") as session:
                session.execute(text("select 1"))
                ready.wait(10)
                ends[place] = acts[place](session)
        except Exception as error:
            ends[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return ends
