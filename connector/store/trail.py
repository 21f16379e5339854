"""Audit entries with the names of what they are about, over all accounts: for support. Needs a system transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are wanted; None: all. `begins`: how the action begins, `actor`: the whole name of who acted."""

    shop_id: int | None = None
    begins: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry. `actor` is its name as it was written; `staff_name` and `member_email` say who that is today, if it is one of those.
    """

    id: int
    at: datetime
    actor: str
    action: str
    object: str | None
    reason: str | None
    request_id: str | None
    shop_id: str | None
    shop_name: str | None
    account_name: str | None
    staff_name: str | None
    member_email: str | None


def list_trail(session: Session, sought: Sought, before: int | None, limit: int) -> Sequence[Entry]:
    """Entries that fit, newest first; `before`: only those older than the one with this id."""
    conditions = {
        "shop": "e.shop_id = :shop",
        "actor": "e.actor = :actor",
        "begins": "starts_with(e.action, :begins)",
        "before": "e.id < :before",
    }
    given = {"shop": sought.shop_id, "actor": sought.actor, "begins": sought.begins, "before": before}
    known = {name: value for name, value in given.items() if value is not None}
    statement = _LIST.format(conditions=" and ".join(["true", *(conditions[name] for name in known)]))
    return [Entry(*row) for row in session.execute(text(statement), {**known, "limit": limit})]


_LIST = """
with entries as materialized (
    select * from audit_entries e where {conditions} order by e.id desc limit :limit
)
select e.id, e.at, e.actor, e.action, e.object, e.reason, e.request_id, s.public_id, s.name, a.name, t.name, m.email
from entries e
left join shops s on s.id = e.shop_id
left join accounts a on a.id = e.account_id
left join staff t on e.actor = 'staff ' || t.public_id
left join members m on m.public_id = substr(e.actor, 8) and starts_with(e.actor, 'member ')
order by e.id desc
"""
