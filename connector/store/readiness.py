"""Whether the database answers and has the newest schema."""

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connector.store.db import Database
from connector.store.migrate import SCRIPTS


def is_ready(database: Database) -> bool:
    """True if the database answers and every migration of this code has run."""
    try:
        with database.engine.connect() as connection:
            versions = set(connection.execute(text("select version_num from alembic_version")).scalars())
    except SQLAlchemyError:
        return False
    return versions == newest_versions()


@cache
def newest_versions() -> frozenset[str]:
    """The migrations that a current database stands at."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return frozenset(ScriptDirectory.from_config(config).get_heads())
