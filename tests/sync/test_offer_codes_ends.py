"""What has ended by our clock is ended in the store; pools are filled; what nobody used is cleared away, and only that."""

from datetime import timedelta
from decimal import Decimal

import pytest

from connector.codes import CodeKind, DiscountCode
from connector.errors import Refused
from connector.platforms import Rejected, TransientError
from connector.rules.code_pool import SMALLEST
from connector.store import offer_codes, offers, shops
from sync.services import Services
from tests.conftest import TestShop
from tests.sync.code_desk import OWN, CodeDesk, code_desk
from tests.sync.offer_desk import MERCHANT

DOWN = TransientError("no answer", platform="fake", call="any")


@pytest.fixture(params=["shopify", "woocommerce"])
def desk(request: pytest.FixtureRequest, services: Services) -> CodeDesk:
    """A shop of either kind of store."""
    shop: TestShop = request.getfixturevalue(f"{'woo' if request.param == 'woocommerce' else 'shopify'}_shop")
    return code_desk(services, shop)


def pending(desk: CodeDesk, public_id: str) -> list[tuple[str, str, int]]:
    """What the store has still to do."""
    offer = desk.offer(public_id)
    assert offer.id is not None
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        return [(one.role, one.wanted, one.count) for one in offer_codes.pending_of(session, offer.id)]


def cleared(desk: CodeDesk, public_id: str) -> int:
    """How many codes were taken out."""
    offer = desk.offer(public_id)
    assert offer.id is not None
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        return offer_codes.cleared_of(session, offer.id)


class TestShared:
    """One code for all, that we make."""

    def test_it_is_made_once_with_all_its_terms(self, desk: CodeDesk) -> None:
        public_id = desk.publish_shared(days=10, usage_limit=50, minimum_subtotal=Decimal(20), currency="EUR")
        (row,) = desk.codes()
        assert row.platform_id is not None
        terms = desk.store.discounts[row.platform_id].terms
        assert (terms.code, terms.value, terms.usage_limit, terms.once_per_customer) == ("AUTOMNE", Decimal(15), 50, True)
        assert terms.ends_at == row.ends_at
        desk.want(public_id)
        desk.work()
        assert (desk.store.codes(), desk.offer(public_id).state) == (["AUTOMNE"], "active")
        assert desk.audit() == [("code.issued", None)]

    def test_an_offer_whose_text_changes_keeps_its_code(self, desk: CodeDesk) -> None:
        public_id = desk.publish_shared()
        desk.change(public_id, headline="Thank you so much")
        desk.want(public_id)
        desk.work()
        assert len(desk.codes()) == 1
        assert desk.grant(desk.buy()).state == "live"

    @pytest.mark.spec("C58")
    def test_no_code_of_ours_is_without_an_end(self, desk: CodeDesk) -> None:
        with desk.services.db.transaction(shop=desk.shop_id) as session:
            shop = shops.get_shop(session, desk.shop_id)
            row = offers.create_draft(session, shop, "Thanks", OWN, MERCHANT)
            version = offers.newest_version(session, row)
            version.code, version.is_ours = "AUTOMNE", True
            with pytest.raises(Refused, match="an end"):
                offer_codes.want_shared(session, desk.shop_id, version)
            with pytest.raises(Refused, match="an end"):
                offer_codes.add_model(session, version, None)

    def test_a_name_that_another_discount_has_is_refused_and_the_offer_says_so(self, desk: CodeDesk) -> None:
        desk.store.merchant_makes(DiscountCode("Automne", CodeKind.FIXED_AMOUNT, Decimal(5), "EUR"))
        public_id = desk.publish_shared()
        assert (desk.offer(public_id).state, desk.offer(public_id).reason) == ("suspended", "code_refused")
        desk.later(days=11)
        desk.tend()
        desk.work()
        assert desk.store.honours("automne")

    def test_two_offers_do_not_share_a_code_of_ours(self, desk: CodeDesk) -> None:
        desk.publish_shared()
        with pytest.raises(Refused, match="AUTOMNE"):
            desk.publish_shared(name="Other")


