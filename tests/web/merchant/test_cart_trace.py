"""What became of a cart of WooCommerce, from the plugin's snapshot to the mail; and how late the store's news come."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.checkups import Check, Verdict
from connector.store import shops
from connector.store.checkups import MOST_NEWS, recent_news
from connector.web.composition import Composition
from connector.web.examining import lateness
from integrations.registry import make_platforms, make_transport
from sync import apply
from sync.send import send_messages
from tests.conftest import TestShop
from tests.web.conftest import abandon, browser, run, scalar, shop_public_id, turn_on
from tests.web.merchant.conftest import plain
from tests.web.signing import sign_in

SNAPSHOT = Path(__file__).parents[2] / "payloads" / "woocommerce" / "action_wc_connector_cart__guest_with_consents.json"
TOPIC = "action.wc_connector_cart"
TOKEN = "5f0c9b1e7a2d4c3f8e6b0a9d1c2e3f40"
Keep = Callable[..., int]


@pytest.fixture
def parts(make_parts: Callable[..., Composition], woo_shop: TestShop) -> Iterator[Composition]:
    """A process with the real adapter, whose store cannot be asked."""
    settings = make_parts().settings
    transport = make_transport(settings)
    platforms = make_platforms(settings, transport)
    platforms["woocommerce"].reads = None
    made = make_parts(platforms)
    run(made, "update shops set domain = 'galets.example', hosts = '{galets.example}' where id = :id", id=woo_shop.id)
    yield made
    transport.close()


@pytest.fixture
def client(parts: Composition, woo_shop: TestShop) -> Iterator[TestClient]:
    """The browser of an owner."""
    with browser(parts) as one:
        sign_in(one, parts, woo_shop)
        yield one


@pytest.fixture
def keep(parts: Composition, woo_shop: TestShop) -> Keep:
    """Keep a snapshot as the door does, as of `received_at`; returns the delivery's number."""

    def write(at: datetime, received_at: datetime, *, state: str = "pending", topic: str = TOPIC, **changes: Any) -> int:
        time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        body = json.loads(SNAPSHOT.read_bytes()) | {"created_at": time, "updated_at": time} | changes
        statement = """
            with one as (
                insert into deliveries (key, shop_id, platform, topic, state, attempts, received_at, received_on)
                values (sha256(gen_random_uuid()::text::bytea), :shop, 'woocommerce', :topic, :state, 0, :at, app_now()::date) returning *
            ), body as (
                insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
                select received_on, id, shop_id, '', :body from one
            ) select id from one
        """
        values = {"shop": woo_shop.id, "topic": topic, "state": state, "at": received_at, "body": json.dumps(body).encode()}
        return int(scalar(parts, statement, **values))

    return write


def trace(client: TestClient, parts: Composition, token: str = TOKEN) -> str:
    """The page of a cart as people read it."""
    public_id = scalar(parts, "select public_id from checkouts where platform_id = :token", token=token)
    answer = client.get(f"/app/checkouts/{public_id}")
    assert answer.status_code == 200
    return plain(answer.text.partition("<main")[2])


@pytest.mark.spec("C20")
def test_a_cart_shows_that_it_was_captured_and_sent_or_why_not(
    client: TestClient, parts: Composition, woo_shop: TestShop, keep: Keep, now: datetime
) -> None:
    turn_on(parts, woo_shop)
    began = now - timedelta(minutes=90)
    nobody, left = "0" * 32, "1" * 32
    keep(began, began + timedelta(minutes=4))
    keep(began, began + timedelta(minutes=4), token=nobody, email="", phone="06 45 67 89 99")
    keep(began, began + timedelta(minutes=4), token=left, status="emptied", email="other@courriel.example")
    assert apply.drain(parts.services, woo_shop.id) == 3
    abandon(parts, woo_shop)
    assert send_messages(parts.services, woo_shop.id) == 1
    page = trace(client, parts)
    steps = (
        "The checkout was started",
        f"Captured: the first news of this shopper arrived · {TOPIC}",
        "It counts as abandoned",
        "A reminder was queued · nolwenn.tanguy@courriel.example",
        "The reminder was sent · nolwenn.tanguy@courriel.example",
    )
    assert [page.find(step) for step in steps] == sorted(page.find(step) for step in steps)
    assert all(step in page for step in steps), page
    assert "The reminder was sent (" in page, "the last word on it stands above"
    page = trace(client, parts, nobody)
    assert "No e-mail address is known" in page
    assert "Captured: the first news of this shopper arrived" in page
    assert "The reminder was sent" not in page
    page = trace(client, parts, left)
    assert "The shopper emptied the cart" in page
    assert "The reminder was sent" not in page


