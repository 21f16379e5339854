"""The merchant's pages of offers over either pretend store (SH-01, SH-14 to SH-16, SH-18 to SH-22, SH-32, SH-33, NH-18)."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image

from tests.flows.forms import find_button
from tests.flows.offer_acts import Wanted
from tests.flows.offer_stage import OfferShop, offer_in, words_of

ANNA, BEN, CLEO = "anna@shopper.example", "ben@shopper.example", "cleo@shopper.example"
TEXTS = {"name": "Merci", "headline": "Thank you", "body": "For next time."}


def picture(width: int, height: int) -> bytes:
    """A picture of this size."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 70)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.spec("SH-01")
def test_where_the_store_lacks_something_no_offer_can_be_made_and_it_is_named(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    here.acts.close_store()
    here.later(16)
    assert here.standing(offer) == ("suspended", "requirements")

    page = here.open("/offers/new")
    assert "it is behind a password, or says that it is coming soon" in words_of(page)
    assert find_button(page.text, "Publish")[1].is_disabled
    refused = here.press(page, "Finish later", **TEXTS)

    assert refused.status_code == 422
    assert "it is behind a password, or says that it is coming soon" in words_of(refused)
    assert len(here.rows("select 1 from offers where shop_id = :shop")) == 1
    here.acts.open_store()
    here.later(16)
    assert here.press(here.open("/offers/new"), "Finish later", **TEXTS).status_code == 200


@pytest.mark.spec("SH-14")
def test_a_picture_of_the_right_size_is_not_cut_and_any_other_is_shown_as_it_will_be(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    saved = here.press(here.open("/offers/new"), "Finish later", picture=picture(933, 480), **TEXTS)
    edit = here.open(f"/offers/{offer_in(saved)}/edit")
    assert "The picture is cut" not in words_of(edit)
    assert re.search(r'<img class="banner-shown" src="(/banners/[^"]+)"', edit.text)

    here.press(edit, "Finish later", picture=picture(600, 600))
    edit = here.open(f"/offers/{offer_in(saved)}/edit")

    assert "The picture is cut" in words_of(edit)
    assert "600 × 600" in words_of(edit)
    shown = re.search(r'<img class="banner-shown" src="(/banners/[^"]+)"', edit.text)
    assert shown is not None
    image = here.shopper.get(shown[1])
    assert image.status_code == 200
    with Image.open(io.BytesIO(image.content)) as seen:
        assert abs(seen.width / seen.height - 933 / 480) < 0.01
    here.press(here.pick(edit, "MERCI10"), "Publish")
    order = here.bought(ANNA)
    assert shown[1] in here.page_of(order).text
    assert shown[1] in here.mails_to(ANNA)[0].html


@pytest.mark.spec("SH-15")
def test_the_code_itself_may_not_stand_in_the_message(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    for text in ({"body": "Use merci10 next time."}, {"headline": "MERCI10!"}):
        page = here.open("/offers/new")
        refused = here.post("/offers", filled(page.text, mode="existing", chosen="MERCI10", **TEXTS | text))
        assert refused.status_code == 422
        assert "must not hold the code" in words_of(refused)
    assert here.rows("select 1 from offers where shop_id = :shop") == []
    assert "Do not put the code into the picture" in words_of(here.open("/offers/new"))


@pytest.mark.spec("SH-16")
def test_a_draft_is_given_to_nobody_and_can_be_gone_on_with(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    saved = here.press(here.open("/offers/new"), "Finish later", name="Half done", headline="Thank")
    offer = offer_in(saved)
    assert here.standing(offer) == ("draft", None)
    first = here.bought(ANNA)
    assert here.decisions(first) == []
    assert here.mails_to(ANNA) == []

    edit = here.open(f"/offers/{offer}/edit")
    assert 'value="Half done"' in edit.text
    assert 'value="Thank"' in edit.text
    again = here.pick(edit, "MERCI10", headline="Thank you", body="Come back.")
    assert here.standing(offer) == ("draft", None)
    here.press(again, "Publish")

    assert here.standing(offer) == ("active", None)
    order = here.bought(BEN)
    assert here.decisions(order) == ["granted"]
    assert "Come back." in here.mails_to(BEN)[0].text


@pytest.mark.spec("SH-18", "SH-19", "SH-20", "SH-21")
def test_the_numbers_stand_on_the_offers_page_and_in_the_list(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10", most_uses=9)
    for who in (ANNA, BEN, CLEO):
        here.bought(who)
    orders = [here.bought(ANNA, "MERCI10"), here.bought(BEN, "MERCI10")]
    here.acts.refund(orders[1])
    here.settle()

    page, listed = words_of(here.open(f"/offers/{offer}")), words_of(here.open("/offers"))

    gross, net = (f"{amount:,.2f}" for amount in (sum(map(here.acts.total, orders)), here.acts.total(orders[0])))
    assert re.search(r"Recipients 3\b", page)
    assert re.search(r"Orders with its code 2\b", page)
    assert gross in page
    assert net in page
    assert gross in listed


@pytest.mark.spec("SH-22")
def test_an_offer_can_be_edited_switched_off_and_deleted_and_the_last_two_ask_first(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    order = here.bought(ANNA)
    changed = here.press(here.open(f"/offers/{offer}/edit"), "Save", headline="Many thanks")
    assert "Many thanks" in words_of(changed)
    assert here.offer(offer)["version"] == 2

    question = here.open(f"/offers/{offer}/deactivation")
    assert "who has one can still use it" in words_of(question)
    assert here.standing(offer) == ("active", None)
    assert here.is_shown(order)
    here.press(question, "Deactivate")
    assert here.standing(offer) == ("deactivated", None)
    assert not here.is_shown(order)
    here.press(here.open(f"/offers/{offer}"), "Publish")
    assert here.is_shown(order)

    question = here.open(f"/offers/{offer}/deletion")
    assert here.standing(offer) == ("active", None)
    gone = here.press(question, "Delete")
    assert here.standing(offer) == ("deleted", None)
    assert "No offers yet" in words_of(gone)
    assert here.open(f"/offers/{offer}").status_code == 404
    assert not here.is_shown(order)
    assert here.acts.honours("MERCI10")


@pytest.mark.spec("SH-32")
def test_a_new_offer_is_one_click_away_from_the_overview(here: OfferShop) -> None:
    page = here.merchant.get("/app", follow_redirects=True)
    links = re.findall(r'<a[^>]+href="([^"]+)"[^>]*>(?:\s*<svg.*?</svg>)?\s*Create offer', page.text, re.DOTALL)
    assert f"{here.base}/offers/new" in links
    assert "What it says" in words_of(here.merchant.get(links[0]))


@pytest.mark.spec("NH-18", "SH-33")
def test_a_click_gives_the_offer_a_new_code_before_the_old_one_ends_or_after(here: OfferShop) -> None:
    end = here.day(10)
    here.acts.make(Wanted("DIXJOURS", ends_at=end))
    offer = here.shared("DIXJOURS")
    old = here.bought(ANNA)
    here.jump(timedelta(days=8))
    page = here.open(f"/offers/{offer}")
    assert "Its code ends soon" in words_of(page)

    renewed = here.press(page, "Make a new code")

    assert here.standing(offer) == ("active", None)
    assert "Its code ends soon" not in words_of(renewed)
    new = here.bought(BEN)
    code = here.grant_of(new)["code"]
    assert code.casefold() != "dixjours"
    assert here.acts.honours(code)
    assert here.grant_of(old)["code"].casefold() == "dixjours"
    here.jump(timedelta(days=12))
    assert here.standing(offer) == ("suspended", "code_expired")
    stopped = here.open(f"/offers/{offer}")
    assert "Nobody is given this offer at the moment" in words_of(stopped)
    here.press(stopped, "Make a new code")
    assert here.standing(offer) == ("active", None)
    assert here.decisions(here.bought(CLEO)) == ["granted"]
    told = words_of(here.open(f"/offers/{offer}"))
    assert "suspended" in told.casefold()


def filled(html: str, **values: str) -> dict[str, str]:
    """The editor's form as it would be sent by its second button, with these values whatever the page lets one choose."""
    form, button = find_button(html, "Finish later")
    return form.filled(button, {}) | values
