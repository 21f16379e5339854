"""A shop rests as long as its drain took, no longer than a tenth of a second, and holds up no other."""

import time

import pytest

from sync import pace
from sync.pace import Pace


def waited(one: Pace, shop_id: int) -> float:
    began = time.monotonic()
    one.wait(shop_id)
    return time.monotonic() - began


def test_a_shop_rests_as_long_as_its_drain_took() -> None:
    one = Pace()
    assert waited(one, 1) < 0.02
    one.note(1, 0.05)

    assert waited(one, 2) < 0.02, "others do not"
    assert 0.02 < waited(one, 1) < 1
    assert waited(one, 1) < 0.02, "it has rested"


def test_no_rest_is_long() -> None:
    one = Pace()
    one.note(1, 60.0)

    assert 0.05 < waited(one, 1) < 1


def test_who_waited_in_line_does_not_rest() -> None:
    one = Pace()
    one.note(1, 0.05)
    time.sleep(0.06)

    assert waited(one, 1) < 0.02


def test_it_does_not_remember_every_shop_there_ever_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_SHOPS", 3)
    one = Pace()
    for shop in range(20):
        one.note(shop, 0.0)
    one.note(99, 0.08)

    assert len(one._rested_at) <= 3
    assert waited(one, 99) > 0.02
