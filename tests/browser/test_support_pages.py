"""Support's pages in a browser: every look of every page, and the ways through them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from connector.canonical import Phone
from connector.store import people
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_looks_right
from tests.conftest import TestShop
from tests.factories import EMAIL, make_line, make_order
from tests.web.conftest import Seed, abandon, run, shop_public_id, turn_on

REASON = "Request 4711: no reminder came"
BODY = {
    "id": 6210,
    "email": EMAIL,
    "total_price": "37.50",
    "line_items": [{"title": "Bougie Cèdre", "quantity": 2, "price": "12.50"}],
    "note": "<b>Merci</b> – à bientôt",
}


@pytest.fixture
def story(parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed) -> dict[str, str]:
    """A store with a life: a recovered checkout, deliveries of every kind, people, notices; and where its pages are."""
    turn_on(parts, shopify_shop)
    lines = (make_line("101", 2, variant_title="Bleu", image_url="https://cdn.example/a.jpg"), make_line("102", image_url=None))
    whole: dict[str, Any] = {
        "lines": lines,
        "number": "#7001",
        "first_name": "Anna",
        "last_name": "Petit",
        "phone": Phone("06 45 67 89 01", "+33645678901"),
        "subtotal": Decimal("37.50"),
        "total": Decimal("37.50"),
    }
    seed(shopify_shop, minutes=95, number="#7001")
    checkout = seed(shopify_shop, minutes=90, **whole)
    abandon(parts, shopify_shop)
    run(parts, "update messages set state = 'sent', handed_over_at = app_now(), clicked_at = app_now(), detail = '250 ok'")
    order = make_order(datetime.now(UTC), checkout_token="tok-1", number="#1001", total=Decimal("37.50"))
    seed(shopify_shop, order=order, minutes=90, **whole)
    seed(shopify_shop, minutes=50, platform_id="t2", token="t2", number="#7002", email="bruno.durand@example.org")
    number = deliver(parts, shopify_shop)
    notice = """
        insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
        select 'ntc_1', account_id, id, 'needs_sign_in', public_id, app_now() from shops where id = :shop;
    """
    run(parts, notice, shop=shopify_shop.id)
    run(parts, "update shops set missing_scopes = array['read_products'] where id = :shop", shop=shopify_shop.id)
    unknown = "insert into unknown_shops (platform, shop_ref, topic, count, last_at)"
    run(parts, f"{unknown} values ('shopify', 'nobodys-store.myshopify.com', 'orders/create', 7, app_now())")
    shop = f"/support/shops/{shop_public_id(parts, shopify_shop)}"
    return {"shop": shop, "checkout": f"/support/checkouts/{checkout}", "delivery": f"{shop}/deliveries/{number}"}


def deliver(parts: Composition, shop: TestShop) -> int:
    """Deliveries of every state; the number of one with a body, which speaks of Anna."""
    states = ("applied", "no_meaning_yet", "after_uninstall", "quarantined", "pending", "applied")
    keep = text("""
        insert into deliveries (key, shop_id, platform, topic, state, reason, attempts, triggered_at, received_at, received_on, handled_at)
        values (sha256(gen_random_uuid()::text::bytea), :shop, 'shopify', :topic, cast(:state as text), :reason, 1, :at, :at,
            cast(:at as timestamptz)::date, :at) returning id
    """)
    with parts.db.engine.begin() as connection:
        for place, state in enumerate(states):
            values = {
                "shop": shop.id,
                "topic": "checkouts/update" if place % 2 else "orders/create",
                "state": state,
                "reason": "currency" if state == "quarantined" else None,
                "at": datetime.now(UTC) - timedelta(minutes=len(states) - place),
            }
            number = int(connection.execute(keep, values).scalar_one())
        body = text("""
            insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body)
            select received_on, id, shop_id, :headers, :body from deliveries where id = :id
        """)
        headers = "x-shopify-topic: checkouts/update\nx-shopify-shop-domain: demo.myshopify.com\nuser-agent: Shopify-Captain-Hook"
        connection.execute(body, {"id": number, "headers": headers, "body": json.dumps(BODY, ensure_ascii=False).encode()})
    with parts.db.transaction(shop=shop.id) as session:
        hashes = [parts.services.vault.keyed_hash("person", str(shop.id), "email", EMAIL)]
        people.save_delivery_people(session, shop.id, {number: hashes})
    return number


def find(typed: str) -> Callable[[Page], None]:
    """Type something into the box and look for it."""

    def act(page: Page) -> None:
        page.locator("input[name=q]").fill(typed)
        page.locator("form.card button").click()
        page.wait_for_load_state("load")

    return act


def say_why(page: Page) -> None:
    """Fill in the form that asks for a reason."""
    page.locator("[name=reason]").fill(REASON)
    page.locator("form.card button").click()
    page.wait_for_load_state("load")


def test_the_search_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, "/support", "support-search")
    assert_looks_right(staff_page, "/support", "support-search-person", prepare=find(EMAIL))
    assert_looks_right(staff_page, "/support?q=demo", "support-search-shop")
    assert_looks_right(staff_page, "/support?q=nothing-like-it", "support-search-nothing")
    assert_looks_right(staff_page, "/support", "support-search-wrong", prepare=find("anna@exam"))


def test_the_page_of_a_shop_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, story["shop"], "support-shop")


def test_the_question_for_a_reason_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, story["checkout"], "support-reason", ends_at=f"{story['shop']}/reason")


def test_the_page_of_a_checkout_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, story["checkout"], "support-checkout", prepare=say_why, ends_at=f"{story['shop']}/reason")


def test_the_list_of_deliveries_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, f"{story['shop']}/deliveries", "support-deliveries")
    assert_looks_right(staff_page, f"{story['shop']}/deliveries?state=pending&topic=x", "support-deliveries-nothing")


def test_the_page_of_a_delivery_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    assert_looks_right(staff_page, story["delivery"], "support-delivery", prepare=say_why, ends_at=f"{story['shop']}/reason")


def test_the_audit_looks_right(staff_page: Opens, story: dict[str, str]) -> None:
    page = staff_page("admin")
    page.goto(story["checkout"])
    say_why(page)
    assert_looks_right(lambda *, language: staff_page("admin", language), "/support/audit", "support-audit")


def test_from_an_address_to_a_delivery_that_is_handled_again(staff_page: Opens, story: dict[str, str], parts: Composition) -> None:
    """The way of an agent with a request, by keyboard and links only."""
    page = staff_page()
    page.goto("/support")
    page.keyboard.press("Tab")
    page.locator("[name=q]").focus()
    page.keyboard.type(EMAIL)
    page.keyboard.press("Enter")
    expect(page.locator("td.who a")).to_have_text(["#7001", "#1001"])
    assert EMAIL not in page.url
    expect(page.get_by_text("a•••@e•••.org")).not_to_have_count(0)
    page.get_by_role("link", name="#7001").click()
    expect(page.locator("h1")).to_have_text("Why do you look at this store?")
    say_why(page)
    expect(page.locator("h1")).to_have_text("Checkout #7001")
    expect(page.get_by_text("Your reason is written down.")).to_be_visible()
    expect(page.get_by_text(EMAIL).first).to_be_visible()
    page.locator("section", has=page.get_by_role("heading", name="Deliveries about this person")).get_by_role("link").first.click()
    expect(page.get_by_text('"total_price": "37.50"')).to_be_visible()
    page.get_by_role("button", name="Handle again").click()
    expect(page.get_by_text("The delivery is being handled again.")).to_be_visible()
    expect(page.locator("h1 + .tag, .titles .tag")).to_have_text("waiting")


def test_filters_change_the_list_and_the_address(staff_page: Opens, story: dict[str, str]) -> None:
    page = staff_page()
    page.goto(f"{story['shop']}/deliveries")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.get_by_label("State").select_option("quarantined")
    expect(page.locator("tbody tr")).to_have_count(1)
    # The list changed with the choice: the button asks for the same once more, and one step back is still one step.
    with page.expect_response(lambda answer: "state=quarantined" in answer.url):
        page.get_by_role("button", name="Filter").click()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page.locator("tbody tr")).to_have_count(1)
    assert "state=quarantined" in page.url
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(6)


def test_everything_works_without_scripts(staff_page: Opens, story: dict[str, str]) -> None:
    page = staff_page(java_script_enabled=False)
    page.goto("/support")
    find(EMAIL)(page)
    page.get_by_role("link", name="#7001").click()
    say_why(page)
    expect(page.locator("h1")).to_have_text("Checkout #7001")
    page.goto(f"{story['shop']}/deliveries?state=quarantined")
    expect(page.locator("tbody tr")).to_have_count(1)
