"""Codes are made once, given once, taken back and given again, whatever the store answers; on stores of either kind."""

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from connector.canonical import PaymentState
from connector.codes import CodeKind, DiscountCode
from connector.platforms import NotPermitted, Rejected, ShopClosed, ThrottledError, TransientError
from connector.store import offer_work
from connector.store.offer_tables import OfferWorkRow
from sync import offer_codes as making
from sync.jobs import Job
from sync.services import Services
from tests.conftest import TestShop
from tests.sync.code_desk import CodeDesk, code_desk

OTHER = DiscountCode("AUTOMNE", CodeKind.FIXED_AMOUNT, Decimal(5), "EUR")
DOWN = TransientError("no answer", platform="fake", call="any")


@pytest.fixture(params=["shopify", "woocommerce"])
def desk(request: pytest.FixtureRequest, services: Services) -> CodeDesk:
    """A shop of either kind of store."""
    shop: TestShop = request.getfixturevalue(f"{'woo' if request.param == 'woocommerce' else 'shopify'}_shop")
    return code_desk(services, shop)


class TestOwn:
    """A code for each."""

    def test_everybody_gets_a_code_of_their_own_that_is_good_once(self, desk: CodeDesk) -> None:
        desk.publish_own()
        first, second = desk.buy("anna@example.org"), desk.buy("bob@example.org")
        assert [grant.state for grant in desk.grants()] == ["preparing", "preparing"]
        desk.work()
        one, other = desk.grant(first), desk.grant(second)
        assert (one.state, other.state) == ("live", "live")
        assert one.code != other.code
        for grant in (one, other):
            assert grant.code is not None
            prefix, _, drawn = grant.code.partition("-")
            assert (prefix, len(drawn)) == ("MERCI", 13)
            assert desk.store.honours(grant.code)
            desk.store.use(grant.code)
            assert not desk.store.honours(grant.code)
            assert grant.ends_at is not None
            assert timedelta(days=30) <= grant.ends_at - grant.granted_at < timedelta(days=31)
        desk.tend()
        desk.work()
        assert desk.grant(first).code == one.code

    def test_a_series_is_one_discount_with_the_terms_of_the_offer(self, desk: CodeDesk) -> None:
        desk.publish_own(minimum_subtotal=Decimal(40), currency="EUR", once_per_customer=True)
        desk.buy()
        desk.work()
        (model,) = desk.codes("model")
        assert model.platform_id is not None
        terms = desk.store.discounts[model.platform_id].terms
        assert (terms.kind, terms.value, terms.minimum_subtotal, terms.usage_limit) == (CodeKind.PERCENTAGE, Decimal(10), Decimal(40), 1)
        # It would count over all codes of the series where one discount has many.
        assert not terms.once_per_customer
        assert terms.ends_at == desk.grants()[0].ends_at

    @pytest.mark.parametrize("call", ["issue_code", "issue_codes"])
    def test_an_answer_that_is_lost_makes_no_second_code(self, desk: CodeDesk, call: str) -> None:
        desk.store.lost.add(call)
        desk.publish_own()
        order = desk.buy()
        desk.work()
        assert desk.grant(order).state == "preparing"
        made = desk.store.codes()
        desk.later(seconds=16)
        desk.work()
        grant = desk.grant(order)
        assert grant.state == "live"
        assert set(made) <= set(desk.store.codes())
        assert len(desk.store.codes()) == 2
        assert grant.code in desk.store.codes()

    @pytest.mark.parametrize("error", [LockNotAvailable(), QueryCanceled()])
    def test_what_the_store_did_is_written_down_soon_where_the_database_cannot_at_once(
        self, desk: CodeDesk, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
    ) -> None:
        held: list[int] = []
        hold = offer_work.hold

        def hold_late(session: Session, shop_id: int) -> OfferWorkRow | None:
            held.append(shop_id)
            if len(held) < making.TRIES:
                raise OperationalError("select", None, error)
            return hold(session, shop_id)

        desk.publish_own()
        order = desk.buy()
        monkeypatch.setattr(making, "PAUSE_SECONDS", 0.0)
        with monkeypatch.context() as slow:
            slow.setattr(offer_work, "hold", hold_late)
            making.make_codes(desk.services, desk.shop_id)
        assert len(held) >= making.TRIES
        assert (desk.grant(order).state, desk.store.count("issue_code")) == ("live", 1)

    def test_who_dies_between_call_and_record_leaves_it_to_the_next_one(self, desk: CodeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        desk.publish_own()
        order = desk.buy()
        with monkeypatch.context() as broken:
            broken.setattr(making, "_settle", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                desk.work()
        assert (len(desk.store.codes()), desk.grant(order).state) == (1, "preparing")
        desk.work()
        assert len(desk.store.codes()) == 1
        desk.later(minutes=3, seconds=1)
        desk.work()
        assert (len(desk.store.codes()), desk.grant(order).state) == (2, "live")

    def test_a_name_that_is_taken_is_replaced(self, desk: CodeDesk) -> None:
        desk.store.refuses_next = 1
        desk.publish_own()
        order = desk.buy()
        desk.work()
        grant = desk.grant(order)
        assert grant.state == "live"
        assert grant.code is not None
        assert grant.code.startswith("MERCI-")
        assert desk.store.honours(grant.code)

    def test_no_name_is_tried_for_ever(self, desk: CodeDesk) -> None:
        desk.store.refuses_next = 100
        desk.publish_own()
        order = desk.buy()
        desk.work()
        assert (desk.grant(order).state, desk.grant(order).reason) == ("ended", "code_refused")
        assert desk.store.refuses_next == 96

    @pytest.mark.spec("BX-11")
    @pytest.mark.parametrize("error", [Rejected("too many discounts", platform="fake"), NotPermitted("no scope", platform="fake")])
    def test_where_no_code_can_be_made_the_fallback_is_given(self, desk: CodeDesk, error: Rejected) -> None:
        desk.hold_code("MERCI")
        desk.store.errors["issue_code"] = error
        desk.publish_own(fallback_code="MERCI")
        order = desk.buy()
        desk.work()
        grant = desk.grant(order)
        assert (grant.state, grant.code, grant.ends_at) == ("live", "MERCI", None)
        assert desk.rows("select state from grant_mails where grant_id = :id", id=grant.id) == [{"state": "queued"}]
        assert ("code.refused", str(error)) in desk.audit()

    def test_a_fallback_that_is_no_good_is_not_given(self, desk: CodeDesk) -> None:
        desk.store.errors["issue_code"] = Rejected("too many discounts", platform="fake")
        desk.hold_code("MERCI", usage_limit=1, used=1)
        desk.publish_own(fallback_code="MERCI")
        order = desk.buy()
        desk.work()
        assert (desk.grant(order).state, desk.grant(order).code) == ("ended", None)

    def test_a_store_that_does_not_answer_is_asked_again_and_the_grant_waits(self, desk: CodeDesk) -> None:
        desk.store.errors["*"] = DOWN
        desk.publish_own(fallback_code="MERCI")
        order = desk.buy()
        desk.work()
        desk.work()
        assert (desk.store.count("issue_code"), desk.grant(order).state) == (1, "preparing")
        desk.later(seconds=15)
        desk.work()
        assert desk.store.count("issue_code") == 2
        desk.store.errors.clear()
        desk.later(seconds=31)
        desk.work()
        assert desk.grant(order).state == "live"
        assert [action for action, _ in desk.audit()].count("code.delayed") == 1

    def test_a_store_that_asks_for_a_rest_gets_it_whatever_waits(self, desk: CodeDesk) -> None:
        desk.publish_own()
        desk.buy("anna@example.org")
        desk.store.errors["*"] = ThrottledError("slow down", platform="fake", retry_after=40)
        desk.publish_shared(name="Other")
        assert len(desk.store.calls) == 1
        desk.store.errors.clear()
        desk.later(seconds=39)
        assert desk.work() == 0
        desk.later(seconds=2)
        desk.work()
        assert {(row.wanted, row.actual) for row in desk.codes()} == {("issued", "issued")}
        assert "code.delayed" not in [action for action, _ in desk.audit()]

    def test_a_store_that_is_down_is_asked_once_in_a_while_however_much_waits(self, desk: CodeDesk) -> None:
        desk.publish_own(valid_days=None, ends_at=desk.now + timedelta(days=9))
        for number in range(5):
            desk.publish_shared(name=f"Offer {number}", code=f"CODE{number}")
        desk.later(days=10)
        desk.store.errors["*"] = DOWN
        desk.store.calls.clear()
        desk.tend()
        for _ in range(10):
            desk.work()
            desk.later(seconds=1)
        assert 1 <= len(desk.store.calls) <= 3

    def test_a_frozen_store_refuses_nothing_for_good(self, desk: CodeDesk) -> None:
        desk.store.errors["*"] = ShopClosed("frozen", platform="fake", status=402)
        public_id = desk.publish_own()
        order = desk.buy()
        desk.work()
        assert (desk.grant(order).state, desk.offer(public_id).detail) == ("preparing", "shop_open")

    def test_a_shop_that_is_not_connected_is_left_alone(self, desk: CodeDesk) -> None:
        desk.publish_own()
        desk.buy()
        with desk.services.db.engine.begin() as connection:
            connection.exec_driver_sql(f"update shops set state = 'needs_sign_in' where id = {desk.shop_id}")
        assert (making.make_codes(desk.services, desk.shop_id), desk.store.calls) == (0, [])

    def test_a_series_that_the_merchant_deleted_is_begun_anew(self, desk: CodeDesk) -> None:
        desk.publish_own()
        desk.buy("anna@example.org")
        desk.work()
        (model,) = desk.codes("model")
        desk.store.merchant_deletes(model.code)
        order = desk.buy("bob@example.org")
        desk.work()
        grant = desk.grant(order)
        assert grant.state == "live"
        assert grant.code is not None
        assert desk.store.honours(grant.code)
        assert [(row.wanted, row.actual) for row in desk.codes("model")] == [("deleted", "deleted"), ("issued", "issued")]

    def test_a_new_version_with_the_same_terms_uses_the_same_series(self, desk: CodeDesk) -> None:
        public_id = desk.publish_own()
        desk.buy("anna@example.org")
        desk.work()
        desk.change(public_id, headline="Thank you so much")
        desk.buy("bob@example.org")
        desk.work()
        assert len(desk.codes("model")) == 1
        desk.change(public_id, value=Decimal(20))
        desk.buy("carl@example.org")
        desk.work()
        assert len(desk.codes("model")) == 2

    def test_the_codes_that_were_given_are_kept_as_the_store_has_them(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        desk.work()
        code = desk.grant(order).code
        (kept,) = desk.rows("select * from discount_codes where shop_id = :shop and code = :code", code=code)
        held = next(one for one, discount in desk.store.discounts.items() if (code or "").lower() in discount.names)
        assert (kept["platform_id"], kept["usage_limit"], kept["used"]) == (held, 1, 0)


class TestTakenBack:
    """The order that earned a code is refunded, and stands again."""

    def test_the_code_of_a_refunded_order_is_refused_by_the_store_and_works_again_with_it(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        desk.work()
        code = desk.grant(order).code
        assert code is not None
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        assert desk.grant(order).state == "suspended"
        desk.work()
        assert not desk.store.honours(code)
        assert ("code.suspended", "1 code: their orders were taken back") in desk.audit()
        order = desk.change_order(order, payment_state=PaymentState.PAID)
        desk.work()
        assert desk.store.honours(code)
        assert (desk.grant(order).state, desk.grant(order).code, desk.hidden(desk.grant(order))) == ("live", code, None)

    def test_a_code_that_is_being_made_meanwhile_is_given_only_if_the_order_stands(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        desk.work()
        assert desk.grant(order).state == "suspended"
        assert not [code for code in desk.store.codes() if desk.store.honours(code) and code != desk.codes("model")[0].code]
        order = desk.change_order(order, payment_state=PaymentState.PAID)
        desk.work()
        grant = desk.grant(order)
        assert grant.state == "live"
        assert grant.code is not None
        assert desk.store.honours(grant.code)

    def test_a_wish_that_changes_while_the_store_is_asked_is_seen_afterwards(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        desk.work()
        code = desk.grant(order).code
        assert code is not None
        desk.store.lost.add("withdraw_codes")
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        desk.work()
        order = desk.change_order(order, payment_state=PaymentState.PAID)
        desk.later(minutes=1)
        desk.work()
        assert desk.store.honours(code)
        assert [row.wanted for row in desk.codes("unique")] == [row.actual for row in desk.codes("unique")]

    def test_one_that_was_given_back_and_taken_again_meanwhile_is_refused(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        desk.work()
        code = desk.grant(order).code
        assert code is not None
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        desk.work()
        desk.store.lost.add("restore_codes")
        order = desk.change_order(order, payment_state=PaymentState.PAID)
        desk.work()
        assert desk.store.honours(code)
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        desk.later(minutes=1)
        desk.work()
        assert not desk.store.honours(code)

    def test_a_code_that_cannot_be_given_back_ends_the_grant(self, desk: CodeDesk) -> None:
        desk.publish_own()
        order = desk.buy()
        desk.work()
        order = desk.change_order(order, payment_state=PaymentState.REFUNDED)
        desk.work()
        for number in list(desk.store.discounts):
            del desk.store.discounts[number]
        order = desk.change_order(order, payment_state=PaymentState.PAID)
        desk.work()
        assert (desk.grant(order).state, desk.grant(order).reason) == ("ended", "code_deleted")


def test_every_ring_is_for_the_right_job(desk: CodeDesk) -> None:
    rung: list[str] = []
    desk.services.db.on_wake(lambda wake: rung.append(wake.job))
    desk.publish_own()
    desk.buy()
    assert Job.OFFER_CODES.value in rung
    rung.clear()
    desk.work()
    assert {Job.OFFERS.value, Job.OFFER_MAILS.value} <= set(rung)
