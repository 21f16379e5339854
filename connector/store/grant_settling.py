"""
What becomes of grants by themselves: used by an order, ended with their code or their time, taken back with their order and restored.

The caller holds the shop's offer work. Everything is computed from rows, so it may be done twice and in any order.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import PaymentState
from connector.rules.grants import GrantReason, GrantState, OrderFacts, person_key, taken_back
from connector.store import grant_mails, grants, offer_codes
from connector.store.offer_tables import GrantRow
from connector.store.tables import OrderRow

_OF_ORDER = frozenset(
    {
        GrantReason.ORDER_REFUNDED,
        GrantReason.ORDER_CANCELLED,
        GrantReason.ORDER_DISPUTED,
        GrantReason.ORDER_DELETED,
        GrantReason.ORDER_UNPAID,
        GrantReason.HOLDS_OTHER,
    }
)


def load_orders(session: Session, order_ids: Sequence[int]) -> list[OrderRow]:
    """These orders as they are now, in the order in which they were paid: who bought first is served first."""
    statement = select(OrderRow).where(col(OrderRow.id).in_(order_ids)).execution_options(populate_existing=True)
    return sorted(session.scalars(statement), key=lambda order: (order.paid_at or order.placed_at, order.id or 0))


def facts_of(order: OrderRow) -> OrderFacts:
    """An order as the rules see it."""
    return OrderFacts(
        payment_state=PaymentState(order.payment_state),
        paid_at=order.paid_at,
        total=order.total,
        refunded_total=order.refunded_total or 0 * order.total,
        is_test=order.is_test,
        is_cancelled=order.cancelled_at is not None,
        is_disputed=order.is_disputed,
        is_deleted=order.deleted_at is not None,
    )


def settle_use(session: Session, order: OrderRow) -> int:
    """
    Grants whose code this order came with are used: a code of one's own by whoever used it, a shared one by the person it was given to.

    Of several orders the earliest counts. Returns how many grants that changed.
    """
    if not order.discount_codes or order.is_test or order.cancelled_at is not None or order.deleted_at is not None:
        return 0
    values = {
        "shop": order.shop_id,
        "order": order.id,
        "placed_at": order.placed_at,
        "codes": [code.lower() for code in order.discount_codes],
        "key": person_key(order.email_norm, order.customer_platform_id, order.phone_e164),
        "email": order.email_norm,
        "customer": order.customer_platform_id,
    }
    used = list(session.execute(_USE, values).scalars())
    grant_mails.cancel(session, used, GrantReason.USED.value)
    return len(used)


def settle_standing(session: Session, order: OrderRow, now: datetime) -> None:
    """An order was taken back, or stands again: so does what it earned, but for what is used or over (C59)."""
    grant = session.scalars(select(GrantRow).where(col(GrantRow.order_id) == order.id)).one_or_none()
    if grant is None or grant.id is None:
        return
    reason, state = taken_back(facts_of(order)), GrantState(grant.state)
    if reason is not None and state in (GrantState.PREPARING, GrantState.LIVE):
        grants.set_state(session, grant, GrantState.SUSPENDED, reason)
        grant_mails.cancel(session, [grant.id], reason.value)
        offer_codes.withdraw(session, grant.id)
    elif reason is None and state is GrantState.SUSPENDED and grant.reason in _OF_ORDER:
        _restore(session, grant, order, now)
    elif reason is None and state is GrantState.LIVE and not order.is_quiet:
        # Restored by a sync, perhaps, which sends no mail; now the store itself says that the order stands.
        grant_mails.requeue(session, grant.id)
    elif reason is not None and state is GrantState.SUSPENDED and grant.reason != reason.value:
        grants.set_state(session, grant, GrantState.SUSPENDED, reason)


def end_due(session: Session, shop_id: int, now: datetime) -> list[int]:
    """Grants whose own end has come."""
    statement = text("""
        update grants set state = 'ended', reason = 'expired', state_at = :now
        where shop_id = :shop and state in ('preparing', 'live', 'suspended') and ends_at <= :now returning id
    """)
    return _ended(session, session.execute(statement, {"shop": shop_id, "now": now}).scalars().all())


def end_with_codes(session: Session, shop_id: int, now: datetime) -> list[int]:
    """Grants whose code is gone, over or used up for good. What one's own code was used for, orders say."""
    return _ended(session, session.execute(_END_WITH_CODES, {"shop": shop_id, "now": now}).scalars().all())


