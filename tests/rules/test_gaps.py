"""When a shop's webhooks did not come: which time that was, and how it is said."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.canonical import Resource
from connector.rules.gaps import APART, RUN, Gap, Noted, find_gap, gap_words, joined

T0 = datetime(2026, 11, 20, 1, 10, tzinfo=UTC)
PARIS = "Europe/Paris"
ORDER, CHECKOUT, CUSTOMER = Resource.ORDER, Resource.CHECKOUT, Resource.CUSTOMER


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def noted(pattern: str, kind: Resource = ORDER, first: float = 0) -> list[Noted]:
    """A change a minute: `.` was told, `x` was not, `?` was not and the store does not tell enough of it."""
    return [Noted(kind, f"{kind.value}{n}", at(first + n), one != ".", one == "?") for n, one in enumerate(pattern)]


@pytest.mark.parametrize("pattern", ["", "....", ".x.x.x.", "xx.xx"])
def test_single_deliveries_that_got_lost_are_no_gap(pattern: str) -> None:
    assert find_gap(noted(pattern)) is None


def test_several_in_a_row_are_one_from_the_first_to_the_last_of_them() -> None:
    assert find_gap(noted("x..xxxx..x")) == Gap(at(3), at(6), {ORDER: 4})


def test_kinds_are_looked_at_together_and_each_by_itself() -> None:
    together = [*noted("x", ORDER, 1), *noted("x", CHECKOUT, 2), *noted("x", CUSTOMER, 3)]
    assert find_gap(together) == Gap(at(1), at(3), {ORDER: 1, CHECKOUT: 1, CUSTOMER: 1})
    beside = [*noted("xxx", ORDER), *noted("...", CUSTOMER, 0.5)]
    assert find_gap(beside) == Gap(at(0), at(2), {ORDER: 3})


def test_in_a_time_that_is_known_one_is_enough() -> None:
    found = find_gap(noted("x....x..x"), [(at(4), at(7))], ["orders/create"])
    assert found == Gap(at(5), at(5), {ORDER: 1}, topics=("orders/create",))


def test_webhooks_that_were_off_are_a_gap_to_the_end_though_nothing_changed() -> None:
    assert find_gap(noted("..x."), off=(at(0), at(60)), topics=["b", "a"]) == Gap(at(2), at(60), {ORDER: 1}, topics=("a", "b"))
    nothing = find_gap([], off=(at(0), at(60)), topics=["a"])
    assert nothing == Gap(at(0), at(60), topics=("a",))
    assert nothing is not None
    assert nothing.is_empty


def test_what_cannot_be_recovered_is_named_and_alone_it_is_no_outage() -> None:
    assert find_gap(noted("..?", CHECKOUT)) == Gap(at(2), at(2), lost=((CHECKOUT, "checkout2"),), is_outage=False)
    assert find_gap(noted("x?x", CHECKOUT)) == Gap(at(0), at(2), {CHECKOUT: 2}, lost=((CHECKOUT, "checkout1"),))


@settings(max_examples=200)
@given(st.text(".x", max_size=40))
def test_every_change_in_the_gap_s_runs_is_counted_once_and_no_lonely_one(pattern: str) -> None:
    runs = [run for run in pattern.split(".") if len(run) >= RUN]
    found = find_gap(noted(pattern))
    assert (found.recovered if found else {}) == ({ORDER: sum(map(len, runs))} if runs else {})


class TestJoining:
    def test_one_that_follows_closely_is_the_same_gap(self) -> None:
        first = Gap(at(0), at(10), {ORDER: 3}, lost=((CHECKOUT, "1"),), topics=("a",), messages=0, is_outage=False)
        second = Gap(at(10) + APART, at(50), {ORDER: 1, CUSTOMER: 2}, lost=((CHECKOUT, "1"), (CHECKOUT, "2")), topics=("b",))
        whole = Gap(at(0), at(50), {ORDER: 4, CUSTOMER: 2}, ((CHECKOUT, "1"), (CHECKOUT, "2")), ("a", "b"))
        assert joined(first, second) == whole

    @pytest.mark.parametrize("minutes", [-300, 300])
    def test_one_that_is_far_away_is_another(self, minutes: float) -> None:
        assert joined(Gap(at(0), at(10)), Gap(at(minutes), at(minutes + 1))) is None

    def test_a_time_in_which_nothing_changed_says_nothing_of_the_beginning(self) -> None:
        found = joined(Gap(at(0), at(60)), Gap(at(20), at(60), {ORDER: 1}))
        assert found is not None
        assert (found.since, found.until) == (at(20), at(60))
        still = joined(Gap(at(0), at(60)), Gap(at(20), at(70)))
        assert still is not None
        assert (still.since, still.until) == (at(0), at(70))

    def test_in_any_number_of_parts_it_is_the_same(self) -> None:
        parts = [Gap(at(n), at(n + 1), {ORDER: 1}) for n in range(5)]
        whole = parts[0]
        for _, part in pairwise(parts):
            found = joined(whole, part)
            assert found is not None
            whole = found
        assert whole == Gap(at(0), at(5), {ORDER: 5})


class TestWords:
    @pytest.mark.parametrize(
        ("gap", "words"),
        [
            (Gap(at(0), at(210), {ORDER: 37}), "02:10–05:40, 37 orders recovered, 0 messages"),
            (
                Gap(at(0), at(1), {CHECKOUT: 1, ORDER: 1, Resource.DISCOUNT_CODE: 2}, messages=1),
                "02:10–02:11, 1 order, 1 checkout, 2 codes recovered, 1 message",
            ),
            (
                Gap(at(0), at(0.5), lost=((CHECKOUT, "1"), (CHECKOUT, "2"))),
                "02:10, 2 checkouts not recoverable, 0 messages",
            ),
            (Gap(at(0), at(24 * 60)), "20 Nov 02:10 – 21 Nov 02:10, nothing was missed, 0 messages"),
        ],
    )
    def test_a_gap_is_said_in_a_line_by_the_shop_s_clocks(self, gap: Gap, words: str) -> None:
        assert gap_words(gap, PARIS) == words

    def test_a_time_zone_that_nobody_knows_is_utc(self) -> None:
        assert gap_words(Gap(at(0), at(60), {CUSTOMER: 1}), "Nowhere/Land") == "01:10–02:10, 1 customer recovered, 0 messages"
