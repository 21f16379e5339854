"""The examination of a connection, as it looks and as it is used."""

from collections.abc import Sequence

import pytest
from playwright.sync_api import expect

from connector.checkups import Check, Verdict
from connector.platforms import Access
from connector.store import checkups
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_looks_right, faults_of
from tests.conftest import TestShop
from tests.web.conftest import run, shop_public_id
from tests.web.posting import PostingPlatform

GOOD, LOOK, BAD, UNKNOWN = Verdict.GOOD, Verdict.ATTENTION, Verdict.BAD, Verdict.UNKNOWN
TOPICS = ("order.created", "order.updated", "order.deleted", "action.woocommerce_delete_order", "action.wc_connector_cart")
FOUND = (
    Check("address", GOOD, ("boutique.test",)),
    Check("permalinks", GOOD),
    Check("keys", LOOK, cause="query"),
    Check("rights", BAD, cause="read_only"),
    Check("firewall", GOOD, ("Wordfence",), "passing"),
    Check("clock", LOOK, ("125",), "behind"),
    Check("woocommerce_version", GOOD, ("10.5.0",)),
    Check("php_version", LOOK, ("7.3.33",), "old"),
    Check("cron", BAD, ("184",), "disabled_late"),
    Check("webhooks", BAD, ("9/14", *TOPICS), "stopped"),
    Check("plugin", LOOK, cause="missing_drafts"),
    Check("checkout_page", GOOD, cause="block"),
    Check("order_storage", LOOK, cause="legacy"),
    Check("mailers", LOOK, ("AutomateWoo", "Klaviyo"), "others"),
    Check("hidden_email", LOOK, ("Klarna Checkout", "WooPayments (WooPay, Apple Pay, Google Pay)"), "iframe"),
    Check("capture", UNKNOWN),
    Check("lateness", BAD, ("47", "184", "60"), "late"),
)


class FakeCheckup:
    """Finds the same each time."""

    def __init__(self, found: Sequence[Check]) -> None:
        self.found = found

    def examine(self, access: Access, address: str) -> Sequence[Check]:
        """What it was made with."""
        return self.found


@pytest.fixture
def here(parts: Composition, woocommerce: PostingPlatform, woo_shop: TestShop) -> str:
    """Where the pages of a store begin that can be examined."""
    woocommerce.checkup = FakeCheckup(FOUND)
    return f"/app/shops/{shop_public_id(parts, woo_shop)}"


@pytest.fixture
def examined(parts: Composition, woo_shop: TestShop, here: str) -> str:
    """The same, once it was examined."""
    with parts.db.transaction(shop=woo_shop.id) as session:
        checkups.save_checkup(session, woo_shop.id, FOUND)
    return here


def test_how_an_examined_connection_looks(member_page: Opens, examined: str) -> None:
    assert_looks_right(member_page, f"{examined}/connection", "connection")


def test_how_a_connection_looks_that_nobody_examined(member_page: Opens, here: str) -> None:
    assert_looks_right(member_page, f"{here}/connection", "connection-new")


def test_how_support_sees_a_connection(staff_page: Opens, examined: str) -> None:
    assert_looks_right(staff_page, f"{examined.replace('/app/', '/support/')}/connection", "support-connection")


def test_how_the_page_of_a_store_without_the_plugin_looks(member_page: Opens, parts: Composition, examined: str) -> None:
    run(parts, "update shops set stranger_host = 'staging.boutique.test', stranger_at = app_now() where platform = 'woocommerce'")
    assert_looks_right(member_page, examined, "shop-woocommerce")


@pytest.mark.spec("C21")
def test_the_page_tells_that_some_checkouts_hide_the_email(member_page: Opens, examined: str) -> None:
    page = member_page()
    page.goto(f"{examined}/connection")
    line = page.locator("dl.checks > div").filter(has_text="Payment windows that hide the e-mail")
    expect(line).to_contain_text("Klarna Checkout, WooPayments (WooPay, Apple Pay, Google Pay)")
    expect(line).to_contain_text("is not known before the order, and nobody can be reminded")
    assert faults_of(page) == []


def test_a_member_examines_mends_and_examines_again(member_page: Opens, woocommerce: PostingPlatform, here: str) -> None:
    page = member_page()
    page.goto(here)
    page.get_by_role("button", name="Examine now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connection of Boutique")
    expect(page.get_by_role("alert")).to_contain_text("4 things must be mended. 7 things are worth a look.")
    woocommerce.checkup = FakeCheckup([Check("address", GOOD, ("boutique.test",)), Check("plugin", GOOD, ("1.0.0",))])
    page.get_by_role("button", name="Examine again").click()
    expect(page.get_by_role("note").filter(has_text="Everything is in order.")).to_be_visible()
    page.get_by_role("link", name="Boutique", exact=True).click()
    expect(page.get_by_text("Everything is in order.")).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_have_count(0)
    assert faults_of(page) == []


def test_the_plugin_is_downloaded_from_the_page_of_the_store(member_page: Opens, here: str) -> None:
    page = member_page()
    page.goto(here)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == "connector-carts.zip"
    assert faults_of(page) == []
