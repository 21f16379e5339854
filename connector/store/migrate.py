"""Bring a database to the newest schema, and say whether it is a sandbox."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from connector.errors import ConfigError
from connector.store.db import engine_url, libpq_url

SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str, *, sandbox: bool = False) -> None:
    """
    Run all migrations. A database is marked as a sandbox when it is made and never changes sides.

    Raises ConfigError if `sandbox` contradicts the mark: a production process must not run on pretend data, nor the
    sandbox's clock on a real store's database.
    """
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = url
    engine = create_engine(engine_url(url))
    try:
        with engine.begin() as connection:
            is_new = connection.execute(text("select to_regclass('public.app_clock') is null")).scalar_one()
        command.upgrade(config, "head")
        with engine.begin() as connection:
            if is_new and sandbox:
                connection.execute(text("update app_clock set is_sandbox = true"))
            is_sandbox = connection.execute(text("select is_sandbox from app_clock")).scalar_one()
    finally:
        engine.dispose()
    check_side(is_sandbox=is_sandbox, sandbox=sandbox)


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
