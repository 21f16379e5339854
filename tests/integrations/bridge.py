"""
respx for httpx2: respx 0.23 knows only httpcore, httpx2 stands on httpcore2 with the same shape.

Test files take the fixture by importing it: `from tests.integrations.bridge import respx2`.
"""

from collections.abc import Iterator
from typing import ClassVar

import pytest
import respx
from respx.mocks import HTTPCoreMocker


class HTTPCore2Mocker(HTTPCoreMocker):
    """The same patching, aimed at httpcore2."""

    name = "httpcore2"
    targets: ClassVar[list[str]] = [target.replace("httpcore.", "httpcore2.") for target in HTTPCoreMocker.targets]


@pytest.fixture
def respx2() -> Iterator[respx.MockRouter]:
    """A router that answers for every host; a call that no route expects fails, so does a route that was never called."""
    with respx.mock(using="httpcore2") as router:
        yield router
