"""
All tables of the skeleton, our clock, the two roles, row level security, and the daily partitions of raw bodies.

Revision: 0001
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


SHOP_TABLES = (
    "shop_work",
    "customers",
    "products",
    "product_variants",
    "checkouts",
    "checkout_lines",
    "checkout_versions",
    "orders",
    "order_lines",
    "removals",
    "deliveries",
    "delivery_bodies",
    "delivery_people",
    "consents",
    "suppressions",
    "discount_codes",
    "automations",
    "enrollments",
    "decisions",
    "messages",
)
OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"
OF_ACCOUNT = "account_id = app_account() or account_id = (select account_id from shops where id = app_shop())"
POLICIES = {
    **dict.fromkeys(SHOP_TABLES, OF_SHOP),
    "shops": "id = app_shop() or account_id = app_account()",
    "accounts": "id = app_account() or id = (select account_id from shops where id = app_shop())",
    "contacts": OF_ACCOUNT,
    "companies": OF_ACCOUNT,
    "audit_entries": "shop_id = app_shop() or account_id = app_account()",
}
SYSTEM_TABLES = ("app_clock", "pending_installs", "unknown_shops")

CLOCK = """
insert into app_clock (id, is_sandbox, ahead) values (1, false, interval '0');

-- The only clock of due times, claims and leases. Declared stable, so that an index serves `due_at <= app_now()`:
-- one instant a statement is what a claim means.
create function app_now() returns timestamptz language sql stable security definer set search_path = pg_catalog, public
    as $$ select clock_timestamp() + (select ahead from public.app_clock where id = 1) $$;

create function app_shop() returns bigint language sql stable
    as $$ select nullif(current_setting('app.shop_id', true), '')::bigint $$;
create function app_account() returns bigint language sql stable
    as $$ select nullif(current_setting('app.account_id', true), '')::bigint $$;
"""

ROLES = """
do $$
declare name text;
begin
    -- Roles belong to the whole server: another database of ours may have made them.
    foreach name in array array['connector_app', 'connector_system'] loop
        begin
            execute format('create role %I nologin', name);
        exception when duplicate_object or unique_violation then null;
        end;
        execute format('grant %I to current_user', name);
        execute format('grant usage on schema public to %I', name);
    end loop;
end $$;
"""

BODIES = """
-- Bodies are read seldom and compress badly when hot: out of line, uncompressed.
alter table delivery_bodies alter column body set storage external;
create table delivery_bodies_rest partition of delivery_bodies default;

