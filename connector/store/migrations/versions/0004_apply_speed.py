"""
Deliveries are applied faster: rows that go with a parent have no reference to the shop and no index by it, and what is not
known is not indexed.

Each check of a reference costs as much as writing a narrow row. Row level security admits only the shop's own rows anyway.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OF_PARENT = ("checkout_lines", "checkout_versions", "order_lines", "delivery_people")
SOMETIMES_KNOWN = {
    "checkouts": ("token", "cart_token", "email_norm", "customer_platform_id", "phone_e164", "checkout_phone_e164"),
    "orders": ("checkout_token", "cart_token", "email_norm", "customer_platform_id", "phone_e164"),
}


def upgrade() -> None:
    for table in OF_PARENT:
        op.drop_constraint(op.f(f"fk_{table}_shop_id"), table, type_="foreignkey")
        op.drop_index(op.f(f"ix_{table}_shop_id"), table_name=table)
    for table, columns in SOMETIMES_KNOWN.items():
        for column in columns:
            name = op.f(f"ix_{table}_shop_id_{column}")
            op.drop_index(name, table_name=table)
            op.create_index(name, table, ["shop_id", column], postgresql_where=sa.text(f"{column} is not null"))


def downgrade() -> None:
    for table, columns in SOMETIMES_KNOWN.items():
        for column in columns:
            name = op.f(f"ix_{table}_shop_id_{column}")
            op.drop_index(name, table_name=table)
            op.create_index(name, table, ["shop_id", column])
    for table in OF_PARENT:
        op.create_index(op.f(f"ix_{table}_shop_id"), table, ["shop_id"])
        op.create_foreign_key(op.f(f"fk_{table}_shop_id"), table, "shops", ["shop_id"], ["id"], ondelete="CASCADE")
