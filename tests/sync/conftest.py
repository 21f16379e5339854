"""Background work with the real adapters, a Sender that keeps everything, and a story for either platform."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dramatiq.brokers.redis import RedisBroker
from pydantic import SecretStr

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.transport import Transport
from sync import actors
from sync.broker import make_broker
from sync.jobs import Job
from sync.services import Services
from tests.conftest import TestShop
from tests.fake_sender import FakeSender
from tests.sync.offer_desk import OfferDesk
from tests.sync.world import World
from tests.valkey import valkey


@pytest.fixture(scope="session")
def transport() -> Iterator[Transport]:
    """An HTTP client that reaches nobody."""
    transport = Transport(is_closed_world=True)
    yield transport
    transport.close()


@pytest.fixture
def sender() -> FakeSender:
    """The Sender of `services`."""
    return FakeSender()


@pytest.fixture
def services(db: Database, vault: Vault, sandbox_settings: Settings, transport: Transport, sender: FakeSender) -> Services:
    """Everything background work needs."""
    return Services(db, vault, make_platforms(sandbox_settings, transport), sender, sandbox_settings)


@pytest.fixture
def world(services: Services, shopify_shop: TestShop) -> World:
    """A Shopify shop; its story begins this second."""
    return World(services, shopify_shop, datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def woo(services: Services, woo_shop: TestShop) -> World:
    """The same on WooCommerce."""
    return World(services, woo_shop, datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every job only notes its shop."""
    noted: list[int] = []
    monkeypatch.setattr(actors, "WORK", {job: lambda services, shop: noted.append(shop) for job in Job})
    return noted


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server on a free port of loopback."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def redis_broker(sandbox_settings: Settings, redis_url: str) -> Iterator[RedisBroker]:
    """A broker on an empty server."""
    broker = make_broker(sandbox_settings.model_copy(update={"redis_url": SecretStr(redis_url)}))
    assert isinstance(broker, RedisBroker)
    broker.client.flushall()
    yield broker
    broker.close()


@pytest.fixture
def desk(services: Services, shopify_shop: TestShop) -> OfferDesk:
    """A shop whose merchant makes offers."""
    return OfferDesk(services, shopify_shop.id)
