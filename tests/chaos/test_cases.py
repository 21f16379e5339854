"""Every case of the fault kit, at a tenth of its counts and durations: what came out of it; timings are for `make chaos`."""

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.chaos.case import Case
from tests.chaos.cases import CASES
from tests.chaos.conftest import PROPERTY
from tests.chaos.runner import Child
from tests.chaos.size import TENTH


def claimed(case: Case) -> list[pytest.MarkDecorator]:
    """The rows of the specification that a case proves; `STORY` and the like are rows of our own."""
    rows = [name for name in case.ids if "-" in name]
    return [pytest.mark.spec(*rows)] if rows else []


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=claimed(case)) for case in sorted(CASES, key=lambda case: case.alone)]
)
def test_the_case_holds(
    case: Case, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0")) or secrets.randbelow(1_000_000_000) + 1
    child = Child(case, TENTH, seed, tmp_path)
    # The parallel processes of one run share the directory above theirs; a case that must be alone waits for the others there.
    with (tmp_path_factory.getbasetemp().parent / "chaos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if case.alone else fcntl.LOCK_SH)
        child.run()
    record_property(PROPERTY, json.dumps([asdict(row) for row in child.rows]))
    assert child.rows
    for row in child.rows:
        assert row.is_sound, f"seed {seed}: {row.trouble}"
