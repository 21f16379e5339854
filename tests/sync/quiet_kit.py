"""A shop that is told the same things in two ways: by its store, live, and by a sync, quietly."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from connector.canonical import Checkout, Event, Order
from connector.store.work import hold_inbox
from sync import apply
from sync.services import Services
from tests.sync.world import World


def tell(services: Services, shop_id: int, *events: Event, is_quiet: bool = False) -> int:
    """These are told in one batch; returns how many messages were cancelled."""
    with services.db.transaction(shop=shop_id) as session:
        shop = hold_inbox(session, shop_id)
        assert shop is not None
        batch = apply.Batch()
        batch.tell(events)
        return apply.save(session, services, shop, batch, is_quiet=is_quiet)


class Told:
    """A world, and what is told there."""

    def __init__(self, world: World) -> None:
        self.world = world

    def live(self, *events: Event) -> int:
        """The store tells."""
        return tell(self.world.services, self.world.shop.id, *events)

    def quietly(self, *events: Event) -> int:
        """A sync tells what it has read at this instant."""
        now = self.world.now()
        read = [replace(one, triggered_at=now) if isinstance(one, Checkout | Order) else one for one in events]
        return tell(self.world.services, self.world.shop.id, *read, is_quiet=True)

    def wait(self, **span: float) -> None:
        """Time goes by, and what falls due is marked and sent."""
        self.world.go_to(self.world.now() + timedelta(**span))
        self.world.abandon()
        self.world.send()

    def due_in(self) -> timedelta | None:
        """How long after the start the only checkout is due."""
        due_at = self.world.one("checkouts")["due_at"]
        return None if due_at is None else due_at - self.world.start

    def is_quiet(self, table: str = "checkouts") -> bool:
        """Whether only a sync told of the only row as it is."""
        return bool(self.world.one(table)["is_quiet"])

    def converted_by(self) -> str | None:
        """The order that converted the only checkout."""
        (row,) = self.world.rows(
            "select o.platform_id from checkouts c left join orders o on o.id = c.converted_order_id where c.shop_id = :shop"
        )
        found: str | None = row["platform_id"]
        return found

    def begun(self) -> dict[str, Any]:
        """How many enrollments, messages, decisions, grants and mails there are."""
        tables = ("enrollments", "messages", "decisions", "grants", "grant_mails", "grant_decisions")
        return {table: self.world.rows(f"select count(*) n from {table} where shop_id = :shop")[0]["n"] for table in tables}


NOTHING = dict.fromkeys(("enrollments", "messages", "decisions", "grants", "grant_mails", "grant_decisions"), 0)
