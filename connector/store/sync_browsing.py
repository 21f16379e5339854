"""What pages show of syncing: what outages cost, what made no sense, how runs hang together, first syncs."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlmodel import Session, col

from connector.rules.syncing import RunKind
from connector.store.db import app_now
from connector.store.run_tables import GapReportRow, QuarantinedRecordRow, SyncRunRow


def list_gaps(session: Session, shop_id: int, limit: int) -> Sequence[GapReportRow]:
    """A shop's gap reports, newest first."""
    statement = select(GapReportRow).where(col(GapReportRow.shop_id) == shop_id)
    return session.scalars(statement.order_by(col(GapReportRow.id).desc()).limit(limit)).all()


def list_quarantined(session: Session, shop_id: int, limit: int) -> Sequence[QuarantinedRecordRow]:
    """A shop's records that made no sense, the latest first."""
    row = QuarantinedRecordRow
    statement = select(row).where(col(row.shop_id) == shop_id)
    return session.scalars(statement.order_by(col(row.last_at).desc(), col(row.resource), col(row.platform_id)).limit(limit)).all()


def has_differences(session: Session, run: SyncRunRow) -> bool:
    """Whether a run found anything that can be written."""
    statement = text("select exists (select 1 from sync_differences where run_id = :run and kind <> 'unrecoverable')")
    return bool(session.execute(statement, {"run": run.id}).scalar())


def count_differences(session: Session, run_id: int) -> dict[str, int]:
    """How many records of each kind of difference are kept to be read."""
    statement = text("select kind, count(*) from sync_differences where run_id = :run group by kind")
    return {row[0]: row[1] for row in session.execute(statement, {"run": run_id})}


def applied_by(session: Session, dry_run: SyncRunRow) -> SyncRunRow | None:
    """The newest run that wrote what this dry run found, if one did."""
    statement = select(SyncRunRow).where(col(SyncRunRow.shop_id) == dry_run.shop_id, col(SyncRunRow.dry_run_id) == dry_run.id)
    return session.scalars(statement.order_by(col(SyncRunRow.id).desc()).limit(1)).one_or_none()


def dry_run_of(session: Session, run: SyncRunRow) -> SyncRunRow | None:
    """The dry run that a run applies."""
    return None if run.dry_run_id is None else session.get(SyncRunRow, run.dry_run_id)


def first_syncs(session: Session, shop_ids: Sequence[int], span: timedelta) -> Sequence[SyncRunRow]:
    """The newest backfill of each of these shops, if it goes on or ended within `span`."""
    row = SyncRunRow
    of_shops = select(func.max(col(row.id))).where(col(row.shop_id).in_(shop_ids), col(row.kind) == RunKind.BACKFILL.value)
    newest = of_shops.group_by(col(row.shop_id))
    is_shown = col(row.finished_at).is_(None) | (col(row.finished_at) > app_now(session) - span)
    statement = select(row).where(col(row.id).in_(newest), is_shown).order_by(col(row.id))
    return session.scalars(statement.execution_options(populate_existing=True)).all()
