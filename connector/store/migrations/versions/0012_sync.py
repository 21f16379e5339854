"""
Syncing: runs with their slices and what differed, bad records, how well each kind of record is known, reports of outages; what only a
sync told is marked as quiet.

Revision: 0012
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SHOP_TABLES = ("sync_runs", "sync_slices", "sync_differences", "quarantined_records", "sync_marks", "sync_seen", "gap_reports")
OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"
PROTECTION = (
    *(
        f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy app on {table} to connector_app using ({OF_SHOP}) with check ({OF_SHOP});
        create policy system on {table} to connector_system using (true) with check (true);
        grant select, insert, update, delete on {table} to connector_app, connector_system;
        """
        for table in SHOP_TABLES
    ),
    "grant usage on all sequences in schema public to connector_app, connector_system",
)


def upgrade() -> None:
    op.create_table(
        "quarantined_records",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("first_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("last_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_quarantined_records_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "resource", "platform_id", name=op.f("pk_quarantined_records")),
    )
    op.create_table(
        "sync_marks",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("good_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("cursor", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("checked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("missed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("missed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("walked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("walk_began_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("walk_cursor", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("error", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_sync_marks_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "resource", name=op.f("pk_sync_marks")),
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("is_dry_run", sa.Boolean(), nullable=False),
        sa.Column("dry_run_id", sa.BigInteger(), nullable=True),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("asked_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("high_water_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("started_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("finished_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("leased_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("lease", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("error", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.CheckConstraint("kind in ('backfill', 'reconcile', 'resync')", name=op.f("ck_sync_runs_kind")),
        sa.CheckConstraint("state in ('waiting', 'running', 'paused', 'done', 'failed', 'cancelled')", name=op.f("ck_sync_runs_state")),
        sa.ForeignKeyConstraint(["dry_run_id"], ["sync_runs.id"], name=op.f("fk_sync_runs_dry_run_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_sync_runs_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_runs")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sync_runs_public_id")),
    )
    op.create_index("ix_sync_runs_due", "sync_runs", ["due_at"], unique=False, postgresql_where=sa.text("state in ('waiting', 'running')"))
    op.create_index(op.f("ix_sync_runs_shop_id_id"), "sync_runs", ["shop_id", "id"], unique=False)
    op.create_index(
        "uq_sync_runs_active",
        "sync_runs",
        ["shop_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state in ('waiting', 'running', 'paused')"),
    )
    op.create_table(
        "sync_seen",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_sync_seen_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "run_id", "resource", "platform_id", name=op.f("pk_sync_seen")),
    )
    op.create_table(
        "gap_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("topics", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("recovered", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("unrecoverable", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_gap_reports_run_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_gap_reports_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap_reports")),
        sa.UniqueConstraint("public_id", name=op.f("uq_gap_reports_public_id")),
    )
    op.create_index(op.f("ix_gap_reports_shop_id_id"), "gap_reports", ["shop_id", "id"], unique=False)
    op.create_table(
        "sync_differences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("is_applied", sa.Boolean(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("kind in ('missing', 'changed', 'removed', 'unrecoverable')", name=op.f("ck_sync_differences_kind")),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_sync_differences_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_differences")),
    )
    op.create_index("uq_sync_differences_record", "sync_differences", ["run_id", "resource", "platform_id"], unique=True)
    op.create_table(
        "sync_slices",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("cursor", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("export_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("pages_done", sa.Integer(), nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("is_exact", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("missing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("newer", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unreadable", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unrecoverable", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("remaining", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("store_sum", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ours_sum", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("error", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("started_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("finished_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("state in ('open', 'done', 'failed', 'skipped')", name=op.f("ck_sync_slices_state")),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_sync_slices_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_sync_slices")),
    )
    op.add_column("checkouts", sa.Column("is_quiet", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("orders", sa.Column("is_quiet", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("wanted_reads", sa.Column("is_quiet", sa.Boolean(), server_default="false", nullable=False))
    for statement in PROTECTION:
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("wanted_reads", "is_quiet")
    op.drop_column("orders", "is_quiet")
    op.drop_column("checkouts", "is_quiet")
    op.drop_table("sync_slices")
    op.drop_index("uq_sync_differences_record", table_name="sync_differences")
    op.drop_table("sync_differences")
    op.drop_index(op.f("ix_gap_reports_shop_id_id"), table_name="gap_reports")
    op.drop_table("gap_reports")
    op.drop_table("sync_seen")
    op.drop_index("uq_sync_runs_active", table_name="sync_runs", postgresql_where=sa.text("state in ('waiting', 'running', 'paused')"))
    op.drop_index(op.f("ix_sync_runs_shop_id_id"), table_name="sync_runs")
    op.drop_index("ix_sync_runs_due", table_name="sync_runs", postgresql_where=sa.text("state in ('waiting', 'running')"))
    op.drop_table("sync_runs")
    op.drop_table("sync_marks")
    op.drop_table("quarantined_records")
