"""Two customer records become one: so does what they hold, whatever was told first."""

import pytest

from connector.canonical import PaymentState
from connector.store import merges
from connector.store.offer_tables import GrantRow
from tests.sync.bodies import shopify_order
from tests.sync.offer_desk import OfferDesk
from tests.sync.telling import merge_body
from tests.sync.world import World

A, B, C = "71", "72", "73"


@pytest.fixture
def offering(world: World) -> OfferDesk:
    """The shop of the story with an active offer."""
    desk = OfferDesk(world.services, world.shop.id)
    desk.hold_code()
    desk.publish()
    return desk


def merge(world: World, merged: str, kept: str) -> None:
    """The store says that one record went into the other."""
    world.arrive("customers/merge", merge_body(int(merged), int(kept)), world.now())


def give(desk: OfferDesk, customer: str | None, email: str | None = None) -> int:
    """Somebody buys and is given the offer; returns the grant's id."""
    desk.later(minutes=1)
    grant_id = desk.grant(desk.buy(email, customer_id=customer)).id
    assert grant_id is not None
    return grant_id


def grant(desk: OfferDesk, grant_id: int) -> GrantRow:
    """The grant as it is now."""
    return next(one for one in desk.grants() if one.id == grant_id)


def standing(desk: OfferDesk, *ids: int) -> list[tuple[str, str | None, str | None, str | None]]:
    """State, reason, customer and key of each."""
    found = (grant(desk, one) for one in ids)
    return [(one.state, one.reason, one.customer_platform_id, one.person_key) for one in found]


@pytest.mark.spec("SH-25")
@pytest.mark.parametrize("kept", [A, B])
def test_of_two_unused_ones_the_older_stays_whichever_record_is_kept(world: World, offering: OfferDesk, kept: str) -> None:
    older, newer = give(offering, A), give(offering, B)
    merge(world, B if kept == A else A, kept)
    assert standing(offering, older, newer) == [
        ("live", None, kept, f"customer:{kept}"),
        ("suspended", "holds_other", kept, f"customer:{kept}"),
    ]
    assert offering.hidden(grant(offering, newer)) == "suspended"
    order = offering.buy(None, customer_id=kept)
    assert offering.decision(order) == "holds_unused_offer"


def test_two_addresses_of_one_customer_hold_one(world: World, offering: OfferDesk) -> None:
    older, newer = give(offering, A, "anna@example.org"), give(offering, B, "petit@example.org")
    merge(world, A, B)
    assert standing(offering, older, newer) == [
        ("live", None, B, "email:anna@example.org"),
        ("suspended", "holds_other", B, "email:petit@example.org"),
    ]
    assert offering.decision(offering.buy("third@example.org", customer_id=B)) == "holds_unused_offer"


def test_what_is_used_or_over_stays_so_and_takes_nothing_back(world: World, offering: OfferDesk) -> None:
    used = give(offering, A)
    offering.later(minutes=1)
    offering.buy(None, customer_id=A, discount_codes=["MERCI10"], payment_state=PaymentState.PENDING, paid_at=None)
    live = give(offering, B)
    merge(world, A, B)
    assert [row[:3] for row in standing(offering, used, live)] == [("used", "used", B), ("live", None, B)]


def test_a_chain_of_merges_leaves_one_in_whatever_order_it_is_told(world: World, offering: OfferDesk) -> None:
    ids = [give(offering, customer) for customer in (A, B, C)]
    merge(world, B, C)
    merge(world, A, B)
    assert standing(offering, *ids) == [
        ("live", None, C, f"customer:{C}"),
        ("suspended", "holds_other", C, f"customer:{C}"),
        ("suspended", "holds_other", C, f"customer:{C}"),
    ]


def test_an_order_of_the_merged_record_that_comes_late_earns_nothing_more(world: World, offering: OfferDesk) -> None:
    held = give(offering, B)
    merge(world, A, B)
    offering.later(minutes=1)
    now = world.now()
    world.arrive("orders/create", shopify_order(9, now, financial_status="paid", customer={"id": int(A)}), now)
    world.execute("update orders set paid_at = coalesce(paid_at, placed_at)")
    offering.tend()
    assert [(one.id, one.state) for one in offering.grants()] == [(held, "live")]
    assert world.rows("select customer_platform_id who from orders where platform_id = '9'") == [{"who": B}]


def test_the_same_merge_told_twice_is_one_merge(world: World, offering: OfferDesk) -> None:
    ids = give(offering, A), give(offering, B)
    merge(world, A, B)
    before = standing(offering, *ids)
    merge(world, A, B)
    assert standing(offering, *ids) == before


def test_a_mail_that_waits_is_not_sent_for_what_was_taken_back(world: World, offering: OfferDesk) -> None:
    give(offering, A, "anna@example.org")
    newer = give(offering, B, "petit@example.org")
    merge(world, A, B)
    rows = world.rows("select grant_id = :newer is_newer, state, reason from grant_mails order by grant_id", newer=newer)
    assert rows == [
        {"is_newer": False, "state": "queued", "reason": None},
        {"is_newer": True, "state": "cancelled", "reason": "holds_other"},
    ]


def test_merges_of_a_shop_without_offers_touch_nothing_of_offers(world: World) -> None:
    with world.db.transaction(shop=world.shop.id) as session:
        assert merges.settle_merges(session, world.shop.id, [], []) == ([], [])
    merge(world, A, B)
    assert world.rows("select 1 from offer_work") == []
