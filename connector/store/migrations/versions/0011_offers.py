"""
Post-purchase offers: what merchants give, who was given it and why not, the codes made for it, pictures; when an order was paid, what of
it was given back, whether its payment is disputed; whether shoppers can enter a store.

Revision: 0011
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SHOP_TABLES = (
    *("offer_work", "orders_to_judge", "offers", "offer_versions", "grants", "grant_decisions", "grant_mails", "offer_codes"),
    "banners",
)
OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"
PROTECTION = (
    *(
        f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy app on {table} to connector_app using ({OF_SHOP}) with check ({OF_SHOP});
        create policy system on {table} to connector_system using (true) with check (true);
        grant select, insert, update, delete on {table} to connector_system;
        """
        for table in (*SHOP_TABLES, "offer_events")
    ),
    f"grant select, insert, update, delete on {', '.join(SHOP_TABLES)} to connector_app",
    "grant select, insert on offer_events to connector_app",
    "grant usage on all sequences in schema public to connector_app, connector_system",
)
CAUSES = ("needs_sign_in", "suspended", "gap_found", "data_request_ready")
MORE_CAUSES = (*CAUSES, "offer_suspended", "offer_ending")


def _set_causes(causes: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_notices_cause"), "notices", type_="check")
    op.create_check_constraint(op.f("ck_notices_cause"), "notices", f"cause in ({', '.join(map(repr, causes))})")


def upgrade() -> None:
    op.create_table(
        "banners",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("content_type in ('image/png', 'image/jpeg', 'image/webp')", name=op.f("ck_banners_content_type")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_banners_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_banners")),
        sa.UniqueConstraint("public_id", name=op.f("uq_banners_public_id")),
    )
    op.create_index(op.f("ix_banners_shop_id"), "banners", ["shop_id"], unique=False)
    op.create_table(
        "offer_work",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("codes_changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_offer_work_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_offer_work")),
    )
    op.create_index("ix_offer_work_due", "offer_work", ["due_at"], unique=False, postgresql_where=sa.text("due_at is not null"))
    op.create_table(
        "offers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("state_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("activated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("(state = 'suspended') = (reason is not null)", name=op.f("ck_offers_reason")),
        sa.CheckConstraint("state in ('draft', 'active', 'suspended', 'deactivated', 'deleted')", name=op.f("ck_offers_state")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_offers_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offers_public_id")),
    )
    op.create_index(op.f("ix_offers_shop_id_state"), "offers", ["shop_id", "state"], unique=False)
    op.create_table(
        "grant_decisions",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("decided_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_grant_decisions_offer_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_grant_decisions_order_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_grant_decisions")),
    )
    op.create_index(op.f("ix_grant_decisions_offer_id"), "grant_decisions", ["offer_id"], unique=False)
    op.create_index(op.f("ix_grant_decisions_shop_id_decided_at"), "grant_decisions", ["shop_id", "decided_at"], unique=False)
    op.create_table(
        "offer_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("action", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("from_state", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("to_state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_offer_events_offer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_events")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offer_events_public_id")),
    )
    op.create_index(op.f("ix_offer_events_offer_id_id"), "offer_events", ["offer_id", "id"], unique=False)
    op.create_table(
        "offer_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("headline", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("body", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("banner_id", sa.BigInteger(), nullable=True),
        sa.Column("mode", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("minimum_subtotal", sa.Numeric(), nullable=True),
        sa.Column("usage_limit", sa.Integer(), nullable=True),
        sa.Column("once_per_customer", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("prefix", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("locks_email", sa.Boolean(), nullable=False),
        sa.Column("fallback_code", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("minimum_order", sa.Numeric(), nullable=True),
        sa.Column("most_uses", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind in ('percentage', 'fixed_amount', 'free_shipping', 'other')", name=op.f("ck_offer_versions_kind")),
        sa.CheckConstraint("mode in ('shared', 'unique')", name=op.f("ck_offer_versions_mode")),
        sa.ForeignKeyConstraint(["banner_id"], ["banners.id"], name=op.f("fk_offer_versions_banner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_offer_versions_offer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_versions")),
        sa.UniqueConstraint("offer_id", "version", name=op.f("uq_offer_versions_offer_id_version")),
    )
    op.create_index(op.f("ix_offer_versions_banner_id"), "offer_versions", ["banner_id"], unique=False)
    op.create_table(
        "orders_to_judge",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_orders_to_judge_order_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders_to_judge")),
    )
    op.create_index(op.f("ix_orders_to_judge_due_at_shop_id"), "orders_to_judge", ["due_at", "shop_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("state_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("granted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("ends_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("person_key", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("customer_platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("first_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("code_key", sa.Text(), sa.Computed("lower(code::text)", persisted=True), nullable=True),
        sa.Column("link_token", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("opened_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("used_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("used_order_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state in ('preparing', 'live', 'suspended', 'used', 'ended')", name=op.f("ck_grants_state")),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_grants_offer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_grants_order_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_grants_shop_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["used_order_id"], ["orders.id"], name=op.f("fk_grants_used_order_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["version_id"], ["offer_versions.id"], name=op.f("fk_grants_version_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("link_token", name=op.f("uq_grants_link_token")),
        sa.UniqueConstraint("order_id", name=op.f("uq_grants_order_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_grants_public_id")),
    )
    op.create_index(
        op.f("ix_grants_shop_id_code_key"),
        "grants",
        ["shop_id", "code_key"],
        unique=False,
        postgresql_where=sa.text("code_key is not null"),
    )
    op.create_index(
        "ix_grants_ends_at",
        "grants",
        ["shop_id", "ends_at"],
        unique=False,
        postgresql_where=sa.text("state in ('preparing', 'live', 'suspended')"),
    )
    op.create_index(op.f("ix_grants_offer_id_granted_at"), "grants", ["offer_id", "granted_at"], unique=False)
    op.create_index(
        op.f("ix_grants_shop_id_customer_platform_id"),
        "grants",
        ["shop_id", "customer_platform_id"],
        unique=False,
        postgresql_where=sa.text("customer_platform_id is not null"),
    )
    op.create_index(
        op.f("ix_grants_shop_id_email_norm"),
        "grants",
        ["shop_id", "email_norm"],
        unique=False,
        postgresql_where=sa.text("email_norm is not null"),
    )
    op.create_index(op.f("ix_grants_shop_id_person_key"), "grants", ["shop_id", "person_key"], unique=False)
    op.create_index(op.f("ix_grants_used_order_id"), "grants", ["used_order_id"], unique=False)
    op.create_index(op.f("ix_grants_version_id"), "grants", ["version_id"], unique=False)
    op.create_index(
        "uq_grants_person",
        "grants",
        ["shop_id", "person_key"],
        unique=True,
        postgresql_where=sa.text("state in ('preparing', 'live') and person_key is not null"),
    )
    op.create_table(
        "grant_mails",
        sa.Column("grant_id", sa.BigInteger(), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("queued_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("handed_over_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("clicked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("unsubscribe_token", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("state in ('queued', 'sending', 'sent', 'refused', 'unknown', 'cancelled')", name=op.f("ck_grant_mails_state")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_grant_mails_grant_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grant_mails")),
        sa.UniqueConstraint("public_id", name=op.f("uq_grant_mails_public_id")),
        sa.UniqueConstraint("unsubscribe_token", name=op.f("uq_grant_mails_unsubscribe_token")),
    )
    op.create_index("ix_grant_mails_due", "grant_mails", ["due_at", "shop_id"], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index("ix_grant_mails_sending", "grant_mails", ["lease_until"], unique=False, postgresql_where=sa.text("state = 'sending'"))
    op.create_table(
        "offer_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("code_key", sa.Text(), sa.Computed("lower(code::text)", persisted=True), nullable=True),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("ends_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("wanted", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("actual", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("grant_id", sa.BigInteger(), nullable=True),
        sa.Column("refusal", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("changed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("actual in ('none', 'issued', 'suspended', 'deleted', 'refused')", name=op.f("ck_offer_codes_actual")),
        sa.CheckConstraint("role in ('shared', 'model', 'unique')", name=op.f("ck_offer_codes_role")),
        sa.CheckConstraint("wanted in ('issued', 'suspended', 'deleted')", name=op.f("ck_offer_codes_wanted")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_offer_codes_grant_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["model_id"], ["offer_codes.id"], name=op.f("fk_offer_codes_model_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name=op.f("fk_offer_codes_offer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_offer_codes_shop_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["version_id"], ["offer_versions.id"], name=op.f("fk_offer_codes_version_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_codes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_offer_codes_public_id")),
    )
    op.create_index(
        "ix_offer_codes_due",
        "offer_codes",
        ["due_at", "shop_id"],
        unique=False,
        postgresql_where=sa.text("wanted <> actual and actual <> 'refused'"),
    )
    op.create_index(
        "ix_offer_codes_due_of_shop",
        "offer_codes",
        ["shop_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("wanted <> actual and actual <> 'refused'"),
    )
    op.create_index(op.f("ix_offer_codes_grant_id"), "offer_codes", ["grant_id"], unique=False)
    op.create_index(op.f("ix_offer_codes_model_id"), "offer_codes", ["model_id"], unique=False)
    op.create_index(op.f("ix_offer_codes_offer_id"), "offer_codes", ["offer_id"], unique=False)
    op.create_index(
        "ix_offer_codes_pool",
        "offer_codes",
        ["model_id", "id"],
        unique=False,
        postgresql_where=sa.text("role = 'unique' and grant_id is null"),
    )
    op.create_index(
        "ix_offer_codes_unread",
        "offer_codes",
        ["shop_id", "id"],
        unique=False,
        postgresql_where=sa.text("grant_id is not null and platform_id is null and wanted = 'issued' and actual = 'issued'"),
    )
    op.create_index(
        "ix_offer_codes_ends",
        "offer_codes",
        ["shop_id", "ends_at"],
        unique=False,
        postgresql_where=sa.text("model_id is null and wanted <> 'deleted' and refusal is null"),
    )
    op.create_index(op.f("ix_offer_codes_version_id_role_ends_at"), "offer_codes", ["version_id", "role", "ends_at"], unique=False)
    op.create_index("uq_offer_codes_code", "offer_codes", ["shop_id", sa.literal_column("lower(code)")], unique=True)
    op.create_index(
        op.f("ix_offer_codes_shop_id_code_key"),
        "offer_codes",
        ["shop_id", "code_key"],
        unique=False,
        postgresql_where=sa.text("code_key is not null"),
    )
    op.add_column("discount_codes", sa.Column("code_key", sa.Text(), sa.Computed("lower(code::text)", persisted=True), nullable=True))
    op.create_index(
        op.f("ix_discount_codes_shop_id_code_key"),
        "discount_codes",
        ["shop_id", "code_key"],
        unique=False,
        postgresql_where=sa.text("code_key is not null"),
    )
    op.add_column("orders", sa.Column("paid_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.add_column("orders", sa.Column("refunded_total", sa.Numeric(), nullable=True))
    op.add_column("orders", sa.Column("is_disputed", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("orders", sa.Column("disputed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.create_index(
        "ix_orders_with_codes", "orders", ["shop_id", "placed_at"], unique=False, postgresql_where=sa.text("discount_codes <> '{}'")
    )
    op.add_column("shops", sa.Column("storefront", sqlmodel.sql.sqltypes.AutoString(), server_default="open", nullable=False))
    op.add_column("shops", sa.Column("profile_read_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.create_check_constraint(op.f("ck_shops_storefront"), "shops", "storefront in ('open', 'password', 'frozen')")
    _set_causes(MORE_CAUSES)
    for statement in PROTECTION:
        op.execute(statement)


def downgrade() -> None:
    op.execute("delete from notices where cause in ('offer_suspended', 'offer_ending')")
    _set_causes(CAUSES)
    op.drop_constraint(op.f("ck_shops_storefront"), "shops", type_="check")
    for table, columns in (
        ("shops", ("profile_read_at", "storefront")),
        ("orders", ("disputed_at", "is_disputed", "refunded_total", "paid_at")),
    ):
        if table == "orders":
            op.drop_index("ix_orders_with_codes", table_name="orders")
        for column in columns:
            op.drop_column(table, column)
    op.drop_column("discount_codes", "code_key")
    for table in ("offer_codes", "grant_mails", "grants", "orders_to_judge", "offer_versions", "offer_events", "grant_decisions", "offers"):
        op.drop_table(table)
    op.drop_table("offer_work")
    op.drop_table("banners")
