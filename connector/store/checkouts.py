"""What of a checkout follows from all that was seen of it: last activity, conversion by an order, when it is due."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from sqlalchemy import text

from connector.canonical import Checkout, Stage
from connector.rules.abandonment import ActivityClock, standing
from connector.rules.automations import CheckoutFacts
from connector.store.db import Session, run
from connector.store.upserts import Key, as_array, as_json
from connector.store.versions import load_histories

RECOVERY_WINDOW = timedelta(days=30)
"""How long after the last activity an order of the same person, without the checkout's token, still counts as its conversion."""


@dataclass(frozen=True, slots=True)
class Standings:
    """Of the checkouts looked at: those an order (or the platform's own word) converted, and those that ended otherwise."""

    converted: list[int]
    ended: list[int]


class Kept(NamedTuple):
    """
    A kept checkout, not locked. `is_over`: by an order, by the platform's word, or removed. `lines_digest`: of its lines.
    `is_quiet`: only a sync told of it as it is.
    """

    id: int
    public_id: str
    is_over: bool
    is_abandoned: bool
    line_count: int
    lines_digest: str | None
    is_quiet: bool


class State(NamedTuple):
    """What a checkout's row says of its course, while the row is locked."""

    id: int
    stage: str
    last_activity_at: datetime
    due_at: datetime | None
    abandoned_at: datetime | None
    converted_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    deleted_at: datetime | None
    line_count: int
    is_quiet: bool


class Terms(Protocol):
    """The shop whose checkouts are settled, and by what: `ActivityClock` and the threshold."""

    @property
    def id(self) -> int | None: ...
    @property
    def activity_clock(self) -> str: ...
    @property
    def threshold_minutes(self) -> int: ...


class Touched(NamedTuple):
    """Of a checkout that was told of: T0 by all its versions and its locked row, each None if it must be looked at again."""

    last_activity_at: datetime | None
    state: State | None


def find_kept(session: Session, shop_id: int, keys: Iterable[Key]) -> dict[Key, Kept]:
    """Those of these checkouts and carts (stage, platform id) that are kept, in id order."""
    rows = run(session, _KEPT, {"shop": shop_id, "keys": as_json([{"stage": key[0], "platform_id": key[1]} for key in keys])})
    return {(row[0], row[1]): Kept(*row[2:]) for row in rows}


def expect_due(
    checkout: Checkout,
    kept: Kept | None,
    completed_at: datetime | None,
    last_activity_at: datetime,
    threshold_minutes: int,
    *,
    is_quiet: bool = False,
) -> datetime | None:
    """When a checkout falls due if no order and no removal says otherwise; `settle` looks at those too."""
    if kept and kept.is_abandoned:
        return None
    return standing(
        last_activity_at=last_activity_at,
        has_lines=bool(checkout.lines),
        is_over=bool(completed_at or checkout.closed_at or (kept and kept.is_over)),
        is_cart=checkout.stage is Stage.CART,
        threshold_minutes=threshold_minutes,
        is_quiet=is_quiet,
    ).due_at


def matching_checkouts(session: Session, shop_id: int, order_ids: Sequence[int]) -> list[int]:
    """Checkouts that one of these orders may convert, by token, cart token or the person, or had converted as it was before."""
    if not order_ids:
        return []
    return [row[0] for row in run(session, _MATCHING, {"shop": shop_id, "orders": as_array(order_ids)})]


