"""What only a sync tells of checkouts begins nothing; what the store itself tells does, however late; what was begun goes on or ends."""

from datetime import timedelta
from typing import Any

import pytest

from connector.canonical import Checkout, Removed, Resource
from tests.factories import make_checkout, make_line, make_order
from tests.sync.quiet_kit import NOTHING, Told
from tests.sync.world import World

HOUR = timedelta(hours=1)


@pytest.fixture
def told(world: World) -> Told:
    """A shop whose automation is on."""
    world.turn_on()
    return Told(world)


def checkout(told: Told, minutes: float = 0, **changes: Any) -> Checkout:
    """Anna's checkout, begun as the story does, as it is so many minutes later."""
    return make_checkout(told.world.at(minutes), **({"created_at": told.world.start} | changes))


def test_a_checkout_that_only_a_sync_told_of_is_never_due(told: Told) -> None:
    told.quietly(checkout(told))
    told.wait(days=2)

    assert told.is_quiet()
    assert told.due_in() is None
    assert told.world.one("checkouts")["abandoned_at"] is None
    assert told.begun() == NOTHING


@pytest.mark.parametrize("minutes", [0, 4])
def test_the_store_telling_the_same_or_something_newer_arms_it_however_late(told: Told, minutes: float) -> None:
    told.quietly(checkout(told))
    told.live(checkout(told, minutes))

    assert not told.is_quiet()
    assert told.due_in() == HOUR
    told.wait(hours=3)
    assert told.world.reasons() == ["sent"]


def test_a_late_delivery_of_an_older_version_does_not_arm_it(told: Told) -> None:
    told.quietly(checkout(told, 5))
    told.live(checkout(told))
    told.wait(days=1)

    assert told.is_quiet()
    assert told.begun() == NOTHING


def test_a_sync_that_tells_something_newer_disarms_and_the_store_arms_again(told: Told) -> None:
    told.live(checkout(told))
    told.quietly(checkout(told, 5, lines=(make_line(quantity=2),)))
    assert (told.is_quiet(), told.due_in()) == (True, None)

    told.live(checkout(told, 10, lines=(make_line(quantity=3),)))
    assert (told.is_quiet(), told.due_in()) == (False, HOUR + timedelta(minutes=10))


@pytest.mark.parametrize("changes", [{}, {"country": "FR"}])
def test_a_sync_that_tells_the_same_version_lets_the_clock_run(told: Told, changes: dict[str, Any]) -> None:
    told.live(checkout(told))
    told.quietly(checkout(told, **changes))

    assert told.world.one("checkouts")["country"] == changes.get("country")
    assert (told.is_quiet(), told.due_in()) == (False, HOUR)


@pytest.mark.parametrize(("before", "after"), [({"lines": ()}, {}), ({"email": None}, {})], ids=["lines", "address"])
def test_nor_does_it_begin_what_that_version_had_not_begun(told: Told, before: dict[str, Any], after: dict[str, Any]) -> None:
    told.live(checkout(told, **before))
    told.quietly(checkout(told, **after))
    told.wait(days=1)

    assert told.is_quiet()
    assert told.begun() == NOTHING


def test_what_was_enrolled_before_a_sync_goes_on(told: Told) -> None:
    told.live(checkout(told))
    told.world.go_to(told.world.at(61))
    told.world.abandon()
    told.quietly(checkout(told, 30, country="FR"))

    assert told.is_quiet()
    assert told.world.send() == 1
    assert told.world.reasons() == ["sent"]


def test_an_order_that_a_sync_tells_of_ends_the_checkout_and_cancels_its_message(told: Told) -> None:
    told.live(checkout(told))
    told.world.go_to(told.world.at(61))
    told.world.abandon()

    assert told.quietly(make_order(told.world.at(50))) == 1
    assert told.converted_by() == "6210"
    assert told.world.messages() == [("cancelled", "purchased")]
    assert told.world.reasons() == ["purchased"]


def test_a_checkout_that_a_sync_finds_gone_is_closed(told: Told) -> None:
    told.live(checkout(told))
    told.world.go_to(told.world.at(61))
    told.world.abandon()

    assert told.quietly(Removed(Resource.CHECKOUT, told.world.now(), "tok-1")) == 1
    assert told.world.reasons() == ["closed"]


def test_a_batch_of_many_wakes_exactly_those_that_it_tells(told: Told) -> None:
    told.quietly(*(checkout(told, platform_id=one, token=one, email=f"{one}@example.org") for one in "abc"))
    told.live(*(checkout(told, minutes, platform_id=one, token=one, email=f"{one}@example.org") for one, minutes in (("a", 0), ("b", 5))))

    rows = told.world.rows("select platform_id, is_quiet, due_at is null is_idle from checkouts where shop_id = :shop order by platform_id")
    assert [tuple(row.values()) for row in rows] == [("a", False, False), ("b", False, False), ("c", True, True)]
