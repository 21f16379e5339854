"""What came in goes again: bodies by the day, rows after 90 days, nobody waits for it."""

import threading

import pytest
from sqlalchemy import text

from connector.config import Settings
from connector.store import deliveries, retention
from connector.store.db import Database
from tests.conftest import TestShop


def keep(db: Database, count: int, *, days_ago: int, shop: TestShop | None = None, state: str = "applied") -> None:
    """So many deliveries that came so many days ago."""
    with db.engine.begin() as connection:
        connection.execute(
            text("""
                insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on)
                select sha256((random()::text || n)::bytea), cast(:shop as bigint), 'shopify', 'orders/create', :state,
                    t.at, (t.at at time zone 'UTC')::date
                from generate_series(1, :count) n, (select app_now() - make_interval(days => :days) as at) t
            """),
            {"count": count, "days": days_ago, "shop": shop.id if shop else None, "state": state},
        )


def count(db: Database, table: str = "deliveries") -> int:
    with db.engine.begin() as connection:
        return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


def forget(db: Database, limit: int = retention.BATCH) -> int:
    with db.system_transaction("test") as session:
        return retention.forget_deliveries(session, limit)


def test_a_delivery_is_forgotten_after_ninety_days_and_not_before(db: Database, shopify_shop: TestShop) -> None:
    for state in ("applied", "quarantined", "pending", "no_meaning_yet"):
        keep(db, 1, days_ago=91, shop=shopify_shop, state=state)
    keep(db, 1, days_ago=91)
    keep(db, 3, days_ago=89, shop=shopify_shop)

    assert forget(db) == 5
    assert forget(db) == 0
    assert count(db) == 3


def test_who_a_forgotten_delivery_spoke_of_is_forgotten_with_it(db: Database, shopify_shop: TestShop) -> None:
    keep(db, 2, days_ago=91, shop=shopify_shop)
    keep(db, 1, days_ago=1, shop=shopify_shop)
    with db.engine.begin() as connection:
        connection.execute(text("insert into delivery_people (person_hash, delivery_id, shop_id) select 'x', id, shop_id from deliveries"))

    assert forget(db) == 2
    assert count(db, "delivery_people") == 1


def test_forgetting_goes_by_batches_the_oldest_first(db: Database) -> None:
    keep(db, 7, days_ago=100)
    keep(db, 4, days_ago=1)

    assert [forget(db, 3) for _ in range(4)] == [3, 3, 1, 0]
    assert count(db) == 4


def test_forgetting_waits_for_nobody(db: Database) -> None:
    keep(db, 5, days_ago=100)
    done: list[int] = []
    with db.engine.begin() as busy:
        busy.execute(text("select 1 from deliveries order by id limit 2 for update"))
        thread = threading.Thread(target=lambda: done.append(forget(db)))
        thread.start()
        thread.join(5)
        assert done == [3]
    assert forget(db) == 2


def test_a_body_is_never_kept_longer_than_its_row() -> None:
    longest = next(limit.le for limit in Settings.model_fields["retention_days"].metadata if hasattr(limit, "le"))

    assert longest <= retention.KNOWN_DAYS


@pytest.mark.spec("RL-145")
def test_stray_bodies_go_in_bounded_numbers(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            text("""
                insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
                select '2019-12-24', n, null, '', 'x' from generate_series(1, 50001) n
            """)
        )
    for left in (1, 0):
        with db.system_transaction("test") as session:
            retention.keep_bodies(session, 14)
        assert count(db, "delivery_bodies where received_on = '2019-12-24'") == left


@pytest.mark.spec("RL-145")
def test_a_drain_that_takes_its_time_keeps_no_old_day_from_being_dropped(db: Database, shopify_shop: TestShop) -> None:
    keep(db, 1, days_ago=0, shop=shopify_shop, state="pending")
    with db.engine.begin() as connection:
        connection.execute(
            text("create table delivery_bodies_20200103 partition of delivery_bodies for values from ('2020-01-03') to ('2020-01-04')")
        )
    with db.transaction(shop=shopify_shop.id) as drain:
        assert len(deliveries.claim_pending(drain, shopify_shop.id, 10)) == 1
        with db.system_transaction("test") as session:
            assert retention.keep_bodies(session, 14) == 1


