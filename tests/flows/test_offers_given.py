"""Whom an offer is given to, and which version of it, on either pretend store (SH-02, SH-12, SH-24, SH-25, SH-34, NH-14)."""

from datetime import timedelta

import pytest

from tests.flows.offer_acts import Wanted
from tests.flows.offer_stage import OfferShop

ANNA, BEN, CLEO = "anna@shopper.example", "ben@shopper.example", "cleo@shopper.example"


@pytest.mark.spec("SH-02")
def test_who_completed_a_purchase_is_given_the_offer_and_the_store_takes_its_code(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")

    order = here.bought(ANNA)

    assert here.decisions(order) == ["granted"]
    (mail,) = here.mails_to(ANNA)
    link = f"/o/{here.grant_of(order)['link_token']}"
    assert here.acts.spell("MERCI10") in mail.html
    assert here.acts.spell("MERCI10") in mail.text
    assert link in mail.text
    assert here.is_shown(order)
    assert "Thank you for your order" in here.page_of(order).text
    used = here.shopper.get(f"{link}/use")
    assert used.status_code == 302
    assert here.stage.twin.domain in used.headers["location"]
    second = here.bought(ANNA, "MERCI10")
    assert here.acts.carries(second, "MERCI10")
    assert here.grant_of(order)["state"] == "used"


@pytest.mark.spec("SH-34")
def test_an_order_is_looked_at_once_when_it_is_paid(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")

    promised = here.acts.promise(ANNA)
    here.settle()
    assert here.decisions(promised) == []
    assert here.mails_to(ANNA) == []
    here.acts.receive_money(promised)
    here.settle()
    assert here.decisions(promised) == ["granted"]
    decided = here.rows("select decided_at from grant_decisions where shop_id = :shop")
    here.pass_time(timedelta(hours=1))
    here.acts.touch_order(promised)
    here.settle()
    assert here.rows("select decided_at from grant_decisions where shop_id = :shop") == decided
    assert len(here.grants()) == 1
    assert len(here.mails_to(ANNA)) == 1


def test_an_order_that_was_cancelled_before_we_saw_it_paid_earns_nothing(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")
    order = here.acts.buy(ANNA)
    here.acts.cancel(order)
    here.settle()
    assert here.decisions(order) in ([], ["order_cancelled"])
    assert here.grants() == []
    assert here.mails_to(ANNA) == []


@pytest.mark.spec("SH-34")
def test_repeated_and_reordered_deliveries_give_once(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10")
    here.acts.deliveries.mischief.repeat, here.acts.deliveries.mischief.window = 1.0, 5

    orders = []
    for number in range(8):
        order = here.acts.promise(f"buyer{number}@shopper.example")
        here.acts.receive_money(order)
        here.acts.touch_order(order)
        orders.append(order)
    here.settle()

    assert any(len(row.attempts) > 1 for row in here.acts.deliveries.deliveries())
    assert [here.decisions(order) for order in orders] == [["granted"]] * 8
    assert len(here.grants()) == 8
    assert sorted(here.sender.recipients) == sorted(f"buyer{number}@shopper.example" for number in range(8))


def test_what_was_paid_before_the_offer_was_published_earns_nothing(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    before = here.bought(ANNA)
    here.pass_time(timedelta(minutes=5))
    here.shared("MERCI10")
    here.acts.touch_order(before)
    here.settle()
    assert here.decisions(before) == ["paid_before_activation"]
    assert here.grants() == []


@pytest.mark.spec("SH-12", "SH-24")
def test_a_change_reaches_new_recipients_only_and_pauses_nothing(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.acts.make(Wanted("MERCI15", value="15"))
    offer = here.shared("MERCI10")
    old = here.bought(ANNA)

    here.change(offer, **here.choose("MERCI15"), headline="Even more thanks")
    new = here.bought(BEN)

    assert here.standing(offer) == ("active", None)
    assert [row["to_state"] for row in here.rows("select to_state from offer_events where shop_id = :shop order by id")].count(
        "suspended"
    ) == 0
    assert [(here.grant_of(one)["code"], here.grant_of(one)["version"]) for one in (old, new)] == [
        (here.acts.spell("MERCI10"), 1),
        (here.acts.spell("MERCI15"), 2),
    ]
    assert here.is_shown(old)
    assert "Thank you for your order" in here.page_of(old).text
    assert "Even more thanks" in here.page_of(new).text
    assert "Even more thanks" in here.mails_to(BEN)[0].text
    assert here.acts.honours("MERCI10")
    assert here.acts.honours("MERCI15")


@pytest.mark.spec("SH-25")
def test_who_holds_an_unused_offer_gets_no_other_from_any_offer_until_it_is_over(here: OfferShop) -> None:
    for code in ("MERCI10", "AUTRE10"):
        here.acts.make(Wanted(code))
    here.shared("MERCI10")
    other = here.shared("AUTRE10", name="Another")
    first = here.bought(ANNA)
    assert here.grant_of(first)["code"] == here.acts.spell("MERCI10")

    second = here.bought(ANNA)
    aliased = here.bought("anna+again@shopper.example")

    assert here.decisions(second) == here.decisions(aliased) == ["holds_unused_offer"]
    assert len(here.grants()) == 1
    assert len(here.mails_to(ANNA)) == 1
    assert here.standing(other) == ("active", None)
    used_with = here.bought(ANNA, "MERCI10")
    assert here.grant_of(first)["state"] == "used"
    assert here.decisions(used_with) == ["granted"]


def test_a_code_that_is_deleted_sets_its_holders_free(here: OfferShop) -> None:
    for code in ("MERCI10", "AUTRE10"):
        here.acts.make(Wanted(code))
    here.shared("MERCI10")
    here.shared("AUTRE10", name="Another")
    first = here.bought(ANNA)

    here.acts.delete("MERCI10")
    here.settle()

    assert (here.grant_of(first)["state"], here.grant_of(first)["reason"]) == ("ended", "code_deleted")
    again = here.bought(ANNA)
    assert here.decisions(again) == ["granted"]
    assert here.grant_of(again)["code"] == here.acts.spell("AUTRE10")


@pytest.mark.spec("NH-14")
def test_who_buys_with_codes_again_and_again_gets_no_more_under_whatever_alias(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    here.shared("MERCI10", most_uses=2)
    aliases = ["m.artin@gmail.com", "martin+1@gmail.com", "martin@googlemail.com", "m.a.r.t.i.n+shop@gmail.com"]
    orders = [here.bought(aliases[0])]
    orders += [here.bought(alias, "MERCI10") for alias in aliases[1:]]

    assert [here.decisions(order) for order in orders] == [["granted"], ["granted"], ["too_many_incentives"], ["too_many_incentives"]]
    assert here.decisions(here.bought(BEN)) == ["granted"]


@pytest.mark.spec("NH-14")
def test_an_order_below_the_floor_earns_nothing(here: OfferShop) -> None:
    here.acts.make(Wanted("MERCI10"))
    small = here.acts.total(here.bought(CLEO))
    here.shared("MERCI10", minimum_order=small + 1)
    assert here.decisions(here.bought(ANNA)) == ["below_minimum"]
    assert here.decisions(here.bought(BEN, quantity=2)) == ["granted"]
