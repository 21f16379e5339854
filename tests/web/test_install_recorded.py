"""Key grants of a real store, where RECORDED_DIR says they are, through our own pages; without it these tests are skipped."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from connector.store import installs
from connector.web.composition import Composition
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from tests.integrations.woo_installs import Store
from tests.web.conftest import browser, scalar
from tests.web.installing import shops

RECORDED = Path(os.environ["RECORDED_DIR"]) / "woocommerce" / "auth" if "RECORDED_DIR" in os.environ else None


def recorded(first: int, last: int) -> list[Any]:
    """Recorded flows by number, or one skipped parameter."""
    if RECORDED is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="RECORDED_DIR is not set"))]
    found = [path for number in range(first, last + 1) for path in RECORDED.glob(f"{number:03}-*")]
    return [pytest.param(json.loads(path.read_bytes()), id=path.stem) for path in found]


@pytest.fixture
def store() -> Store:
    """The store whose keys were recorded."""
    return Store()


@pytest.fixture
def here(make_parts: Callable[..., Composition], store: Store) -> Composition:
    """Our process on the real adapter."""
    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(store)), make_parts(sandbox=False).settings)
    return make_parts({"woocommerce": platform}, sandbox=False)


@pytest.fixture
def client(here: Composition) -> Iterator[TestClient]:
    """The store, and whoever sits before a browser."""
    with browser(here, origin="https://connector.test", address="8.8.4.4") as one:
        yield one


def post(client: TestClient, here: Composition, found: dict[str, Any], store: Store | None = None) -> Any:
    """The recorded answer, byte by byte, to an install with the recorded one-time number."""
    (sent,) = found["callback_requests"]
    grant = json.loads(sent["request"]["body"])
    if store is not None:
        store.keys = (grant["consumer_key"], grant["consumer_secret"])
    with here.db.system_transaction("remember an install") as session:
        installs.remember(session, here.services.vault, "woocommerce", grant["user_id"], "b", {"domain": "galets.example"}, None)
    headers = {name: value for name, value in sent["request"]["headers"] if name.lower() in ("user-agent", "content-type")}
    return client.post("/install/woocommerce/callback", content=sent["request"]["body"].encode(), headers=headers)


def asked(found: dict[str, Any]) -> dict[str, str]:
    """What the store's first page was asked with."""
    return dict(parse_qsl(urlsplit(found["steps"][0]["do"].removeprefix("GET ")).query, keep_blank_values=True))


@pytest.mark.parametrize("found", [*recorded(1, 1), *recorded(4, 5)])
def test_a_recorded_grant_that_works_is_answered_with_exactly_200(
    found: dict[str, Any], client: TestClient, here: Composition, store: Store
) -> None:
    """With anything else a store deletes the keys and shows an error page, and the browser never comes back."""
    answer = post(client, here, found, store)
    assert (answer.status_code, shops(here)) == (200, 1)
    was_content = found["callback_requests"][0]["receiver_answered"] == 200
    assert ("success=1" in (found["steps"][-1]["location"] or "")) == was_content


@pytest.mark.parametrize("found", [*recorded(1, 1), *recorded(4, 5)])
def test_recorded_keys_that_do_not_work_are_not_answered_with_200(found: dict[str, Any], client: TestClient, here: Composition) -> None:
    answer = post(client, here, found)
    assert (answer.status_code, shops(here)) == (400, 0)
    assert "does not accept the keys" in answer.text


@pytest.mark.parametrize("found", recorded(2, 3))
def test_a_recorded_grant_of_half_the_rights_is_refused(found: dict[str, Any], client: TestClient, here: Composition, store: Store) -> None:
    answer = post(client, here, found, store)
    assert (answer.status_code, shops(here), store.asked) == (400, 0, [])
    assert "Read/Write" in answer.text


@pytest.mark.parametrize("found", recorded(6, 6))
def test_a_recorded_denial_is_told_as_such(found: dict[str, Any], client: TestClient) -> None:
    (deny,) = [step["deny_link"] for step in found["steps"] if step.get("deny_link")]
    told = parse_qs(urlsplit(deny).query)
    assert (told["success"], told["user_id"]) == (["0"], ["tenant_42"])
    page = client.get("/install/woocommerce/done", params={"success": "0", "user_id": "tenant_42"})
    assert "was not connected" in page.text


@pytest.mark.parametrize("found", recorded(7, 10))
def test_what_stores_refuse_is_not_what_we_ask_with(found: dict[str, Any], client: TestClient, here: Composition) -> None:
    assert found["steps"][0]["status"] == 401
    start = client.get("/install/woocommerce", params={"store": "galets.example"})
    ours, theirs = dict(parse_qsl(urlsplit(start.headers["location"]).query)), asked(found)
    assert set(theirs) <= set(ours)
    assert ours["callback_url"].startswith("https://")
    assert ours["scope"] == "read_write"
    assert len(ours["user_id"]) == 32
    assert not any("%" in value for value in ours.values())
    assert scalar(here, "select count(*) from pending_installs") == 1
