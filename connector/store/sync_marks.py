"""
How well each kind of a shop's records is known: up to when all that changed in the store is here, and where comparing it stands.

A comparison goes from `good_until` to `until`, page by page; its `cursor` is good for this span only.
"""

from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Resource
from connector.store.run_tables import SyncMarkRow


def load_marks(session: Session, shop_id: int) -> dict[Resource, SyncMarkRow]:
    """What is known of each kind of records."""
    rows = session.scalars(select(SyncMarkRow).where(col(SyncMarkRow.shop_id) == shop_id).execution_options(populate_existing=True))
    return {Resource(row.resource): row for row in rows}


def begin_anew(session: Session, shop_id: int, at: datetime) -> None:
    """The shop was installed (again): what changed before is the first pull's to find. What was counted stays."""
    session.execute(_ANEW, {"shop": shop_id, "at": at})


def note_page(session: Session, shop_id: int, resource: Resource, since: datetime, until: datetime, cursor: str | None) -> None:
    """A page of what changed between two instants was compared; `cursor` says where to go on, None that it was the last."""
    values = {"shop": shop_id, "resource": resource.value, "since": since, "until": until, "cursor": cursor}
    session.execute(_PAGE, values)


def note_missed(session: Session, shop_id: int, resource: Resource, count: int) -> None:
    """So many records were found that webhooks should have told of and did not."""
    if count:
        session.execute(_MISSED, {"shop": shop_id, "resource": resource.value, "count": count})


def note_trouble(session: Session, shop_id: int, resource: Resource, error: str) -> None:
    """This kind could not be compared, and why; its next comparison begins at its first page again."""
    session.execute(_TROUBLE, {"shop": shop_id, "resource": resource.value, "error": error})


def note_good(session: Session, shop_id: int, resource: Resource, until: datetime) -> None:
    """All that the store changed before this instant was read. A comparison that goes beyond it goes on."""
    session.execute(_GOOD, {"shop": shop_id, "resource": resource.value, "until": until})


def note_walk(session: Session, shop_id: int, resource: Resource, began_at: datetime, cursor: str | None) -> None:
    """A walk over all records of this kind stands at `cursor`."""
    session.execute(_WALK, {"shop": shop_id, "resource": resource.value, "began": began_at, "cursor": cursor})


def end_walk(session: Session, shop_id: int, resource: Resource) -> None:
    """All records of this kind were looked at."""
    session.execute(_WALKED, {"shop": shop_id, "resource": resource.value})


_ANEW = text("""
    update sync_marks set good_until = :at, until = null, cursor = null, error = null, walk_began_at = null, walk_cursor = null,
        walked_at = null
    where shop_id = :shop
""")
_PAGE = text("""
    insert into sync_marks as m (shop_id, resource, good_until, until, cursor, checked_at)
    select :shop, :resource, case when n.cursor is null then n.until else cast(:since as timestamptz) end,
           case when n.cursor is not null then n.until end, n.cursor, app_now()
    from (select cast(:until as timestamptz) until, cast(:cursor as text) cursor) n
    on conflict (shop_id, resource) do update set
        good_until = greatest(m.good_until, excluded.good_until),
        until = case when m.good_until >= :until then null else excluded.until end,
        cursor = case when m.good_until >= :until then null else excluded.cursor end,
        checked_at = excluded.checked_at, error = null
""")
_MISSED = text("""
    insert into sync_marks as m (shop_id, resource, missed, missed_at) values (:shop, :resource, :count, app_now())
    on conflict (shop_id, resource) do update set missed = m.missed + excluded.missed, missed_at = excluded.missed_at
""")
_TROUBLE = text("""
    insert into sync_marks as m (shop_id, resource, checked_at, error) values (:shop, :resource, app_now(), :error)
    on conflict (shop_id, resource) do update set checked_at = excluded.checked_at, error = excluded.error, until = null, cursor = null
""")
_GOOD = text("""
    insert into sync_marks as m (shop_id, resource, good_until, checked_at) values (:shop, :resource, :until, app_now())
    on conflict (shop_id, resource) do update set
        good_until = case when m.until > :until then m.good_until else greatest(m.good_until, :until) end,
        until = case when m.until > :until then m.until end,
        cursor = case when m.until > :until then m.cursor end
""")
_WALK = text("""
    insert into sync_marks as m (shop_id, resource, walk_began_at, walk_cursor) values (:shop, :resource, :began, :cursor)
    on conflict (shop_id, resource) do update set walk_began_at = excluded.walk_began_at, walk_cursor = excluded.walk_cursor
""")
_WALKED = text("""
    insert into sync_marks as m (shop_id, resource, walked_at) values (:shop, :resource, app_now())
    on conflict (shop_id, resource) do update set walked_at = excluded.walked_at, walk_began_at = null, walk_cursor = null
""")
