"""The list of a shop's checkouts: states, pages, filters, the file."""

import csv
import io
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from connector.canonical import Channel, Stage
from connector.rules.permissions import Role
from connector.store import people, records
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import EMAIL, T0, at, make_cart, make_order, terms
from tests.store.writing import Writer
from tests.web.conftest import Seed, abandon, run, scalar, shop_public_id, turn_on
from tests.web.merchant.conftest import Post, row_of, rows
from tests.web.signing import sign_in


@pytest.fixture
def url(here: str) -> str:
    """The list of the shop."""
    return f"{here}/checkouts"


def who(page: str) -> list[str]:
    """The first cells, without the domain of the made-up addresses."""
    return [row.split(" ")[0].removesuffix("@example.org") for row in rows(page)[1:]]


def test_the_checkouts_of_the_first_shop_come_first(client: TestClient, here: str, me: str) -> None:
    assert client.get("/app/checkouts").headers["location"] == f"{here}/checkouts"


@pytest.mark.spec("SQ-12")
def test_the_switch_and_the_delay_are_shown_and_changed_beside_the_list(
    client: TestClient, parts: Composition, url: str, post: Post, here: str
) -> None:
    def shown() -> str:
        page = client.get(url).text
        return page[page.index('id="switch"') : page.index("</section>", page.index('id="switch"'))]

    assert ">Turn on</button>" in shown()
    assert f'action="{here}/automation"' in shown()
    assert '<option value="60" selected>' in shown()
    post(f"{here}/automation", is_on="on", delay="1440", back="checkouts")
    assert '<option value="1440" selected>' in shown()
    assert ">Turn off</a>" in shown()
    assert "one reminder after 24 hours" in shown()
    post(f"{here}/automation", delay="other", minutes="90", back="checkouts")
    assert '<option value="other" selected>' in shown()
    assert 'name="minutes" value="90"' in shown()
    assert scalar(parts, "select is_on from automations") is True
    post(f"{here}/automation/off", back="checkouts")
    assert ">Turn on</button>" in shown()


def test_every_state_of_a_checkout_is_told_with_its_reason(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, now: datetime, url: str
) -> None:
    turn_on(parts, shopify_shop)

    def add(name: str, minutes: float, **changes: object) -> None:
        seed(shopify_shop, minutes=minutes, **({"platform_id": name, "token": name, "email": f"{name}@example.org"} | changes))

    add("left", 90, total=Decimal("1234.5"))
    add("back", 90)
    abandon(parts, shopify_shop)
    add("back", 90, order=make_order(now, platform_id="o1", checkout_token="back", email="back@example.org"))
    add("busy", 5)
    add("done", 5, completed_at=now)
    add("shut", 5, closed_at=now)
    add("void", 5, lines=())
    add("anon", 90, email=None)
    add("read", 90)
    run(parts, "update checkouts set is_quiet = true, due_at = null where email = 'read@example.org'")
    abandon(parts, shopify_shop)
    page = client.get(url).text
    assert row_of(page, "left@example.org").startswith("left@example.org €1,234.50 abandoned Abandoned: a reminder is queued queued")
    assert " recovered " in row_of(page, "back@example.org")
    assert "waiting The shopper may still finish" in row_of(page, "busy@example.org")
    assert "purchased An order was placed" in row_of(page, "done@example.org")
    assert "closed The store closed or deleted the checkout" in row_of(page, "shut@example.org")
    assert "emptied The shopper emptied the cart" in row_of(page, "void@example.org")
    assert "no contact No e-mail address is known" in row_of(page, "Checkout anon")
    assert "imported We learned of it only by reading the store again" in row_of(page, "read@example.org")
    for state, names in (("recovered", ["back"]), ("waiting", ["busy"]), ("no_contact", ["Checkout"]), ("imported", ["read"])):
        assert who(client.get(url, params={"state": state}).text) == names
    assert len(who(client.get(url, params={"state": "nonsense"}).text)) == 8


