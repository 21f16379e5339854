"""Who may read the figures of the installation."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connector.web.composition import Composition
from connector.web.operator import KEY_FILE, operator_key
from tests.web.conftest import ORIGIN, browser

OUTSIDE = "203.0.113.9"
KEY = "operator-key-for-tests"


def basic(user: str = "operator", password: str = KEY) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def public(make_parts: Callable[..., Composition]) -> TestClient:
    """A browser somewhere, and an installation for real stores."""
    return browser(make_parts(sandbox=False), address=OUTSIDE, origin="https://connector.test")


def test_outside_the_sandbox_the_figures_ask_for_the_key(public: TestClient) -> None:
    answer = public.get("/metrics")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "connector_" not in answer.text
    assert "connector_" in public.get("/metrics", headers=basic()).text


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"operator").decode(),
        "Bearer " + KEY,
        basic(password="operator-key-for-testz")["authorization"],
        basic(password="")["authorization"],
        basic(user="admin")["authorization"],
        "Basic \xe9",
    ],
)
def test_a_wrong_key_in_any_shape_is_refused(authorization: str, public: TestClient) -> None:
    assert public.get("/metrics", headers={"authorization": authorization.encode("latin-1")}).status_code == 401


def test_the_key_is_made_once_and_only_its_owner_can_read_it(make_parts: Callable[..., Composition], tmp_path: Path) -> None:
    settings = make_parts(operator_key=None, data_dir=tmp_path).settings
    key = operator_key(settings)
    assert len(key) >= 32
    assert operator_key(settings) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    with browser(make_parts(operator_key=None, data_dir=tmp_path, sandbox=False)) as client:
        assert client.get("/metrics", headers=basic(password=key)).status_code == 200
        assert client.get("/metrics", headers=basic(password="")).status_code == 401


@pytest.mark.parametrize(
    ("address", "origin", "status"),
    [
        ("127.0.0.1", ORIGIN, 200),
        ("127.0.0.1", "http://localhost:8000", 200),
        ("::1", "http://[::1]:8000", 200),
        ("127.0.0.1", "https://connector.test", 200),
        ("127.0.0.1", "http://rebound.evil.example:8000", 403),
        (OUTSIDE, ORIGIN, 403),
        ("10.0.0.7", "http://10.0.0.7:8000", 403),
        ("testclient", ORIGIN, 403),
    ],
)
def test_the_sandbox_is_open_on_this_machine_only(address: str, origin: str, status: int, parts: Composition) -> None:
    with browser(parts, address=address, origin=origin) as client:
        assert client.get("/metrics").status_code == status
