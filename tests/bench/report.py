"""What a benchmark found: figures with their ratios, checks that hold or not, and what has to be said in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `ratio_to` names peers of the same run."""

    name: str
    value: float
    unit: str
    ratio_to: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A bound in words, and whether it holds."""

    text: str
    holds: bool


@dataclass(slots=True)
class Findings:
    """All of one benchmark."""

    title: str
    table: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rates(self, rates: Mapping[str, Sequence[float]], unit: str, prefix: str) -> None:
        """A figure for each contestant: the median of its rounds beside those of all others."""
        medians = {name: median(values) for name, values in rates.items()}
        for name, value in medians.items():
            ratios = {other: round(value / medians[other], 3) for other in medians if other != name and medians[other]}
            self.figures.append(Figure(f"{prefix}: {name}", round(value, 1), unit, ratios))

    def at_least(self, ratio: float, name: str, least: float, aim: float | None = None) -> None:
        """Check a ratio to a peer."""
        wish = "" if aim is None else f", aim {aim:g}"
        self.checks.append(Check(f"{ratio:.2f} × {name} (at least {least:g}{wish})", ratio >= least))

    def at_least_of(self, value: float, unit: str, least: float, aim: float | None = None) -> None:
        """Check a figure against its lower bound."""
        wish = "" if aim is None else f", aim {aim:,g}"
        self.checks.append(Check(f"{value:,.0f} {unit} (at least {least:,g}{wish})", value >= least))

    def holds(self, claim: str, is_true: bool) -> None:
        """Check a claim."""
        self.checks.append(Check(claim, is_true))

    def at_most(self, value: float, unit: str, what: str, most: float) -> None:
        """Check a figure against its upper bound."""
        self.checks.append(Check(f"{value:,.1f} {unit} {what} (at most {most:g})", value <= most))

    def tell(self) -> None:
        """Print table, notes and checks."""
        print(f"\n{self.title}")
        for line in (*self.table, *self.notes):
            print(line)
        for check in self.checks:
            print(f"{'holds ' if check.holds else 'MISSED'}  {check.text}")


def write(path: Path, found: Sequence[Findings]) -> None:
    """All figures of this run as a JSON list of {name, value, unit, ratio_to}."""
    figures = [
        {"name": figure.name, "value": figure.value, "unit": figure.unit, "ratio_to": dict(figure.ratio_to)}
        for findings in found
        for figure in findings.figures
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


def span(values: Sequence[float]) -> str:
    """Slowest and fastest."""
    return f"{min(values):,.0f}–{max(values):,.0f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)] if ordered else 0.0
