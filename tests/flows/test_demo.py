"""The demo's story, end to end over real HTTP and SMTP: clean when our rules hold, red when one of them is broken on purpose."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connector.canonical import Checkout
from connector.cli.demo.observe import Report, observe
from connector.cli.demo.patience import act_until_it_works
from connector.cli.demo.run import show
from connector.cli.demo.story import Story
from connector.cli.demo.world import open_world
from connector.config import Settings
from connector.errors import ConnectorError
from connector.platforms import TransientError
from connector.rules.automations import Outcome, Reason, Verdict
from connector.store import migrate


@contextmanager
def played(database_url: str, directory: Path, name: str, seed: int = 0) -> Iterator[tuple[Story, Report]]:
    """The whole day on a fresh database; yields the story and what the observers saw."""
    url = migrate.recreate(database_url, f"demo_{name}_{os.getpid()}")
    settings = Settings.model_validate({"database_url": SecretStr(url), "data_dir": directory})
    with open_world(settings, directory, seed=seed) as world:
        story = Story(world, say=lambda text: None)
        story.play()
        yield story, observe(story)


def problems(report: Report) -> list[str]:
    return report.disagreements()


@pytest.mark.spec("SQ-02", "SQ-04", "SQ-05", "SQ-06", "SQ-13", "SW-08", "SW-10", "SW-12", "AC-03", "AC-04", "AC-05")
def test_a_day_of_shoppers_ends_as_the_outside_observers_saw_it(database_url: str, tmp_path: Path) -> None:
    with played(database_url, tmp_path, "clean") as (story, report):
        assert problems(report) == []
        assert report.is_clean
        assert len(report.seen) == 14
        assert [len(one) for one in (report.buyers, report.offers)] == [6, 2]
        assert len(story.world.sandbox.mail.messages()) == 6 + len(report.buyers) + len(report.offers)
        sent = [row for machine in story.world.sandbox.machines for row in machine.deliveries()]
        assert any(len(row.attempts) > 1 for row in sent), "the story must hold repeated deliveries, or it proves nothing about them"
        show(report, 1.0)


def test_the_demo_fails_if_the_clock_ignores_what_shoppers_do(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(checkout: Checkout, counts: Mapping[str, int]) -> str:
        return "the same"

    monkeypatch.setattr("connector.rules.abandonment.fingerprint", blind)
    with played(database_url, tmp_path, "blind") as (_, report):
        assert not report.is_clean
        assert any("Emma" in problem and "from when it was due" in problem for problem in problems(report))


def test_the_demo_fails_if_a_message_ignores_the_unsubscribed(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def always(checkout: Any, *args: Any, **facts: Any) -> Verdict:
        return Verdict(Outcome.GO, Reason.ENROLLED, checkout.abandoned_at)

    monkeypatch.setattr("sync.abandon.decide_enrollment", always)
    monkeypatch.setattr("sync.send.decide_sending", lambda *args, **facts: Verdict(Outcome.GO, Reason.SENDING))
    with played(database_url, tmp_path, "pesters") as (_, report):
        assert not report.is_clean
        assert any("Ugo: 2 mails instead of 1" in problem for problem in problems(report))


def test_the_demo_fails_if_an_offer_outlives_its_code(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.offers.next_move", lambda state, reason, problem: None)
    with played(database_url, tmp_path, "careless") as (_, report):
        assert not report.is_clean
        assert any("the offer: 0 letters to the owner instead of 1" in problem for problem in problems(report))
        assert any("what happened to it is" in problem for problem in problems(report))


def test_the_observers_see_an_order_that_our_rows_do_not_have(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.observed.orders", lambda session: [])
    with played(database_url, tmp_path, "forgets") as (_, report):
        assert not report.is_clean
        assert any("in our rows: None" in problem for problem in problems(report))


@pytest.mark.parametrize("failures", [[503], [0, 0, 502, 0]])
def test_people_load_a_page_again_that_did_not_load(failures: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.cli.demo.patience.PAUSE_SECONDS", 0.0)
    answers = iter([*failures, 200])

    act_until_it_works("the page", load, answers)

    assert next(answers, None) is None


def test_what_is_begun_anew_each_time_is_tried_again_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.cli.demo.patience.PAUSE_SECONDS", 0.0)
    answers = iter([401, 200])
    act_until_it_works("the install", load, answers, is_begun_anew=True)
    assert next(answers, None) is None
    with pytest.raises(ConnectorError, match="the install was answered with 403"):
        act_until_it_works("the install", load, iter([403] * 5), is_begun_anew=True)


@pytest.mark.parametrize(("answers", "tried"), [([404, 200], 1), ([500] * 9, 5), ([0] * 9, 5)])
def test_people_give_up_on_a_page_that_is_refused_or_never_loads(answers: list[int], tried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.cli.demo.patience.PAUSE_SECONDS", 0.0)
    left = iter(answers)

    with pytest.raises(ConnectorError, match="the page was answered with"):
        act_until_it_works("the page", load, left)

    assert len(list(left)) == len(answers) - tried


def load(answers: Iterator[int]) -> int:
    """A page whose answers are known; 0: nothing came back."""
    status = next(answers)
    if status == 0:
        raise TransientError("no answer", platform="browser", call="open")
    return status
