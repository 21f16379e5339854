"""Points: set aside before a call, given back after it, shared by all callers of a shop; and how few calls Shopify then refuses."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connector.budget import Budget
from connector.canonical import Resource
from connector.platforms import ThrottledError
from integrations.sandbox.shopify_cost import Bucket
from integrations.shopify.budget import ASSUMED_COST, ASSUMED_MAXIMUM, MOST_KEYS, MOST_REMEMBERED, CallCosts, LocalBudget
from tests.integrations.reads_kit import ACCESS, Store

KEY = "shopify:atelier-brume.myshopify.com"


class Clock:
    """A clock that tests move."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    """At zero."""
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> LocalBudget:
    """Of a process that has called nobody yet."""
    return LocalBudget(clock)


class TestBudget:
    def test_the_first_call_does_not_wait_and_the_next_ones_wait_for_each_other(self, budget: LocalBudget) -> None:
        assert budget.reserve(KEY, 900) == 0.0
        assert budget.reserve(KEY, 200) == pytest.approx(2.0)
        assert budget.reserve(KEY, 100) == pytest.approx(4.0)

    def test_one_shops_wait_is_nobody_elses(self, budget: LocalBudget) -> None:
        budget.reserve(KEY, 9000)
        assert budget.reserve("shopify:boutique.myshopify.com", 900) == 0.0

    def test_points_come_back_with_time_up_to_the_maximum(self, budget: LocalBudget, clock: Clock) -> None:
        budget.reserve(KEY, 1000)
        clock.at = 10
        assert budget.reserve(KEY, 500) == 0.0
        clock.at = 10_000
        assert budget.reserve(KEY, ASSUMED_MAXIMUM + 50) == pytest.approx(1.0)

    def test_a_clock_that_goes_back_takes_nothing(self, budget: LocalBudget, clock: Clock) -> None:
        clock.at = 100
        budget.reserve(KEY, 500)
        clock.at = 50
        assert budget.reserve(KEY, 500) == 0.0

    def test_what_was_not_used_is_there_again(self, budget: LocalBudget) -> None:
        budget.reserve(KEY, 1000)
        budget.give_back(KEY, 700)
        assert budget.reserve(KEY, 700) == 0.0
        assert budget.reserve(KEY, 50) == pytest.approx(1.0)

    def test_more_than_fits_is_not_given_back(self, budget: LocalBudget) -> None:
        budget.give_back(KEY, 500)
        assert budget.reserve(KEY, ASSUMED_MAXIMUM + 50) == pytest.approx(1.0)

    def test_a_larger_bucket_was_larger_from_the_start(self, budget: LocalBudget) -> None:
        budget.reserve(KEY, 400)
        budget.learn(KEY, 1600, 2000, 100)
        assert budget.reserve(KEY, 1600) == 0.0
        assert budget.reserve(KEY, 100) == pytest.approx(1.0)

    def test_an_answer_never_gives_points_that_others_have_set_aside(self, budget: LocalBudget) -> None:
        budget.reserve(KEY, 300)
        budget.reserve(KEY, 300)
        budget.learn(KEY, 700, 1000, 50)
        assert budget.reserve(KEY, 450) == pytest.approx(1.0)

    def test_what_somebody_else_used_up_is_gone(self, budget: LocalBudget) -> None:
        budget.learn(KEY, 0, 1000, 50)
        assert budget.reserve(KEY, 50) == pytest.approx(1.0)

    @pytest.mark.parametrize(("maximum", "per_second"), [(0.0, 50.0), (1000.0, 0.0)])
    def test_a_bucket_that_makes_no_sense_is_not_learnt(self, budget: LocalBudget, maximum: float, per_second: float) -> None:
        budget.learn(KEY, 0, maximum, per_second)
        assert budget.reserve(KEY, ASSUMED_MAXIMUM) == 0.0

    def test_of_very_many_shops_the_one_that_was_not_called_for_longest_is_forgotten(self, budget: LocalBudget, clock: Clock) -> None:
        for number in range(MOST_KEYS):
            clock.at = number
            budget.reserve(f"shop {number}", 1050)
        clock.at += 0.5
        budget.reserve(KEY, 1)
        assert budget.reserve(f"shop {MOST_KEYS - 1}", 0) > 0
        assert budget.reserve("shop 0", 1000) == 0.0


class TestCosts:
    def test_at_first_a_table_says_what_a_document_costs(self) -> None:
        costs = CallCosts({"query A": 77})
        assert (costs.expect("query A", {}), costs.expect("query B", {})) == (77, ASSUMED_COST)

    def test_then_shopify_says_for_each_size_of_the_question(self) -> None:
        costs = CallCosts({"query A": 77})
        costs.learn("query A", {"first": 10, "query": "x"}, 672)
        costs.learn("query A", {"ids": ["1", "2"]}, 40)
        assert costs.expect("query A", {"first": 10, "query": "another text", "after": None}) == 672
        assert costs.expect("query A", {"ids": ["3", "4"]}) == 40
        assert costs.expect("query A", {"first": 20}) == costs.expect("query A", {"ids": ["3"]}) == 77

    def test_a_cost_of_nothing_is_not_believed(self) -> None:
        costs = CallCosts({"query A": 77})
        costs.learn("query A", {}, 0)
        assert costs.expect("query A", {}) == 77

    def test_not_more_is_remembered_than_fits(self) -> None:
        costs = CallCosts({})
        for number in range(MOST_REMEMBERED + 1):
            costs.learn("query A", {"first": number}, 1000)
        costs.learn("query A", {"first": 0}, 3)
        assert costs.expect("query A", {"first": 0}) == 3
        assert costs.expect("query A", {"first": MOST_REMEMBERED}) == ASSUMED_COST


@dataclass
class Play:
    """Many callers of one shop at once, played event by event: each reserves, waits, asks, hears the answer, and begins again."""

    budget: Budget
    clock: Clock
    bucket: Bucket
    requested: float = 672.0
    patience: float = 2.0
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    number: int = 0
    stopped_at: float = 0.0

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do it then."""
        self.number += 1
        heapq.heappush(self.events, (self.clock.at + seconds, self.number, do))

    def begin(self) -> None:
        """One caller's next call, as the client does it."""
        wait = self.budget.reserve(KEY, self.requested)
        if wait > self.patience:
            self.budget.give_back(KEY, self.requested)
            self.later(wait, self.begin)
        else:
            self.later(wait + self.chance.uniform(0.02, 0.2), self.arrive)

    def arrive(self) -> None:
        """The question reaches Shopify, which takes what it may cost and gives back what it did not."""
        used = 0.0
        if self.bucket.take(self.requested):
            used = self.chance.uniform(60, 300)
            self.bucket.give_back(self.requested - used)
        told = self.bucket.status()
        self.later(self.chance.uniform(0.02, 0.2), lambda: self.hear(used, told))

    def hear(self, used: float, told: dict[str, float]) -> None:
        """The answer comes."""
        self.budget.give_back(KEY, self.requested - used)
        self.budget.learn(KEY, told["currentlyAvailable"], told["maximumAvailable"], told["restoreRate"])
        self.begin()

    def run(self, callers: int, calls: int) -> None:
        """So many callers, until so many calls reached Shopify."""
        for _ in range(callers):
            self.begin()
        while self.bucket.calls < calls:
            self.clock.at, _, do = heapq.heappop(self.events)
            do()


