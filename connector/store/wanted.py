"""
What must be read from a store again, and what became of it.

A claim is a lease: it moves `due_at`, so that a reader who dies leaves the record to the next one. Reading settles only what was
wanted before it began; what was wanted meanwhile stays and is read once more.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from connector.canonical import Resource
from connector.store.db import Session, run
from connector.store.upserts import as_json

LEASE_SECONDS = 180
"""Longer than a reader may work on what it claimed."""
MAX_ATTEMPTS = 10
LONGEST_WAIT_SECONDS = 3600


class Claimed(NamedTuple):
    """
    Records of one kind that are to be read now: their ids, how often each was tried before, and since when they are read.

    `is_quiet`: only a sync wants them, so nothing begins because of what they say.
    """

    resource: Resource
    attempts: dict[str, int]
    at: datetime
    is_quiet: bool = False


def want(
    session: Session, shop_id: int, wanted: Iterable[tuple[Resource, str]], delay_seconds: float = 0.0, *, is_quiet: bool = False
) -> int:
    """
    Have these records read again, after a while if that may wait; returns how many there are.

    `is_quiet`: a sync wants it. What the store itself made us want is not quiet, whoever wants it besides.
    One that is wanted already is wanted anew: whatever made its reading hopeless is forgotten, but one that is being read, or
    waits for another try, keeps its time.
    """
    rows = [{"resource": resource.value, "platform_id": platform_id} for resource, platform_id in sorted(set(wanted))]
    if rows:
        run(session, _WANT, {"shop": shop_id, "rows": as_json(rows), "delay": delay_seconds, "is_quiet": is_quiet})
    return len(rows)


def claim(session: Session, shop_id: int, limit: int) -> Claimed | None:
    """Take up to `limit` due records of one kind, of the kind that waits longest; None if nothing is due."""
    rows = run(session, _CLAIM, {"shop": shop_id, "limit": limit, "lease": LEASE_SECONDS})
    return Claimed(Resource(rows[0][0]), {row[1]: row[2] for row in rows}, rows[0][3], rows[0][4]) if rows else None


def settle(session: Session, shop_id: int, claimed: Claimed, ids: Collection[str]) -> None:
    """These were read, or need not be any more. Those that were wanted again meanwhile are due at once."""
    if ids:
        run(session, _SETTLE, _named(shop_id, claimed, ids) | {"at": claimed.at})


def release(session: Session, shop_id: int, claimed: Claimed, ids: Collection[str]) -> None:
    """These could not be tried: as if they had not been claimed."""
    if ids:
        run(session, _RELEASE, _named(shop_id, claimed, ids))


def postpone(session: Session, shop_id: int, claimed: Claimed, ids: Collection[str], reason: str) -> None:
    """These could not be read this time: again later, each time after a longer wait, and given up for `reason` after ten tries."""
    over = [one for one in ids if claimed.attempts[one] + 1 >= MAX_ATTEMPTS]
    give_up(session, shop_id, claimed, over, reason)
    if rest := set(ids).difference(over):
        run(session, _POSTPONE, _named(shop_id, claimed, rest) | {"longest": LONGEST_WAIT_SECONDS})


def give_up(session: Session, shop_id: int, claimed: Claimed, ids: Collection[str], reason: str) -> None:
    """These will not be read before they are wanted again; `reason` stays for support to read."""
    if ids:
        run(session, _GIVE_UP, _named(shop_id, claimed, ids) | {"reason": reason})


def has_due(session: Session, shop_id: int) -> bool:
    """Whether something is to be read now."""
    statement = """
        select exists (select 1 from wanted_reads where shop_id = %(shop)s and reason is null and due_at <= app_now())
    """
    return bool(run(session, statement, {"shop": shop_id})[0][0])


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Connected shops of which something is to be read now, the longest waiting first."""
    statement = """
        select w.shop_id from wanted_reads w join shops s on s.id = w.shop_id and s.state = 'connected'
        where w.reason is null and w.due_at <= app_now() group by w.shop_id order by min(w.due_at), w.shop_id limit %(limit)s
    """
    return [row[0] for row in run(session, statement, {"limit": limit})]


def list_hopeless(session: Session, shop_id: int, limit: int) -> Sequence[tuple[Resource, str, str]]:
    """What could not be read and why: kind, platform id, reason; the newest wish first."""
    statement = """
        select resource, platform_id, reason from wanted_reads where shop_id = %(shop)s and reason is not null
        order by wanted_at desc, resource, platform_id limit %(limit)s
    """
    return [(Resource(row[0]), row[1], row[2]) for row in run(session, statement, {"shop": shop_id, "limit": limit})]


def _named(shop_id: int, claimed: Claimed, ids: Collection[str]) -> dict[str, object]:
    return {"shop": shop_id, "resource": claimed.resource.value, "ids": sorted(ids)}


_WANT = """
    insert into wanted_reads as w (shop_id, resource, platform_id, wanted_at, due_at, is_quiet)
    select %(shop)s, r.resource, r.platform_id, n.at, n.at + make_interval(secs => %(delay)s), %(is_quiet)s
    from json_to_recordset(cast(%(rows)s as json)) r (resource text, platform_id text), (select app_now() at offset 0) n
    order by r.resource, r.platform_id
    on conflict (shop_id, resource, platform_id) do update set
        wanted_at = greatest(w.wanted_at, excluded.wanted_at),
        due_at = case when w.reason is not null then excluded.due_at when w.attempts > 0 then w.due_at
            else least(w.due_at, excluded.due_at) end,
        attempts = case when w.reason is null then w.attempts else 0 end,
        is_quiet = excluded.is_quiet and (w.is_quiet or w.reason is not null),
        reason = null
"""
_CLAIM = """
    with now as materialized (select app_now() at),
    kind as materialized (
        select resource, is_quiet from wanted_reads, now where shop_id = %(shop)s and reason is null and due_at <= now.at
        order by due_at, resource limit 1
    ),
    due as materialized (
        select w.resource, w.platform_id from wanted_reads w, now
        where w.shop_id = %(shop)s and w.resource = (select resource from kind) and w.is_quiet = (select is_quiet from kind)
          and w.reason is null and w.due_at <= now.at
        order by w.due_at, w.platform_id limit %(limit)s for update of w skip locked
    )
    update wanted_reads w set due_at = now.at + make_interval(secs => %(lease)s), attempts = w.attempts + 1
    from due, now where w.shop_id = %(shop)s and w.resource = due.resource and w.platform_id = due.platform_id
    returning w.resource, w.platform_id, w.attempts - 1, now.at, w.is_quiet
"""
_OF_THESE = "shop_id = %(shop)s and resource = %(resource)s and platform_id = any(%(ids)s)"
_SETTLE = f"""
    with settled as (delete from wanted_reads where {_OF_THESE} and wanted_at <= %(at)s)
    update wanted_reads set due_at = app_now(), attempts = 0 where {_OF_THESE} and wanted_at > %(at)s
"""
_RELEASE = f"update wanted_reads set due_at = app_now(), attempts = greatest(attempts - 1, 0) where {_OF_THESE}"
_POSTPONE = f"""
    update wanted_reads set due_at = app_now() + make_interval(secs => least(15 * power(2, attempts), %(longest)s)) where {_OF_THESE}
"""
_GIVE_UP = f"update wanted_reads set reason = %(reason)s where {_OF_THESE}"
