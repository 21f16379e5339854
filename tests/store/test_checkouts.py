"""What follows from all that was seen of a checkout."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Checkout, Order, Phone
from connector.rules.abandonment import ActivityClock
from connector.store import checkouts, records, shops
from connector.store.checkouts import RECOVERY_WINDOW, Standings
from connector.store.db import Database
from tests.conftest import TestShop
from tests.factories import EMAIL, T0, at, make_cart, make_checkout, make_line, make_order, terms

PHONE = Phone("06 45 67 89 01", "+33645678901")


def tell(session: Session, shop: TestShop, *told: Checkout | Order) -> Standings:
    """Save records as a batch does, and settle what they touch."""
    ids = records.save_checkouts(session, terms(shop), [one for one in told if isinstance(one, Checkout)])
    order_ids = records.save_orders(session, shop.id, [one for one in told if isinstance(one, Order)])
    affected = {*ids, *checkouts.matching_checkouts(session, shop.id, order_ids)}
    return checkouts.settle(session, shops.get_shop(session, shop.id), affected, ids)


@pytest.mark.spec("SQ-05")
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_t0_is_the_same_in_whatever_order_versions_come(session: Session, shopify_shop: TestShop, rows: Any, order: Sequence[int]) -> None:
    versions = [
        make_checkout(T0, email=None),
        make_checkout(at(4)),
        make_checkout(at(7), lines=(make_line(quantity=2),)),
        make_checkout(at(30), lines=(make_line(quantity=2),), number="#1"),
    ]
    for index in order:
        tell(session, shopify_shop, versions[index])

    assert rows("select last_activity_at, due_at from checkouts") == [{"last_activity_at": at(7), "due_at": at(67)}]


def test_nothing_to_settle_settles_nothing(session: Session, shopify_shop: TestShop) -> None:
    assert checkouts.settle(session, shops.get_shop(session, shopify_shop.id), []) == Standings([], [])
    assert checkouts.matching_checkouts(session, shopify_shop.id, []) == []


@pytest.mark.spec("SQ-06", "SW-12")
@pytest.mark.parametrize("order_first", [True, False])
@pytest.mark.parametrize(
    ("checkout", "order", "by"),
    [
        ({}, {"checkout_token": "tok-1", "email": None}, "checkout_token"),
        ({"cart_token": "cart-1"}, {"cart_token": "cart-1", "email": None}, "cart_token"),
        ({}, {"email": "ANNA.PETIT@example.org"}, "person"),
        ({"customer_id": "7"}, {"customer_id": "7", "email": None}, "person"),
        ({"phone": PHONE}, {"phone": PHONE, "email": None}, "person"),
        ({"checkout_phone": PHONE}, {"phone": PHONE, "email": None}, "person"),
    ],
)
def test_an_order_converts_by_token_cart_or_person_whichever_came_first(
    session: Session, shopify_shop: TestShop, rows: Any, checkout: dict[str, Any], order: dict[str, Any], by: str, order_first: bool
) -> None:
    told: list[Checkout | Order] = [make_checkout(**checkout), make_order(**order)]
    for one in told[::-1] if order_first else told:
        standings = tell(session, shopify_shop, one)

    (row,) = rows("select id, converted_at, converted_by, converted_order_id, due_at from checkouts")
    assert standings == Standings([row["id"]], [])
    assert (row["converted_at"], row["converted_by"], row["due_at"]) == (at(10), by, None)
    assert row["converted_order_id"] is not None


@pytest.mark.parametrize(
    ("placed_at", "converts"),
    [
        (at(-1), False),
        (T0, True),
        (at(5) + RECOVERY_WINDOW, True),
        (at(5) + RECOVERY_WINDOW + timedelta(seconds=1), False),
    ],
)
def test_a_person_converts_only_by_orders_from_the_start_until_the_window_closes(
    session: Session, shopify_shop: TestShop, rows: Any, placed_at: datetime, converts: bool
) -> None:
    tell(session, shopify_shop, make_checkout(T0), make_checkout(at(5), lines=(make_line(quantity=2),)))
    tell(session, shopify_shop, make_order(placed_at))

    (row,) = rows("select converted_at from checkouts")
    assert row["converted_at"] == (placed_at if converts else None)


def test_a_token_converts_whenever_the_order_was_placed(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout(), make_order(at(-5) + 2 * RECOVERY_WINDOW, checkout_token="tok-1"))

    assert rows("select converted_by from checkouts") == [{"converted_by": "checkout_token"}]


def test_tokens_come_before_persons_and_of_equals_the_earliest_order_counts(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout())
    number = "select o.platform_id number from checkouts c join orders o on o.id = c.converted_order_id"
    for order, expected in (
        (make_order(at(30), platform_id="late"), "late"),
        (make_order(at(20), platform_id="early"), "early"),
        (make_order(at(40), platform_id="token", checkout_token="tok-1"), "token"),
    ):
        tell(session, shopify_shop, order)
        assert rows(number) == [{"number": expected}]


def test_blank_facts_match_nobody(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout(email=None), make_order(email=None))

    assert rows("select converted_at from checkouts") == [{"converted_at": None}]


def test_orders_of_another_shop_convert_nothing(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        tell(session, shopify_shop, make_checkout())
    with db.transaction(shop=woo_shop.id) as session:
        tell(session, woo_shop, make_order(checkout_token="tok-1"))
    with db.engine.connect() as connection:
        assert connection.execute(text("select converted_at from checkouts")).scalar_one() is None


@pytest.mark.parametrize("turn", [1, -1])
def test_a_corrected_order_or_checkout_takes_a_conversion_back(session: Session, shopify_shop: TestShop, rows: Any, turn: int) -> None:
    orders = [make_order(at(10)), make_order(at(11), placed_at=at(10), email="other@example.org")]
    tell(session, shopify_shop, make_checkout())
    for order in orders[::turn]:
        tell(session, shopify_shop, order)
    assert rows("select converted_at, converted_by, due_at from checkouts") == [
        {"converted_at": None, "converted_by": None, "due_at": at(60)}
    ]

    tell(session, shopify_shop, make_checkout(at(1), email="other@example.org"))
    assert rows("select converted_by from checkouts") == [{"converted_by": "person"}]
    tell(session, shopify_shop, make_checkout(at(2), email="third@example.org"))
    assert rows("select converted_by from checkouts") == [{"converted_by": None}]


def test_a_conversion_whose_order_was_erased_stays(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout(), make_order())
    session.execute(text("delete from orders"))
    standings = tell(session, shopify_shop, make_checkout(at(1)))

    (row,) = rows("select id, converted_at, converted_order_id from checkouts")
    assert (row["converted_at"], row["converted_order_id"]) == (at(10), None)
    assert standings.converted == [row["id"]]


@pytest.mark.parametrize(
    ("changes", "over"),
    [
        ({}, ([], [])),
        ({"completed_at": at(2)}, ("it", [])),
        ({"closed_at": at(2)}, ([], "it")),
        ({"completed_at": at(2), "closed_at": at(2)}, ("it", [])),
    ],
)
def test_a_completed_checkout_is_converted_and_a_closed_one_ended(
    session: Session, shopify_shop: TestShop, rows: Any, changes: dict[str, Any], over: Any
) -> None:
    found = tell(session, shopify_shop, make_checkout(at(2), **changes))

    (row,) = rows("select id, due_at from checkouts")
    assert (found.converted, found.ended) == tuple([row["id"]] if part == "it" else [] for part in over)
    assert (row["due_at"] is None) == bool(changes)


def test_a_closed_checkout_that_is_opened_again_falls_due_again(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout(T0), make_checkout(at(1), closed_at=at(1)))
    tell(session, shopify_shop, make_checkout(at(2)))

    assert rows("select due_at from checkouts") == [{"due_at": at(60)}]


@pytest.mark.parametrize("changes", [{"lines": ()}, {"lines": (), "email": None}])
def test_what_is_empty_falls_due_never(session: Session, shopify_shop: TestShop, rows: Any, changes: dict[str, Any]) -> None:
    tell(session, shopify_shop, make_checkout(**changes), make_cart())

    assert rows("select due_at from checkouts") == [{"due_at": None}] * 2


def claim(session: Session, shop: TestShop, limit: int = 10) -> list[int]:
    """Mark what is due."""
    return checkouts.claim_abandoned(session, shop.id, limit)


def test_due_checkouts_are_marked_once_at_the_instant_they_fell_due(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, *(make_checkout(at(n), platform_id=f"tok-{n}", token=f"tok-{n}", created_at=at(n)) for n in range(3)))
    session.execute(text("update checkouts set due_at = due_at + interval '100 years' where platform_id = 'tok-2'"))
    past = "select count(*) count from checkouts where due_at <= app_now()"
    session.execute(text("update checkouts set due_at = due_at - interval '1 year' where platform_id <> 'tok-2'"))
    assert rows(past) == [{"count": 2}]

    first, second = claim(session, shopify_shop, 1), claim(session, shopify_shop, 1)
    assert len(first) == len(second) == 1
    assert claim(session, shopify_shop) == []
    marked = rows("select abandoned_at, due_at from checkouts where id = any(:ids) order by id", ids=first + second)
    assert marked == [{"abandoned_at": at(60 + n) - timedelta(days=365), "due_at": None} for n in range(2)]


def test_what_was_abandoned_never_falls_due_again(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout())
    session.execute(text("update checkouts set abandoned_at = due_at, due_at = null"))
    tell(session, shopify_shop, make_checkout(at(90), lines=(make_line(quantity=2),)))

    assert rows("select abandoned_at, due_at, last_activity_at from checkouts") == [
        {"abandoned_at": at(60), "due_at": None, "last_activity_at": at(90)}
    ]


def test_shops_with_something_due_come_the_longest_waiting_first(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    for shop, minutes in ((shopify_shop, 5), (woo_shop, 2)):
        with db.transaction(shop=shop.id) as session:
            tell(session, shop, make_checkout(at(minutes)))
    with db.engine.begin() as connection:
        connection.execute(text("update checkouts set due_at = due_at - interval '1 year'"))
    with db.system_transaction("test") as session:
        assert checkouts.shops_with_due(session, 10) == [woo_shop.id, shopify_shop.id]
        assert checkouts.shops_with_due(session, 1) == [woo_shop.id]


def test_a_changed_threshold_moves_what_is_open_and_only_that(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    tell(session, shopify_shop, make_checkout(), make_checkout(platform_id="b", token="b", email="b@example.org", completed_at=T0))
    shops.set_threshold(session, shopify_shop.id, 120, ActivityClock.ACTIVITY)

    assert rows("select due_at from checkouts order by id") == [{"due_at": at(120)}, {"due_at": None}]
    assert shops.get_shop(session, shopify_shop.id).threshold_minutes == 120


def test_facts_are_what_the_rules_need(session: Session, shopify_shop: TestShop) -> None:
    tell(session, shopify_shop, make_checkout(), make_cart(), make_checkout(platform_id="c", token="c", closed_at=T0, lines=()))
    facts = list(checkouts.load_facts(session, shopify_shop.id, [1, 2, 3]).values())
    by_link = {fact.recovery_url is not None: fact for fact in facts if fact.has_lines}

    assert (by_link[True].email, by_link[True].is_cart, by_link[True].is_converted, by_link[True].is_closed) == (EMAIL, False, False, False)
    assert (by_link[False].email, by_link[False].is_cart, by_link[False].last_activity_at) == (None, True, T0)
    assert [fact.is_closed for fact in facts if not fact.has_lines] == [True]


def test_only_old_checkouts_that_lead_to_nobody_are_pruned(db: Database, shopify_shop: TestShop) -> None:
    kept: dict[str, dict[str, Any]] = {
        "email": {},
        "phone": {"email": None, "phone": PHONE},
        "typed phone": {"email": None, "checkout_phone": PHONE},
        "customer": {"email": None, "customer_id": "7"},
        "converted": {"email": None, "cart_token": "cart-9"},
    }
    with db.transaction(shop=shopify_shop.id) as session:
        for name, changes in {**kept, "nobody": {"email": None}, "fresh": {"email": None}}.items():
            tell(session, shopify_shop, make_checkout(platform_id=name, token=name, **changes))
        tell(session, shopify_shop, make_order(email=None, cart_token="cart-9"))
    with db.engine.begin() as connection:
        connection.execute(text("update checkouts set last_activity_at = app_now() - interval '8 days' where platform_id <> 'fresh'"))
        connection.execute(text("update checkouts set last_activity_at = app_now() - interval '6 days' where platform_id = 'fresh'"))
    with db.system_transaction("test") as session:
        assert checkouts.prune_unidentified(session, 0) == 0
        assert checkouts.prune_unidentified(session, 10) == 1
        assert checkouts.prune_unidentified(session, 10) == 0
        left = set(session.execute(text("select platform_id from checkouts")).scalars())
    assert left == {*kept, "fresh"}
