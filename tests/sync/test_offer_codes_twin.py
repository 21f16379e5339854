"""The codes of offers in both pretend stores: made, given, taken back, ended and cleared, as their checkouts see it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.config import Settings
from connector.rules.code_pool import SMALLEST
from connector.store import offer_codes
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.sandbox.faults import Kind
from tests.flows.offer_stage import OfferShop, offer_shop

MINUTES = timedelta(minutes=1)
ANNA, BOB = "anna@example.org", "bob@example.org"


@pytest.fixture(params=["shopify", "woocommerce"])
def here(request: pytest.FixtureRequest, tmp_path: Path, db: Database, vault: Vault, sandbox_settings: Settings) -> Iterator[OfferShop]:
    """A connected shop, on each twin in turn."""
    with offer_shop(request.param, tmp_path, db, vault, sandbox_settings) as shop:
        yield shop


def set_behind(here: OfferShop, span: timedelta) -> None:
    """The store's clock for its codes is so late."""
    twin: Any = here.stage.twin
    if here.acts.name == "shopify":
        with twin.shop.lock:
            twin.shop.discounts.behind = span
    else:
        with twin.store.lock:
            twin.store.coupons.behind = span


def lose_next_answer(here: OfferShop, *, after: int = 0) -> None:
    """The store does what it is asked, and nobody hears of it."""
    here.stage.twin.faults.spoil_next(Kind.LOSE, after=after)


def pending(here: OfferShop, offer: str) -> int:
    """For how many codes of an offer the store has still something to do."""
    with here.shop_session() as (session, _):
        return sum(one.count for one in offer_codes.pending_of(session, here.offer(offer)["id"]))


def cleared(here: OfferShop, offer: str) -> int:
    """How many codes were taken out of the store."""
    with here.shop_session() as (session, _):
        return offer_codes.cleared_of(session, here.offer(offer)["id"])


def code_of(here: OfferShop, order: str) -> str:
    """The code that an order earned."""
    code = here.grant_of(order)["code"]
    assert isinstance(code, str)
    return code


@pytest.mark.spec("BX-09")
@pytest.mark.parametrize("end", ["days", "date"])
def test_each_gets_a_code_of_their_own_that_the_checkout_takes_once(here: OfferShop, end: str) -> None:
    here.unique(valid_days=14) if end == "days" else here.unique(valid_days=None, ends_at=here.day(20))
    first, second = here.bought(ANNA), here.bought(BOB)
    one, other = code_of(here, first), code_of(here, second)
    assert one != other
    assert all(re.fullmatch("MERCI-[A-HJ-NP-Z2-9]{13}", code) for code in (one, other))
    ends_at = here.grant_of(first)["ends_at"]
    assert timedelta(days=14) < ends_at - here.now < timedelta(days=15) if end == "days" else ends_at - here.now < timedelta(days=20)
    # Who holds an unused one keeps that one.
    assert here.decisions(here.bought(ANNA)) == ["holds_unused_offer"]
    assert (code_of(here, first), here.acts.honours(one, ANNA)) == (one, True)
    way = here.shopper.get(f"/o/{here.grant_of(first)['link_token']}/use", follow_redirects=False)
    assert way.status_code == 302
    assert (f"/discount/{one}" in way.headers["location"]) is (here.acts.name == "shopify")
    used = here.bought(ANNA, code=one)
    assert here.acts.carries(used, one)
    assert here.grant_of(first)["state"] == "used"
    assert (here.acts.honours(one, ANNA), here.acts.honours(other, BOB)) == (False, True)
    # The first one was used, so a later purchase earns another one.
    again = here.grant_of(used)
    assert (again["state"], again["code"] in (one, other)) == ("live", False)


@pytest.mark.spec("BX-10")
def test_a_pool_is_kept_in_the_store(here: OfferShop) -> None:
    here.unique(valid_days=None, ends_at=here.day(60))
    here.bought(ANNA)
    held = len(here.acts.codes())
    for number in range(6):
        order = here.bought(f"p{number}@example.org")
        assert here.grant_of(order)["state"] == "live"
    assert len(here.acts.codes()) == held
    here.bought("last@example.org")
    assert len(here.acts.codes()) > held
    free = here.rows("select code from offer_codes where shop_id = :shop and role = 'unique' and grant_id is null and actual = 'issued'")
    assert len(free) == SMALLEST
    assert all(here.acts.honours(row["code"]) for row in free[:2])


