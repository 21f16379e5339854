"""What a merchant reads of an offer's success, recounted from what really happened in either pretend store (SH-17 to SH-20, SH-26)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connector.store import offer_numbers
from connector.store.offer_numbers import OfferNumbers
from tests.flows.offer_acts import Wanted
from tests.flows.offer_stage import OfferShop

ANNA, BEN, CLEO, DAN = (f"{name}@shopper.example" for name in ("anna", "ben", "cleo", "dan"))


def numbers(here: OfferShop, offer: str) -> OfferNumbers:
    """What the offer's page says."""
    with here.shop_session() as (session, shop):
        return offer_numbers.numbers(session, shop, here.offer(offer)["id"], here.now)


def amounts(here: OfferShop, *orders: str) -> Decimal:
    """What the store says that these came to."""
    return sum((here.acts.total(order) for order in orders), Decimal(0))


@pytest.mark.spec("SH-18", "SH-19", "SH-20")
def test_recipients_orders_and_sales_are_those_of_the_store(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10", most_uses=9)
    for who in (ANNA, BEN, CLEO):
        here.bought(who)
    here.bought(DAN)
    here.bought(ANNA)

    with_code = [here.bought(ANNA, "merci10"), here.bought(BEN, "MERCI10", 3), here.bought(CLEO, "Merci10"), here.bought(DAN, "MERCI10")]
    here.bought(BEN)

    seen = numbers(here, offer)
    assert all(here.acts.carries(order, "MERCI10") for order in with_code)
    assert (seen.recipients, seen.orders) == (4, 4)
    assert [money.amount for money in seen.sales] == [amounts(here, *with_code)]
    assert seen.net == seen.sales

    part = (here.acts.total(with_code[1]) / 3).quantize(Decimal("0.01"))
    here.acts.refund(with_code[0])
    here.acts.refund(with_code[1], part)
    here.acts.cancel(with_code[2])
    here.settle()

    seen = numbers(here, offer)
    assert seen.orders == 4
    assert [money.amount for money in seen.sales] == [amounts(here, *with_code)]
    assert [money.amount for money in seen.net] == [amounts(here, with_code[1], with_code[3]) - part]


@pytest.mark.spec("SH-17")
def test_only_the_last_thirty_days_count(here: OfferShop) -> None:
    # Days are the shop's: nobody's midnight is near noon of UTC.
    noon = here.now.replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    here.jump(noon - here.now)
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10", most_uses=9)
    here.bought(ANNA)
    here.bought(ANNA, "MERCI10")
    assert (numbers(here, offer).recipients, numbers(here, offer).orders) == (1, 1)
    here.jump(timedelta(days=20))
    here.bought(BEN)
    here.bought(BEN, "MERCI10")
    assert (numbers(here, offer).recipients, numbers(here, offer).orders) == (2, 2)

    here.jump(timedelta(days=9))
    assert (numbers(here, offer).recipients, numbers(here, offer).orders) == (2, 2)
    here.jump(timedelta(days=1))

    seen = numbers(here, offer)
    assert (seen.recipients, seen.orders) == (1, 1)
    assert (seen.until - seen.since).days == 29


@pytest.mark.spec("SH-19")
def test_orders_with_unique_codes_and_codes_of_earlier_versions_count(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    offer = here.shared("MERCI10")
    here.bought(ANNA)
    here.change(offer, mode="unique", code=None, valid_days=14, prefix="NEUF")
    bens = here.bought(BEN)
    code = here.grant_of(bens)["code"]
    assert code.startswith("NEUF")

    used = [here.bought(ANNA, "MERCI10"), here.bought(BEN, code.lower())]

    assert numbers(here, offer).orders == 2
    assert [money.amount for money in numbers(here, offer).sales] == [amounts(here, *used)]


@pytest.mark.spec("SH-26")
def test_a_new_offer_of_the_same_code_begins_at_nothing_after_the_old_one_was_deleted(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    old = here.shared("MERCI10")
    here.bought(ANNA)
    here.bought(ANNA, "MERCI10")
    here.switch_off(old, "delete")
    here.pass_time(timedelta(minutes=1))

    new = here.shared("MERCI10")

    seen = numbers(here, new)
    assert (seen.recipients, seen.orders, seen.sales, seen.net) == (0, 0, (), ())
    here.bought(BEN, "MERCI10")
    assert numbers(here, new).orders == 1
    assert len(here.rows("select 1 from offer_events where shop_id = :shop and offer_id = :id", id=here.offer(old)["id"])) >= 3
