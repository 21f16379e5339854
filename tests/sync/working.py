"""Workers in the test's own process, and waiting for what they do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.broker import Bell

PATIENCE = 60.0


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that others do."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextmanager
def working(bell: Bell, threads: int = 2) -> Iterator[None]:
    """A worker answers the bell."""
    worker = bell.worker(threads)
    worker.start()
    try:
        yield
    finally:
        worker.stop(timeout=5000)
