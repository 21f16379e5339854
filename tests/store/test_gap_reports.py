"""Reports of gaps: one for each time without webhooks, and their messages are counted from rows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from connector.canonical import Resource
from connector.rules.gaps import Gap
from connector.store import gap_reports, records
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import make_checkout, terms

ORDER, CHECKOUT = Resource.ORDER, Resource.CHECKOUT
T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def note(session: Session, shop: TestShop, gap: Gap) -> str:
    return gap_reports.note(session, shop.id, gap).public_id


def test_a_gap_is_kept_as_it_was_found(db: Database, shopify_shop: TestShop) -> None:
    gap = Gap(at(0), at(60), {ORDER: 37, CHECKOUT: 2}, ((CHECKOUT, "77"),), ("orders/create",))
    with db.transaction(shop=shopify_shop.id) as session:
        note(session, shopify_shop, gap)
    with db.transaction(shop=shopify_shop.id) as session:
        row = gap_reports.newest(session, shopify_shop.id)
        assert row is not None
        assert gap_reports.to_gap(row) == gap
        assert row.unrecoverable == [{"resource": "checkout", "platform_id": "77"}]


def test_what_follows_closely_is_the_same_report_and_what_does_not_is_another(db: Database, shopify_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        first = note(session, shopify_shop, Gap(at(0), at(60), {ORDER: 1}))
        assert note(session, shopify_shop, Gap(at(65), at(70), {ORDER: 2})) == first
        row = gap_reports.newest(session, shopify_shop.id)
        assert row is not None
        assert (row.since, row.until, row.recovered) == (at(0), at(70), {"order": 3})
        assert note(session, shopify_shop, Gap(at(500), at(510), {ORDER: 1})) != first


def test_a_shop_without_gaps_has_no_report(db: Database, shopify_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        gap_reports.recount(session, shopify_shop.id)
        assert gap_reports.newest(session, shopify_shop.id) is None


@pytest.mark.parametrize(("is_quiet", "in_gap", "expected"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_messages_are_counted_that_went_to_what_only_a_sync_told_of(
    db: Database, shopify_shop: TestShop, is_quiet: bool, in_gap: bool, expected: int
) -> None:
    """No message ever does: so one is written behind everybody's back."""
    with db.transaction(shop=shopify_shop.id) as session:
        records.save_checkouts(session, terms(shopify_shop), [make_checkout(at(30 if in_gap else 90))])
        row = gap_reports.note(session, shopify_shop.id, Gap(at(0), at(60), {CHECKOUT: 1}))
        assert row.messages == 0
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"update checkouts set is_quiet = {is_quiet}")
        connection.exec_driver_sql(_MESSAGE)
    with db.transaction(shop=shopify_shop.id) as session:
        gap_reports.recount(session, shopify_shop.id)
        found = gap_reports.newest(session, shopify_shop.id)
        assert found is not None
        assert found.messages == expected


_MESSAGE = """
    with enrolled as (
        insert into enrollments (public_id, shop_id, automation_id, checkout_id, enrolled_at)
        select 'enr_1', c.shop_id, a.id, c.id, app_now() from checkouts c join automations a on a.shop_id = c.shop_id returning *
    )
    insert into messages (public_id, shop_id, enrollment_id, checkout_id, automation_id, step, channel, address, state, due_at, queued_at,
        attempts, link_token, unsubscribe_token)
    select 'msg_1', shop_id, id, checkout_id, automation_id, 1, 'email', 'a@example.org', 'queued', app_now(), app_now(), 0, 'l', 'u'
    from enrolled
"""