def settle(
    session: Session, shop: Terms, checkout_ids: Iterable[int], touched: Mapping[int, Touched] | None = None, *, is_quiet: bool = False
) -> Standings:
    """
    Recompute what is derived: T0, the converting order, the due time. A function of the rows alone, so the order of deliveries
    does not matter. Locks the checkouts in id order; a claim of one of their messages waits.

    `touched`: what is known for sure of some of them, since they were written just now. `is_quiet`: by a sync, which may find a
    conversion where there was none, and changes no other.
    """
    ids = sorted(checkout_ids)
    if not ids:
        return Standings([], [])
    touched = touched or {}
    rows = [one.state for one in touched.values() if one.state]
    if others := set(ids).difference(row.id for row in rows):
        rows += map(State._make, run(session, _STATES, {"ids": as_array(sorted(others))}))
    known = {checkout_id: one.last_activity_at for checkout_id, one in touched.items() if one.last_activity_at is not None}
    clock = ActivityClock(shop.activity_clock)
    histories = load_histories(session, [checkout_id for checkout_id in ids if checkout_id not in known], clock)
    known |= {checkout_id: history.last_activity(clock) for checkout_id, history in histories.items()}
    derived = [_derive(shop, row, known.get(row.id, row.last_activity_at), row.converted_at) for row in rows]
    _write_derived(session, [new for row, new in zip(rows, derived, strict=True) if new != (row.id, row.last_activity_at, row.due_at)])
    changed = _settle_conversion(session, shop, ids, is_quiet=is_quiet)
    converted_at = {row.id: changed.get(row.id, row.converted_at) for row in rows}
    due_anew = [(row, new) for row, new in zip(rows, derived, strict=True) if row.id in changed]
    _write_derived(session, [_derive(shop, row, new.last_activity_at, changed[row.id]) for row, new in due_anew])
    return Standings(
        converted=[row.id for row in rows if converted_at[row.id] or row.completed_at],
        ended=[row.id for row in rows if not (converted_at[row.id] or row.completed_at) and (row.closed_at or row.deleted_at)],
    )


class _Derived(NamedTuple):
    """What of a checkout is derived, without its conversion."""

    id: int
    last_activity_at: datetime
    due_at: datetime | None


def _derive(shop: Terms, row: State, last_activity_at: datetime, converted_at: datetime | None) -> _Derived:
    state = standing(
        last_activity_at=last_activity_at,
        has_lines=row.line_count > 0,
        is_over=bool(converted_at or row.completed_at or row.closed_at or row.deleted_at),
        is_cart=row.stage == Stage.CART,
        threshold_minutes=shop.threshold_minutes,
        is_quiet=row.is_quiet,
    )
    return _Derived(row.id, last_activity_at, None if row.abandoned_at else state.due_at)


def _write_derived(session: Session, derived: Sequence[_Derived]) -> None:
    if derived:
        rows = as_json([one._asdict() for one in derived])
        run(session, _WRITE_DERIVED, {"rows": rows, "ids": as_array(one.id for one in derived)})


def _settle_conversion(session: Session, shop: Terms, ids: list[int], *, is_quiet: bool) -> dict[int, datetime | None]:
    """
    Tokens are certain and come first; of equals the earliest order counts. Returns the conversions that changed, by checkout.

    A newer version of the order or of the checkout may name another person: then there was no conversion after all. One whose
    order we no longer keep stays. So does one of which only a sync says something else, unless a better order comes.
    """
    values = {"shop": shop.id, "ids": as_array(ids), "window": RECOVERY_WINDOW, "is_quiet": is_quiet}
    rows = run(session, _CONVERT, values)
    return {row[0]: row[1] for row in rows}


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
    statement = text("select * from checkouts where shop_id = :shop and id = any(:ids)")
    return {row.id: facts_of(row) for row in session.execute(statement, {"shop": shop_id, "ids": list(checkout_ids)})}


