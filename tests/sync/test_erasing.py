"""RL-144: what is erased is found nowhere, not after a repetition and not after a crash in the middle."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.canonical import Channel
from connector.store import deliveries, people, spoken
from connector.store.db import Session
from connector.store.work import LeasedShop
from sync import apply, erase, inbox
from sync.broker import Bell
from tests.fake_sender import FakeSender
from tests.sync.bodies import dump, shopify_checkout, shopify_customer, shopify_order
from tests.sync.marks import Marked, hits, seed
from tests.sync.world import Arrival, World, keep

PERSON = Marked()


def redaction(world: World, **customer: Any) -> bytes:
    """The body of customers/redact."""
    orders = [PERSON.order] if "id" in customer else []
    return dump({"shop_id": 1, "shop_domain": world.shop.domain, "customer": customer, "orders_to_redact": orders})


def whole(world: World) -> bytes:
    """The body of shop/redact."""
    return dump({"shop_id": 1, "shop_domain": world.shop.domain})


def ask(world: World, body: bytes, topic: str = "customers/redact") -> int:
    """The request comes in and is written down; nothing is erased yet."""
    return world.arrive(topic, body, world.at(30))


def work(world: World) -> int:
    """Erase until nothing is left to do; returns how many requests were finished."""
    finished = 0
    for _ in range(20):
        finished += erase.erase(world.services, world.shop.id)
    return finished


@pytest.fixture
def told(world: World, sender: FakeSender) -> World:
    """A shop that knows the person from everywhere, and somebody else; the reminder went out."""
    world.turn_on()
    other = shopify_customer(55, world.at(1), email="other@example.org", phone=None, default_address=None)
    world.arrive("checkouts/update", shopify_checkout("others", world.at(1), email="other@example.org", customer=other), world.at(1))
    seed(world, PERSON)
    assert len(hits(world.db, PERSON)) > 20
    return world


KINDS: list[Callable[[World], bytes]] = [
    lambda world: redaction(world, id=PERSON.number, email=PERSON.email, phone=PERSON.phone),
    lambda world: redaction(world, email=PERSON.email.upper()),
    lambda world: redaction(world, id=PERSON.number, email=None, phone=None),
]


@pytest.mark.parametrize("body", KINDS, ids=["all", "email_only", "id_only"])
def test_nothing_of_an_erased_person_is_found_anywhere(told: World, body: Callable[[World], bytes]) -> None:
    with capture_logs() as logs:
        ask(told, body(told))
        assert work(told) == 1
    assert hits(told.db, PERSON) == []
    assert not any(mark.lower() in repr(logs).lower() for mark in PERSON.marks())
    assert told.rows("select state, person from privacy_requests") == [{"state": "done", "person": None}]
    assert [row["email_norm"] for row in told.rows("select email_norm from checkouts")] == ["other@example.org"]


@pytest.mark.spec("RL-144")
@pytest.mark.parametrize("kind", ["customers/redact", "shop/redact"])
def test_redaction_erases_everywhere_and_stays_so_after_a_crash_and_a_replay(
    told: World, kind: str, redis_broker: RedisBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Database, Redis, logs, mails that wait: none has a trace; in mid-erasure, each step in turn fails once."""
    caplog.set_level(logging.DEBUG)
    told.db.on_wake(Bell(redis_broker, told.services).ring)
    body = redaction(told, id=PERSON.number, email=PERSON.email, phone=PERSON.phone) if kind == "customers/redact" else whole(told)
    if kind == "shop/redact":
        told.execute("update shops set state = 'uninstalled', uninstalled_at = app_now() where id = :shop")
    delivery = told.arrive(kind, body, told.at(30))
    with capture_logs() as logs:
        assert crash_at_each_statement(told) >= 4
        assert work(told) <= 1
    assert told.rows("select state from privacy_requests") == [{"state": "done"}]
    assert hits(told.db, PERSON) == []
    # The platform, or support, plays it again; and then a copy comes under another key.
    with told.db.transaction(shop=told.shop.id) as session:
        deliveries.replay(session, [delivery])
    told.arrive(kind, body, told.at(30))
    work(told)
    assert hits(told.db, PERSON) == []
    said = repr(logs) + caplog.text
    redis = b"".join(_redis_values(redis_broker)).decode("latin-1")
    for mark in PERSON.marks():
        assert mark.lower() not in said.lower()
        assert mark.lower() not in redis.lower()
    assert "erase_people" in redis


