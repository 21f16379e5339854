"""What of a checkout follows from all that was seen of it: last activity, conversion by an order, when it is due."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.abandonment import ActivityClock, Version, last_activity, standing
from connector.rules.automations import CheckoutFacts
from connector.store.tables import ShopRow
from connector.store.upserts import as_json

RECOVERY_WINDOW = timedelta(days=30)
"""How long after the last activity an order of the same person, without the checkout's token, still counts as its conversion."""


@dataclass(frozen=True, slots=True)
class Standings:
    """Of the checkouts looked at: those an order (or the platform's own word) converted, and those that ended otherwise."""

    converted: list[int]
    ended: list[int]


def matching_checkouts(session: Session, shop_id: int, order_ids: Sequence[int]) -> list[int]:
    """Checkouts that one of these orders may convert, by token, cart token or the person, or had converted as it was before."""
    if not order_ids:
        return []
    statement = text("""
        with o as (select * from orders where id = any(:orders))
        select c.id from checkouts c join o on c.shop_id = :shop and c.token = o.checkout_token
        union select c.id from checkouts c join o on c.shop_id = :shop and c.cart_token = o.cart_token
        union select c.id from checkouts c join o on c.shop_id = :shop and c.customer_platform_id = o.customer_platform_id
        union select c.id from checkouts c join o on c.shop_id = :shop and c.email_norm = o.email_norm
        union select c.id from checkouts c join o on c.shop_id = :shop and c.phone_e164 = o.phone_e164
        union select c.id from checkouts c join o on c.shop_id = :shop and c.checkout_phone_e164 = o.phone_e164
        union select id from checkouts where shop_id = :shop and converted_order_id = any(:orders)
    """)
    return list(session.execute(statement, {"shop": shop_id, "orders": list(order_ids)}).scalars())


def settle(session: Session, shop: ShopRow, checkout_ids: Sequence[int]) -> Standings:
    """
    Recompute what is derived: T0, the converting order, the due time. A function of the rows alone, so the order of deliveries
    does not matter. Locks the checkouts in id order; a claim of one of their messages waits.
    """
    ids = sorted(checkout_ids)
    if not ids:
        return Standings([], [])
    session.execute(text("select id from checkouts where id = any(:ids) order by id for update"), {"ids": ids})
    _settle_activity(session, shop, ids)
    _settle_conversion(session, shop, ids)
    return _settle_due(session, shop, ids)


def _settle_activity(session: Session, shop: ShopRow, ids: list[int]) -> None:
    versions: dict[int, list[Version]] = defaultdict(list)
    statement = text("""
        select checkout_id, source_version, fingerprint, quantities from checkout_versions where checkout_id = any(:ids)
        order by checkout_id, source_version, source_triggered_at, source_progress, source_digest
    """)
    for checkout_id, at, fingerprint, quantities in session.execute(statement, {"ids": ids}):
        versions[checkout_id].append(Version(at, fingerprint, quantities))
    clock = ActivityClock(shop.activity_clock)
    rows = [{"id": checkout_id, "last_activity_at": last_activity(seen, clock)} for checkout_id, seen in versions.items()]
    session.execute(
        text("""
            update checkouts c set last_activity_at = r.last_activity_at
            from jsonb_populate_recordset(null::checkouts, cast(:rows as jsonb)) r
            where c.id = r.id and c.last_activity_at is distinct from r.last_activity_at
        """),
        {"rows": as_json(rows)},
    )


def _settle_conversion(session: Session, shop: ShopRow, ids: list[int]) -> None:
    """
    Tokens are certain and come first; of equals the earliest order counts.

    A newer version of the order or of the checkout may name another person: then there was no conversion after all. One whose
    order we no longer keep stays.
    """
    session.execute(
        text("""
            with c as (select * from checkouts where id = any(:ids)),
            candidates as (
                select c.id, o.id order_id, o.placed_at, o.platform_id, 1 strength, 'checkout_token' by
                  from c join orders o on o.shop_id = :shop and o.checkout_token = c.token
                union all select c.id, o.id, o.placed_at, o.platform_id, 2, 'cart_token'
                  from c join orders o on o.shop_id = :shop and o.cart_token = c.cart_token
                union all select c.id, o.id, o.placed_at, o.platform_id, 3, 'person'
                  from c join orders o on o.shop_id = :shop and o.placed_at between c.created_at and c.last_activity_at + :window
                    and (o.customer_platform_id = c.customer_platform_id or o.email_norm = c.email_norm
                         or o.phone_e164 = c.phone_e164 or o.phone_e164 = c.checkout_phone_e164)
            ),
            chosen as (select distinct on (id) * from candidates order by id, strength, placed_at, platform_id)
            update checkouts t set converted_order_id = chosen.order_id, converted_at = chosen.placed_at, converted_by = chosen.by
            from c left join chosen on chosen.id = c.id where t.id = c.id
              and (t.converted_order_id, t.converted_at, t.converted_by) is distinct from (chosen.order_id, chosen.placed_at, chosen.by)
              and (chosen.id is not null or t.converted_order_id is not null)
        """),
        {"shop": shop.id, "ids": ids, "window": RECOVERY_WINDOW},
    )


