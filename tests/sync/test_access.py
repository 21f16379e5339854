"""Access to a shop: one refresh at a time, stored before use, lost politely."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from connector.config import Settings
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, TransientError
from connector.store import clock, shops
from connector.store.db import Database
from connector.store.sealed import Vault
from sync.access import open_access
from sync.services import Services
from tests.conftest import TestShop
from tests.fakes import FakePlatform


class Rotating(FakePlatform):
    """Tokens with an end; each refresh gives the next number. `failure` is raised instead."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshes = 0
        self.failure: Exception | None = None

    def refresh(self, access: Access, now: datetime) -> Mapping[str, str] | None:
        if datetime.fromisoformat(access.credentials.get("expires_at", now.isoformat())) > now:
            return None
        if self.failure is not None:
            raise self.failure
        self.refreshes += 1
        return {"access_token": f"number {self.refreshes}", "expires_at": (now + timedelta(hours=1)).isoformat()}


@pytest.fixture
def rotating() -> Rotating:
    return Rotating()


@pytest.fixture
def services(db: Database, vault: Vault, sandbox_settings: Settings, rotating: Rotating) -> Services:
    return Services(db, vault, {"shopify": rotating}, None, sandbox_settings)


def state_of(db: Database, shop: TestShop) -> str:
    with db.transaction(shop=shop.id) as session:
        return shops.get_shop(session, shop.id).state


def test_twenty_who_ask_at_once_cause_one_refresh(services: Services, shopify_shop: TestShop, rotating: Rotating) -> None:
    opened: list[str] = []
    threads = [
        threading.Thread(target=lambda: opened.append(open_access(services, shopify_shop.id).credentials["access_token"]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["number 1"] * 20
    assert rotating.refreshes == 1


def test_the_pair_is_stored_and_replaced_when_it_ends(services: Services, shopify_shop: TestShop, rotating: Rotating) -> None:
    open_access(services, shopify_shop.id)
    with services.db.system_transaction("an hour later") as session:
        clock.step_to(session, clock.read(session) + timedelta(hours=2))
    assert open_access(services, shopify_shop.id).credentials["access_token"] == "number 2"
    assert rotating.refreshes == 2


def test_lost_access_marks_the_shop(services: Services, shopify_shop: TestShop, rotating: Rotating, db: Database) -> None:
    rotating.failure = AccessLost("no", platform="shopify")
    with pytest.raises(AccessLost):
        open_access(services, shopify_shop.id)
    assert state_of(db, shopify_shop) == "needs_sign_in"
    with pytest.raises(NotFound):
        open_access(services, shopify_shop.id)


def test_an_unclear_answer_keeps_what_is_stored(services: Services, shopify_shop: TestShop, rotating: Rotating, db: Database) -> None:
    rotating.failure = TransientError("no answer", platform="shopify")
    with pytest.raises(TransientError):
        open_access(services, shopify_shop.id)
    rotating.failure = None
    assert state_of(db, shopify_shop) == "connected"
    assert open_access(services, shopify_shop.id).credentials["access_token"] == "number 1"
