"""How the merchants' pages look: eight looks each, none with a fault."""

import pytest
from playwright.sync_api import Page

from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.furnished import furnish
from tests.browser.kit import assert_looks_right
from tests.conftest import TestShop
from tests.web.conftest import run, shop_public_id


@pytest.fixture
def won(parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> str:
    """A furnished account; the public id of a checkout that was won back."""
    return furnish(parts, shopify_shop, woo_shop)


@pytest.fixture
def here(parts: Composition, shopify_shop: TestShop) -> str:
    """Where the pages of the shop begin."""
    return f"/app/shops/{shop_public_id(parts, shopify_shop)}"


def test_how_the_dashboard_looks(member_page: Opens, won: str) -> None:
    assert_looks_right(member_page, "/app?days=7", "dashboard")


def test_how_a_dashboard_without_stores_looks(member_page: Opens, parts: Composition) -> None:
    assert_looks_right(member_page, "/app", "dashboard-empty")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/checkouts", "checkouts"),
        ("/checkouts?q=nobody", "checkouts-none-found"),
        ("/automation", "automation"),
        ("/automation/off?back=checkouts", "automation-off"),
        ("/preview", "preview"),
        ("", "shop"),
    ],
)
def test_how_the_pages_of_a_shop_look(path: str, name: str, member_page: Opens, won: str, here: str) -> None:
    assert_looks_right(member_page, here + path, name)


def test_how_the_page_of_a_checkout_looks(member_page: Opens, won: str) -> None:
    assert_looks_right(member_page, f"/app/checkouts/{won}", "checkout")


def test_how_a_checkout_looks_beside_its_list(member_page: Opens, won: str, here: str) -> None:
    def open_panel(page: Page) -> None:
        page.locator("#list td.who a").nth(1).click()
        page.locator("dialog.panel .timeline").wait_for()

    assert_looks_right(member_page, f"{here}/checkouts", "checkout-panel", prepare=open_panel)


def test_how_connecting_looks(member_page: Opens, shopify_shop: TestShop) -> None:
    assert_looks_right(member_page, "/app/connect", "connect")


def test_how_a_new_shop_looks(member_page: Opens, parts: Composition, shopify_shop: TestShop, here: str) -> None:
    for path, name in (("/checkouts", "checkouts-empty"), ("/preview", "preview-sample")):
        assert_looks_right(member_page, here + path, name)


def test_how_a_refusal_looks(member_page: Opens, shopify_shop: TestShop, here: str) -> None:
    def refuse(page: Page) -> None:
        page.locator("#minutes").fill("19")
        page.locator("#delay").select_option("other")
        page.locator("#switch button").click()
        page.locator(".note.bad").wait_for()

    assert_looks_right(member_page, f"{here}/checkouts", "checkouts-refused", prepare=refuse)


def test_how_a_shop_looks_whose_access_was_lost(member_page: Opens, parts: Composition, woo_shop: TestShop) -> None:
    run(parts, "update shops set state = 'needs_sign_in', missing_scopes = '{read_customers}'")
    assert_looks_right(member_page, f"/app/shops/{shop_public_id(parts, woo_shop)}", "shop-lost")
