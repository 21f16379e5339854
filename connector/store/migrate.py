"""Bring a database to the newest schema, and say whether it is a sandbox."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from connector.errors import ConfigError
from connector.store.db import CONNECT_SECONDS, engine_url, libpq_url

SCRIPTS = Path(__file__).parent / "migrations"
OLDEST = 150_000
CONNECT = {"connect_timeout": CONNECT_SECONDS, "client_encoding": "utf8"}
"""The encoding is said aloud: without it the driver gives bytes for the texts of a database without one."""


def upgrade(url: str, *, sandbox: bool = False) -> None:
    """
    Run all migrations. A database is marked as a sandbox when it is made and never changes sides.

    Raises ConfigError, before anything is changed, if the server is older than PostgreSQL 15, the database cannot be reached
    or does not hold UTF-8, or `sandbox` contradicts the mark: a production process must not run on pretend data, nor the
    sandbox's clock on a real store's database.
    """
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    engine = create_engine(engine_url(url), connect_args=CONNECT)
    try:
        with engine.begin() as connection:
            is_new = _inspect(connection, sandbox=sandbox)
        command.upgrade(config, "head")
        if is_new and sandbox:
            with engine.begin() as connection:
                connection.execute(text("update app_clock set is_sandbox = true"))
    except OperationalError as error:
        raise ConfigError(f"The database cannot be reached: {error.orig}") from error
    finally:
        engine.dispose()


def _inspect(connection: Connection, *, sandbox: bool) -> bool:
    """Whether the database is still empty. Raises ConfigError if it cannot be ours."""
    version, encoding, is_new = connection.execute(
        text("select current_setting('server_version_num')::int, current_setting('server_encoding'), to_regclass('app_clock') is null")
    ).one()
    if version < OLDEST:
        raise ConfigError(f"Connector needs PostgreSQL {OLDEST // 10000} or newer; this server is {version // 10000}.")
    if encoding != "UTF8":
        raise ConfigError(f"The database holds {encoding}. Create one with encoding UTF8: shoppers' names do not fit anything less.")
    if not is_new:
        check_side(is_sandbox=connection.execute(text("select is_sandbox from app_clock")).scalar_one(), sandbox=sandbox)
    return bool(is_new)


def check_side(*, is_sandbox: bool, sandbox: bool) -> None:
    """Raises ConfigError if the database's mark and the process's mode differ."""
    if is_sandbox and not sandbox:
        raise ConfigError("This database belongs to a sandbox (its clock can be moved). Use another database, or set SANDBOX=true.")
    if sandbox and not is_sandbox:
        raise ConfigError("SANDBOX=true needs a database of its own; this one was made for real stores.")


def recreate(url: str, name: str) -> str:
    """
    Drop and make the database `name` on the server of `url`, and return its URL. For the demo's own database only.

    Raises ConfigError if that database exists and was made for real stores.
    """
    target = make_url(libpq_url(url)).set(database=name)
    engine = create_engine(engine_url(url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if connection.execute(text("select 1 from pg_database where datname = :name"), {"name": name}).scalar() is not None:
                _must_be_sandbox(target.render_as_string(hide_password=False))
                connection.execute(text(f'drop database "{name}" with (force)'))
            connection.execute(text(f'create database "{name}"'))
    finally:
        engine.dispose()
    return target.render_as_string(hide_password=False)


def _must_be_sandbox(url: str) -> None:
    engine = create_engine(engine_url(url))
    try:
        with engine.connect() as connection:
            has_clock = connection.execute(text("select to_regclass('public.app_clock') is not null")).scalar_one()
            if has_clock and not connection.execute(text("select is_sandbox from app_clock")).scalar_one():
                raise ConfigError("The demo's database was made for real stores; it is left alone.")
    finally:
        engine.dispose()