def facts_of(row: Any) -> CheckoutFacts:
    """A row of `checkouts` as the rules see it."""
    return CheckoutFacts(
        email=row.email_norm,
        has_lines=row.line_count > 0,
        is_cart=row.stage == "cart",
        is_converted=row.converted_at is not None or row.completed_at is not None,
        is_closed=row.closed_at is not None or row.deleted_at is not None,
        last_activity_at=row.last_activity_at,
        abandoned_at=row.abandoned_at,
        recovery_url=row.recovery_url,
        is_quiet=row.is_quiet,
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


_KEPT = """
    select c.stage, c.platform_id, c.id, c.public_id,
           c.converted_at is not null or c.completed_at is not null or c.deleted_at is not null, c.abandoned_at is not null,
           c.line_count, c.lines_digest, c.is_quiet
    from json_to_recordset(cast(%(keys)s as json)) k (stage text, platform_id text)
    cross join lateral (
        select * from checkouts where shop_id = %(shop)s and stage = k.stage and platform_id = k.platform_id limit 1
    ) c order by c.id
"""
_STATES = f"""
    select {", ".join(State._fields)} from checkouts where id = any(cast(%(ids)s as bigint[])) order by id for update
"""
_WRITE_DERIVED = """
    update checkouts c set last_activity_at = r.last_activity_at, due_at = r.due_at
    from json_populate_recordset(null::checkouts, cast(%(rows)s as json)) r
    where c.id = r.id and c.id = any(cast(%(ids)s as bigint[]))
      and (c.last_activity_at, c.due_at) is distinct from (r.last_activity_at, r.due_at)
"""
# A checkout's own two words that may name an order, and an order's that may name a person: (strength, by, condition).
_TOKENS = (
    (1, "checkout_token", "o.checkout_token = c.token"),
    (2, "cart_token", "o.cart_token = c.cart_token"),
)
_PERSON = (
    "o.customer_platform_id = c.customer_platform_id",
    "o.email_norm = c.email_norm",
    "o.phone_e164 = c.phone_e164",
    "o.phone_e164 = c.checkout_phone_e164",
)
_IN_TIME = "o.placed_at between c.created_at and c.last_activity_at + %(window)s"
_WAYS = (*_TOKENS, *((3, "person", f"{word} and {_IN_TIME}") for word in _PERSON))
# An order that only a sync told of takes nobody's place, and a sync gives nobody's place away: whatever was converted before stays
# as it was, as long as nobody but a sync says otherwise of the checkout or its order, or a better order comes.
_KEPT_ORDER = """
        (select o.id order_id, c.converted_at placed_at, o.platform_id,
                case c.converted_by when 'checkout_token' then 1 when 'cart_token' then 2 else 3 end strength, c.converted_by by
         from orders o where o.id = c.converted_order_id and (%(is_quiet)s or c.is_quiet or o.is_quiet))
"""
_CANDIDATES = " union all ".join(
    [_KEPT_ORDER]
    + [
        f"""
        (select o.id order_id, o.placed_at, o.platform_id, {strength} strength, '{by}' by from orders o
         where o.shop_id = %(shop)s and {condition}
           and (c.converted_at is null or not (o.is_quiet or %(is_quiet)s))
         order by o.placed_at, o.platform_id limit 1)
    """
        for strength, by, condition in _WAYS
    ]
)
_CONVERT = f"""
    with c as materialized (
        select id, token, cart_token, customer_platform_id, email_norm, phone_e164, checkout_phone_e164, created_at, last_activity_at,
               is_quiet, converted_order_id, converted_at, converted_by
        from checkouts where id = any(cast(%(ids)s as bigint[]))
    ),
    chosen as (
        select c.id, o.* from c left join lateral (
            select * from ({_CANDIDATES}) candidates order by strength, placed_at, platform_id limit 1
        ) o on true
    )
    update checkouts t set converted_order_id = chosen.order_id, converted_at = chosen.placed_at, converted_by = chosen.by
    from chosen where t.id = chosen.id and t.id = any(cast(%(ids)s as bigint[]))
      and (t.converted_order_id, t.converted_at, t.converted_by) is distinct from (chosen.order_id, chosen.placed_at, chosen.by)
      and (chosen.order_id is not null or t.converted_order_id is not null)
    returning t.id, t.converted_at
"""
_SAME_WORDS = (
    ("token", "checkout_token"),
    ("cart_token", "cart_token"),
    ("customer_platform_id", "customer_platform_id"),
    ("email_norm", "email_norm"),
    ("phone_e164", "phone_e164"),
    ("checkout_phone_e164", "phone_e164"),
)
# `offset 0` keeps each look-up apart, through the index of its column. A shop without checkouts is not asked for those of each order.
_MATCHING = (
    """
    with o as materialized (
        select * from orders where id = any(cast(%(orders)s as bigint[])) and exists (select 1 from checkouts where shop_id = %(shop)s)
    )
    """
    + " union ".join(
        f"""
        select c.id from o cross join lateral (
            select id from checkouts where shop_id = %(shop)s and {ours} = o.{theirs} offset 0
        ) c
        """
        for ours, theirs in _SAME_WORDS
    )
    + " union select id from checkouts where shop_id = %(shop)s and converted_order_id = any(cast(%(orders)s as bigint[]))"
)
