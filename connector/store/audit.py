"""Audit: who did what, to what, why and when. Entries are only ever added; no role of the app may change or delete one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from connector.store.automation_tables import AuditEntryRow
from connector.store.db import app_now

REASON = "support.reason"
REASON_LASTS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `member mem_…`, `staff stf_…`, `key key_…`, `system`, `command line`; and the request in which."""

    name: str
    request_id: str | None = None


SYSTEM = Actor("system")


def write(
    session: Session,
    actor: Actor,
    action: str,
    *,
    account_id: int | None = None,
    shop_id: int | None = None,
    object: str | None = None,
    reason: str | None = None,
) -> None:
    """Add an entry; it stands or falls with the transaction. No personal data may be in it: it is kept for good."""
    entry = AuditEntryRow(
        account_id=account_id,
        shop_id=shop_id,
        actor=actor.name,
        action=action,
        object=object,
        reason=reason,
        request_id=actor.request_id,
        at=app_now(session),
    )
    session.add(entry)


def list_entries(
    session: Session,
    *,
    account_id: int | None = None,
    shop_id: int | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[AuditEntryRow]:
    """Entries that the transaction may see, newest first; `before`: only those older than the one with this id."""
    statement = select(AuditEntryRow).order_by(col(AuditEntryRow.id).desc()).limit(limit)
    for column, value in (
        (col(AuditEntryRow.account_id), account_id),
        (col(AuditEntryRow.shop_id), shop_id),
        (col(AuditEntryRow.action), action),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(col(AuditEntryRow.id) < before)
    return session.scalars(statement).all()


def reason_given(session: Session, session_public_id: str, shop_id: int) -> str | None:
    """Why somebody said, in this session and within the last 30 minutes, to look at this shop; None if that was not said."""
    statement = (
        select(AuditEntryRow)
        .where(
            col(AuditEntryRow.action) == REASON,
            col(AuditEntryRow.object) == session_public_id,
            col(AuditEntryRow.shop_id) == shop_id,
            col(AuditEntryRow.at) > app_now(session) - REASON_LASTS,
        )
        .order_by(col(AuditEntryRow.id).desc())
        .limit(1)
    )
    entry = session.scalars(statement).one_or_none()
    return None if entry is None else entry.reason