class TestLoad:
    @pytest.mark.parametrize("callers", [1, 4, 16])
    @pytest.mark.parametrize(("maximum", "per_second"), [(2000.0, 100.0), (1000.0, 50.0), (20_000.0, 1000.0)])
    def test_shopify_refuses_hardly_any_call_and_its_refill_is_used(
        self, budget: LocalBudget, clock: Clock, callers: int, maximum: float, per_second: float
    ) -> None:
        play = Play(budget, clock, Bucket(maximum, per_second, clock))
        play.run(callers, 2000)
        per_thousand = play.bucket.throttled / play.bucket.calls * 1000
        used = (play.bucket.spent - maximum) / (per_second * clock.at)
        print(f"{callers} callers, {per_second:.0f}/s: {per_thousand:.1f} of 1000 refused, {used:.1%} of the refill used")
        assert per_thousand <= 5
        # One caller alone cannot use up a bucket that refills faster than it asks.
        assert used >= 0.9 or (callers == 1 and per_second == 1000)

    def test_somebody_else_who_takes_points_costs_us_few_refusals(self, budget: LocalBudget, clock: Clock) -> None:
        play = Play(budget, clock, Bucket(2000, 100, clock))

        def steal() -> None:
            play.bucket.drain()
            play.later(60, steal)

        play.later(30, steal)
        play.run(4, 1000)
        assert play.bucket.throttled <= 0.05 * play.bucket.calls

    def test_a_full_read_of_a_shop_is_hardly_ever_refused(self) -> None:
        store = Store(seconds_a_call=0.15)
        for number in range(600):
            store.twin.buy(quantity=1 + number % 3)
        store.rest()
        store.twin.shop.bucket = bucket = Bucket(2000, 100, lambda: store.twin.seconds)
        began, cursor, found = store.twin.seconds, None, 0
        while True:
            try:
                page = store.reads.changes(ACCESS, Resource.ORDER, None, None, cursor)
            except ThrottledError as error:
                store.sleep(error.retry_after)
                continue
            found, cursor = found + len(page.records), page.cursor
            if cursor is None:
                break
        refill = 100 * (store.twin.seconds - began)
        print(f"{found} orders, {bucket.calls} calls, {bucket.throttled} refused, {(bucket.spent - 2000) / refill:.1%} of the refill used")
        assert (found, bucket.throttled) == (600, 0)
        assert bucket.spent - 2000 >= 0.9 * refill