@pytest.mark.parametrize("kind", ["customers/redact", "shop/redact"])
def test_what_comes_while_a_person_or_a_shop_is_erased_is_rung_for(told: World, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    body = redaction(told, id=PERSON.number, email=PERSON.email) if kind == "customers/redact" else whole(told)
    if kind == "shop/redact":
        told.execute("update shops set state = 'uninstalled', uninstalled_at = app_now() where id = :shop")
    told.arrive(kind, body, told.at(30))
    told.db.on_wake(lambda wake: rung.append(wake.job))
    hold, held = inbox.hold, []

    def turn_away(session: Session, shop_id: int) -> LeasedShop | None:
        shop = hold(session, shop_id)
        assert apply.drain(told.services, told.shop.id) == 0, "another one is turned away meanwhile"
        held.append(shop)
        return shop

    monkeypatch.setattr(inbox, "hold", turn_away)
    assert work(told) == 1
    assert rung.count("apply_inbox") == len(held) >= 2


def crash_at_each_statement(world: World) -> int:
    """The process dies before the commit of one transaction after the other; somebody else goes on. Returns how often it died."""
    deaths = 0
    for number in range(1, 12):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(erase, "AGAIN", timedelta(0))
            counted = {"left": number}
            for place, name in ((erase.privacy, "note_work"), (inbox, "hold"), (spoken, "forget_bodies")):
                patch.setattr(place, name, _dying(getattr(place, name), counted))
            try:
                erase._erase(world.services, world.shop.id)
            except Died:
                deaths += 1
    return deaths


class Died(BaseException):
    """The process is gone."""


def _dying(function: Callable[..., Any], counted: dict[str, int]) -> Callable[..., Any]:
    def call(*values: Any, **named: Any) -> Any:
        result = function(*values, **named)
        counted["left"] -= 1
        if counted["left"] == 0:
            raise Died
        return result

    return call


def _redis_values(broker: RedisBroker) -> list[bytes]:
    client, found = broker.client, []
    for key in client.keys("*"):
        found.append(bytes(key))
        kind = client.type(key)
        found += client.lrange(key, 0, -1) if kind == b"list" else []
        found += [part for pair in client.hgetall(key).items() for part in pair] if kind == b"hash" else []
        found += client.zrange(key, 0, -1) if kind == b"zset" else []
    return found


def test_the_search_finds_the_person_however_they_are_spelled(world: World) -> None:
    """The search itself is tried."""
    for spelled in (PERSON.email.upper(), PERSON.email.encode().hex(), "x".join(("", PERSON.street))):
        world.execute("update shops set name = :name where id = :shop", name=spelled)
        assert any(hit.startswith("shops.name") for hit in hits(world.db, PERSON)), spelled


def test_an_unsubscribed_person_stays_suppressed_when_they_are_erased(told: World) -> None:
    ask(told, redaction(told, id=PERSON.number))
    work(told)
    with told.db.transaction(shop=told.shop.id) as session:
        assert people.suppressed_among(session, told.services.vault, told.shop.id, Channel.EMAIL, [PERSON.email]) == {PERSON.email}
    assert told.rows("select * from consents") == []


def test_orders_keep_their_money_and_lose_their_person(told: World) -> None:
    before = told.rows("select count(*) orders, sum(total) total, sum(total - coalesce(discount_total, 0)) rest from orders")
    lines = told.rows("select count(*) from order_lines")
    ask(told, redaction(told, id=PERSON.number))
    work(told)
    assert told.rows("select count(*) orders, sum(total) total, sum(total - coalesce(discount_total, 0)) rest from orders") == before
    assert told.rows("select count(*) from order_lines") == lines
    order = told.one("orders")
    assert [order[name] for name in ("email", "phone_raw", "first_name", "last_name", "customer_platform_id")] == [None] * 5


def test_what_is_left_of_a_finished_request_says_what_went(told: World) -> None:
    ask(told, redaction(told, id=PERSON.number))
    work(told)
    (row,) = told.rows("select erased from privacy_requests")
    assert row["erased"]["counts"]["checkouts"] >= 1
    assert row["erased"]["counts"]["bodies"] >= 8
    (entry,) = told.rows("select reason, actor from audit_entries where action = 'privacy.erased'")
    assert "customers 1" in entry["reason"]


def late(world: World, *, minutes: float, token: str = "zyxtoken0001") -> Arrival:
    """A version of a checkout of theirs that began so long after the story's start."""
    at = world.at(minutes)
    return Arrival("checkouts/update", shopify_checkout(token, at, created_at=at, email=PERSON.email, note=PERSON.note), at)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("checkouts/update", lambda w: late(w, minutes=29).body),
        ("checkouts/update", lambda w: shopify_checkout(PERSON.token, w.at(29), note=PERSON.note)),
        ("customers/update", lambda w: dump(shopify_customer(PERSON.number, w.at(29), created_at=w.at(0).isoformat(), note=PERSON.note))),
        ("orders/updated", lambda w: shopify_order(PERSON.order, w.at(60), placed_at=w.at(2), email=PERSON.email, note=PERSON.note)),
        ("checkouts/update", lambda w: b'{"email": "%s", ' % PERSON.email.encode()),
        ("orders/fulfilled", lambda w: dump({"order_id": PERSON.order, "name": PERSON.name})),
    ],
    ids=["checkout", "checkout without address", "customer", "order changed later", "nonsense", "unknown topic"],
)
def test_a_late_delivery_does_not_bring_an_erased_person_back(told: World, topic: str, body: Callable[[World], bytes]) -> None:
    ask(told, redaction(told, id=PERSON.number, email=PERSON.email))
    work(told)
    told.arrive(topic, body(told), told.at(31))
    assert hits(told.db, PERSON) == []
    assert told.rows("select 1 from deliveries where state = 'pending'") == []


