"""Orders that only a sync told of: they end what was begun, count as used, and change no past attribution; they earn nothing."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import Order, PaymentState
from sync import offer_mails
from tests.factories import make_checkout, make_order
from tests.sync.offer_desk import OfferDesk
from tests.sync.quiet_kit import Told, tell
from tests.sync.world import World

OTHER = "other@example.org"
PENDING = {"payment_state": PaymentState.PENDING, "paid_at": None}


@pytest.fixture
def told(world: World) -> Told:
    """A shop in which Anna has left a checkout."""
    there = Told(world)
    there.live(make_checkout(world.start, created_at=world.start, cart_token="cart-1"))
    return there


def order(told: Told, name: str, minutes: float, **changes: Any) -> Order:
    """An order of Anna's, placed so many minutes after the start."""
    return make_order(told.world.at(minutes), platform_id=name, **changes)


def test_it_converts_what_nothing_converted_yet(told: Told) -> None:
    told.quietly(order(told, "quiet", 10))

    assert told.is_quiet("orders")
    assert told.converted_by() == "quiet"
    assert told.due_in() is None


def test_it_never_takes_the_place_of_another_not_even_when_the_store_tells_of_the_checkout_again(told: Told) -> None:
    told.live(order(told, "first", 20))
    told.quietly(order(told, "better", 10, checkout_token="tok-1"))
    assert told.converted_by() == "first"

    told.live(make_checkout(told.world.at(1), created_at=told.world.start, cart_token="cart-1", country="FR"))
    told.live(order(told, "third", 30))
    assert told.converted_by() == "first"

    told.live(order(told, "better", 10, checkout_token="tok-1"))
    assert (told.converted_by(), told.world.one("checkouts")["converted_by"]) == ("better", "checkout_token")


def test_the_order_that_the_store_tells_of_takes_the_place_of_one_that_a_sync_told_of(told: Told) -> None:
    told.quietly(order(told, "quiet", 10))
    told.live(order(told, "later", 20))
    assert told.converted_by() == "quiet"

    told.live(order(told, "sure", 30, cart_token="cart-1"))
    assert told.converted_by() == "sure"


@pytest.mark.parametrize("changes", [{"email": OTHER}, {"placed_at": -60}, {"checkout_token": "tok-1"}], ids=["person", "time", "token"])
def test_what_a_sync_tells_anew_of_an_order_changes_no_past_attribution(told: Told, changes: dict[str, Any]) -> None:
    told.live(order(told, "6210", 20))
    before = told.world.one("checkouts")
    if "placed_at" in changes:
        changes = {"placed_at": told.world.at(changes["placed_at"])}
    newer = replace(order(told, "6210", 20), source_version=told.world.at(25), **changes)

    told.quietly(newer)
    told.live(make_checkout(told.world.at(1), created_at=told.world.start, cart_token="cart-1", country="FR"))
    after = told.world.one("checkouts")
    assert after["country"] == "FR"
    assert [after[name] for name in ("converted_order_id", "converted_at", "converted_by")] == [
        before[name] for name in ("converted_order_id", "converted_at", "converted_by")
    ]

    told.live(newer)
    said = told.world.one("checkouts")
    assert (said["converted_at"], said["converted_by"]) != (before["converted_at"], before["converted_by"])


def test_nor_does_what_a_sync_tells_anew_of_the_checkout(told: Told) -> None:
    told.live(order(told, "anna", 20), order(told, "other", 15, email=OTHER))
    newer = make_checkout(told.world.at(25), created_at=told.world.start, email=OTHER)

    told.quietly(newer)
    assert told.converted_by() == "anna"
    told.live(newer)
    assert told.converted_by() == "other"


def test_an_old_version_told_by_a_sync_changes_no_instant(told: Told) -> None:
    told.live(order(told, "6210", 20))
    told.quietly(replace(order(told, "6210", 20), source_version=told.world.at(19), placed_at=told.world.at(5)))

    assert not told.is_quiet("orders")
    assert told.world.one("orders")["placed_at"] == told.world.at(20)
    assert told.world.one("checkouts")["converted_at"] == told.world.at(20)


# Offers.


@pytest.fixture
def active(desk: OfferDesk) -> OfferDesk:
    """A shop with an offer that is given."""
    desk.hold_code()
    desk.publish()
    return desk


def quietly(desk: OfferDesk, order: Order) -> Order:
    """A sync tells of an order, and the worker looks at it."""
    tell(desk.services, desk.shop_id, replace(order, triggered_at=desk.now), is_quiet=True)
    desk.tend()
    return order


def paid(desk: OfferDesk, **changes: Any) -> Order:
    """An order that was paid just now; nobody has told us of it."""
    now = desk.now
    return make_order(now, platform_id="quiet", **({"paid_at": now} | changes))


def mails(desk: OfferDesk) -> list[str]:
    """The states of all mails about offers."""
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        return list(session.execute(text("select state from grant_mails order by grant_id")).scalars())


def test_it_earns_nothing_until_the_store_tells_of_it(active: OfferDesk) -> None:
    order = quietly(active, paid(active))
    assert (active.decision(order), active.grants()) == (None, [])

    active.tell(order)
    assert active.decision(order) == "granted"


def test_what_a_sync_only_tells_to_be_paid_earns_nothing_until_the_store_tells_so(active: OfferDesk) -> None:
    order = active.tell(paid(active, **PENDING))
    active.later(minutes=5)
    now = active.now
    settled = quietly(active, replace(order, source_version=now, payment_state=PaymentState.PAID, paid_at=now))
    assert (active.decision(order), active.grants()) == (None, [])

    active.tell(settled)
    assert active.decision(order) == "granted"


def test_what_waits_to_be_looked_at_does_not_miss_what_it_earned(active: OfferDesk) -> None:
    order = paid(active)
    tell(active.services, active.shop_id, order)
    quietly(active, replace(order, source_version=order.source_version + timedelta(seconds=1), platform_status="completed"))

    assert active.decision(order) == "granted"


def test_a_refund_and_a_use_that_a_sync_tells_of_count(active: OfferDesk) -> None:
    order = active.buy()
    active.later(minutes=1)
    quietly(active, replace(order, source_version=active.now, payment_state=PaymentState.REFUNDED, refunded_total=order.total))
    assert (active.grant(order).state, active.grant(order).reason) == ("suspended", "order_refunded")

    other = active.buy("bob@example.org")
    active.later(minutes=1)
    quietly(active, paid(active, email="bob@example.org", discount_codes=("merci10",), total=Decimal(20)))
    assert active.grant(other).state == "used"
    assert len(active.grants()) == 2


def test_an_order_that_a_sync_finds_good_again_has_its_offer_and_no_mail_before_the_store_says_so(active: OfferDesk) -> None:
    order = active.buy()
    active.change_order(order, payment_state=PaymentState.REFUNDED, refunded_total=order.total)
    assert mails(active) == ["cancelled"]
    active.later(minutes=1)
    good = quietly(active, replace(order, source_version=active.now))
    assert active.grant(order).state == "live"
    assert offer_mails.send_offers(active.services, active.shop_id) == 0
    assert mails(active) == ["cancelled"]

    active.tell(good)
    assert offer_mails.send_offers(active.services, active.shop_id) == 1
    active.tell(replace(good, source_version=active.now))
    assert mails(active) == ["sent"]
