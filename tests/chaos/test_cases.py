"""Every case of the fault kit, at a tenth of its counts and durations: what came out of it; timings are for `make chaos`."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.chaos.case import Case
from tests.chaos.cases import CASES
from tests.chaos.conftest import PROPERTY
from tests.chaos.runner import Child, Seedbed, seedbed
from tests.chaos.size import TENTH


def claimed(case: Case) -> list[pytest.MarkDecorator]:
    """The rows of the specification that a case proves; `STORY` and the like are rows of our own."""
    rows = [name for name in case.ids if "-" in name]
    return [pytest.mark.spec(*rows)] if rows else []


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seedbed]:
    """Where cases come from; the parallel processes of one run share the directory above theirs, and there a database to begin with."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with seedbed(tmp_path_factory.mktemp("seedbed"), shared / "template") as bed:
        yield bed


# The longest first, so that none is left over when the others are done. Here timings are not red, so nobody need be alone.
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=claimed(case)) for case in sorted(CASES, key=lambda case: -case.seconds)]
)
def test_the_case_holds(case: Case, tmp_path: Path, bed: Seedbed, record_property: Callable[[str, object], None]) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "0")) or secrets.randbelow(1_000_000_000) + 1
    child = Child(case, TENTH, seed, tmp_path, bed)
    child.run()
    record_property(PROPERTY, json.dumps([asdict(row) for row in child.rows]))
    assert child.rows
    for row in child.rows:
        assert row.is_sound, f"seed {seed}: {row.trouble}"
    if all(row.not_run for row in child.rows):
        pytest.skip(child.rows[0].trouble or f"{case.name} could not run here")
