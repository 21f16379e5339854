"""An uninstall ends everything: 200 of them while shops are read, messages sent and tokens refreshed (RL-143)."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import structlog
from sqlalchemy import text

from connector.canonical import Event, Order, Product, Resource
from connector.config import Settings
from connector.errors import NotFound
from connector.messages.envelope import Envelope
from connector.platforms import Access, DeliveryContext, PlatformError
from connector.reading import LineNow
from connector.store import automations, clock, shops, wanted
from connector.store.audit import Actor
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.transport import Transport
from sync import abandon, apply, send
from sync.access import call_shop, open_access
from sync.services import Services
from tests.conftest import TestShop, install
from tests.fake_sender import FakeSender
from tests.fakes import FakePlatform
from tests.sync.bodies import dump, shopify_checkout, template
from tests.sync.world import Arrival, keep

SHOPS = 200
MESSAGES = 1
QUIET_SECONDS = 2.0
MOST_LAG = 5.0

log = structlog.get_logger()


@dataclass
class Asked:
    """Who was asked for what, and when, by this machine's steady clock."""

    at: dict[str, float] = field(default_factory=dict)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, access: Access) -> None:
        """A call goes out to this shop now."""
        with self.lock:
            self.at[access.domain] = time.monotonic()
            self.count += 1


class Busy(FakePlatform):
    """Shopify's own meaning of deliveries; every call takes a moment and is noted. Tokens end as soon as they are given."""

    def __init__(self, settings: Settings, transport: Transport) -> None:
        super().__init__()
        real = make_platforms(settings, transport)["shopify"]
        self.understands = real.parse
        self.topics, self.farewell_topics = real.topics, real.farewell_topics
        self.asked = Asked()
        self.reads = self  # type: ignore[assignment] # of Reads, what sending asks

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        return self.understands(context, body)

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        self._ask(access)
        return {"access_token": secrets.token_hex(8), "expires_at": (now + timedelta(seconds=90)).isoformat()}

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        self._ask(access)
        return []

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        self._ask(access)
        return []

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        self._ask(access)
        return [LineNow(*one, is_available=True) for one in wanted]

    def _ask(self, access: Access) -> None:
        self.asked.note(access)
        time.sleep(0.002)


@dataclass
class Town:
    """Many shops with due messages, and what works for them."""

    services: Services
    platform: Busy
    shops: list[TestShop]
    sent: dict[str, float] = field(default_factory=dict)

    def note_sent(self, envelope: Envelope) -> None:
        """A message leaves now; the local part of its address names its shop."""
        self.sent[envelope.to.partition("-")[0]] = time.monotonic()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with self.services.db.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]


@pytest.fixture
def town(db: Database, vault: Vault, sandbox_settings: Settings, transport: Transport) -> Town:
    platform, sender = Busy(sandbox_settings, transport), FakeSender()
    services = Services(db, vault, {"shopify": platform}, sender, sandbox_settings)
    made = [install(db, vault, "shopify", f"s{number}.myshopify.com", f"Shop {number}") for number in range(SHOPS)]
    found = Town(services, platform, made)
    sender.before = found.note_sent
    for shop in made:
        with db.transaction(shop=shop.id) as session:
            start = app_now(session)
            automations.turn_on(session, shops.get_shop(session, shop.id), Actor("merchant"))
            shops.replace_credentials(session, vault, shop.id, {"access_token": "first", "expires_at": start.isoformat()})
            wanted.want(session, shop.id, [(Resource.ORDER, "1"), (Resource.PRODUCT, "2")])
        people = [f"{shop.domain.partition('.')[0]}-{number}@example.org" for number in range(MESSAGES)]
        keep(db, shop, [Arrival("checkouts/update", shopify_checkout(one, start, email=one)) for one in people])
        apply.drain(services, shop.id)
    with db.system_transaction("an hour later") as session:
        clock.step_to(session, clock.read(session) + timedelta(minutes=61))
    for shop in made:
        abandon.mark_abandoned(services, shop.id)
    return found


@contextmanager
def working(town: Town) -> Iterator[list[Exception]]:
    """Reading, refreshing and sending, for any shop at any time; yields what went wrong beyond what may."""
    stop, wrong = threading.Event(), list[Exception]()

    def read(shop: TestShop) -> object:
        return call_shop(town.services, shop.id, lambda access: town.platform.read_products(access, ["1"]))

    def hand_over(shop: TestShop) -> object:
        return send.send_messages(town.services, shop.id, limit=1)

    def refresh(shop: TestShop) -> object:
        return open_access(town.services, shop.id)

    def go(work: Callable[[TestShop], object], seed: int) -> None:
        dice = random.Random(seed)
        while not stop.is_set():
            try:
                work(dice.choice(town.shops))
            except (NotFound, PlatformError):
                continue
            except Exception as error:
                wrong.append(error)
                return

    threads = [threading.Thread(target=go, args=(work, seed)) for seed, work in enumerate((read, read, hand_over, hand_over, refresh))]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


@pytest.mark.spec("RL-143")
def test_rl_143_two_hundred_uninstalls_end_everything(town: Town) -> None:
    db, order = town.services.db, town.shops.copy()
    random.Random(143).shuffle(order)
    farewell = dump(template("shopify", "app_uninstalled__null_domains"))
    committed: dict[str, float] = {}
    assert town.rows("select count(*) from messages where state = 'queued'") == [(SHOPS * MESSAGES,)]
    with working(town) as wrong:
        time.sleep(0.5)
        for shop in order:
            with db.transaction(shop=shop.id) as session:
                now = app_now(session)
            keep(db, shop, [Arrival("app/uninstalled", farewell, now)])
            apply.drain(town.services, shop.id)
            committed[shop.domain] = time.monotonic()
        asked, handed = town.platform.asked.count, len(town.sent)
        time.sleep(QUIET_SECONDS)
    assert wrong == []
    assert asked > SHOPS, "there was work to be ended"
    assert handed > 0
    lag = max(town.platform.asked.at.get(domain, at) - at for domain, at in committed.items())
    late = max(town.sent.get(domain.partition(".")[0], at) - at for domain, at in committed.items())
    log.info("uninstalls", calls=asked, messages=handed, last_call_seconds=round(lag, 3), last_message_seconds=round(late, 3))
    assert lag < MOST_LAG
    assert late < MOST_LAG
    assert town.platform.asked.count - asked <= len(order), "whoever was under way ended, and nobody began"
    assert town.rows("select count(*) from shops where credentials is not null or state <> 'uninstalled'") == [(0,)]
    assert town.rows("select count(*) from messages where state in ('queued', 'sending')") == [(0,)]
    assert town.rows("select count(*) from wanted_reads") == [(0,)]
    assert time.monotonic() - max(town.platform.asked.at.values()) > QUIET_SECONDS / 2, "silence at last"
