"""Dashboard, lists, the panel, the preview: what they do in a real browser."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from connector.canonical import Phone
from connector.store import system_mails
from connector.store.system_mails import SystemMail
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.furnished import furnish
from tests.browser.kit import HOSTILE, assert_look, faults_of
from tests.conftest import TestShop
from tests.factories import make_line
from tests.web.conftest import Seed, abandon, run, scalar, shop_public_id, turn_on


@pytest.fixture
def won(parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> str:
    """A furnished account; the public id of a checkout that was won back."""
    return furnish(parts, shopify_shop, woo_shop)


@pytest.fixture
def here(parts: Composition, shopify_shop: TestShop) -> str:
    """Where the pages of the shop begin."""
    return f"/app/shops/{shop_public_id(parts, shopify_shop)}"


@pytest.mark.spec("SQ-09")
def test_the_dashboard_tells_the_figures_of_a_range_for_each_currency(member_page: Opens, won: str) -> None:
    page = member_page()
    page.goto("/app")
    euros = page.get_by_label("Figures in EUR")
    expect(euros.locator(".stat dt")).to_have_text(["Abandoned checkouts", "E-mails sent", "Recovered", "Recovery rate"])
    expect(euros.locator(".stat").nth(0)).to_contain_text("€1,204.80 in all; 3 without an e-mail address")
    expect(euros.locator(".stat").nth(0).locator("dd").first).to_have_text("11")
    expect(euros.locator(".stat").nth(2)).to_contain_text("€320.40 in orders placed afterwards")
    expect(euros.locator(".stat").nth(3).locator("dd").first).to_have_text("27.3%")
    expect(page.get_by_label("Figures in USD").locator(".stat").nth(0)).to_contain_text("$267.00 in all")
    expect(page.locator("#shops")).to_contain_text("4 minutes ago, orders/create")
    page.get_by_label("Store", exact=True).select_option(label="Boutique")
    expect(page.get_by_label("Figures in USD")).to_be_visible()
    expect(page.get_by_label("Figures in EUR")).to_have_count(0)
    assert "shop=shp_" in page.url, "the filters stand in the address"
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    assert "days=90" in page.url
    assert "shop=shp_" in page.url
    page.go_back()
    expect(page.get_by_role("link", name="90 days")).not_to_have_attribute("aria-current", "true")
    assert faults_of(page) == []


def test_filters_narrow_the_list_and_the_file_is_the_same_list(member_page: Opens, won: str, here: str, tmp_path: Path) -> None:
    page = member_page()
    page.goto(f"{here}/checkouts")
    expect(page.locator("#list tbody tr")).to_have_count(14)
    page.get_by_label("State", exact=True).select_option("recovered")
    expect(page.locator("#list tbody tr")).to_have_count(3)
    page.get_by_label("E-mail, name or number").fill("camille")
    page.keyboard.press("Enter")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "state=recovered" in page.url
    assert "q=camille" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    path = tmp_path / "list.csv"
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.reader(file))
    assert [row[1] for row in found[1:]] == ["camille.martin@example.org"]
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#list tbody tr")).to_have_count(14)
    assert faults_of(page) == []


def test_a_checkout_opens_beside_the_list_and_closes_again(member_page: Opens, won: str, here: str) -> None:
    page = member_page()
    page.goto(f"{here}/checkouts")
    link = page.locator("#list td.who a").nth(1)
    link.click()
    panel = page.locator("dialog.panel")
    expect(panel.get_by_role("heading", name="Checkout #1041")).to_be_visible()
    expect(panel.locator(".timeline li").filter(has_text="Order 2041 was placed")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(link).to_be_focused()
    assert faults_of(page) == []


def test_lists_and_checkouts_work_without_scripts(member_page: Opens, won: str, here: str) -> None:
    page = member_page(java_script_enabled=False)
    page.goto(f"{here}/checkouts")
    page.get_by_label("State", exact=True).select_option("recovered")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#list tbody tr")).to_have_count(3)
    page.locator("#list td.who a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


@pytest.mark.spec("SEC-190")
def test_hostile_texts_do_nothing_on_any_page(
    member_page: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed, here: str
) -> None:
    turn_on(parts, shopify_shop)
    hostile = " ".join(HOSTILE)
    run(parts, "update shops set name = :name, url = :name", name=hostile)
    run(parts, "update automations set extra_text = :text", text=hostile)
    public_id = seed(
        shopify_shop,
        minutes=90,
        first_name=hostile,
        number=hostile,
        discount_codes=(hostile,),
        lines=(make_line(title=hostile, variant_title=hostile, image_url=f"https://x.example/{hostile}"),),
        checkout_phone=Phone(hostile),
    )
    abandon(parts, shopify_shop)
    page = member_page()
    ends = ("", "/checkouts", "/automation", "/automation/off", "/preview")
    for path in ("/app", f"/app/checkouts/{public_id}", *(here + end for end in ends)):
        page.goto(path)
        expect(page.locator("body")).to_contain_text("<script>alert(1)</script>")
        expect(page.locator("body")).to_contain_text("{{7*7}} ${7*7}")
        assert_look(page, "hostile")


# ---------------------------------------------------------------- the preview


def test_the_mail_in_the_frame_is_shown_with_its_styles_and_without_faults(member_page: Opens, won: str, here: str) -> None:
    page = member_page()
    page.goto(f"{here}/preview")
    mail = page.frame_locator("iframe.frame")
    button = mail.get_by_role("link", name="Finaliser la commande")
    expect(button).to_be_visible()
    assert button.evaluate("one => getComputedStyle(one).color") == "rgb(255, 255, 255)", "styles of attributes count"
    page.emulate_media(color_scheme="dark")
    ink = mail.get_by_text("Encore une hésitation ?")
    assert ink.evaluate("one => getComputedStyle(one).color") == "rgb(241, 244, 247)", "styles of style elements count"
    assert mail.locator("img").first.evaluate("one => one.naturalWidth") == 1, "pictures come over https"
    expect(page.get_by_label("The reminder e-mail as plain text")).to_contain_text("Bougie parfumée Cèdre & Figue")
    assert faults_of(page) == []


def test_a_script_in_the_frame_would_not_run(member_page: Opens, won: str, here: str) -> None:
    page = member_page()
    page.goto(f"{here}/preview")
    frame = page.frames[1]
    frame.wait_for_load_state()
    added = """() => { const one = document.createElement('p'); one.setAttribute('style', 'color: rgb(1, 2, 3)');
        document.body.append(one); return getComputedStyle(one).color; }"""
    assert frame.evaluate(added) != "rgb(1, 2, 3)", "a style that did not come with the mail counts for nothing"
    frame.evaluate("() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1'; document.body.append(one); }")
    assert frame.evaluate("() => window.ran") is None
    assert frame.evaluate("() => window.origin") == "null"


@pytest.mark.spec("SQ-19")
def test_a_preview_reaches_ones_own_address_marked_as_a_test(
    member_page: Opens, parts: Composition, shopify_shop: TestShop, here: str, seed: Seed
) -> None:
    seed(shopify_shop, lines=(make_line(title="Lampe"),))
    page = member_page("marketer")
    page.goto(f"{here}/preview")
    page.get_by_role("button", name="Send me a preview").click()
    expect(page.locator(".toast")).to_contain_text("The preview is on its way to you.")
    with parts.db.system_transaction("a test") as session:
        claimed = system_mails.claim(session)
        assert claimed is not None
        assert system_mails.claim(session) is None
    mail = system_mails.open_mail(parts.services.vault, claimed)
    assert isinstance(mail, SystemMail)
    assert mail.to == "marketer@members.example"
    assert mail.subject.startswith("[Test] ")
    assert "Lampe" in mail.text
    page.goto("/app")
    expect(page.locator("#figures")).to_contain_text("Nothing happened in these days")
    assert scalar(parts, "select count(*) from messages") == 0
    assert faults_of(page) == []
