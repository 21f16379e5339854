"""The versions of checkouts that were seen."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from connector.rules.abandonment import ActivityClock
from connector.rules.precedence import rank
from connector.store import records
from connector.store.versions import History, load_histories, save_versions
from tests.conftest import TestShop
from tests.factories import T0, at, make_checkout, make_line, terms

VERSIONS = st.builds(
    lambda minute, trigger, quantity: make_checkout(
        at(minute), triggered_at=trigger and at(trigger), lines=(make_line(quantity=quantity),)
    ),
    st.integers(0, 3),
    st.sampled_from([None, 1, 2]),
    st.integers(1, 3),
)


def told(*checkouts: Any) -> History:
    """A history of these versions."""
    history = History()
    for checkout in checkouts:
        history.add(rank(checkout), checkout)
    return history


@pytest.mark.spec("RL-108")
@given(st.lists(VERSIONS, min_size=1, max_size=6), st.randoms(use_true_random=False), st.sampled_from(ActivityClock))
def test_order_and_repetition_of_versions_do_not_matter(versions: list[Any], chance: random.Random, clock: ActivityClock) -> None:
    shuffled = versions * 2
    chance.shuffle(shuffled)
    one, other = told(*versions), told(*shuffled)

    assert one.last_activity(clock) == other.last_activity(clock)
    assert sorted(map(str, one.new_rows(1))) == sorted(map(str, other.new_rows(1)))


def test_only_what_is_new_becomes_a_row(session: Session, shopify_shop: TestShop) -> None:
    first, second = make_checkout(T0), make_checkout(at(1), lines=(make_line(quantity=2),))
    (checkout_id,) = records.save_checkouts(session, terms(shopify_shop), [first])
    history = load_histories(session, [checkout_id], ActivityClock.ADDITION)[checkout_id]
    history.add(rank(first), first)
    assert history.new_rows(checkout_id) == []

    history.add(rank(second), second)
    save_versions(session, shopify_shop.id, history.new_rows(checkout_id))
    (row,) = history.new_rows(checkout_id)
    assert (row["source_version"], row["quantities"]) == (at(1), {"v101": 2})
    assert load_histories(session, [checkout_id], ActivityClock.ADDITION)[checkout_id].last_activity(ActivityClock.ACTIVITY) == at(1)


def test_the_later_trigger_of_a_known_version_is_remembered(session: Session, shopify_shop: TestShop, rows: Any) -> None:
    for second in (3, 5, 4):
        records.save_checkouts(session, terms(shopify_shop), [make_checkout(triggered_at=at(0, second))])

    assert rows("select source_triggered_at from checkout_versions") == [{"source_triggered_at": at(0, 5)}]


def test_nothing_asked_nothing_said(session: Session, shopify_shop: TestShop) -> None:
    assert load_histories(session, [], ActivityClock.ADDITION) == {}
    save_versions(session, shopify_shop.id, [])
