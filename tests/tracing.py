"""
Which tests are traced for coverage: those of single parts. Stories are not.

Tracing costs about as much again as the test itself. A story through whole stacks, a browser or a random history goes over lines
that have tests of their own; tracing them again shows nothing new, and a line without a test of its own stays to be seen.
Such a test runs from the first of its fixtures to the last with the tracer off, here and in the processes that it starts.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from fnmatch import fnmatch

import coverage
import pytest

STORIES = (
    "tests/browser/*",
    "tests/chaos/*",
    "tests/flows/test_offers_*",
    "tests/flows/test_woocommerce_carts.py*",
    "tests/flows/test_demo.py::test_the_*",
    "tests/integrations/test_sandbox_adapters.py*",
    "tests/sync/*histories.py*",
    "tests/sync/*_rush.py*",
    "tests/sync/*_twin.py*",
    "tests/web/test_routes.py*",
)
"""Patterns of their names."""
TOLD = "COVERAGE_PROCESS_CONFIG"
"""By this variable a started tracer tells processes to trace themselves."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a story with the tracer off."""
    tracer = coverage.Coverage.current()
    if tracer is None or not is_story(item.nodeid):
        return (yield)
    with off(tracer):
        return (yield)


def is_story(name: str) -> bool:
    """Whether the test of this name need not be traced."""
    return any(fnmatch(name, pattern) for pattern in STORIES)


@contextmanager
def off(tracer: coverage.Coverage) -> Generator[None]:
    """The tracer is off inside the block."""
    tracer.stop()
    os.environ.pop(TOLD, None)
    try:
        yield
    finally:
        tracer.stop()  # it is on already if the test was marked `no_cover`
        tracer.start()
