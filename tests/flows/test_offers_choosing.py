"""Which codes an offer can give, made or chosen on the merchant's pages over either pretend store (SH-06 to SH-13, SH-35, C58, BX-09)."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.flows.forms import find_button, listed
from tests.flows.offer_acts import Wanted, WooActs
from tests.flows.offer_stage import OfferShop, offer_in, words_of

ANNA, BEN = "anna@shopper.example", "ben@shopper.example"
TEXTS = {"name": "Merci", "headline": "Thank you", "body": "For next time."}
WHOSE = {
    ("shopify", "customers"): "certain customers only",
    ("shopify", "groups"): "certain groups of customers only",
    ("woocommerce", "customers"): "certain e-mail addresses only",
    ("woocommerce", "groups"): "certain e-mail addresses only",
}
COUPONS = {"percentage": ("percent", False), "fixed_amount": ("fixed_cart", False), "free_shipping": ("percent", True)}


@pytest.mark.spec("SH-06", "SH-07", "SH-08")
@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [("free_shipping", "0", r"Free shipping"), ("fixed_amount", "5", r"(€|EUR)\s?5|5[.,]00"), ("percentage", "15", r"15\s?%")],
)
def test_a_code_for_everybody_can_be_chosen_whatever_it_gives(here: OfferShop, kind: str, value: str, shown: str) -> None:
    here.acts.make(Wanted("BEAU", kind=kind, value=value, minimum="20.00"))

    found = here.press(here.open("/offers/new"), "Show codes", words="BEAU", mode="existing")
    assert "can be used" in words_of(found)
    assert re.search(shown, words_of(found))
    saved = here.press(found, "Finish later", **TEXTS, chosen=listed(found.text, "chosen", "BEAU"))
    published = here.press(saved, "Publish")

    offer = offer_in(published)
    assert here.standing(offer) == ("active", None)
    assert re.search(shown, words_of(published))
    order = here.bought(ANNA, quantity=2)
    assert here.grant_of(order)["code"].casefold() == "beau"
    assert re.search(shown, words_of(here.page_of(order)) + words_of(here.page_of(order)).replace("Livraison offerte", "Free shipping"))


@pytest.mark.spec("SH-09")
@pytest.mark.parametrize("only_for", ["products", "collections", "customers", "groups"])
def test_a_code_for_some_only_cannot_be_chosen_and_the_page_says_why(here: OfferShop, only_for: str) -> None:
    here.acts.make(Wanted("CERTAINS", only_for=only_for))

    found = here.press(here.open("/offers/new"), "Show codes", words="CERTAINS", mode="existing")

    why = "certain products or collections only" if only_for in ("products", "collections") else WHOSE[here.acts.name, only_for]
    assert "cannot be used" in words_of(found)
    assert re.search(why, words_of(found))
    form, button = find_button(found.text, "Finish later")
    assert "CERTAINS" not in [code.upper() for code in form.choices.get("chosen", [])]
    # Who sends it all the same is refused with the reason.
    forced = here.post("/offers", form.filled(button, TEXTS) | {"mode": "existing", "chosen": "CERTAINS"})
    assert forced.status_code == 422
    assert re.search(why, words_of(forced))
    assert here.rows("select 1 from offers where shop_id = :shop") == []


@pytest.mark.spec("SH-10")
def test_without_a_code_there_is_no_publishing(here: OfferShop) -> None:
    page = here.open("/offers/new")
    _, button = find_button(page.text, "Publish")
    assert button.is_disabled
    saved = here.press(page, "Finish later", **TEXTS)
    _, button = find_button(saved.text, "Publish")
    assert button.is_disabled
    forced = here.post(f"/offers/{offer_in(saved)}/publication", {})
    assert forced.status_code in (409, 422)
    assert "a discount code" in words_of(forced)
    assert here.standing(offer_in(saved)) == ("draft", None)


@pytest.mark.spec("SH-11")
def test_a_code_that_serves_something_else_warns_and_is_taken(here: OfferShop) -> None:
    here.acts.make(Wanted("PARTOUT"))
    here.shared("PARTOUT", name="The first offer")
    here.bought(BEN, "PARTOUT")

    found = here.press(here.open("/offers/new"), "Show codes", words="PARTOUT", mode="existing")
    saved = here.press(found, "Finish later", **TEXTS, chosen=listed(found.text, "chosen", "PARTOUT"))

    assert "The first offer" in words_of(saved)
    assert "1 order came with it already" in words_of(saved)
    published = here.press(saved, "Publish")
    assert here.standing(offer_in(published)) == ("active", None)
    assert "The first offer" in words_of(published)


@pytest.mark.spec("SH-13")
def test_codes_of_the_store_are_listed_with_sort_end_and_whether_they_can_be_used(here: OfferShop) -> None:
    here.acts.make(Wanted("ETE10", ends_at=here.day(20), usage_limit=50))
    here.acts.make(Wanted("ETE5", kind="fixed_amount", value="5"))
    here.acts.make(Wanted("ETEFINI", ends_at=here.day(1)))
    here.acts.make(Wanted("HIVER"))
    here.pass_time(timedelta(days=2))

    found = here.press(here.open("/offers/new"), "Show codes", words="ETE", mode="existing")

    lines = {name.upper(): words for name, words in code_lines(found.text).items()}
    assert set(lines) == {"ETE10", "ETE5", "ETEFINI"}
    assert re.search(r"can be used .*10\s?%.*Valid until", lines["ETE10"])
    assert "50" in lines["ETE10"]
    assert "No end date" in lines["ETE5"]
    assert re.search("cannot be used .*expired", lines["ETEFINI"])


@pytest.mark.spec("SH-13", "SH-35")
@pytest.mark.parametrize(("kind", "value"), [("percentage", "12"), ("fixed_amount", "7.50"), ("free_shipping", None)])
def test_a_new_code_is_made_in_the_store_with_its_terms(here: OfferShop, kind: str, value: str | None) -> None:
    last = (here.now + timedelta(days=40)).date()
    filled = {**TEXTS, "mode": "new", "code": "NEUF", "kind": kind, "usage_limit": "80", "minimum_subtotal": "15", "ends_on": str(last)}
    filled |= {"value": value} if value else {}

    saved = here.press(here.open("/offers/new"), "Finish later", **filled, once_per_customer="on")
    published = here.press(saved, "Publish")

    assert here.standing(offer_in(published)) == ("active", None)
    state = here.in_store("NEUF")
    assert state is not None
    assert (state.kind.value, state.value) == (kind, Decimal(value) if value else None)
    assert (state.usage_limit, state.once_per_customer, state.minimum_subtotal, state.restrictions) == (80, True, Decimal(15), ())
    assert state.ends_at is not None
    assert abs((state.ends_at.date() - last).days) <= 1
    if isinstance(here.acts, WooActs):
        coupon = here.acts.twin.store.coupons.by_code("neuf")
        assert coupon is not None
        assert (coupon.discount_type, coupon.flags["free_shipping"]) == COUPONS[kind]
        assert (coupon.limits["usage_limit_per_user"], coupon.limits["usage_limit"]) == (1, 80)
        assert coupon.expires_at == state.ends_at
    order = here.bought(ANNA)
    assert here.grant_of(order)["code"].casefold() == "neuf"
    here.jump(timedelta(days=42))
    assert here.standing(offer_in(published)) == ("suspended", "code_expired")
    assert not here.acts.honours("NEUF")


@pytest.mark.spec("C58")
def test_what_we_make_always_has_an_end(here: OfferShop) -> None:
    filled = {**TEXTS, "mode": "new", "code": "TOUJOURS", "kind": "percentage", "value": "10", "ends_on": ""}
    saved = here.press(here.open("/offers/new"), "Finish later", **filled)
    forced = here.post(f"/offers/{offer_in(saved)}/publication", {})
    assert "the day on which the code ends" in words_of(forced)
    assert here.standing(offer_in(saved)) == ("draft", None)
    assert "TOUJOURS" not in [code.upper() for code in here.acts.codes()]


@pytest.mark.spec("BX-09")
def test_each_recipient_gets_a_code_of_their_own_that_is_good_once(here: OfferShop) -> None:
    filled = {**TEXTS, "mode": "unique", "kind": "percentage", "value": "10", "prefix": "MERCI", "until": "days", "valid_days": "14"}
    saved = here.press(here.open("/offers/new"), "Finish later", **filled)
    offer = offer_in(here.press(saved, "Publish"))
    assert here.standing(offer) == ("active", None)

    annas, bens = here.bought(ANNA), here.bought(BEN)

    codes = [here.grant_of(order)["code"] for order in (annas, bens)]
    assert len(set(codes)) == 2
    assert all(re.fullmatch(r"MERCI-?[0-9A-Z]{13}", code) for code in codes), codes
    assert codes[0] in here.mails_to(ANNA)[0].text
    assert codes[1] not in here.mails_to(ANNA)[0].text
    last = here.grant_of(annas)["ends_at"]
    assert timedelta(days=13, hours=12) < last - here.now <= timedelta(days=15)
    assert here.acts.carries(here.bought(ANNA, codes[0]), codes[0])
    assert here.grant_of(annas)["state"] == "used"
    assert not here.acts.honours(codes[0], ANNA)
    assert here.acts.honours(codes[1], BEN)
    here.jump(timedelta(days=16))
    assert not here.acts.honours(codes[1], BEN)
    assert here.grant_of(bens)["reason"] == "expired"


def code_lines(html: str) -> dict[str, str]:
    """What the list says of each code."""
    found = re.findall(r'<li class="code-line.*?</li>', html, re.DOTALL)
    lines = [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in found]
    return {line.split()[0]: line for line in lines}
