"""A shop's turn: what comes while its inbox is held is applied or rung for."""

import pytest

from sync import apply
from tests.statements import before_statements
from tests.sync.test_apply import checkout, states
from tests.sync.working import PATIENCE
from tests.sync.world import World, keep


@pytest.mark.parametrize("seconds", [PATIENCE, 0.0])
def test_what_comes_during_a_batch_is_applied_in_the_same_turn_or_rung_for(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(apply, "TURN_SECONDS", seconds)
    rung: list[str] = []
    world.db.on_wake(lambda wake: rung.append(wake.job))
    keep(world.db, world.shop, [checkout(world, "first")])
    late = [checkout(world, "late")]

    def arrive(statement: str) -> None:
        if statement == "savepoint batch" and late:
            keep(world.db, world.shop, [late.pop()])
            assert apply.drain(world.services, world.shop.id) == 0, "another one is turned away meanwhile"

    with before_statements(arrive):
        handled = apply.drain(world.services, world.shop.id)

    assert (handled, rung.count("apply_inbox")) == ((2, 0) if seconds else (1, 1))
    assert [state for state, _, _ in states(world)] == ["applied", "applied" if seconds else "pending"]


def test_what_comes_while_an_empty_inbox_is_held_is_rung_for(world: World) -> None:
    rung: list[str] = []
    world.db.on_wake(lambda wake: rung.append(wake.job))
    late = [checkout(world, "late")]

    def arrive(statement: str) -> None:
        if statement.startswith("select exists (select 1 from deliveries") and late:
            keep(world.db, world.shop, [late.pop()])

    with before_statements(arrive):
        assert apply.drain(world.services, world.shop.id) == 0

    assert (rung, late) == (["apply_inbox"], [])
