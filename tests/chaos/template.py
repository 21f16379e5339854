"""
A database that is made once for many stacks: initdb and all migrations take seconds of a processor, a copy a tenth of one.

Where nobody said where it shall lie, every database is made from nothing.
"""

import fcntl
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg

from connector.store import migrate
from connector.store.embedded import EmbeddedPostgres
from connector.store.embedded_home import Home, make_temporary_home

SPARE = ("template0", "template1", "postgres")
"""No stack makes a database or enters one of these, and making and deleting files is most of what a copy costs."""
_place: Path | None = None


def use(place: Path) -> None:
    """From now on databases of this process are copies of the one in this directory, made by whoever needs it first."""
    global _place
    _place = place


def copy_into(home: Home) -> bool:
    """Give a home that has no data yet a migrated sandbox database, and no other one; false if none is kept."""
    if _place is None:
        return False
    _place.mkdir(exist_ok=True)
    with (_place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_place / "data").exists():
            _make(_place / "data")
    _copy(_place / "data", home.data)
    return True


def _make(target: Path) -> None:
    home = make_temporary_home()
    try:
        home.prepare()
        lock = os.open(home.top, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # As a server that stays, so that its end leaves us the data.
        with EmbeddedPostgres(replace(home, is_temporary=False), lock) as server:
            migrate.upgrade(server.url, sandbox=True)
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("update pg_database set datistemplate = false")
                for name in SPARE:
                    connection.execute(f"drop database {name} with (force)".encode())
        _copy(home.data, target)
    finally:
        home.remove()


def _copy(source: Path, target: Path) -> None:
    """With owners and modes; the target is there only when it is complete. Raises OSError."""
    draft = target.with_name(f"{target.name}.new")
    done = subprocess.run(["cp", "-a", str(source), str(draft)], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"the database cannot be copied to {target}: {done.stderr.strip()}")
    draft.rename(target)