@pytest.mark.spec("SQ-04")
def test_a_checkout_that_nobody_can_be_told_about_says_not_identified(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, url: str
) -> None:
    turn_on(parts, shopify_shop)
    public_id = seed(shopify_shop, minutes=90, email=None)
    abandon(parts, shopify_shop)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        records.save_checkouts(session, terms(shopify_shop), [make_cart()])
    assert scalar(parts, "select count(*) from messages") == 0
    assert scalar(parts, "select count(*) from decisions") == 0
    assert client.get(url).text.count("No e-mail address is known") == 2
    assert "No e-mail address is known" in client.get(f"/app/checkouts/{public_id}").text


def test_a_cart_is_listed_until_its_checkout_is(client: TestClient, shopify_shop: TestShop, seed: Seed, url: str) -> None:
    seed(shopify_shop, stage=Stage.CART, platform_id="cart-1", cart_token="cart-1", email=None, recovery_url=None)
    assert len(who(client.get(url).text)) == 1
    seed(shopify_shop, cart_token="cart-1")
    assert who(client.get(url).text) == [EMAIL.removesuffix("@example.org")]


def test_an_undecided_checkout_of_an_unsubscribed_shopper_says_so(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, url: str
) -> None:
    turn_on(parts, shopify_shop)
    seed(shopify_shop)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        people.suppress(session, parts.services.vault, shopify_shop.id, Channel.EMAIL, EMAIL, "unsubscribed")
    assert "The shopper unsubscribed" in row_of(client.get(url).text, EMAIL)


def test_times_are_told_in_the_time_of_the_shop_and_in_the_readers_language(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, url: str
) -> None:
    seed(shopify_shop, created_at=T0)
    assert 'title="20 Nov 2026, 10:00:00 CET">20 Nov 2026, 10:00<' in client.get(url).text
    run(parts, "update shops set timezone = 'Asia/Tokyo'")
    client.cookies.set("language", "fr")
    page = client.get(url).text
    assert 'title="20 nov. 2026, 18:00:00 JST">20 nov. 2026, 18:00<' in page
    assert "heures de Asia/Tokyo" in page
    assert "12,50\xa0€" in page