def test_the_code_of_a_refunded_order_dies_in_the_store_and_lives_again_with_it(here: OfferShop) -> None:
    here.unique()
    order = here.bought(ANNA)
    code = code_of(here, order)
    here.acts.take_back(order)
    here.settle()
    assert (here.grant_of(order)["state"], here.acts.honours(code, ANNA), here.is_shown(order)) == ("suspended", False, False)
    here.later(6)
    assert here.grant_of(order)["state"] == "suspended"
    here.pass_time(2 * MINUTES)
    here.acts.reinstate(order)
    here.settle()
    assert (here.grant_of(order)["state"], here.acts.honours(code, ANNA), here.is_shown(order)) == ("live", True, True)
    here.later(6)
    assert (here.grant_of(order)["state"], here.is_shown(order)) == ("live", True)


@pytest.mark.parametrize("kind", ["ours", "unique"])
def test_a_store_whose_clock_is_slow_is_told_of_an_end(here: OfferShop, kind: str) -> None:
    offer = here.ours("AUTOMNE", days=1) if kind == "ours" else here.unique(valid_days=1)
    order = here.bought(ANNA)
    code = code_of(here, order)
    set_behind(here, timedelta(days=3))
    here.pass_time(timedelta(days=2))
    # Nobody has looked yet: our link shows nothing, the store still takes the code.
    assert (here.is_shown(order), here.acts.honours(code, ANNA)) == (False, True)
    here.look()
    assert (here.acts.honours(code, ANNA), pending(here, offer)) == (False, 0)


@pytest.mark.parametrize("after", range(4))
def test_a_lost_answer_makes_no_second_code(here: OfferShop, after: int) -> None:
    here.unique()
    here.pass_time(timedelta(seconds=2))
    order = here.acts.buy(ANNA)
    lose_next_answer(here, after=after)
    here.settle()
    here.later(4)
    assert here.grant_of(order)["state"] == "live"
    assert here.acts.honours(code_of(here, order), ANNA)
    assert len(here.acts.codes()) == len(here.rows("select 1 from offer_codes where shop_id = :shop and actual = 'issued'")) == 2


@pytest.mark.spec("C53")
def test_thirty_days_after_their_end_unused_codes_leave_the_store_and_used_ones_stay(here: OfferShop) -> None:
    offer = here.unique(valid_days=None, ends_at=here.day(1))
    kept, used = here.bought(ANNA), here.bought(BOB)
    unused, code = code_of(here, kept), code_of(here, used)
    here.bought(BOB, code=code)
    before = set(here.acts.codes())
    here.jump(timedelta(days=30))
    assert (cleared(here, offer), set(here.acts.codes())) == (0, before)
    here.jump(timedelta(days=2))
    here.later(2)
    left = set(here.acts.codes())
    assert code in {one.upper() for one in left}
    assert unused not in {one.upper() for one in left}
    assert cleared(here, offer) == len(before) - len(left) >= SMALLEST


def test_a_code_that_the_merchant_takes_out_is_noticed(here: OfferShop) -> None:
    here.unique()
    order = here.bought(ANNA)
    code = code_of(here, order)
    twin: Any = here.stage.twin
    if here.acts.name == "shopify":
        twin.remove_code(code)
    else:
        here.acts.delete(code)
    here.settle()
    grant = here.grant_of(order)
    assert (grant["state"], grant["reason"], here.is_shown(order)) == ("ended", "code_deleted", False)


@pytest.mark.parametrize("here", ["woocommerce"], indirect=True)
def test_a_code_for_one_address_is_refused_to_another(here: OfferShop) -> None:
    here.unique(locks_email=True)
    order = here.bought(ANNA)
    code = code_of(here, order)
    assert (here.acts.honours(code, ANNA), here.acts.honours(code, BOB)) == (True, False)
    here.acts.take_back(order)
    here.settle()
    assert not here.acts.honours(code, ANNA)
    here.pass_time(2 * MINUTES)
    here.acts.reinstate(order)
    here.settle()
    assert (here.acts.honours(code, ANNA), here.acts.honours(code, BOB)) == (True, False)
