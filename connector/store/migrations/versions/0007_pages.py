"""
What merchants read page by page is found in its order: a shop's checkouts, its abandoned ones, what was sent for it.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LISTED = "ix_checkouts_shop_id_created_at_id"
ABANDONED = "ix_checkouts_shop_id_abandoned_at"
SENT, OF_SHOP = "ix_messages_shop_id_handed_over_at", "ix_messages_shop_id"


def upgrade() -> None:
    op.create_index(LISTED, "checkouts", ["shop_id", "created_at", "id"])
    op.create_index(ABANDONED, "checkouts", ["shop_id", "abandoned_at"], postgresql_where=sa.text("abandoned_at is not null"))
    # It begins with the shop as well, so it takes the place of the other.
    op.create_index(SENT, "messages", ["shop_id", "handed_over_at"])
    op.drop_index(OF_SHOP, table_name="messages")


def downgrade() -> None:
    op.create_index(OF_SHOP, "messages", ["shop_id"])
    op.drop_index(SENT, table_name="messages")
    op.drop_index(ABANDONED, table_name="checkouts")
    op.drop_index(LISTED, table_name="checkouts")