def test_the_list_goes_on_page_by_page_newest_first(client: TestClient, write: Writer, url: str) -> None:
    for number in range(103):
        write.checkout(T0 + timedelta(minutes=number // 2), email=f"p{number:03}@example.org")
    first = client.get(url, params={"q": "p"}).text
    assert who(first) == [f"p{number:03}" for number in range(102, 52, -1)]
    assert 'rel="prev"' not in first
    second = client.get(follow(first, "next")).text
    assert who(second) == [f"p{number:03}" for number in range(52, 2, -1)]
    third = client.get(follow(second, "next")).text
    assert who(third) == ["p002", "p001", "p000"]
    assert 'rel="next"' not in third
    assert who(client.get(follow(third, "prev")).text) == who(second)
    assert "q=p&" in follow(second, "prev")
    gone = client.get(url, params={"before": "chk_0198c5f2-0000-7000-8000-000000000000"})
    assert (gone.status_code, who(gone.text)) == (200, [])
    assert client.get(url, params={"before": "' or 1=1"}).status_code == 404


def follow(page: str, rel: str) -> str:
    link = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    assert link is not None
    return link[1].replace("&amp;", "&")


def test_filters_are_days_of_the_shop_both_included(client: TestClient, write: Writer, url: str) -> None:
    for name, instant in (("a", at(14 * 60 - 1)), ("b", at(14 * 60)), ("c", at(38 * 60 - 1)), ("d", at(38 * 60))):
        write.checkout(instant, email=f"{name}@example.org")  # b and c: on the 21st in Paris
    assert who(client.get(url, params={"from": "2026-11-21", "to": "2026-11-21"}).text) == ["c", "b"]
    assert who(client.get(url, params={"from": "2026-11-21"}).text) == ["d", "c", "b"]
    assert who(client.get(url, params={"to": "2026-11-20", "q": "A@EX"}).text) == ["a"]
    odd = client.get(url, params={"from": "yesterday", "to": "2026-11-20"}).text
    assert who(odd) == ["a"]
    assert "A day is written like 2026-11-30" in odd
    assert "No checkout fits these filters." in client.get(url, params={"q": "nobody"}).text
    assert "No checkouts yet" not in client.get(url, params={"q": "nobody"}).text


@pytest.mark.spec("SEC-181")
def test_another_shop_in_the_address_changes_nothing(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed, url: str
) -> None:
    seed(shopify_shop)
    foreign = seed(woo_shop, email="other@example.net")
    theirs = shop_public_id(parts, woo_shop)
    for params in ({"shop": theirs}, {"shop_id": str(woo_shop.id)}, {"account_id": "2"}):
        assert who(client.get(url, params=params).text) == [EMAIL.removesuffix("@example.org")]
        assert "other@example.net" not in client.get(f"{url}.csv", params=params).text
    page = client.get(url, params={"before": foreign}).text
    assert who(page) == []
    assert client.get(f"/app/shops/{theirs}/checkouts").status_code == 404
    assert client.get("/app", params={"shop": theirs}).status_code == 404


# ---------------------------------------------------------------- the file


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.spec("SEC-198")
def test_the_file_holds_the_filtered_list_and_no_formulas(client: TestClient, write: Writer, url: str) -> None:
    write.checkout(T0, email="other@example.org")
    bad = {"first_name": '=HYPERLINK("https://evil.example")', "last_name": "@SUM(A1)", "number": "-1+1", "total": Decimal("1234.5")}
    write.checkout(at(5), email="+anna@example.org", abandoned_at=at(65), **bad)
    answer = client.get(f"{url}.csv", params={"q": "+anna"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *found = read(answer.text)
    assert header[:3] == ["Checkout", "E-mail", "First name"]
    assert len(found) == 1
    assert found[0][:6] == ["'-1+1", "'+anna@example.org", '\'=HYPERLINK("https://evil.example")', "'@SUM(A1)", "1234.5", "EUR"]
    assert found[0][6:9] == ["abandoned", "The automation is off", ""]
    assert found[0][9:] == ["2026-11-20 10:05:00+01:00", "2026-11-20 10:05:00+01:00", "2026-11-20 11:05:00+01:00", ""]


def test_the_file_goes_on_over_many_batches_in_the_order_of_the_list(
    client: TestClient, write: Writer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.web.merchant.checkouts.EXPORT_BATCH", 3)
    for number in range(9):
        write.checkout(T0 + timedelta(minutes=number // 2), email=f"p{number}@example.org")
    found = [row[1] for row in read(client.get(f"{url}.csv").text)[1:]]
    assert found == [f"p{number}@example.org" for number in range(8, -1, -1)]


def test_an_export_is_written_down_and_not_for_everybody(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, me: str
) -> None:
    client.get(f"{url}.csv", params={"q": "anna@example.org", "state": "abandoned"})
    entry = scalar(parts, "select concat_ws(' | ', actor, action, object, reason) from audit_entries where action = 'checkouts.exported'")
    assert entry == f"member {me} | checkouts.exported | {shop_public_id(parts, shopify_shop)} | filters: state, q"
    assert "Download as CSV" not in client.get(url).text, "there is nothing to take along"
    Writer(parts.db, shopify_shop.id).checkout()
    assert "Download as CSV" in client.get(url).text
    sign_in(client, parts, shopify_shop, Role.READ_ONLY)
    assert client.get(f"{url}.csv").status_code == 403
    assert "Download as CSV" not in client.get(url).text


def test_the_file_is_in_the_readers_language(client: TestClient, write: Writer, url: str) -> None:
    write.checkout()
    client.cookies.set("language", "fr")
    header, row = read(client.get(f"{url}.csv").text)
    assert header[:2] == ["Panier", "E-mail"]
    assert "en attente" in row
