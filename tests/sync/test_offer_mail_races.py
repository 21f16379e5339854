"""Mails of grants leave while orders are taken back, people unsubscribe and are erased: nobody blocks, nothing leaves twice."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import Session

from connector.canonical import Channel, PaymentState
from connector.rules.subjects import Subject
from connector.store import erasing_offers, grant_mails, people
from sync import offer_mails
from tests.fake_sender import FakeSender
from tests.store.people import rows
from tests.sync.offer_desk import OfferDesk

PEOPLE = 48


def email(number: int) -> str:
    return f"p{number}@example.org"


def unsubscribe(desk: OfferDesk, number: int) -> None:
    """As the way out in a mail does."""
    vault, shop = desk.services.vault, desk.shop_id
    with desk.services.db.transaction(shop=shop) as session:
        people.lock_address(session, vault, shop, Channel.EMAIL, email(number), shared=False)
        people.suppress(session, vault, shop, Channel.EMAIL, email(number), "unsubscribed")
        grant_mails.cancel_for_address(session, shop, email(number))


def erase(desk: OfferDesk, number: int) -> None:
    """As a request of a shopper does, for what offers know."""
    with desk.services.db.system_transaction("a shopper is erased") as session:
        erasing_offers.erase_grants(session, desk.shop_id, Subject(emails=frozenset({email(number)})))


def at_once(*acts: Callable[[], object]) -> None:
    """All begin together; whatever one of them raises is raised."""
    ready, failures = threading.Barrier(len(acts)), list[BaseException]()

    def run(act: Callable[[], object]) -> None:
        try:
            ready.wait(10)
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not [thread for thread in threads if thread.is_alive()]
    if failures:
        raise failures[0]


def test_everybody_works_at_once_and_each_mail_has_one_end(desk: OfferDesk, sender: FakeSender) -> None:
    desk.hold_code()
    offer = desk.publish()
    orders = [desk.buy(email(number)) for number in range(PEOPLE)]
    now = desk.now

    def send_all() -> None:
        for _ in range(PEOPLE):
            offer_mails.send_offers(desk.services, desk.shop_id, limit=3)

    def take_back() -> None:
        for order in orders[0::4]:
            desk.tell(replace(order, source_version=now, payment_state=PaymentState.REFUNDED))

    at_once(
        send_all,
        send_all,
        take_back,
        lambda: [unsubscribe(desk, number) for number in range(1, PEOPLE, 4)],
        lambda: [erase(desk, number) for number in range(2, PEOPLE, 4)],
    )
    while offer_mails.send_offers(desk.services, desk.shop_id):
        pass

    found = {row["address"]: (row["state"], row["reason"]) for row in rows(desk.services.db, "select * from grant_mails")}
    assert len(set(sender.recipients)) == len(sender.recipients)
    for number in range(PEOPLE):
        was_handed = email(number) in sender.recipients
        match number % 4:
            case 0:
                assert found[email(number)] == (("sent", None) if was_handed else ("cancelled", "order_refunded"))
            case 1:
                assert found[email(number)] == (("sent", None) if was_handed else ("cancelled", "suppressed"))
            case 2:
                assert email(number) not in found
            case _:
                assert found[email(number)] == ("sent", None)
                assert was_handed
    assert desk.offer(offer).state == "active"


def test_an_unsubscribe_and_a_claim_of_one_address_take_turns(desk: OfferDesk, sender: FakeSender) -> None:
    desk.hold_code()
    desk.publish()
    desk.buy(email(0))
    vault, shop = desk.services.vault, desk.shop_id
    with desk.services.db.transaction(shop=shop) as session:
        people.lock_address(session, vault, shop, Channel.EMAIL, email(0), shared=False)
        claimant = threading.Thread(target=offer_mails.send_offers, args=(desk.services, shop))
        claimant.start()
        claimant.join(0.3)
        assert claimant.is_alive()
        people.suppress(session, vault, shop, Channel.EMAIL, email(0), "unsubscribed")
    claimant.join()
    assert sender.handed == []
    assert rows(desk.services.db, "select state, reason from grant_mails") == [{"state": "cancelled", "reason": "suppressed"}]


def test_a_change_of_the_order_that_is_being_applied_or_was_not_looked_at_comes_first(desk: OfferDesk, sender: FakeSender) -> None:
    desk.hold_code()
    desk.publish()
    desk.buy(email(0))
    with desk.services.db.engine.begin() as applying:
        applying.exec_driver_sql("update orders set payment_state = 'refunded'")
        applying.exec_driver_sql("insert into orders_to_judge (order_id, shop_id, due_at) select id, shop_id, app_now() from orders")
        assert offer_mails.send_offers(desk.services, desk.shop_id) == 0
    assert offer_mails.send_offers(desk.services, desk.shop_id) == 0
    desk.tend()
    assert offer_mails.send_offers(desk.services, desk.shop_id) == 0
    assert sender.handed == []
    assert rows(desk.services.db, "select state, reason from grant_mails") == [{"state": "cancelled", "reason": "order_refunded"}]


def test_a_change_of_the_order_that_commits_while_its_mail_is_chosen_is_seen(
    desk: OfferDesk, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hold_code()
    desk.publish()
    desk.buy(email(0))
    is_judged = grant_mails._is_order_judged

    def changed_before(session: Session, order_id: int | None) -> bool:
        with desk.services.db.engine.begin() as applying:
            applying.exec_driver_sql("update orders set payment_state = 'refunded'")
            applying.exec_driver_sql("insert into orders_to_judge (order_id, shop_id, due_at) select id, shop_id, app_now() from orders")
        return is_judged(session, order_id)

    monkeypatch.setattr(grant_mails, "_is_order_judged", changed_before)
    assert offer_mails.send_offers(desk.services, desk.shop_id) == 0
    assert sender.handed == []


def test_what_is_cancelled_while_it_is_looked_at_does_not_leave(
    desk: OfferDesk, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hold_code()
    desk.publish()
    desk.buy(email(0))
    lock = people.lock_address

    def lock_later(*words: Any, **more: Any) -> None:
        with desk.services.db.engine.begin() as other:
            other.exec_driver_sql("update grant_mails set state = 'cancelled', reason = 'used'")
        lock(*words, **more)

    monkeypatch.setattr(people, "lock_address", lock_later)
    assert offer_mails.send_offers(desk.services, desk.shop_id) == 0
    assert sender.handed == []
    assert rows(desk.services.db, "select state, reason from grant_mails") == [{"state": "cancelled", "reason": "used"}]
