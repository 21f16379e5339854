"""The auditor finds nothing where nothing is wrong, and finds each thing that is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.registry import make_platforms
from integrations.transport import Transport
from sync import abandon, apply, send
from sync.services import Services
from tests.chaos.auditor import Auditor
from tests.chaos.ledger import Ledger
from tests.chaos.posts import checkout_post, order_post, poison_post
from tests.chaos.sink import SmtpSink
from tests.conftest import SHOPIFY_SECRET, TestShop
from tests.fake_sender import FakeSender

KEEP = """
with kept as (
    insert into deliveries (key, shop_id, platform, topic, received_at, received_on)
    values (%s, %s, 'shopify', %s, app_now(), (app_now() at time zone 'UTC')::date) returning id, received_on
)
insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body) select received_on, id, %s, '', %s from kept
"""


@dataclass(frozen=True)
class Seller:
    """A shop as posts know it."""

    domain: str
    secret: bytes = SHOPIFY_SECRET.encode()


@dataclass
class Scene:
    """An audited database without processes: four acknowledged deliveries, one of them nonsense, and one mail."""

    url: str
    sink: SmtpSink
    ledger: Ledger

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.url, autocommit=True)

    def spoil(self, statement: str) -> None:
        with self.connect() as connection:
            assert connection.execute(statement.encode()).rowcount != 0

    def found(self) -> str:
        return "\n".join(Auditor(self, self.ledger).final())


@pytest.fixture
def scene(db: Database, database_url: str, vault: Vault, shopify_shop: TestShop, sandbox_settings: Settings) -> Iterator[Scene]:
    """Everything was done right; the tests spoil it."""
    sink, ledger, sender, transport = SmtpSink(), Ledger(), FakeSender(), Transport(is_closed_world=True)
    shop, at = Seller(shopify_shop.domain), datetime.now(UTC) - timedelta(hours=2)
    posts = [
        checkout_post(shop, 1, updated_at=at),
        checkout_post(shop, 2, updated_at=at),
        order_post(shop, 2, token="t2", updated_at=at),
        poison_post(shop, 3, kind="nonsense"),
    ]
    scene = Scene(database_url, sink, ledger)
    with scene.connect() as connection:
        connection.execute("update automations set is_on = true, activated_at = now() - interval '1 day'")
        for number, post in enumerate(posts):
            ledger.expect(post)
            connection.execute(KEEP, [post.key, shopify_shop.id, post.headers["X-Shopify-Topic"], shopify_shop.id, post.body])
            ledger.note(number, post.key, "ok", 0.01, 200)
    services = Services(db, vault, make_platforms(sandbox_settings, transport), sender, sandbox_settings)
    apply.drain(services, shopify_shop.id)
    abandon.mark_abandoned(services, shopify_shop.id)
    send.send_messages(services, shopify_shop.id)
    for envelope in sender.handed:
        sink.keep(envelope.to, f"Message-ID: <{envelope.message_id}>\r\n\r\nhi\r\n".encode(), is_answered=True)
    assert (len(sink.mails), sink.mails[0].recipient) == (1, "shopper-1@example.com")
    yield scene
    transport.close()
    sink.stop()


def test_nothing_is_found_where_nothing_is_wrong(scene: Scene) -> None:
    auditor = Auditor(scene, scene.ledger)
    assert auditor.check() == []
    assert auditor.final() == []
    assert (auditor.checks, auditor.violations) == (3, [])
    row = auditor.row(faults=2, seed=9)
    assert (row.id, row.trials, row.faults, row.is_green) == ("RL-113", 3, 2, True)


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        ("delete from delivery_bodies where delivery_id = (select min(id) from deliveries)", "1 kept without its body"),
        (
            "update delivery_bodies set body = body || ' ' where delivery_id = (select min(id) from deliveries)",
            "1 kept with other bytes than were sent",
        ),
        ("delete from checkouts where platform_id = 't1'", "1 applied without leaving its checkout: t1"),
        ("delete from orders", "1 applied without leaving its order: 2"),
        (
            "update deliveries set state = 'pending', handled_at = null where id = (select min(id) from deliveries)",
            "1 still pending after quiet",
        ),
        ("update deliveries set handled_at = null where state = 'quarantined'", "both that they were handled and that they were not"),
        (
            "insert into deliveries (key, platform, topic, received_at, received_on) values ('x', 'shopify', 't', now(), current_date)",
            "5 deliveries are kept, and 4 of them were ever sent",
        ),
        ("update messages set public_id = 'msg_other'", "at the sink without a row"),
        ("update messages set state = 'queued'", "although its row says otherwise"),
    ],
)
def test_each_violation_is_found(scene: Scene, spoilt: str, sentence: str) -> None:
    scene.spoil(spoilt)
    assert sentence in scene.found()


def test_a_delivery_that_is_there_twice_is_found(scene: Scene) -> None:
    with scene.connect() as connection:
        connection.execute("begin")
        (name,) = connection.execute(
            "select conname from pg_constraint where conrelid = 'deliveries'::regclass and contype = 'u'"
        ).fetchall()[0]
        connection.execute(f"alter table deliveries drop constraint {name}".encode())
        connection.execute(
            "insert into deliveries (key, platform, topic, received_at, received_on, state, handled_at)"
            " select key, platform, topic, received_at, received_on, state, handled_at from deliveries order by id limit 1"
        )
        inside = connection

        class Spoilt:
            sink = scene.sink

            def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
                return inside

        found = list(Auditor(Spoilt(), scene.ledger)._kept(inside, scene.ledger.ok))
        connection.execute("rollback")
    assert any("in the inbox more than once" in sentence for sentence in found)


def test_a_second_mail_for_the_same_step_is_found(scene: Scene) -> None:
    scene.sink.mails.append(replace(scene.sink.mails[0], arrived_at=0))
    assert "1 mailed more than once" in scene.found()


def test_a_mail_that_never_arrived_although_its_row_says_so_is_found(scene: Scene) -> None:
    scene.sink.mails.clear()
    assert "1 said to be sent and never at the sink" in scene.found()


def test_what_vanishes_between_two_checks_is_found(scene: Scene) -> None:
    auditor = Auditor(scene, scene.ledger)
    assert auditor.check() == []
    scene.spoil("delete from deliveries where state = 'quarantined'")
    assert "there were 4 deliveries before and are 3 now" in "\n".join(auditor.check())
    assert auditor.violations


def test_an_acknowledgement_that_was_never_kept_is_found_while_watching(scene: Scene) -> None:
    scene.ledger.note(99, b"never kept", "ok", 0.01, 200)
    auditor = Auditor(scene, scene.ledger)
    with auditor.watch(1.0):
        for _ in range(100):
            if auditor.checks:
                break
            time.sleep(0.05)
    assert any("acknowledged and not in the inbox" in sentence for sentence in auditor.violations)
