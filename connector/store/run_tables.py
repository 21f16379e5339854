"""The rows of syncing: runs and their slices, what differed, what made no sense, what is known per kind of record, what outages cost."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, SmallInteger, text
from sqlmodel import Field, SQLModel

from connector.canonical import Resource
from connector.rules.syncing import ACTIVE, RunKind, RunState, SliceState
from connector.store import columns

IS_ACTIVE = f"state in ({', '.join(repr(state.value) for state in ACTIVE)})"


def _count() -> Any:
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class SyncRunRow(SQLModel, table=True):
    """
    A backfill, reconcile or resync of one shop. At most one of a kind is active.

    `scope`: see `rules.syncing.Scope`. `asked_by`, `reason`: who wants it and why. `dry_run_id`: the dry run that it applies.
    `high_water_at`: the store's changes up to then are in its slices. `due_at`: when it goes on; `lease`: who works on it until
    `leased_until`. `error`: the last thing that went wrong, for people to read. `notes`: what its owner wants to remember.
    """

    __tablename__ = "sync_runs"
    __table_args__ = (
        columns.one_of("kind", *(kind.value for kind in RunKind)),
        columns.one_of("state", *(state.value for state in RunState)),
        Index("uq_sync_runs_active", "shop_id", "kind", unique=True, postgresql_where=text(IS_ACTIVE)),
        Index("ix_sync_runs_due", "due_at", postgresql_where=text("state in ('waiting', 'running')")),
        Index(None, "shop_id", "id"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    kind: str
    state: str = RunState.WAITING.value
    is_dry_run: bool = False
    dry_run_id: int | None = columns.ref("sync_runs.id", nullable=True, cascade=False)
    scope: dict[str, Any] = columns.json("{}")
    asked_by: str
    reason: str = ""
    high_water_at: datetime
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    due_at: datetime
    leased_until: datetime | None = None
    lease: str | None = None
    error: str | None = None
    notes: dict[str, Any] = columns.json("{}")


class SyncSliceRow(SQLModel, table=True):
    """
    One kind of record over a span, or one record (`platform_id`), and where its reading stands: `cursor` of pages, or `export_id` with
    `pages_done` of the file; `is_read` once all was. `expected`: how many the store said there are.

    `seen` counts records read; of them `missing` were not kept here, `changed` were kept otherwise, `unchanged`, `newer` here,
    `unreadable`, and `unrecoverable`: the store does not tell enough of them. `remaining`: those that still differ after they were
    written. `store_sum` and `ours_sum`: digests of what was compared, equal exactly if nothing differs.
    """

    __tablename__ = "sync_slices"
    __table_args__ = (columns.one_of("state", *(state.value for state in SliceState)),)
    run_id: int = columns.ref("sync_runs.id", primary_key=True)
    position: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    shop_id: int = columns.shop_of_parent()
    resource: str
    since: datetime | None = None
    until: datetime | None = None
    platform_id: str | None = None
    state: str = SliceState.OPEN.value
    cursor: str | None = None
    export_id: str | None = None
    pages_done: int = 0
    is_read: bool = False
    expected: int | None = Field(default=None, sa_column=Column(BigInteger))
    is_exact: bool = True
    seen: int = _count()
    missing: int = _count()
    changed: int = _count()
    unchanged: int = _count()
    newer: int = _count()
    unreadable: int = _count()
    unrecoverable: int = _count()
    remaining: int = _count()
    store_sum: str = ""
    ours_sum: str = ""
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    error: str | None = None
    notes: dict[str, Any] = columns.json("{}")
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def kind(self) -> Resource:
        """The kind of record."""
        return Resource(self.resource)


class SyncDifferenceRow(SQLModel, table=True):
    """
    A record that was not as its store has it. `fields`: by name ours and the store's, as texts. Personal data: masked where it is shown,
    gone with the person and after two weeks.
    """

    __tablename__ = "sync_differences"
    __table_args__ = (
        columns.one_of("kind", "missing", "changed", "removed", "unrecoverable"),
        Index("uq_sync_differences_record", "run_id", "resource", "platform_id", unique=True),
    )
    id: int | None = columns.key()
    run_id: int = columns.ref("sync_runs.id")
    shop_id: int = columns.shop_of_parent()
    resource: str
    platform_id: str
    kind: str
    fields: dict[str, Any] = columns.json("{}")
    is_applied: bool = False
    at: datetime


class QuarantinedRecordRow(SQLModel, table=True):
    """A record of a store that made no sense when it was read; goes away when it does."""

    __tablename__ = "quarantined_records"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    resource: str = Field(primary_key=True)
    platform_id: str = Field(primary_key=True)
    reason: str
    first_at: datetime
    last_at: datetime
    times: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class SyncMarkRow(SQLModel, table=True):
    """
    How well one kind of a shop's records is known. `good_until`: all that the store changed before is here; None: never compared yet.

    `cursor` and `until`: where a comparison stands that has not come to its end. `missed`: how many records webhooks should have told
    of and did not. `walked_at`: when all ids were looked at last; `walk_began_at` and `walk_cursor`: where a walk over them stands.
    `error`: why it is not read, as a scope that is missing.
    """

    __tablename__ = "sync_marks"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    resource: str = Field(primary_key=True)
    good_until: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    checked_at: datetime | None = None
    missed: int = _count()
    missed_at: datetime | None = None
    walked_at: datetime | None = None
    walk_began_at: datetime | None = None
    walk_cursor: str | None = None
    error: str | None = None


class SyncSeenRow(SQLModel, table=True):
    """The id of a record that a run, or a walk over all ids (`run_id` 0), has seen in the store."""

    __tablename__ = "sync_seen"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    run_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    resource: str = Field(primary_key=True)
    platform_id: str = Field(primary_key=True)


class GapReportRow(SQLModel, table=True):
    """
    A time in which a shop's webhooks did not come, and what was done: how many records of each kind were recovered (`recovered`), which
    cannot be (`unrecoverable`: a list of `{resource, platform_id}`), and how many messages that caused: none, as counted.
    """

    __tablename__ = "gap_reports"
    __table_args__ = (Index(None, "shop_id", "id"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    run_id: int | None = columns.ref("sync_runs.id", nullable=True, cascade=False)
    since: datetime
    until: datetime
    topics: list[str] = columns.texts()
    recovered: dict[str, Any] = columns.json("{}")
    unrecoverable: list[dict[str, Any]] = columns.json("[]")
    messages: int = 0
    created_at: datetime
