"""Support finds shops, checkouts, orders and customers over all accounts, and reads no table to do it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Phone
from connector.store import checkouts, records, searching, shops
from connector.store.checkouts import Terms
from connector.store.db import Database
from connector.store.searching import Kind, Wanted, find_hits, find_shops
from tests.conftest import TestShop
from tests.factories import EMAIL, T0, make_checkout, make_customer, make_order, terms

ROWS = 50_000
PHONE = Phone("06 45 67 89 01", "+33645678901")
TYPED = Phone("06 45 67 89 02", "+33645678902")
WAYS = [f"{kind} by {by}" for kind, ways in searching._CONDITIONS.items() for by in ways]


@pytest.fixture
def filled(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> Database:
    """A checkout with its order in the first shop; a checkout, an order of its own and a customer in the second."""
    with db.transaction(shop=shopify_shop.id) as session:
        order = make_order(platform_id="6210", number="#1001", checkout_token="tok-1", phone=PHONE)
        records.save_orders(session, shopify_shop.id, [order])
        save(session, terms(shopify_shop), make_checkout(number="#7001", phone=PHONE, checkout_phone=TYPED))
    with db.transaction(shop=woo_shop.id) as session:
        save(session, terms(woo_shop), make_checkout(T0 + timedelta(days=1), platform_id="501", token="501", number="501"))
        records.save_orders(session, woo_shop.id, [make_order(platform_id="502", number="502", email="other@example.org")])
        records.save_customers(session, woo_shop.id, [make_customer()])
    return db


def save(session: Session, shop: Terms, checkout: Any) -> None:
    assert shop.id is not None
    ids = list(records.save_checkouts(session, shop, [checkout]))
    checkouts.settle(session, shops.get_shop(session, shop.id), ids)


@pytest.fixture
def find(filled: Database) -> Callable[..., list[tuple[str, str, str]]]:
    """Look for something in a system transaction; (kind, shop, number) of each hit."""

    def ask(**wanted: Any) -> list[tuple[str, str, str]]:
        with filled.system_transaction("search in a test") as session:
            return [(hit.kind, hit.shop_name, hit.name) for hit in find_hits(session, Wanted(**wanted), 20)]

    return ask


FIRST = ("checkout", "Démo", "#7001")
SECOND = ("checkout", "Boutique", "501")
ORDER = ("order", "Démo", "#1001")


def test_an_address_finds_what_it_stands_in_over_all_accounts(find: Callable[..., Any]) -> None:
    assert find(email=EMAIL) == [SECOND, FIRST, ORDER, ("customer", "Boutique", "7340")]
    assert find(email="anna.petit@example.or") == [], "no beginning of an address finds a person"


def test_a_phone_finds_the_customers_and_the_one_typed_at_checkout(find: Callable[..., Any]) -> None:
    assert find(phones=(PHONE.e164,)) == [FIRST, ORDER]
    assert find(phones=(TYPED.e164,)) == [FIRST]
    assert find(phones=("+33600000000", TYPED.e164)) == [FIRST]


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("#1001", [ORDER]),
        ("1001", [ORDER]),
        ("6210", [ORDER]),
        ("7001", [FIRST]),
        ("tok-1", [FIRST]),
        ("501", [SECOND]),
        ("#501", [SECOND]),
        ("50", []),
        ("tok", []),
    ],
)
def test_numbers_ids_and_tokens_find_checkouts_and_orders(find: Callable[..., Any], number: str, found: list[Any]) -> None:
    assert find(number=number) == found


def test_an_order_leads_to_the_checkout_that_it_ended(filled: Database) -> None:
    with filled.system_transaction("search in a test") as session:
        [ours] = find_hits(session, Wanted(number="6210"), 20)
        [alone] = find_hits(session, Wanted(number="502"), 20)
        checkout = session.execute(text("select public_id from checkouts where token = 'tok-1'")).scalar_one()
        [found] = find_hits(session, Wanted(public_id=checkout), 20)
    assert ours.checkout_id == checkout == found.checkout_id
    assert (ours.email, ours.phone, ours.platform, ours.timezone) == (EMAIL, PHONE.raw, "shopify", "Europe/Paris")
    assert alone.checkout_id is None


def test_only_so_many_are_found_the_newest_ones(db: Database, shopify_shop: TestShop) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        for number in range(5):
            save(session, terms(shopify_shop), make_checkout(platform_id=f"t{number}", token=f"t{number}", number=f"n{number}"))
    with db.system_transaction("search in a test") as session:
        assert [hit.name for hit in find_hits(session, Wanted(email=EMAIL), 3)] == ["n4", "n3", "n2"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(shop="dém"), ["Démo"]),
        (Wanted(shop="demo.my"), ["Démo"]),
        (Wanted(shop="bout"), ["Boutique"]),
        (Wanted(shop="outique"), []),
        (Wanted(shop="%"), []),
        (Wanted(shop="_"), []),
        (Wanted(email="bonjour@boutique.test"), ["Boutique"]),
        (Wanted(email="owner@example.org"), ["Démo"]),
        (Wanted(number="no-such-id"), []),
    ],
)
def test_a_shop_is_found_by_a_beginning_or_by_its_people(
    filled: Database, shopify_shop: TestShop, wanted: Wanted, found: list[str]
) -> None:
    member = """
        insert into members (public_id, account_id, email, email_norm, role, created_at)
        select 'mem_1', account_id, 'Owner@example.org', 'owner@example.org', 'owner', now() from shops where id = :shop
    """
    with filled.system_transaction("search in a test") as session:
        session.execute(text(member), {"shop": shopify_shop.id})
        assert [shop.name for shop in find_shops(session, wanted, 20)] == found


def test_a_shop_is_found_by_its_id_and_by_its_accounts(filled: Database, shopify_shop: TestShop) -> None:
    with filled.system_transaction("search in a test") as session:
        shop = shops.get_shop(session, shopify_shop.id)
        account = session.execute(text("select public_id from accounts where id = :id"), {"id": shop.account_id}).scalar_one()
        for public_id in (shop.public_id, account):
            [hit] = find_shops(session, Wanted(public_id=public_id), 20)
            assert (hit.public_id, hit.domain, hit.state) == (shop.public_id, "demo.myshopify.com", "connected")


def test_what_is_looked_for_has_a_word_without_the_text() -> None:
    assert Wanted().kinds == ()
    wanted = Wanted(email=EMAIL, phones=("+33645678901",), public_id="chk_1", number="1001", shop="dem")
    assert wanted.kinds == (Kind.EMAIL, Kind.PHONE, Kind.PUBLIC_ID, Kind.NUMBER, Kind.SHOP)


def test_the_countries_of_our_shops_are_known(filled: Database) -> None:
    with filled.system_transaction("search in a test") as session:
        assert searching.countries(session) == ["FR"]


@pytest.fixture
def big(db: Database, shopify_shop: TestShop, woo_shop: TestShop) -> Database:
    """50,000 checkouts, and as many orders and customers, in one shop."""
    statements = (
        """insert into checkouts (public_id, shop_id, platform_id, stage, number, token, email, email_norm, phone_e164,
            checkout_phone_e164, currency, total, created_at, source_version, source_triggered_at, source_digest, taxes_included,
            accepts_email, accepts_sms, source_progress)
           select 'chk_' || n, :shop, 'p' || n, 'checkout', '#' || n, 't' || n, n || '@example.org', n || '@example.org', '+336' || n,
            '+337' || n, 'EUR', 1, now(), now(), now(), 'd', false, false, false, 0 from generate_series(1, :rows) n""",
        """insert into orders (public_id, shop_id, platform_id, number, email, email_norm, phone_e164, payment_state, currency, total,
            taxes_included, is_test, created_at, placed_at, source_version, source_triggered_at, source_progress, source_digest)
           select 'ord_' || n, :shop, 'p' || n, '#' || n, n || '@example.org', n || '@example.org', '+336' || n, 'paid', 'EUR', 1,
            false, false, now(), now(), now(), now(), 0, 'd' from generate_series(1, :rows) n""",
        """insert into customers (public_id, shop_id, platform_id, email, email_norm, source_version, source_triggered_at,
            source_progress, source_digest)
           select 'cus_' || n, :shop, 'p' || n, n || '@example.org', n || '@example.org', now(), now(), 0, 'd'
           from generate_series(1, :rows) n""",
        """insert into offers (public_id, shop_id, name, state, version, created_at, state_at)
           values ('ofr_1', :shop, 'o', 'active', 1, now(), now())""",
        """insert into offer_versions (shop_id, offer_id, version, at, headline, body, mode, is_ours, once_per_customer, prefix,
            locks_email, most_uses)
           select :shop, id, 1, now(), '', '', 'shared', false, true, '', false, 3 from offers""",
        """insert into grants (public_id, shop_id, offer_id, version_id, state, state_at, granted_at, person_key, email, email_norm,
            phone_e164, code, link_token)
           select 'grt_' || n, :shop, v.offer_id, v.id, 'live', now(), now(), 'phone:+336' || n, n || '@example.org', n || '@example.org',
            '+336' || n, 'C' || n, n from generate_series(1, :rows) n, offer_versions v""",
    )
    with db.engine.begin() as connection:
        for insert in statements:
            values = {"shop": shopify_shop.id, "rows": ROWS}
            connection.execute(text(insert), {name: values[name] for name in values if f":{name}" in insert})
    return db


def test_nothing_is_found_by_reading_a_table(big: Database) -> None:
    """Before the tables were ever analysed, and after."""
    for prepare in ("select 1", "analyze checkouts, orders, customers, grants, shops"):
        with big.engine.begin() as connection:
            connection.execute(text(prepare))
        with big.system_transaction("plans of a search") as session:
            for way in WAYS:
                explained = text("explain analyze " + searching.statement(way))
                plan = "\n".join(session.execute(explained, {"value": "p25000", "limit": 20}).scalars())
                assert not re.search("Seq Scan on (checkouts|orders|customers|grants)", plan), (way, plan)
                assert sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", plan))) < 10, (way, plan)
