"""
What the offers of a shop must look at: one row per shop whose lock is the lease, and the orders that changed since.

A shop without it never had an offer beyond a draft, and costs nothing here.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.store.db import run, wake_after_commit
from connector.store.offer_tables import OfferWorkRow
from connector.store.upserts import as_array
from connector.store.work import try_lock

JOB = "tend_offers"


def begin(session: Session, shop_id: int) -> None:
    """From now on the shop's orders and codes are looked at."""
    session.execute(text("insert into offer_work (shop_id) values (:shop) on conflict do nothing"), {"shop": shop_id})


def try_look(session: Session, shop_id: int) -> bool:
    """
    Until the transaction ends nobody else looks at this shop's offers; false at once if somebody does now. Before `hold`.

    Who rings after each change finds many looking at the same: they would all wait for one another's turn, with the threads of all
    workers, and those who only write what a store did behind them. What came too late for this look is due, and found by the next sweep.
    """
    return try_lock(session, f"{JOB} {shop_id}")


def hold(session: Session, shop_id: int) -> OfferWorkRow | None:
    """Until the transaction ends nobody else decides about this shop's offers and grants; None: there are none."""
    statement = select(OfferWorkRow).where(col(OfferWorkRow.shop_id) == shop_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def look_again(session: Session, shop_id: int) -> None:
    """Something of the shop changed that its offers depend on: they are looked at, even if whoever rings gets lost."""
    statement = text("update offer_work set due_at = least(due_at, app_now()) where shop_id = :shop returning 1")
    if session.execute(statement, {"shop": shop_id}).scalar() is not None:
        wake_after_commit(session, JOB, shop_id)


def note_orders(session: Session, shop_id: int, order_ids: Sequence[int]) -> None:
    """These orders are new or changed; nothing is written for a shop without offers."""
    if order_ids and run(session, _NOTE_ORDERS, {"shop": shop_id, "ids": as_array(order_ids)}):
        wake_after_commit(session, JOB, shop_id)


def note_removed(session: Session, shop_id: int, platform_ids: Sequence[str]) -> None:
    """These orders are gone from the store."""
    if platform_ids:
        statement = text("select id from orders where shop_id = :shop and platform_id = any(:ids)")
        note_orders(session, shop_id, list(session.execute(statement, {"shop": shop_id, "ids": list(platform_ids)}).scalars()))


def note_codes(session: Session, shop_id: int) -> None:
    """Codes of this shop were read, or removed."""
    statement = text("""
        update offer_work set codes_changed_at = clock_timestamp(), due_at = least(due_at, app_now()) where shop_id = :shop returning 1
    """)
    if session.execute(statement, {"shop": shop_id}).scalar() is not None:
        wake_after_commit(session, JOB, shop_id)


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Shops whose offers must look at something, the longest waiting first."""
    statement = text("""
        select shop_id from (
            select shop_id, due_at from offer_work where due_at <= app_now()
            union all select shop_id, min(due_at) from orders_to_judge where due_at <= app_now() group by shop_id
        ) due group by shop_id order by min(due_at), shop_id limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def due_orders(session: Session, shop_id: int, limit: int) -> list[int]:
    """
    Orders of the shop that must be looked at now, in the order in which they came to us.

    Not those that somebody is just writing down again: they ring when they have, and may wait for the offer work meanwhile.
    """
    statement = text("""
        select order_id from orders_to_judge where shop_id = :shop and due_at <= app_now()
        order by order_id limit :limit for update skip locked
    """)
    return list(session.execute(statement, {"shop": shop_id, "limit": limit}).scalars())


def settle_orders(session: Session, order_ids: Sequence[int]) -> None:
    """These were looked at."""
    if order_ids:
        run(session, "delete from orders_to_judge where order_id = any(cast(%(ids)s as bigint[]))", {"ids": as_array(order_ids)})


def postpone_orders(session: Session, order_ids: Sequence[int], until: datetime) -> None:
    """These wait, as for a code that is being made."""
    if order_ids:
        statement = "update orders_to_judge set due_at = %(until)s where order_id = any(cast(%(ids)s as bigint[]))"
        run(session, statement, {"ids": as_array(order_ids), "until": until})


_NOTE_ORDERS = """
    insert into orders_to_judge (order_id, shop_id, due_at)
    select o.id, w.shop_id, app_now() from offer_work w cross join unnest(cast(%(ids)s as bigint[])) o (id) where w.shop_id = %(shop)s
    on conflict (order_id) do update set due_at = excluded.due_at returning 1
"""