class TestEnds:
    """The second lock."""

    def test_a_store_whose_clock_is_slow_is_told_of_the_end(self, desk: CodeDesk) -> None:
        public_id = desk.publish_shared(days=1)
        desk.store.behind = timedelta(hours=2)
        desk.later(days=1, seconds=1)
        assert desk.store.honours("AUTOMNE")
        desk.tend()
        desk.work()
        assert not desk.store.honours("AUTOMNE")
        assert pending(desk, public_id) == []
        assert desk.audit()[-1] == ("code.suspended", "its end has come")

    def test_a_store_that_has_seen_it_is_left_alone(self, desk: CodeDesk) -> None:
        desk.publish_shared(days=1)
        desk.later(days=1, seconds=1)
        desk.tend()
        desk.work()
        # What a store says of ends that it does not tell of is our own reckoning.
        assert desk.store.count("suspend_code") == (0 if not desk.store.is_single else 1)
        assert not desk.store.honours("AUTOMNE")

    def test_it_is_told_within_a_minute_of_its_recovery_and_shown_as_open_until_then(self, desk: CodeDesk) -> None:
        public_id = desk.publish_shared(days=1)
        desk.store.behind = timedelta(days=2)
        desk.later(days=1, seconds=1)
        desk.store.errors["*"] = DOWN
        for _ in range(30):
            desk.tend()
            desk.work()
            desk.later(seconds=20)
        assert pending(desk, public_id) == [("shared", "suspended", 1)]
        desk.store.errors.clear()
        desk.later(seconds=30)
        desk.work()
        assert (pending(desk, public_id), desk.store.honours("AUTOMNE")) == ([], False)
        assert [action for action, _ in desk.audit()].count("code.delayed") == 1

    def test_an_answer_that_is_lost_is_asked_for_again(self, desk: CodeDesk) -> None:
        desk.publish_shared(days=1)
        desk.store.behind = timedelta(hours=2)
        desk.later(days=1, seconds=1)
        desk.store.lost.add("suspend_code")
        desk.tend()
        desk.work()
        desk.later(seconds=16)
        desk.work()
        assert [(row.wanted, row.actual) for row in desk.codes()] == [("suspended", "suspended")]
        assert not desk.store.honours("AUTOMNE")

    @pytest.mark.parametrize("days", [20, None])
    def test_an_end_that_the_merchant_moved_is_the_merchants(self, desk: CodeDesk, days: int | None) -> None:
        desk.publish_shared(days=1)
        desk.store.merchant_moves_end("AUTOMNE", None if days is None else desk.now + timedelta(days=days))
        desk.later(days=1, seconds=1)
        desk.tend()
        desk.work()
        desk.tend()
        assert desk.work() == 0
        assert desk.store.honours("AUTOMNE")
        assert [(row.wanted, row.actual) for row in desk.codes()] == [("issued", "issued")]

    def test_a_code_of_the_merchants_is_never_ended(self, desk: CodeDesk) -> None:
        desk.store.merchant_makes(DiscountCode("MERCI10", CodeKind.PERCENTAGE, Decimal(10)))
        desk.hold_code(ends_at=desk.now + timedelta(days=1))
        desk.publish()
        desk.store.behind = timedelta(days=9)
        desk.later(days=2)
        desk.tend()
        desk.work()
        assert desk.store.calls == []

    def test_one_of_that_name_that_the_merchant_made_since_is_not_ours(self, desk: CodeDesk) -> None:
        desk.publish_shared(days=1)
        desk.store.merchant_deletes("AUTOMNE")
        desk.store.merchant_makes(DiscountCode("AUTOMNE", CodeKind.PERCENTAGE, Decimal(30)))
        for days in (1, 31):
            desk.later(days=days, seconds=1)
            desk.tend()
            desk.work()
        assert desk.store.honours("AUTOMNE")

    def test_a_series_ends_with_all_codes_that_people_hold(self, desk: CodeDesk) -> None:
        desk.publish_own(valid_days=1)
        held, used = desk.buy("anna@example.org"), desk.buy("bob@example.org")
        desk.work()
        first, second = desk.grant(held).code, desk.grant(used).code
        assert first is not None
        assert second is not None
        desk.store.use(second)
        with desk.services.db.engine.begin() as connection:
            connection.exec_driver_sql(f"update grants set state = 'used', reason = 'used' where code = '{second}'")
        desk.store.behind = timedelta(days=5)
        desk.later(days=2, seconds=1)
        assert desk.store.honours(first)
        desk.tend()
        desk.work()
        assert not desk.store.honours(first)
        assert second in desk.store.codes()


