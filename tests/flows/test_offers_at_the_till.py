"""What the stores' own checkouts do with codes of our offers (C52, C53, C55, C57, BX-12), on either pretend store."""

from datetime import timedelta

import pytest

from integrations.sandbox.woocommerce_coupon_checks import CouponsRemoved
from tests.flows.offer_acts import Wanted, WooActs
from tests.flows.offer_stage import OfferShop

ANNA, BEN = "anna@shopper.example", "ben@shopper.example"


@pytest.mark.spec("C55")
def test_a_code_that_ends_while_it_lies_in_a_cart_is_refused_when_the_order_is_placed(here: OfferShop) -> None:
    here.unique(valid_days=2)
    earned = here.bought(ANNA)
    code, end = here.grant_of(earned)["code"], here.grant_of(earned)["ends_at"]
    cart = here.acts.begin(ANNA, code)
    in_time = here.acts.finish(here.acts.begin("somebody@else.example"))
    assert in_time

    here.jump(end - here.now + timedelta(minutes=1))
    order = here.acts.finish(cart)
    here.settle()

    assert not here.acts.carries(order, code)
    assert (here.grant_of(earned)["state"], here.grant_of(earned)["reason"]) == ("ended", "expired")
    assert not here.is_shown(earned)
    assert here.rows("select 1 from grants where shop_id = :shop and used_at is not null") == []


@pytest.mark.spec("C55")
def test_a_code_in_a_cart_that_is_still_good_is_taken(here: OfferShop) -> None:
    here.unique(valid_days=2)
    earned = here.bought(ANNA)
    code, end = here.grant_of(earned)["code"], here.grant_of(earned)["ends_at"]
    cart = here.acts.begin(ANNA, code)
    here.jump(end - here.now - timedelta(minutes=5))
    order = here.acts.finish(cart)
    here.settle()
    assert here.acts.carries(order, code)
    assert here.grant_of(earned)["state"] == "used"


@pytest.mark.spec("C55")
def test_a_code_whose_offer_lost_its_purchase_is_refused_in_an_old_cart(here: OfferShop) -> None:
    here.unique()
    earned = here.bought(ANNA)
    code = here.grant_of(earned)["code"]
    cart = here.acts.begin(ANNA, code)
    here.acts.refund(earned)
    here.settle()
    order = here.acts.finish(cart)
    here.settle()
    assert not here.acts.carries(order, code)


@pytest.mark.spec("C57")
@pytest.mark.parametrize("checkout", ["block", "classic"])
@pytest.mark.parametrize("here", ["woocommerce"], indirect=True)
def test_a_code_for_one_address_is_refused_to_any_other_on_both_checkouts(here: OfferShop, checkout: str) -> None:
    assert isinstance(here.acts, WooActs)
    with here.acts.twin.store.lock:
        here.acts.twin.store.checkout = checkout  # type: ignore[assignment]
    here.unique(locks_email=True)
    annas, bens = here.bought(ANNA), here.bought(BEN)
    code = here.grant_of(annas)["code"]
    coupon = here.acts.twin.store.coupons.by_code(code)
    assert coupon is not None
    assert coupon.emails == [ANNA]
    assert coupon.limits["usage_limit"] == 1

    assert not here.acts.honours(code, BEN)
    # Typed as Anna, and then changed: the order says it again.
    cart = here.acts.begin(ANNA, code)
    here.acts.twin.type_into(cart, BEN)
    with pytest.raises(CouponsRemoved):
        here.acts.twin.buy(cart, "card")
    assert here.acts.carries(here.bought("ANNA@shopper.example", code), code)
    assert here.grant_of(annas)["state"] == "used"
    assert here.grant_of(bens)["state"] == "live"


@pytest.mark.spec("BX-12", "C52", "C53")
def test_codes_come_with_the_mail_end_after_some_days_and_the_unused_are_taken_out_of_the_store(here: OfferShop) -> None:
    here.acts.make(Wanted("MARCHAND"))
    here.unique(valid_days=3)
    annas, bens = here.bought(ANNA), here.bought(BEN)
    used, unused = here.grant_of(annas)["code"], here.grant_of(bens)["code"]
    assert used in here.mails_to(ANNA)[0].text
    assert unused in here.mails_to(BEN)[0].text
    assert here.acts.carries(here.bought(ANNA, used), used)

    here.jump(timedelta(days=5))
    assert not here.acts.honours(unused, BEN)
    left = [code.casefold() for code in here.acts.codes()]
    assert {used.casefold(), unused.casefold()} <= set(left)
    here.jump(timedelta(days=35))
    here.jump(timedelta(hours=7))

    left = [code.casefold() for code in here.acts.codes()]
    assert unused.casefold() not in left
    assert used.casefold() in left
    assert "marchand" in left
    assert here.acts.honours("MARCHAND")


def test_a_code_with_a_least_amount_says_so_to_who_gets_it(here: OfferShop) -> None:
    here.acts.make(Wanted("GRAND10", minimum="500.00"))
    here.shared("GRAND10")
    order = here.bought(ANNA)
    assert not here.acts.carries(here.bought(ANNA, "GRAND10"), "GRAND10")
    assert "500" in here.page_of(order).text
    assert "500" in here.mails_to(ANNA)[0].text