def next_end(session: Session, shop_id: int, now: datetime) -> datetime | None:
    """When the next grant ends, by its own end or by that of a shared code, or the next code of ours, given or not."""
    found: datetime | None = session.execute(_NEXT_END, {"shop": shop_id, "now": now}).scalar()
    return found


def _ended(session: Session, ids: Sequence[int]) -> list[int]:
    grant_mails.cancel(session, list(ids), "ended")
    return list(ids)


def _restore(session: Session, grant: GrantRow, order: OrderRow, now: datetime) -> None:
    assert grant.id is not None
    if grant.ends_at is not None and grant.ends_at <= now:
        grants.set_state(session, grant, GrantState.ENDED, GrantReason.EXPIRED)
    elif grants.holds_other(session, grant):
        grants.set_state(session, grant, GrantState.SUSPENDED, GrantReason.HOLDS_OTHER)
    else:
        grants.set_state(session, grant, GrantState.LIVE if grant.code is not None else GrantState.PREPARING)
        offer_codes.restore(session, grant.id)
        if not order.is_quiet:  # No sync sends a mail.
            grant_mails.requeue(session, grant.id)


_USE = text("""
    update grants g set state = 'used', reason = 'used', used_at = :placed_at, used_order_id = :order,
        state_at = case when g.state = 'used' then g.state_at else app_now() end
    from offer_versions v
    where v.id = g.version_id and g.shop_id = :shop and g.code_key = any(:codes) and g.order_id is distinct from :order
      and date_trunc('second', g.granted_at) <= :placed_at and (g.used_at is null or g.used_at > :placed_at)
      and ((v.mode = 'unique' and g.code_key is distinct from lower(v.fallback_code))
           or g.person_key = :key or g.email_norm = :email or g.customer_platform_id = :customer)
    returning g.id
""")
_END_WITH_CODES = text("""
    with dead as (
        select d.code_key,
               case when d.deleted_at is not null then 'code_deleted'
                    when d.status = 'expired' or d.ends_at <= :now then 'expired' else 'code_used_up' end reason
        from discount_codes d
        where d.shop_id = :shop
          and (d.deleted_at is not null or d.status = 'expired' or d.ends_at <= :now
               or (d.usage_limit <= d.used and exists (select 1 from offer_versions v join offers o on o.id = v.offer_id
                   where o.shop_id = :shop and (lower(v.code) = d.code_key or lower(v.fallback_code) = d.code_key))))
    )
    update grants g set state = 'ended', reason = dead.reason, state_at = :now from dead
    where g.shop_id = :shop and g.state in ('preparing', 'live', 'suspended') and g.code_key = dead.code_key
      -- What we withdrew ourselves, or are just putting back, is not there because we wanted it so.
      and not exists (select 1 from offer_codes k where k.grant_id = g.id and (k.wanted = 'suspended' or k.wanted <> k.actual)
                      and k.actual <> 'refused')
    returning g.id
""")
_NEXT_END = text("""
    select least(
        (select min(ends_at) from grants where shop_id = :shop and state in ('preparing', 'live', 'suspended') and ends_at > :now),
        (select min(ends_at) from offer_codes
         where shop_id = :shop and model_id is null and wanted <> 'deleted' and refusal is null and wanted = 'issued' and ends_at > :now),
        (select min(d.ends_at) from discount_codes d
         where d.shop_id = :shop and d.ends_at > :now and d.deleted_at is null
           and d.code_key in (select lower(c) from offer_versions v join offers o on o.id = v.offer_id,
                                 unnest(array[v.code, v.fallback_code]) c where o.shop_id = :shop))
    )
""")
