"""Codes that offers depend on are looked at every five minutes on every platform, and so is whether their stores are open."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from connector.canonical import Resource, ShopProfile
from connector.codes import CodeState
from connector.store import codes
from sync import code_watch, rereads
from sync.services import Services
from tests.conftest import TestShop
from tests.fakes import FakePlatform
from tests.sync.code_desk import CodeDesk, code_desk
from tests.sync.telling import FakeReads

PROFILE = ShopProfile("Les Galets", "EUR", "Europe/Paris", "https://galets.example/", is_open=True)


class Watched(CodeDesk):
    """A desk whose store is read."""

    reads: FakeReads

    def hold(self, code: str = "MERCI10", **changes: object) -> CodeState:
        """The store has this code, we have read it, and it can be read again."""
        state = self.hold_code(code, **changes)
        self.reads.records[Resource.DISCOUNT_CODE, state.platform_id] = state
        return state

    def look(self, **later: float) -> list[tuple[str, str]]:
        """What is wanted by the watch so much later; nothing of it is read."""
        self.later(**later)
        code_watch.look(self.services)
        rows = self.rows("select resource, platform_id from wanted_reads where shop_id = :shop and reason is null order by 1, 2")
        return [(row["resource"], row["platform_id"]) for row in rows]

    def of_offers(self) -> list[str]:
        """Discounts that are due because offers depend on them."""
        platforms = list(self.services.platforms)
        with self.services.db.system_transaction("test") as session:
            due = codes.unseen_of_offers(session, platforms, code_watch.EVERY_OFFER, code_watch.NEAR_END_OFFER, 100)
        return due.get(self.shop_id, [])

    def reread(self) -> None:
        """Everything that is wanted is read."""
        while rereads.reread(self.services, self.shop_id):
            pass
        self.tend()

    def read_at(self, code: str) -> datetime:
        """When a code was read last."""
        (row,) = self.rows("select read_at from discount_codes where shop_id = :shop and code = :code", code=code)
        at: datetime = row["read_at"]
        return at


@pytest.fixture(params=["shopify", "woocommerce"])
def desk(request: pytest.FixtureRequest, services: Services) -> Watched:
    """A shop of either kind of store, whose profile was just read."""
    shop: TestShop = request.getfixturevalue(f"{'woo' if request.param == 'woocommerce' else 'shopify'}_shop")
    made = code_desk(services, shop)
    desk = Watched(made.services, made.shop_id, store=made.store)
    desk.reads = FakeReads(PROFILE)
    platform = desk.services.platforms[shop.platform]
    assert isinstance(platform, FakePlatform)
    platform.reads = desk.reads
    with desk.services.db.engine.begin() as connection:
        connection.exec_driver_sql("update shops set profile_read_at = app_now()")
    return desk


def test_the_code_of_an_offer_is_never_unseen_for_five_minutes(desk: Watched) -> None:
    desk.hold()
    desk.publish()
    looks = [desk.read_at("MERCI10")]
    for _ in range(30):
        desk.look(minutes=1)
        desk.reread()
        looks.append(desk.read_at("MERCI10"))
    assert max(later - earlier for earlier, later in pairwise(sorted(set(looks)))) <= timedelta(minutes=5)
    assert len(set(looks)) >= 7


def test_in_its_last_quarter_of_an_hour_it_is_looked_at_every_minute(desk: Watched) -> None:
    desk.hold(ends_at=desk.now + timedelta(minutes=10))
    desk.publish()
    for _ in range(5):
        assert desk.look(minutes=1) == [("discount_code", "d-MERCI10")]
        desk.reread()


def test_a_code_that_went_without_a_word_suspends_the_offer(desk: Watched) -> None:
    desk.hold()
    public_id = desk.publish()
    desk.reads.records.clear()
    desk.look(minutes=4)
    desk.reread()
    assert (desk.offer(public_id).state, desk.offer(public_id).reason) == ("suspended", "code_deleted")


def test_what_people_hold_of_an_older_version_is_looked_at_as_long_as_they_do(desk: Watched) -> None:
    desk.hold()
    desk.hold("AUTRE")
    public_id = desk.publish()
    desk.buy()
    desk.change(public_id, code="AUTRE")
    assert desk.look(minutes=4) == [("discount_code", "d-AUTRE"), ("discount_code", "d-MERCI10")]
    desk.reread()
    with desk.services.db.engine.begin() as connection:
        connection.exec_driver_sql("update grants set state = 'used', reason = 'used'")
    assert desk.look(minutes=4) == [("discount_code", "d-AUTRE")]


def test_a_fallback_and_the_head_of_a_series_are_looked_at(desk: Watched) -> None:
    desk.hold("MERCI")
    desk.publish_own(fallback_code="MERCI")
    desk.buy()
    desk.work()
    (model,) = desk.codes("model")
    wanted = desk.look(minutes=4)
    assert {("discount_code", "d-MERCI"), ("discount_code", model.platform_id)} <= set(wanted)


def test_what_ended_by_our_clock_is_asked_for_by_whoever_ends_it_in_the_store_and_by_nobody_else(desk: Watched) -> None:
    ends_at = (desk.now + timedelta(days=1)).replace(microsecond=0)
    desk.publish_own(ends_at=ends_at, valid_days=None)
    desk.buy()
    desk.work()
    (model,) = desk.codes("model")
    assert desk.of_offers() == []
    desk.later(minutes=4)
    assert desk.of_offers() == [model.platform_id]
    desk.later(days=1)
    assert desk.of_offers() == []
    desk.hold(ends_at=desk.now + timedelta(hours=1))
    desk.publish()
    desk.later(hours=1)
    assert desk.of_offers() == ["d-MERCI10"], "of a merchant's own only reading tells"


def test_drafts_and_offers_that_are_off_are_not(desk: Watched) -> None:
    desk.hold()
    public_id = desk.publish()
    desk.act(public_id, "deactivate")
    assert desk.look(minutes=4) == []


def test_what_is_wanted_already_is_left_alone(desk: Watched) -> None:
    desk.hold()
    desk.publish()
    desk.look(minutes=4)
    before = desk.rows("select * from wanted_reads where shop_id = :shop")
    desk.look(minutes=1)
    assert desk.rows("select * from wanted_reads where shop_id = :shop") == before


def test_whether_a_store_with_offers_is_open_is_asked_every_quarter_of_an_hour(desk: Watched) -> None:
    desk.hold()
    public_id = desk.publish()
    desk.reads.profile = replace(PROFILE, is_open=False)
    asked = []
    for minute in range(1, 17):
        desk.look(minutes=1)
        desk.reread()
        if desk.offer(public_id).state == "suspended":
            asked.append(minute)
    assert asked[0] <= 15
    assert (desk.offer(public_id).reason, desk.offer(public_id).detail) == ("requirements", "storefront")
    desk.reads.profile = PROFILE
    for _ in range(15):
        desk.look(minutes=1)
        desk.reread()
    assert desk.offer(public_id).state == "active"


def test_nobody_asks_a_shop_without_offers(desk: Watched) -> None:
    assert desk.look(minutes=60) == []


def test_of_many_codes_of_a_discount_the_longest_unread_come_first(desk: Watched) -> None:
    state = desk.hold("A-1", codes=None)
    for number in range(2, 6):
        desk.later(seconds=1)
        desk.hold_code(f"A-{number}", platform_id=state.platform_id, codes=None)
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        codes.save_codes(session, desk.shop_id, [replace(state, source_version=desk.now)], desk.now)
        assert codes.kept_of(session, desk.shop_id, [state.platform_id], 3) == {state.platform_id: ["A-2", "A-3", "A-4"]}
