"""The merchant's switch, delay, clock and text."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from connector.store.db import Wake
from connector.web.composition import Composition
from sync.send import claim
from tests.conftest import TestShop
from tests.web.conftest import Seed, abandon, browser, run, scalar, shop_public_id, turn_on
from tests.web.test_auth import basic


@pytest.fixture
def url(parts: Composition, shopify_shop: TestShop) -> str:
    """The page of the shop's automation."""
    return f"/shops/{shop_public_id(parts, shopify_shop)}/automation"


def is_on(parts: Composition) -> bool:
    return bool(scalar(parts, "select is_on from automations"))


# ---------------------------------------------------------------- the switch


@pytest.mark.spec("SQ-01")
def test_a_new_store_sends_nothing_until_its_automation_is_turned_on(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed
) -> None:
    page = client.get(url)
    assert "Nothing is sent." in page.text
    assert ">Turn on</button>" in page.text
    seed(shopify_shop, minutes=90)
    assert abandon(parts, shopify_shop) == 1
    assert scalar(parts, "select count(*) from messages") == 0
    assert client.post(url, data={"is_on": "on"}).headers["location"] == url
    assert is_on(parts)
    assert ">Turn off</button>" in client.get(url).text
    assert scalar(parts, "select string_agg(actor || ' ' || action, ',') from audit_entries") == "operator automation.on"


