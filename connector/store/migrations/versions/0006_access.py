"""
People who ask: members, staff, sessions, sign-in links, API keys; notices and mails of our own; an audit that outlives its objects.

Accounts from before get an owner with the address that their oldest shop told.

Revision: 0006
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ACCESS_TABLES = ("members", "api_keys", "notices", "system_mails")
OURS = ("staff", "sessions", "sign_in_links", "attempts")
OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"
OF_ACCOUNT = "account_id = app_account() or account_id = (select account_id from shops where id = app_shop())"
AUDITED = "shop_id = app_shop() or account_id = app_account()"
CHECKS = {"notices": f"({OF_ACCOUNT}) and (shop_id is null or {OF_SHOP})"}
APP_MAY = {"system_mails": "select, insert"}
AUDIT_CHECK = f"({AUDITED}) and (account_id is null or {OF_ACCOUNT}) and (shop_id is null or {OF_SHOP})"

PROTECTION = (
    *(
        f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy app on {table} to connector_app using ({OF_ACCOUNT}) with check ({CHECKS.get(table, OF_ACCOUNT)});
        create policy system on {table} to connector_system using (true) with check (true);
        grant {APP_MAY.get(table, "select, insert, update")} on {table} to connector_app;
        """
        for table in ACCESS_TABLES
    ),
    f"grant select, insert, update, delete on {', '.join((*ACCESS_TABLES, *OURS))} to connector_system",
    "grant select, insert, update on hash_key to connector_system",
    "grant usage on all sequences in schema public to connector_app, connector_system",
    # Whoever writes down what was done cannot lay it at another's door.
    f"alter policy app on audit_entries with check ({AUDIT_CHECK})",
)

# As the system: a login role that is no superuser sees no row of a tenant's table, though it owns them.
FIRST_OWNERS = (
    "set local role connector_system",
    """
    insert into members (public_id, account_id, email, email_norm, role, language, created_at)
    select 'mem_' || gen_random_uuid(), a.id, s.email, lower(s.email), 'owner', s.language, clock_timestamp()
    from accounts a cross join lateral (
        select language, substring(btrim(contact_email) from '^[^@[:space:]]{1,64}@[^@[:space:]]+[.][^@[:space:].]+$') email
        from shops where account_id = a.id order by id limit 1
    ) s
    """,
    "reset role",
)

