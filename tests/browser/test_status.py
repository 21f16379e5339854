"""What people see while something does not work: the banner of every page, and the page that it leads to (SQ-22)."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_look, assert_looks_right
from tests.conftest import TestShop, install
from tests.web.conftest import run

PENDING = """
    insert into deliveries (key, shop_id, platform, topic, received_at, received_on)
    values ('\\x01', :shop, 'shopify', 'orders/create', app_now() - interval '6 minutes', now()::date)
"""
TOLD = """
    insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
    select 'ntc_' || id, account_id, id, 'needs_sign_in', public_id, app_now() from shops where platform = 'woocommerce'
"""


@pytest.fixture
def late(parts: Composition, shopify_shop: TestShop) -> None:
    """A delivery that waits for six minutes already."""
    run(parts, PENDING, shop=shopify_shop.id)


@pytest.fixture
def later(parts: Composition, late: None) -> None:
    """And three stores that shut us out at once."""
    for number in range(3):
        install(parts.db, parts.services.vault, "woocommerce", f"s{number}.test", f"S{number}")
    run(parts, TOLD)


def seen(page: Page, path: str, words: str) -> None:
    """Open a page until it shows what the first look at the database found."""
    for _ in range(20):
        page.goto(path)
        if page.get_by_text(words).count():
            return
    raise AssertionError(f"{words} was never shown")


def until(words: str) -> Callable[[Page], None]:
    """The same as the preparation of a look."""
    return lambda page: seen(page, page.url, words)


@pytest.mark.spec("SQ-22")
def test_a_banner_announces_what_is_wrong_and_leads_to_the_page_that_tells_more(late: None, member_page: Opens) -> None:
    page = member_page()
    words = "We are behind with news from stores and due reminders."
    seen(page, "/app", words)
    banner = page.locator(".banner")
    expect(banner).to_have_count(1)
    expect(banner).to_contain_text(words)
    assert_look(page, "banner-dashboard")
    banner.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/status$"))
    expect(page.locator("h1")).to_have_text("Status")
    expect(page.get_by_text("We are more than 5 minutes behind.")).to_be_visible()


def test_no_banner_is_shown_while_all_is_well(shopify_shop: TestShop, member_page: Opens, visitor_page: Opens) -> None:
    page = member_page()
    page.goto("/app")
    expect(page.locator(".banner")).to_have_count(0)
    page.goto("/status")
    expect(page.get_by_text("degraded", exact=True)).to_have_count(0)


def test_the_status_page_looks_right_while_all_is_well(shopify_shop: TestShop, visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, "/status", "status-well")


def test_the_status_page_looks_right_while_something_is_not(later: None, visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, "/status", "status-degraded", prepare=until("5 minutes"), languages=("en", "fr"))
