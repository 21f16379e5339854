"""Deliveries -> canonical events -> rows."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from connector.canonical import Event
from connector.platforms import DeliveryContext, Platform
from connector.store import deliveries
from connector.store.db import Database
from sync import apply, products
from tests.statements import before_statements
from tests.sync.bodies import PAYLOADS, dump, shopify_checkout, shopify_customer, shopify_order, shopify_removed, template, woo_order
from tests.sync.digest import digest
from tests.sync.working import PATIENCE
from tests.sync.world import Arrival, World, keep

EMAIL = "anna.petit@example.org"
OWN = [(path.parent.name, path) for name in ("shopify", "woocommerce") for path in sorted((PAYLOADS / name).glob("*.json"))]


def states(world: World) -> list[tuple[str, str | None, int]]:
    """State, reason and attempts of all deliveries."""
    rows = world.rows("select state, reason, attempts from deliveries where shop_id = :shop order by id")
    return [(row["state"], row["reason"], row["attempts"]) for row in rows]


def make_poison(world: World, token: str) -> None:
    """From now on the database refuses every checkout with this token."""
    world.execute(
        f"create or replace function refuse() returns trigger language plpgsql as "
        f"$$ begin if new.platform_id = '{token}' then raise exception 'poison'; end if; return new; end $$"
    )
    world.execute("create or replace trigger refuse before insert on checkouts for each row execute function refuse()")


@pytest.fixture
def poisonous(world: World) -> Any:
    """A shop whose checkout `poison` cannot be written."""
    make_poison(world, "poison")
    yield world
    world.execute("drop trigger refuse on checkouts")


def checkout(world: World, token: str) -> Arrival:
    """A checkout of somebody."""
    return Arrival("checkouts/update", shopify_checkout(token, world.start, email=f"{token}@example.org"))


@pytest.mark.parametrize(("platform", "path"), OWN, ids=[f"{platform}-{path.stem}" for platform, path in OWN])
def test_each_of_our_payloads_ends_in_the_state_its_topic_deserves(world: World, woo: World, platform: str, path: Path) -> None:
    story = world if platform == "shopify" else woo
    slug, platform_topics = path.stem.partition("__")[0], story.services.platforms[platform].topics
    topic = next((one for one in platform_topics if one.replace("/", "_").replace(".", "_") == slug), slug.replace("_", "/", 1))
    known = topic in platform_topics

    story.arrive(topic, path.read_bytes().replace(b"galets.example", b"boutique.test"), story.start)

    # A privacy request must name the shop under which it came; these name another.
    asks = topic in story.services.platforms[platform].compliance_topics
    assert states(story) == [("quarantined", "wrong_shop", 1) if asks else ("applied" if known else "no_meaning_yet", None, 1)]


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        ("checkouts/update", b"", "empty"),
        ("checkouts/update", b"{", "not_json"),
        ("checkouts/update", b"[]", "wrong_shape"),
        ("checkouts/update", b'{"token":"t"}', "missing_time"),
        ("orders/create", b'{"id":1,"total_price":"x"}', "bad_money"),
        ("checkouts/update", b"\xff\xfe", "not_json"),
    ],
)
def test_what_makes_no_sense_is_quarantined_with_its_reason_and_hurts_nobody(world: World, topic: str, body: bytes, reason: str) -> None:
    keep(world.db, world.shop, [Arrival(topic, body), checkout(world, "good")])

    assert apply.drain(world.services, world.shop.id) == 2
    assert states(world) == [("quarantined", reason, 1), ("applied", None, 1)]
    assert world.one("checkouts")["token"] == "good"


def test_a_signed_error_of_the_store_is_quarantined_as_such(woo: World) -> None:
    woo.arrive("order.updated", dump({"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}))

    assert states(woo) == [("quarantined", "store_error_body", 1)]


def test_a_topic_without_meaning_is_kept_and_left_alone(world: World) -> None:
    world.arrive("themes/publish", b"whatever")

    assert states(world) == [("no_meaning_yet", None, 1)]


@pytest.mark.spec("RL-143")
def test_an_uninstall_ends_everything(world: World) -> None:
    world.turn_on()
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    world.go_to(world.at(61))
    world.abandon()
    world.arrive("app/uninstalled", dump(template("shopify", "app_uninstalled__null_domains")), world.at(61))
    world.arrive("checkouts/update", shopify_checkout("tok-2", world.start, email=EMAIL))

    (shop,) = world.rows("select state, credentials from shops where id = :shop")
    assert (shop["state"], shop["credentials"]) == ("uninstalled", None)
    assert world.messages() == [("cancelled", "shop_disconnected")]
    assert world.reasons() == ["shop_disconnected"]
    assert [state for state, _, _ in states(world)] == ["applied", "applied", "after_uninstall"]
    assert world.one("checkouts")["token"] == "tok-1"
    assert world.send() == products.read_missing(world.services, world.shop.id) == 0


def test_a_farewell_of_an_earlier_install_changes_nothing(world: World) -> None:
    world.arrive("app/uninstalled", dump(template("shopify", "app_uninstalled__null_domains")), world.at(-600))

    assert world.rows("select state from shops where id = :shop")[0]["state"] == "connected"


@pytest.mark.spec("RL-112")
def test_a_poison_delivery_is_tried_alone_and_quarantined_after_five_tries_while_the_others_go_on(poisonous: World) -> None:
    _, culprit, _ = keep(poisonous.db, poisonous.shop, [checkout(poisonous, token) for token in ("one", "poison", "two")])

    apply.drain(poisonous.services, poisonous.shop.id)
    assert [state for state, _, _ in states(poisonous)] == ["applied", "pending", "applied"]
    assert states(poisonous)[1][2] == 1

    for _ in range(3):
        keep(poisonous.db, poisonous.shop, [checkout(poisonous, "more")])
        apply.drain(poisonous.services, poisonous.shop.id)
    assert states(poisonous)[1][0] == "pending"
    assert all(state == "applied" for state, _, _ in states(poisonous)[2:])

    apply.drain(poisonous.services, poisonous.shop.id)
    assert states(poisonous)[1] == ("quarantined", "cannot_be_applied", 5)
    assert apply.drain(poisonous.services, poisonous.shop.id) == 0

    make_poison(poisonous, "something else")
    with poisonous.db.system_transaction("a test replays") as session:
        assert deliveries.replay(session, [culprit]) == [poisonous.shop.id]
    apply.drain(poisonous.services, poisonous.shop.id)
    assert states(poisonous)[1] == ("applied", None, 1)


@pytest.mark.spec("RL-112")
def test_a_culprit_is_found_by_halves_and_fails_no_batch_again(poisonous: World) -> None:
    tries: list[str] = []
    keep(poisonous.db, poisonous.shop, [checkout(poisonous, "poison" if n == 37 else f"tok-{n}") for n in range(64)])

    with before_statements(tries.append):
        apply.drain(poisonous.services, poisonous.shop.id)
        assert sum("insert into checkouts" in statement for statement in tries) == 1 + 2 * 6
        for attempt in range(2, 6):
            keep(poisonous.db, poisonous.shop, [checkout(poisonous, f"later-{attempt}-{n}") for n in range(8)])
            tries.clear()
            apply.drain(poisonous.services, poisonous.shop.id)
            assert sum("insert into checkouts" in statement for statement in tries) == 2

    assert states(poisonous)[37] == ("quarantined", "cannot_be_applied", 5)
    assert [state for state in states(poisonous) if state != ("applied", None, 1)] == [states(poisonous)[37]]
    assert poisonous.services.metrics.deliveries.value("quarantined") == 1
    assert poisonous.services.metrics.deliveries.value("applied") == 63 + 4 * 8


def test_what_was_refused_is_not_tried_again_at_once(poisonous: World) -> None:
    rung: list[str] = []
    poisonous.db.on_wake(lambda wake: rung.append(wake.job))
    keep(poisonous.db, poisonous.shop, [checkout(poisonous, "poison"), checkout(poisonous, "one")])

    apply.drain(poisonous.services, poisonous.shop.id)

    assert "apply_inbox" not in rung


class Listening:
    """A platform that notes what it is asked to parse."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.parsed: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.platform, name)

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        """As the platform does."""
        self.parsed.append(body)
        return self.platform.parse(context, body)


