"""Which tests are not traced, and that the tracer is off for as long as they last."""

import os
from pathlib import Path
from typing import cast

import coverage
import pytest

from tests.tracing import STORIES, TOLD, is_story, off

ROOT = Path(__file__).resolve().parents[1]


class Tracer:
    """What `off` does to a tracer; as the real one it tells processes of itself while it is on."""

    def __init__(self) -> None:
        self.is_on = True

    def stop(self) -> None:
        self.is_on = False

    def start(self) -> None:
        assert not self.is_on
        self.is_on = True
        os.environ[TOLD] = "how"


@pytest.mark.parametrize("pattern", STORIES)
def test_each_pattern_names_tests_that_there_are(pattern: str) -> None:
    place, _, name = pattern.partition("::")
    files = list(ROOT.glob(place))
    assert files
    assert all(f"def {name.rstrip('*')}" in file.read_text(encoding="utf-8") for file in files if name)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("tests/browser/test_status.py::test_a_page[fr]", True),
        ("tests/sync/test_access_twin.py::test_a_token_ends", True),
        ("tests/flows/test_demo.py::test_the_demo_fails_if_something_is_wrong", True),
        ("tests/flows/test_demo.py::test_a_day_of_shoppers", False),
        ("tests/sync/test_access.py::test_a_token_ends", False),
        ("tests/rules/test_offers.py::test_an_offer", False),
    ],
)
def test_stories_are_told_by_their_names(name: str, is_one: bool) -> None:
    assert is_story(name) is is_one


def test_a_story_runs_without_the_tracer_and_so_do_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOLD, "how")
    tracer = Tracer()

    def tell() -> None:
        with off(cast(coverage.Coverage, tracer)):
            assert not tracer.is_on
            assert TOLD not in os.environ
            raise ValueError("the story fails")

    with pytest.raises(ValueError, match="the story fails"):
        tell()

    assert tracer.is_on
    assert os.environ[TOLD] == "how"


def test_a_tracer_that_was_begun_meanwhile_is_not_begun_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOLD, "how")
    tracer = Tracer()
    with off(cast(coverage.Coverage, tracer)):
        tracer.start()
    assert tracer.is_on
