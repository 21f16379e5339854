"""Time zones as shops name them."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from connector.rules.zones import zone


@pytest.mark.parametrize("name", ["Europe/Paris", "America/New_York", "Etc/GMT-2", "UTC"])
def test_a_known_name_is_its_zone(name: str) -> None:
    assert zone(name) == ZoneInfo(name)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "+02:00", "../Europe/Paris", "Europe", "a\0b", "x" * 300])
def test_a_name_that_this_machine_does_not_know_is_utc(name: str) -> None:
    assert zone(name) is UTC