def test_equal_deliveries_are_understood_once_and_all_are_remembered_with_their_people(world: World) -> None:
    platform = Listening(world.services.platforms["shopify"])
    services = replace(world.services, platforms={"shopify": cast(Platform, platform)})
    first, second = (shopify_checkout("tok-1", world.at(n), email=EMAIL) for n in range(2))
    told = [(first, 0), (first, 0), (second, 0), (second, 1), (second, 1)]
    ids = keep(world.db, world.shop, [Arrival("checkouts/update", body, world.at(minute)) for body, minute in told])

    apply.drain(services, world.shop.id)

    assert platform.parsed == [first, second, second]
    assert [row["delivery_id"] for row in world.rows("select delivery_id from delivery_people where shop_id = :shop order by 1")] == ids
    assert len(world.rows("select * from checkout_versions where shop_id = :shop")) == 2


def test_a_full_batch_with_a_culprit_asks_for_the_next_one(poisonous: World) -> None:
    rung: list[str] = []
    poisonous.db.on_wake(lambda wake: rung.append(wake.job))
    keep(poisonous.db, poisonous.shop, [checkout(poisonous, token) for token in ("poison", "one", "two")])

    apply.drain(poisonous.services, poisonous.shop.id, limit=2)

    assert "apply_inbox" in rung


