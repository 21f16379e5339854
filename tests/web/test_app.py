"""One process plugged together for real: the door in front, the pages behind it."""

import pytest
from starlette.testclient import TestClient

from connector.config import Settings
from connector.errors import ConfigError
from connector.store.db import Database
from connector.web.app import make_app
from connector.web.composition import compose
from tests.web.conftest import ORIGIN


def test_webhooks_end_at_the_door_and_everything_else_reaches_the_pages(db: Database, sandbox_settings: Settings) -> None:
    with compose(sandbox_settings) as composition:
        app = make_app(composition)
        with TestClient(app, base_url=ORIGIN, client=("127.0.0.1", 40000)) as client:
            assert client.get("/livez").headers["x-connector-instance"] == composition.instance
            assert client.get("/").status_code == 200
            assert client.post("/webhooks/shopify", content=b"{}").status_code == 401
            assert client.get("/webhooks/shopify").status_code == 405
        assert app.counts["unsigned"] == 1


def test_a_process_needs_a_database(sandbox_settings: Settings) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"), compose(sandbox_settings.model_copy(update={"database_url": None})):
        pass


def test_a_process_for_real_stores_refuses_a_sandbox_database(db: Database, sandbox_settings: Settings) -> None:
    with pytest.raises(ConfigError, match="belongs to a sandbox"), compose(sandbox_settings.model_copy(update={"sandbox": False})):
        pass
