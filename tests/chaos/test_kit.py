"""Rows, sizes, runs of cases and wrong clocks."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.__main__ import main
from tests.chaos.case import Case
from tests.chaos.cases import CASES
from tests.chaos.report import Row, load_rows, merged, print_table, save_rows, too_late, write_json
from tests.chaos.runner import ROOT, Child, Seedbed, rows_of, seedbed
from tests.chaos.size import FULL, TENTH, Size


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seedbed]:
    """Where cases come from."""
    with seedbed(tmp_path_factory.mktemp("seedbed")) as bed:
        yield bed


def row(trials: int = 10, faults: int = 3, **more: object) -> Row:
    return Row(**({"id": "RL-101", "title": "t", "trials": trials, "faults": faults, "violations": [], "seed": 7} | more))  # type: ignore[arg-type]


def test_a_row_without_trials_or_faults_proves_nothing() -> None:
    assert row().is_green
    assert not row(faults=0).is_green
    assert not row(trials=0).is_green
    assert not row(violations=["x"]).is_green
    assert "prove nothing" in row(faults=0).trouble


def test_what_could_not_run_is_red_in_ci_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert row(0, 0, not_run="needs root").is_green
    monkeypatch.setenv("CI", "true")
    assert not row(0, 0, not_run="needs root").is_green


def test_rows_of_one_id_are_added_up_and_survive_a_file(tmp_path: Path) -> None:
    rows = [row(violations=["a"], figures={"seconds": "4", "cpu": "2"}), row(figures={"p99": "1 ms", "seconds": "5"}), row(id="RL-100")]
    save_rows(rows, tmp_path / "rows.json")
    assert load_rows(tmp_path / "rows.json") == rows
    added = merged(rows)
    assert [(one.id, one.trials, one.faults, one.violations) for one in added] == [("RL-100", 10, 3, []), ("RL-101", 20, 6, ["a"])]
    assert added[1].figures == {"p99": "1 ms", "seconds": "9", "cpu": "2"}
    write_json(rows, tmp_path / "chaos.json")
    assert '"violations": 1' in (tmp_path / "chaos.json").read_text()


def test_a_case_that_proved_nothing_is_not_hidden_by_others_of_the_same_id() -> None:
    (added,) = merged([row(), row(faults=0)])
    assert (added.trials, added.faults, added.is_green) == (20, 3, False)
    assert "prove nothing" in added.violations[0]


def test_many_violations_are_told_in_few_words() -> None:
    trouble = row(violations=[f"v{number}" for number in range(9)]).trouble
    assert "v4" in trouble
    assert "v5" not in trouble
    assert "and 4 more" in trouble


def test_sizes_never_shrink_to_nothing() -> None:
    assert (FULL.count(10), TENTH.count(100), TENTH.count(3), TENTH.count(30, least=5)) == (10, 10, 1, 5)
    assert (TENTH.seconds(60), TENTH.seconds(3), Size(0.5).seconds(60)) == (6.0, 2.0, 30.0)


def test_a_case_that_raises_or_keeps_silent_is_red_and_never_lost(tmp_path: Path) -> None:
    def raising(size: Size, seed: int, directory: Path) -> list[Row]:
        raise RuntimeError("the stack fell over")

    def silent_about_one(size: Size, seed: int, directory: Path) -> list[Row]:
        return [row()]

    raised = rows_of(Case("a", ("RL-101", "RL-102"), raising), TENTH, 5, tmp_path)
    assert [(one.id, one.seed, one.is_green) for one in raised] == [("RL-101", 5, False), ("RL-102", 5, False)]
    assert "the stack fell over" in raised[0].violations[0]
    half = rows_of(Case("b", ("RL-101", "RL-102"), silent_about_one), TENTH, 5, tmp_path)
    assert [one.is_green for one in half] == [True, False]


def test_a_case_that_cannot_run_here_owes_nothing(tmp_path: Path) -> None:
    def not_run(size: Size, seed: int, directory: Path) -> list[Row]:
        return [row(0, 0, not_run="needs root")]

    rows = rows_of(Case("a", ("RL-101", "RL-102"), not_run), TENTH, 5, tmp_path)
    assert [(one.id, one.not_run) for one in rows] == [("RL-101", "needs root")]


def test_a_case_that_does_not_exist_is_no_green_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["chaos", "RL-101", "RL-000"])
    assert main() == 2
    assert "no such case: RL-000" in capsys.readouterr().out


def test_a_case_that_overruns_its_limit_is_ended_and_red(tmp_path: Path, bed: Seedbed) -> None:
    child = Child(CASES[0], TENTH, 5, tmp_path, bed)
    child.limit = 0.0
    child.run()
    assert [row.id for row in child.rows] == list(CASES[0].ids)
    assert all("overran its limit" in row.violations[0] for row in child.rows)


def test_a_case_that_is_ended_says_where_it_stood(tmp_path: Path, bed: Seedbed) -> None:
    child = Child(CASES[0], TENTH, 5, tmp_path, bed)
    child.limit = 6.0
    child.run()
    assert all("in run_one" in row.violations[0] for row in child.rows)


def test_a_case_whose_process_comes_to_nothing_is_red(tmp_path: Path, bed: Seedbed) -> None:
    child = Child(Case("no such case", ("RL-101",), lambda size, seed, directory: []), TENTH, 5, tmp_path, bed)
    child.run()
    assert [(row.id, row.is_green) for row in child.rows] == [("RL-101", False)]
    assert "ended with code 1" in child.rows[0].violations[0]


def test_a_skewed_process_sees_a_wrong_clock_and_jumps_again() -> None:
    script = """
import time
from time import time as held
from tests.chaos import skewed
skewed.skew_time(3600)
from connector import clock
from connector.store import keeping
print(skewed.skew_datetime())
from datetime import UTC, datetime
real = datetime.now(UTC).timestamp()
print(round(time.time() - real), round(clock.now().timestamp() - real), round(time.time_ns() / 1e9 - real), round(held() - real))
skewed.jump(-7200)
print(round(clock.now().timestamp() - real), round(datetime.now(UTC).timestamp() - real))
assert type(clock.now()) is datetime and isinstance(clock.now(), keeping.datetime)
assert keeping.datetime(2020, 1, 1, tzinfo=UTC) == datetime(2020, 1, 1, tzinfo=UTC)
assert type(keeping.datetime.fromisoformat("2020-01-01T00:00:00+00:00")) is datetime
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    count, first, second = done.stdout.splitlines()
    assert int(count) >= 2
    assert first == "3600 3600 3600 3600"
    assert second == "-3600 0"


def test_a_timing_is_red_but_alone_it_does_not_make_a_row_unsound() -> None:
    slow = Row("RL-110", "slow", 10, 10, [too_late("p99 is 3 s")], 1)
    wrong = Row("RL-110", "slow and wrong", 10, 10, [too_late("p99 is 3 s"), "one is lost"], 1)
    idle = Row("RL-110", "nothing was broken", 10, 0, [], 1)

    assert (slow.is_green, slow.is_sound) == (False, True)
    assert (wrong.is_green, wrong.is_sound) == (False, False)
    assert (idle.is_green, idle.is_sound) == (False, False)
    assert wrong.trouble.index("one is lost") < wrong.trouble.index("p99 is 3 s")


def test_the_table_names_what_is_red_and_what_is_only_late(capsys: pytest.CaptureFixture[str]) -> None:
    slow = Row("RL-110", "slow", 10, 10, [too_late("p99 is 3 s")], 1)
    print_table([slow])
    assert "← RED" in capsys.readouterr().out
    print_table([slow], timings=False)
    assert "← late" in capsys.readouterr().out
