"""Rows written as a test wants them, past the rules that would derive them."""

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from connector.store.db import Database
from connector.store.ids import public_id, token
from tests.factories import T0

_NUMBERS = itertools.count(1)


class Writer:
    """Writes the rows of one shop as the owner of the tables; each call commits."""

    def __init__(self, db: Database, shop_id: int) -> None:
        self._db = db
        self.shop_id = shop_id

    def insert(self, table: str, **values: Any) -> int:
        """One row; returns its id, 0 where there is none."""
        names = ", ".join(values)
        statement = f"insert into {table} ({names}) values ({', '.join(f':{name}' for name in values)}) returning *"
        with self._db.engine.begin() as connection:
            return int(connection.execute(text(statement), values).mappings().one().get("id", 0))

    def checkout(self, at: datetime = T0, **changes: Any) -> int:
        """An open checkout of 12.50 EUR, begun at `at`."""
        number = next(_NUMBERS)
        values: dict[str, Any] = {
            "public_id": public_id("chk"),
            "platform_id": f"tok-{number}",
            "stage": "checkout",
            "email": f"p{number}@example.org",
            "email_norm": f"p{number}@example.org",
            "currency": "EUR",
            "total": Decimal("12.50"),
            "line_count": 1,
            "taxes_included": False,
            "accepts_email": False,
            "accepts_sms": False,
            "created_at": at,
            "last_activity_at": at,
            "source_version": at,
            "source_triggered_at": at,
            "source_progress": 0,
            "source_digest": "d",
        }
        return self.insert("checkouts", shop_id=self.shop_id, **(values | changes))

    def order(self, at: datetime, **changes: Any) -> int:
        """A paid order of 12.50 EUR."""
        values: dict[str, Any] = {
            "public_id": public_id("ord"),
            "platform_id": str(next(_NUMBERS)),
            "payment_state": "paid",
            "currency": "EUR",
            "total": Decimal("12.50"),
            "created_at": at,
            "placed_at": at,
            "source_version": at,
            "source_triggered_at": at,
            "source_progress": 0,
            "source_digest": "d",
            "is_test": False,
            "taxes_included": False,
        }
        return self.insert("orders", shop_id=self.shop_id, **(values | changes))

    def message(self, checkout_id: int, at: datetime | None, **changes: Any) -> int:
        """The reminder about a checkout, handed over at `at`; queued if that is None."""
        automation = self.one("select id from automations where shop_id = :shop", shop=self.shop_id)
        queued_at = at or T0
        enrollment = self.insert(
            "enrollments",
            public_id=public_id("enr"),
            shop_id=self.shop_id,
            checkout_id=checkout_id,
            automation_id=automation,
            enrolled_at=queued_at - timedelta(minutes=1),
        )
        values: dict[str, Any] = {
            "public_id": public_id("msg"),
            "enrollment_id": enrollment,
            "checkout_id": checkout_id,
            "automation_id": automation,
            "step": 1,
            "channel": "email",
            "address": "anna@example.org",
            "state": "queued" if at is None else "sent",
            "queued_at": queued_at,
            "due_at": queued_at,
            "handed_over_at": at,
            "link_token": token(),
            "unsubscribe_token": token(),
        }
        return self.insert("messages", shop_id=self.shop_id, **(values | changes))

    def delivery(self, topic: str, at: datetime, **changes: Any) -> int:
        """A webhook that was applied."""
        values = {"platform": "shopify", "topic": topic, "state": "applied", "received_at": at, "received_on": at.date()}
        return self.insert("deliveries", key=token().encode(), shop_id=self.shop_id, **(values | changes))

    def one(self, statement: str, **values: Any) -> Any:
        """One value."""
        with self._db.engine.begin() as connection:
            return connection.execute(text(statement), values).scalar()


def clear(db: Database, *tables: str) -> None:
    """Not even what earlier tests deleted is left: what goes through an index counts it."""
    with db.engine.begin() as connection:
        connection.execute(text(f"truncate {', '.join(tables)} cascade"))
