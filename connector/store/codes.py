"""
Discount codes as their store had them when it was read last. Letter case does not tell codes apart.

What the platform tells of a change holds no code, so everything here comes of reads: of two, the one that began later counts.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import TextClause, func, select, text
from sqlmodel import Session, col

from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.store.automation_tables import DiscountCodeRow
from connector.store.ids import public_id
from connector.store.upserts import as_json

SLACK = timedelta(minutes=1)
LAST_MINUTES = timedelta(minutes=15)

_SAVE = text("""
    insert into discount_codes as held (public_id, shop_id, platform_id, code, title, kind, status, value, currency, starts_at, ends_at,
        usage_limit, used, once_per_customer, minimum_subtotal, restrictions, source_version, read_at)
    select distinct on (lower(r.code)) r.public_id, :shop, r.platform_id, r.code, r.title, r.kind, r.status, r.value, r.currency,
           r.starts_at, r.ends_at, r.usage_limit, r.used, r.once_per_customer, r.minimum_subtotal, r.restrictions,
           r.source_version, :read_at
    from jsonb_populate_recordset(null::discount_codes, cast(:rows as jsonb)) r
    where not exists (select 1 from removals x where x.shop_id = :shop and x.resource = 'discount_code'
                      and x.ref = 'id:' || r.platform_id and x.at >= :read_at)
    order by lower(r.code), r.source_version desc
    on conflict (shop_id, lower(code)) do update set
        platform_id = excluded.platform_id, code = excluded.code, title = excluded.title, kind = excluded.kind, status = excluded.status,
        value = excluded.value, currency = excluded.currency, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        usage_limit = excluded.usage_limit, used = excluded.used, once_per_customer = excluded.once_per_customer,
        minimum_subtotal = excluded.minimum_subtotal, restrictions = excluded.restrictions,
        source_version = excluded.source_version, read_at = excluded.read_at, deleted_at = null
    where (held.read_at is null or held.read_at <= excluded.read_at)
      and (held.deleted_at is null or held.deleted_at < excluded.read_at or held.platform_id is distinct from excluded.platform_id)
""")
_RENAMED = text("""
    update discount_codes set deleted_at = :read_at where id in (
        select d.id from discount_codes d
        join jsonb_to_recordset(cast(:rows as jsonb)) r (platform_id text, code text) on r.platform_id = d.platform_id
        where d.shop_id = :shop and lower(d.code) <> lower(r.code) and d.deleted_at is null and (d.read_at is null or d.read_at < :read_at)
        order by d.id for update of d
    )
""")

_NOT_LATELY = """
    d.deleted_at is null and d.platform_id is not null and d.status <> 'expired'
      and (d.read_at is null or d.read_at <= n.at - cast(:every as interval)
           or (d.ends_at > n.at and d.ends_at <= n.at + cast(:last as interval) and d.read_at <= n.at - cast(:near_end as interval))
           or (d.ends_at > d.read_at and d.ends_at <= n.at)
           or (d.status = 'scheduled' and d.starts_at > d.read_at and d.starts_at <= n.at))
      and not exists (select 1 from wanted_reads w
                      where w.shop_id = d.shop_id and w.resource = 'discount_code' and w.platform_id = d.platform_id
                        and (w.reason is null or w.wanted_at > n.at - cast(:every as interval)))
    group by d.shop_id, d.platform_id order by min(d.read_at) nulls first, d.shop_id, d.platform_id limit :limit
"""
_UNSEEN = text(f"""
    select d.shop_id, d.platform_id
    from discount_codes d join shops s on s.id = d.shop_id, (select app_now() at offset 0) n
    where s.state = 'connected' and s.platform = any(:platforms) and {_NOT_LATELY}
