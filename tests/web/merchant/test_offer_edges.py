"""Rarer ways through the pages of offers: stores that withhold, codes with other ends, previews, a platform that locks codes."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from connector.platforms import NotPermitted
from connector.web.composition import Composition
from sync.offer_codes import make_codes as settle
from tests.conftest import TestShop
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import browser, run, scalar, shop_public_id
from tests.web.merchant.conftest import plain
from tests.web.merchant.offer_kit import OfferWriter, ShelfCodes, day, name_of
from tests.web.posting import PostingPlatform
from tests.web.signing import sign_in


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop) -> OfferDesk:
    """What is bought, and time that goes by."""
    return OfferDesk(parts.services, shopify_shop.id)


def test_a_code_that_is_not_there_and_a_store_that_withholds_are_said_so(writer: OfferWriter, shelf: ShelfCodes) -> None:
    answer = writer.new(mode="existing", chosen="NOBODYS")
    assert "The store has no code NOBODYS." in answer.text
    shelf.error = NotPermitted("no", platform="shopify", call="codes")
    for act in ("search", "save"):
        answer = writer.new(act, mode="existing", chosen="NOBODYS")
        assert "The store does not let us see its discount codes." in answer.text


def test_an_amount_with_two_points_is_none(writer: OfferWriter) -> None:
    assert "“1.2.3” is no amount." in writer.new(value="1.2.3").text


def test_a_series_with_an_end_is_renewed_by_a_later_end(
    writer: OfferWriter, desk: OfferDesk, shelf: ShelfCodes, shopify_shop: TestShop
) -> None:
    name = name_of(writer.new("publish", mode="unique", until="date", unique_ends_on=day(2)))
    assert writer.state(name) == "active"
    old = writer.version(name, "ends_at")
    desk.later(days=1)
    sign_in(writer.client, writer.parts, shopify_shop)
    assert "Its code ends soon." in writer.page(name)
    assert writer.do(name, "replacement").status_code == 303
    assert writer.version(name, "ends_at") - old >= timedelta(days=1)
    assert (writer.version(name, "code"), writer.version(name, "mode")) == (None, "unique")


def test_codes_that_we_made_for_one_person_each_are_not_offered(writer: OfferWriter, desk: OfferDesk, shelf: ShelfCodes) -> None:
    name_of(writer.new("publish", mode="unique", prefix="EACH"))
    desk.buy("anna@example.org")
    settle(writer.parts.services, desk.shop_id)
    own = [state.code for state in shelf.held.values() if state.code.startswith("EACH")]
    assert len(own) > 1
    shelf.put("EACHWEEK")
    listed = writer.new("search", mode="existing", words="each").text
    for number in range(3, len(own) + 1, 3):
        listed += writer.new(f"more:{number}", mode="existing", words="each").text
    assert set(re.findall(r'name="chosen" value="([^"]+)"', listed)) == {"EACHWEEK"}
    answer = writer.new(mode="existing", chosen=own[0])
    assert f"The code {own[0]} was made for one person of another offer." in answer.text


def test_an_offer_of_a_store_that_is_lost_can_still_be_edited(writer: OfferWriter, parts: Composition, shelf: ShelfCodes) -> None:
    name = name_of(writer.new("publish"))
    run(parts, "update shops set state = 'needs_sign_in'")
    assert writer.edit(name, body="Un autre texte.").status_code == 303
    assert "The store is not connected." in plain(writer.page(name))
    assert writer.edit(name, code="OTHER").status_code == 303
    assert "The store has still to do" in plain(writer.page(name))


def test_where_all_numbers_are_taken_the_new_name_is_random(writer: OfferWriter, shelf: ShelfCodes) -> None:
    name = name_of(writer.new("publish", ends_on=day(2)))
    for number in range(2, 7):
        shelf.put(f"MERCI10-{number}")
    writer.do(name, "replacement")
    assert re.fullmatch(r"MERCI10-[A-Z2-9]{6}", shelf.made[-1].code)


def test_the_preview_shows_a_code_as_each_person_would_get_one(writer: OfferWriter) -> None:
    name = name_of(writer.new(mode="unique", prefix="MERCI", valid_days="10"))
    for part in ("/preview/mail", "/preview/page"):
        page = writer.page(name, part)
        assert re.search(r"MERCI-[A-Z2-9]{13}", page)
        assert "Merci pour votre commande" in page
    assert f'href="{writer.here}/offers/{name}/preview/page"' in writer.page(name, "/preview/page"), "the button leads to itself"
    around = plain(writer.page(name, "/preview"))
    assert "Valid until" in around or "Valable jusqu" in around
    assert scalar(writer.parts, "select count(*) from offer_codes") == 0, "a preview makes nothing"


def test_a_preview_that_cannot_be_written_says_why(writer: OfferWriter, make_parts: object, shopify_shop: TestShop) -> None:
    name = name_of(writer.new())
    assert callable(make_parts)
    with browser(make_parts(public_url="ftp://nowhere.example")) as other:
        sign_in(other, writer.parts, shopify_shop)
        page = other.get(f"{writer.here}/offers/{name}/preview").text
        assert "There is no preview. The e-mail could not be written from this offer:" in plain(page)
        assert other.get(f"{writer.here}/offers/{name}/preview/mail").text == ""


def test_where_the_platform_can_a_code_is_locked_to_its_recipient(
    client: TestClient, parts: Composition, woocommerce: PostingPlatform, woo_shop: TestShop
) -> None:
    woocommerce.codes = ShelfCodes(platform="woocommerce")
    woocommerce.can = replace(woocommerce.can, locks_codes_to_email=True)
    sign_in(client, parts, woo_shop)
    writer = OfferWriter(client, parts, f"/app/shops/{shop_public_id(parts, woo_shop)}")
    assert 'name="locks_email"' in client.get(f"{writer.here}/offers/new").text
    name = name_of(writer.new("publish", mode="unique", locks_email="on"))
    assert writer.version(name, "locks_email") is True
    assert "Each code is good for the address of its recipient only." in writer.page(name)


def test_where_it_cannot_nobody_is_asked(writer: OfferWriter, client: TestClient) -> None:
    assert 'name="locks_email"' not in client.get(f"{writer.here}/offers/new").text


def test_what_was_taken_back_and_not_told_to_the_store_yet_is_shown(writer: OfferWriter, desk: OfferDesk, shelf: ShelfCodes) -> None:
    name = name_of(writer.new("publish", mode="unique"))
    order = desk.buy("anna@example.org")
    writer.edit(name, mode="unique", headline="Merci !")
    assert desk.grant(order).state == "live"
    shelf.is_silent = True
    desk.change_order(order, cancelled_at=desk.now)
    page = plain(writer.page(name))
    assert "Its order was cancelled" in page
    assert "end 1 code that is over or was taken back" in page


def test_a_form_field_that_is_no_text_is_no_form(writer: OfferWriter) -> None:
    assert writer.new(headline="a\x00b").status_code == 400


def test_an_offer_of_a_shop_with_an_unknown_zone_is_written_in_utc(writer: OfferWriter, shelf: ShelfCodes, parts: Composition) -> None:
    with parts.db.engine.begin() as connection:
        connection.exec_driver_sql("update shops set timezone = 'Mars/Base'")
    name = name_of(writer.new("publish", ends_on="2031-05-02"))
    assert writer.version(name, "ends_at").isoformat() == "2031-05-02T23:59:59+00:00"
    assert "2031" in writer.page(name)


def test_an_end_that_was_not_touched_stays_to_the_second(writer: OfferWriter, shelf: ShelfCodes) -> None:
    name = name_of(writer.new("publish", ends_on=day(2)))
    writer.do(name, "replacement")
    ends_at = writer.version(name, "ends_at")
    form = writer.page(name, "/edit")
    (shown,) = re.findall(r'name="ends_on" value="([^"]+)"', form)
    (code,) = re.findall(r'name="code" value="([^"]+)"', form)
    assert writer.edit(name, ends_on=shown, code=code, body="Un autre texte.").status_code == 303
    assert writer.version(name, "ends_at") == ends_at
    assert writer.version(name, "body") == "Un autre texte."
