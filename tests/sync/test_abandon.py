"""Checkouts whose clock ran out."""

from typing import Any

import pytest

from connector.canonical import Channel
from connector.rules.abandonment import ActivityClock
from connector.store import people, shops
from sync import abandon
from tests.sync.bodies import shopify_cart, shopify_checkout, shopify_customer, shopify_order, woo_order
from tests.sync.world import World

EMAIL = "anna.petit@example.org"


def leave_checkout(world: World, minutes: float = 0, *, email: str | None = EMAIL, token: str = "tok-1", **changes: Any) -> None:
    """Somebody opens a checkout, types an e-mail and goes."""
    world.arrive("checkouts/update", shopify_checkout(token, world.at(minutes), created_at=world.start, email=email, **changes))


@pytest.mark.spec("SQ-02", "AC-05", "AC-03")
def test_a_checkout_with_an_email_is_enrolled_once_when_the_delay_has_passed_and_never_before(world: World) -> None:
    world.turn_on()
    leave_checkout(world, 0.1)

    world.go_to(world.at(60, seconds=4))
    assert world.abandon() == 0

    world.go_to(world.at(60, seconds=7))
    assert world.abandon() == 1
    assert world.abandon() == 0
    assert world.one("checkouts")["abandoned_at"] == world.at(60.1)
    assert world.one("enrollments")["checkout_id"] == world.one("checkouts")["id"]
    message = world.one("messages")
    assert (message["state"], message["address"], message["due_at"]) == ("queued", EMAIL, world.at(60.1))
    assert world.reasons() == ["enrolled"]


@pytest.mark.spec("SQ-01")
def test_nothing_is_ever_queued_in_a_shop_that_activated_nothing(world: World) -> None:
    leave_checkout(world)
    world.go_to(world.at(61))

    assert world.abandon() == 1
    assert world.messages() == []
    assert world.reasons() == ["automation_off"]


@pytest.mark.spec("SQ-05")
def test_an_edit_by_the_shopper_moves_the_abandonment_and_a_recalculation_does_not(world: World) -> None:
    world.turn_on()
    leave_checkout(world, 0)
    leave_checkout(world, 30, lines=((101, 2),))
    leave_checkout(world, 50, lines=((101, 2),), total_price="70.10", total_tax="11.68", note="gift")

    assert world.one("checkouts")["due_at"] == world.at(90)
    world.go_to(world.at(89))
    assert world.abandon() == 0


@pytest.mark.spec("SW-02")
def test_under_the_addition_clock_only_what_was_added_counts(world: World) -> None:
    with world.db.transaction(shop=world.shop.id) as session:
        shops.set_threshold(session, world.shop.id, 20, ActivityClock.ADDITION)
    leave_checkout(world, 0, lines=((101, 2),))
    leave_checkout(world, 5, lines=((101, 2), (102, 1)))
    leave_checkout(world, 9, lines=((101, 1), (102, 1)))

    world.go_to(world.at(24, seconds=59))
    assert world.abandon() == 0
    world.go_to(world.at(25))
    assert world.abandon() == 1


@pytest.mark.spec("SQ-06", "SW-12")
@pytest.mark.parametrize("by", ["email", "customer", "phone", "token"])
def test_an_order_of_the_same_person_cancels_what_is_queued(world: World, by: str) -> None:
    world.turn_on()
    customer = shopify_customer(7340, world.start, email=EMAIL if by == "customer" else None)
    leave_checkout(world, customer=customer if by != "email" else None)
    world.go_to(world.at(60))
    world.abandon()
    assert world.messages() == [("queued", None)]

    told: dict[str, dict[str, Any]] = {
        "email": {"email": EMAIL.upper()},
        "customer": {"email": "other@example.org", "customer": shopify_customer(7340, world.start, phone=None, default_address=None)},
        "phone": {"email": "other@example.org", "customer": shopify_customer(99, world.start, email=None)},
        "token": {"email": "other@example.org", "checkout_token": "tok-1"},
    }
    world.arrive("orders/create", shopify_order(1, world.at(30), **told[by]))

    assert world.messages() == [("cancelled", "purchased")]
    assert world.reasons() == ["purchased"]
    assert world.one("checkouts")["converted_by"] == ("checkout_token" if by == "token" else "person")


@pytest.mark.spec("SQ-06")
def test_who_bought_before_the_delay_ended_is_never_enrolled(world: World) -> None:
    world.turn_on()
    leave_checkout(world)
    world.arrive("orders/create", shopify_order(1, world.at(10), email=EMAIL))
    world.go_to(world.at(61))

    assert world.abandon() == 0
    assert world.messages() == []
    assert world.reasons() == ["purchased"]


def test_an_order_of_somebody_else_cancels_nothing(world: World) -> None:
    world.turn_on()
    leave_checkout(world)
    world.go_to(world.at(60))
    world.abandon()
    world.arrive("orders/create", shopify_order(1, world.at(30), email="other@example.org"))

    assert world.messages() == [("queued", None)]


