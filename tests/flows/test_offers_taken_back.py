"""What becomes of a grant when the purchase that earned it is taken back, on either pretend store (C59)."""

import pytest

from sync.jobs import Job
from tests.flows.offer_acts import Wanted
from tests.flows.offer_stage import OfferShop

ANNA, BEN = "anna@shopper.example", "ben@shopper.example"


@pytest.mark.spec("C59")
@pytest.mark.parametrize("how", ["refund", "cancel"])
def test_a_purchase_that_is_taken_back_takes_its_offer_and_its_own_code_with_it(here: OfferShop, how: str) -> None:
    here.unique()
    annas, bens = here.bought(ANNA), here.bought(BEN)
    code, others = here.grant_of(annas)["code"], here.grant_of(bens)["code"]
    assert here.acts.honours(code, ANNA)

    getattr(here.acts, how)(annas)
    here.settle()

    reason = "order_refunded" if how == "refund" else "order_cancelled"
    assert (here.grant_of(annas)["state"], here.grant_of(annas)["reason"]) == ("suspended", reason)
    assert not here.is_shown(annas)
    assert not here.acts.honours(code, ANNA)
    assert here.is_shown(bens)
    assert here.acts.honours(others, BEN)


@pytest.mark.spec("C59")
def test_a_part_of_the_money_back_leaves_the_offer(here: OfferShop) -> None:
    here.unique()
    order = here.bought(ANNA, quantity=2)
    here.acts.refund(order, here.acts.total(order) / 4)
    here.settle()
    assert here.grant_of(order)["state"] == "live"
    assert here.is_shown(order)
    assert here.acts.honours(here.grant_of(order)["code"], ANNA)


@pytest.mark.spec("C59")
def test_a_purchase_that_stands_again_has_its_offer_again(here: OfferShop) -> None:
    """On Shopify what can be undone is a chargeback, on WooCommerce a cancellation."""
    here.unique()
    order = here.bought(ANNA)
    code = here.grant_of(order)["code"]

    here.acts.take_back(order)
    here.settle()
    assert here.grant_of(order)["state"] == "suspended"
    assert not here.is_shown(order)
    assert not here.acts.honours(code, ANNA)
    here.later(1)  # stores tell whole seconds, and of two words of one second the worse one counts
    here.acts.reinstate(order)
    here.settle()

    assert (here.grant_of(order)["state"], here.grant_of(order)["reason"]) == ("live", None)
    assert here.grant_of(order)["code"] == code
    assert here.is_shown(order)
    assert here.acts.honours(code, ANNA)
    assert len(here.mails_to(ANNA)) == 1
    assert here.acts.carries(here.bought(ANNA, code), code)


@pytest.mark.spec("C59")
def test_who_earned_another_meanwhile_gets_the_first_one_not_back(here: OfferShop) -> None:
    here.unique()
    first = here.bought(ANNA)
    here.acts.take_back(first)
    here.settle()
    second = here.bought(ANNA)
    assert here.decisions(second) == ["granted"]

    here.later(1)  # stores tell whole seconds, and of two words of one second the worse one counts

    here.acts.reinstate(first)
    here.settle()

    assert (here.grant_of(first)["state"], here.grant_of(first)["reason"]) == ("suspended", "holds_other")
    assert not here.acts.honours(here.grant_of(first)["code"], ANNA)
    assert here.is_shown(second)


@pytest.mark.spec("C59")
def test_a_shared_code_is_left_alone_and_only_the_link_stops(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")
    annas, bens = here.bought(ANNA), here.bought(BEN)
    here.acts.refund(annas)
    here.settle()
    assert not here.is_shown(annas)
    assert here.is_shown(bens)
    assert here.acts.honours("MERCI10")


@pytest.mark.spec("C59")
def test_a_mail_that_has_not_left_does_not_leave(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")
    order = here.acts.buy(ANNA)
    here.settle(without=[Job.OFFER_MAILS])
    assert here.decisions(order) == ["granted"]

    here.acts.refund(order)
    here.settle()

    assert here.mails_to(ANNA) == []
    (mail,) = here.rows("select state, reason from grant_mails where shop_id = :shop")
    assert (mail["state"], mail["reason"]) == ("cancelled", "order_refunded")