def test_trouble_of_the_databases_own_counts_against_no_delivery(world: World) -> None:
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.at(1), email=EMAIL))])
    impatient = Database(world.db.url)
    event.listen(impatient.engine, "begin", lambda connection: connection.exec_driver_sql("set local lock_timeout = '50ms'"))
    services = replace(world.services, db=impatient)

    with world.db.engine.begin() as other:
        other.execute(text("select 1 from checkouts for update"))
        with pytest.raises(OperationalError, match="lock timeout"):
            apply.drain(services, world.shop.id)
    impatient.close()

    assert states(world)[1] == ("pending", None, 0)
    assert apply.drain(world.services, world.shop.id) == 1
    assert states(world)[1] == ("applied", None, 1)


def test_trouble_that_comes_when_deliveries_are_tried_alone_counts_against_none_either(poisonous: World) -> None:
    keep(poisonous.db, poisonous.shop, [checkout(poisonous, "poison"), checkout(poisonous, "one")])
    asked: list[str] = []

    def fail(statement: str) -> None:
        asked.append(statement)
        if "insert into checkouts" in statement and sum("insert into checkouts" in one for one in asked) == 2:
            raise psycopg.OperationalError("the connection is lost")

    with before_statements(fail), pytest.raises(OperationalError):
        apply.drain(poisonous.services, poisonous.shop.id)

    assert states(poisonous) == [("pending", None, 0)] * 2


def test_the_same_delivery_again_changes_no_row(world: World) -> None:
    body = shopify_checkout("tok-1", world.start, email=EMAIL, customer=shopify_customer(1, world.start))
    world.arrive("checkouts/update", body)
    once = digest(world.db, world.shop.id), world.one("checkouts")

    for _ in range(3):
        world.arrive("checkouts/create", body)

    assert (digest(world.db, world.shop.id), world.one("checkouts")) == once


def test_two_drains_of_one_shop_never_overlap(world: World) -> None:
    keep(world.db, world.shop, [checkout(world, "one")])
    with world.db.engine.begin() as other:
        other.execute(text("select 1 from shop_work where shop_id = :shop for update"), {"shop": world.shop.id})
        assert apply.drain(world.services, world.shop.id) == 0
    assert apply.drain(world.services, world.shop.id) == 1


def test_drains_in_parallel_handle_each_delivery_once(world: World) -> None:
    keep(world.db, world.shop, [checkout(world, f"tok-{n}") for n in range(40)])
    handled: list[int] = []

    def work() -> None:
        end = time.monotonic() + PATIENCE
        while sum(handled) < 40 and time.monotonic() < end:
            handled.append(apply.drain(world.services, world.shop.id, limit=4))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(handled) == 40
    assert states(world) == [("applied", None, 1)] * 40


