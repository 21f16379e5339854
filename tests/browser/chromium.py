"""One Chromium for a test process, driven by Playwright."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # Whatever is not loopback does not exist: a page that asks for it fails here as well as in `check`.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def chromium_path() -> str:
    """
    Where Chromium is: CHROMIUM, else `chromium` on PATH.

    Without one the tests fail under CI and are skipped elsewhere.
    """
    wanted = os.environ.get("CHROMIUM") or "chromium"
    found = shutil.which(wanted)
    if found is None:
        reason = f"no {wanted} on this machine: `make test` installs it, or CHROMIUM names it"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Driver:
    """
    A Chromium and the event loop of its driver.

    Playwright's loop counts as the running loop of this thread from start to stop, and in between no other test could run one of
    its own: so it is put away between the tests of pages.
    """

    def __init__(self, browser: Browser, loop: asyncio.AbstractEventLoop) -> None:
        self.browser, self._loop = browser, loop

    def wake(self) -> None:
        """The driver's loop is this thread's."""
        asyncio._set_running_loop(self._loop)

    def rest(self) -> None:
        """This thread has no loop."""
        asyncio._set_running_loop(None)


@contextmanager
def drive() -> Iterator[Driver]:
    """Start Chromium; it ends with the block."""
    path = chromium_path()
    playwright = sync_playwright().start()
    driver = Driver(playwright.chromium.launch(executable_path=path, args=list(FLAGS)), asyncio.get_running_loop())
    try:
        yield driver
    finally:
        driver.wake()
        driver.browser.close()
        playwright.stop()
        driver.rest()
