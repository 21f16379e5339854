"""A shop moves to another account with proof from both sides, and everything of it goes along."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store import people, records
from connector.store.work import lease_inbox
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import make_customer
from tests.web.conftest import Seed, browser, run, scalar, shop_public_id
from tests.web.signing import send, sign_in


@pytest.fixture
def taker(parts: Composition, woo_shop: TestShop) -> Iterator[TestClient]:
    """The owner of the account that shall take the shop."""
    with browser(parts) as one:
        sign_in(one, parts, woo_shop)
        yield one


@pytest.fixture
def giver(client: TestClient, parts: Composition, shopify_shop: TestShop) -> TestClient:
    """The owner of the shop that shall move."""
    sign_in(client, parts, shopify_shop)
    return client


def code_of(owner: TestClient, parts: Composition) -> str:
    page = send(owner, parts, "/app/transfer").text
    return page.partition('<code id="code">')[2].partition("</code>")[0]


def account_of(parts: Composition, shop: TestShop) -> int:
    return int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))


def test_a_shop_moves_when_both_owners_agree(
    giver: TestClient, taker: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed
) -> None:
    checkout = seed(shopify_shop)
    url = f"/app/shops/{shop_public_id(parts, shopify_shop)}"
    assert taker.get(url).status_code == 404
    rung: list[str] = []
    parts.db.on_wake(lambda wake: rung.append(wake.job))
    answer = send(giver, parts, f"{url}/transfer", code=code_of(taker, parts))
    assert answer.headers["location"] == "/app?done=shop-moved"
    assert "apply_inbox" in rung, "who rang for the inbox meanwhile was turned away"
    assert account_of(parts, shopify_shop) == account_of(parts, woo_shop)
    assert giver.get(url).status_code == 404
    assert giver.get(f"/app/checkouts/{checkout}").status_code == 404
    assert taker.get(url).status_code == 200
    assert taker.get(f"/app/checkouts/{checkout}").status_code == 200
    said = "select string_agg(action, ' ' order by id) from audit_entries where action like 'shop.moved%'"
    assert scalar(parts, said) == "shop.moved_out shop.moved_in"


@pytest.mark.parametrize("how", ["nothing", "nonsense", "of this account", "too old", "another seal"])
def test_without_the_other_owners_word_it_stays(
    how: str, giver: TestClient, taker: TestClient, parts: Composition, shopify_shop: TestShop
) -> None:
    before = account_of(parts, shopify_shop)
    codes = {
        "nothing": lambda: "",
        "nonsense": lambda: "é" * 40,
        "of this account": lambda: code_of(giver, parts),
        "too old": lambda: code_of(taker, parts),
        "another seal": lambda: parts.services.vault.seal({"secret": "of a shop"}).decode(),
    }
    code = codes[how]()
    if how == "too old":
        run(parts, "update app_clock set ahead = interval '61 minutes'")
    answer = send(giver, parts, f"/app/shops/{shop_public_id(parts, shopify_shop)}/transfer", code=code)
    assert answer.status_code == 422
    assert "was not moved" in answer.text
    assert account_of(parts, shopify_shop) == before


def test_the_taker_alone_moves_nothing(taker: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    answer = send(taker, parts, f"/app/shops/{shop_public_id(parts, shopify_shop)}/transfer", code=code_of(taker, parts))
    assert answer.status_code == 404


def test_a_marketer_of_either_side_may_not(client: TestClient, taker: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop, Role.MARKETER)
    assert send(client, parts, "/app/transfer").status_code == 403
    url = f"/app/shops/{shop_public_id(parts, shopify_shop)}/transfer"
    assert send(client, parts, url, code=code_of(taker, parts)).status_code == 403


def test_it_waits_for_deliveries_that_are_being_applied(
    giver: TestClient, taker: TestClient, parts: Composition, shopify_shop: TestShop
) -> None:
    code = code_of(taker, parts)
    url = f"/app/shops/{shop_public_id(parts, shopify_shop)}/transfer"
    with parts.db.transaction(shop=shopify_shop.id) as drain:
        assert lease_inbox(drain, shopify_shop.id) is not None
        answer = send(giver, parts, url, code=code)
        assert answer.status_code == 422
        assert "busy" in answer.text
    assert send(giver, parts, url, code=code).status_code == 303


def test_what_is_known_of_its_people_goes_along_and_the_newest_word_counts(
    giver: TestClient, taker: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, now: datetime
) -> None:
    def know(shop: TestShop, email: str, name: str, days_ago: int, last: str | None = None) -> None:
        at = now - timedelta(days=days_ago)
        customer = make_customer(at, platform_id=f"{email}-{name}", email=email, first_name=name, last_name=last)
        with parts.db.transaction(shop=shop.id) as session:
            ids = people.save_contacts(session, account_of(parts, shop), [customer])
            records.save_customers(session, shop.id, [customer], ids)

    know(shopify_shop, "anna@example.org", "Anna-Maria", 1)
    know(shopify_shop, "anna@example.org", "Anna", 9, "Petit")
    know(shopify_shop, "only@example.org", "Only", 5)
    know(woo_shop, "anna@example.org", "A.", 3)
    source, target = account_of(parts, shopify_shop), account_of(parts, woo_shop)
    send(giver, parts, f"/app/shops/{shop_public_id(parts, shopify_shop)}/transfer", code=code_of(taker, parts))
    of = """select string_agg(email || ' ' || coalesce(first_name, '') || ' ' || coalesce(last_name, ''), ',' order by email)
        from contacts where account_id = :id"""
    assert scalar(parts, of, id=target) == "anna@example.org Anna-Maria Petit,only@example.org Only "
    assert scalar(parts, of, id=source) is None, "the account that gave the shop keeps nobody"
    strangers = """select count(*) from customers c join contacts k on k.id = c.contact_id join shops s on s.id = c.shop_id
        where k.account_id <> s.account_id"""
    assert scalar(parts, strangers) == 0
    assert scalar(parts, "select count(*) from customers where contact_id is null") == 0
