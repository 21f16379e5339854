"""
What offers did lately: whom they were given to, orders that came with their codes, and what those came to (SH-17 to SH-21).

Counted from grants and orders at each read, never from usage counters, which stores bring up to date when they please.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Money
from connector.rules.zones import zone
from connector.store.tables import ShopRow

DAYS = 30


@dataclass(frozen=True, slots=True)
class OfferNumbers:
    """
    One offer within the days `since` to `until`, both counted, of the shop's calendar.

    `recipients`: people it was given to. `orders`: those that came with a code of it. `sales`: the sum of their totals, `net`: what of it
    was not given back; each by currency.
    """

    recipients: int
    orders: int
    sales: tuple[Money, ...]
    net: tuple[Money, ...]
    since: date
    until: date


def numbers(session: Session, shop: ShopRow, offer_id: int, now: datetime) -> OfferNumbers:
    """One offer's numbers on the day of `now`."""
    return numbers_of(session, shop, [offer_id], now)[offer_id]


def numbers_of(session: Session, shop: ShopRow, offer_ids: Sequence[int], now: datetime) -> dict[int, OfferNumbers]:
    """
    The numbers of several offers of one shop, with one statement.

    An order counts for each offer that one of its codes belongs to, whatever the letter case: codes of all the offer's versions from the
    moment that they were its, the codes that it fell back on, and the single codes that were made for it. Test orders and deleted ones
    never count; one that was cancelled or given back in full does, with nothing left of it.
    """
    place = zone(shop.timezone)
    until = now.astimezone(place).date()
    since = until - timedelta(days=DAYS - 1)
    values = {
        "shop": shop.id,
        "offers": list(offer_ids),
        "since": _begin(since, place),
        "until": _begin(until + timedelta(days=1), place),
    }
    people: dict[int, int] = {}
    found: dict[int, list[Any]] = {}
    if offer_ids:
        for row in session.execute(_NUMBERS, values):
            if row.currency is None:
                people[row.offer_id] = row.recipients
            else:
                found.setdefault(row.offer_id, []).append(row)
    return {
        one: OfferNumbers(
            recipients=people.get(one, 0),
            orders=sum(row.orders for row in found.get(one, [])),
            sales=tuple(Money(Decimal(row.sales), row.currency) for row in found.get(one, [])),
            net=tuple(Money(Decimal(row.net), row.currency) for row in found.get(one, [])),
            since=since,
            until=until,
        )
        for one in offer_ids
    }


def _begin(day: date, place: tzinfo) -> datetime:
    return datetime.combine(day, time(), place).astimezone(UTC)


# The orders of the window that came with a code are few, and an index of them is read; each of their codes is then looked up. Who got
# grants under several addresses is one person if the store says that they are one customer, and guests are told by their address.
_NUMBERS = text("""
    with carried as materialized (
        select o.id, o.currency, o.total, o.placed_at, lower(c.code) as code,
               case when o.cancelled_at is not null or o.payment_state in ('voided', 'refunded') then 0
                    else greatest(o.total - coalesce(o.refunded_total, 0), 0) end as net
        from orders o cross join lateral unnest(o.discount_codes) c (code)
        where o.shop_id = :shop and o.discount_codes <> '{}' and o.placed_at >= :since and o.placed_at < :until
          and not o.is_test and o.deleted_at is null
    ),
    shared as materialized (
        select v.offer_id, lower(c.code) as code, min(v.at) as at
        from offer_versions v join offers f on f.id = v.offer_id cross join lateral unnest(array[v.code, v.fallback_code]) c (code)
        where f.shop_id = :shop and f.id = any(:offers) and c.code is not null
        group by v.offer_id, lower(c.code)
    ),
    hits as (
        select s.offer_id, o.id, o.currency, o.total, o.net
        from carried o join shared s on s.code = o.code and s.at <= o.placed_at
        union
        select k.offer_id, o.id, o.currency, o.total, o.net
        from carried o cross join lateral (
            select k.offer_id from offer_codes k
            where k.shop_id = :shop and k.code_key = o.code and k.role = 'unique' and k.offer_id = any(:offers) offset 0
        ) k
    ),
    names as (
        select offer_id, key, min(key) over (partition by offer_id, coalesce(customer_platform_id, 'guest ' || key)) as person
        from (
            select offer_id, coalesce(person_key, 'grant ' || id) as key, customer_platform_id from grants
            where shop_id = :shop and offer_id = any(:offers) and granted_at >= :since and granted_at < :until and code is not null
        ) g
    ),
    people as (select offer_id, min(person) over (partition by offer_id, key) as person from names)
    select offer_id, currency, count(*) as orders, sum(total) as sales, sum(net) as net, 0 as recipients
    from hits group by offer_id, currency
    union all
    select offer_id, null, 0, 0, 0, count(distinct person) from people group by offer_id
    order by offer_id, currency
""")