def test_what_arrives_for_others_is_not_touched(world: World, woo: World) -> None:
    keep(woo.db, woo.shop, [Arrival("order.updated", woo_order(41, "checkout-draft", woo.start))])

    assert apply.drain(world.services, world.shop.id) == 0
    assert states(woo) == [("pending", None, 0)]


def test_products_are_asked_for_only_if_a_line_names_one_that_was_never_read(world: World) -> None:
    rung: list[str] = []
    keep(world.db, world.shop, [checkout(world, "one")])
    apply.drain(world.services, world.shop.id)
    world.execute("""
        insert into products (public_id, shop_id, platform_id, title, categories, is_deleted, read_at, source_version)
        select 'prd_' || product_id, shop_id, product_id, 'read', '{}', false, app_now(), app_now()
        from checkout_lines group by shop_id, product_id
    """)
    world.db.on_wake(lambda wake: rung.append(wake.job))
    keep(world.db, world.shop, [checkout(world, "two")])
    apply.drain(world.services, world.shop.id)

    assert rung == []


def test_a_batch_rings_for_what_follows_from_it(world: World) -> None:
    rung: list[str] = []
    world.db.on_wake(lambda wake: rung.append(f"{wake.job} {wake.shop_id - world.shop.id}"))
    keep(world.db, world.shop, [checkout(world, "one"), checkout(world, "two"), Arrival("themes/publish", b"{}")])

    apply.drain(world.services, world.shop.id, limit=2)
    assert sorted(rung) == ["apply_inbox 0", "read_products 0"]
    rung.clear()
    apply.drain(world.services, world.shop.id, limit=2)
    assert rung == []


@pytest.mark.spec("AC-49", "AC-50")
def test_people_of_a_delivery_become_one_contact_and_are_remembered_for_erasure(world: World) -> None:
    customer = shopify_customer(7, world.start, email=EMAIL)
    first = world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL.upper(), customer=customer))
    second = world.arrive("orders/create", shopify_order(1, world.at(5), email=EMAIL, customer=customer))

    (contact,) = world.rows("select * from contacts")
    assert (contact["email"], contact["company"], contact["phone_e164"]) == (EMAIL, "Petit & Filles", "+33645678901")
    assert world.one("customers")["contact_id"] == contact["id"]
    spoken = world.rows("select delivery_id, count(*) persons from delivery_people where shop_id = :shop group by 1 order by 1")
    assert [(row["delivery_id"], row["persons"]) for row in spoken] == [(first, 3), (second, 3)]


def test_a_ticked_box_subscribes_and_an_empty_one_revokes_nothing(world: World) -> None:
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL, buyer_accepts_marketing=True))
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.at(1), email=EMAIL, buyer_accepts_marketing=False))

    consent = world.one("consents")
    assert (consent["channel"], consent["address"], consent["state"]) == ("email", EMAIL, "subscribed")


def test_a_removed_checkout_ends_and_a_late_delivery_of_it_does_not_bring_it_back(world: World) -> None:
    world.turn_on()
    body = shopify_checkout("tok-1", world.start, email=EMAIL, cart_token="cart-1")
    world.arrive("checkouts/delete", dump({"cart_token": "cart-1"}), world.at(5))
    world.arrive("checkouts/update", body)

    assert world.one("checkouts")["deleted_at"] == world.at(5)
    assert world.one("checkouts")["due_at"] is None
    assert world.reasons() == ["closed"]


def test_a_removed_order_stays_a_purchase(world: World) -> None:
    world.turn_on()
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    world.arrive("orders/create", shopify_order(1, world.at(5), email=EMAIL))
    world.arrive("orders/delete", shopify_removed(1), world.at(9))

    assert world.one("orders")["deleted_at"] == world.at(9)
    assert world.reasons() == ["purchased"]


def test_an_order_given_to_another_person_converted_nothing_after_all(world: World) -> None:
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    world.arrive("orders/create", shopify_order(1, world.at(5), email=EMAIL))
    assert world.one("checkouts")["converted_at"] == world.at(5)

    world.arrive("orders/updated", shopify_order(1, world.at(6), placed_at=world.at(5), email="other@example.org"))

    found = world.one("checkouts")
    assert (found["converted_order_id"], found["converted_at"], found["converted_by"]) == (None, None, None)
    assert found["due_at"] == world.at(60)
