"""What becomes of a discount in our rows: webhooks that hold no code, and reads that bring it."""

import json
from collections.abc import Iterator

import pytest

from connector import clock
from connector.config import Settings
from connector.platforms import Installation
from connector.rules.discounts import Ineligible, why_not
from connector.store import codes, shops
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from sync import apply, rereads
from sync.services import Services
from tests.conftest import TestShop, profile
from tests.integrations.discount_ground import TEN_PERCENT, Ground, opened
from tests.sync.world import Arrival, keep


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with opened(tmp_path_factory.mktemp("discounts")) as ground:
        yield ground


@pytest.fixture
def ground(running: Ground) -> Iterator[Ground]:
    running.clock.at = clock.now()
    yield running
    running.empty()


class Told:
    """Our shop, whose deliveries come in from the pretend Shopify by hand."""

    def __init__(self, ground: Ground, services: Services, shop: TestShop) -> None:
        self.ground = ground
        self.services = services
        self.shop = shop
        self._heard = len(ground.twin.deliveries.deliveries())

    def hear(self) -> list[str]:
        """Take in what has been sent, read again what that asks for; returns the topics."""
        machine = self.ground.twin.deliveries
        assert machine.settle()
        new = machine.deliveries()[self._heard :]
        self._heard += len(new)
        keep(self.services.db, self.shop, [Arrival(one.topic, one.body) for one in new])
        while apply.drain(self.services, self.shop.id):
            pass
        while rereads.reread(self.services, self.shop.id):
            pass
        return [one.topic for one in new]

    def why_not(self, code: str) -> tuple[Ineligible, ...]:
        """What our row of a code says of it."""
        with self.services.db.transaction(shop=self.shop.id) as session:
            row = codes.find(session, self.shop.id, code)
            return why_not(codes.to_state(row) if row else None, app_now(session))


@pytest.fixture
def told(ground: Ground, db: Database, vault: Vault, sandbox_settings: Settings) -> Told:
    installation = Installation(ground.twin.domain, dict(ground.access.credentials), (), (), profile("Démo", ground.twin.domain))
    with db.system_transaction("install for a test") as session:
        made = shops.save_install(session, vault, "shopify", installation, fresh_key="key-demo", fresh_secret="x")
    services = Services(db, vault, make_platforms(sandbox_settings, ground.client.transport), None, sandbox_settings)
    return Told(ground, services, TestShop(made.shop_id, "shopify", ground.twin.domain, made.shop_key, made.webhook_secret))


def test_a_code_is_known_from_a_webhook_that_does_not_hold_it_until_it_is_deleted(told: Told) -> None:
    twin = told.ground.twin
    number = twin.make_discount("By-Hand", 15)
    assert told.hear() == ["discounts/create"]
    assert told.why_not("BY-HAND") == ()

    twin.delete_discount(number)
    assert told.hear() == ["discounts/delete"]
    assert told.why_not("BY-HAND") == (Ineligible.MISSING,)


def test_a_code_made_anew_by_another_discount_is_good_again(told: Told) -> None:
    twin = told.ground.twin
    twin.delete_discount(twin.make_discount("AGAIN-1"))
    twin.make_discount("again-1", 20)
    told.hear()
    assert told.why_not("Again-1") == ()


def test_what_we_suspend_resume_and_take_away_is_told_as_well(told: Told) -> None:
    ground = told.ground
    state = ground.codes.issue_code(ground.access, TEN_PERCENT)
    told.hear()
    assert told.why_not(state.code) == ()
    ground.codes.suspend_code(ground.access, state.platform_id)
    assert told.hear() == ["discounts/update"]
    assert told.why_not(state.code) == (Ineligible.EXPIRED,)
    ground.codes.resume_code(ground.access, state.platform_id)
    told.hear()
    assert told.why_not(state.code) == ()
    ground.codes.delete_code(ground.access, state.platform_id)
    told.hear()
    assert told.why_not(state.code) == (Ineligible.MISSING,)


def test_the_webhooks_of_discounts_hold_no_code_indeed(told: Told) -> None:
    twin = told.ground.twin
    with twin.shop.lock:
        number = twin.make_discount("SECRET-77")
        twin.shop.discounts.deactivate(number)
    twin.delete_discount(number)
    assert twin.deliveries.settle()
    update, delete = [json.loads(one.body) for one in twin.deliveries.deliveries()[-2:]]
    assert set(update) == {"admin_graphql_api_id", "title", "status", "created_at", "updated_at"}
    assert set(delete) == {"admin_graphql_api_id", "deleted_at"}
