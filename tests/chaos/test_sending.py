"""What breaks things, and who acts meanwhile: where one of them fails it shows."""

import random
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.intake import Trouble
from tests.chaos.sending.acting import Act, act
from tests.chaos.sending.monkey import Monkey
from tests.chaos.stack import Stack

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def stack_of_nothing() -> Stack:
    """What a monkey and people need of a stack."""
    nothing: Any = SimpleNamespace(flush=None, answer=None)
    return cast(Stack, SimpleNamespace(redis=nothing, sink=nothing, now=lambda: NOW))


def fails() -> Any:
    """Nobody expected this."""
    raise RuntimeError("it fell over")


def test_an_act_that_fails_in_whatever_way_is_told_and_no_fault() -> None:
    acting = act(stack_of_nothing(), [Act(NOW, lambda: ""), Act(NOW, fails), Act(NOW, lambda: "refused")])
    assert sorted(acting.join(10)) == ["an act failed: RuntimeError: it fell over", "refused"]
    assert acting.done == 1


def test_people_who_have_not_acted_in_time_are_counted() -> None:
    acting = act(stack_of_nothing(), [Act(NOW, lambda: ""), Act(NOW + timedelta(seconds=6), lambda: "")])
    assert acting.join(2) == ["1 of 2 people had not acted in time"]
    assert acting.join(10) == []


def test_a_monkey_that_falls_over_says_so_at_its_end() -> None:
    over = threading.Event()
    monkey = Monkey(stack_of_nothing(), random.Random(1))
    monkey._tricks = [("fall over", lambda: (over.set(), fails()))]
    monkey.start()
    over.wait(10)
    with pytest.raises(RuntimeError, match="it fell over"):
        monkey.stop()


def test_trouble_that_failed_raises_it_at_the_end() -> None:
    over = threading.Event()

    def make() -> int:
        over.set()
        return int(fails())

    with pytest.raises(RuntimeError, match="it fell over"), Trouble(make, random.Random(1), 0.0, 0.01):
        over.wait(10)
