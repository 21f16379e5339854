"""Print what the last run with `--spec-report` proved: `python -m tests.spec`."""

import json
import re
import sys
from pathlib import Path
from typing import Any

REPORT = Path(__file__).resolve().parents[2] / "var" / "spec.json"


def table(report: dict[str, dict[str, Any]]) -> str:
    """One line per row with its state and tests, then the counts of each group."""
    lines = [f"{row:<8} {_state(found):<8} {', '.join(_short(found['tests']))}".rstrip() for row, found in report.items()]
    lines += ["", f"{'group':<8} {'passed':>7} {'failed':>7} {'missing':>8} {'rows':>6}"]
    groups: dict[str, list[str]] = {}
    for row, found in report.items():
        groups.setdefault(re.match("[A-Z]+", row)[0], []).append(_state(found))  # type: ignore[index]
    groups["all"] = [state for states in list(groups.values()) for state in states]
    for name, states in groups.items():
        counts = [states.count(state) for state in ("passed", "FAILED", "missing")]
        lines.append(f"{name:<8} {counts[0]:>7} {counts[1]:>7} {counts[2]:>8} {len(states):>6}")
    return "\n".join(lines)


def _state(found: dict[str, Any]) -> str:
    if not found["tests"]:
        return "missing"
    return "passed" if found["passed"] else "FAILED"


def _short(tests: list[str]) -> list[str]:
    """Test functions without their parameters, each once."""
    return list(dict.fromkeys(re.sub(r"\[.*\]$", "", name).removeprefix("tests/") for name in tests))


if __name__ == "__main__":
    if not REPORT.exists():
        sys.exit("no report yet: run pytest --spec-report")
    print(table(json.loads(REPORT.read_text(encoding="utf-8"))))
