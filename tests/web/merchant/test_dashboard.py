"""The dashboard: figures, days, shops, notices."""

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store import notices, shops
from connector.store.notices import Cause
from connector.web.composition import Composition
from connector.web.merchant.dashboard import OFFER_CAUSES
from connector.web.merchant.period import NO_DAYS, TOO_LONG, Period, read_period, today_in
from connector.web.merchant.phrases import NOTICES, ago_text, count_text, day_text, share_text
from tests.conftest import TestShop
from tests.store.writing import Writer
from tests.web.conftest import run, shop_public_id, turn_on
from tests.web.merchant.conftest import plain, row_of, rows
from tests.web.signing import sign_in

TODAY = date(2026, 11, 20)
DAY = timedelta(days=1)


def stats(page: str) -> list[str]:
    """The tiles as people read them."""
    return [plain(tile) for tile in re.findall(r'<div class="stat">(.*?)</div>', page, re.DOTALL)]


def join(parts: Composition, shop: TestShop, other: TestShop) -> None:
    """Put the second shop into the account of the first."""
    run(parts, "update shops set account_id = (select account_id from shops where id = :a) where id = :b", a=shop.id, b=other.id)


@pytest.mark.spec("SQ-09")
def test_the_figures_of_a_range_are_shown(client: TestClient, me: str, write: Writer) -> None:
    noon = datetime(2026, 11, 10, 11, tzinfo=UTC)
    for total in (Decimal(100), Decimal(50)):
        write.checkout(abandoned_at=noon, total=total)
    write.checkout(abandoned_at=noon, total=Decimal(50), email=None, email_norm=None)
    order = write.order(noon + DAY, total=Decimal("1048.50"))
    won = write.checkout(abandoned_at=noon + DAY / 4, total=Decimal("1050.25"), converted_at=noon + DAY, converted_order_id=order)
    write.message(won, noon + DAY)
    write.checkout(abandoned_at=noon - 5 * DAY)
    page = client.get("/app", params={"from": "2026-11-10", "to": "2026-11-11"}).text
    assert stats(page) == [
        "Abandoned checkouts 4 €1,250.25 in all; 1 without an e-mail address",
        "E-mails sent 1",
        "Recovered 1 €1,048.50 in orders placed afterwards",
        "Recovery rate 25% of the abandoned checkouts",
    ]
    assert rows(page)[1:3] == ["11 Nov 2026 0 €0.00 1 0 €0.00", "10 Nov 2026 4 €1,250.25 0 1 €1,048.50"]
    assert 'name="from" value="2026-11-10"' in page
    client.cookies.set("language", "fr")
    page = client.get("/app", params={"from": "2026-11-10", "to": "2026-11-11"}).text
    assert "25\xa0%" in page
    assert "1\u202f250,25\xa0€" in page


def test_each_currency_has_figures_of_its_own(client: TestClient, me: str, write: Writer) -> None:
    write.checkout(abandoned_at=datetime.now(UTC), currency="USD")
    for _ in range(2):
        write.checkout(abandoned_at=datetime.now(UTC))
    page = client.get("/app").text
    abandoned = [one.split(" in all")[0] for one in stats(page) if "Abandoned" in one]
    assert abandoned == ["Abandoned checkouts 2 €25.00", "Abandoned checkouts 1 $12.50"]
    assert re.findall(r'<h2 class="over">(\w{3})</h2>', page) == ["EUR", "USD"]


def test_one_shop_can_be_chosen_and_presets_keep_it(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, write: Writer
) -> None:
    join(parts, shopify_shop, woo_shop)
    sign_in(client, parts, shopify_shop)
    write.checkout(abandoned_at=datetime.now(UTC))
    Writer(parts.db, woo_shop.id).checkout(abandoned_at=datetime.now(UTC) - 40 * DAY)
    name = shop_public_id(parts, woo_shop)
    assert stats(client.get("/app").text)[0].startswith("Abandoned checkouts 1 ")
    assert stats(client.get("/app", params={"days": "90"}).text)[0].startswith("Abandoned checkouts 2 ")
    page = client.get("/app", params={"shop": name}).text
    assert "Nothing happened in these days" in page
    assert f'<option value="{name}" selected>Boutique</option>' in page
    link = re.search(r'href="(/app\?days=90[^"]*)"', page)
    assert link is not None
    assert stats(client.get(link[1].replace("&amp;", "&")).text)[0].startswith("Abandoned checkouts 1 ")


def test_a_range_that_makes_no_sense_is_complained_about(client: TestClient, me: str, write: Writer) -> None:
    page = client.get("/app", params={"from": "2026-11-11", "to": "2026-11-10"}).text
    assert "Please give both days of the range" in page


def test_every_shop_tells_how_it_is_doing(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, write: Writer
) -> None:
    join(parts, shopify_shop, woo_shop)
    sign_in(client, parts, shopify_shop)
    turn_on(parts, shopify_shop)
    write.delivery("checkouts/update", datetime.now(UTC) - timedelta(minutes=9))
    write.delivery("orders/create", datetime.now(UTC) - timedelta(minutes=4, seconds=5))
    run(parts, "update shops set state = 'needs_sign_in' where id = :id", id=woo_shop.id)
    page = client.get("/app").text
    assert row_of(page, "Démo") == "Démo Shopify connected on after 1 hour Checkouts Offers Create offer 4 minutes ago , orders/create"
    assert row_of(page, "Boutique") == "Boutique WooCommerce sign-in needed off Checkouts Offers Create offer none yet"


