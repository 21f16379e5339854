"""
What talking with Shopify needs: records to be read again, topics that are heard or not, merged customers, points left, privacy
requests, codes that lead from the platform's admin to the app; discount codes as a store has them.

Revision: 0009
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SHOP_TABLES = ("wanted_reads", "topic_health", "customer_merges", "privacy_requests", "erased_people")
OURS = ("call_budgets", "admin_codes")
OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"

PROTECTION = (
    *(
        f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy app on {table} to connector_app using ({OF_SHOP}) with check ({OF_SHOP});
        create policy system on {table} to connector_system using (true) with check (true);
        grant select, insert, update, delete on {table} to connector_app;
        """
        for table in SHOP_TABLES
    ),
    f"grant select, insert, update, delete on {', '.join((*SHOP_TABLES, *OURS))} to connector_system",
    "grant usage on all sequences in schema public to connector_app, connector_system",
)
WITH_DISCOUNT = sa.text("platform_id is not null")
WITH_STOCK = sa.text("inventory_item_id is not null")
KINDS = "'percentage', 'fixed_amount', 'free_shipping'"


def upgrade() -> None:
    op.create_table(
        "call_budgets",
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("available", sa.Float(), nullable=False),
        sa.Column("maximum", sa.Float(), nullable=False),
        sa.Column("per_second", sa.Float(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_call_budgets")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("requested_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("done_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("opened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("erased", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.CheckConstraint("kind in ('data_request', 'customer_redact', 'shop_redact')", name=op.f("ck_privacy_requests_kind")),
        sa.CheckConstraint("state in ('open', 'done')", name=op.f("ck_privacy_requests_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sa.UniqueConstraint("public_id", name=op.f("uq_privacy_requests_public_id")),
    )
    op.create_index("ix_privacy_requests_open", "privacy_requests", ["due_at"], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_index(op.f("ix_privacy_requests_shop_id_id"), "privacy_requests", ["shop_id", "id"], unique=False)
    op.create_index("uq_privacy_requests_key", "privacy_requests", ["key_hash"], unique=True)
    op.create_table(
        "admin_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_admin_codes_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_admin_codes_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_admin_codes")),
    )
    op.create_index(op.f("ix_admin_codes_member_id"), "admin_codes", ["member_id"], unique=False)
    op.create_index(op.f("ix_admin_codes_shop_id"), "admin_codes", ["shop_id"], unique=False)
    op.create_table(
        "customer_merges",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("merged_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kept_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_customer_merges_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "merged_id", name=op.f("pk_customer_merges")),
    )
    op.create_index(op.f("ix_customer_merges_shop_id_kept_id"), "customer_merges", ["shop_id", "kept_id"], unique=False)
    op.create_table(
        "erased_people",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("fact_hash", sa.LargeBinary(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_erased_people_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "fact_hash", name=op.f("pk_erased_people")),
    )
    op.create_table(
        "topic_health",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("heard_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("silent_since", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("fallback_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("checked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_topic_health_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "topic", name=op.f("pk_topic_health")),
    )
    op.create_index(
        "ix_topic_health_silent", "topic_health", ["shop_id"], unique=False, postgresql_where=sa.text("silent_since is not null")
    )
    op.create_table(
        "wanted_reads",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("wanted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_wanted_reads_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "resource", "platform_id", name=op.f("pk_wanted_reads")),
    )
    op.create_index("ix_wanted_reads_due", "wanted_reads", ["due_at", "shop_id"], unique=False)
    op.add_column("discount_codes", sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("discount_codes", sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), server_default="active", nullable=False))
    op.add_column("discount_codes", sa.Column("used", sa.Integer(), server_default="0", nullable=False))
    op.add_column("discount_codes", sa.Column("restrictions", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False))
    op.add_column("discount_codes", sa.Column("read_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("discount_codes", sa.Column("deleted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.drop_constraint(op.f("uq_discount_codes_shop_id_code"), "discount_codes", type_="unique")
    op.create_index(
        op.f("ix_discount_codes_shop_id_platform_id"),
        "discount_codes",
        ["shop_id", "platform_id"],
        unique=False,
        postgresql_where=sa.text("platform_id is not null"),
    )
    op.create_index("uq_discount_codes_code", "discount_codes", ["shop_id", sa.literal_column("lower(code)")], unique=True)
    op.add_column("members", sa.Column("platform_user", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.create_unique_constraint(op.f("uq_members_account_id_platform_user"), "members", ["account_id", "platform_user"])
    op.add_column("product_variants", sa.Column("is_available", sa.Boolean(), nullable=True))
    op.add_column("product_variants", sa.Column("inventory_item_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.create_index(
        op.f("ix_product_variants_shop_id_inventory_item_id"),
        "product_variants",
        ["shop_id", "inventory_item_id"],
        unique=False,
        postgresql_where=sa.text("inventory_item_id is not null"),
    )
    op.add_column("shops", sa.Column("credentials_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("shops", sa.Column("scopes_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("shops", sa.Column("withheld", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False))
    op.add_column("shops", sa.Column("listened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("shops", sa.Column("redacted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("messages", sa.Column("looks", sa.SmallInteger(), server_default="0", nullable=False))
    op.drop_constraint(op.f("ck_discount_codes_kind"), "discount_codes", type_="check")
    op.create_check_constraint(op.f("ck_discount_codes_kind"), "discount_codes", f"kind in ({KINDS}, 'other')")
    op.create_check_constraint(op.f("ck_discount_codes_status"), "discount_codes", "status in ('active', 'scheduled', 'expired')")
    for statement in PROTECTION:
        op.execute(statement)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_discount_codes_status"), "discount_codes", type_="check")
    op.drop_constraint(op.f("ck_discount_codes_kind"), "discount_codes", type_="check")
    op.execute("set local role connector_system")
    op.execute("delete from discount_codes where kind = 'other'")
    op.execute("reset role")
    op.create_check_constraint(op.f("ck_discount_codes_kind"), "discount_codes", f"kind in ({KINDS})")
    op.drop_column("messages", "looks")
    op.drop_column("shops", "redacted_at")
    op.drop_column("shops", "listened_at")
    op.drop_column("shops", "withheld")
    op.drop_column("shops", "scopes_at")
    op.drop_column("shops", "credentials_at")
    op.drop_index(
        op.f("ix_product_variants_shop_id_inventory_item_id"),
        table_name="product_variants",
        postgresql_where=sa.text("inventory_item_id is not null"),
    )
    op.drop_column("product_variants", "inventory_item_id")
    op.drop_column("product_variants", "is_available")
    op.drop_constraint(op.f("uq_members_account_id_platform_user"), "members", type_="unique")
    op.drop_column("members", "platform_user")
    op.drop_index("uq_discount_codes_code", table_name="discount_codes")
    op.drop_index(
        op.f("ix_discount_codes_shop_id_platform_id"), table_name="discount_codes", postgresql_where=sa.text("platform_id is not null")
    )
    op.create_unique_constraint(op.f("uq_discount_codes_shop_id_code"), "discount_codes", ["shop_id", "code"])
    op.drop_column("discount_codes", "deleted_at")
    op.drop_column("discount_codes", "read_at")
    op.drop_column("discount_codes", "restrictions")
    op.drop_column("discount_codes", "used")
    op.drop_column("discount_codes", "status")
    op.drop_column("discount_codes", "title")
    op.drop_index("ix_wanted_reads_due", table_name="wanted_reads")
    op.drop_table("wanted_reads")
    op.drop_table("topic_health")
    op.drop_table("erased_people")
    op.drop_index(op.f("ix_customer_merges_shop_id_kept_id"), table_name="customer_merges")
    op.drop_table("customer_merges")
    op.drop_index(op.f("ix_admin_codes_shop_id"), table_name="admin_codes")
    op.drop_index(op.f("ix_admin_codes_member_id"), table_name="admin_codes")
    op.drop_table("admin_codes")
    op.drop_index("uq_privacy_requests_key", table_name="privacy_requests")
    op.drop_index(op.f("ix_privacy_requests_shop_id_id"), table_name="privacy_requests")
    op.drop_index("ix_privacy_requests_open", table_name="privacy_requests", postgresql_where=sa.text("state = 'open'"))
    op.drop_table("privacy_requests")
    op.drop_table("call_budgets")