@pytest.mark.spec("SW-10")
@pytest.mark.parametrize(("status", "counts"), [("on-hold", True), ("processing", True), ("pending", False), ("failed", False)])
def test_on_woocommerce_an_order_paid_offline_counts_and_a_left_payment_page_does_not(woo: World, status: str, counts: bool) -> None:
    woo.turn_on()
    woo.arrive("order.updated", woo_order(41, "checkout-draft", woo.start, email=EMAIL))
    woo.arrive("order.updated", woo_order(41, status, woo.at(1), created_at=woo.start, email=EMAIL))
    woo.go_to(woo.at(60))

    assert woo.abandon() == (0 if counts else 1)
    assert woo.reasons() == (["purchased"] if counts else ["enrolled"])


@pytest.mark.spec("SW-10")
def test_on_shopify_an_order_that_awaits_a_manual_payment_counts(world: World) -> None:
    world.turn_on()
    leave_checkout(world)
    world.arrive("orders/create", shopify_order(1, world.at(5), checkout_token="tok-1", financial_status="pending"))
    world.go_to(world.at(61))

    assert world.abandon() == 0
    assert world.reasons() == ["purchased"]


@pytest.mark.spec("SQ-13")
def test_a_checkout_abandoned_before_activation_never_counts_and_one_abandoned_later_does(world: World) -> None:
    leave_checkout(world, 0, token="early", email="early@example.org")
    leave_checkout(world, 10, token="late", email="late@example.org")
    world.go_to(world.at(65))
    world.turn_on()
    world.go_to(world.at(71))

    assert world.abandon() == 2
    assert world.reasons() == ["abandoned_before_activation", "enrolled"]
    assert [row["address"] for row in world.rows("select address from messages")] == ["late@example.org"]


@pytest.mark.spec("SQ-20", "SQ-21")
def test_switching_off_cancels_what_is_queued_and_switching_on_again_does_not_revive_it(world: World) -> None:
    world.turn_on()
    for n in range(3):
        leave_checkout(world, 0, token=f"tok-{n}", email=f"p{n}@example.org")
    world.go_to(world.at(60))
    world.abandon()

    assert world.turn_off() == 3
    assert world.turn_off() == 0
    world.turn_on()
    world.turn_on()

    assert world.messages() == [("cancelled", "automation_off")] * 3
    assert world.reasons() == ["automation_off"] * 3
    assert world.abandon() == world.send() == 0
    actions = [row["action"] for row in world.rows("select action from audit_entries order by id")]
    assert actions == ["automation.on", "automation.off", "automation.on"]


@pytest.mark.spec("SW-08")
def test_an_address_that_unsubscribed_is_not_enrolled(world: World) -> None:
    world.turn_on()
    leave_checkout(world)
    with world.db.transaction(shop=world.shop.id) as session:
        people.suppress(session, world.services.vault, world.shop.id, Channel.EMAIL, EMAIL.upper(), "unsubscribed")
    world.go_to(world.at(61))

    assert world.abandon() == 1
    assert world.messages() == []
    assert world.reasons() == ["suppressed"]


@pytest.mark.spec("SQ-04")
def test_neither_an_anonymous_checkout_nor_a_cart_is_ever_written_to(world: World) -> None:
    world.turn_on()
    leave_checkout(world, email=None)
    leave_checkout(world, email="anna@exam", token="half")
    world.arrive("carts/create", shopify_cart("cart-1", world.start))
    world.go_to(world.at(61))

    assert world.abandon() == 2
    assert world.messages() == []
    assert world.reasons() == []  # who is not identified gets no Decision: that is computed on reading
    assert [row["stage"] for row in world.rows("select stage from checkouts where abandoned_at is not null")] == ["checkout"] * 2


def test_a_checkout_without_a_way_back_is_not_enrolled_and_says_so(world: World) -> None:
    world.turn_on()
    leave_checkout(world, abandoned_checkout_url=None)
    world.go_to(world.at(61))
    world.abandon()

    assert world.messages() == []
    assert world.reasons() == ["no_recovery_link"]


def test_an_emptied_checkout_is_not_abandoned(world: World) -> None:
    leave_checkout(world)
    leave_checkout(world, 1, lines=())
    world.go_to(world.at(90))

    assert world.abandon() == 0


def test_a_full_batch_asks_for_another_one(world: World) -> None:
    rung: list[str] = []
    world.db.on_wake(lambda wake: rung.append(wake.job))
    for n in range(3):
        leave_checkout(world, 0, token=f"tok-{n}")
    world.go_to(world.at(61))
    rung.clear()

    assert abandon.mark_abandoned(world.services, world.shop.id, limit=2) == 2
    assert rung == ["send_messages", "mark_abandoned"]
    assert abandon.mark_abandoned(world.services, world.shop.id, limit=2) == 1
    assert rung == ["send_messages", "mark_abandoned", "send_messages"]


def test_a_changed_delay_counts_for_open_checkouts_at_once(world: World) -> None:
    leave_checkout(world)
    assert world.one("checkouts")["due_at"] == world.at(60)  # the default

    with world.db.transaction(shop=world.shop.id) as session:
        shops.set_threshold(session, world.shop.id, 20, ActivityClock.ACTIVITY)

    assert world.one("checkouts")["due_at"] == world.at(20)
