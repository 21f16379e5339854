"""Which of two versions of a record is the newer one."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.canonical import Checkout, PaymentState
from connector.rules.precedence import Rank, digest, rank
from tests.factories import T0, at, make_checkout, make_customer, make_order

CHECKOUTS = st.builds(
    lambda minute, trigger, total, end: make_checkout(
        at(minute), triggered_at=trigger and at(trigger), total=Decimal(total), **({end: at(9)} if end else {})
    ),
    st.integers(0, 2),
    st.sampled_from([None, 1, 2]),
    st.integers(1, 3),
    st.sampled_from(["", "completed_at", "closed_at"]),
)


@pytest.mark.spec("RL-108")
def test_the_platforms_own_instant_decides_first() -> None:
    assert rank(make_checkout(at(1))) > rank(make_checkout(T0, completed_at=T0))


def test_of_equal_instants_the_later_trigger_is_newer_and_the_trigger_is_no_content() -> None:
    typed, corrected = make_checkout(email="ana@example.org", triggered_at=at(0, 0.2)), make_checkout(triggered_at=at(0, 0.3))

    assert rank(typed) < rank(corrected)
    assert rank(corrected).digest == rank(make_checkout()).digest


def test_what_was_read_from_the_store_was_told_when_it_was_read() -> None:
    told, read = make_order(T0, triggered_at=at(3)), make_order(T0, total=Decimal(7))

    assert rank(read) < rank(told) < rank(read, at(4))
    assert rank(told, at(4)).triggered_at == at(4)
    assert rank(read, at(4)).digest == rank(read).digest


def test_of_equal_instants_the_checkout_with_an_address_is_newer() -> None:
    assert rank(make_checkout(email=None)) < rank(make_checkout()) < rank(make_checkout(closed_at=T0, email=None))


def test_of_equal_instants_the_more_advanced_checkout_is_newer() -> None:
    open_, closed, completed = make_checkout(), make_checkout(closed_at=T0), make_checkout(completed_at=T0)

    assert rank(open_) < rank(closed) < rank(completed)


def test_of_equal_instants_the_order_whose_payment_went_further_is_newer() -> None:
    states = [
        PaymentState.PENDING,
        PaymentState.AUTHORIZED,
        PaymentState.PARTIALLY_PAID,
        PaymentState.PAID,
        PaymentState.PARTIALLY_REFUNDED,
    ]
    ranks = [rank(make_order(T0, payment_state=state)) for state in [*states, PaymentState.REFUNDED, PaymentState.VOIDED]]

    assert ranks == sorted(ranks)
    assert rank(make_order(T0, payment_state=PaymentState.PENDING, cancelled_at=T0)) > ranks[-1]
    assert all(rank(make_order(T0, payment_state=state)).progress >= 0 for state in PaymentState)


def test_versions_that_differ_in_anything_never_tie() -> None:
    one, other = make_customer(first_name="Anna"), make_customer(first_name="Hannah")

    assert rank(one) != rank(other)
    assert rank(one).progress == rank(other).progress == 0
    assert digest(one) == digest(make_customer(first_name="Anna"))


def said(checkout: Checkout) -> Checkout:
    """The checkout, with the trigger that counts if it tells none."""
    return replace(checkout, triggered_at=checkout.triggered_at or checkout.source_version)


@given(st.lists(CHECKOUTS, min_size=3, max_size=3))
def test_ranks_are_a_total_order_over_contents(three: list[Checkout]) -> None:
    first, second, third = (rank(checkout) for checkout in three)

    assert (first < second) + (second < first) + (first == second) == 1
    assert (first == second) == (said(three[0]) == said(three[1]))
    if first < second < third:
        assert first < third


@given(st.lists(CHECKOUTS, min_size=1, max_size=5), st.randoms())
def test_the_newest_of_a_set_does_not_depend_on_its_order(checkouts: list[Checkout], random: object) -> None:
    shuffled = list(checkouts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert max(map(rank, checkouts)) == max(map(rank, shuffled))
    assert isinstance(max(map(rank, checkouts)), Rank)