# Those that tell of what is gone would stop the reference from coming back.
SEEN_BY_OWNER = ("audit_entries", "shops", "accounts")
ORPHANS = (
    *(f"alter table {table} no force row level security" for table in SEEN_BY_OWNER),
    """
    delete from audit_entries e where not exists (select 1 from shops s where s.id = e.shop_id) and e.shop_id is not null
        or not exists (select 1 from accounts a where a.id = e.account_id) and e.account_id is not null
    """,
    *(f"alter table {table} force row level security" for table in SEEN_BY_OWNER),
)


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_since"), "attempts", ["since"], unique=False)
    op.create_table(
        "hash_key",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_hash_key_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hash_key")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("role", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("password_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("disabled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("role in ('viewer', 'support', 'admin')", name=op.f("ck_staff_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email_norm", name=op.f("uq_staff_email_norm")),
        sa.UniqueConstraint("public_id", name=op.f("uq_staff_public_id")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("created_by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("last_used_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("revoked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_api_keys_public_id")),
    )
    op.create_index(op.f("ix_api_keys_account_id"), "api_keys", ["account_id"], unique=False)
    op.create_table(
        "members",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("role", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("removed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("role in ('owner', 'marketer', 'read_only')", name=op.f("ck_members_role")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_members_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("account_id", "email_norm", name=op.f("uq_members_account_id_email_norm")),
        sa.UniqueConstraint("public_id", name=op.f("uq_members_public_id")),
    )
    op.create_index(
        op.f("ix_members_email_norm"),
        "members",
        ["email_norm"],
        unique=False,
        postgresql_where=sa.text("email_norm is not null and removed_at is null"),
    )
    op.create_table(
        "system_mails",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("queued_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("lease_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("handed_over_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint("kind in ('sign_in', 'invitation', 'notice', 'preview')", name=op.f("ck_system_mails_kind")),
        sa.CheckConstraint("state in ('queued', 'sending', 'sent', 'refused', 'unknown')", name=op.f("ck_system_mails_state")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_system_mails_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_mails")),
        sa.UniqueConstraint("public_id", name=op.f("uq_system_mails_public_id")),
    )
    op.create_index(op.f("ix_system_mails_account_id"), "system_mails", ["account_id"], unique=False)
    op.create_index("ix_system_mails_due", "system_mails", ["due_at", "id"], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index("ix_system_mails_sending", "system_mails", ["lease_until"], unique=False, postgresql_where=sa.text("state = 'sending'"))
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("cause", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("cause_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("settled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("cause in ('needs_sign_in', 'suspended', 'gap_found', 'data_request_ready')", name=op.f("ck_notices_cause")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_notices_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_notices_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("public_id", name=op.f("uq_notices_public_id")),
    )
    op.create_index(op.f("ix_notices_account_id"), "notices", ["account_id"], unique=False)
    op.create_index(
        "ix_notices_open", "notices", ["account_id", "cause", "cause_key"], unique=True, postgresql_where=sa.text("settled_at is null")
    )
    op.create_index(op.f("ix_notices_shop_id"), "notices", ["shop_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=True),
        sa.Column("fresh_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("rotated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("second_factor_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("seen_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("expires_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("num_nonnulls(member_id, staff_id) = 1", name=op.f("ck_sessions_one_person")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_sessions_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sessions_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sessions_public_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sessions_member_id"), "sessions", ["member_id"], unique=False)
    op.create_index(op.f("ix_sessions_previous_hash"), "sessions", ["previous_hash"], unique=False)
    op.create_index(op.f("ix_sessions_staff_id"), "sessions", ["staff_id"], unique=False)
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("expires_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("used_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("num_nonnulls(member_id, staff_id) = 1", name=op.f("ck_sign_in_links_one_person")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_sign_in_links_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_sign_in_links_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in_links")),
    )
    op.create_index(op.f("ix_sign_in_links_expires_at"), "sign_in_links", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sign_in_links_member_id"), "sign_in_links", ["member_id"], unique=False)
    op.create_index(op.f("ix_sign_in_links_staff_id"), "sign_in_links", ["staff_id"], unique=False)
    op.add_column("audit_entries", sa.Column("request_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.drop_index(op.f("ix_audit_entries_account_id"), table_name="audit_entries")
    op.drop_index(op.f("ix_audit_entries_shop_id"), table_name="audit_entries")
    op.create_index(op.f("ix_audit_entries_account_id_id"), "audit_entries", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_audit_entries_reason",
        "audit_entries",
        ["object", "shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("action = 'support.reason'"),
    )
    op.create_index(op.f("ix_audit_entries_shop_id_id"), "audit_entries", ["shop_id", "id"], unique=False)
    op.drop_constraint(op.f("fk_audit_entries_shop_id"), "audit_entries", type_="foreignkey")
    op.drop_constraint(op.f("fk_audit_entries_account_id"), "audit_entries", type_="foreignkey")
    op.add_column("pending_installs", sa.Column("account_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_pending_installs_account_id"), "pending_installs", "accounts", ["account_id"], ["id"], ondelete="CASCADE"
    )
    for statement in (*PROTECTION, *FIRST_OWNERS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(f"alter policy app on audit_entries with check ({AUDITED})")
    for statement in ORPHANS:
        op.execute(statement)
    op.drop_constraint(op.f("fk_pending_installs_account_id"), "pending_installs", type_="foreignkey")
    op.drop_column("pending_installs", "account_id")
    op.create_foreign_key(op.f("fk_audit_entries_account_id"), "audit_entries", "accounts", ["account_id"], ["id"], ondelete="CASCADE")
    op.create_foreign_key(op.f("fk_audit_entries_shop_id"), "audit_entries", "shops", ["shop_id"], ["id"], ondelete="CASCADE")
    op.drop_index(op.f("ix_audit_entries_shop_id_id"), table_name="audit_entries")
    op.drop_index("ix_audit_entries_reason", table_name="audit_entries", postgresql_where=sa.text("action = 'support.reason'"))
    op.drop_index(op.f("ix_audit_entries_account_id_id"), table_name="audit_entries")
    op.create_index(op.f("ix_audit_entries_shop_id"), "audit_entries", ["shop_id"], unique=False)
    op.create_index(op.f("ix_audit_entries_account_id"), "audit_entries", ["account_id"], unique=False)
    op.drop_column("audit_entries", "request_id")
    op.drop_index(op.f("ix_sign_in_links_staff_id"), table_name="sign_in_links")
    op.drop_index(op.f("ix_sign_in_links_member_id"), table_name="sign_in_links")
    op.drop_index(op.f("ix_sign_in_links_expires_at"), table_name="sign_in_links")
    op.drop_table("sign_in_links")
    op.drop_index(op.f("ix_sessions_staff_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_previous_hash"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_member_id"), table_name="sessions")
    op.drop_index(op.f("ix_sessions_expires_at"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_index(op.f("ix_notices_shop_id"), table_name="notices")
    op.drop_index("ix_notices_open", table_name="notices", postgresql_where=sa.text("settled_at is null"))
    op.drop_index(op.f("ix_notices_account_id"), table_name="notices")
    op.drop_table("notices")
    op.drop_index("ix_system_mails_sending", table_name="system_mails", postgresql_where=sa.text("state = 'sending'"))
    op.drop_index("ix_system_mails_due", table_name="system_mails", postgresql_where=sa.text("state = 'queued'"))
    op.drop_index(op.f("ix_system_mails_account_id"), table_name="system_mails")
    op.drop_table("system_mails")
    op.drop_index(
        op.f("ix_members_email_norm"), table_name="members", postgresql_where=sa.text("email_norm is not null and removed_at is null")
    )
    op.drop_table("members")
    op.drop_index(op.f("ix_api_keys_account_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("staff")
    op.drop_table("hash_key")
    op.drop_index(op.f("ix_attempts_since"), table_name="attempts")
    op.drop_table("attempts")
