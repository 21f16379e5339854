"""A sync makes room for other work of its process, and for nothing else."""

import pytest

from sync import engine
from sync.courtesy import LONGEST_SECONDS, SHARE, Courtesy
from tests.sync.sync_stage import SyncStage
from tests.sync.world import World


def test_alone_it_does_not_rest() -> None:
    courtesy = Courtesy()
    assert courtesy.rest(courtesy.begun(), 0.2) == 0


def test_it_rests_longer_than_its_batch_took_beside_work_in_hand_and_work_that_came_and_went() -> None:
    courtesy = Courtesy()
    mark = courtesy.begun()
    with courtesy.other_work():
        assert courtesy.rest(mark, 0.2) == pytest.approx(0.2 * SHARE)
        assert courtesy.rest(courtesy.begun(), 0.2) == pytest.approx(0.2 * SHARE), "it was begun before, and goes on"
    assert courtesy.rest(mark, 0.2) == pytest.approx(0.2 * SHARE)
    assert courtesy.rest(courtesy.begun(), 0.2) == 0


def test_no_rest_is_long() -> None:
    courtesy = Courtesy()
    with courtesy.other_work():
        assert courtesy.rest(courtesy.begun(), 60.0) == LONGEST_SECONDS


def test_the_engine_rests_after_a_batch_beside_which_there_was_other_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(engine.time, "sleep", rests.append)
    stage = SyncStage(world)
    stage.hold_orders(4)
    stage.backfill()
    assert not any(rests), "there was nothing else"
    with stage.world.services.courtesy.other_work():
        stage.resync()
    assert any(rests)
