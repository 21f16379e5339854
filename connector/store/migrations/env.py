"""Runs migrations as the login role. The URL comes from `store.migrate` or, on the command line, from `-x url=…`."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from connector.store import access_tables, automation_tables, inbox_tables, offer_tables, run_tables, sync_tables, tables
from connector.store.db import engine_url

TABLES = (tables, automation_tables, inbox_tables, access_tables, sync_tables, offer_tables, run_tables)


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Leave partitions of `delivery_bodies` alone: they come and go by the day."""
    return not (kind == "table" and name is not None and name.startswith("delivery_bodies_"))


def run() -> None:
    """Upgrade online; two processes at once wait for each other, and no lock is waited for longer than 10 s."""
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True)["url"]
    engine = create_engine(engine_url(url), connect_args={"options": "-c timezone=UTC -c lock_timeout=10000"})
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(hashtext('connector.migrations'))"))
        context.configure(
            connection=connection, target_metadata=SQLModel.metadata, include_name=include_name, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
        connection.execute(text("select pg_advisory_unlock(hashtext('connector.migrations'))"))
        connection.commit()
    engine.dispose()


run()