@pytest.mark.spec("SQ-20", "SQ-21")
def test_turning_it_off_cancels_what_is_queued_and_nothing_leaves_after(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    for number in range(3):
        seed(shopify_shop, minutes=90, platform_id=f"tok-{number}", token=f"tok-{number}", email=f"p{number}@example.org")
    abandon(parts, shopify_shop)
    assert scalar(parts, "select count(*) from messages where state = 'queued'") == 3
    assert client.post(url, data={"is_on": "off"}).status_code == 303
    assert scalar(parts, "select string_agg(distinct state || ' ' || reason, ',') from messages") == "cancelled automation_off"
    assert parts.metrics.messages.values() == {("email", "cancelled"): 3}
    assert scalar(parts, "select string_agg(distinct reason, ',') from decisions") == "automation_off"
    assert claim(parts.services, shopify_shop.id) is None
    client.post(url, data={"is_on": "on"})
    assert claim(parts.services, shopify_shop.id) is None
    assert scalar(parts, "select count(*) from messages where state = 'cancelled'") == 3


@pytest.mark.spec("SQ-16")
def test_a_shop_without_contact_details_cannot_turn_it_on(client: TestClient, parts: Composition, url: str) -> None:
    run(parts, "update shops set contact_email = '', contact_address = null")
    answer = client.post(url, data={"is_on": "on"})
    assert answer.status_code == 422
    assert "must say who sends it" in answer.text
    assert "Nothing was changed." in answer.text
    assert not is_on(parts)
    run(parts, "update shops set contact_address = '8 rue du Bac, 75007 Paris'")
    assert client.post(url, data={"is_on": "on"}).status_code == 303


@pytest.mark.parametrize("state", ["needs_sign_in", "uninstalled"])
def test_a_shop_that_is_not_connected_cannot_turn_it_on(state: str, client: TestClient, parts: Composition, url: str) -> None:
    run(parts, "update shops set state = :state", state=state)
    answer = client.post(url, data={"is_on": "on"})
    assert answer.status_code == 422
    assert "The shop is not connected" in answer.text
    assert not is_on(parts)


def test_without_a_way_to_send_it_cannot_be_turned_on_outside_the_sandbox(
    make_parts: Callable[..., Composition], shopify_shop: TestShop, url: str
) -> None:
    with browser(make_parts(sandbox=False, smtp_url=None)) as client:
        answer = client.post(url, data={"is_on": "on"}, headers=basic())
        assert answer.status_code == 422
        assert "SMTP_URL" in answer.text
    with browser(make_parts(sandbox=True, smtp_url=None)) as client:
        assert client.post(url, data={"is_on": "on"}).status_code == 303


def test_turning_it_off_is_always_possible(client: TestClient, parts: Composition, shopify_shop: TestShop, url: str) -> None:
    turn_on(parts, shopify_shop)
    run(parts, "update shops set state = 'needs_sign_in', contact_email = null, contact_address = null")
    assert client.post(url, data={"is_on": "off"}).status_code == 303
    assert not is_on(parts)


# ---------------------------------------------------------------- the delay


@pytest.mark.spec("SQ-10")
def test_the_delay_is_set_while_turning_on_and_an_empty_one_is_refused(client: TestClient, parts: Composition, url: str) -> None:
    page = client.get("/").text
    assert 'name="minutes" value="60"' in page
    assert client.post(url, data={"is_on": "on", "minutes": " ", "back": "overview"}).status_code == 422
    assert not is_on(parts)
    answer = client.post(url, data={"is_on": "on", "minutes": "45", "back": "overview"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert is_on(parts)
    assert scalar(parts, "select threshold_minutes from shops") == 45
    assert "after 45 minutes" in client.get("/").text


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("minutes", ["20", "2880", "21", "1440"])
def test_any_delay_from_20_minutes_to_48_hours_is_accepted(minutes: str, client: TestClient, parts: Composition, url: str) -> None:
    fields = {"delay": "other", "minutes": minutes, "clock": "activity", "extra_text": ""}
    assert client.post(url, data=fields).status_code == 303
    assert scalar(parts, "select threshold_minutes from shops") == int(minutes)


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("minutes", ["19", "2881", "0", "-20", "20.5", "1e2", "an hour", "٤٥", "9" * 12, ""])
def test_any_other_delay_is_refused_with_the_range(minutes: str, client: TestClient, parts: Composition, url: str) -> None:
    answer = client.post(url, data={"delay": "other", "minutes": minutes, "extra_text": "Kept as typed"})
    assert answer.status_code == 422
    assert "20" in answer.text
    assert "2880" in answer.text
    assert "48 hours" in answer.text
    assert "Kept as typed" in answer.text
    assert scalar(parts, "select threshold_minutes from shops") == 60
    assert scalar(parts, "select extra_text from automations") is None


def test_a_preset_outweighs_the_free_number_beside_it(client: TestClient, parts: Composition, url: str) -> None:
    for preset in (20, 30, 60, 120, 360, 600, 1440, 2880):
        assert f'value="{preset}"' in client.get(url).text
    assert client.post(url, data={"delay": "120", "minutes": "nonsense"}).status_code == 303
    assert scalar(parts, "select threshold_minutes from shops") == 120
    assert 'value="120" checked' in client.get(url).text
    client.post(url, data={"delay": "other", "minutes": "77"})
    assert 'value="other" checked' in client.get(url).text
    assert client.post(url, data={"delay": "other"}).status_code == 422


def test_a_new_delay_counts_for_checkouts_that_are_open(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, now: datetime
) -> None:
    rung: list[Wake] = []
    parts.db.on_wake(rung.append)
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=40)
    assert scalar(parts, "select due_at from checkouts") == now + timedelta(minutes=20)
    client.post(url, data={"minutes": "30"})
    assert scalar(parts, "select due_at from checkouts") == now - timedelta(minutes=10)
    assert Wake("mark_abandoned", shopify_shop.id) in rung
    assert abandon(parts, shopify_shop) == 1


def test_what_is_posted_unchanged_rings_nobody(client: TestClient, parts: Composition, url: str) -> None:
    rung: list[Wake] = []
    parts.db.on_wake(rung.append)
    assert client.post(url, data={"minutes": "60", "clock": "activity"}).status_code == 303
    assert rung == []


# ---------------------------------------------------------------- the rest


@pytest.mark.spec("SW-02")
def test_the_clock_can_run_from_the_last_addition(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, now: datetime
) -> None:
    seed(shopify_shop, minutes=40)
    seed(shopify_shop, minutes=10, discount_codes=("HELLO",), created_at=now - timedelta(minutes=40))
    assert scalar(parts, "select last_activity_at from checkouts") == now - timedelta(minutes=10)
    assert client.post(url, data={"clock": "addition", "minutes": "20"}).status_code == 303
    assert scalar(parts, "select last_activity_at from checkouts") == now - timedelta(minutes=40)
    assert scalar(parts, "select due_at from checkouts") == now - timedelta(minutes=20)
    assert 'value="addition" checked' in client.get(url).text
    assert client.post(url, data={"clock": "moon"}).status_code == 422
    assert client.post(url, data={"is_on": "maybe"}).status_code == 422


def test_the_merchants_own_text_is_kept_as_typed_and_shown_escaped(client: TestClient, parts: Composition, url: str) -> None:
    text = "Livraison offerte <b>dès 50 €</b>\r\nÀ bientôt & merci"
    assert client.post(url, data={"extra_text": f"  {text}  "}).status_code == 303
    assert scalar(parts, "select extra_text from automations") == text.replace("\r\n", "\n")
    page = client.get(url).text
    assert "&lt;b&gt;dès 50 €&lt;/b&gt;" in page
    client.post(url, data={"minutes": "30"})
    assert scalar(parts, "select extra_text from automations") is not None
    client.post(url, data={"extra_text": " "})
    assert scalar(parts, "select extra_text from automations") is None


def test_the_merchants_own_text_has_a_limit(client: TestClient, parts: Composition, url: str) -> None:
    assert client.post(url, data={"extra_text": "é" * 500}).status_code == 303
    answer = client.post(url, data={"extra_text": "é" * 501, "minutes": "30"})
    assert answer.status_code == 422
    assert "up to 500 characters; this one has 501" in answer.text
    assert scalar(parts, "select threshold_minutes from shops") == 60


@pytest.mark.spec("SEC-180")
def test_a_shop_that_does_not_exist_has_no_pages(client: TestClient, shopify_shop: TestShop) -> None:
    nobody = "shp_0198c5f2-0000-7000-8000-000000000000"
    for path in (f"/shops/{nobody}", f"/shops/{nobody}/automation", "/shops/1", "/shops/demo.myshopify.com", "/shops/%00"):
        assert client.get(path).status_code == 404, path
    assert client.post(f"/shops/{nobody}/automation", data={"is_on": "on"}).status_code == 404
    assert client.post(f"/shops/{nobody}/webhooks").status_code == 404
