"""Offers in a real browser: how the pages look, and writing one with and without scripts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Page, Route, expect

from connector.codes import CodeKind, CodeStatus, Restriction
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import assert_looks_right, faults_of
from tests.conftest import TestShop
from tests.fakes import FakePlatform
from tests.sync.offer_desk import TEN_PERCENT, OfferDesk
from tests.web.conftest import scalar, shop_public_id
from tests.web.merchant.offer_kit import ShelfCodes, day, picture


@pytest.fixture
def shelf(shopify: FakePlatform) -> ShelfCodes:
    """A store with some codes."""
    codes = ShelfCodes()
    shopify.codes = codes
    ends_at = datetime.now(UTC) + timedelta(days=40)
    codes.put("MERCI10", ends_at=ends_at, once_per_customer=True)
    codes.put(
        "LIVRAISON", kind=CodeKind.FREE_SHIPPING, value=None, minimum_subtotal=Decimal(40), usage_limit=500, used=12, title="Port offert"
    )
    codes.put("VIP", restrictions=(Restriction.CUSTOMERS, Restriction.PRODUCTS))
    codes.put("NOEL2025", status=CodeStatus.EXPIRED, used=1_204)
    return codes


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop, shelf: ShelfCodes) -> OfferDesk:
    """A shop in which people buy."""
    made = OfferDesk(parts.services, shopify_shop.id)
    made.hold_code("MERCI10", ends_at=datetime.now(UTC) + timedelta(days=2))
    return made


@pytest.fixture
def here(parts: Composition, shopify_shop: TestShop) -> str:
    """Where the offers of the shop are."""
    return f"/app/shops/{shop_public_id(parts, shopify_shop)}/offers"


@pytest.fixture
def running(desk: OfferDesk) -> str:
    """An offer that was given to some, changed once, and ends soon."""
    terms = {"headline": "Merci pour votre commande !", "body": "Voici de quoi revenir nous voir.\nÀ très bientôt, l’équipe."}
    name = desk.publish(TEN_PERCENT, "Merci de printemps", **terms)
    for number, email in enumerate(("camille.martin@example.org", "noe.bernard@example.org", "elise.moreau@example.org")):
        order = desk.buy(email)
        if number == 0:
            desk.buy(email, discount_codes=("merci10",))
        if number == 1:
            desk.change_order(order, refunded_total=order.total)
    desk.buy("anna@example.org", is_test=True)
    desk.change(name, headline="Merci et à bientôt !")
    return name


def test_how_no_offers_and_a_new_one_look(member_page: Opens, here: str, shelf: ShelfCodes) -> None:
    assert_looks_right(member_page, here, "offers-empty")
    assert_looks_right(member_page, f"{here}/new", "offer-new")


def test_how_offers_look(member_page: Opens, here: str, desk: OfferDesk, running: str) -> None:
    desk.hold_code("VIP", restrictions=(Restriction.CUSTOMERS,))
    desk.hold_code("ETE")
    stopped = desk.publish(TEN_PERCENT, "Été", code="ETE")
    desk.hold_code("ETE", restrictions=(Restriction.PRODUCTS,))
    desk.tend()
    assert stopped
    assert_looks_right(member_page, here, "offers")
    assert_looks_right(member_page, "/app", "dashboard-offers")
    assert_looks_right(member_page, f"{here}/{stopped}", "offer-suspended")


def test_how_the_page_of_an_offer_looks(member_page: Opens, here: str, running: str, desk: OfferDesk) -> None:
    assert_looks_right(member_page, f"{here}/{running}", "offer")
    assert_looks_right(member_page, f"{here}/{running}/deactivation", "offer-off")
    assert_looks_right(member_page, f"{here}/{running}/deletion", "offer-delete")
    assert_looks_right(member_page, f"{here}/{running}/history", "offer-history")
    desk.act(running, "delete")
    assert_looks_right(member_page, f"{here}/deleted", "offers-deleted")


def test_how_the_preview_looks(member_page: Opens, here: str, running: str) -> None:
    def see_both(page: Page) -> None:
        # Chromium paints no frame that was never in sight.
        page.locator("iframe").nth(1).scroll_into_view_if_needed()
        expect(page.frame_locator("iframe >> nth=1").locator(".offer-code")).to_have_text("MERCI10")

    assert_looks_right(member_page, f"{here}/{running}/preview", "offer-preview", prepare=see_both)


def test_how_the_editor_looks_with_the_stores_codes_and_a_cut_picture(member_page: Opens, here: str, shelf: ShelfCodes) -> None:
    def choose(page: Page) -> None:
        page.get_by_label("A code that the store has already").or_(page.get_by_label("Un code que la boutique a déjà")).check()
        name, content, kind = picture(1200, 900, "JPEG")
        page.locator("#picture").set_input_files({"name": name, "mimeType": kind, "buffer": content})
        page.get_by_role("button", name="Show codes").or_(page.get_by_role("button", name="Afficher les codes")).click()
        page.locator(".code-line").first.wait_for()

    assert_looks_right(member_page, f"{here}/new", "offer-codes", prepare=choose, ends_at=f"{here}/new")


def test_how_a_code_for_each_and_a_refusal_look(member_page: Opens, here: str, shelf: ShelfCodes) -> None:
    def refuse(page: Page) -> None:
        page.locator("#mode-unique").check()
        page.locator("#name").fill("Un code par client")
        page.locator("#value").fill("beaucoup")
        page.locator("button[value=publish]").click()
        page.locator(".note.bad").wait_for()

    assert_looks_right(member_page, f"{here}/new", "offer-refused", prepare=refuse)


def test_a_code_that_was_chosen_before_the_script_was_there_counts(member_page: Opens, here: str) -> None:
    page = member_page()
    held: list[Route] = []
    page.route("**/offer.js*", lambda route: held.append(route))
    with page.expect_request("**/offer.js*"):
        page.goto(f"{here}/new", wait_until="commit")
    page.get_by_label("A code of their own for each person").check()
    publish = page.get_by_role("button", name="Publish")
    expect(publish).to_be_disabled()
    held[0].continue_()
    expect(publish).to_be_enabled()


@pytest.mark.spec("SH-10")
def test_publish_is_enabled_as_soon_as_there_is_a_code(member_page: Opens, here: str, parts: Composition, shelf: ShelfCodes) -> None:
    page = member_page()
    page.goto(f"{here}/new")
    publish = page.get_by_role("button", name="Publish")
    expect(publish).to_be_disabled()
    page.get_by_label("New code", exact=True).fill("MERCI20")
    expect(publish).to_be_enabled()
    page.get_by_label("New code", exact=True).fill(" ")
    expect(publish).to_be_disabled()
    page.get_by_label("A code of their own for each person").check()
    expect(publish).to_be_enabled()
    expect(page.get_by_label("Each code begins with")).to_be_visible()
    expect(page.get_by_label("Uses in all")).to_be_hidden()
    page.get_by_label("A code that the store has already").check()
    expect(publish).to_be_disabled()
    page.get_by_label("Search the store’s codes").fill("livr")
    page.get_by_role("button", name="Show codes").click()
    expect(publish).to_be_disabled()
    page.get_by_role("radio", name="LIVRAISON").check()
    expect(publish).to_be_enabled()
    page.get_by_label("Name", exact=True).fill("Port offert")
    page.get_by_label("Headline").fill("Merci !")
    publish.click()
    expect(page.locator(".toast")).to_contain_text("The offer is published.")
    assert scalar(parts, "select state from offers") == "active"
    assert faults_of(page) == []


@pytest.mark.parametrize("has_script", [True, False])
def test_an_offer_is_written_published_and_switched_off(
    has_script: bool, member_page: Opens, here: str, parts: Composition, shelf: ShelfCodes
) -> None:
    page = member_page(java_script_enabled=has_script)
    page.goto("/app")
    page.get_by_role("link", name="Create offer").click()
    page.get_by_label("Name", exact=True).fill("Merci")
    page.get_by_label("Headline").fill("Merci pour votre commande")
    page.get_by_label("Text", exact=True).fill("À bientôt")
    name, content, kind = picture(933, 480)
    page.get_by_label("A picture above the text").set_input_files({"name": name, "mimeType": kind, "buffer": content})
    page.get_by_label("How much").fill("15")
    page.get_by_label("New code", exact=True).fill("RETOUR15")
    page.get_by_label("Last day", exact=True).fill(day(30))
    page.get_by_role("button", name="Finish later").click()
    expect(page.locator(".titles .tag")).to_have_text("draft")
    expect(page.locator(".banner-shown")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".titles .tag")).to_have_text("active")
    assert [code.code for code in shelf.made] == ["RETOUR15"]
    page.wait_for_load_state("load")
    page.get_by_role("link", name="Deactivate").click()
    question = page.locator("dialog") if has_script else page.locator("main")
    expect(question).to_contain_text("who has one can still use it")
    question.get_by_role("button", name="Deactivate").click()
    expect(page.locator(".titles .tag")).to_have_text("deactivated")
    assert scalar(parts, "select state from offers") == "deactivated"
    assert shelf.held["retour15"].status is CodeStatus.ACTIVE


def test_enter_saves_and_never_publishes(member_page: Opens, here: str, parts: Composition, shelf: ShelfCodes) -> None:
    page = member_page()
    page.goto(f"{here}/new")
    page.get_by_label("New code", exact=True).fill("RETOUR15")
    page.get_by_label("Name", exact=True).fill("Merci")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.locator(".titles .tag")).to_have_text("draft")
