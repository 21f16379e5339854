"""
What became of abandoned checkouts, in figures (SQ-09): facts of the platforms only, no model. Reads only.

Abandoned are checkouts whose clock ran out in a range of days; those whose order had been placed before, and only became known
later, were never abandoned. Recovered are those of them with an order after that instant, whenever it came: so a rate is never
more than 1. Figures of different currencies are never added up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.store.automation_tables import AutomationRow
from connector.store.tables import CheckoutRow
from connector.store.upserts import as_json


@dataclass(frozen=True, slots=True)
class ShopDays:
    """The days of one shop: the instants at which each begins, in the shop's own time zone, and at last the end of the last one."""

    shop_id: int
    starts: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """
    The figures of one currency. `unreachable`: abandoned without an e-mail address; `sent`: e-mails that were handed over.

    Several checkouts of one person may end in one order: its value counts once.
    """

    abandoned: int = 0
    abandoned_value: Decimal = Decimal(0)
    unreachable: int = 0
    sent: int = 0
    recovered: int = 0
    recovered_value: Decimal = Decimal(0)

    @property
    def rate(self) -> Decimal | None:
        """The share of abandoned checkouts that were recovered; None if none was abandoned."""
        return Decimal(self.recovered) / self.abandoned if self.abandoned else None


@dataclass(frozen=True, slots=True)
class DayFigures:
    """The figures of one currency on one day, counted from the first day of the range (0)."""

    day: int
    currency: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class LastDelivery:
    """The newest webhook of a shop."""

    shop_id: int
    topic: str
    at: datetime


def daily_figures(session: Session, days: Sequence[ShopDays]) -> list[DayFigures]:
    """
    The figures of these shops for each day and currency on which there was anything, by day and currency.

    Checkouts count on the day on which they were abandoned, e-mails on the day on which they were sent. What was recovered is
    worth what its order was, in the order's currency, once that is paid. Tests, cancelled and deleted orders recovered nothing.
    """
    if not days:
        return []
    spans = as_json([{"shop": one.shop_id, "starts": [at.isoformat() for at in one.starts]} for one in days])
    rows = session.execute(_FIGURES, {"spans": spans})
    return [DayFigures(row.day, row.currency, Figures(*(getattr(row, name) for name in _NAMES))) for row in rows]


def total_by_currency(figures: Iterable[DayFigures]) -> dict[str, Figures]:
    """The figures of all days for each currency, the one with most abandoned checkouts first."""
    totals: dict[str, dict[str, Any]] = {}
    for one in figures:
        sums = totals.setdefault(one.currency, dict.fromkeys(_NAMES, 0))
        for name in _NAMES:
            sums[name] += getattr(one.figures, name)
    found = {currency: Figures(**sums) for currency, sums in totals.items()}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].abandoned, pair[0])))


def last_deliveries(session: Session, shop_ids: Sequence[int]) -> dict[int, LastDelivery]:
    """The newest webhook of each of these shops that has one."""
    statement = text("""
        select s.id, d.topic, d.received_at from unnest(cast(:shops as bigint[])) s (id)
        cross join lateral (
            select topic, received_at from deliveries where shop_id = s.id order by received_at desc, id desc limit 1
        ) d
    """)
    return {row[0]: LastDelivery(*row) for row in session.execute(statement, {"shops": list(shop_ids)})}


def automations_of(session: Session, shop_ids: Sequence[int]) -> dict[int, AutomationRow]:
    """The abandoned-checkout automation of each of these shops."""
    statement = select(AutomationRow).where(col(AutomationRow.shop_id).in_(shop_ids), col(AutomationRow.trigger) == "abandoned_checkout")
    return {row.shop_id: row for row in session.scalars(statement)}


def latest_full_checkout(session: Session, shop_id: int) -> CheckoutRow | None:
    """The newest checkout of a shop that holds something and has an address: what a preview can be written from."""
    statement = (
        select(CheckoutRow)
        .where(
            col(CheckoutRow.shop_id) == shop_id,
            col(CheckoutRow.stage) == "checkout",
            col(CheckoutRow.line_count) > 0,
            col(CheckoutRow.email_norm).is_not(None),
        )
        .order_by(col(CheckoutRow.created_at).desc(), col(CheckoutRow.id).desc())
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


def queued_count(session: Session, shop_id: int) -> int:
    """How many reminders of a shop are queued: what turning its automation off would cancel (SQ-20)."""
    statement = text("select count(*) from messages where shop_id = :shop and state = 'queued'")
    return int(session.execute(statement, {"shop": shop_id}).scalar_one())


_NAMES = tuple(field.name for field in fields(Figures))

# `offset 0` keeps each shop's look-up apart, through its index: of a range that it learns later the planner knows nothing, and would
# read whole tables. `starts[1]` is the first instant of the first day.
_FIGURES = text("""
    with spans as (
        select (one ->> 'shop')::bigint shop_id,
               array(select cast(at as timestamptz) from jsonb_array_elements_text(one -> 'starts') at) starts
        from jsonb_array_elements(cast(:spans as jsonb)) one
    ),
    gone as materialized (
        select c.*, width_bucket(c.abandoned_at, s.starts) - 1 as day from spans s cross join lateral (
            select id, abandoned_at, currency, total, email_norm is null as is_unreachable, converted_order_id,
                   coalesce(converted_at > abandoned_at, false) and not exists (
                       select 1 from orders o where o.id = converted_order_id
                         and (o.is_test or o.cancelled_at is not null or o.deleted_at is not null)
                   ) as is_recovered
            from checkouts
            where shop_id = s.shop_id and abandoned_at >= s.starts[1] and abandoned_at < s.starts[cardinality(s.starts)]
              and coalesce(converted_at, completed_at, 'infinity') > abandoned_at
            offset 0
        ) c
    ),
    won as (
        select distinct on (coalesce(g.converted_order_id, -g.id)) g.day, coalesce(o.currency, g.currency) currency,
               coalesce(o.total, g.total) total
        from gone g left join orders o on o.id = g.converted_order_id
        where g.is_recovered and (o.id is null or o.payment_state in ('paid', 'partially_refunded'))
        order by coalesce(g.converted_order_id, -g.id), g.abandoned_at desc, g.id desc
    ),
    parts as (
        select day, currency, count(*) abandoned, sum(total) abandoned_value, count(*) filter (where is_unreachable) unreachable,
               0 sent, count(*) filter (where is_recovered) recovered, cast(0 as numeric) recovered_value
        from gone group by day, currency
        union all
        select day, currency, 0, 0, 0, 0, 0, sum(total) from won group by day, currency
        union all
        select width_bucket(m.handed_over_at, s.starts) - 1,
               coalesce(g.currency, (select currency from checkouts where id = m.checkout_id)), 0, 0, 0, count(*), 0, 0
        from spans s cross join lateral (
            select checkout_id, handed_over_at from messages
            where shop_id = s.shop_id and handed_over_at >= s.starts[1] and handed_over_at < s.starts[cardinality(s.starts)]
              and state = 'sent' and channel = 'email'
            offset 0
        ) m left join gone g on g.id = m.checkout_id
        group by 1, 2
    )
    select day, currency, sum(abandoned)::int abandoned, sum(abandoned_value) abandoned_value, sum(unreachable)::int unreachable,
           sum(sent)::int sent, sum(recovered)::int recovered, sum(recovered_value) recovered_value
    from parts group by day, currency order by day, currency
""")
