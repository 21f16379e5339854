"""
What talking with WooCommerce needs: what the last examination of a shop's connection found, and whether another address (a copy of the
store, or the store after a move) speaks in a shop's name.

Revision: 0010
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_SHOP = "shop_id = app_shop() or shop_id in (select id from shops where account_id = app_account())"
PROTECTION = f"""
    alter table shop_checkups enable row level security;
    alter table shop_checkups force row level security;
    create policy app on shop_checkups to connector_app using ({OF_SHOP}) with check ({OF_SHOP});
    create policy system on shop_checkups to connector_system using (true) with check (true);
    grant select, insert, update, delete on shop_checkups to connector_app;
    grant select, insert, update, delete on shop_checkups to connector_system;
"""


def upgrade() -> None:
    op.create_table(
        "shop_checkups",
        sa.Column("shop_id", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_shop_checkups_shop_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("shop_id", name=op.f("pk_shop_checkups")),
    )
    op.add_column("shops", sa.Column("stranger_host", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.add_column("shops", sa.Column("stranger_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    op.execute(PROTECTION)


def downgrade() -> None:
    op.drop_column("shops", "stranger_at")
    op.drop_column("shops", "stranger_host")
    op.drop_table("shop_checkups")
