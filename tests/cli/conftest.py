"""Databases that were made for real stores: no sandbox, and empty."""

import uuid

import pytest
from sqlalchemy import create_engine, make_url, text

from connector.store import migrate
from connector.store.db import engine_url, libpq_url


@pytest.fixture(scope="session")
def made_for_real(database_url: str) -> str:
    """The name of a migrated database that nobody enters: what others are copies of."""
    url = migrate.recreate(database_url, f"real_{uuid.uuid4().hex}")
    migrate.upgrade(url, sandbox=False)
    return str(make_url(url).database)


@pytest.fixture
def url(database_url: str, made_for_real: str) -> str:
    """A database of its own: a copy, which takes a twentieth of the time of all migrations."""
    name = f"copy_{uuid.uuid4().hex}"
    engine = create_engine(engine_url(database_url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f'create database "{name}" template "{made_for_real}"'))
    finally:
        engine.dispose()
    return make_url(libpq_url(database_url)).set(database=name).render_as_string(hide_password=False)
