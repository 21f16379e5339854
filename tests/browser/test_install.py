"""Connecting a Shopify store as a site of its own, in a real browser: from the listing through the grant page to the shop's page."""

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Request, expect

from connector.web.composition import Composition
from tests.browser.kit import assert_look, faults_of
from tests.browser.stores import Admin, admin, parts, sandbox
from tests.web.conftest import run, scalar

__all__ = ["admin", "parts", "sandbox"]


def begin(admin: Admin, page: Page) -> None:
    """The button of the app's listing leads to the app, and that to the grant page."""
    page.goto(f"{admin.url}/admin/apps/install-link?app_url={admin.site.url}")
    expect(page.get_by_role("heading")).to_have_text("Install Connector")


def test_a_store_is_connected_in_one_click_and_its_owner_signed_in(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    begin(admin, page)
    granted = page.get_by_role("listitem").all_inner_texts()
    assert ",".join(granted) == parts.settings.shopify_scopes
    page.get_by_role("link", name="Install app").click()
    expect(page).to_have_url(f"{admin.site.url}/app/shops/{scalar(parts, 'select public_id from shops')}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(admin.sandbox.shopify.shop.name)
    expect(page.get_by_text("The connection is incomplete.")).to_have_count(0)
    assert dict(admin.sandbox.shopify.tokens.answered) == {"code": 1}
    assert_look(page, "installed")


def test_fewer_permissions_are_named_on_the_shops_page(admin: Admin) -> None:
    admin.sandbox.shopify.tokens.granted_scopes = ("read_customers", "read_orders", "read_products")
    page = admin.page("fr")
    begin(admin, page)
    page.get_by_role("link", name="Install app").click()
    note = page.get_by_role("note").filter(has_text="La connexion est incomplète.")
    assert note.locator("code").all_inner_texts() == [
        "read_customer_merge",
        "read_inventory",
        "read_shopify_payments_disputes",
        "write_discounts",
    ]
    assert_look(page, "installed-incomplete")


def test_no_address_after_the_callback_holds_the_code(admin: Admin) -> None:
    page = admin.page()
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    begin(admin, page)
    page.get_by_role("link", name="Install app").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    [code] = [parse_qs(urlsplit(one.url).query)["code"][0] for one in asked if "/callback?" in one.url]
    assert [one.url for one in asked if code in one.url and "/callback?" not in one.url] == []
    assert [one.url for one in asked if code in one.headers.get("referer", "")] == []


def test_a_way_back_that_was_used_leads_nowhere(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    begin(admin, page)
    page.get_by_role("link", name="Install app").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    before = scalar(parts, "select credentials from shops")
    answer = page.goto(next(url for url in asked if "/callback?" in url))
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("Please start again from the beginning.")).to_be_visible()
    assert scalar(parts, "select credentials from shops") == before
    faults_of(page)


def test_a_store_that_comes_back_is_the_same_store(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    begin(admin, page)
    page.get_by_role("link", name="Install app").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    first = page.url
    admin.sandbox.shopify.tokens.revoke_all()
    run(parts, "update shops set state = 'uninstalled', uninstalled_at = now(), credentials = null")
    begin(admin, page)
    page.get_by_role("link", name="Install app").click()
    expect(page).to_have_url(first)
    assert scalar(parts, "select count(*) || ' ' || min(state) from shops") == "1 connected"
