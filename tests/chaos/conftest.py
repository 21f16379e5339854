"""The table of the fault kit at the end of a test run, with the rows of all its processes."""

import json

import pytest

from tests.chaos.report import Row, print_table, write_json
from tests.chaos.runner import REPORT

PROPERTY = "chaos rows"


class _Collector:
    """Listens to the reports of this process and of parallel ones."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the rows out of a case's report."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == PROPERTY:
                    self.rows += [Row(**row) for row in json.loads(str(value))]

    def pytest_terminal_summary(self) -> None:
        """Print the table and write `var/chaos.json`."""
        if self.rows:
            print_table(self.rows, timings=False)
            write_json(self.rows, REPORT)


def pytest_configure(config: pytest.Config) -> None:
    """Listen where the reports of all processes meet."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(), "chaos-table")
