"""The mails of grants as rows: one each, cancelled and queued again, claimed, settled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from connector.rules.grant_mails import TAKEN_BACK
from connector.rules.grants import GrantReason, GrantState
from connector.store import grant_mails
from connector.store.db import Database, app_now
from connector.store.ids import public_id, token
from connector.store.offer_tables import GrantMailRow, GrantRow, OfferRow, OfferVersionRow
from tests.conftest import TestShop
from tests.store.people import pass_time, rows

Give = Callable[..., GrantRow]


@pytest.fixture
def give(db: Database, shopify_shop: TestShop) -> Give:
    """Give one active offer to somebody."""
    with db.transaction(shop=shopify_shop.id) as session:
        now = app_now(session)
        offer = OfferRow(public_id=public_id("ofr"), shop_id=shopify_shop.id, name="Thanks", state="active", created_at=now, state_at=now)
        session.add(offer)
        session.flush()
        version = OfferVersionRow(shop_id=shopify_shop.id, offer_id=offer.id or 0, version=1, at=now, code="MERCI10")
        session.add(version)
        session.flush()

    def made(email: str | None = "Anna@example.org") -> GrantRow:
        with db.transaction(shop=shopify_shop.id) as session:
            grant = GrantRow(
                public_id=public_id("grt"),
                shop_id=shopify_shop.id,
                offer_id=offer.id,
                version_id=version.id,
                state=GrantState.LIVE.value,
                state_at=app_now(session),
                granted_at=app_now(session),
                email=email,
                link_token=token(),
            )
            session.add(grant)
        return grant

    return made


@pytest.fixture
def ask(db: Database, shopify_shop: TestShop) -> Callable[[Callable[[Session], Any]], Any]:
    """Do something in a transaction of the shop."""

    def done(act: Callable[[Session], Any]) -> Any:
        with db.transaction(shop=shopify_shop.id) as session:
            return act(session)

    return done


Ask = Callable[[Callable[[Session], Any]], Any]


def states(db: Database) -> list[tuple[str, str | None]]:
    return [(row["state"], row["reason"]) for row in rows(db, "select state, reason from grant_mails order by grant_id")]


def send(session: Session, shop_id: int) -> GrantMailRow:
    """Claim the next mail."""
    held = grant_mails.hold_next(session, shop_id)
    assert held is not None
    assert grant_mails.still_queued(session, held.mail)
    grant_mails.mark_sending(held.mail, app_now(session))
    session.flush()
    return held.mail


def test_a_grant_has_one_mail_whoever_queues_it(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    rung: list[tuple[str, int]] = []
    db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
    grant = give()
    assert [ask(lambda session: grant_mails.queue(session, grant)) for _ in range(2)] == [True, False]
    assert rung == [("send_offers", shopify_shop.id)]
    (mail,) = rows(db, "select * from grant_mails")
    assert (mail["grant_id"], mail["address"], mail["state"], mail["attempts"]) == (grant.id, "Anna@example.org", "queued", 0)
    assert ask(lambda session: grant_mails.has_due(session, shopify_shop.id))


def test_who_has_no_address_has_no_mail(db: Database, give: Give, ask: Ask) -> None:
    grant = give(None)
    assert ask(lambda session: grant_mails.queue(session, grant)) is False
    assert ask(lambda session: session.get(GrantMailRow, grant.id or 0, populate_existing=True)) is None


def test_what_is_queued_can_be_cancelled_and_what_left_cannot(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    first, second, third = give(), give(), give()
    for grant in (first, second):
        ask(lambda session, grant=grant: grant_mails.queue(session, grant))
    ask(lambda session: send(session, shopify_shop.id))
    assert ask(lambda session: grant_mails.cancel(session, [first.id or 0, second.id or 0, third.id or 0], "used")) == 1
    assert ask(lambda session: grant_mails.cancel(session, [], "used")) == 0
    assert states(db) == [("sending", None), ("cancelled", "used")]


@pytest.mark.parametrize("reason", [*(reason.value for reason in GrantReason), "suppressed", "offer_off", "too_late"])
def test_only_what_an_order_took_back_is_queued_again(db: Database, give: Give, ask: Ask, reason: str) -> None:
    grant = give()
    grant_id = grant.id or 0
    ask(lambda session: grant_mails.queue(session, grant))
    assert ask(lambda session: grant_mails.requeue(session, grant_id)) is False
    ask(lambda session: grant_mails.cancel(session, [grant_id], reason))
    pass_time(db, days=4)
    is_back = ask(lambda session: grant_mails.requeue(session, grant_id))
    assert is_back is (reason in {taken.value for taken in TAKEN_BACK})
    mail = ask(lambda session: session.get(GrantMailRow, grant_id, populate_existing=True))
    assert (mail.state, mail.reason) == (("queued", None) if is_back else ("cancelled", reason))
    if is_back:
        now = ask(app_now)
        assert (now - mail.queued_at < timedelta(minutes=1), now - mail.due_at < timedelta(minutes=1)) == (True, True)


def test_a_mail_that_was_sent_is_not_queued_again(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    grant = give()
    ask(lambda session: grant_mails.queue(session, grant))
    mail = ask(lambda session: send(session, shopify_shop.id))
    assert ask(lambda session: grant_mails.record(session, mail.grant_id, mail.attempts, state="sent", reason=None))
    assert ask(lambda session: grant_mails.requeue(session, grant.id or 0)) is False
    assert states(db) == [("sent", None)]


def test_all_mails_to_an_address_are_cancelled_in_its_shop_alone(
    db: Database, give: Give, ask: Ask, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    for email in ("Anna@example.org", "ANNA@EXAMPLE.ORG", "b@example.org"):
        grant = give(email)
        ask(lambda session, grant=grant: grant_mails.queue(session, grant))
    assert ask(lambda session: grant_mails.cancel_for_address(session, woo_shop.id, "anna@example.org")) == 0
    assert ask(lambda session: grant_mails.cancel_for_address(session, shopify_shop.id, "anna@example.org")) == 2
    assert states(db) == [("cancelled", "suppressed"), ("cancelled", "suppressed"), ("queued", None)]


def test_a_mail_that_was_erased_meanwhile_is_nobodys(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    grant = give()
    ask(lambda session: grant_mails.queue(session, grant))
    with db.transaction(shop=shopify_shop.id) as session:
        held = grant_mails.hold_next(session, shopify_shop.id)
        assert held is not None
        with db.engine.begin() as other:
            other.exec_driver_sql("delete from grant_mails")
        assert grant_mails.still_queued(session, held.mail) is False
    assert ask(lambda session: grant_mails.hold_next(session, shopify_shop.id)) is None


def test_only_who_holds_the_claim_records_its_end(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    grant = give()
    ask(lambda session: grant_mails.queue(session, grant))
    mail = ask(lambda session: send(session, shopify_shop.id))
    assert ask(lambda session: grant_mails.record(session, mail.grant_id, mail.attempts + 1, state="sent")) is False
    pass_time(db, minutes=7)
    with db.system_transaction("test") as session:
        assert (grant_mails.expire_leases(session), grant_mails.expire_leases(session)) == (1, 0)
    assert ask(lambda session: grant_mails.record(session, mail.grant_id, mail.attempts, state="sent")) is False
    assert states(db) == [("unknown", "unknown_outcome")]


def test_shops_with_something_due_are_found_the_longest_waiting_first(db: Database, give: Give, ask: Ask, shopify_shop: TestShop) -> None:
    first, second = give(), give()
    ask(lambda session: grant_mails.queue(session, first))
    with db.system_transaction("test") as session:
        assert grant_mails.shops_with_due(session, 5) == [shopify_shop.id]
        assert grant_mails.shops_with_due(session, 0) == []
    ask(lambda session: grant_mails.cancel(session, [first.id or 0], "used"))
    ask(lambda session: grant_mails.queue(session, second))
    with db.engine.begin() as connection:
        connection.exec_driver_sql("update grant_mails set due_at = due_at + interval '1 hour'")
    with db.system_transaction("test") as session:
        assert grant_mails.shops_with_due(session, 5) == []
    assert ask(lambda session: grant_mails.has_due(session, shopify_shop.id)) is False
    pass_time(db, hours=1, seconds=1)
    assert ask(lambda session: grant_mails.has_due(session, shopify_shop.id)) is True


def test_a_mail_is_found_by_its_way_out_and_by_nothing_else(db: Database, give: Give, ask: Ask) -> None:
    grant = give()
    ask(lambda session: grant_mails.queue(session, grant))
    (mail,) = rows(db, "select unsubscribe_token, public_id from grant_mails")
    found = ask(lambda session: grant_mails.find_by_unsubscribe(session, mail["unsubscribe_token"]))
    assert found.grant_id == grant.id
    for other in (grant.link_token, mail["public_id"], ""):
        assert ask(lambda session, other=other: grant_mails.find_by_unsubscribe(session, other)) is None
