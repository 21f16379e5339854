"""The pages as one process serves them, on fake platforms, with a browser on loopback."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from connector.canonical import Checkout, Order
from connector.config import Settings
from connector.store import automations, checkouts, records, shops
from connector.store.audit import Actor
from connector.store.db import Database
from connector.store.sealed import Vault
from connector.web.app import make_pages
from connector.web.composition import Composition
from sync.abandon import mark_abandoned
from sync.broker import Bell, make_broker
from sync.services import Services
from tests.conftest import TestShop
from tests.factories import make_checkout, terms
from tests.fake_sender import FakeSender
from tests.fakes import FakePlatform
from tests.web.posting import PostingPlatform

ORIGIN = "http://127.0.0.1:8000"
Seed = Callable[..., str]


@pytest.fixture
def shopify() -> FakePlatform:
    """The platform whose answer comes through the browser."""
    return FakePlatform()


@pytest.fixture
def woocommerce() -> PostingPlatform:
    """The platform whose stores post their answer."""
    return PostingPlatform(shop_in_path=True)


@pytest.fixture
def make_parts(
    db: Database, vault: Vault, sandbox_settings: Settings, shopify: FakePlatform, woocommerce: PostingPlatform
) -> Callable[..., Composition]:
    """Plug a process together; settings and platforms can be given."""

    def make(platforms: Mapping[str, Any] | None = None, **settings: Any) -> Composition:
        chosen = sandbox_settings.model_copy(update=settings)
        services = Services(db, vault, platforms or {"shopify": shopify, "woocommerce": woocommerce}, FakeSender(), chosen)
        broker = make_broker(chosen)
        return Composition(chosen, services, broker, Bell(broker, services))

    return make


@pytest.fixture
def parts(make_parts: Callable[..., Composition]) -> Composition:
    """A sandbox process."""
    return make_parts()


@pytest.fixture
def client(parts: Composition) -> Iterator[TestClient]:
    """A browser on this machine; it follows no redirect by itself."""
    with browser(parts) as one:
        yield one


def browser(parts: Composition, *, address: str = "127.0.0.1", origin: str = ORIGIN, **options: Any) -> TestClient:
    """A browser at `address` that calls us by `origin`."""
    return TestClient(make_pages(parts), base_url=origin, client=(address, 40000), follow_redirects=False, **options)


@pytest.fixture
def now() -> datetime:
    """The instant of the test, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def seed(parts: Composition, now: datetime) -> Seed:
    """Write a checkout (and an order) as a drain would, `minutes` old; returns its public id."""

    def write(shop: TestShop, order: Order | None = None, minutes: float = 5, **changes: Any) -> str:
        at = now - timedelta(minutes=minutes)
        checkout: Checkout = make_checkout(at, **({"created_at": at} | changes))
        with parts.db.transaction(shop=shop.id) as session:
            ids = list(records.save_checkouts(session, terms(shop), [checkout]))
            if order is not None:
                records.save_orders(session, shop.id, [order])
            checkouts.settle(session, shops.get_shop(session, shop.id), ids)
        return str(scalar(parts, "select public_id from checkouts where id = :id", id=ids[0]))

    return write


def turn_on(parts: Composition, shop: TestShop, *, since_minutes: float = 600) -> None:
    """Switch the automation on, as of some time ago."""
    with parts.db.transaction(shop=shop.id) as session:
        automations.turn_on(session, shops.get_shop(session, shop.id), Actor("test"))
        automation = automations.get_automation(session, shop.id)
        assert automation.activated_at is not None
        automation.activated_at -= timedelta(minutes=since_minutes)


def abandon(parts: Composition, shop: TestShop) -> int:
    """Let the clock of due checkouts run out."""
    return mark_abandoned(parts.services, shop.id)


def scalar(parts: Composition, statement: str, **values: Any) -> Any:
    """One value, as the owner of the tables sees it."""
    with parts.db.engine.begin() as connection:
        return connection.execute(text(statement), values).scalar()


def run(parts: Composition, statement: str, **values: Any) -> None:
    """One statement, as the owner of the tables."""
    with parts.db.engine.begin() as connection:
        connection.execute(text(statement), values)


def shop_public_id(parts: Composition, shop: TestShop) -> str:
    """The name of a shop in addresses."""
    return str(scalar(parts, "select public_id from shops where id = :id", id=shop.id))


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A directory with a path short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="line-") as name:
        yield Path(name)
