"""Erasing a whole shop: what goes, what stays, and when nothing is erased."""

from dataclasses import replace
from typing import Any

import pytest

from connector.canonical import Channel, ShopProfile
from connector.platforms import Access, AccessLost, Installation, TransientError
from connector.rules.permissions import Role
from connector.store import installs, members, people, shops
from connector.store.installs import Installed
from sync import apply, erase
from tests.conftest import install, profile
from tests.fakes import FakePlatform
from tests.sync.bodies import dump, shopify_checkout
from tests.sync.marks import Marked, hits, seed
from tests.sync.world import Arrival, World, keep

PERSON = Marked()
MARK = "zyxmerchant"


class Asked:
    """A store's reads, of which only one is asked: it answers, refuses us, or is silent."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def shop_now(self, access: Access) -> ShopProfile:
        """The shop, or the error."""
        if self.error is not None:
            raise self.error
        return profile("Démo", access.domain)


def asking(world: World, error: Exception | None) -> World:
    """The same world with a store that answers so."""
    platform = FakePlatform()
    platform.reads = Asked(error)  # type: ignore[assignment]
    return replace(world, services=replace(world.services, platforms={**world.services.platforms, "shopify": platform}))


def request(world: World, minutes: float = 30) -> None:
    """shop/redact comes in."""
    world.arrive("shop/redact", dump({"shop_id": 1, "shop_domain": world.shop.domain}), world.at(minutes))


def work(world: World) -> int:
    """Until nothing is left to do."""
    return sum(erase.erase(world.services, world.shop.id) for _ in range(20))


def uninstall(world: World) -> None:
    """The merchant removed the app."""
    with world.db.transaction(shop=world.shop.id) as session:
        assert shops.uninstall(session, world.shop.id, world.at(20))


def reinstall(world: World, account_id: int | None = None) -> Installed:
    """The merchant installs it again."""
    fresh = Installation(world.shop.domain, {"access_token": "new"}, ("read_orders",), (), profile("Neuf", world.shop.domain))
    with world.db.system_transaction("install for a test") as session:
        return installs.save(
            session, world.services.vault, "shopify", fresh, state="s", fresh_key="k2", fresh_secret="s2", account_id=account_id
        )


@pytest.fixture
def known(world: World) -> World:
    """A shop with shoppers, whose merchant is marked as well."""
    world.turn_on()
    seed(world, PERSON)
    world.execute(
        "update shops set name = :mark, contact_email = :mail, contact_address = :mark, url = :mark where id = :shop",
        mark=MARK,
        mail=f"{MARK}@mark.example",
    )
    with world.db.system_transaction("a member for a test") as session:
        account = shops.get_shop(session, world.shop.id).account_id
        added = members.add(session, account, f"{MARK}@mark.example", Role.OWNER)
    world.execute("update members set platform_user = :user where id = :id", user=f"shopify:{world.shop.domain}:1", id=added.id)
    world.execute("update accounts set name = :mark where id = :account", mark=MARK, account=account)
    return world


def test_nothing_of_an_erased_shop_is_left_but_its_empty_row(known: World) -> None:
    for statement in (
        "insert into sync_seen (shop_id, run_id, resource, platform_id) values (:shop, 0, 'order', '1')",
        "insert into sync_marks (shop_id, resource) values (:shop, 'order')",
        "insert into gap_reports (public_id, shop_id, since, until, messages, created_at) "
        "values ('gap_1', :shop, app_now(), app_now(), 0, app_now())",
    ):
        known.execute(statement)
    syncs = ["sync_runs", "sync_slices", "sync_differences", "quarantined_records", "sync_seen", "sync_marks", "gap_reports"]
    for table in syncs:
        assert known.rows(f"select 1 from {table} where shop_id = :shop") != [], table
    uninstall(known)
    request(known)
    assert work(known) == 1
    assert hits(known.db, PERSON) == []
    assert hits(known.db, replace(PERSON, name=MARK, email=f"{MARK}@mark.example")) == []
    tables = ["checkouts", "orders", "customers", "products", "consents", "removals", "delivery_bodies", "delivery_people", "notices"]
    tables += ["offer_work", "orders_to_judge", "offers", "offer_versions", "offer_events", "grants", "grant_decisions", "grant_mails"]
    for table in (*tables, *syncs, "offer_codes", "discount_codes", "banners"):
        assert known.rows(f"select 1 from {table} where shop_id = :shop") == [], table
    (shop,) = known.rows("select name, domain, state, credentials, contact_email, redacted_at from shops where id = :shop")
    assert (shop["name"], shop["domain"], shop["state"], shop["credentials"]) == (*[known.shop.domain] * 2, "uninstalled", None)
    assert shop["redacted_at"] is not None
    assert known.rows("select 1 from members join shops s using (account_id) where s.id = :shop") == []


def test_who_had_unsubscribed_from_an_erased_shop_stays_so_when_it_comes_back(known: World) -> None:
    uninstall(known)
    request(known)
    work(known)
    reinstall(known)
    with known.db.transaction(shop=known.shop.id) as session:
        assert people.suppressed_among(session, known.services.vault, known.shop.id, Channel.EMAIL, [PERSON.email]) == {PERSON.email}


def test_an_erased_shop_can_be_installed_again_and_has_an_owner(known: World) -> None:
    uninstall(known)
    request(known)
    work(known)
    installed = reinstall(known)
    assert installed.shop_id == known.shop.id
    assert installed.owner_id is not None
    known.turn_on()
    known.arrive("checkouts/update", shopify_checkout("tok-new", known.at(40), email="anna@example.org"), known.at(40))
    assert known.one("checkouts")["email"] == "anna@example.org"
    (shop,) = known.rows("select name, redacted_at from shops where id = :shop")
    assert (shop["name"], shop["redacted_at"]) == ("Neuf", None)


def test_an_erased_shop_goes_to_the_account_of_whoever_connects_it_again(known: World) -> None:
    uninstall(known)
    request(known)
    work(known)
    (first,) = known.rows("select id from accounts where name = 'First'")
    with known.db.system_transaction("a member for a test") as session:
        members.add(session, first["id"], "boss@example.org", Role.OWNER)
    assert reinstall(known, first["id"]).owner_id is None
    assert known.rows("select account_id from shops where id = :shop") == [{"account_id": first["id"]}]


def test_an_account_with_another_shop_keeps_its_people_and_what_the_other_shop_knows(known: World) -> None:
    other = install(known.db, known.services.vault, "shopify", "second.myshopify.com", "Second")
    known.execute("update shops set account_id = (select account_id from shops where id = :shop) where id = :other", other=other.id)
    (delivery,) = keep(
        known.db, other, [Arrival("checkouts/update", shopify_checkout("o1", known.at(1), email="both@example.org"), known.at(1))]
    )
    apply.drain(known.services, other.id)
    uninstall(known)
    request(known)
    work(known)
    assert hits(known.db, PERSON) == []
    assert len(known.rows("select 1 from members join shops s using (account_id) where s.id = :shop")) > 0
    assert known.rows("select platform_user from members where platform_user is not null") == []
    assert [row["email"] for row in known.rows("select email from contacts")] == ["both@example.org"]
    assert known.rows("select 1 from delivery_bodies where delivery_id = :id", id=delivery) == [{"?column?": 1}]


def test_what_still_comes_for_an_erased_shop_is_not_kept(known: World) -> None:
    uninstall(known)
    request(known)
    work(known)
    known.arrive("checkouts/update", shopify_checkout(PERSON.token, known.at(40), email=PERSON.email), known.at(40))
    known.arrive(
        "customers/redact",
        dump({"shop_id": 1, "shop_domain": known.shop.domain, "customer": {"email": PERSON.email}, "orders_to_redact": []}),
    )
    work(known)
    assert hits(known.db, PERSON) == []
    assert known.rows("select 1 from privacy_requests where state = 'open'") == []


def test_a_shop_that_is_installed_and_answers_is_not_erased(known: World) -> None:
    request(known)
    assert work(asking(known, None)) == 0
    assert len(hits(known.db, PERSON)) > 0
    assert known.rows("select state, erased from privacy_requests") == [{"state": "done", "erased": {"why": "installed_again"}}]


def test_a_request_from_before_the_last_install_erases_nothing(known: World) -> None:
    request(known, minutes=-60)
    assert work(asking(known, AccessLost("no", platform="shopify"))) == 0
    assert len(hits(known.db, PERSON)) > 0


def test_a_shop_that_does_not_know_us_any_more_is_erased_though_nobody_said_goodbye(known: World) -> None:
    request(known)
    assert work(asking(known, AccessLost("no", platform="shopify"))) == 1
    assert hits(known.db, PERSON) == []
    assert known.rows("select state from shops where id = :shop") == [{"state": "uninstalled"}]


def test_a_store_that_is_silent_is_asked_again_later(known: World) -> None:
    request(known)
    silent = asking(known, TransientError("?", platform="shopify"))
    assert work(silent) == 0
    (row,) = known.rows("select state, erased from privacy_requests")
    assert row["state"] == "open"
    assert "again_at" in row["erased"]
    known.go_to(known.now().replace(microsecond=0) + erase.AGAIN * 2)
    assert work(asking(known, AccessLost("no", platform="shopify"))) == 1


def test_a_body_for_another_shop_erases_nothing(known: World) -> None:
    """Only the body is signed: whoever caught one could name any shop in the header."""
    uninstall(known)
    known.arrive("shop/redact", dump({"shop_id": 1, "shop_domain": "somebody-else.myshopify.com"}))
    known.arrive("shop/redact", dump({"shop_id": 1, "shop_domain": known.shop.domain, "customer": {"id": 1}, "orders_to_redact": []}))
    assert work(known) == 0
    assert len(hits(known.db, PERSON)) > 0
    states = known.rows("select reason from deliveries where topic = 'shop/redact' order by id")
    assert [row["reason"] for row in states] == ["wrong_shop", "wrong_topic"]


def test_a_small_slice_ends_and_goes_on_where_it_was(known: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "SLICE_SECONDS", 0.0)
    uninstall(known)
    request(known)
    turns: list[Any] = [erase.erase(known.services, known.shop.id)]
    while turns[-1] == 0 and len(turns) < 50:
        turns.append(erase.erase(known.services, known.shop.id))
    assert len(turns) > 3
    assert turns[-1] == 1
    assert hits(known.db, PERSON) == []
