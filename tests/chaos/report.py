"""The rows of the table: what was tried, what was broken on purpose, what was violated."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

SHOWN = 5
LATE = "late: "
SUMMED = ("seconds", "cpu")
"""Figures of time: of the clock, and of all processors."""


@dataclass
class Row:
    """
    The outcome for one row of the specification.

    `trials` and `faults` are counts; a row without either proves nothing. `not_run` says why it could not be tried at all.
    """

    id: str
    title: str
    trials: int
    faults: int
    violations: list[str]
    seed: int
    figures: dict[str, str] = field(default_factory=dict)
    not_run: str = ""

    @property
    def is_green(self) -> bool:
        """True if it was tried with faults and held; what could not run is forgiven outside CI only."""
        return self._is_proven and not self.violations

    @property
    def is_sound(self) -> bool:
        """The same, but for timings: on a machine that does other things meanwhile they say nothing."""
        return self._is_proven and not self.wrong

    @property
    def wrong(self) -> list[str]:
        """The violations that are no timings."""
        return [sentence for sentence in self.violations if not sentence.startswith(LATE)]

    @property
    def _is_proven(self) -> bool:
        if self.not_run:
            return not os.environ.get("CI")
        return self.trials > 0 and self.faults > 0

    @property
    def trouble(self) -> str:
        """Why the row is not green; empty if it is."""
        if self.is_green:
            return ""
        if self.not_run:
            return f"{self.id}: not run ({self.not_run}), which is red in CI"
        if self.violations:
            return f"{self.id}: {some([*self.wrong, *(one for one in self.violations if one.startswith(LATE))])}"
        return f"{self.id}: {self.trials} trials and {self.faults} faults prove nothing"


def too_late(sentence: str) -> str:
    """A violation that is a timing: red in `make chaos`, told but not red beside other tests."""
    return LATE + sentence


def some(sentences: Sequence[str], most: int = SHOWN) -> str:
    """The first few on lines of their own, and how many more there are."""
    rest = len(sentences) - most
    return "\n  ".join([*sentences[:most], *([f"and {rest} more"] if rest > 0 else [])])


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each id, in the order of ids: what several cases say of it is added up, and who of them proved nothing is named."""
    found: dict[str, Row] = {}
    for row in rows:
        one = found.setdefault(row.id, Row(row.id, row.title, 0, 0, [], row.seed))
        one.trials += row.trials
        one.faults += row.faults
        one.violations += row.violations or ([] if row.is_green else [row.trouble])
        sums = {name: int(one.figures.get(name, 0)) + int(row.figures.get(name, 0)) for name in SUMMED}
        one.figures |= row.figures | {name: str(value) for name, value in sums.items() if value}
        one.not_run = one.not_run or row.not_run
    return sorted(found.values(), key=lambda row: row.id)


def print_table(rows: Iterable[Row], *, timings: bool = True) -> None:
    """The table, and below it every violation that there is room for. Without `timings` a late row is told but not red."""
    every = merged(rows)
    print(f"\n{'id':<9}{'trials':>9}{'faults':>9}{'violations':>12}  {'seed':<11}what, and figures")
    for row in every:
        mark = "" if row.is_green else "  ← RED" if timings or not row.is_sound else "  ← late"
        figures = ", ".join(f"{name} {value}" for name, value in row.figures.items())
        told = f"not run ({row.not_run})" if row.not_run else "; ".join(part for part in (row.title, figures) if part)
        print(f"{row.id:<9}{row.trials:>9}{row.faults:>9}{len(row.violations):>12}  {row.seed:<11}{told}{mark}")
    for row in every:
        if not row.is_green:
            print(f"\n{row.trouble}")


def write_json(rows: Iterable[Row], path: Path) -> None:
    """The same for machines: `[{id, trials, faults, violations, seed, …}]`, violations as a count."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [asdict(row) | {"violations": len(row.violations), "green": row.is_green, "trouble": row.trouble} for row in merged(rows)]
    path.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def save_rows(rows: Iterable[Row], path: Path) -> None:
    """Rows as they are, for another process to read."""
    path.write_text(json.dumps([asdict(row) for row in rows], ensure_ascii=False), encoding="utf-8")


def load_rows(path: Path) -> list[Row]:
    """What `save_rows` wrote."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