-- Partitions for today and `ahead` days more; drops those older than `keep` days. Runs as the owner: no role of the app may.
create function keep_body_partitions(ahead integer, keep integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    today date := (public.app_now() at time zone 'UTC')::date;
    day date;
    part text;
    dropped integer := 0;
begin
    for i in 0..ahead loop
        day := today + i;
        part := 'delivery_bodies_' || to_char(day, 'YYYYMMDD');
        if to_regclass('public.' || part) is null
           and not exists (select 1 from public.delivery_bodies_rest where received_on = day) then
            execute format('create table public.%I (like public.delivery_bodies including all)', part);
            execute format('alter table public.%I alter column body set storage external', part);
            -- A body that fits a page stays in its row: a fifth less work than four pieces with an index entry each.
            execute format('alter table public.%I set (toast_tuple_target = 8160)', part);
            execute format(
                'alter table public.delivery_bodies attach partition public.%I for values from (%L) to (%L)', part, day, day + 1
            );
        end if;
    end loop;
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.delivery_bodies'::regclass and c.relname ~ '^delivery_bodies_[0-9]{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep
    loop
        execute format('drop table public.%I', part);
        dropped := dropped + 1;
    end loop;
    delete from public.delivery_bodies_rest where received_on < today - keep;
    return dropped;
end $$;
revoke execute on function keep_body_partitions(integer, integer) from public;
grant execute on function keep_body_partitions(integer, integer) to connector_system;
select keep_body_partitions(2, 14);
"""

GRANTS = """
grant select, insert, update, delete on all tables in schema public to connector_system;
grant usage on all sequences in schema public to connector_app, connector_system;
revoke insert, update, delete on app_clock from connector_system;
grant update (ahead) on app_clock to connector_system;
grant select on app_clock to connector_app;
revoke update, delete on audit_entries from connector_system;
revoke all on alembic_version from connector_system;
revoke all on delivery_bodies_rest from connector_system;
"""

PROTECTION = (
    CLOCK,
    ROLES,
    BODIES,
    GRANTS,
    *(
        f"""
        alter table {table} enable row level security;
        alter table {table} force row level security;
        create policy app on {table} to connector_app using ({rule}) with check ({rule});
        create policy system on {table} to connector_system using (true) with check (true);
        grant select, insert{"" if table == "audit_entries" else ", update, delete"} on {table} to connector_app;
        """
        for table, rule in POLICIES.items()
    ),
)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_accounts_public_id")),
    )
    op.create_table(
        "app_clock",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("is_sandbox", sa.Boolean(), nullable=False),
        sa.Column("ahead", postgresql.INTERVAL(), nullable=False),
        sa.CheckConstraint("is_sandbox or ahead = interval '0'", name=op.f("ck_app_clock_real_time")),
        sa.CheckConstraint("id = 1", name=op.f("ck_app_clock_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_clock")),
    )
    op.create_table(
        "delivery_bodies",
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("headers", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("received_on", "delivery_id", name=op.f("pk_delivery_bodies")),
        postgresql_partition_by="RANGE (received_on)",
    )
    op.create_table(
        "unknown_shops",
        sa.Column("platform", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "shop_ref", "topic", name=op.f("pk_unknown_shops")),
    )
    op.create_table(
        "companies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_companies_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_companies_account_id_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_companies_public_id")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("first_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("company", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("company_id", sa.BigInteger(), nullable=True),
        sa.Column("phone_raw", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("known_at", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_contacts_company_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_contacts_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("account_id", "email", name=op.f("uq_contacts_account_id_email")),
        sa.UniqueConstraint("public_id", name=op.f("uq_contacts_public_id")),
    )
    op.create_index(op.f("ix_contacts_company_id"), "contacts", ["company_id"], unique=False)
    op.create_table(
        "shops",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("platform", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("domain", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("platform_shop_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("shop_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("hosts", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("timezone", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("country", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("taxes_included", sa.Boolean(), nullable=False),
        sa.Column("contact_email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("contact_address", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("scopes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("missing_scopes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("credentials", sa.LargeBinary(), nullable=True),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=True),
        sa.Column("threshold_minutes", sa.Integer(), nullable=False),
        sa.Column("activity_clock", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("installed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("uninstalled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("activity_clock in ('activity', 'addition')", name=op.f("ck_shops_activity_clock")),
        sa.CheckConstraint("state in ('connected', 'needs_sign_in', 'uninstalled')", name=op.f("ck_shops_state")),
        sa.CheckConstraint("threshold_minutes between 20 and 2880", name=op.f("ck_shops_threshold")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_shops_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shops")),
        sa.UniqueConstraint("platform", "domain", name=op.f("uq_shops_platform_domain")),
        sa.UniqueConstraint("public_id", name=op.f("uq_shops_public_id")),
        sa.UniqueConstraint("shop_key", name=op.f("uq_shops_shop_key")),
    )
    op.create_index(op.f("ix_shops_account_id"), "shops", ["account_id"], unique=False)
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("action", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("object", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_audit_entries_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_audit_entries_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    op.create_index(op.f("ix_audit_entries_account_id"), "audit_entries", ["account_id"], unique=False)
    op.create_index(op.f("ix_audit_entries_shop_id"), "audit_entries", ["shop_id"], unique=False)
    op.create_table(
        "automations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("activated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("deactivated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("wait_minutes", sa.Integer(), nullable=False),
        sa.Column("extra_text", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint("wait_minutes >= 0", name=op.f("ck_automations_wait")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_automations_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_automations")),
        sa.UniqueConstraint("public_id", name=op.f("uq_automations_public_id")),
        sa.UniqueConstraint("shop_id", "trigger", name=op.f("uq_automations_shop_id_trigger")),
    )
    op.create_table(
        "consents",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("address", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("state in ('unknown', 'pending', 'subscribed', 'unsubscribed')", name=op.f("ck_consents_state")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_consents_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "channel", "address", name=op.f("pk_consents")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("first_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("company", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_raw", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("country", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("deleted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_triggered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_progress", sa.SmallInteger(), nullable=False),
        sa.Column("source_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_customers_contact_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_customers_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("public_id", name=op.f("uq_customers_public_id")),
        sa.UniqueConstraint("shop_id", "platform_id", name=op.f("uq_customers_shop_id_platform_id")),
    )
    op.create_index(op.f("ix_customers_contact_id"), "customers", ["contact_id"], unique=False)
    op.create_index(op.f("ix_customers_shop_id_email_norm"), "customers", ["shop_id", "email_norm"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=True),
        sa.Column("platform", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), server_default="pending", nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("triggered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("received_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("handled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint(
            "state in ('pending', 'applied', 'no_meaning_yet', 'after_uninstall', 'quarantined')", name=op.f("ck_deliveries_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_deliveries_key")),
    )
    op.create_index("ix_deliveries_pending", "deliveries", ["shop_id", "id"], unique=False, postgresql_where=sa.text("state = 'pending'"))
    op.create_index(op.f("ix_deliveries_shop_id_received_at"), "deliveries", ["shop_id", "received_at"], unique=False)
    op.create_table(
        "discount_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("code", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("starts_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("ends_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("usage_limit", sa.Integer(), nullable=True),
        sa.Column("once_per_customer", sa.Boolean(), nullable=False),
        sa.Column("minimum_subtotal", sa.Numeric(), nullable=True),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.CheckConstraint("kind in ('percentage', 'fixed_amount', 'free_shipping')", name=op.f("ck_discount_codes_kind")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_discount_codes_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discount_codes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_discount_codes_public_id")),
        sa.UniqueConstraint("shop_id", "code", name=op.f("uq_discount_codes_shop_id_code")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("number", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("platform_status", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("payment_state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("checkout_token", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("cart_token", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("customer_platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_raw", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("first_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("country", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("subtotal", sa.Numeric(), nullable=True),
        sa.Column("discount_total", sa.Numeric(), nullable=True),
        sa.Column("tax_total", sa.Numeric(), nullable=True),
        sa.Column("taxes_included", sa.Boolean(), nullable=False),
        sa.Column("discount_codes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("placed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("cancelled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("deleted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_triggered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_progress", sa.SmallInteger(), nullable=False),
        sa.Column("source_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_orders_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("public_id", name=op.f("uq_orders_public_id")),
        sa.UniqueConstraint("shop_id", "platform_id", name=op.f("uq_orders_shop_id_platform_id")),
    )
    op.create_index(op.f("ix_orders_shop_id_cart_token"), "orders", ["shop_id", "cart_token"], unique=False)
    op.create_index(op.f("ix_orders_shop_id_checkout_token"), "orders", ["shop_id", "checkout_token"], unique=False)
    op.create_index(op.f("ix_orders_shop_id_customer_platform_id"), "orders", ["shop_id", "customer_platform_id"], unique=False)
    op.create_index(op.f("ix_orders_shop_id_email_norm"), "orders", ["shop_id", "email_norm"], unique=False)
    op.create_index(op.f("ix_orders_shop_id_phone_e164"), "orders", ["shop_id", "phone_e164"], unique=False)
    op.create_table(
        "pending_installs",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("platform", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("remembered", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("finished_shop_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["finished_shop_id"], ["shops.id"], name=op.f("fk_pending_installs_finished_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_pending_installs")),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("category", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("categories", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("description", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("image_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("read_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_products_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("public_id", name=op.f("uq_products_public_id")),
        sa.UniqueConstraint("shop_id", "platform_id", name=op.f("uq_products_shop_id_platform_id")),
    )
    op.create_table(
        "removals",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_removals_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "resource", "ref", name=op.f("pk_removals")),
    )
    op.create_table(
        "shop_work",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("drained_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_shop_work_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_work")),
    )
    op.create_table(
        "suppressions",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.CheckConstraint("reason in ('unsubscribed', 'bounced', 'complained', 'manual')", name=op.f("ck_suppressions_reason")),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_suppressions_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", "channel", "address_hash", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "checkouts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("stage", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("token", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("cart_token", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("number", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("customer_platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("email_norm", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_raw", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("checkout_phone_raw", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("checkout_phone_e164", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("first_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("last_name", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("company", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("country", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("language", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("currency", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("subtotal", sa.Numeric(), nullable=True),
        sa.Column("discount_total", sa.Numeric(), nullable=True),
        sa.Column("tax_total", sa.Numeric(), nullable=True),
        sa.Column("taxes_included", sa.Boolean(), nullable=False),
        sa.Column("shipping_method", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("discount_codes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("accepts_email", sa.Boolean(), nullable=False),
        sa.Column("accepts_sms", sa.Boolean(), nullable=False),
        sa.Column("recovery_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("completed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("closed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("deleted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_triggered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_progress", sa.SmallInteger(), nullable=False),
        sa.Column("source_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("last_activity_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("abandoned_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("converted_order_id", sa.BigInteger(), nullable=True),
        sa.Column("converted_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("converted_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.CheckConstraint("stage in ('cart', 'checkout')", name=op.f("ck_checkouts_stage")),
        sa.ForeignKeyConstraint(["converted_order_id"], ["orders.id"], name=op.f("fk_checkouts_converted_order_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_checkouts_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_checkouts_public_id")),
        sa.UniqueConstraint("shop_id", "stage", "platform_id", name=op.f("uq_checkouts_shop_id_stage_platform_id")),
    )
    op.create_index(op.f("ix_checkouts_converted_order_id"), "checkouts", ["converted_order_id"], unique=False)
    op.create_index("ix_checkouts_due", "checkouts", ["due_at", "id"], unique=False, postgresql_where=sa.text("due_at is not null"))
    op.create_index(op.f("ix_checkouts_shop_id_cart_token"), "checkouts", ["shop_id", "cart_token"], unique=False)
    op.create_index(op.f("ix_checkouts_shop_id_checkout_phone_e164"), "checkouts", ["shop_id", "checkout_phone_e164"], unique=False)
    op.create_index(op.f("ix_checkouts_shop_id_customer_platform_id"), "checkouts", ["shop_id", "customer_platform_id"], unique=False)
    op.create_index(op.f("ix_checkouts_shop_id_email_norm"), "checkouts", ["shop_id", "email_norm"], unique=False)
    op.create_index(op.f("ix_checkouts_shop_id_phone_e164"), "checkouts", ["shop_id", "phone_e164"], unique=False)
    op.create_index(op.f("ix_checkouts_shop_id_token"), "checkouts", ["shop_id", "token"], unique=False)
    op.create_table(
        "delivery_people",
        sa.Column("person_hash", sa.LargeBinary(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_people_delivery_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_delivery_people_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_hash", "delivery_id", name=op.f("pk_delivery_people")),
    )
    op.create_index(op.f("ix_delivery_people_shop_id"), "delivery_people", ["shop_id"], unique=False)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("product_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("variant_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("variant_title", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("sku", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Numeric(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("image_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_lines_order_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_order_lines_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("order_id", "position", name=op.f("pk_order_lines")),
    )
    op.create_index(op.f("ix_order_lines_shop_id"), "order_lines", ["shop_id"], unique=False)
    op.create_table(
        "product_variants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("platform_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("sku", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=True),
        sa.Column("image_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_product_variants_product_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_product_variants_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_variants")),
        sa.UniqueConstraint("shop_id", "platform_id", name=op.f("uq_product_variants_shop_id_platform_id")),
    )
    op.create_index(op.f("ix_product_variants_product_id"), "product_variants", ["product_id"], unique=False)
    op.create_table(
        "checkout_lines",
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("product_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("variant_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("title", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("variant_title", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("sku", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Numeric(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("image_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_checkout_lines_checkout_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_checkout_lines_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("checkout_id", "position", name=op.f("pk_checkout_lines")),
    )
    op.create_index(op.f("ix_checkout_lines_shop_id"), "checkout_lines", ["shop_id"], unique=False)
    op.create_table(
        "checkout_versions",
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("source_version", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_digest", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("source_triggered_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("source_progress", sa.SmallInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("quantities", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_checkout_versions_checkout_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_checkout_versions_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("checkout_id", "source_version", "source_digest", name=op.f("pk_checkout_versions")),
    )
    op.create_index(op.f("ix_checkout_versions_shop_id"), "checkout_versions", ["shop_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("automation_id", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("decided_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("history", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(["automation_id"], ["automations.id"], name=op.f("fk_decisions_automation_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_decisions_checkout_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_decisions_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("checkout_id", "automation_id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_shop_id"), "decisions", ["shop_id"], unique=False)
    op.create_table(
        "enrollments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("automation_id", sa.BigInteger(), nullable=False),
        sa.Column("enrolled_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["automation_id"], ["automations.id"], name=op.f("fk_enrollments_automation_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_enrollments_checkout_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_enrollments_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollments")),
        sa.UniqueConstraint("checkout_id", "automation_id", name=op.f("uq_enrollments_checkout_id_automation_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_enrollments_public_id")),
    )
    op.create_index(op.f("ix_enrollments_automation_id"), "enrollments", ["automation_id"], unique=False)
    op.create_index(op.f("ix_enrollments_shop_id"), "enrollments", ["shop_id"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("checkout_id", sa.BigInteger(), nullable=False),
        sa.Column("automation_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("address", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("subject", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("queued_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("due_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("handed_over_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("clicked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
        sa.Column("link_token", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("unsubscribe_token", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.CheckConstraint("state in ('queued', 'sending', 'sent', 'refused', 'unknown', 'cancelled')", name=op.f("ck_messages_state")),
        sa.ForeignKeyConstraint(["automation_id"], ["automations.id"], name=op.f("fk_messages_automation_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_messages_checkout_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["enrollment_id"], ["enrollments.id"], name=op.f("fk_messages_enrollment_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_messages_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("enrollment_id", "step", "channel", name=op.f("uq_messages_enrollment_id_step_channel")),
        sa.UniqueConstraint("link_token", name=op.f("uq_messages_link_token")),
        sa.UniqueConstraint("public_id", name=op.f("uq_messages_public_id")),
        sa.UniqueConstraint("unsubscribe_token", name=op.f("uq_messages_unsubscribe_token")),
    )
    op.create_index(op.f("ix_messages_automation_id"), "messages", ["automation_id"], unique=False)
    op.create_index(op.f("ix_messages_checkout_id"), "messages", ["checkout_id"], unique=False)
    op.create_index("ix_messages_due", "messages", ["due_at", "id"], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index("ix_messages_sending", "messages", ["lease_until"], unique=False, postgresql_where=sa.text("state = 'sending'"))
    op.create_index(op.f("ix_messages_shop_id"), "messages", ["shop_id"], unique=False)
    for statement in PROTECTION:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index(op.f("ix_messages_shop_id"), table_name="messages")
    op.drop_index("ix_messages_sending", table_name="messages", postgresql_where=sa.text("state = 'sending'"))
    op.drop_index("ix_messages_due", table_name="messages", postgresql_where=sa.text("state = 'queued'"))
    op.drop_index(op.f("ix_messages_checkout_id"), table_name="messages")
    op.drop_index(op.f("ix_messages_automation_id"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_enrollments_shop_id"), table_name="enrollments")
    op.drop_index(op.f("ix_enrollments_automation_id"), table_name="enrollments")
    op.drop_table("enrollments")
    op.drop_index(op.f("ix_decisions_shop_id"), table_name="decisions")
    op.drop_table("decisions")
    op.drop_index(op.f("ix_checkout_versions_shop_id"), table_name="checkout_versions")
    op.drop_table("checkout_versions")
    op.drop_index(op.f("ix_checkout_lines_shop_id"), table_name="checkout_lines")
    op.drop_table("checkout_lines")
    op.drop_index(op.f("ix_product_variants_product_id"), table_name="product_variants")
    op.drop_table("product_variants")
    op.drop_index(op.f("ix_order_lines_shop_id"), table_name="order_lines")
    op.drop_table("order_lines")
    op.drop_index(op.f("ix_delivery_people_shop_id"), table_name="delivery_people")
    op.drop_table("delivery_people")
    op.drop_index(op.f("ix_checkouts_shop_id_token"), table_name="checkouts")
    op.drop_index(op.f("ix_checkouts_shop_id_phone_e164"), table_name="checkouts")
    op.drop_index(op.f("ix_checkouts_shop_id_email_norm"), table_name="checkouts")
    op.drop_index(op.f("ix_checkouts_shop_id_customer_platform_id"), table_name="checkouts")
    op.drop_index(op.f("ix_checkouts_shop_id_checkout_phone_e164"), table_name="checkouts")
    op.drop_index(op.f("ix_checkouts_shop_id_cart_token"), table_name="checkouts")
    op.drop_index("ix_checkouts_due", table_name="checkouts", postgresql_where=sa.text("due_at is not null"))
    op.drop_index(op.f("ix_checkouts_converted_order_id"), table_name="checkouts")
    op.drop_table("checkouts")
    op.drop_table("suppressions")
    op.drop_table("shop_work")
    op.drop_table("removals")
    op.drop_table("products")
    op.drop_table("pending_installs")
    op.drop_index(op.f("ix_orders_shop_id_phone_e164"), table_name="orders")
    op.drop_index(op.f("ix_orders_shop_id_email_norm"), table_name="orders")
    op.drop_index(op.f("ix_orders_shop_id_customer_platform_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_shop_id_checkout_token"), table_name="orders")
    op.drop_index(op.f("ix_orders_shop_id_cart_token"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("discount_codes")
    op.drop_index(op.f("ix_deliveries_shop_id_received_at"), table_name="deliveries")
    op.drop_index("ix_deliveries_pending", table_name="deliveries", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("deliveries")
    op.drop_index(op.f("ix_customers_shop_id_email_norm"), table_name="customers")
    op.drop_index(op.f("ix_customers_contact_id"), table_name="customers")
    op.drop_table("customers")
    op.drop_table("consents")
    op.drop_table("automations")
    op.drop_index(op.f("ix_audit_entries_shop_id"), table_name="audit_entries")
    op.drop_index(op.f("ix_audit_entries_account_id"), table_name="audit_entries")
    op.drop_table("audit_entries")
    op.drop_index(op.f("ix_shops_account_id"), table_name="shops")
    op.drop_table("shops")
    op.drop_index(op.f("ix_contacts_company_id"), table_name="contacts")
    op.drop_table("contacts")
    op.drop_table("companies")
    op.drop_table("unknown_shops")
    op.drop_table("delivery_bodies")
    op.drop_table("app_clock")
    op.drop_table("accounts")
    for function in ("keep_body_partitions(integer, integer)", "app_now()"):
        op.execute(f"drop function {function}")
    op.execute("drop function app_shop(), app_account() cascade")
