"""Audit: what was done, told again as it was written, to those it concerns."""

import pytest

from connector.store import audit
from connector.store.audit import Actor
from connector.store.db import Database, app_now
from tests.conftest import TestShop
from tests.store.people import account, pass_time, rows

STAFF = Actor("staff stf_1", "req-1")


def account_of(db: Database, shop: TestShop) -> int:
    return int(rows(db, "select account_id from shops where id = :id", id=shop.id)[0]["account_id"])


@pytest.mark.spec("SEC-237")
def test_an_entry_says_who_did_what_where_when_why_and_in_which_request(db: Database, shopify_shop: TestShop) -> None:
    place = account_of(db, shopify_shop)
    with db.system_transaction("test") as session:
        now = app_now(session)
        audit.write(session, STAFF, "checkout.viewed", account_id=place, shop_id=shopify_shop.id, object="chk_1", reason="ticket 7")
        audit.write(session, audit.SYSTEM, "swept")
    with db.transaction(shop=shopify_shop.id) as session:
        (entry,) = audit.list_entries(session)
    assert (entry.actor, entry.action, entry.account_id, entry.shop_id) == ("staff stf_1", "checkout.viewed", place, shopify_shop.id)
    assert (entry.object, entry.reason, entry.request_id) == ("chk_1", "ticket 7", "req-1")
    assert (entry.at - now).total_seconds() < 60


def test_an_entry_stands_and_falls_with_what_was_done(db: Database) -> None:
    def fail() -> None:
        with db.system_transaction("test") as session:
            audit.write(session, STAFF, "tried")
            session.flush()
            raise RuntimeError("it did not come to that")

    with pytest.raises(RuntimeError):
        fail()
    assert rows(db, "select * from audit_entries") == []


def test_entries_are_listed_newest_first_page_by_page_and_by_what_is_asked_for(
    db: Database, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    mine, other = account_of(db, shopify_shop), account_of(db, woo_shop)
    with db.system_transaction("test") as session:
        for number in range(5):
            audit.write(session, STAFF, f"act.{number % 2}", account_id=mine, shop_id=shopify_shop.id, object=str(number))
        audit.write(session, STAFF, "act.0", account_id=other, shop_id=woo_shop.id, object="theirs")
    with db.system_transaction("test") as session:
        assert [entry.object for entry in audit.list_entries(session, limit=3)] == ["theirs", "4", "3"]
        first = audit.list_entries(session, account_id=mine, limit=2)
        assert [entry.object for entry in first] == ["4", "3"]
        assert [entry.object for entry in audit.list_entries(session, account_id=mine, before=first[-1].id)] == ["2", "1", "0"]
        assert [entry.object for entry in audit.list_entries(session, action="act.0")] == ["theirs", "4", "2", "0"]
        assert [entry.object for entry in audit.list_entries(session, shop_id=woo_shop.id)] == ["theirs"]
    with db.transaction(account=other) as session:
        assert [entry.object for entry in audit.list_entries(session)] == ["theirs"]


def test_a_reason_counts_for_half_an_hour_in_one_session_for_one_shop(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    def given(name: str = "ses_1", shop: TestShop = shopify_shop) -> str | None:
        with db.system_transaction("test") as session:
            return audit.reason_given(session, name, shop.id)

    def give(reason: str) -> None:
        with db.system_transaction("test") as session:
            audit.write(session, STAFF, audit.REASON, shop_id=shopify_shop.id, object="ses_1", reason=reason)

    assert given() is None
    give("ticket 7")
    assert given() == "ticket 7"
    assert (given("ses_2"), given(shop=woo_shop)) == (None, None)
    pass_time(db, minutes=20)
    give("ticket 8")
    assert given() == "ticket 8"
    pass_time(db, minutes=29)
    assert given() == "ticket 8"
    pass_time(db, minutes=2)
    assert given() is None


@pytest.mark.spec("SEC-237")
def test_entries_outlive_the_shop_and_the_account_that_they_tell_of(db: Database, shopify_shop: TestShop) -> None:
    place = account_of(db, shopify_shop)
    with db.system_transaction("test") as session:
        audit.write(session, STAFF, "act", account_id=place, shop_id=shopify_shop.id)
    with db.system_transaction("test") as session:
        session.connection().exec_driver_sql("delete from accounts")
    assert rows(db, "select account_id, shop_id from audit_entries") == [{"account_id": place, "shop_id": shopify_shop.id}]
    assert rows(db, "select * from shops") == []


def test_nobody_can_lay_an_act_at_anothers_door(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    mine, other = account_of(db, shopify_shop), account_of(db, woo_shop)
    for names in ({"account_id": mine, "shop_id": woo_shop.id}, {"account_id": other, "shop_id": shopify_shop.id}, {"account_id": other}):
        for scope in ({"account": mine}, {"shop": shopify_shop.id}):
            with pytest.raises(Exception, match="row-level security"), db.transaction(**scope) as session:
                audit.write(session, STAFF, "act", **names)
    assert rows(db, "select * from audit_entries") == []
    assert account(db) not in (mine, other)
