"""Hand messages over: claim | call | record."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from connector.canonical import Channel
from connector.messages.envelope import Envelope, Handover, SendResult
from connector.store import people
from connector.store.outgoing import LEASE
from sync import apply, send, sweep
from sync.handing_over import RETRY_MINUTES
from tests.fake_sender import FakeSender
from tests.sync.bodies import dump, shopify_checkout, shopify_order, template
from tests.sync.world import Arrival, World, keep

EMAIL = "anna.petit@example.org"


def queue(world: World, count: int = 1) -> None:
    """So many checkouts are abandoned and their messages are due."""
    world.turn_on()
    for n in range(count):
        email = EMAIL if count == 1 else f"p{n}@example.org"
        world.arrive("checkouts/update", shopify_checkout(f"tok-{n}", world.start, email=email))
    world.go_to(world.at(60))
    world.abandon()


def unsubscribe(world: World, email: str) -> None:
    """A person wants nothing more."""
    with world.db.transaction(shop=world.shop.id) as session:
        people.lock_address(session, world.services.vault, world.shop.id, Channel.EMAIL, email, shared=False)
        people.suppress(session, world.services.vault, world.shop.id, Channel.EMAIL, email, "unsubscribed")


@pytest.mark.spec("SQ-02", "RL-120")
def test_exactly_one_message_reaches_the_address_that_was_typed(world: World, sender: FakeSender) -> None:
    queue(world)

    assert [world.send() for _ in range(3)] == [1, 0, 0]
    (envelope,) = sender.handed
    assert envelope.to == EMAIL
    assert envelope.message_id.startswith("msg_")
    message = world.one("messages")
    assert (message["state"], message["reason"], message["attempts"], message["lease_until"]) == ("sent", None, 1, None)
    assert message["handed_over_at"] is not None
    assert world.reasons() == ["sent"]
    (history,) = world.rows("select history from decisions")
    assert [entry["reason"] for entry in history["history"]] == ["sent", "sending", "enrolled"]


@pytest.mark.spec("SQ-15")
def test_the_message_names_the_shop_and_carries_the_links_of_its_own_checkout(world: World, sender: FakeSender) -> None:
    queue(world)
    world.send()

    (envelope,) = sender.handed
    message = world.one("messages")
    for part in (envelope.html, envelope.text):
        assert "Démo" in part
        assert f"https://connector.test/r/{message['link_token']}" in part
        assert f"https://connector.test/u/{message['unsubscribe_token']}" in part


def test_nothing_is_claimed_without_a_sender(world: World) -> None:
    queue(world)

    assert send.send_messages(replace(world.services, mail=None), world.shop.id) == 0
    assert world.messages() == [("queued", None)]


def ordered(world: World) -> None:
    """An order that nobody told the messages of."""
    world.execute("update checkouts set converted_at = app_now() where shop_id = :shop")


@pytest.mark.spec("SQ-06", "SW-12", "SQ-20", "RL-121", "RL-125", "RL-126")
@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (ordered, "purchased"),
        (lambda world: world.execute("update automations set is_on = false where shop_id = :shop"), "automation_off"),
        (lambda world: world.execute("update automations set activated_at = app_now() where shop_id = :shop"), "automation_off"),
        (lambda world: unsubscribe(world, EMAIL), "suppressed"),
        (lambda world: world.execute("update shops set state = 'needs_sign_in' where id = :shop"), "shop_disconnected"),
        (lambda world: world.execute("update checkouts set deleted_at = app_now() where shop_id = :shop"), "closed"),
        (lambda world: world.execute("update checkouts set line_count = 0 where shop_id = :shop"), "emptied"),
        (lambda world: world.execute("update checkouts set recovery_url = null where shop_id = :shop"), "no_recovery_link"),
        (lambda world: world.execute("update checkouts set email_norm = null where shop_id = :shop"), "not_identified"),
    ],
)
def test_the_claim_looks_at_everything_again(world: World, sender: FakeSender, happens: Callable[[World], None], reason: str) -> None:
    queue(world)
    happens(world)

    assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", reason)]
    assert world.reasons() == [reason]
    assert world.services.metrics.messages.values() == {("email", "cancelled"): 1}


@pytest.mark.parametrize(
    "arrives",
    [
        lambda world: world.arrive("orders/create", shopify_order(9, world.at(1), checkout_token="tok-0", email=EMAIL)),
        lambda world: world.arrive("app/uninstalled", dump(template("shopify", "app_uninstalled__null_domains")), world.at(61)),
    ],
)
def test_what_a_delivery_cancels_is_counted_once(world: World, arrives: Callable[[World], int]) -> None:
    queue(world)
    arrives(world)
    assert [state for state, _ in world.messages()] == ["cancelled"]
    arrives(world)
    assert world.services.metrics.messages.values() == {("email", "cancelled"): 1}


@pytest.mark.spec("SQ-05")
def test_a_shopper_who_came_back_postpones_the_message(world: World, sender: FakeSender) -> None:
    queue(world)
    world.arrive("checkouts/update", shopify_checkout("tok-0", world.at(59), email=EMAIL, lines=((101, 3),)))

    assert world.send() == 0
    assert world.one("messages")["due_at"] == world.at(119)
    assert world.reasons() == ["shopper_active"]

    world.go_to(world.at(119))
    assert world.send() == 1
    assert sender.recipients == [EMAIL]


def test_a_corrected_address_gets_the_message(world: World, sender: FakeSender) -> None:
    queue(world)
    world.arrive("checkouts/update", shopify_checkout("tok-0", world.at(1), email="Hannah@Example.org"))
    world.go_to(world.at(61))

    assert world.send() == 1
    assert sender.recipients == ["hannah@example.org"]
    assert world.one("messages")["address"] == "hannah@example.org"


@pytest.mark.spec("SW-08", "RL-126")
def test_a_corrected_address_that_unsubscribed_gets_nothing(world: World, sender: FakeSender) -> None:
    queue(world)
    unsubscribe(world, "hannah@example.org")
    world.arrive("checkouts/update", shopify_checkout("tok-0", world.at(1), email="hannah@example.org"))
    world.go_to(world.at(61))

    assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", "suppressed")]


def test_a_message_is_written_with_the_pictures_and_words_of_the_products(world: World, sender: FakeSender) -> None:
    queue(world)
    world.execute(
        "insert into products (public_id, shop_id, platform_id, title, description, image_url, is_deleted, read_at, source_version) "
        "values ('prd_1', :shop, '1010', 'Bougie', 'Coulée à la main.', 'https://cdn.example/p.jpg', false, now(), now())"
    )
    world.send()

    (envelope,) = sender.handed
    assert "https://cdn.example/p.jpg" in envelope.html
    assert "Coulée à la main." in envelope.text


@pytest.mark.spec("RL-120")
def test_two_workers_at_once_send_each_message_once(world: World, sender: FakeSender) -> None:
    queue(world, 30)
    threads = [threading.Thread(target=world.send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while world.send():
        pass

    assert sorted(sender.recipients) == sorted(f"p{n}@example.org" for n in range(30))
    assert world.messages() == [("sent", None)] * 30


def test_a_crash_in_mid_send_is_unknown_after_the_lease_and_never_sent_again(world: World, sender: FakeSender) -> None:
    queue(world)

    def crash(envelope: Envelope) -> None:
        raise KeyboardInterrupt

    sender.before = crash
    with pytest.raises(KeyboardInterrupt):
        world.send()
    assert world.messages() == [("sending", None)]
    assert world.send() == 0
    assert sweep.expire(world.services) == 0

    world.go_to(world.now() + LEASE + timedelta(seconds=1))
    assert sweep.expire(world.services) == 1
    sender.before = lambda envelope: None
    assert world.send() == 0
    assert world.messages() == [("unknown", "unknown_outcome")]
    assert world.reasons() == ["unknown_outcome"]


def test_who_comes_back_after_the_lease_records_nothing(world: World, sender: FakeSender) -> None:
    queue(world)

    def slow(envelope: Envelope) -> None:
        world.go_to(world.now() + LEASE + timedelta(seconds=1))
        assert sweep.expire(world.services) == 1

    sender.before = slow
    world.send()

    assert len(sender.handed) == 1
    assert world.messages() == [("unknown", "unknown_outcome")]


@pytest.mark.spec("RL-123")
def test_an_unclear_end_is_unknown_and_never_sent_again(world: World, sender: FakeSender) -> None:
    sender.answers = [SendResult(Handover.UNKNOWN, "connection closed after the dot")]
    queue(world)

    assert [world.send(), world.send()] == [1, 0]
    world.go_to(world.now() + timedelta(days=2))
    assert world.send() == 0
    assert world.messages() == [("unknown", "unknown_outcome")]
    assert world.one("messages")["detail"] == "connection closed after the dot"


@pytest.mark.spec("RL-124")
def test_a_refusal_for_now_is_tried_again_later_and_given_up_in_the_end(world: World, sender: FakeSender) -> None:
    sender.answers = [SendResult(Handover.RETRY, "451 later")] * 20
    queue(world)
    pauses = []
    for _ in RETRY_MINUTES:
        before = world.now()
        assert world.send() == 1
        assert world.messages() == [("queued", "retrying")]
        assert world.send() == 0
        due = world.one("messages")["due_at"]
        pauses.append(round((due - before).total_seconds() / 60))
        world.go_to(due)
    assert world.send() == 1

    assert tuple(pauses) == RETRY_MINUTES
    assert world.messages() == [("refused", "refused")]
    assert world.one("messages")["attempts"] == len(sender.handed) == len(RETRY_MINUTES) + 1
    assert world.rows("select * from suppressions") == []


@pytest.mark.spec("RL-124")
def test_a_second_try_that_succeeds_leaves_no_trace_of_the_first(world: World, sender: FakeSender) -> None:
    sender.answers = [SendResult(Handover.RETRY, "451 later")]
    queue(world)
    world.send()
    world.go_to(world.one("messages")["due_at"])

    assert world.send() == 1
    assert world.messages() == [("sent", None)]


@pytest.mark.spec("RL-124")
@pytest.mark.parametrize(("is_bad_address", "suppressed"), [(True, 1), (False, 0)])
def test_a_final_refusal_is_not_repeated_and_a_bad_address_is_never_written_to_again(
    world: World, sender: FakeSender, is_bad_address: bool, suppressed: int
) -> None:
    sender.answers = [SendResult(Handover.REFUSED, "550 5.1.1 no such user", is_bad_address=is_bad_address)]
    queue(world)

    assert [world.send(), world.send()] == [1, 0]
    assert world.messages() == [("refused", "refused")]
    assert [row["reason"] for row in world.rows("select reason from suppressions")] == ["bounced"] * suppressed

    world.arrive("checkouts/update", shopify_checkout("tok-9", world.at(70), email=EMAIL.upper()))
    world.go_to(world.at(140))
    world.abandon()
    assert world.reasons()[-1] == ("suppressed" if is_bad_address else "enrolled")


def test_what_cannot_be_composed_is_refused_with_its_reason_and_the_next_one_goes_out(world: World, sender: FakeSender) -> None:
    queue(world, 2)
    linkless = world.services.settings.model_copy(update={"public_url": "ftp://connector.test"})

    assert send.send_messages(replace(world.services, settings=linkless), world.shop.id, limit=1) == 1
    assert world.send() == 1
    assert world.messages() == [("refused", "not_composed"), ("sent", None)]
    assert world.reasons() == ["not_composed", "sent"]
    assert "http" in world.rows("select detail from messages order by id")[0]["detail"]
    assert sender.recipients == ["p1@example.org"]


def test_a_long_queue_goes_to_the_end_of_the_line(world: World, sender: FakeSender, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    queue(world, 3)
    world.db.on_wake(lambda wake: rung.append(wake.job))

    assert send.send_messages(world.services, world.shop.id, limit=2) == 2
    assert rung == ["send_messages"]
    monkeypatch.setattr(send, "SLICE_SECONDS", 0.0)
    assert send.send_messages(world.services, world.shop.id) == 0
    assert rung == ["send_messages"] * 2
    assert len(sender.handed) == 2


def test_a_message_whose_checkout_somebody_holds_waits_without_blocking(world: World, sender: FakeSender) -> None:
    queue(world)
    with world.db.engine.begin() as other:
        other.execute(text("select 1 from checkouts for update"))
        assert world.send() == 0
    assert world.send() == 1
    assert len(sender.handed) == 1


@pytest.mark.spec("RL-121")
def test_an_order_that_is_applied_meanwhile_is_seen_or_comes_after_the_claim(world: World, sender: FakeSender) -> None:
    rounds = 50
    queue(world, rounds)
    for n in range(rounds):
        order = shopify_order(n, world.at(30), email=f"p{n}@example.org")
        keep(world.db, world.shop, [Arrival("orders/create", order)])
    ready = threading.Barrier(2)

    def buy() -> None:
        ready.wait()
        for _ in range(rounds):
            apply.drain(world.services, world.shop.id, limit=1)

    buyers = threading.Thread(target=buy)
    buyers.start()
    ready.wait()
    while world.send():
        pass
    buyers.join()
    world.send()

    rows = world.rows("""
        with bought as (select row_number() over (order by id) - 1 n, handled_at from deliveries where topic = 'orders/create')
        select m.state, m.address, b.handled_at,
               (select h ->> 'at' from jsonb_array_elements(d.history) h where h ->> 'reason' = 'sending')::timestamptz claimed_at
        from messages m join checkouts c on c.id = m.checkout_id join decisions d on d.checkout_id = c.id
        join orders o on o.id = c.converted_order_id join bought b on b.n = o.platform_id::int
    """)
    assert len(rows) == rounds
    assert {row["state"] for row in rows} <= {"sent", "cancelled"}
    sent = [row for row in rows if row["state"] == "sent"]
    assert sorted(sender.recipients) == sorted(row["address"] for row in sent)
    assert all(row["claimed_at"] < row["handled_at"] for row in sent)


@pytest.mark.spec("RL-125", "RL-126")
def test_an_unsubscribe_and_a_claim_of_one_address_take_turns(world: World, sender: FakeSender) -> None:
    queue(world)
    with world.db.transaction(shop=world.shop.id) as session:
        people.lock_address(session, world.services.vault, world.shop.id, Channel.EMAIL, EMAIL, shared=False)
        claimant = threading.Thread(target=world.send)
        claimant.start()
        claimant.join(0.3)
        assert claimant.is_alive()
        people.suppress(session, world.services.vault, world.shop.id, Channel.EMAIL, EMAIL, "unsubscribed")
    claimant.join()

    assert sender.handed == []
    assert world.messages() == [("cancelled", "suppressed")]


def test_a_message_cancelled_while_it_was_looked_at_is_not_sent(world: World, sender: FakeSender) -> None:
    queue(world)
    with world.db.engine.begin() as other:
        other.execute(text("update messages set state = 'cancelled', reason = 'automation_off'"))
        claimant = threading.Thread(target=world.send)
        claimant.start()
        claimant.join(0.3)
        assert claimant.is_alive()
    claimant.join()

    assert sender.handed == []
    assert world.messages() == [("cancelled", "automation_off")]