def test_who_comes_back_after_being_erased_is_somebody_new(told: World) -> None:
    ask(told, redaction(told, id=PERSON.number, email=PERSON.email))
    work(told)
    (delivery,) = keep(told.db, told.shop, [late(told, minutes=45, token="zyxnew")])
    apply.drain(told.services, told.shop.id)
    rows = told.rows("select token, email_norm from checkouts where email_norm <> 'other@example.org'")
    assert rows == [{"token": "zyxnew", "email_norm": PERSON.email.lower()}]
    assert told.rows("select count(*) from delivery_bodies where delivery_id = :id", id=delivery) == [{"count": 1}]
    assert len(told.rows("select 1 from contacts where email = :email", email=PERSON.email.lower())) == 1


def test_the_same_request_twice_is_one_request(told: World) -> None:
    for _ in range(2):
        ask(told, redaction(told, id=PERSON.number))
    assert work(told) == 1
    assert told.rows("select kind, state from privacy_requests") == [{"kind": "customer_redact", "state": "done"}]


def test_a_request_is_due_thirty_days_after_it_was_made(world: World) -> None:
    ask(world, redaction(world, email="nobody@example.org"))
    (row,) = world.rows("select requested_at, due_at from privacy_requests")
    assert (row["requested_at"], row["due_at"]) == (world.at(30), world.at(30) + timedelta(days=30))


def test_two_people_are_erased_in_one_walk(told: World) -> None:
    ask(told, redaction(told, id=PERSON.number))
    ask(told, redaction(told, email="other@example.org"))
    assert erase.erase(told.services, told.shop.id) == 2
    assert told.rows("select 1 from checkouts") == []
    with told.db.engine.connect() as connection:
        bodies = connection.execute(text("select convert_from(body, 'LATIN1') from delivery_bodies")).scalars().all()
    assert not any("other@example.org" in body for body in bodies)
