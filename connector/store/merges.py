"""
Customers that became one: what names the merged one means the kept one.

The merges are kept, and whatever names a merged customer is turned to the kept one when it is written: an order of the merged one
may come after the merge, and a chain of merges may be told in any order. So what was told first does not matter.
"""

from collections.abc import Iterable, Sequence

from connector.canonical import Checkout, CustomerMerged, Order, Removed, Resource
from connector.store import grant_merging
from connector.store.db import Session, run
from connector.store.upserts import as_json

LONGEST_CHAIN = 20


def save_merges(session: Session, shop_id: int, merges: Sequence[CustomerMerged]) -> list[Removed]:
    """Keep merges; returns the merged customers as removals, for they are gone."""
    rows = [{"merged_id": merge.merged_id, "kept_id": merge.kept_id, "at": merge.at} for merge in _newest(merges)]
    if rows:
        run(session, _SAVE, {"shop": shop_id, "rows": as_json(rows)})
    return [Removed(Resource.CUSTOMER, merge.at, merge.merged_id) for merge in merges]


def settle_merges(
    session: Session, shop_id: int, merges: Sequence[CustomerMerged], records: Iterable[Checkout | Order]
) -> tuple[list[int], list[int]]:
    """
    Turn what names merged customers, those of `merges` and those that `records` name, to the kept ones.

    Returns the checkouts and the orders that name another customer now. Locks both in id order, and after them the shop's offer work.
    """
    named = {merge.merged_id for merge in merges} | {record.customer_id for record in records if record.customer_id is not None}
    if not named:
        return [], []
    found = run(session, _RESOLVE, {"shop": shop_id, "ids": sorted(named), "longest": LONGEST_CHAIN})
    rows = [{"merged_id": merged, "kept_id": kept} for merged, kept in found if merged != kept]
    if not rows:
        return [], []
    values = {"shop": shop_id, "rows": as_json(rows)}
    checkouts, orders = ([row[0] for row in run(session, _TURN.format(table=table), values)] for table in ("checkouts", "orders"))
    grant_merging.follow_merges(session, shop_id, {row["merged_id"]: row["kept_id"] for row in rows})
    return sorted(checkouts), sorted(orders)


def merged_into(session: Session, shop_id: int, kept_id: str) -> list[str]:
    """The customers that were merged into this one, at once or by way of others."""
    return sorted(row[0] for row in run(session, _INTO, {"shop": shop_id, "kept": kept_id}))


def _newest(merges: Sequence[CustomerMerged]) -> list[CustomerMerged]:
    """One merge of each merged customer, the last one told."""
    return list({merge.merged_id: merge for merge in sorted(merges, key=lambda one: (one.at, one.kept_id))}.values())


_SAVE = """
    insert into customer_merges as m (shop_id, merged_id, kept_id, at)
    select %(shop)s, merged_id, kept_id, at from json_populate_recordset(null::customer_merges, cast(%(rows)s as json))
    on conflict (shop_id, merged_id) do update set kept_id = excluded.kept_id, at = excluded.at
    where (excluded.at, excluded.kept_id) > (m.at, m.kept_id)
"""
_RESOLVE = """
    with recursive chain (merged_id, kept_id, length) as (
        select merged_id, kept_id, 1 from customer_merges where shop_id = %(shop)s and merged_id = any(%(ids)s)
        union all
        select c.merged_id, m.kept_id, c.length + 1 from chain c
        join customer_merges m on m.shop_id = %(shop)s and m.merged_id = c.kept_id where c.length < %(longest)s
    )
    select distinct on (merged_id) merged_id, kept_id from chain order by merged_id, length desc
"""
_TURN = """
    with named as (
        select t.id, r.kept_id from json_to_recordset(cast(%(rows)s as json)) r (merged_id text, kept_id text)
        join {table} t on t.shop_id = %(shop)s and t.customer_platform_id = r.merged_id order by t.id for update of t
    )
    update {table} t set customer_platform_id = named.kept_id from named where t.id = named.id returning t.id
"""
_INTO = """
    with recursive gone (id) as (
        select merged_id from customer_merges where shop_id = %(shop)s and kept_id = %(kept)s
        union select m.merged_id from customer_merges m join gone on m.shop_id = %(shop)s and m.kept_id = gone.id
    )
    select id from gone
"""
