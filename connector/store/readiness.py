"""
Whether the database can be worked with: it answers, has the newest schema and, where that is in doubt, takes what is written.

On a connection of its own with limits of its own: the pool may be waiting for the very server that is asked about.
"""

import os
from functools import cache
from typing import ClassVar, LiteralString

from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import UndefinedTable

from connector.store.db import SYSTEM_ROLE
from connector.store.keeping import Link, RowRefused, StoreUnavailable
from connector.store.migrate import SCRIPTS

SECONDS = 5.0
"""The longest that one step may take. Whoever asks need not wait so long: the next one who asks hears the answer."""
TRIAL_BYTES = 1024 * 1024
"""More than the server takes from the disk ahead of need."""

SILENT = "the database does not answer"
BEHIND = "the database is not migrated"
UNWRITABLE = "the inbox cannot be written"


class Readiness(Link):
    """Looks at the database, as the role of the login: only that may read where the migrations stand."""

    settle: ClassVar[LiteralString] = "set timezone = 'UTC'; set statement_timeout = '4s'"

    async def problem(self, *, must_write: bool = False) -> str:
        """
        What is wrong, in a few words; empty if nothing is. Not for two callers at once.

        `must_write`: also try to keep a delivery, for real but for the last step, which takes it back.
        """
        try:
            if not self.is_open:
                await self.open(SECONDS)
            versions = {name for (name,) in await self._run(_VERSIONS, (), SECONDS)}
        except RowRefused:
            return BEHIND
        except StoreUnavailable as error:
            await self.close()
            # A database without our tables answers quite well.
            return BEHIND if isinstance(error.__cause__, UndefinedTable) else SILENT
        if versions != newest_versions():
            return BEHIND
        return "" if not must_write or await self._can_write() else UNWRITABLE

    async def _can_write(self) -> bool:
        try:
            await self._do(_BEGIN, None, SECONDS)
            await self._do(_TRIAL, (os.urandom(32), os.urandom(TRIAL_BYTES)), SECONDS)
            await self._do("rollback", None, SECONDS)
        except (StoreUnavailable, RowRefused):
            await self.close()
            return False
        return True


@cache
def newest_versions() -> frozenset[str]:
    """The migrations that a current database stands at."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return frozenset(ScriptDirectory.from_config(config).get_heads())


_VERSIONS: LiteralString = "select version_num from alembic_version"
_BEGIN: LiteralString = f"begin; set local role {SYSTEM_ROLE}"
_TRIAL: LiteralString = """
with one as (
    insert into deliveries (key, platform, topic, received_at, received_on)
    select %b, 'none', 'trial', app_now(), (app_now() at time zone 'UTC')::date returning id, received_on
)
insert into delivery_bodies (received_on, delivery_id, headers, body) select received_on, id, '', %b from one
"""