""")
# What newcomers are given, what people hold, and what heads a series. Of ours that have ended by our clock the store is asked by whoever
# ends them there: twice would cost the points with which to end them.
_UNSEEN_OF_OFFERS = text(f"""
    with used as (
        select o.shop_id, lower(c) code
        from offers o join offer_versions v on v.offer_id = o.id cross join lateral unnest(array[v.code, v.fallback_code]) c
        where o.state in ('active', 'suspended') and c is not null
          and (v.version = o.version
               or exists (select 1 from grants g where g.version_id = v.id and g.state in ('preparing', 'live', 'suspended')))
        union
        select k.shop_id, k.code_key
        from offers o join offer_codes k on k.offer_id = o.id
        where o.state in ('active', 'suspended') and k.role = 'model' and k.wanted = 'issued' and k.actual = 'issued'
          and k.ends_at > app_now()
    )
    select d.shop_id, d.platform_id
    from used u join discount_codes d on d.shop_id = u.shop_id and d.code_key = u.code
         join shops s on s.id = d.shop_id, (select app_now() at offset 0) n
    where s.state = 'connected' and s.platform = any(:platforms)
      and not (d.ends_at <= n.at and exists (select 1 from offer_codes k where k.shop_id = d.shop_id and k.code_key = d.code_key
                                             and k.model_id is null and k.actual = 'issued'))
      and {_NOT_LATELY}
""")
_UNSEEN_SHOPS = text("""
    select s.id from shops s
    where s.id in (select shop_id from offers where state in ('active', 'suspended')) and s.state = 'connected'
      and s.platform = any(:platforms)
      and (s.profile_read_at is null or s.profile_read_at <= app_now() - cast(:every as interval))
      and not exists (select 1 from wanted_reads w
                      where w.shop_id = s.id and w.resource = 'shop'
                        and (w.reason is null or w.wanted_at > app_now() - cast(:every as interval)))
    order by s.profile_read_at nulls first, s.id limit :limit
