"""What the one module of scripts does, in the browser it is for: each behaviour on the living page of all components."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from connector.web.app import STATIC
from tests.browser.conftest import Opens
from tests.browser.kit import faults_of

URL = "/app/_components"
ACTIVE = "document.activeElement?.id || document.activeElement?.getAttribute('name') || document.activeElement?.textContent.trim()"


@pytest.fixture
def page(member_page: Opens) -> Iterator[Page]:
    """The living page of an owner, with a mark that a reload would wipe out; no fault may be left at the end."""
    one = member_page()
    one.goto(URL)
    one.evaluate("window.mark = 'kept'")
    yield one
    assert faults_of(one) == []


def is_not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.mark === 'kept'"))


def rows(page: Page) -> Locator:
    return page.locator("#lines tbody tr")


def said(page: Page) -> Locator:
    return page.locator("#said")


def test_each_module_stays_small_and_alone() -> None:
    modules = {path.name: path.read_text(encoding="utf-8").splitlines() for path in STATIC.glob("*.js")}
    assert "app.js" in modules
    for name, lines in modules.items():
        assert len(lines) <= 200, name
        assert all(len(line) <= 140 for line in lines), name
        assert not any(line.startswith("import") for line in lines), name


# ---------------------------------------------------------------- swap


def test_a_filter_changes_the_part_and_the_address_and_leaves_the_focus(page: Page) -> None:
    page.get_by_label("Who").fill("martin")
    page.get_by_label("Who").press("Enter")
    expect(rows(page)).to_have_count(1)
    assert page.url.endswith(f"{URL}?q=martin")
    assert page.evaluate(ACTIVE) == "q"
    expect(said(page)).to_have_text("1 row")
    assert is_not_reloaded(page)


def test_back_and_forward_show_what_their_address_says(page: Page) -> None:
    page.get_by_label("Who").fill("martin")
    page.get_by_role("button", name="Filter").click()
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Who").fill("zzz")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.go_back()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Who")).to_have_value("martin")
    page.go_back()
    expect(rows(page)).to_have_count(5)
    expect(page.get_by_label("Who")).to_have_value("")
    assert page.url.endswith(URL)
    page.go_forward()
    expect(rows(page)).to_have_count(1)
    assert is_not_reloaded(page)


def test_a_choice_filters_by_itself_and_keeps_the_focus(page: Page) -> None:
    page.get_by_label("State").focus()
    page.get_by_label("State").select_option("lost")
    expect(rows(page)).to_have_count(2)
    assert page.url.endswith("?state=lost")
    assert page.evaluate(ACTIVE) == "state"


def test_a_link_to_older_rows_swaps_them_and_keeps_the_focus(page: Page) -> None:
    page.get_by_role("link", name="Older").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    assert page.evaluate(ACTIVE) == "Older"
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    assert page.evaluate(ACTIVE) == "lines"
    assert page.url.endswith("?page=2")
    assert is_not_reloaded(page)


def test_a_click_with_a_modifier_is_the_browsers_own(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Older").click(modifiers=["Control"])
    assert opened.value.url.endswith("?page=1")
    assert page.url.endswith(URL)


def test_whoever_was_signed_out_meanwhile_comes_to_the_sign_in(page: Page) -> None:
    page.context.clear_cookies()
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("/sign-in"))


# ---------------------------------------------------------------- poll


@pytest.fixture
def polled(member_page: Opens) -> tuple[Page, list[Request]]:
    """The living page under a clock of our own, and what it asked for since it was there."""
    page = member_page()
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.isAway === true})")
    page.clock.install()
    page.goto(URL)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if request.resource_type == "fetch" else None)
    return page, asked


def pass_time(page: Page, seconds: int) -> None:
    page.clock.run_for(seconds * 1000)
    page.wait_for_timeout(150)


def test_a_polled_part_is_asked_for_again_and_again(polled: tuple[Page, list[Request]]) -> None:
    page, asked = polled
    before = page.locator("#clock time").inner_text()
    page.wait_for_timeout(1_000)
    pass_time(page, 3)
    assert {request.url for request in asked} == {page.url}
    before_the_next = len(asked)
    expect(page.locator("#clock time")).not_to_have_text(before)
    pass_time(page, 3)
    assert len(asked) > before_the_next


def test_polling_pauses_while_the_focus_is_inside(polled: tuple[Page, list[Request]]) -> None:
    page, asked = polled
    page.locator("#held").fill("half a word")
    pass_time(page, 10)
    assert asked == []
    expect(page.locator("#held")).to_have_value("half a word")
    page.locator("#q").focus()
    pass_time(page, 3)
    assert asked


def test_polling_pauses_while_nobody_looks(polled: tuple[Page, list[Request]]) -> None:
    page, asked = polled
    page.evaluate("window.isAway = true")
    pass_time(page, 10)
    assert asked == []
    page.evaluate("window.isAway = false")
    pass_time(page, 3)
    assert asked


# ---------------------------------------------------------------- panel and dialog


def test_a_panel_opens_beside_the_page_and_gives_the_focus_back(page: Page) -> None:
    link = page.get_by_role("link", name="Léa Petit")
    link.click()
    panel = page.get_by_role("dialog", name="Léa Petit")
    expect(panel.get_by_role("heading", level=1)).to_have_text("Léa Petit")
    assert panel.evaluate("one => one.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(link).to_be_focused()
    assert page.url.endswith(URL)
    assert is_not_reloaded(page)


def test_a_panel_has_a_button_that_closes_it(page: Page) -> None:
    page.get_by_role("link", name="Léa Petit").click()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_dialog_keeps_the_focus_and_the_rest_cannot_be_reached(page: Page) -> None:
    page.get_by_role("link", name="Ask first").click()
    dialog = page.get_by_role("dialog", name="Remove this?")
    expect(dialog).to_be_visible()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert dialog.evaluate("one => one.contains(document.activeElement) || document.activeElement === document.body")
    page.evaluate("document.getElementById('q').focus()")
    assert page.evaluate(ACTIVE) != "q"
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert is_not_reloaded(page)


def test_the_form_in_a_dialog_is_sent_like_the_one_on_its_page(page: Page) -> None:
    page.get_by_role("link", name="Ask first").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator(".toast")).to_have_text("Saved.")
    expect(page.get_by_role("dialog")).to_have_count(0)


# ---------------------------------------------------------------- toasts


def test_a_toast_fades_unless_somebody_reads_it_and_is_said_once(member_page: Opens) -> None:
    page = member_page()
    page.clock.install()
    page.goto(f"{URL}?state=lost&done=saved")
    assert page.url.endswith(f"{URL}?state=lost")
    toast = page.locator(".toast")
    toast.hover()
    page.clock.run_for(20_000)
    expect(toast).to_be_visible()
    page.mouse.move(5, 400)
    page.clock.run_for(2_000)
    expect(toast).to_have_count(0)
    page.reload()
    expect(toast).to_have_count(0)


# ---------------------------------------------------------------- order


def order_of(request: Request) -> list[str]:
    return parse_qs(request.post_data or "")["order"]


def test_an_order_is_changed_by_dragging(page: Page) -> None:
    grips = page.locator(".sort .grip")
    grips.nth(3).scroll_into_view_if_needed()
    start, end = grips.nth(0).bounding_box(), grips.nth(2).bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 8, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + 8, end["y"] - 20, steps=5)
    page.mouse.move(end["x"] + 8, end["y"] + end["height"] - 4, steps=5)
    with page.expect_request("**/order") as sent:
        page.mouse.up()
    assert order_of(sent.value) == ["wait,text,mail,last"]
    expect(page.locator(".sort .name")).to_have_text(["Wait one day", "Text message", "First e-mail", "Last e-mail"])
    expect(said(page)).to_have_text("Moved to place 3 of 4")
    answer = sent.value.response()
    assert answer is not None
    assert answer.status == 303
    assert is_not_reloaded(page)


def test_an_order_is_changed_by_keyboard_and_the_focus_goes_along(page: Page) -> None:
    button = page.get_by_role("button", name="Move Wait one day up")
    button.focus()
    with page.expect_request("**/order") as sent:
        page.keyboard.press("Enter")
    assert order_of(sent.value) == ["wait,mail,text,last"]
    expect(page.locator(".sort .name").first).to_have_text("Wait one day")
    expect(page.get_by_role("button", name="Move Wait one day down")).to_be_focused()
    with page.expect_request("**/order") as again:
        page.keyboard.press("Enter")
    assert order_of(again.value) == ["mail,wait,text,last"]
    expect(said(page)).to_have_text("Moved to place 2 of 4")


def test_letting_go_where_it_was_sends_nothing(page: Page) -> None:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.locator(".sort .grip").nth(1).click()
    page.wait_for_timeout(100)
    assert sent == []


# ---------------------------------------------------------------- the frame


def test_the_first_stop_of_the_keyboard_leads_past_the_frame(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(ACTIVE) == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert is_not_reloaded(page)


def test_the_menu_closes_by_escape_and_by_a_click_elsewhere(page: Page) -> None:
    menu, summary = page.locator(".self"), page.locator(".self summary")
    summary.click()
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    summary.click()
    page.locator("h1").click()
    expect(menu).not_to_have_attribute("open", "")


def test_the_current_place_is_marked_for_eyes_and_ears(member_page: Opens) -> None:
    page = member_page()
    page.goto("/app/members")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Members")


def test_a_text_can_be_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(said(page)).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#sample-key").inner_text()
