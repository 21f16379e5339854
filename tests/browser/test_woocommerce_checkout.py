"""The pretend WooCommerce store in a real browser: an address is caught while it is typed, and the plugin's link leads back to the cart."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from integrations.sandbox.woocommerce_actions import SESSION_COOKIE
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.sandbox.world import Sandbox
from tests.browser.kit import take_picture

SEEN_WITHIN_SECONDS = 5
CHECKOUTS = [
    pytest.param("block", "10.5.0", id="block before 10.8"),
    pytest.param("block", "11.0.0", id="block of 11"),
    pytest.param("classic", "10.5.0", id="classic"),
]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The pretend stores, on the real clock; the WooCommerce one has the plugin."""
    with Sandbox(tmp_path / "tls", lambda: datetime.now(UTC)) as world:
        world.woocommerce.plugin = True
        yield world


@pytest.fixture
def shop(sandbox: Sandbox) -> WooCommerceTwin:
    return sandbox.woocommerce


@pytest.fixture
def page(browser: Browser, sandbox: Sandbox) -> Iterator[Page]:
    """A visitor's browser that has never been here; what goes wrong in its pages fails the test."""
    context = browser.new_context(base_url=sandbox.browser_map[sandbox.woocommerce.origin])
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def at_checkout(page: Page, shop: WooCommerceTwin, *lines: tuple[str, int]) -> str:
    """The browser of somebody who filled a cart, on the checkout page; the session's key."""
    key = shop.start_cart(lines or [("HUILE-500", 2), ("BOUG-LAV", 1)])
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": key, "domain": "127.0.0.1", "path": "/"}])
    page.goto("/checkout/")
    return key


def left(shop: WooCommerceTwin) -> str:
    """Somebody left a cart; the path of the plugin's link to it."""
    key = shop.start_cart([("HUILE-500", 2), ("BOUG-LAV", 1)])
    shop.open_page(key)
    shop.type_into(key, "lea@example.com", "06 45 67 89 01", "Léa Fournier")
    return shop.restore_url(shop.token_of(key)).removeprefix(shop.origin)


@pytest.mark.parametrize(("checkout", "version"), CHECKOUTS)
def test_a_typed_address_is_caught_without_leaving_the_field_or_placing_an_order(
    page: Page, shop: WooCommerceTwin, checkout: Any, version: str
) -> None:
    shop.store.checkout, shop.store.version = checkout, version
    key = at_checkout(page, shop)
    began = time.monotonic()
    page.get_by_label("E-mail address").press_sequentially("lea@example.com")
    if checkout == "classic":  # that one speaks when a field is left
        page.keyboard.press("Tab")
    while (cart := shop.store.plugin.carts.get(shop.token_of(key))) is None and time.monotonic() - began < SEEN_WITHIN_SECONDS:
        page.wait_for_timeout(50)
    assert cart is not None
    assert (cart.who.email, cart.status, cart.stage) == ("lea@example.com", "open", "checkout")
    assert [order.status for order in shop.store.orders.values()] == (["checkout-draft"] if shop.store.has_drafts else [])


def test_the_boxes_and_no_thanks_stand_at_the_checkout(page: Page, shop: WooCommerceTwin) -> None:
    key = at_checkout(page, shop)
    page.get_by_label("par SMS").check()
    page.get_by_label("E-mail address").fill("lea@example.com")
    page.get_by_label("Phone").fill("06 45 67 89 01")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order has been received.")
    (cart,) = shop.store.plugin.carts.values()
    assert [(one.channel, one.state, one.source) for one in cart.consents] == [("sms", "subscribed", "block")]
    assert (cart.status, shop.store.sessions[key].cart) == ("ordered", {})

    other = at_checkout(page, shop)
    shop.type_into(other, "max@example.com")
    page.get_by_role("button", name="No thanks").click()
    assert [one.status for one in shop.store.plugin.carts.values()] == ["ordered", "forgotten"]


@pytest.mark.spec("SQ-03")
def test_the_link_leads_to_the_same_things_and_they_can_be_bought(page: Page, shop: WooCommerceTwin) -> None:
    page.goto(left(shop))
    expect(page.get_by_role("row").filter(has_text="500 ml")).to_contain_text("2 ×")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("E-mail address").fill("lea@example.com")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order has been received.")
    assert [item.quantity for item in list(shop.store.orders.values())[-1].items] == [2, 1]


@pytest.mark.spec("SQ-07", "SQ-08")
def test_what_is_gone_is_absent_what_costs_more_is_said_and_the_rest_can_be_bought(page: Page, shop: WooCommerceTwin) -> None:
    path = left(shop)
    shop.set_stock("BOUG-LAV", 0)
    shop.set_price("HUILE-500", "17.50")
    page.goto(path)
    take_picture(page, "woocommerce-returned", full_page=True)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Something has changed since your last visit.")
    expect(alert).to_contain_text("Bougie parfumée « Lavande » is sold out.")
    expect(alert).to_contain_text("The price of Huile d’olive AOP - 500 ml has changed from 16.00 to 17.50 EUR.")
    expect(page.get_by_role("row").filter(has_text="Bougie")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text("40.88 EUR")
    page.get_by_role("link", name="Proceed to checkout").click()
    take_picture(page, "woocommerce-checkout", full_page=True)
    page.get_by_label("E-mail address").fill("lea@example.com")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text("40.88 EUR")