def test_mails_of_our_own_go_a_month_after_they_were_settled_and_open_ones_stay(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            text("""
                insert into system_mails (public_id, kind, state, queued_at, due_at)
                select 'sml_' || state || days, 'notice', state, now() - make_interval(days => days), now()
                from unnest(array['queued', 'sending', 'sent', 'refused', 'unknown']) state, unnest(array[29, 31]) days
            """)
        )
    with db.system_transaction("test") as session:
        assert retention.forget_mails(session) == 3
        assert retention.forget_mails(session) == 0
    assert count(db, "system_mails where state in ('queued', 'sending')") == 4
    assert count(db, "system_mails") == 7


def sync(db: Database, shop: TestShop, name: str, finished: str | None, made_of: int | None = None) -> int:
    """A run that ended so long ago, or goes on, with one difference of the same age and a report; returns its id."""
    with db.engine.begin() as connection:
        number: int = connection.execute(
            text("""
                insert into sync_runs (public_id, shop_id, kind, state, is_dry_run, scope, asked_by, reason, high_water_at, created_at,
                    due_at, finished_at, dry_run_id)
                select cast(:name as text), :shop, 'resync', case when t.at is null then 'running' else 'done' end, false, '{}',
                    'system', '', app_now(), app_now(), app_now(), t.at, :made_of
                from (select app_now() - cast(:finished as interval) as at) t returning id
            """),
            {"name": name, "shop": shop.id, "finished": finished, "made_of": made_of},
        ).scalar_one()
        for statement in (
            """
            insert into sync_slices (run_id, position, shop_id, resource, state, pages_done, is_read, is_exact, store_sum, ours_sum)
            values (:run, 0, :shop, 'order', 'done', 0, true, true, '', '')
            """,
            """
            insert into sync_differences (run_id, shop_id, resource, platform_id, kind, fields, is_applied, at)
            values (:run, :shop, 'order', '1', 'changed', '{}', true, app_now() - cast(:finished as interval))
            """,
            """
            insert into gap_reports (public_id, shop_id, run_id, since, until, messages, created_at)
            values (cast(:name as text), :shop, :run, app_now(), app_now(), 0, app_now() - cast(:finished as interval))
            """,
        )[: 3 if finished else 1]:
            connection.execute(text(statement), {"run": number, "shop": shop.id, "finished": finished, "name": name})
    return number


def test_of_syncs_what_differed_goes_after_two_weeks_runs_after_ninety_days_and_reports_after_a_year(
    db: Database, shopify_shop: TestShop
) -> None:
    ages = {"a": "13 days", "b": "15 days", "c": "89 days", "d": "91 days", "e": "401 days", "f": None}
    oldest = None
    for name, age in reversed(ages.items()):
        oldest = sync(db, shopify_shop, name, age, made_of=oldest)

    def left(table: str) -> list[str]:
        with db.engine.begin() as connection:
            return sorted(connection.execute(text(f"select public_id from {table}")).scalars())

    with db.system_transaction("test") as session:
        assert retention.forget_syncs(session) == 4 + 2 + 1
        assert retention.forget_syncs(session) == 0
    assert (left("sync_runs"), left("gap_reports")) == (["a", "b", "c", "f"], ["a", "b", "c", "d"])
    assert (count(db, "sync_differences"), count(db, "sync_slices")) == (1, 4)


def test_what_syncs_left_is_forgotten_by_batches(db: Database, shopify_shop: TestShop) -> None:
    for name in "abc":
        sync(db, shopify_shop, name, "15 days")

    with db.system_transaction("test") as session:
        assert [retention.forget_syncs(session, limit=2) for _ in range(3)] == [2, 1, 0]
