"""
Pytest plugin: which test proves which row of the specification.

`@pytest.mark.spec("AC-62", ...)` claims rows; ids that `tests/spec_rows.txt` does not know end the run before it begins.
With `--spec-report` the run writes `var/spec.json`: id -> {"tests": [...], "passed": bool}. A row has passed if it has
tests and every one of them ran and passed; a skipped or expected failure proves nothing.
"""

import json
from pathlib import Path

import pytest

ROWS = Path(__file__).resolve().parents[1] / "spec_rows.txt"
PROPERTY = "spec"
OUTCOMES = pytest.StashKey[dict[str, "Outcome"]]()


class Outcome:
    """What is known of one test: the rows it claims, and whether each phase so far went well and the test itself ran."""

    def __init__(self, rows: tuple[str, ...]) -> None:
        self.rows = rows
        self.ran = False
        self.failed = False

    def learn(self, report: pytest.TestReport) -> None:
        """Take in the report of one phase (setup, call or teardown)."""
        self.failed = self.failed or report.outcome != "passed" or hasattr(report, "wasxfail")
        self.ran = self.ran or (report.when == "call" and report.outcome == "passed")

    @property
    def passed(self) -> bool:
        """True if the test ran and nothing about it went wrong."""
        return self.ran and not self.failed


def known_rows() -> tuple[str, ...]:
    """Every row id of the specification, in its order."""
    return tuple(ROWS.read_text(encoding="utf-8").split())


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--spec-report`."""
    parser.addoption("--spec-report", action="store_true", help="write var/spec.json: rows of the specification and their tests")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing known."""
    config.stash[OUTCOMES] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the claims of every test on the test itself, so that they travel with its reports between processes."""
    known = set(known_rows())
    wrong: list[str] = []
    for item in items:
        markers = list(item.iter_markers("spec"))
        rows = tuple(dict.fromkeys(row for marker in markers for row in marker.args))
        wrong += [f"{item.nodeid} claims the unknown row {row!r}" for row in rows if row not in known]
        wrong += [f"{item.nodeid} has a spec marker without a row" for marker in markers if not marker.args]
        if rows:
            item.user_properties.append((PROPERTY, " ".join(map(str, rows))))
            config.stash[OUTCOMES][item.nodeid] = Outcome(rows)
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


class Recorder:
    """Listens to the reports of this process and of parallel ones."""

    def __init__(self, outcomes: dict[str, Outcome]) -> None:
        self.outcomes = outcomes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn from one phase of one test, if it claims rows."""
        for name, value in report.user_properties:
            if name == PROPERTY:
                self.outcomes.setdefault(report.nodeid, Outcome(tuple(str(value).split()))).learn(report)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen only if a report is wanted, and only where the reports of all processes meet."""
    if session.config.getoption("--spec-report") and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(Recorder(session.config.stash[OUTCOMES]), "spec-recorder")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report."""
    if not session.config.pluginmanager.has_plugin("spec-recorder"):
        return
    target = session.config.rootpath / "var" / "spec.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(summarise(session.config.stash[OUTCOMES]), indent=1) + "\n", encoding="utf-8")


def summarise(outcomes: dict[str, Outcome]) -> dict[str, dict[str, object]]:
    """The report: every known row, in order, with its tests and whether all of them passed."""
    report: dict[str, dict[str, object]] = {}
    for row in known_rows():
        tests = sorted(name for name, outcome in outcomes.items() if row in outcome.rows)
        report[row] = {"tests": tests, "passed": bool(tests) and all(outcomes[name].passed for name in tests)}
    return report
