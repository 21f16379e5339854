"""
What lies in quarantine can be counted without reading everything else.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_deliveries_quarantined", "deliveries", ["id"], unique=False, postgresql_where=sa.text("state = 'quarantined'"))


def downgrade() -> None:
    op.drop_index("ix_deliveries_quarantined", table_name="deliveries", postgresql_where=sa.text("state = 'quarantined'"))
