"""One box over all accounts: what is typed is understood, found, masked, and not written down."""

from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.canonical import Phone
from connector.rules.permissions import StaffRole
from connector.store import records
from connector.store.searching import Wanted
from connector.web.composition import Composition
from connector.web.support.searching import read_wanted
from tests.conftest import TestShop
from tests.factories import EMAIL, make_customer, make_order
from tests.web.conftest import Seed, run, scalar, shop_public_id
from tests.web.signing import send
from tests.web.support.conftest import Entries, Opens, rows, seen

CHECKOUT = "chk_0198c5f2-0000-7000-8000-000000000000"
PHONE = Phone("06 45 67 89 01", "+33645678901")


def search(client: TestClient, parts: Composition, typed: str) -> Any:
    """Type something and follow to where it leads."""
    answer = send(client, parts, "/support", q=typed)
    return client.get(answer.headers["location"]) if answer.status_code == 303 else answer


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (CHECKOUT, Wanted(public_id=CHECKOUT)),
        ("Anna@Example.org", Wanted(email="anna@example.org")),
        ("anna@exam", Wanted()),
        ("+33 6 45 67 89 01", Wanted(phones=("+33645678901",), number="+33 6 45 67 89 01", shop="+33 6 45 67 89 01")),
        ("06 45 67 89 01", Wanted(phones=("+33645678901", "+49645678901"), number="06 45 67 89 01", shop="06 45 67 89 01")),
        ("030 901820", Wanted(phones=("+4930901820",), number="030 901820", shop="030 901820")),
        ("#1001", Wanted(number="#1001", shop="#1001")),
        ("demo", Wanted(number="demo", shop="demo")),
        ("x", Wanted()),
    ],
)
def test_a_text_is_read_as_all_that_it_may_be(typed: str, wanted: Wanted) -> None:
    assert read_wanted(typed, ["DE", "FR"]) == wanted


def test_the_box_waits_empty(staff: Opens) -> None:
    page = staff(StaffRole.VIEWER).get("/support")
    assert page.status_code == 200
    assert 'name="q"' in page.text
    assert "Nothing found" not in page.text


def test_who_sends_without_being_connected_is_named_while_nothing_is_looked_for(
    staff: Opens, parts: Composition, shopify_shop: TestShop
) -> None:
    assert "Not connected" not in staff().get("/support").text
    add = "insert into unknown_shops (platform, shop_ref, topic, count, last_at) values ('shopify', :ref, 'orders/create', 7, app_now())"
    for ref in ("x.myshopify.com", "<script>alert(1)</script>"):
        run(parts, add, ref=ref)
    page = staff(StaffRole.VIEWER).get("/support").text
    assert any(row.startswith("x.myshopify.com Shopify orders/create 7") for row in rows(page))
    assert "<script>alert" not in page
    assert "Not connected" not in staff().get("/support", params={"q": "demo"}).text


def test_a_person_is_found_in_every_account_and_shown_masked(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed, now: datetime
) -> None:
    public_id = seed(shopify_shop, number="#7001", phone=PHONE)
    with parts.db.transaction(shop=woo_shop.id) as session:
        records.save_orders(session, woo_shop.id, [make_order(now, platform_id="77", number="77")])
        records.save_customers(session, woo_shop.id, [make_customer(now)])
    client = staff()
    for typed in (EMAIL.upper(), " anna.petit@example.org "):
        page = search(client, parts, typed)
        found = [" ".join(row.split()[:5]) for row in rows(page.text)[1:]]
        assert found == [
            "#7001 Checkout a•••@e•••.org •••01 Démo",
            "77 Order a•••@e•••.org — Boutique",
            "7340 Customer a•••@e•••.org •••01 Boutique",
        ]
        assert f'href="/support/checkouts/{public_id}"' in page.text
        assert EMAIL not in page.text.replace(f'value="{typed.strip()}"', "")
    assert "#7001" in search(client, parts, "06.45.67.89.01").text


def test_a_search_leaves_its_kind_and_its_number_of_hits_but_never_its_text(
    staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed, entries: Entries
) -> None:
    seed(shopify_shop, number="#7001")
    client = staff()
    for typed in (EMAIL, "#7001", "demo", "nobody@example.org"):
        search(client, parts, typed)
    found = entries("support.searched")
    assert [(entry["object"], entry["reason"]) for entry in found] == [
        ("email", "1 found"),
        ("number,shop", "1 found"),
        ("number,shop", "1 found"),
        ("email", "0 found"),
    ]
    for entry in found:
        assert entry["actor"].startswith("staff stf_")
        assert entry["request_id"].startswith("req_")
        assert (entry["shop_id"], entry["account_id"]) == (None, None)
        assert not any(word in str(entry) for word in ("anna", "7001", "demo", "nobody"))


def test_what_names_a_person_never_stands_in_an_address(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    client = staff()
    assert send(client, parts, "/support", q=EMAIL).status_code == 200
    assert send(client, parts, "/support", q="06 45 67 89 01").status_code == 200
    leads = send(client, parts, "/support", q="demo.myshopify & co")
    assert (leads.status_code, leads.headers["location"]) == (303, "/support?q=demo.myshopify+%26+co")


def test_a_store_is_found_and_leads_to_its_page(staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    page = search(staff(StaffRole.VIEWER), parts, "demo.my")
    assert rows(page.text)[1] == "Démo demo.myshopify.com Shopify connected Démo"
    assert f'href="/support/shops/{shop_public_id(parts, shopify_shop)}"' in page.text
    assert "Boutique" not in page.text


def test_who_may_not_see_people_gets_no_link_to_them(staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    public_id = seed(shopify_shop)
    page = search(staff(StaffRole.VIEWER), parts, public_id)
    assert "a•••@e•••.org" in page.text
    assert f"/support/checkouts/{public_id}" not in page.text
    assert f"/support/shops/{shop_public_id(parts, shopify_shop)}" in page.text


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ("nobody@example.org", 200, "Nothing found"),
        ("anna@exam", 422, "not a whole e-mail address"),
        ("x", 422, "at least two signs"),
        ("%%", 200, "Nothing found"),
        ("'; drop table shops --", 200, "Nothing found"),
        ("\x00\x1b[31m", 200, "Nothing found"),
        ("a" * 5000, 200, "Nothing found"),
    ],
)
def test_whatever_is_typed_gets_an_answer(
    staff: Opens, parts: Composition, shopify_shop: TestShop, typed: str, status: int, words: str
) -> None:
    if "\x00" in typed:
        assert send(staff(), parts, "/support", q=typed).status_code == 400
        typed = typed.replace("\x00", "")
    answer = search(staff(), parts, typed)
    assert (answer.status_code, words in seen(answer.text)) == (status, True)
    assert scalar(parts, "select count(*) from shops") == 1


@pytest.mark.spec("SEC-190")
def test_hostile_texts_are_shown_as_texts(staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}${7*7}'
    with parts.db.transaction(shop=shopify_shop.id) as session:
        session.connection().exec_driver_sql("update shops set name = %(name)s", {"name": hostile})
    seed(shopify_shop, number=hostile)
    for typed in (hostile, "demo", EMAIL):
        page = search(staff(), parts, typed).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "{{7*7}}${7*7}" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
