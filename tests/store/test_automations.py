"""The switch, who is enrolled, and the Decisions that say why."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.errors import NotFound
from connector.rules.automations import Reason
from connector.store import automations, records, shops
from connector.store.audit import Actor
from connector.store.automations import Decided, NewMessage
from connector.store.db import app_now
from tests.conftest import TestShop
from tests.factories import at, make_checkout, terms


@pytest.fixture
def ids(session: Session, shopify_shop: TestShop) -> tuple[int, int]:
    """(checkout, automation) of the shop."""
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [make_checkout()])
    automation_id = automations.get_automation(session, shopify_shop.id).id
    assert automation_id is not None
    return checkout_id, automation_id


def switch(session: Session, shop: TestShop, to: bool) -> int | None:
    """Turn the automation on or off."""
    row = shops.get_shop(session, shop.id)
    if not to:
        return automations.turn_off(session, row, Actor("merchant"))
    automations.turn_on(session, row, Actor("merchant"))
    return None


def enrol(session: Session, shop: TestShop, ids: tuple[int, int]) -> int:
    """Enrol the checkout."""
    return automations.enroll(session, shop.id, ids[1], [NewMessage(ids[0], "anna@example.org", at(60))])


def test_a_shop_without_the_automation_is_told_so(session: Session) -> None:
    with pytest.raises(NotFound, match="shop 999 has no"):
        automations.get_automation(session, 999)


@pytest.mark.spec("SQ-13")
def test_turning_on_keeps_the_instant_and_turning_on_again_later_restarts_it(session: Session, shopify_shop: TestShop) -> None:
    before = app_now(session)
    switch(session, shopify_shop, True)
    first = automations.get_automation(session, shopify_shop.id).activated_at
    switch(session, shopify_shop, True)
    assert automations.get_automation(session, shopify_shop.id).activated_at == first

    assert switch(session, shopify_shop, False) == 0
    switch(session, shopify_shop, True)
    automation = automations.get_automation(session, shopify_shop.id)
    assert first is not None
    assert automation.activated_at is not None
    assert automation.deactivated_at is not None
    assert before < first < automation.deactivated_at < automation.activated_at
    assert automations.automation_facts(automation).is_on


def test_turning_off_what_is_off_changes_nothing(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    assert switch(session, shopify_shop, False) == 0
    assert rows("select * from audit_entries") == []


@pytest.mark.spec("AC-05")
def test_a_checkout_is_enrolled_once_in_an_automation(session: Session, shopify_shop: TestShop, ids: tuple[int, int], rows: Any) -> None:
    assert automations.enroll(session, shopify_shop.id, ids[1], []) == 0
    assert [enrol(session, shopify_shop, ids) for _ in range(3)] == [1, 0, 0]

    (message,) = rows("select * from messages")
    assert (message["state"], message["channel"], message["step"], message["due_at"]) == ("queued", "email", 1, at(60))
    assert message["link_token"] != message["unsubscribe_token"]
    assert rows("select count(*) n from enrollments") == [{"n": 1}]


@pytest.mark.spec("SQ-21")
def test_turning_off_cancels_with_the_reason_and_writes_who_did_it(
    session: Session, shopify_shop: TestShop, ids: tuple[int, int], rows: Any
) -> None:
    switch(session, shopify_shop, True)
    enrol(session, shopify_shop, ids)

    assert switch(session, shopify_shop, False) == 1
    assert rows("select state, reason from messages") == [{"state": "cancelled", "reason": "automation_off"}]
    assert rows("select reason from decisions") == [{"reason": "automation_off"}]
    assert rows("select actor, action from audit_entries order by id") == [
        {"actor": "merchant", "action": "automation.on"},
        {"actor": "merchant", "action": "automation.off"},
    ]


def test_the_last_twenty_decisions_are_kept_newest_first_and_a_repeated_one_is_none(
    session: Session, shopify_shop: TestShop, ids: tuple[int, int], rows: Any
) -> None:
    automations.decide(session, shopify_shop.id, [])
    for number in range(25):
        for _ in range(2):
            reason = Reason.WAITING if number % 2 else Reason.SHOPPER_ACTIVE
            automations.decide(session, shopify_shop.id, [Decided(*ids, reason)])

    (row,) = rows("select * from decisions")
    assert row["reason"] == "shopper_active"
    assert len(row["history"]) == 20
    assert [entry["reason"] for entry in row["history"]] == ["shopper_active", "waiting"] * 10
    instants = [entry["at"] for entry in row["history"]]
    assert instants == sorted(instants, reverse=True)


@pytest.mark.parametrize(
    ("is_on", "email", "state", "decided", "left"),
    [
        (True, "a@example.org", None, ["purchased"], []),
        (False, "a@example.org", None, [], []),
        (True, None, None, [], []),
        (True, "a@example.org", "queued", ["purchased"], ["cancelled"]),
        (False, "a@example.org", "queued", ["purchased"], ["cancelled"]),
        (True, "a@example.org", "sending", [], ["sending"]),
        (True, "a@example.org", "sent", [], ["sent"]),
        (True, "a@example.org", "unknown", [], ["unknown"]),
        (True, "a@example.org", "refused", [], ["refused"]),
    ],
)
def test_what_ended_is_cancelled_and_said_unless_its_message_left(
    session: Session,
    shopify_shop: TestShop,
    ids: tuple[int, int],
    rows: Any,
    is_on: bool,
    email: str | None,
    state: str | None,
    decided: list[str],
    left: list[str],
) -> None:
    session.execute(text("update checkouts set email_norm = :email"), {"email": email})
    session.execute(text("update automations set is_on = :on"), {"on": is_on})
    if state:
        enrol(session, shopify_shop, ids)
        session.execute(text("update messages set state = :state"), {"state": state})

    automations.decide_ended(session, shopify_shop.id, [], Reason.PURCHASED)
    automations.decide_ended(session, shopify_shop.id, [ids[0]], Reason.PURCHASED)

    assert [row["reason"] for row in rows("select reason from decisions")] == decided
    assert [row["state"] for row in rows("select state from messages")] == left


def test_a_shop_that_is_gone_has_nothing_queued_and_says_why(
    session: Session, shopify_shop: TestShop, ids: tuple[int, int], rows: Any
) -> None:
    enrol(session, shopify_shop, ids)

    assert automations.decide_disconnected(session, shopify_shop.id) == 1
    assert automations.decide_disconnected(session, shopify_shop.id) == 0
    assert rows("select state, reason from messages") == [{"state": "cancelled", "reason": "shop_disconnected"}]
    assert rows("select reason from decisions") == [{"reason": "shop_disconnected"}]
