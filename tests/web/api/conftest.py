"""Programs that ask the API with a key of the first shop's account."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Scope
from connector.store import api_keys
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import scalar

Calls = Callable[..., Any]


@pytest.fixture
def key(parts: Composition, shopify_shop: TestShop) -> str:
    """A key of the first shop's account that may read everything."""
    return make_key(parts, shopify_shop)


@pytest.fixture
def call(client: TestClient, key: str) -> Calls:
    """Ask the API with that key."""

    def ask(path: str, **params: Any) -> Any:
        return client.get(path, params=params, headers={"authorization": f"Bearer {key}"})

    return ask


def make_key(parts: Composition, shop: TestShop, *scopes: Scope) -> str:
    """A key of the shop's account."""
    account = int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))
    with parts.db.system_transaction("a key for a test") as session:
        return api_keys.issue(session, parts.services.vault, account, "test", scopes or tuple(Scope), "test")[1]


def error_of(answer: Any) -> tuple[int, str]:
    """The status and code of an error, which is JSON and has a message."""
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
    assert answer.json()["error"]["message"]
    return answer.status_code, answer.json()["error"]["code"]
