"""Turning the reminder on and off beside the list of checkouts, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from connector.web.composition import Composition
from sync.send import claim
from tests.browser.conftest import Opens
from tests.browser.kit import faults_of
from tests.conftest import TestShop
from tests.web.conftest import Seed, abandon, run, scalar, shop_public_id


@pytest.fixture
def url(parts: Composition, shopify_shop: TestShop) -> str:
    """The list of the shop's checkouts."""
    return f"/app/shops/{shop_public_id(parts, shopify_shop)}/checkouts"


def toast(page: Page, words: str) -> None:
    expect(page.locator(".toast")).to_contain_text(words)


@pytest.mark.spec("SQ-10", "SQ-12")
def test_the_delay_is_chosen_while_turning_on_beside_the_list(member_page: Opens, parts: Composition, url: str) -> None:
    page = member_page()
    page.goto(url)
    switch = page.locator("#switch")
    expect(switch.locator(".tag")).to_have_text("off")
    expect(switch.get_by_label("Send after")).to_have_value("60")
    switch.get_by_label("Send after").select_option("other")
    switch.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("alert")).to_contain_text("between 20 minutes and 48 hours")
    assert scalar(parts, "select is_on from automations") is False
    switch.get_by_label("Send after").select_option("1440")
    switch.get_by_role("button", name="Turn on").click()
    toast(page, "The reminder e-mail is on.")
    expect(page).to_have_url(f"{page.url.partition('/app')[0]}{url}")
    expect(switch.locator(".tag")).to_have_text("on")
    expect(switch.get_by_label("Send after")).to_have_value("1440")
    assert scalar(parts, "select threshold_minutes from shops") == 1440
    assert faults_of(page) == []


@pytest.mark.spec("SQ-11")
def test_four_delays_are_offered_and_any_other_from_20_minutes_to_2_days_is_taken(member_page: Opens, parts: Composition, url: str) -> None:
    page = member_page()
    page.goto(url)
    offered = page.get_by_label("Send after").locator("option").all_inner_texts()
    assert offered == ["20 minutes", "1 hour (suggested)", "24 hours", "48 hours", "Another delay"]
    for minutes, is_taken in (("19", False), ("2881", False), ("20", True), ("2880", True), ("77", True)):
        page.goto(url)
        page.get_by_label("Send after").select_option("other")
        page.get_by_label("Another delay, in minutes").fill(minutes)
        page.locator("#switch button").first.click()
        if is_taken:
            expect(page.locator(".toast")).to_be_visible()
            assert scalar(parts, "select threshold_minutes from shops") == int(minutes)
        else:
            expect(page.get_by_role("alert")).to_contain_text("The delay must be between 20 minutes and 48 hours (2880 minutes)")
            expect(page.get_by_label("Another delay, in minutes")).to_have_value(minutes)
            assert scalar(parts, "select threshold_minutes from shops") == 60


@pytest.mark.spec("SQ-20", "SQ-21")
@pytest.mark.parametrize("has_script", [True, False])
def test_turning_off_says_how_many_are_cancelled_and_then_nothing_leaves(
    has_script: bool, member_page: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed, url: str
) -> None:
    page = member_page(java_script_enabled=has_script)
    page.goto(url)
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#switch .tag")).to_have_text("on")
    for number in range(2):
        seed(shopify_shop, minutes=90, platform_id=f"tok-{number}", token=f"tok-{number}", email=f"p{number}@example.org")
    run(parts, "update automations set activated_at = activated_at - interval '1 day'")
    assert abandon(parts, shopify_shop) == 2
    page.goto(url)
    expect(page.locator("#switch")).to_contain_text("2 reminders are queued.")
    page.get_by_role("link", name="Turn off").click()
    question = page.locator("dialog") if has_script else page.locator("main")
    expect(question).to_contain_text("2 queued reminders will be cancelled.")
    assert (page.locator("dialog").count() == 1) == has_script
    assert scalar(parts, "select is_on from automations") is True
    question.get_by_role("button", name="Turn off").click()
    expect(page.locator("#switch .tag")).to_have_text("off")
    toast(page, "What was queued is cancelled.")
    assert scalar(parts, "select string_agg(distinct state || ' ' || reason, ',') from messages") == "cancelled automation_off"
    assert claim(parts.services, shopify_shop.id) is None


def test_the_question_can_be_left_with_the_keyboard(member_page: Opens, parts: Composition, shopify_shop: TestShop, url: str) -> None:
    page = member_page()
    page.goto(url)
    page.get_by_role("button", name="Turn on").click()
    link = page.get_by_role("link", name="Turn off")
    expect(link).to_be_visible()
    # Until its script has run, the link leads to the page that asks the same.
    page.wait_for_load_state("load")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(link).to_be_focused()
    link.click()
    page.locator("dialog").get_by_role("link", name="Leave it on").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert scalar(parts, "select is_on from automations") is True
    assert faults_of(page) == []


def test_all_settings_are_saved_in_one_form(member_page: Opens, parts: Composition, url: str) -> None:
    page = member_page()
    page.goto(url)
    page.get_by_role("link", name="All settings").click()
    page.get_by_label("6 hours").check()
    page.get_by_label("the last time a product was added").check()
    page.get_by_label("Your own text in the e-mail").fill("Free shipping\nfrom 50 €")
    page.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    expect(page.get_by_label("6 hours")).to_be_checked()
    both = "select concat_ws('|', threshold_minutes, activity_clock, extra_text) from shops s join automations a on a.shop_id = s.id"
    saved = scalar(parts, both)
    assert saved == "360|addition|Free shipping\nfrom 50 €"
