"""One shop with its inbox, as a story needs it: what arrives, what works, what the rows say."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from connector.store import automations, clock, shops
from connector.store.audit import Actor
from connector.store.db import Database, app_now
from sync import abandon, apply, send
from sync.services import Services
from tests.conftest import TestShop

_KEEP = text("""
    with kept as (
        insert into deliveries (key, shop_id, platform, topic, triggered_at, received_at, received_on)
        select g.key, :shop, :platform, g.topic, g.at, n.at, (n.at at time zone 'UTC')::date
        from unnest(cast(:keys as bytea[]), cast(:topics as text[]), cast(:ats as timestamptz[])) with ordinality g (key, topic, at, i),
             (select app_now() at) n
        order by g.i returning id, key, received_on
    )
    insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
    select k.received_on, k.id, :shop, '', g.body
    from kept k join unnest(cast(:keys as bytea[]), cast(:bodies as bytea[])) g (key, body) on g.key = k.key
    returning delivery_id
""")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook that comes in; `at` is when the platform triggered it, if it says so."""

    topic: str
    body: bytes
    at: datetime | None = None


def keep(db: Database, shop: TestShop, arrivals: Sequence[Arrival]) -> list[int]:
    """Put arrivals into a shop's inbox, in this order, as deliveries of their own; returns their ids."""
    values = {
        "shop": shop.id,
        "platform": shop.platform,
        "keys": [secrets.token_bytes(32) for _ in arrivals],
        "topics": [arrival.topic for arrival in arrivals],
        "ats": [arrival.at for arrival in arrivals],
        "bodies": [arrival.body for arrival in arrivals],
    }
    with db.engine.begin() as connection:
        return sorted(connection.execute(_KEEP, values).scalars())


@dataclass(frozen=True, slots=True)
class World:
    """A shop and everything that works for it. `start` is an instant at which the story begins."""

    services: Services
    shop: TestShop
    start: datetime

    @property
    def db(self) -> Database:
        """The database."""
        return self.services.db

    def at(self, minutes: float = 0, seconds: float = 0) -> datetime:
        """So much after the start."""
        return self.start + timedelta(minutes=minutes, seconds=seconds)

    def arrive(self, topic: str, body: bytes, at: datetime | None = None) -> int:
        """One webhook comes in and is applied; returns its delivery's id."""
        (delivery,) = keep(self.db, self.shop, [Arrival(topic, body, at)])
        apply.drain(self.services, self.shop.id)
        return delivery

    def turn_on(self) -> None:
        """The merchant turns the automation on."""
        with self.db.transaction(shop=self.shop.id) as session:
            automations.turn_on(session, shops.get_shop(session, self.shop.id), Actor("merchant"))

    def turn_off(self) -> int:
        """The merchant turns it off; returns how many messages were cancelled."""
        with self.db.transaction(shop=self.shop.id) as session:
            return automations.turn_off(session, shops.get_shop(session, self.shop.id), Actor("merchant"))

    def go_to(self, instant: datetime) -> None:
        """The clock moves on."""
        with self.db.system_transaction("a test moves the clock") as session:
            clock.step_to(session, instant)

    def now(self) -> datetime:
        """The database's instant."""
        with self.db.transaction(shop=self.shop.id) as session:
            return app_now(session)

    def abandon(self) -> int:
        """Mark what is due as abandoned."""
        return abandon.mark_abandoned(self.services, self.shop.id)

    def send(self) -> int:
        """Send what is due."""
        return send.send_messages(self.services, self.shop.id)

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        """Any rows, past all policies; `:shop` is the shop."""
        with self.db.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), {"shop": self.shop.id} | values).mappings()]

    def execute(self, statement: str, **values: Any) -> None:
        """Change rows behind everybody's back."""
        with self.db.engine.begin() as connection:
            connection.execute(text(statement), {"shop": self.shop.id} | values)

    def one(self, table: str) -> Mapping[str, Any]:
        """The only row of the shop in a table."""
        (row,) = self.rows(f"select * from {table} where shop_id = :shop")
        return row

    def reasons(self) -> list[str]:
        """The current Decisions, by checkout."""
        return [row["reason"] for row in self.rows("select reason from decisions where shop_id = :shop order by checkout_id")]

    def messages(self) -> list[tuple[str, str | None]]:
        """State and reason of all messages."""
        rows = self.rows("select state, reason from messages where shop_id = :shop order by id")
        return [(row["state"], row["reason"]) for row in rows]
