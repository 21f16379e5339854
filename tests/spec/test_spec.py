"""The plugin that ties tests to rows of the specification."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.spec.__main__ import table
from tests.spec.plugin import known_rows

ROOT = Path(__file__).resolve().parents[2]

CLAIMS = """
import pytest

@pytest.mark.spec("AC-62")
def test_passes(): pass

@pytest.mark.spec("AC-62", "SQ-05")
@pytest.mark.parametrize("n", [1, 2])
def test_passes_twice(n): pass

@pytest.mark.spec("SQ-06")
def test_passes_too(): pass

@pytest.mark.spec("SQ-06")
def test_is_skipped(): pytest.skip("not here")

@pytest.mark.spec("SQ-07")
def test_fails(): assert 0

@pytest.mark.spec("SQ-08")
@pytest.mark.xfail(strict=False)
def test_is_expected_to_fail(): assert 0

@pytest.fixture
def breaks_after():
    yield
    assert 0

@pytest.mark.spec("SQ-09")
def test_breaks_after(breaks_after): pass
"""


def run_pytest(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_claims.py").write_text(source)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = spec(*ids): rows\naddopts = -p tests.spec.plugin -p no:cacheprovider\n")
    command = [sys.executable, "-m", "pytest", "-q", *options, str(directory)]
    return subprocess.run(command, cwd=directory, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two processes"])
def test_a_row_passes_only_if_all_its_tests_ran_and_passed(tmp_path: Path, options: tuple[str, ...]) -> None:
    run_pytest(tmp_path, CLAIMS, "--spec-report", *options)
    report: dict[str, dict[str, Any]] = json.loads((tmp_path / "var" / "spec.json").read_text())
    assert list(report) == list(known_rows())
    assert report["AC-62"]["passed"]
    assert len(report["AC-62"]["tests"]) == 3
    assert report["SQ-05"]["passed"]
    assert [report[row]["passed"] for row in ("SQ-06", "SQ-07", "SQ-08", "SQ-09")] == [False] * 4
    assert report["SQ-01"] == {"tests": [], "passed": False}


@pytest.mark.parametrize("marker", ['pytest.mark.spec("AC-99")', 'pytest.mark.spec("ac-62")', "pytest.mark.spec()"])
def test_an_unknown_row_ends_the_run_before_any_test(tmp_path: Path, marker: str) -> None:
    done = run_pytest(tmp_path, f"import pytest\n@{marker}\ndef test_claim(): pass\n")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_claims.py::test_claim" in done.stderr


def test_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, CLAIMS).returncode == pytest.ExitCode.TESTS_FAILED
    assert not (tmp_path / "var").exists()


def test_every_row_is_listed_once() -> None:
    rows = known_rows()
    assert len(rows) == len(set(rows)) == 465


def test_the_table_counts_each_group() -> None:
    shown = table(
        {
            "SQ-01": {"tests": ["tests/a.py::test_x[1]", "tests/a.py::test_x[2]"], "passed": True},
            "SQ-02": {"tests": ["tests/a.py::test_y"], "passed": False},
            "C1": {"tests": [], "passed": False},
        }
    ).splitlines()
    assert shown[0].split() == ["SQ-01", "passed", "a.py::test_x"]
    assert shown[1].split() == ["SQ-02", "FAILED", "a.py::test_y"]
    assert shown[2].split() == ["C1", "missing"]
    assert [line.split() for line in shown[-3:]] == [["SQ", "1", "1", "0", "2"], ["C", "0", "0", "1", "1"], ["all", "1", "1", "1", "3"]]