@pytest.mark.spec("C62")
def test_late_news_show_as_late_and_count_by_when_things_happened(
    client: TestClient, parts: Composition, woo_shop: TestShop, keep: Keep, now: datetime
) -> None:
    line = json.loads(SNAPSHOT.read_bytes())["lines"][0]
    for minutes, arrived, pieces in ((2, 2, 3), (95, 1, 1), (50, 0, 2)):
        goods = [{**line, "quantity": str(pieces)}]
        keep(now - timedelta(minutes=minutes), now - timedelta(minutes=arrived), seq=pieces, first_name=f"Version {pieces}", lines=goods)
    assert apply.drain(parts.services, woo_shop.id) == 3
    row = scalar(parts, "select first_name || ' ' || (last_activity_at > app_now() - interval '10 minutes') from checkouts")
    assert row == "Version 3 true", "the order of arrival does not matter"
    found = look(parts, woo_shop)
    assert found == Check("lateness", Verdict.BAD, ("50", "94", "3"), "late")
    run(
        parts,
        "insert into shop_checkups (shop_id, checked_at, checks) values (:id, app_now(), cast(:checks as jsonb))",
        id=woo_shop.id,
        checks=json.dumps([{"code": found.code, "verdict": found.verdict.value, "found": list(found.found), "cause": found.cause}]),
    )
    page = plain(client.get(f"/app/shops/{shop_public_id(parts, woo_shop)}/connection").text)
    assert "Half of the last 3 took more than 50 min, the latest 94 min." in page
    assert "Reminders are based on when things happened, not on when we heard of them." in page


def look(parts: Composition, shop: TestShop) -> Check:
    """What the shop's own news tell of their lateness."""
    with parts.db.transaction(shop=shop.id) as session:
        row = shops.get_shop(session, shop.id)
        return lateness(parts.services.platforms["woocommerce"], row, recent_news(session, shop.id))


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        ([], (Verdict.UNKNOWN, ())),
        ([0, 1, 2], (Verdict.GOOD, ("1", "2", "3"))),
        ([0, 0, 100], (Verdict.GOOD, ("0", "100", "3"))),
        ([0, 0, 130], (Verdict.ATTENTION, ("0", "130", "3"))),
        ([0, 5, 6], (Verdict.ATTENTION, ("5", "6", "3"))),
        ([29, 30, 31], (Verdict.BAD, ("30", "31", "3"))),
        ([-5], (Verdict.GOOD, ("0", "0", "1"))),
    ],
)
def test_the_middle_and_the_latest_delay_decide(
    delays: list[int], expected: tuple[Verdict, tuple[str, ...]], parts: Composition, woo_shop: TestShop, keep: Keep, now: datetime
) -> None:
    for delay in delays:
        keep(now - timedelta(minutes=delay), now, state="applied")
    found = look(parts, woo_shop)
    assert (found.verdict, found.found) == expected


def test_only_news_of_the_last_day_that_tell_their_own_time_count(
    parts: Composition, woo_shop: TestShop, shopify_shop: TestShop, keep: Keep, now: datetime
) -> None:
    keep(now - timedelta(hours=30), now - timedelta(hours=25), state="applied")
    keep(now - timedelta(hours=3), now, state="quarantined")
    keep(now - timedelta(hours=3), now, state="applied", connector=2)
    keep(now - timedelta(hours=3), now, state="applied", status="forgotten")
    keep(now - timedelta(hours=3), now, state="applied", coupons=["x" * 300_000])
    assert look(parts, woo_shop).verdict is Verdict.UNKNOWN
    for _ in range(MOST_NEWS + 5):
        keep(now - timedelta(minutes=1), now, state="applied")
    assert look(parts, woo_shop).found == ("1", "1", str(MOST_NEWS))
    run(parts, "delete from delivery_bodies")
    assert look(parts, woo_shop).verdict is Verdict.UNKNOWN


def test_the_platforms_own_time_of_a_delivery_counts_first(parts: Composition, woo_shop: TestShop, keep: Keep, now: datetime) -> None:
    keep(now - timedelta(minutes=90), now, state="applied")
    run(parts, "update deliveries set triggered_at = received_at - interval '12 minutes'")
    assert look(parts, woo_shop).found == ("12", "12", "1")