""")


def save_codes(session: Session, shop_id: int, states: Sequence[CodeState], read_at: datetime) -> None:
    """
    Keep codes as a read that began at `read_at` found them. A discount that has only this one code had its others renamed or removed.

    A code that was deleted before that instant and is there again counts as alive.
    """
    if not states:
        return
    rows = [_row(state) for state in states]
    session.execute(_SAVE, {"shop": shop_id, "read_at": read_at, "rows": as_json(rows)})
    only = [{"platform_id": state.platform_id, "code": state.code} for state in states if state.codes == 1]
    if only:
        session.execute(_RENAMED, {"shop": shop_id, "read_at": read_at, "rows": as_json(only)})


def mark_deleted(session: Session, shop_id: int, platform_id: str, at: datetime) -> int:
    """
    A discount is gone with all its codes; returns how many went.

    A platform tells the time of it in whole seconds and by its own clock: a read that began less than a minute after `at` does not
    prove that the discount is there again, and what began before this moment proves nothing at all.
    """
    statement = text("""
        update discount_codes set deleted_at = greatest(:at, app_now()) where id in (
            select id from discount_codes where shop_id = :shop and platform_id = :discount and deleted_at is null
              and (read_at is null or read_at <= :at + :slack) order by id for update
        ) returning id
    """)
    return len(session.execute(statement, {"shop": shop_id, "discount": platform_id, "at": at, "slack": SLACK}).all())


def kept_of(session: Session, shop_id: int, platform_ids: Sequence[str], limit: int) -> dict[str, list[str]]:
    """The codes that we keep of each of these discounts and that are not deleted, up to `limit` of each, the longest unread first."""
    statement = text("""
        select d.platform_id, d.code from unnest(cast(:ids as text[])) wanted (id) cross join lateral (
            select platform_id, code from discount_codes where shop_id = :shop and platform_id = wanted.id and deleted_at is null
            order by read_at nulls first, id limit :limit
        ) d
    """)
    kept: dict[str, list[str]] = {}
    for platform_id, code in session.execute(statement, {"shop": shop_id, "ids": list(platform_ids), "limit": limit}):
        kept.setdefault(platform_id, []).append(code)
    return kept


def mark_codes_deleted(session: Session, shop_id: int, codes: Sequence[str], at: datetime) -> None:
    """These codes were looked for at `at` and not found, whatever became of their discount."""
    statement = text("""
        update discount_codes set deleted_at = :at where shop_id = :shop and code_key = any(:codes) and deleted_at is null
          and (read_at is null or read_at <= :at)
    """)
    if codes:
        session.execute(statement, {"shop": shop_id, "codes": [code.lower() for code in codes], "at": at})


def unseen(session: Session, platforms: Collection[str], every: timedelta, near_end: timedelta, limit: int) -> dict[int, list[str]]:
    """
    Discounts that may still hold and were not looked at lately, by connected shop of these platforms; the longest unseen first.

    Not lately: for `every`, for `near_end` in the last quarter of an hour before the end, or not since the end (or the beginning) that
    they were read with has come. What is wanted already, or could not be read a moment ago, is left out.
    """
    return _by_shop(session, _UNSEEN, platforms, every, near_end, limit)


def unseen_of_offers(
    session: Session, platforms: Collection[str], every: timedelta, near_end: timedelta, limit: int
) -> dict[int, list[str]]:
    """As `unseen`, of those only that offers which are on give, that people hold of them, or that head a series of codes of theirs."""
    return _by_shop(session, _UNSEEN_OF_OFFERS, platforms, every, near_end, limit)


def unseen_shops(session: Session, platforms: Collection[str], every: timedelta, limit: int) -> list[int]:
    """Connected shops with offers that are on, whose store was not asked for so long whether anybody can buy there."""
    values = {"platforms": list(platforms), "every": every, "limit": limit}
    return list(session.execute(_UNSEEN_SHOPS, values).scalars())


def _by_shop(
    session: Session, statement: TextClause, platforms: Collection[str], every: timedelta, near_end: timedelta, limit: int
) -> dict[int, list[str]]:
    values = {"platforms": list(platforms), "every": every, "near_end": near_end, "last": LAST_MINUTES, "limit": limit}
    found: dict[int, list[str]] = {}
    for shop_id, platform_id in session.execute(statement, values):
        found.setdefault(shop_id, []).append(platform_id)
    return found


def find(session: Session, shop_id: int, code: str) -> DiscountCodeRow | None:
    """The code of a shop, whatever its letter case; also one that is deleted by now."""
    statement = select(DiscountCodeRow).where(
        col(DiscountCodeRow.shop_id) == shop_id, col(DiscountCodeRow.code_key) == func.lower(code.strip())
    )
    return session.scalars(statement).one_or_none()


def to_state(row: DiscountCodeRow) -> CodeState | None:
    """What the rules judge: the code as it was read, None if it is deleted or was never read."""
    if row.deleted_at is not None or row.read_at is None or row.platform_id is None or row.source_version is None:
        return None
    return CodeState(
        platform_id=row.platform_id,
        source_version=row.source_version,
        code=row.code,
        kind=CodeKind(row.kind),
        status=CodeStatus(row.status),
        title=row.title,
        value=row.value,
        currency=row.currency,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        usage_limit=row.usage_limit,
        used=row.used,
        once_per_customer=row.once_per_customer,
        minimum_subtotal=row.minimum_subtotal,
        restrictions=tuple(Restriction(one) for one in row.restrictions),
    )


def _row(state: CodeState) -> dict[str, object]:
    return {
        "public_id": public_id("dsc"),
        "platform_id": state.platform_id,
        "code": state.code,
        "title": state.title,
        "kind": state.kind,
        "status": state.status,
        "value": state.value,
        "currency": state.currency,
        "starts_at": state.starts_at,
        "ends_at": state.ends_at,
        "usage_limit": state.usage_limit,
        "used": state.used,
        "once_per_customer": state.once_per_customer,
        "minimum_subtotal": state.minimum_subtotal,
        "restrictions": [one.value for one in state.restrictions],
        "source_version": state.source_version,
    }