def test_what_owners_must_know_stands_on_top_until_it_is_settled(
    client: TestClient, parts: Composition, shopify_shop: TestShop, me: str
) -> None:
    with parts.db.transaction(shop=shopify_shop.id) as session:
        shop = shops.get_shop(session, shopify_shop.id)
        notices.tell(session, parts.services.vault, shop, Cause.NEEDS_SIGN_IN, shop.public_id)
    page = client.get("/app").text
    assert "The store no longer accepts our access. Connect it again" in page
    with parts.db.transaction(shop=shopify_shop.id) as session:
        notices.settle(session, shop.account_id, Cause.NEEDS_SIGN_IN, shop.public_id)
    assert "no longer accepts" not in client.get("/app").text


def test_every_cause_of_a_notice_has_words(client: TestClient, parts: Composition, shopify_shop: TestShop, me: str) -> None:
    with parts.db.transaction(shop=shopify_shop.id) as session:
        for cause in Cause:
            notices.tell(session, parts.services.vault, shops.get_shop(session, shopify_shop.id), cause, "key")
    page = client.get("/app").text
    assert not [cause for cause in Cause if f"<p>{cause.value}" in page]
    assert page.count('class="note warn"') == len(Cause) - len(OFFER_CAUSES)
    assert not [cause for cause in Cause if cause.value not in NOTICES]


def test_without_a_shop_the_page_says_what_to_do(client: TestClient, parts: Composition, shopify_shop: TestShop, me: str) -> None:
    run(parts, "update shops set account_id = (select max(id) from accounts where id <> account_id)")
    page = client.get("/app").text
    assert "No store is connected yet" in page
    assert 'href="/app/connect"' in page
    assert client.get("/app/checkouts").headers["location"] == "/app"


def test_who_may_not_connect_is_told_who_may(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop, Role.MARKETER)
    run(parts, "update shops set account_id = (select max(id) from accounts where id <> account_id)")
    page = client.get("/app").text
    assert "An owner of the account can connect one." in page
    assert 'href="/app/connect"' not in page


# ---------------------------------------------------------------- days and words


@pytest.mark.parametrize(
    ("query", "period"),
    [
        ({}, Period(TODAY - 29 * DAY, TODAY, 30)),
        ({"days": "7"}, Period(TODAY - 6 * DAY, TODAY, 7)),
        ({"days": "90"}, Period(TODAY - 89 * DAY, TODAY, 90)),
        ({"days": "8"}, Period(TODAY - 29 * DAY, TODAY, 30)),
        ({"from": "2026-11-01", "to": "2026-11-01"}, Period(date(2026, 11, 1), date(2026, 11, 1))),
        ({"from": "2026-11-01", "to": "2026-11-03", "days": "7"}, Period(date(2026, 11, 1), date(2026, 11, 3))),
        ({"from": "2026-01-01", "to": "2027-01-01"}, Period(date(2026, 1, 1), date(2027, 1, 1))),
        ({"from": "2026-01-01", "to": "2027-01-02"}, Period(TODAY - 29 * DAY, TODAY, 30, TOO_LONG)),
        ({"from": "2026-11-02", "to": "2026-11-01"}, Period(TODAY - 29 * DAY, TODAY, 30, NO_DAYS)),
        ({"from": "2026-11-02"}, Period(TODAY - 29 * DAY, TODAY, 30, NO_DAYS)),
        ({"from": "x", "to": "2026-11-02"}, Period(TODAY - 29 * DAY, TODAY, 30, NO_DAYS)),
    ],
)
def test_a_period_is_read_from_the_address(query: dict[str, str], period: Period) -> None:
    assert read_period(query, TODAY) == period


def test_a_period_has_as_many_days_as_it_says() -> None:
    period = Period(date(2026, 10, 24), date(2026, 10, 26))
    starts = period.starts(ZoneInfo("Europe/Paris"))
    assert period.length == len(starts) - 1 == 3
    assert [(b.timestamp() - a.timestamp()) / 3600 for a, b in itertools.pairwise(starts)] == [24, 25, 24]


def test_today_is_the_latest_of_all_places() -> None:
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert today_in([], now) == date(2026, 11, 20)
    assert today_in([ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")], now) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("passed", "english", "french"),
    [
        (timedelta(seconds=-5), "just now", "à l’instant"),
        (timedelta(seconds=59), "just now", "à l’instant"),
        (timedelta(minutes=1), "1 minute ago", "il y a 1 minute"),
        (timedelta(minutes=59), "59 minutes ago", "il y a 59 minutes"),
        (timedelta(hours=3), "3 hours ago", "il y a 3 heures"),
        (timedelta(days=12), "12 days ago", "il y a 12 jours"),
    ],
)
def test_how_long_ago_is_told_in_words(passed: timedelta, english: str, french: str) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert ago_text(now - passed, now, "en") == english
    assert ago_text(now - passed, now, "fr") == french


def test_numbers_and_days_are_written_as_the_reader_does() -> None:
    assert [share_text(share, "en") for share in (None, Decimal(1) / 3, Decimal(1), Decimal(0))] == ["—", "33.3%", "100%", "0%"]
    assert share_text(Decimal(1) / 3, "fr") == "33,3\u202f%" or share_text(Decimal(1) / 3, "fr") == "33,3\xa0%"
    assert [count_text(12345, language) for language in ("en", "fr")] == ["12,345", "12\u202f345"]
    assert [day_text(TODAY, language) for language in ("en", "fr")] == ["20 Nov 2026", "20 nov. 2026"]
