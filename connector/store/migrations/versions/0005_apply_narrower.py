"""
Deliveries are applied with fewer writes: lines only if they changed, no check of references that nothing else could break.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PEOPLE_INDEX = "ix_delivery_people_delivery_id"


def upgrade() -> None:
    op.add_column("checkouts", sa.Column("line_count", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("checkouts", sa.Column("lines_digest", sa.String(), nullable=True))
    op.execute("""
        update checkouts c set line_count = l.count
        from (select checkout_id, count(*) from checkout_lines group by checkout_id) l where l.checkout_id = c.id
    """)
    op.drop_constraint("fk_delivery_people_delivery_id", "delivery_people", type_="foreignkey")
    op.drop_index(PEOPLE_INDEX, table_name="delivery_people")
    op.create_index(PEOPLE_INDEX, "delivery_people", ["delivery_id"], postgresql_using="brin")
    op.drop_constraint("fk_checkout_versions_checkout_id", "checkout_versions", type_="foreignkey")
    op.execute("""
        create function delete_checkout_versions() returns trigger language plpgsql as $$
        begin
            delete from checkout_versions where checkout_id in (select id from gone);
            return null;
        end $$
    """)
    op.execute("""
        create trigger checkouts_deleted after delete on checkouts referencing old table as gone
        for each statement execute function delete_checkout_versions()
    """)


def downgrade() -> None:
    op.execute("drop trigger checkouts_deleted on checkouts")
    op.execute("drop function delete_checkout_versions()")
    op.execute("delete from checkout_versions v where not exists (select 1 from checkouts c where c.id = v.checkout_id)")
    op.create_foreign_key("fk_checkout_versions_checkout_id", "checkout_versions", "checkouts", ["checkout_id"], ["id"], ondelete="CASCADE")
    op.drop_index(PEOPLE_INDEX, table_name="delivery_people")
    op.create_index(PEOPLE_INDEX, "delivery_people", ["delivery_id"])
    op.execute("delete from delivery_people p where not exists (select 1 from deliveries d where d.id = p.delivery_id)")
    op.create_foreign_key("fk_delivery_people_delivery_id", "delivery_people", "deliveries", ["delivery_id"], ["id"], ondelete="CASCADE")
    op.drop_column("checkouts", "lines_digest")
    op.drop_column("checkouts", "line_count")
