"""Until when a shopper's link shows an offer, on either pretend store (SH-03 to SH-05, SH-23)."""

from datetime import timedelta

import pytest

from tests.flows.offer_acts import Wanted
from tests.flows.offer_stage import OfferShop

ANNA, BEN, CLEO = "anna@shopper.example", "ben@shopper.example", "cleo@shopper.example"


@pytest.mark.spec("SH-03")
def test_who_used_a_code_that_is_good_once_for_each_sees_the_offer_no_more(here: OfferShop) -> None:
    here.acts.make(Wanted("UNEFOIS", once=True))
    here.shared("UNEFOIS", most_uses=1)
    annas, bens = here.bought(ANNA), here.bought(BEN)
    assert here.is_shown(annas)

    here.bought(ANNA, "UNEFOIS")

    assert not here.is_shown(annas)
    assert here.is_shown(bens)


@pytest.mark.spec("SH-03")
def test_a_code_of_limited_uses_that_is_used_up_is_shown_to_nobody(here: OfferShop) -> None:
    here.acts.make(Wanted("DEUXFOIS", usage_limit=2))
    offer = here.shared("DEUXFOIS")
    orders = [here.bought(who) for who in (ANNA, BEN, CLEO)]

    here.bought(ANNA, "DEUXFOIS")
    here.later(5)
    assert here.is_shown(orders[2])
    here.bought(BEN, "DEUXFOIS")
    here.later(6)

    assert [here.is_shown(order) for order in orders] == [False, False, False]
    assert here.standing(offer) == ("suspended", "code_used_up")


@pytest.mark.spec("SH-04", "SH-28")
def test_at_the_end_of_its_code_an_offer_is_shown_to_nobody_and_suspended_though_nobody_tells_us(here: OfferShop) -> None:
    end = here.day(2)
    here.acts.make(Wanted("COURT", ends_at=end))
    offer = here.shared("COURT")
    orders = [here.bought(ANNA), here.bought(BEN)]
    here.pass_time(end - here.now - timedelta(seconds=30))
    assert [here.is_shown(order) for order in orders] == [True, True]
    sent = len(here.acts.deliveries.deliveries())

    # Nobody has worked since: the link alone knows, by our clock.
    here.pass_time(timedelta(seconds=31))
    assert here.standing(offer) == ("active", None)
    assert [here.is_shown(order) for order in orders] == [False, False]

    here.settle()
    assert here.standing(offer) == ("suspended", "code_expired")
    assert here.offer(offer)["state_at"] - end < timedelta(seconds=60)
    assert len(here.acts.deliveries.deliveries()) == sent
    assert {grant["reason"] for grant in here.grants()} == {"expired"}
    late = here.bought(CLEO)
    assert here.decisions(late) == ["offer_suspended"]
    assert here.mails_to(CLEO) == []


@pytest.mark.spec("SH-04", "SH-27")
def test_when_its_code_is_deleted_an_offer_is_shown_to_nobody_and_suspended(here: OfferShop) -> None:
    here.acts.make(Wanted("PARTI"))
    offer = here.shared("PARTI")
    orders = [here.bought(ANNA), here.bought(BEN)]

    here.acts.delete("PARTI")
    here.settle()

    assert here.standing(offer) == ("suspended", "code_deleted")
    assert [here.is_shown(order) for order in orders] == [False, False]
    late = here.bought(CLEO)
    assert here.decisions(late) == ["offer_suspended"]
    assert len(here.grants()) == 2
    assert here.mails_to(CLEO) == []


@pytest.mark.spec("SH-05", "SH-23")
@pytest.mark.parametrize("act", ["deactivate", "delete"])
def test_an_offer_that_is_switched_off_is_not_shown_and_its_code_still_works_until_it_is_deleted_itself(here: OfferShop, act: str) -> None:
    here.acts.make(Wanted("RESTE"))
    offer = here.shared("RESTE")
    order = here.bought(ANNA)
    assert here.is_shown(order)

    here.switch_off(offer, act)

    assert not here.is_shown(order)
    assert here.decisions(here.bought(BEN)) == []
    here.later(6)
    assert "RESTE".casefold() in [code.casefold() for code in here.acts.codes()]
    assert here.acts.carries(here.bought(ANNA, "RESTE"), "RESTE")
    here.acts.delete("RESTE")
    here.settle()
    assert not here.acts.honours("RESTE")


@pytest.mark.spec("SH-23")
@pytest.mark.parametrize("act", ["deactivate", "delete"])
def test_codes_that_we_made_are_not_touched_by_switching_an_offer_off(here: OfferShop, act: str) -> None:
    offer = here.unique()
    order = here.bought(ANNA)
    code = here.grant_of(order)["code"]

    here.switch_off(offer, act)
    here.later(6)

    assert not here.is_shown(order)
    assert here.acts.honours(code, ANNA)
    assert here.acts.carries(here.bought(ANNA, code), code)
