"""What shoppers see of us: the page that ends our mails, and the one for links that lead nowhere."""

import pytest
from playwright.sync_api import expect

from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_look, assert_looks_right, faults_of
from tests.conftest import TestShop
from tests.web.conftest import Seed, abandon, run, scalar, turn_on

HOSTILE_NAME = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@pytest.fixture
def way_out(parts: Composition, shopify_shop: TestShop, seed: Seed) -> str:
    """The address that a French shopper's reminder holds for those who want no more."""
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=90, language="fr-FR")
    assert abandon(parts, shopify_shop) == 1
    return f"/u/{scalar(parts, 'select unsubscribe_token from messages')}"


def test_how_a_link_that_leads_nowhere_looks(visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, "/r/none", "shopper-nowhere", status=404)


def test_how_the_page_that_ends_our_mails_looks(visitor_page: Opens, way_out: str) -> None:
    assert_looks_right(visitor_page, way_out, "shopper-unsubscribe", languages=("fr",))


@pytest.mark.parametrize("scripts", [True, False])
def test_a_shopper_ends_our_mails_with_one_button(scripts: bool, visitor_page: Opens, way_out: str, parts: Composition) -> None:
    page = visitor_page("fr", java_script_enabled=scripts)
    page.goto(way_out)
    page.get_by_role("button").click()
    expect(page.get_by_role("button")).to_have_count(0)
    assert scalar(parts, "select state from messages") == "cancelled"
    assert faults_of(page) == []


def test_the_name_of_a_shop_is_shown_as_text(visitor_page: Opens, way_out: str, parts: Composition) -> None:
    run(parts, "update shops set name = :name", name=HOSTILE_NAME)
    page = visitor_page("fr")
    page.goto(way_out)
    expect(page.locator("main")).to_contain_text(HOSTILE_NAME)
    assert_look(page, "shopper-hostile")
