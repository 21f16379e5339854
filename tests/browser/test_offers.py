"""A shopper's offer in a browser, with scripts and without; and support's pages about offers: every look of each."""

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from connector.canonical import PaymentState, Phone
from connector.store import banners
from connector.web.composition import Composition
from integrations.registry import make_platforms
from integrations.transport import Transport
from tests.browser.conftest import Opens
from tests.browser.kit import assert_look, assert_looks_right, faults_of
from tests.conftest import TestShop
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import run, scalar, shop_public_id

LONG = "Wirklich-außerordentlich-zusammengeschriebene-Überschrift-ohne-jede-Trennung-in-einem-einzigen-Wort"
BODY = "Revenez bientôt : la prochaine fois, c’est nous qui offrons un peu.\nÀ très vite, toute l’équipe"


def picture() -> bytes:
    """Stripes of the banner's size."""
    image = Image.new("RGB", (933, 480), "#c0562f")
    draw = ImageDraw.Draw(image)
    for left in range(0, 933, 60):
        draw.rectangle((left, 0, left + 30, 480), fill="#e9b872")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop) -> Iterator[OfferDesk]:
    """A shop whose merchant makes offers, on the real adapters, which reach nobody."""
    transport = Transport(is_closed_world=True)
    fakes = dict(parts.services.platforms)
    platforms = parts.services.platforms
    assert isinstance(platforms, dict)
    platforms |= make_platforms(parts.settings, transport)
    made = OfferDesk(parts.services, shopify_shop.id)
    made.hold_code(ends_at=made.now + timedelta(days=30))
    yield made
    platforms |= fakes
    transport.close()


@pytest.fixture
def link(desk: OfferDesk) -> str:
    """What a French shopper opens."""
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        banner = banners.save_banner(session, desk.shop_id, content=picture(), content_type="image/png", width=933, height=480)
    desk.publish(headline="Merci pour votre achat !", body=BODY, banner_id=banner.id)
    return f"/o/{desk.grant(desk.buy(language='fr-FR')).link_token}"


def test_how_a_shoppers_offer_looks(visitor_page: Opens, desk: OfferDesk, link: str, parts: Composition) -> None:
    assert_looks_right(visitor_page, link, "shopper-offer", languages=("fr",))
    desk.act(scalar(parts, "select public_id from offers"), "deactivate")
    desk.publish(name="Second", headline=LONG, body="")
    bare = f"/o/{desk.grant(desk.buy('bob@example.org', language='en')).link_token}"
    assert_looks_right(visitor_page, bare, "shopper-offer-plain", languages=("en",))


def test_how_an_offer_that_is_over_looks(visitor_page: Opens, desk: OfferDesk, link: str) -> None:
    desk.later(days=31)
    assert_looks_right(visitor_page, link, "shopper-offer-over", languages=("fr",), status=410)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_button_and_the_picture_work_with_and_without_scripts(scripts: bool, visitor_page: Opens, desk: OfferDesk, link: str) -> None:
    page = visitor_page("fr", java_script_enabled=scripts)
    page.goto(link)
    expect(page.get_by_text("MERCI10", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="En profiter chez Démo")).to_have_attribute("href", f"{link}/use")
    assert page.locator("img.offer-banner").evaluate("image => image.naturalWidth") == 933
    assert faults_of(page) == []


def test_a_hostile_offer_is_shown_as_text(visitor_page: Opens, desk: OfferDesk) -> None:
    hostile = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
    desk.publish(headline=hostile, body=hostile)
    page = visitor_page("en")
    page.goto(f"/o/{desk.grant(desk.buy(language='en')).link_token}")
    expect(page.locator("h1")).to_have_text(hostile)
    assert_look(page, "shopper-offer-hostile")


def test_supports_pages_about_offers_look_right(staff_page: Opens, desk: OfferDesk, parts: Composition, shopify_shop: TestShop) -> None:
    base = f"/support/shops/{shop_public_id(parts, shopify_shop)}/offers"
    assert_looks_right(staff_page, base, "support-offers-none")
    name = desk.publish(name="Merci pour votre achat")
    for number, email in enumerate(("anna@example.org", "bruno.durand@example.org", "claire@example.org")):
        order = desk.buy(email, number=f"#10{number}", phone=Phone("06 45 67 89 01", "+33645678901"))
    desk.change_order(order, payment_state=PaymentState.REFUNDED)
    desk.buy("anna@example.org", number="#1042")
    desk.drop_code()
    desk.tend()
    run(parts, "update grants set opened_at = app_now() where id = 1")
    assert_looks_right(staff_page, base, "support-offers")
    assert_looks_right(staff_page, f"{base}?order=1042", "support-offers-order")
    assert_looks_right(staff_page, f"{base}/{name}", "support-offer")
