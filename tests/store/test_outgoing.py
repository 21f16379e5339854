"""The outbox."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from connector.rules.automations import Reason
from connector.store import automations, outgoing, records, retention
from connector.store.automations import NewMessage
from connector.store.db import Database, app_now
from tests.conftest import TestShop
from tests.factories import at, make_checkout, make_line, terms


def fill(session: Session, shop: TestShop, count: int) -> list[int]:
    """So many checkouts with a queued message each; returns the checkouts."""
    made = [make_checkout(platform_id=f"t{n}", token=f"t{n}", email=f"p{n}@example.org") for n in range(count)]
    ids = list(records.save_checkouts(session, terms(shop), made))
    automation_id = automations.get_automation(session, shop.id).id
    assert automation_id is not None
    messages = [NewMessage(i, f"p{n}@example.org", at(count - n)) for n, i in enumerate(ids)]
    automations.enroll(session, shop.id, automation_id, messages)
    return ids


def states(session: Session) -> list[tuple[str, str | None]]:
    """State and reason of all messages."""
    session.flush()
    return [(row[0], row[1]) for row in session.execute(text("select state, reason from messages order by id"))]


def test_cancelling_reaches_a_shop_some_checkouts_or_one_automation(session: Session, shopify_shop: TestShop) -> None:
    first, second, third = fill(session, shopify_shop, 3)
    automation_id = automations.get_automation(session, shopify_shop.id).id

    assert outgoing.cancel_queued(session, shopify_shop.id, Reason.PURCHASED, checkout_ids=[second]) == [(second, automation_id)]
    assert outgoing.cancel_queued(session, shopify_shop.id, Reason.PURCHASED, checkout_ids=[]) == []
    assert outgoing.cancel_queued(session, shopify_shop.id, Reason.AUTOMATION_OFF, automation_id=-1) == []
    assert sorted(outgoing.cancel_queued(session, shopify_shop.id, Reason.SHOP_DISCONNECTED)) == [
        (first, automation_id),
        (third, automation_id),
    ]
    assert [reason for _, reason in states(session)] == ["shop_disconnected", "purchased", "shop_disconnected"]


def test_cancelling_for_an_address_ignores_its_case(session: Session, shopify_shop: TestShop) -> None:
    fill(session, shopify_shop, 2)

    found = outgoing.cancel_for_address(session, shopify_shop.id, "email", "P1@Example.ORG", Reason.SUPPRESSED)
    assert len(found) == 1
    assert outgoing.cancel_for_address(session, shopify_shop.id, "sms", "p0@example.org", Reason.SUPPRESSED) == []
    assert states(session) == [("queued", None), ("cancelled", "suppressed")]


@pytest.mark.spec("RL-120")
def test_a_second_message_for_the_same_step_cannot_exist(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    fill(session, shopify_shop, 1)
    (message,) = rows("select * from messages")
    again = {name: value for name, value in message.items() if name != "id"}
    again |= {"public_id": "msg_x", "link_token": "x", "unsubscribe_token": "x"}
    outgoing.queue(session, [again])
    assert len(states(session)) == 1

    def force() -> None:
        with session.begin_nested():
            session.execute(text(f"insert into messages ({', '.join(again)}) values ({', '.join(':' + name for name in again)})"), again)

    with pytest.raises(IntegrityError, match="uq_messages_enrollment_id_step_channel"):
        force()


def test_the_longest_due_message_is_held_first_with_all_that_decides_about_it(session: Session, shopify_shop: TestShop) -> None:
    ids = fill(session, shopify_shop, 2)
    held = outgoing.hold_next(session, shopify_shop.id)

    assert held is not None
    assert held.checkout.id == held.message.checkout_id == ids[1]  # due earlier
    assert (held.checkout.line_count, held.shop.id) == (1, shopify_shop.id)
    assert held.automation.id == held.message.automation_id


def test_what_is_not_due_or_not_queued_is_not_held(session: Session, shopify_shop: TestShop) -> None:
    fill(session, shopify_shop, 2)
    session.execute(text("update messages set due_at = app_now() + interval '1 minute' where id = (select min(id) from messages)"))
    session.execute(text("update messages set state = 'sent' where id = (select max(id) from messages)"))

    assert outgoing.hold_next(session, shopify_shop.id) is None


def test_an_emptied_checkout_is_held_as_such(session: Session, shopify_shop: TestShop) -> None:
    fill(session, shopify_shop, 1)
    session.execute(text("update checkouts set line_count = 0"))
    held = outgoing.hold_next(session, shopify_shop.id)

    assert held is not None
    assert held.checkout.line_count == 0


def test_a_claim_is_recorded_only_by_the_attempt_that_holds_it(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    fill(session, shopify_shop, 1)
    held = outgoing.hold_next(session, shopify_shop.id)
    assert held is not None
    assert outgoing.still_queued(session, held.message)
    now = app_now(session)
    outgoing.mark_sending(held.message, now)
    session.flush()
    assert rows("select state, attempts, lease_until from messages") == [
        {"state": "sending", "attempts": 1, "lease_until": now + outgoing.LEASE}
    ]
    message_id = held.message.id
    assert message_id is not None

    assert not outgoing.record(session, message_id, 2, state="sent")
    assert outgoing.record(session, message_id, 1, state="sent", detail="250 ok")
    assert not outgoing.record(session, message_id, 1, state="refused")
    assert not outgoing.still_queued(session, held.message)
    assert rows("select state, detail, lease_until from messages") == [{"state": "sent", "detail": "250 ok", "lease_until": None}]


def test_a_lease_that_ran_out_is_unknown_and_one_that_runs_is_left_alone(db: Database, shopify_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        ids = fill(session, shopify_shop, 2)
        past, soon = (f"app_now() {sign} interval '1 minute'" for sign in "-+")
        session.execute(text(f"update messages set state = 'sending', lease_until = {soon}"))
        session.execute(text(f"update messages set lease_until = {past} where checkout_id = :id"), {"id": ids[0]})
    with db.system_transaction("test") as session:
        assert [pair[:2] for pair in outgoing.expire_leases(session)] == [(shopify_shop.id, ids[0])]
        assert outgoing.expire_leases(session) == []
        assert states(session) == [("unknown", "unknown_outcome"), ("sending", None)]


def test_shops_with_due_messages_come_the_longest_waiting_first(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    for shop in (shopify_shop, woo_shop):
        with db.transaction(shop=shop.id) as session:
            fill(session, shop, 1)
    with db.engine.begin() as connection:
        connection.execute(text("update messages set due_at = due_at - interval '1 hour' where shop_id = :id"), {"id": woo_shop.id})
    with db.system_transaction("test") as session:
        assert outgoing.shops_with_due(session, 10) == [woo_shop.id, shopify_shop.id]
        session.execute(text("update messages set state = 'cancelled'"))
        assert outgoing.shops_with_due(session, 10) == []


def test_a_message_is_found_by_either_of_its_links_and_by_nothing_else(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    fill(session, shopify_shop, 1)
    (message,) = rows("select * from messages")
    by_link = outgoing.find_by_link(session, message["link_token"])
    by_end = outgoing.find_by_unsubscribe(session, message["unsubscribe_token"])

    assert by_link is not None
    assert by_end is not None
    assert by_link.id == by_end.id == message["id"]
    assert outgoing.find_by_link(session, message["unsubscribe_token"]) is None
    assert outgoing.find_by_unsubscribe(session, message["link_token"]) is None


def test_the_lines_of_a_message_stand_in_the_shoppers_order(session: Session, shopify_shop: TestShop) -> None:
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [make_checkout(lines=(make_line("9", 2), make_line("1")))])

    assert [(line.title, line.quantity) for line in outgoing.load_lines(session, checkout_id)] == [("Bougie 9", 2), ("Bougie 1", 1)]


@pytest.mark.spec("RL-145")
def test_bodies_older_than_the_retention_time_go_with_their_whole_day(db: Database) -> None:
    days = "select count(*) from pg_inherits where inhparent = 'delivery_bodies'::regclass"
    with db.engine.begin() as connection:
        before = connection.execute(text(days)).scalar_one()
        connection.execute(
            text("create table delivery_bodies_20200101 partition of delivery_bodies for values from ('2020-01-01') to ('2020-01-02')")
        )
        values = "values ('2020-01-01', 1, null, '', 'x'), ('2019-12-24', 2, null, '', 'x'), (current_date, 3, null, '', 'x')"
        connection.execute(text(f"insert into delivery_bodies {values}"))

    with db.system_transaction("test") as session:
        assert retention.keep_bodies(session, 14) == 1
        assert retention.keep_bodies(session, 14) == 0
    with db.engine.begin() as connection:
        assert list(connection.execute(text("select delivery_id from delivery_bodies")).scalars()) == [3]
        assert connection.execute(text(days)).scalar_one() <= before + retention.DAYS_AHEAD


@pytest.mark.spec("RL-145")
def test_retention_gives_up_soon_if_somebody_reads_the_bodies(db: Database) -> None:
    with db.engine.begin() as connection:
        connection.execute(
            text("create table delivery_bodies_20200102 partition of delivery_bodies for values from ('2020-01-02') to ('2020-01-03')")
        )
    with db.engine.connect() as reader:
        reader.execute(text("select count(*) from delivery_bodies"))

        def keep() -> None:
            with db.system_transaction("test") as session:
                retention.keep_bodies(session, 14)

        with pytest.raises(Exception, match="lock timeout"):
            keep()
        reader.rollback()
    with db.system_transaction("test") as session:
        assert retention.keep_bodies(session, 14) == 1
