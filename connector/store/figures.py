"""
What waits in the database, as figures for those who watch over it.

One statement that reads partial indexes only, so that a table of millions costs no more than what waits in it; counts stop
at ten thousand, since more than that is simply "far too much".
"""

from collections.abc import Iterable
from typing import LiteralString

from connector.metrics import PREFIX, Family
from connector.store.keeping import Link, RowRefused, StoreUnavailable

SECONDS = 5.0
MOST = 10_000


class Figures(Link):
    """Reads them. Not for two callers at once."""

    async def read(self) -> list[Family]:
        """The figures, or only that the database does not answer."""
        try:
            if not self.is_open:
                await self.open(SECONDS)
            [row] = await self._run(READ, (), SECONDS)
        except (StoreUnavailable, RowRefused):
            await self.close()
            return silent()
        pending, pending_age, quarantined, checkouts, checkouts_late, messages, messages_late, queued, sending, asked, overdue = map(
            float, row
        )
        return [
            _up(1.0),
            _gauge("deliveries_waiting", "Kept deliveries by stage, up to 10,000.", "stage", pending=pending, quarantined=quarantined),
            _gauge("deliveries_oldest_waiting_seconds", "How long the oldest of them waits.", "stage", pending=pending_age),
            _gauge("due", "What could be done now, up to 10,000.", "what", checkout=checkouts, message=messages),
            _gauge("due_lateness_seconds", "How long the oldest of it is overdue.", "what", checkout=checkouts_late, message=messages_late),
            _gauge("privacy_requests", "Privacy requests that are not settled, up to 10,000.", "state", open=asked, overdue=overdue),
            _gauge("messages_open", "Messages that are not settled yet, up to 10,000.", "state", queued=queued, sending=sending),
        ]


def silent() -> list[Family]:
    """What is said while the database does not answer."""
    return [_up(0.0)]


def _up(value: float) -> Family:
    return Family(PREFIX + "database_up", "gauge", "Whether the database answers.", [("", (), value)])


def _gauge(name: str, text: str, label: str, **values: float) -> Family:
    samples: Iterable[tuple[str, float]] = values.items()
    return Family(PREFIX + name, "gauge", text, [("", ((label, value),), figure) for value, figure in samples])


# The oldest waiting delivery is found by hopping from shop to shop through the partial index.
READ: LiteralString = f"""
with recursive now as materialized (select app_now() as at),
shop (id) as (
    (select shop_id from deliveries where state = 'pending' and shop_id is not null order by shop_id limit 1)
    union all
    select (select d.shop_id from deliveries d where d.state = 'pending' and d.shop_id > shop.id order by d.shop_id limit 1)
    from shop where shop.id is not null
),
oldest as (
    select (select d.received_at from deliveries d where d.state = 'pending' and d.shop_id = shop.id order by d.id limit 1) as at
    from shop where id is not null
)
select
    (select count(*) from (select 1 from deliveries where state = 'pending' and shop_id is not null limit {MOST}) x),
    coalesce(extract(epoch from now.at - (select min(at) from oldest)), 0),
    (select count(*) from (select 1 from deliveries where state = 'quarantined' limit {MOST}) x),
    (select count(*) from (select 1 from checkouts where due_at <= now.at limit {MOST}) x),
    coalesce(extract(epoch from now.at - (select min(due_at) from checkouts where due_at <= now.at)), 0),
    (select count(*) from (select 1 from messages where state = 'queued' and due_at <= now.at limit {MOST}) x),
    coalesce(extract(epoch from now.at - (select min(due_at) from messages where state = 'queued' and due_at <= now.at)), 0),
    (select count(*) from (select 1 from messages where state = 'queued' limit {MOST}) x),
    (select count(*) from (select 1 from messages where state = 'sending' limit {MOST}) x),
    (select count(*) from (select 1 from privacy_requests where state = 'open' limit {MOST}) x),
    (select count(*) from (select 1 from privacy_requests where state = 'open' and due_at < now.at limit {MOST}) x)
from now
"""
