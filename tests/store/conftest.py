"""A shop's own transaction, as the store's functions get it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.store.db import Database
from tests.conftest import TestShop


@pytest.fixture
def session(db: Database, shopify_shop: TestShop) -> Iterator[Session]:
    """A transaction of the Shopify shop."""
    with db.transaction(shop=shopify_shop.id) as opened:
        yield opened


@pytest.fixture
def rows(session: Session) -> Any:
    """Rows as that transaction sees them, as dicts."""

    def ask(statement: str, **values: Any) -> list[dict[str, Any]]:
        session.flush()
        return [dict(row) for row in session.execute(text(statement), values).mappings()]

    return ask
