"""
The database: one engine, and the only three ways to open a transaction.

`transaction(shop=…)` and `transaction(account=…)` act as the role `connector_app`, which row level security confines to
that shop or account; `system_transaction(reason)` acts as `connector_system` and sees every tenant: claims, the scheduler,
installs. The login role is only used by migrations. Wakes asked for inside a transaction ring after its commit.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg.abc import PQGen
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlmodel import Session as Session

APP_ROLE = "connector_app"
SYSTEM_ROLE = "connector_system"
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 10_000
ANSWER_SECONDS = 20.0
"""Longer than the server's own limit of a statement: reached only if server or network answer nothing at all."""
CONNECT_SECONDS = 5
CANCELED = "57014"
"""SQLSTATE of a statement that was given up."""
PASSING_STATES = ("08", "25P03", "40", "53", "55P03", "57P")
"""SQLSTATEs, or how they begin: connection lost, idle for too long, deadlock, out of room, lock not available, server stopping."""
TRUSTED_SECONDS = 0.5
"""A pooled connection that was used so recently is taken to be in order."""
_USED_AT = "used_at"
IDLE_TIMEOUT_MS = 8_000
"""A process that stands still in a transaction loses it, and its locks: others go on with the work."""

R = TypeVar("R")

log = structlog.get_logger()


class AnsweringConnection(psycopg.Connection[Any]):
    """
    A connection on which nothing waits for ever: a server that accepts and never answers is given up.

    The server's limits do not help when it cannot be heard, and TCP calls a silent line a good one.
    """

    answer_seconds = ANSWER_SECONDS

    def wait(self, gen: PQGen[R], interval: float = 0.1, timeout: float | None = None) -> R:
        """As psycopg's; without an answer in time the line is cut. Raises OperationalError."""
        limit = timeout or self.answer_seconds
        began = time.monotonic()
        try:
            return super().wait(gen, interval, limit)
        except psycopg.OperationalError:
            if time.monotonic() - began >= limit:
                self.pgconn.finish()
            raise


@dataclass(frozen=True, slots=True)
class Wake:
    """A doorbell: look at `shop_id` (0: at every shop) for this `job`."""

    job: str
    shop_id: int


def engine_url(url: str) -> URL:
    """Any `postgres://` or `postgresql://` URL as SQLAlchemy's psycopg URL."""
    return make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")


def libpq_url(url: str) -> str:
    """The same URL for psycopg itself."""
    return engine_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


class Database:
    """One process's way to the database. Thread-safe; close() at the end."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.engine: Engine = create_engine(
            engine_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_use_lifo=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "options": f"-c timezone=UTC -c lock_timeout={LOCK_TIMEOUT_MS}"},
        )
        event.listen(self.engine, "do_connect", _connect)
        event.listen(self.engine, "connect", _set_timeouts)
        event.listen(self.engine, "checkin", _note_use)
        event.listen(self.engine, "checkout", _ping)
        self._ring: Callable[[Wake], None] = lambda wake: None

    def on_wake(self, ring: Callable[[Wake], None]) -> None:
        """Ring this after every commit that asked for a wake."""
        self._ring = ring

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def transaction(self, *, shop: int | None = None, account: int | None = None) -> Iterator[Session]:
        """One transaction that can see exactly one shop or one account; commits at the end, rolls back on any error."""
        if (shop is None) == (account is None):
            raise ValueError("a transaction belongs to one shop or to one account")
        with self._begin(APP_ROLE, shop=shop, account=account) as session:
            yield session

    @contextmanager
    def system_transaction(self, reason: str) -> Iterator[Session]:
        """One transaction that sees every tenant; `reason` says why that is needed and is logged on failure."""
        try:
            with self._begin(SYSTEM_ROLE) as session:
                yield session
        except Exception:
            log.warning("system_transaction.failed", reason=reason)
            raise

    @contextmanager
    def _begin(self, role: str, *, shop: int | None = None, account: int | None = None) -> Iterator[Session]:
        wakes: list[Wake] = []
        with Session(self.engine, expire_on_commit=False) as session:
            session.info["wakes"] = wakes
            with session.begin():
                session.info["driver"] = session.connection().connection.driver_connection
                run(session, _SCOPE, {"role": role, "shop": _text(shop), "account": _text(account)})
                yield session
        for wake in dict.fromkeys(wakes):
            self._ring(wake)


def run(session: Session, statement: str, values: Mapping[str, Any] | None = None, *, binary: bool = False) -> list[tuple[Any, ...]]:
    """
    Execute a statement with `%(name)s` for its values on the driver's own cursor; returns its rows as plain tuples.

    For what is done for each delivery, each message and each page: the session's way costs three times as much for a statement, more
    than all that is done with its rows. Writes nothing that the session holds back. Raises what the session would.
    """
    driver: psycopg.Connection[tuple[Any, ...]] = session.info["driver"]
    try:
        cursor = driver.execute(statement, values, binary=binary)
        return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        if driver.closed:
            session.connection().invalidate()
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error


def wake_after_commit(session: Session, job: str, shop_id: int) -> None:
    """Ring `job` for a shop once this transaction has committed."""
    session.info["wakes"].append(Wake(job, shop_id))


def app_now(session: Session) -> datetime:
    """The database's instant (virtual in sandbox mode), aware UTC."""
    now: datetime = run(session, "select app_now()")[0][0]
    return now


def is_passing(error: Exception) -> bool:
    """True if the database failed for a reason of its own, so that the very same work may succeed later."""
    if not isinstance(error, DBAPIError):
        return False
    state: str | None = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError) if state is None else state.startswith(PASSING_STATES)


def is_for_now(error: Exception) -> bool:
    """True as `is_passing`, and where a statement was given up as it took too long: most often it waited for others."""
    return is_passing(error) or (isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == CANCELED)


def is_refusal(error: Exception) -> bool:
    """True if the database, or what makes rows for it, did not take a value: the record's fault, and nobody else's."""
    return isinstance(error, ValueError) or (isinstance(error, DBAPIError) and not is_passing(error))


_SCOPE = (
    "select set_config('role', %(role)s, true), set_config('app.shop_id', %(shop)s, true), set_config('app.account_id', %(account)s, true)"
)


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _connect(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> AnsweringConnection:
    return AnsweringConnection.connect(*arguments, **options)


def _set_timeouts(connection: Any, record: Any) -> None:
    """Session defaults that the pool keeps; set here since poolers refuse them as start-up options."""
    was = connection.autocommit
    connection.autocommit = True
    connection.execute(_TIMEOUTS)
    connection.autocommit = was


def _note_use(connection: Any, record: Any) -> None:
    record.info[_USED_AT] = time.monotonic()


def _ping(connection: AnsweringConnection, record: Any, proxy: Any) -> None:
    """Do not hand out a connection that was lost while nobody used it; one that was just used costs no question."""
    if time.monotonic() - record.info.get(_USED_AT, time.monotonic()) < TRUSTED_SECONDS:
        return
    try:
        connection.execute("")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool connects anew


# The last one: a server that waits for a lock looks now and then whether its client is still there.
_TIMEOUTS = f"""
set statement_timeout = {STATEMENT_TIMEOUT_MS};
set idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS};
set client_connection_check_interval = 2000
"""
