"""
The statements of `offer_codes`, which change what is wanted or look at what is: each reads few rows however many codes there are.
"""

from sqlalchemy import text

from connector.rules.code_pool import LARGEST


def _now_wanted(wanted: str) -> str:
    """
    What a wish sets. A code that a store is being asked about keeps its lease: `due_at`.

    Where the last wish was tried and nobody knows the end of it, it counts as done: so it is undone, and not believed to be undone.
    """
    return f"""
        wanted = '{wanted}', changed_at = app_now(),
        actual = case when k.actual = '{wanted}' and k.wanted <> k.actual and k.attempts > 0 then k.wanted else k.actual end,
        attempts = case when k.wanted = k.actual then 0 else k.attempts end,
        due_at = case when k.wanted = k.actual then app_now() else k.due_at end
    """


_WAS_USED = """
    (exists (select 1 from grants g where g.shop_id = k.shop_id and g.code_key = k.code_key and g.state = 'used')
     or exists (select 1 from discount_codes d where d.shop_id = k.shop_id and d.code_key = k.code_key and d.used > 0))
"""
# Ids, so that the rest is looked up by them: mostly there are none.
OLD_HEADS = text("""
    select h.id from offer_codes h
    where h.shop_id = :shop and h.model_id is null and h.wanted <> 'deleted' and h.refusal is null and h.ends_at <= :before
      and not exists (select 1 from discount_codes d where d.shop_id = h.shop_id and d.code_key = h.code_key
                      and d.read_at is not null and d.deleted_at is null and (d.ends_at is null or d.ends_at > :before))
    order by h.ends_at, h.id limit 100
""")
WITHDRAW = f"""
    update offer_codes k set {_now_wanted("suspended")} where k.grant_id = :grant and k.wanted = 'issued' and k.actual <> 'refused'
    returning k.shop_id
"""
RESTORE = f"""
    update offer_codes k set {_now_wanted("issued")},
        platform_id = case when k.actual = 'issued' and k.attempts > 0
            then coalesce(k.platform_id, (select m.platform_id from offer_codes m where m.id = k.model_id)) else k.platform_id end
    where k.grant_id = :grant and k.wanted = 'suspended' returning k.shop_id
"""
END_HEADS = f"""
    update offer_codes k set {_now_wanted("suspended")}
    where k.shop_id = :shop and k.model_id is null and k.wanted <> 'deleted' and k.refusal is null and k.ends_at <= :now
      and k.wanted = 'issued'
      and not exists (select 1 from discount_codes d where d.shop_id = k.shop_id and d.code_key = k.code_key
                      and d.read_at is not null and d.deleted_at is null and (d.ends_at is null or d.ends_at > :now))
    returning k.shop_id
"""
END_UNIQUE = f"""
    update offer_codes k set {_now_wanted("suspended")}
    from offer_codes h
    where h.shop_id = :shop and h.model_id is null and h.wanted = 'suspended' and h.refusal is null and h.ends_at <= :now
      and h.changed_at > app_now() - interval '1 hour'
      and k.model_id = h.id and k.wanted = 'issued' and k.actual in ('none', 'issued') and k.ends_at <= :now
      and (k.actual = 'none'
           or (k.platform_id <> h.platform_id and not exists (select 1 from grants g where g.id = k.grant_id and g.state = 'used')))
    returning k.shop_id
"""
KEEP_USED = text(f"""
    update offer_codes k set refusal = :used
    where k.id in (select id from offer_codes where id = any(:heads) union all select id from offer_codes where model_id = any(:heads))
      and k.wanted = k.actual and k.refusal is null and {_WAS_USED}
""")
CLEAR_UNIQUE = f"""
    update offer_codes k set {_now_wanted("deleted")}
    where k.model_id = any(:heads) and k.wanted <> 'deleted' and k.refusal is null returning k.shop_id
"""
KEEP_MODELS = text("""
    update offer_codes h set refusal = :used
    where h.id = any(:heads) and h.role = 'model' and h.wanted = h.actual and h.refusal is null
      and exists (select 1 from offer_codes k where k.model_id = h.id and k.refusal = :used
                  and (k.platform_id is null or k.platform_id = h.platform_id))
      and not exists (select 1 from offer_codes k where k.model_id = h.id and k.wanted <> k.actual and k.actual <> 'refused')
""")
CLEAR_HEADS = f"""
    update offer_codes k set {_now_wanted("deleted")}
    where k.id = any(:heads) and k.refusal is null
      and not exists (select 1 from offer_codes u where u.model_id = k.id and u.actual not in ('deleted', 'refused')
                      and (u.refusal is distinct from :used or u.platform_id is null or u.platform_id = k.platform_id))
    returning k.shop_id
"""
SERIES = text("""
    select k.id from offer_codes k
    where k.role = 'model' and k.ends_at = :ends_at and k.wanted = 'issued'
      and (k.actual in ('none', 'issued') or (k.actual = 'refused' and k.version_id = :version))
      and k.version_id in (
          select v.id from offer_versions v join offer_versions w on w.id = :version
          where v.offer_id = :offer and v.mode = 'unique'
            and (v.kind, v.value, v.currency, v.minimum_subtotal, v.prefix) is not distinct from
                (w.kind, w.value, w.currency, w.minimum_subtotal, w.prefix)
      )
    order by k.id desc limit 1
""")
POOL = text(f"""
    select (select count(*) from (select 1 from grants where offer_id = :offer and granted_at > :since limit {LARGEST}) g),
           (select count(*) from offer_codes where model_id = :model and role = 'unique' and grant_id is null
            and wanted = 'issued' and actual in ('none', 'issued'))
""")
PENDING = text("""
    select role, wanted, actual, count(*), min(changed_at), max(attempts), min(due_at) from offer_codes
    where offer_id = :offer and wanted <> actual and actual <> 'refused' group by role, wanted, actual order by min(changed_at), role
""")
CLEARED = text("""
    select count(*) from offer_codes where offer_id = :offer and wanted = 'deleted' and actual = 'deleted' and refusal is null
""")
# A unique code waits for the discount that heads its series. Of `wanted <> actual` the planner believes that it holds for nearly all rows:
# only an order that an index has, and a limit, make it look into that index.
IS_DUE = """
    k.wanted <> k.actual and k.actual <> 'refused' and k.due_at <= app_now()
      and (k.model_id is null or (select m.actual from offer_codes m where m.id = k.model_id) <> 'none')
"""
IS_UNREAD = "k.grant_id is not null and k.platform_id is null and k.wanted = 'issued' and k.actual = 'issued' and k.due_at <= app_now()"
HAS_DUE = text(f"""
    select (select 1 from offer_codes k where k.shop_id = :shop and {IS_DUE} order by k.shop_id, k.due_at limit 1) is not null
        or exists (select 1 from offer_codes k where k.shop_id = :shop and {IS_UNREAD})
""")
SHOPS_WITH_DUE = text(f"""
    select d.shop_id from (
        (select k.shop_id, k.due_at from offer_codes k where {IS_DUE} order by k.due_at limit 10000)
        union all select k.shop_id, k.due_at from offer_codes k where {IS_UNREAD}
    ) d join shops s on s.id = d.shop_id and s.state = 'connected'
    group by d.shop_id order by min(d.due_at), d.shop_id limit :limit
""")
ENDED_AMONG = text("""
    select platform_id from offer_codes
    where shop_id = :shop and model_id is null and wanted = 'suspended' and refusal is null
      and ends_at <= app_now() and ends_at > app_now() - interval '1 day' and platform_id = any(:ids)
""")
