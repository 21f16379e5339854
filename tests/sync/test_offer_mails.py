"""The mails of grants are handed over: claim | call | record."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import PaymentState, Phone
from connector.messages.envelope import Envelope, Handover, SendResult
from connector.rules.offer_terms import Terms
from connector.store import banners
from connector.store.outgoing import LEASE
from sync import offer_mails, sweep
from sync.broker import Bell, make_broker
from sync.handing_over import RETRY_MINUTES
from sync.services import Services
from tests.fake_sender import FakeSender
from tests.store.people import rows
from tests.sync.offer_desk import TEN_PERCENT, OfferDesk
from tests.sync.working import wait_until, working

ANNA = "anna.petit@example.org"


@pytest.fixture
def active(desk: OfferDesk) -> str:
    """An active offer with a code that the store honours."""
    desk.hold_code()
    return desk.publish()


def send(desk: OfferDesk) -> int:
    return offer_mails.send_offers(desk.services, desk.shop_id)


def mails(desk: OfferDesk) -> list[tuple[str, str | None]]:
    """State and reason of all mails, oldest grant first."""
    return [(row["state"], row["reason"]) for row in rows(desk.services.db, "select state, reason from grant_mails order by grant_id")]


def one_mail(desk: OfferDesk) -> dict[str, Any]:
    (mail,) = rows(desk.services.db, "select * from grant_mails")
    return mail


def change(desk: OfferDesk, statement: str) -> None:
    """Something happened that nobody told the mails of."""
    with desk.services.db.engine.begin() as connection:
        connection.execute(text(statement), {"shop": desk.shop_id})


def test_a_grant_is_told_once_with_its_code_its_page_and_the_way_out(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    grant = desk.grant(desk.buy())

    assert [send(desk) for _ in range(3)] == [1, 0, 0]
    (envelope,) = sender.handed
    mail = one_mail(desk)
    assert (envelope.to, envelope.subject) == (ANNA, "Thank you")
    assert envelope.message_id == f"{mail['public_id']}@localhost"
    assert envelope.sender == '"Démo" <connector@localhost>'
    way_out = f"https://connector.test/u/{mail['unsubscribe_token']}"
    assert envelope.headers == {"List-Unsubscribe": f"<{way_out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    for part in (envelope.html, envelope.text):
        assert "MERCI10" in part
        assert f"https://connector.test/o/{grant.link_token}" in part
        assert way_out in part
    assert len(grant.link_token) == len(mail["unsubscribe_token"]) == 22
    assert grant.link_token != mail["unsubscribe_token"]
    assert (mail["state"], mail["reason"], mail["attempts"], mail["lease_until"]) == ("sent", None, 1, None)
    assert mail["handed_over_at"] is not None


def test_it_is_written_in_the_language_of_the_order_else_of_the_shop(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.buy()
    desk.buy("b@example.org", language="en-GB", first_name="Bob")
    send(desk)

    french, english = sender.handed
    assert "10\u00a0% de réduction" in french.text.replace("\u202f", "\u00a0")
    assert "Hello Bob," in english.text
    assert "10% off" in english.text


def test_it_says_what_the_store_gives_for_the_code_now(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.hold_code(value=Decimal(15), minimum_subtotal=Decimal(30), currency="EUR", ends_at=desk.now + timedelta(days=9))
    desk.buy(language="en")
    send(desk)
    assert "15% off on orders of €30.00 or more\n" in sender.handed[0].text
    assert "Valid until" in sender.handed[0].text


def test_the_merchants_picture_is_in_it(desk: OfferDesk, sender: FakeSender) -> None:
    desk.hold_code()
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        banner = banners.save_banner(session, desk.shop_id, content=b"png", content_type="image/png", width=933, height=480)
    desk.publish(banner_id=banner.id)
    desk.buy()
    send(desk)
    assert f'src="https://connector.test/banners/{banner.public_id}"' in sender.handed[0].html


def test_who_left_no_address_gets_the_offer_but_no_mail(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    grant = desk.grant(desk.buy(None, phone=Phone("06 45 67 89 01", "+33645678901")))
    assert (grant.state, mails(desk), send(desk)) == ("live", [], 0)
    assert sender.handed == []


def test_nothing_is_claimed_without_a_sender(desk: OfferDesk, active: str) -> None:
    desk.buy()
    mute = replace(desk.services, mail=None)
    assert offer_mails.send_offers(mute, desk.shop_id) == 0
    assert sweep.find_due(mute) == []
    assert mails(desk) == [("queued", None)]


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        ("insert into consents values (:shop, 'email', 'anna.petit@example.org', 'unsubscribed', 'store', now())", "suppressed"),
        ("update shops set state = 'uninstalled' where id = :shop", "shop_disconnected"),
        ("update grants set state = 'suspended', reason = 'order_disputed'", "order_disputed"),
        ("update grants set state = 'used'", "used"),
        ("update grants set state = 'ended', reason = 'code_deleted'", "code_deleted"),
        ("update grants set ends_at = app_now()", "expired"),
        ("update discount_codes set deleted_at = app_now()", "missing"),
        ("update discount_codes set ends_at = app_now()", "expired"),
        ("update discount_codes set usage_limit = 5, used = 5", "used_up"),
        ("update offers set state = 'deactivated'", "offer_off"),
        ("update offers set state = 'deleted'", "offer_off"),
        ("update grant_mails set queued_at = queued_at - interval '3 days'", "too_late"),
    ],
)
def test_the_claim_looks_at_everything_again(desk: OfferDesk, active: str, sender: FakeSender, happens: str, reason: str) -> None:
    desk.buy()
    change(desk, happens)

    assert send(desk) == 0
    assert sender.handed == []
    assert mails(desk) == [("cancelled", reason)]
    assert desk.services.metrics.messages.values() == {("email", "cancelled"): 1}


@pytest.mark.parametrize(
    ("happens", "ends"),
    [
        ("update shops set storefront = 'password'", "update shops set storefront = 'open'"),
        ("update shops set storefront = 'frozen'", "update shops set storefront = 'open'"),
        ("update shops set state = 'needs_sign_in'", "update shops set state = 'connected'"),
        ("update shops set stranger_host = 'x.example', stranger_at = now()", "update shops set stranger_at = null"),
        ("update offers set state = 'suspended', reason = 'code_expired'", "update offers set state = 'active', reason = null"),
        ("update discount_codes set restrictions = '{products}'", "update discount_codes set restrictions = '{}'"),
    ],
)
def test_what_may_pass_is_waited_for(desk: OfferDesk, active: str, sender: FakeSender, happens: str, ends: str) -> None:
    desk.buy()
    change(desk, happens)
    assert send(desk) == 0
    assert (mails(desk), sender.handed) == ([("queued", None)], [])
    change(desk, ends)
    assert send(desk) == 0, "not before its time"

    desk.later(minutes=1, seconds=1)
    assert send(desk) == 1
    assert sender.recipients == [ANNA]


def test_who_unsubscribed_long_ago_is_given_the_offer_without_a_mail(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    change(desk, "insert into consents values (:shop, 'email', 'anna.petit@example.org', 'unsubscribed', 'store', now())")
    grant = desk.grant(desk.buy("Anna.Petit@Example.org"))
    assert (grant.state, send(desk), mails(desk)) == ("live", 0, [("cancelled", "suppressed")])


def test_an_order_that_is_taken_back_and_stands_again_is_told_after_all(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    order = desk.buy()
    desk.change_order(order, payment_state=PaymentState.REFUNDED)
    assert (mails(desk), send(desk)) == ([("cancelled", "order_refunded")], 0)
    desk.change_order(order)
    assert (mails(desk), send(desk)) == ([("queued", None)], 1)
    assert sender.recipients == [ANNA]


def test_a_mail_that_left_is_not_sent_again_when_its_order_stands_again(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    order = desk.buy()
    send(desk)
    desk.change_order(order, payment_state=PaymentState.REFUNDED)
    desk.change_order(order)
    assert (send(desk), mails(desk), len(sender.handed)) == (0, [("sent", None)], 1)


def test_of_many_workers_each_mail_is_sent_by_one(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    people = [f"p{number}@example.org" for number in range(20)]
    for person in people:
        desk.buy(person)
    threads = [threading.Thread(target=send, args=(desk,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while send(desk):
        pass
    assert sorted(sender.recipients) == sorted(people)
    assert mails(desk) == [("sent", None)] * 20


class Killed(BaseException):
    """The end of a process."""


def _die(*_: object, **__: object) -> None:
    raise Killed


POINTS: list[tuple[str, str, str]] = [
    # Where it dies, what the mail is in the end, how often the mail server had it.
    ("hold_next", "sent", "once"),
    ("still_queued", "sent", "once"),
    ("mark_sending", "sent", "once"),
    ("compose_offer", "unknown", "never"),
    ("record", "unknown", "once"),
]


@pytest.mark.parametrize(("point", "state", "times"), POINTS)
def test_killed_anywhere_nothing_is_sent_twice(
    desk: OfferDesk, active: str, sender: FakeSender, monkeypatch: pytest.MonkeyPatch, point: str, state: str, times: str
) -> None:
    desk.buy()
    home = offer_mails if point == "compose_offer" else offer_mails.grant_mails
    with monkeypatch.context() as patched:
        patched.setattr(home, point, _die)
        with pytest.raises(Killed):
            send(desk)
    for _ in range(3):
        send(desk)
        desk.later(seconds=LEASE.total_seconds() + 1)
        sweep.expire(desk.services)
    assert [state for state, _ in mails(desk)] == [state]
    assert len(sender.handed) == {"never": 0, "once": 1}[times]


def test_killed_in_mid_send_it_is_unknown_after_the_lease_and_never_repeated(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.buy()
    sender.before = _die
    with pytest.raises(Killed):
        send(desk)
    sender.before = lambda envelope: None
    assert (mails(desk), send(desk), sweep.expire(desk.services)) == ([("sending", None)], 0, 0)
    desk.later(seconds=LEASE.total_seconds() + 1)
    sweep.expire(desk.services)
    assert (mails(desk), send(desk), sender.handed) == ([("unknown", "unknown_outcome")], 0, [])


def test_who_comes_back_after_the_lease_records_nothing(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.buy()

    def slow(envelope: Envelope) -> None:
        desk.later(seconds=LEASE.total_seconds() + 1)
        sweep.expire(desk.services)

    sender.before = slow
    send(desk)
    assert (len(sender.handed), mails(desk)) == (1, [("unknown", "unknown_outcome")])


def test_an_unclear_end_is_unknown_and_never_sent_again(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    sender.answers = [SendResult(Handover.UNKNOWN, "connection closed after the dot")]
    desk.buy()
    assert [send(desk), send(desk)] == [1, 0]
    desk.later(days=2)
    assert (send(desk), mails(desk), one_mail(desk)["detail"]) == (
        0,
        [("unknown", "unknown_outcome")],
        "connection closed after the dot",
    )


def test_a_refusal_for_now_is_tried_again_later_and_given_up_in_the_end(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    sender.answers = [SendResult(Handover.RETRY, "451 later")] * 20
    desk.buy()
    for number, minutes in enumerate(RETRY_MINUTES, start=1):
        assert send(desk) == 1
        assert (mails(desk), send(desk), len(sender.handed)) == ([("queued", "retrying")], 0, number)
        desk.later(minutes=minutes, seconds=1)
    assert send(desk) == 1
    assert mails(desk) == [("refused", "refused")]
    assert one_mail(desk)["attempts"] == len(sender.handed) == len(RETRY_MINUTES) + 1
    assert rows(desk.services.db, "select * from suppressions") == []


@pytest.mark.parametrize(("is_bad_address", "suppressed"), [(True, ["bounced"]), (False, [])])
def test_a_final_refusal_is_not_repeated_and_a_bad_address_gets_nothing_more(
    desk: OfferDesk, active: str, sender: FakeSender, is_bad_address: bool, suppressed: list[str]
) -> None:
    sender.answers = [SendResult(Handover.REFUSED, "550 5.1.1 no such user", is_bad_address=is_bad_address)]
    desk.buy()
    assert [send(desk), send(desk)] == [1, 0]
    assert mails(desk) == [("refused", "refused")]
    assert [row["reason"] for row in rows(desk.services.db, "select reason from suppressions")] == suppressed


def test_what_cannot_be_composed_is_refused_with_its_reason_and_the_next_one_goes_out(
    desk: OfferDesk, active: str, sender: FakeSender
) -> None:
    desk.buy()
    desk.buy("b@example.org")
    linkless = desk.services.settings.model_copy(update={"public_url": "ftp://connector.test"})
    assert offer_mails.send_offers(replace(desk.services, settings=linkless), desk.shop_id, limit=1) == 1
    assert send(desk) == 1
    assert mails(desk) == [("refused", "not_composed"), ("sent", None)]
    assert sender.recipients == ["b@example.org"]


def test_somebody_who_is_erased_while_their_mail_leaves_leaves_no_trace(desk: OfferDesk, active: str, sender: FakeSender) -> None:
    desk.buy()
    desk.buy("b@example.org")
    sender.before = lambda envelope: change(desk, "delete from grant_mails where lower(address) = 'anna.petit@example.org'")
    assert send(desk) == 2
    assert mails(desk) == [("sent", None)]


@pytest.mark.parametrize("held", ["grants", "offers"])
def test_what_somebody_decides_about_at_this_moment_waits_without_blocking(
    desk: OfferDesk, active: str, sender: FakeSender, held: str
) -> None:
    desk.buy()
    with desk.services.db.engine.begin() as other:
        other.execute(text(f"select 1 from {held} for update"))
        assert send(desk) == 0
    assert (send(desk), sender.recipients) == (1, [ANNA])


@pytest.mark.parametrize(
    "decides",
    [
        "update offers set state = 'deactivated'",
        "update grants set state = 'suspended', reason = 'order_refunded'",
        "update shops set state = 'uninstalled'",
    ],
)
def test_nothing_is_claimed_after_a_decision_against_it(desk: OfferDesk, active: str, sender: FakeSender, decides: str) -> None:
    desk.buy()
    with desk.services.db.engine.begin() as other:
        other.execute(text(decides))
        claimant = threading.Thread(target=send, args=(desk,))
        claimant.start()
        claimant.join(0.3)
        assert mails(desk) == [("queued", None)]
    claimant.join()
    send(desk)
    assert sender.handed == []
    assert [state for state, _ in mails(desk)] == ["cancelled"]


def test_a_long_queue_goes_to_the_end_of_the_line(
    desk: OfferDesk, active: str, sender: FakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        desk.buy(f"p{number}@example.org")
    rung: list[str] = []
    desk.services.db.on_wake(lambda wake: rung.append(wake.job))
    assert offer_mails.send_offers(desk.services, desk.shop_id, limit=2) == 2
    assert rung == ["send_offers"]
    monkeypatch.setattr(offer_mails, "SLICE_SECONDS", 0.0)
    assert send(desk) == 0
    assert rung == ["send_offers"] * 2
    assert len(sender.handed) == 2


def test_a_grant_rings_and_the_sweep_finds_what_was_not_heard(desk: OfferDesk, active: str, services: Services) -> None:
    rung: list[tuple[str, int]] = []
    services.db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
    desk.buy()
    assert ("send_offers", desk.shop_id) in rung
    rung.clear()
    sweep.sweep(services)
    assert ("send_offers", desk.shop_id) in rung


def test_a_worker_that_was_rung_for_sends_it(desk: OfferDesk, active: str, services: Services, sender: FakeSender) -> None:
    bell = Bell(make_broker(services.settings), services)
    services.db.on_wake(bell.ring)
    with working(bell, threads=2):
        desk.buy()
        wait_until(lambda: mails(desk) == [("sent", None)])
    assert sender.recipients == [ANNA]


@pytest.mark.parametrize("make", [lambda terms: replace(terms, body="\n".join(["Merci"] * 50)), lambda terms: replace(terms, body="")])
def test_the_merchants_text_is_in_it_as_it_was_given(desk: OfferDesk, sender: FakeSender, make: Callable[[Terms], Terms]) -> None:
    desk.hold_code()
    terms = make(TEN_PERCENT)
    desk.publish(terms)
    desk.buy()
    send(desk)
    assert sender.handed[0].text.count("Merci\n") == terms.body.count("Merci")
