"""C82, as a property: whatever is asked and answered, no call is sent without its points, nor before they are there."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.shopify.budget import CallCosts, LocalBudget
from integrations.shopify.client import AHEAD_OF_OTHERS, PATIENCE
from tests.integrations.test_shopify_schema import documents

KEY = "shopify:demo.myshopify.com"
costs = st.one_of(st.integers(1, 1000).map(float), st.floats(0.5, 1000))
calls = st.tuples(
    costs,
    st.floats(0, 1),  # what of it is used
    st.floats(0, 3),  # seconds until its answer is there
    st.floats(0, 20),  # seconds until the caller asks again
)

Call = tuple[float, float, float, float]


@dataclass
class Pot:
    """A shop's bucket that also reckons what ran over its brim."""

    maximum: float
    per_second: float
    held: float = 0.0
    lost: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.held = self.maximum

    def add(self, points: float, now: float) -> None:
        """Refill it up to this moment, and pour some points in, or out."""
        self.held += max(0.0, now - self.at) * self.per_second + points
        self.at = now
        self.lost += max(0.0, self.held - self.maximum)
        self.held = min(self.held, self.maximum)


@dataclass
class World:
    """
    A shop's bucket, callers that go by one budget, and a clock for both; played event by event.

    `is_prompt`: the shop was called before, answers come at once, and calls cost what they may: then the budget must be exact.
    """

    maximum: float
    per_second: float
    is_prompt: bool = True
    at: float = 0.0
    sent: int = 0
    events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.pot = Pot(self.maximum, self.per_second)
        self.budget = LocalBudget(lambda: self.at)
        if self.is_prompt:
            self.budget.learn(KEY, self.maximum, self.maximum, self.per_second)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do it then."""
        heapq.heappush(self.events, (self.at + seconds, next(self.numbers), do))

    def play(self) -> None:
        """Until nothing is left to do."""
        while self.events:
            self.at, _, do = heapq.heappop(self.events)
            do()


class Caller:
    """One who makes some calls, one after another, as our client does it."""

    def __init__(self, world: World, to_do: list[Call], patience: float) -> None:
        self.world, self.to_do, self.patience = world, to_do, patience
        world.later(0.0, self.begin)

    def begin(self) -> None:
        """Set the points aside, or come back for them later."""
        if not self.to_do:
            return
        cost, used, _, _ = self.to_do[0]
        seconds = self.world.budget.reserve(KEY, cost)
        if seconds > self.patience:
            self.world.budget.give_back(KEY, cost)
            self.world.later(seconds, self.begin)
        else:
            self.world.later(seconds, lambda: self.arrive(cost, cost if self.world.is_prompt else cost * used))

    def arrive(self, cost: float, used: float) -> None:
        """
        It is sent: the points must be there, with all that was sent before taken off; Shopify tells whole points.

        Where calls cost less than they set aside, or answers take their time, but for what ran over the brim while others waited:
        of that nobody can know.
        """
        world, pot = self.world, self.world.pot
        pot.add(0.0, world.at)
        assert cost > 0
        assert pot.held + (1.5 if world.is_prompt else pot.lost) >= cost - 1e-3, "woken early"
        pot.add(-used, world.at)
        world.sent += 1
        told = pot.held
        world.later(0.0 if world.is_prompt else self.to_do[0][2], lambda: self.hear(cost, used, told))

    def hear(self, cost: float, used: float, told: float) -> None:
        """The answer is there."""
        world = self.world
        world.budget.give_back(KEY, cost - used)
        world.budget.learn(KEY, float(int(told)), world.maximum, world.per_second)
        world.later(self.to_do.pop(0)[3], self.begin)


@pytest.mark.spec("C82")
class TestC82:
    @settings(max_examples=80, deadline=None)
    @given(
        st.lists(st.lists(calls, min_size=1, max_size=12), min_size=1, max_size=5),
        st.sampled_from([(1000.0, 50.0), (2000.0, 100.0), (4000.0, 200.0), (20_000.0, 1000.0)]),
        st.sampled_from([AHEAD_OF_OTHERS, PATIENCE, 60.0]),
        st.booleans(),
    )
    def test_no_call_is_sent_before_its_points_are_there(
        self, callers: list[list[Call]], size: tuple[float, float], patience: float, is_prompt: bool
    ) -> None:
        world = World(*size, is_prompt)
        for to_do in callers:
            Caller(world, list(to_do), patience)
        world.play()
        assert world.sent == sum(map(len, callers))

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.floats(allow_nan=True, allow_infinity=True)), max_size=20),
        st.sampled_from(["a", "b", "never seen"]),
        st.integers(0, 3),
    )
    def test_no_call_is_reckoned_to_cost_nothing(self, told: list[tuple[str, int, float]], document: str, size: int) -> None:
        reckoned = CallCosts({"a": 77.0})
        for one, first, requested in told:
            reckoned.learn(one, {"first": first}, requested)
        assert 0 < reckoned.expect(document, {"first": size}) <= 1000

    def test_every_document_of_ours_has_a_cost(self) -> None:
        reckoned = CallCosts({})
        assert len(documents()) > 30
        assert all(reckoned.expect(text, {}) > 0 for text in documents().values())