def _settle_due(session: Session, shop: ShopRow, ids: list[int]) -> Standings:
    rows: list[dict[str, Any]] = []
    converted: list[int] = []
    ended: list[int] = []
    statement = text("""
        select c.*, exists (select 1 from checkout_lines l where l.checkout_id = c.id) has_lines from checkouts c where c.id = any(:ids)
    """)
    for row in session.execute(statement, {"ids": ids}):
        is_converted = row.converted_at is not None or row.completed_at is not None
        is_over = is_converted or row.closed_at is not None or row.deleted_at is not None
        state = standing(
            last_activity_at=row.last_activity_at,
            has_lines=row.has_lines,
            is_over=is_over,
            is_cart=row.stage == "cart",
            threshold_minutes=shop.threshold_minutes,
        )
        due_at = None if row.abandoned_at is not None else state.due_at
        if due_at != row.due_at:
            rows.append({"id": row.id, "due_at": due_at})
        if is_over:
            (converted if is_converted else ended).append(row.id)
    if rows:
        session.execute(
            text("""
                update checkouts c set due_at = r.due_at
                from jsonb_populate_recordset(null::checkouts, cast(:rows as jsonb)) r where c.id = r.id
            """),
            {"rows": as_json(rows)},
        )
    return Standings(converted, ended)


def lock_open(session: Session, shop_id: int) -> list[int]:
    """Lock the checkouts whose due time depends on the shop's threshold, open and not yet abandoned, and return their ids."""
    statement = text("select id from checkouts where shop_id = :shop and due_at is not null order by id for update")
    return list(session.execute(statement, {"shop": shop_id}).scalars())


def claim_abandoned(session: Session, shop_id: int, limit: int) -> list[int]:
    """Mark due checkouts as abandoned, at the instant they fell due, and return their ids."""
    statement = text("""
        update checkouts set abandoned_at = due_at, due_at = null where id in (
            select id from checkouts where shop_id = :shop and due_at <= app_now() order by due_at, id limit :limit for update skip locked
        ) returning id
    """)
    return sorted(session.execute(statement, {"shop": shop_id, "limit": limit}).scalars())


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Shops that have checkouts to mark as abandoned, the longest waiting first."""
    statement = text("""
        select shop_id from checkouts where due_at <= app_now() group by shop_id order by min(due_at) limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def load_facts(session: Session, shop_id: int, checkout_ids: Sequence[int]) -> dict[int, CheckoutFacts]:
    """The checkouts as the rules see them now."""
    statement = text("""
        select c.*, exists (select 1 from checkout_lines l where l.checkout_id = c.id) has_lines
        from checkouts c where c.shop_id = :shop and c.id = any(:ids)
    """)
    return {
        row.id: facts_of(row, has_lines=row.has_lines) for row in session.execute(statement, {"shop": shop_id, "ids": list(checkout_ids)})
    }


def facts_of(row: Any, *, has_lines: bool) -> CheckoutFacts:
    """A row of `checkouts` as the rules see it."""
    return CheckoutFacts(
        email=row.email_norm,
        has_lines=has_lines,
        is_cart=row.stage == "cart",
        is_converted=row.converted_at is not None or row.completed_at is not None,
        is_closed=row.closed_at is not None or row.deleted_at is not None,
        last_activity_at=row.last_activity_at,
        abandoned_at=row.abandoned_at,
        recovery_url=row.recovery_url,
    )


def prune_unidentified(session: Session, limit: int) -> int:
    """Remove checkouts without any contact that were left alone for 7 days; return how many."""
    statement = text("""
        delete from checkouts where id in (
            select id from checkouts c where c.email_norm is null and c.phone_e164 is null and c.checkout_phone_e164 is null
              and c.customer_platform_id is null and c.converted_at is null and c.last_activity_at < app_now() - interval '7 days'
              and not exists (select 1 from enrollments e where e.checkout_id = c.id)
            limit :limit for update skip locked
        ) returning id
    """)
    return len(session.execute(statement, {"limit": limit}).scalars().all())
