"""Bring a database to the newest schema, and say whether it is a sandbox."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from connector.errors import ConfigError
from connector.store.db import engine_url

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