class TestPool:
    """Codes that are there before anybody earns them."""

    @pytest.mark.spec("BX-10")
    def test_a_pool_is_filled_again_once_less_than_a_quarter_is_left(self, desk: CodeDesk) -> None:
        desk.publish_own(valid_days=None, ends_at=desk.now + timedelta(days=60))
        assert desk.grant(desk.buy("first@example.org")).state == "preparing"
        desk.work()
        assert self._free(desk) == SMALLEST
        for number in range(6):
            assert desk.grant(desk.buy(f"p{number}@example.org")).state == "live"
            assert self._free(desk) == SMALLEST - 1 - number
        calls = desk.store.count("issue_codes")
        desk.work()
        assert (self._free(desk), desk.store.count("issue_codes")) == (2, calls)
        desk.buy("last@example.org")
        desk.work()
        assert desk.store.count("issue_codes") == calls + 1
        assert self._free(desk) == SMALLEST
        codes = [grant.code for grant in desk.grants()]
        assert len(set(codes)) == len(codes) == 8

    def test_codes_that_only_todays_buyers_get_are_not_kept_ready_for_a_few(self, desk: CodeDesk) -> None:
        desk.publish_own()
        for number in range(SMALLEST - 1):
            desk.buy(f"p{number}@example.org")
        desk.work()
        assert self._free(desk) == 0
        desk.buy("one-more@example.org")
        desk.work()
        assert self._free(desk) == SMALLEST

    def test_a_pooled_code_that_the_merchant_took_out_is_made_again(self, desk: CodeDesk) -> None:
        desk.publish_own(valid_days=None, ends_at=desk.now + timedelta(days=60))
        desk.buy("first@example.org")
        desk.work()
        pooled = next(row for row in desk.codes("unique") if row.grant_id is None)
        number = next(one for one, discount in desk.store.discounts.items() if pooled.code.lower() in discount.names)
        del desk.store.discounts[number].names[pooled.code.lower()]
        order = desk.buy("second@example.org")
        assert desk.grant(order).code == pooled.code
        for _ in range(6):
            desk.work()
            desk.later(seconds=16)
        assert desk.store.honours(pooled.code)

    def _free(self, desk: CodeDesk) -> int:
        free = [row for row in desk.codes("unique") if row.grant_id is None]
        assert all(desk.store.honours(row.code) for row in free)
        return len(free)


class TestLocked:
    """A code for one address only, where a platform has such."""

    def test_it_is_made_for_the_address_and_ends_by_itself(self, services: Services, woo_shop: TestShop) -> None:
        desk = code_desk(services, woo_shop)
        desk.publish_own(locks_email=True)
        order = desk.buy("anna@example.org")
        desk.work()
        grant = desk.grant(order)
        (row,) = desk.codes()
        assert (grant.state, row.role, row.model_id, row.email) == ("live", "unique", None, "anna@example.org")
        assert row.platform_id is not None
        terms = desk.store.discounts[row.platform_id].terms
        assert (terms.email, terms.usage_limit, terms.ends_at) == ("anna@example.org", 1, grant.ends_at)
        desk.store.behind = timedelta(days=90)
        desk.later(days=31)
        desk.tend()
        desk.work()
        assert not desk.store.honours(row.code)

    def test_the_words_of_a_refusal_are_not_kept_as_they_may_hold_the_address(self, services: Services, woo_shop: TestShop) -> None:
        desk = code_desk(services, woo_shop)
        desk.store.errors["issue_code"] = Rejected("anna@example.org is no address", platform="fake")
        desk.publish_own(locks_email=True)
        desk.buy("anna@example.org")
        desk.work()
        assert desk.audit() == [("code.refused", "Rejected")]
        assert desk.codes()[0].refusal == "Rejected"


