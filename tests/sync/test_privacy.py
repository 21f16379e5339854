"""Privacy requests as they come: written down once, told to owners, settled for shops we do not know, watched; and who is whom."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.canonical import Person
from connector.store import erasing, privacy, records, shops
from connector.store.db import Wake
from connector.store.work import lease_inbox
from sync import apply, erase, post, sweep
from sync.jobs import Job
from tests.conftest import install
from tests.factories import make_checkout, terms
from tests.fake_sender import FakeSender
from tests.sync.bodies import dump, shopify_checkout, shopify_customer, shopify_order
from tests.sync.world import Arrival, World, keep

EMAIL = "anna@example.org"


def body(world: World, **customer: Any) -> dict[str, Any]:
    """What both requests about a person have."""
    return {"shop_id": 1, "shop_domain": world.shop.domain, "customer": customer}


def data_request(world: World, minutes: float = 0, number: int = 9999, **customer: Any) -> None:
    """customers/data_request comes in."""
    said = body(world, **customer) | {"orders_requested": [], "data_request": {"id": number}}
    world.arrive("customers/data_request", dump(said), world.at(minutes))


def redact(world: World, minutes: float = 30, orders: tuple[int, ...] = (), **customer: Any) -> None:
    """customers/redact comes in, and is done."""
    world.arrive("customers/redact", dump(body(world, **customer) | {"orders_to_redact": list(orders)}), world.at(minutes))
    erase.erase(world.services, world.shop.id)


def checkout(world: World, token: str, **changes: Any) -> None:
    """A checkout comes in."""
    world.arrive("checkouts/update", shopify_checkout(token, world.at(1), **changes), world.at(1))


def tokens(world: World) -> list[str]:
    """The checkouts that are kept."""
    return [row["token"] for row in world.rows("select token from checkouts order by token")]


def test_a_data_request_is_kept_once_and_owners_are_told_once(world: World) -> None:
    for _ in range(2):
        data_request(world, email=EMAIL)
    (row,) = world.rows("select kind, state, due_at, person from privacy_requests")
    assert (row["kind"], row["state"], row["due_at"]) == ("data_request", "open", world.at(0) + timedelta(days=30))
    assert EMAIL.encode() not in bytes(row["person"])
    assert [one["cause"] for one in world.rows("select cause from notices")] == ["data_request_ready"]


def test_the_delivery_of_a_request_keeps_no_body(world: World) -> None:
    data_request(world, email=EMAIL)
    assert world.rows("select 1 from delivery_bodies") == []


def test_a_data_request_ends_when_the_person_is_erased(world: World) -> None:
    data_request(world, email=EMAIL)
    redact(world, email=EMAIL.upper())
    rows = world.rows("select kind, state, person from privacy_requests order by id")
    assert [(row["kind"], row["state"], row["person"]) for row in rows] == [
        ("data_request", "done", None),
        ("customer_redact", "done", None),
    ]
    assert world.rows("select 1 from notices where settled_at is null") == []


def test_requests_of_shops_that_nobody_knows_are_settled(world: World) -> None:
    with world.db.engine.begin() as connection:
        connection.execute(
            text("""
                with kept as (
                    insert into deliveries (key, platform, topic, received_at, received_on)
                    values ('k', 'shopify', 'customers/redact', app_now(), (app_now() at time zone 'UTC')::date) returning id, received_on
                )
                insert into delivery_bodies (received_on, delivery_id, headers, body)
                select received_on, id, '', convert_to('{"customer": {"email": "anna@example.org"}}', 'UTF8') from kept
            """)
        )
    assert (Job.ERASE, 0) in sweep.find_due(world.services)
    assert erase.erase(world.services, 0) == 1
    assert world.rows("select state, reason from deliveries") == [{"state": "applied", "reason": "unknown_shop"}]
    assert world.rows("select 1 from delivery_bodies") == []
    assert (Job.ERASE, 0) not in sweep.find_due(world.services)


def test_an_erasure_rings_at_once_and_is_found_by_the_sweep_if_the_ring_is_lost(world: World) -> None:
    rung: list[Wake] = []
    world.db.on_wake(rung.append)
    world.arrive("customers/redact", dump(body(world, email=EMAIL) | {"orders_to_redact": []}), world.at(0))
    assert Wake(Job.ERASE.value, world.shop.id) in rung
    assert (Job.ERASE, world.shop.id) in sweep.find_due(world.services)
    erase.erase(world.services, world.shop.id)
    assert (Job.ERASE, world.shop.id) not in sweep.find_due(world.services)


def test_what_is_overdue_raises_an_alarm(world: World) -> None:
    data_request(world, email=EMAIL)
    with capture_logs() as quiet:
        erase.watch(world.services)
    world.go_to(world.at(0) + timedelta(days=31))
    with capture_logs() as logs:
        erase.watch(world.services)
    assert [entry["event"] for entry in quiet] == []
    assert [(entry["event"], entry["log_level"], entry["overdue"]) for entry in logs] == [("privacy.overdue", "error", 1)]


def test_whom_an_answered_request_was_about_is_forgotten_after_a_while(world: World) -> None:
    data_request(world, email=EMAIL)
    world.execute("update privacy_requests set state = 'done', done_at = app_now()")
    erase.watch(world.services)
    assert world.rows("select person is null as gone from privacy_requests") == [{"gone": False}]
    world.go_to(world.at(0) + timedelta(days=erase.FORGET_DAYS + 1))
    erase.watch(world.services)
    assert world.rows("select person is null as gone from privacy_requests") == [{"gone": True}]


def test_an_erasure_that_fails_rests_and_goes_on_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout(world, "t1", email=EMAIL)
    world.arrive("customers/redact", dump(body(world, email=EMAIL) | {"orders_to_redact": []}), world.at(30))
    with monkeypatch.context() as patch:
        patch.setattr(erasing, "identify", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase.erase(world.services, world.shop.id)
    assert erase.erase(world.services, world.shop.id) == 0
    world.go_to(world.now() + erase.AGAIN + timedelta(seconds=1))
    assert erase.erase(world.services, world.shop.id) == 1
    assert tokens(world) == []


def test_a_customer_who_was_merged_away_is_erased_with_the_one_that_was_kept(world: World) -> None:
    for number, email in ((11, "old@example.org"), (12, "new@example.org")):
        who = shopify_customer(number, world.at(0), email=email, phone=None, default_address=None)
        world.arrive("customers/update", dump(who), world.at(0))
        checkout(world, f"t{number}", email=email, customer=who)
    merge = {
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/12",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/11",
    }
    world.arrive("customers/merge", dump(merge | {"status": "completed"}), world.at(2))
    redact(world, id=11)
    assert tokens(world) == []
    assert world.rows("select 1 from customers union all select 1 from customer_merges union all select 1 from contacts") == []


def test_a_phone_that_others_have_too_erases_only_what_nobody_else_is_told_by(world: World) -> None:
    phone = "+33612345678"
    checkout(world, "hers", email=EMAIL, phone=phone)
    checkout(world, "his", email="paul@example.org", phone=phone)
    checkout(world, "nobodys", phone=phone)
    redact(world, email=EMAIL, phone=phone)
    assert tokens(world) == ["his"]
    texts = [bytes(row["body"]).decode() for row in world.rows("select body from delivery_bodies")]
    assert len(texts) == 1
    assert "paul@example.org" in texts[0]


def test_an_address_that_another_customer_has_is_not_taken_for_theirs(world: World) -> None:
    his = shopify_customer(2, world.at(0), email="paul@example.org", phone=None, default_address=None)
    world.arrive("customers/update", dump(his), world.at(0))
    hers = shopify_customer(1, world.at(0), email=EMAIL, phone=None, default_address=None)
    checkout(world, "bought-with-his-address", email="paul@example.org", customer=hers)
    checkout(world, "his", email="paul@example.org", customer=his)
    redact(world, id=1)
    assert tokens(world) == ["his"]
    assert len(world.rows("select 1 from customers where platform_id = '2'")) == 1


def test_an_order_named_in_the_request_is_emptied_whoever_it_names(world: World) -> None:
    world.arrive("orders/create", shopify_order(6210000000001, world.at(1), email=None, customer=None), world.at(1))
    assert world.one("orders")["first_name"] is not None
    redact(world, orders=(6210000000001,), email="anna@example.org")
    assert world.one("orders")["first_name"] is None
    assert world.rows("select 1 from delivery_bodies") == []


def test_a_contact_that_another_shop_of_the_account_knows_keeps_what_that_shop_said(world: World) -> None:
    other = install(world.db, world.services.vault, "shopify", "second.myshopify.com", "Second")
    world.execute("update shops set account_id = (select account_id from shops where id = :shop) where id = :other", other=other.id)
    ours = shopify_customer(1, world.at(5), email=EMAIL, first_name="Here", last_name=None, phone=None, default_address=None)
    world.arrive("customers/update", dump(ours), world.at(5))
    theirs = shopify_customer(1, world.at(0), email=EMAIL, first_name="There", last_name=None, phone=None, default_address=None)
    keep(world.db, other, [Arrival("customers/update", dump(theirs), world.at(0))])
    apply.drain(world.services, other.id)
    assert world.rows("select first_name from contacts") == [{"first_name": "Here"}]
    redact(world, email=EMAIL)
    assert world.rows("select first_name from contacts") == [{"first_name": "There"}]
    assert [row["shop_id"] for row in world.rows("select shop_id from customers")] == [other.id]


def test_a_person_is_known_by_all_that_their_rows_say(world: World) -> None:
    customer = shopify_customer(7, world.at(0), email=EMAIL, phone="+33612345678", default_address=None)
    checkout(world, "t7", email="second@example.org", customer=customer, cart_token="c7")
    world.arrive("customers/update", dump(customer), world.at(0))
    with world.db.system_transaction("who is it") as session:
        found = erasing.identify(session, shops.get_shop(session, world.shop.id), Person(customer_id="7"))
    assert found.emails == {EMAIL, "second@example.org"}
    assert found.phones == {"+33612345678"}
    assert found.tokens == {"t7", "c7"}


def test_requests_are_sealed_again_with_a_new_key(world: World) -> None:
    person = Person("1", EMAIL, None, ("5",))
    sealed = privacy.seal_person(world.services.vault, person, None)
    assert privacy.open_person(world.services.vault, sealed) == (person, None)


def test_an_erasure_waits_for_whoever_is_applying_deliveries_of_the_shop(world: World) -> None:
    """What is being written at that moment would otherwise slip through between looking and erasing."""
    world.arrive("customers/redact", dump(body(world, email=EMAIL) | {"orders_to_redact": []}), world.at(30))
    erasing_it = threading.Thread(target=erase.erase, args=(world.services, world.shop.id))
    with world.db.transaction(shop=world.shop.id) as session:
        assert lease_inbox(session, world.shop.id) is not None
        erasing_it.start()
        erasing_it.join(0.5)
        assert erasing_it.is_alive()
        records.save_checkouts(session, terms(world.shop), [make_checkout(world.at(1), created_at=world.at(1), email=EMAIL)])
    erasing_it.join(20)
    assert world.rows("select state from privacy_requests") == [{"state": "done"}]
    assert tokens(world) == []


def test_the_mail_to_owners_leads_to_the_requests_and_names_nobody(world: World, sender: FakeSender) -> None:
    data_request(world, email=EMAIL)
    assert post.post_mails(world.services) >= 1
    (mail,) = [one for one in sender.handed if "data request" in one.subject or "données" in one.subject]
    assert "https://connector.test/app/privacy" in mail.text
    assert EMAIL not in repr(mail)
