"""Who may see the operator's pages, and whose forms are taken."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connector.web.auth import KEY_FILE, operator_key
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import ORIGIN, browser, scalar, shop_public_id

OUTSIDE = "203.0.113.9"
KEY = "operator-key-for-tests"


def basic(user: str = "operator", password: str = KEY) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def public(make_parts: Callable[..., Composition]) -> TestClient:
    """A browser somewhere, and an installation for real stores."""
    return browser(make_parts(sandbox=False), address=OUTSIDE, origin="https://connector.test")


def operator_pages(parts: Composition, shop: TestShop) -> list[str]:
    public_id = shop_public_id(parts, shop)
    return ["/", f"/shops/{public_id}", f"/shops/{public_id}/automation", "/checkouts/chk_0198c5f2-0000-7000-8000-000000000000"]


def test_outside_the_sandbox_every_operator_page_asks_for_the_key(public: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    for page in operator_pages(parts, woo_shop):
        answer = public.get(page)
        assert answer.status_code == 401, page
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert "Boutique" not in answer.text
        assert public.get(page, headers=basic()).status_code in (200, 404)
    for page in operator_pages(parts, woo_shop)[1:3]:
        assert public.post(page).status_code in (401, 405)
    assert public.post(f"{operator_pages(parts, woo_shop)[1]}/webhooks").status_code == 401


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
    assert public.get("/", headers={"authorization": authorization.encode("latin-1")}).status_code == 401


def test_the_key_is_made_once_and_only_its_owner_can_read_it(make_parts: Callable[..., Composition], tmp_path: Path) -> None:
    settings = make_parts(operator_key=None, data_dir=tmp_path).settings
    key = operator_key(settings)
    assert len(key) >= 32
    assert operator_key(settings) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    with browser(make_parts(operator_key=None, data_dir=tmp_path, sandbox=False)) as client:
        assert client.get("/", headers=basic(password=key)).status_code == 200
        assert client.get("/", headers=basic(password="")).status_code == 401


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
        assert client.get("/").status_code == status


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": ORIGIN},
    {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
]
OWN: list[dict[str, str]] = [{}, {"origin": ORIGIN}, {"sec-fetch-site": "same-origin", "origin": ORIGIN}, {"sec-fetch-site": "none"}]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("is_sandbox", [True, False])
def test_a_form_of_another_site_changes_nothing(
    headers: dict[str, str], is_sandbox: bool, make_parts: Callable[..., Composition], woo_shop: TestShop
) -> None:
    parts = make_parts(sandbox=is_sandbox)
    with browser(parts) as client:
        url = f"/shops/{shop_public_id(parts, woo_shop)}/automation"
        answer = client.post(url, data={"is_on": "on"}, headers=headers | basic())
    assert answer.status_code == 403
    assert "another site" in answer.text
    assert scalar(parts, "select bool_or(is_on) from automations") is False


@pytest.mark.parametrize("headers", OWN)
def test_our_own_forms_and_programs_pass(headers: dict[str, str], client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    answer = client.post(f"/shops/{shop_public_id(parts, woo_shop)}/automation", data={"is_on": "on"}, headers=headers)
    assert answer.status_code == 303
    assert scalar(parts, "select bool_and(is_on) from automations") is True