class TestClearing:
    """Thirty days after the end."""

    @pytest.mark.spec("C52", "C53", "C54")
    def test_only_codes_of_ours_that_nobody_used_go_and_they_are_counted(self, desk: CodeDesk) -> None:
        desk.store.merchant_makes(DiscountCode("DEAD", CodeKind.PERCENTAGE, Decimal(10), ends_at=desk.now + timedelta(days=1)))
        public_id = desk.publish_own(valid_days=None, ends_at=desk.now + timedelta(days=1))
        kept, used = desk.buy("anna@example.org"), desk.buy("bob@example.org")
        desk.work()
        pool = sum(row.grant_id is None for row in desk.codes("unique"))
        assert pool == SMALLEST
        code = desk.grant(used).code
        assert code is not None
        desk.store.use(code)
        # What nobody had is given before anything new is made.
        there = desk.store.codes()
        assert desk.grant(desk.buy("carl@example.org")).code in there
        desk.later(days=30, hours=23)
        desk.tend()
        desk.work()
        assert cleared(desk, public_id) == 0
        desk.later(hours=2)
        desk.tend()
        for _ in range(3):
            desk.work()
            desk.tend()
        # Where a discount has many codes, the one that was used keeps that of its series.
        heads = 1 if desk.store.is_single else 0
        assert desk.grant(kept).code not in desk.store.codes()
        assert set(desk.store.codes()) == {"DEAD", code} | ({desk.codes("model")[0].code} if not heads else set())
        assert cleared(desk, public_id) == pool + 1 + heads
        before = len(desk.store.calls)
        desk.later(days=1)
        desk.tend()
        desk.work()
        assert len(desk.store.calls) == before

    def test_a_series_that_nobody_used_goes_whole(self, desk: CodeDesk) -> None:
        public_id = desk.publish_own(valid_days=1)
        desk.buy()
        desk.work()
        desk.later(days=33)
        for _ in range(3):
            desk.tend()
            desk.work()
        assert desk.store.codes() == []
        assert cleared(desk, public_id) == 2

    def test_a_shared_code_goes_only_if_nobody_used_it(self, desk: CodeDesk) -> None:
        one, other = desk.publish_shared(days=1), desk.publish_shared(days=1, name="Other", code="HIVER")
        desk.store.use("HIVER")
        desk.later(days=32)
        for _ in range(3):
            desk.tend()
            desk.work()
        assert desk.store.codes() == ["HIVER"]
        assert (cleared(desk, one), cleared(desk, other)) == (1, 0)

    def test_a_store_that_does_not_let_go_of_it_keeps_it(self, desk: CodeDesk) -> None:
        public_id = desk.publish_shared(days=1)
        desk.store.errors["delete_code"] = Rejected("not allowed", platform="fake")
        desk.later(days=32)
        for _ in range(4):
            desk.tend()
            desk.work()
        assert (desk.store.count("delete_code"), cleared(desk, public_id)) == (1, 0)

    def test_one_that_the_merchant_gave_another_end_stays(self, desk: CodeDesk) -> None:
        desk.publish_shared(days=1)
        desk.store.merchant_moves_end("AUTOMNE", desk.now + timedelta(days=300))
        desk.later(days=40)
        for _ in range(3):
            desk.tend()
            desk.work()
        assert desk.store.honours("AUTOMNE")
