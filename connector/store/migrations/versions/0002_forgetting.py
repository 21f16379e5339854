"""
Old deliveries can be forgotten: their people are found by delivery, and stray bodies go in bounded numbers.

Revision: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEEP = """
-- As before, but of the bodies without a partition of their own at most 50,000 go at a time: one statement that has a million to
-- delete runs into its time-out each time, and would take the dropping of partitions with it.
create or replace function keep_body_partitions(ahead integer, keep integer) returns integer
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
    delete from public.delivery_bodies_rest where ctid = any (array(
        select ctid from public.delivery_bodies_rest where received_on < today - keep limit 50000
    ));
    return dropped;
end $$;
"""


def upgrade() -> None:
    op.create_index(op.f("ix_delivery_people_delivery_id"), "delivery_people", ["delivery_id"], unique=False)
    op.execute(KEEP)


def downgrade() -> None:
    op.drop_index(op.f("ix_delivery_people_delivery_id"), table_name="delivery_people")
