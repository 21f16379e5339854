"""Our page inside Shopify's admin, in a real browser: from the first click on the app to the whole app."""

import re
import time

from playwright.sync_api import Request, Route, expect

from connector.web.composition import Composition
from integrations.sandbox.shopify_people import PACKER, STAFF
from tests.browser.conftest import Opens, Site
from tests.browser.kit import assert_look, assert_looks_right, faults_of
from tests.browser.stores import Admin, admin, assert_frame_looks_right, frame_of, parts, sandbox
from tests.web.conftest import run, scalar

__all__ = ["admin", "parts", "sandbox"]
TOLD = """
    insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
    select 'ntc_1', account_id, id, 'gap_found', 'lately', now() from shops
"""


def test_a_first_click_installs_the_app_and_shows_its_state(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    inside = admin.click_app(page)
    expect(page.get_by_role("heading")).to_have_text("Install Connector")
    for scope in ("read_customers", "write_discounts"):
        expect(page.get_by_role("listitem").filter(has_text=re.compile(f"^{scope}$"))).to_be_visible()
    page.get_by_role("link", name="Install app").click()
    expect(inside.get_by_role("heading", name=admin.sandbox.shopify.shop.name)).to_be_visible()
    expect(inside.locator(".tag.good")).to_have_text("connected")
    expect(inside.get_by_text("Needs attention")).to_have_count(0)
    assert scalar(parts, "select state || ' ' || cardinality(missing_scopes) from shops") == "connected 0"
    assert dict(admin.sandbox.shopify.tokens.answered) == {"offline": 1, "online": 1}
    assert faults_of(page) == []


def test_the_switch_works_inside_the_admin_with_the_keyboard_too(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    inside = admin.install(page)
    switch = inside.locator("section", has_text="Reminder e-mail").last
    expect(switch.locator(".tag")).to_have_text("off")
    switch.get_by_role("button", name="Turn on").click()
    expect(switch.locator(".tag")).to_have_text("on")
    assert scalar(parts, "select is_on from automations") is True
    expect(switch.get_by_role("button", name="Turn off")).to_be_focused()
    expect(inside.locator("#said")).to_have_text("Reminder e-mail: on")
    page.keyboard.press("Enter")
    expect(switch.locator(".tag")).to_have_text("off")
    assert scalar(parts, "select is_on from automations") is False
    assert faults_of(page) == []


def test_the_button_leads_to_the_whole_app_at_the_top_of_the_browser(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    inside = admin.install(page)
    inside.get_by_role("button", name="Open the full app").click()
    expect(page).to_have_url(f"{admin.site.url}/app/shops/{scalar(parts, 'select public_id from shops')}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(admin.sandbox.shopify.shop.name)
    expect(page.locator("details.self")).to_contain_text("hello@harbour-and-pine.example")
    assert_look(page, "embedded-arrived")
    page.reload()
    expect(page.locator("details.self")).to_contain_text("hello@harbour-and-pine.example")
    assert scalar(parts, "select count(*) from admin_codes") == 0
    entrance = next(one for one in asked if one.url.endswith("/embedded/shopify/entrance"))
    assert entrance.method == "POST"
    code = (entrance.post_data or "").removeprefix("code=")
    assert len(code) > 40
    told = [text for one in asked for text in (one.url, one.headers.get("referer", ""))]
    assert [text for text in told if code in text] == []


def test_no_address_and_no_referer_repeats_what_shopify_gave(admin: Admin) -> None:
    page = admin.page()
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    inside = admin.install(page)
    expect(inside.get_by_role("button", name="Turn on")).to_be_visible()
    ours = [one for one in asked if one.url.startswith(admin.site.url)]
    assert len([one for one in ours if "id_token=" in one.url]) == 1, "Shopify's own, which opens the page"
    assert {one.headers.get("referer", "") for one in ours if "id_token=" not in one.url} <= {f"{admin.site.url}/", ""}
    left = frame_of(page).evaluate("location.search")
    assert not re.search("id_token|hmac|session|timestamp", left)
    assert "shop=demo.myshopify.com" in left


def test_the_admin_listens_before_our_page_can_ask_it(admin: Admin) -> None:
    page = admin.page()
    seen: list[str] = []
    page.on("request", lambda one: seen.append(f"asked {one.url}"))
    page.on("response", lambda one: seen.append(f"came {one.url}"))

    def be_late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page.route("**/admin/admin.js", be_late)
    expect(admin.install(page).get_by_role("button", name="Turn on")).to_be_visible()
    (listens,) = [place for place, one in enumerate(seen) if re.fullmatch("came .*/admin/admin.js", one)]
    (opens,) = [place for place, one in enumerate(seen) if re.match(r"asked .*/embedded/shopify\?", one)]
    assert listens < opens


def test_a_session_token_that_ran_out_is_asked_for_anew(admin: Admin) -> None:
    page = admin.page()
    stale = iter([True])

    def answer(route: Route) -> None:
        route.fulfill(json={"token": "stale"}) if next(stale, False) else route.continue_()

    page.route("**/session-token*", answer)
    inside = admin.install(page)
    expect(inside.get_by_role("button", name="Turn on")).to_be_visible()
    assert next(stale, None) is None
    assert [one for one in faults_of(page) if "401" not in one] == []


def test_without_any_session_token_the_page_says_what_helps(admin: Admin) -> None:
    page = admin.page()
    page.route("**/session-token*", lambda route: route.fulfill(json={"token": "never good"}))
    inside = admin.install(page)
    expect(inside.get_by_role("alert")).to_contain_text("Shopify does not tell us who you are.")


def test_missing_permissions_are_named(admin: Admin) -> None:
    admin.sandbox.shopify.tokens.granted_scopes = ("read_orders", "read_products")
    inside = admin.install(admin.page())
    expect(inside.locator(".tag.warn", has_text="incomplete")).to_be_visible()
    note = inside.get_by_role("note")
    expect(note).to_contain_text("The connection is incomplete.")
    assert note.locator("code").all_inner_texts() == [
        "read_customer_merge",
        "read_customers",
        "read_inventory",
        "read_shopify_payments_disputes",
        "write_discounts",
    ]


def test_people_see_here_what_they_may(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    expect(admin.install(page).get_by_role("button", name="Turn on")).to_be_visible()
    inside = admin.click_app(page, user=STAFF.id)
    expect(inside.get_by_role("button", name="Open the full app")).to_be_visible()
    expect(inside.get_by_role("button", name="Turn on")).to_have_count(0)
    inside.get_by_role("button", name="Open the full app").click()
    expect(page.locator("details.self")).to_contain_text("noah@demo-shop.example")
    inside = admin.click_app(page, user=PACKER.id)
    expect(inside.get_by_text("You are not a member of the account")).to_be_visible()
    expect(inside.get_by_role("button")).to_have_count(0)
    assert scalar(parts, "select string_agg(role, ' ' order by id) from members where platform_user is not null") == "owner read_only"


def test_an_uninstalled_app_is_installed_again_where_it_was(admin: Admin, parts: Composition) -> None:
    page = admin.page()
    inside = admin.install(page)
    expect(inside.get_by_role("button", name="Turn on")).to_be_visible()
    run(parts, "update shops set state = 'uninstalled', uninstalled_at = now(), credentials = null")
    inside.get_by_role("button", name="Turn on").click()
    expect(inside.get_by_role("alert")).to_contain_text("That did not work.")
    admin.sandbox.shopify.tokens.revoke_all()
    inside = admin.install(page)
    expect(inside.locator(".tag.good")).to_have_text("connected")
    assert scalar(parts, "select count(*) || ' ' || min(state) from shops") == "1 connected"


def test_a_shopify_that_does_not_answer_can_be_tried_again(admin: Admin) -> None:
    page = admin.page()
    admin.sandbox.shopify.faults.fail_next()
    inside = admin.install(page)
    expect(inside.get_by_role("alert")).to_contain_text("Shopify did not answer as it should")
    inside.get_by_role("button", name="Try again").click()
    expect(inside.get_by_role("button", name="Turn on")).to_be_visible()


def test_outside_the_admin_the_page_says_where_it_belongs(admin: Admin) -> None:
    page = admin.page()
    page.goto("/embedded/shopify?shop=demo.myshopify.com")
    expect(page.get_by_role("alert")).to_contain_text("Open the app in your store’s admin")
    assert_look(page, "embedded-outside")


def test_without_scripts_the_page_says_that_it_needs_them(admin: Admin) -> None:
    page = admin.page("fr", java_script_enabled=False)
    page.goto("/embedded/shopify?shop=demo.myshopify.com&locale=fr")
    expect(page.locator("noscript p")).to_contain_text("Cette page a besoin de JavaScript")


def test_nothing_but_a_shop_opens_the_page(site: Site, visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, "/embedded/shopify?shop=evil.example", "embedded-no-shop", languages=("en",), status=400)


def test_the_page_looks_right_in_the_admin(admin: Admin) -> None:
    page = admin.page()
    expect(admin.install(page).get_by_role("button", name="Turn on")).to_be_visible()
    assert_frame_looks_right(admin, "embedded-off", "[data-do=on]")


def test_the_page_looks_right_with_much_to_say(admin: Admin, parts: Composition) -> None:
    admin.sandbox.shopify.tokens.granted_scopes = ("read_orders",)
    page = admin.page()
    expect(admin.install(page).get_by_role("button", name="Turn on")).to_be_visible()
    run(parts, TOLD)
    run(parts, "update automations set is_on = true, activated_at = now()")
    assert_frame_looks_right(admin, "embedded-attention", "[data-do=off]")
