"""
What support looks for is found without reading everything else: checkouts and orders by their number, and what was sent lately.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NUMBERED = ("checkouts", "orders")
SENT = "ix_messages_handed_over_at"


def upgrade() -> None:
    for table in NUMBERED:
        known = sa.text("number is not null")
        op.create_index(op.f(f"ix_{table}_shop_id_number"), table, ["shop_id", "number"], unique=False, postgresql_where=known)
    op.create_index(SENT, "messages", ["handed_over_at"], unique=False, postgresql_where=sa.text("handed_over_at is not null"))


def downgrade() -> None:
    op.drop_index(SENT, table_name="messages")
    for table in NUMBERED:
        op.drop_index(op.f(f"ix_{table}_shop_id_number"), table_name=table)
