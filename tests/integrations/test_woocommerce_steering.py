"""How hard a store is asked, against a model of one: so many PHP workers, each page costs so long and so much more per order."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.woocommerce.ahead import SPARE
from integrations.woocommerce.steering import LEAST_RECORDS, MOST_AT_ONCE, MOST_RECORDS, USUAL_SECONDS, Answered, Steering

FIXED, EACH = 0.3, 0.02


@dataclass(frozen=True)
class Seen:
    """After a page: when, how long it took since it was sent, when that was, and what the store is taken to bear then."""

    at: float
    seconds: float
    began: float
    at_once: int
    records: int


@dataclass
class Model:
    """
    A store with `workers`, beside which nobody waits in a queue of their own. `slower`: by what factor, at an instant; `noise`: how
    much answers differ by chance. Read as `ahead` reads: as many at once as is borne, taken in order, a few ahead.
    """

    workers: int = 4
    fixed: float = FIXED
    slower: Callable[[float], float] = lambda at: 1.0
    noise: float = 0.0
    seed: int = 1
    steering: Steering = field(default_factory=Steering)

    def read(self, pages: int) -> tuple[float, list[Seen]]:
        """Orders a second, over the whole, and what was seen."""
        chance, now, records = random.Random(self.seed), 0.0, 0
        free, done, log = [0.0] * self.workers, set[int](), list[Seen]()
        flying: list[tuple[float, int, float, int, int]] = []
        begun = taken = 0
        while taken < pages:
            while len(flying) < self.steering.at_once and begun - taken < self.steering.at_once + SPARE:
                size = self.steering.records
                needed = (self.fixed + EACH * size) * self.slower(now) * (1 + chance.uniform(-self.noise, self.noise))
                end = max(now, heapq.heappop(free)) + needed
                heapq.heappush(free, end)
                heapq.heappush(flying, (end, begun, now, size, len(flying) + 1))
                begun += 1
            now, number, began, size, beside = heapq.heappop(flying)
            self.steering.note(Answered(200, began, now - began, "orders", size, beside))
            log.append(Seen(now, now - began, began, self.steering.at_once, self.steering.records))
            done.add(number)
            records += size
            while taken in done:
                taken += 1
        return records / now, log

    @property
    def ceiling(self) -> float:
        """Orders a second that the store can give at most, to as many calls as we make."""
        return min(self.workers, MOST_AT_ONCE) * MOST_RECORDS / (self.fixed + EACH * MOST_RECORDS)


@pytest.mark.spec("C90")
@pytest.mark.parametrize("workers", [2, 4, 6])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_eight_tenths_of_what_a_store_can_give_are_used(workers: int, noise: float) -> None:
    model = Model(workers, noise=noise)
    rate, log = model.read(100)
    assert rate >= 0.8 * model.ceiling
    # And hardly any of our calls stands in its queue, where shoppers stand too.
    assert max(one.at_once for one in log) <= workers + 2
    assert all(one.records == MOST_RECORDS for one in log)


@pytest.mark.spec("C90")
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_within_three_pages_of_twice_the_time_less_is_asked_and_more_again_when_it_is_over(noise: float) -> None:
    model = Model(noise=noise, slower=lambda at: 2.0 if 60 < at < 200 else 1.0)
    _, log = model.read(350)
    before = next(one for one in reversed(log) if one.at <= 60)
    slow = [one for one in log if one.began > 60]
    assert before.at_once >= 4
    assert slow[2].at_once < before.at_once
    assert min(one.at_once for one in slow if one.at < 90) == 1
    late = [one for one in log if one.at > 260]
    assert late[0].at_once >= 4
    assert late[0].records >= 95


def test_a_single_page_that_takes_long_changes_nothing() -> None:
    steering = Steering()
    for number in range(40):
        steering.note(Answered(200, float(number), 2.3 if number != 20 else 4.8, "orders", 100, steering.at_once))
        if number == 19:
            before = steering.at_once
    assert before <= steering.at_once
    assert steering.records == MOST_RECORDS


def test_a_store_with_one_worker_is_left_to_its_shoppers_between_two_pages() -> None:
    model = Model(workers=1)
    rate, log = model.read(60)
    assert rate >= 0.8 * model.ceiling
    assert max(one.at_once for one in log) <= 3


def test_a_store_that_became_slower_for_good_is_asked_as_much_again_after_a_while() -> None:
    model = Model(slower=lambda at: 1.0 if at < 60 else 2.0)
    _, log = model.read(420)
    assert min(one.at_once for one in log if 60 < one.at < 100) == 1
    assert max(one.at_once for one in log if one.at > 60 + 4 * USUAL_SECONDS) >= 4


def test_a_quick_store_is_asked_by_eight_calls_within_a_few_pages() -> None:
    model = Model(workers=16, fixed=0.05)
    model.slower = lambda at: 0.025
    _, log = model.read(20)
    assert log[9].at_once == MOST_AT_ONCE


def test_pages_of_one_kind_say_nothing_of_those_of_another() -> None:
    """Numbers alone come ten times as quickly as whole orders."""
    steering = Steering()
    for number in range(20):
        steering.note(Answered(200, float(number), 0.2, "orders id", 100, steering.at_once))
    before = steering.at_once
    for number in range(20, 30):
        steering.note(Answered(200, float(number * 3), 2.3, "orders", 100, steering.at_once))
    assert steering.at_once >= before


def test_calls_that_suffer_together_count_once() -> None:
    steering = Steering()
    steering.at_once = 8
    for _ in range(8):
        steering.note(Answered(503, 0.0, 1.0, "orders", 100, 8))
    assert (steering.at_once, steering.records) == (4, 50)


@settings(max_examples=40, deadline=None)
@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from([0, 200, 404, 429, 500, 599]),
            st.floats(0, 60),
            st.sampled_from([0, 10, 55, 100]),
            st.integers(1, 8),
            st.floats(0, 9),
        ),
        max_size=80,
    )
)
def test_whatever_a_store_answers_something_is_still_asked_and_never_too_much(answers: list[tuple[int, float, int, int, float]]) -> None:
    steering, now = Steering(), 0.0
    for status, seconds, records, beside, passed in answers:
        now += passed
        steering.note(Answered(status, now, seconds, "orders", records, beside))
        assert 1 <= steering.at_once <= MOST_AT_ONCE
        assert LEAST_RECORDS <= steering.records <= MOST_RECORDS
