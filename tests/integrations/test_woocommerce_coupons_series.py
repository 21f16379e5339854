"""Single codes of a series: withdrawn, given back, and cleared away; only what we made, and never what was used."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import msgspec
import pytest

from connector.codes import CodeStatus
from connector.platforms import Rejected, TransientError
from integrations.sandbox.woocommerce_coupon_use import Cart, refusal
from integrations.sandbox.woocommerce_coupons import Coupon
from integrations.woocommerce import coupon_calls
from integrations.woocommerce.coupon_nodes import SERIES, SUSPENDED_AT, CouponBody, series_of
from integrations.woocommerce.coupon_series import BATCH
from tests.integrations.coupon_ground import TEN_PERCENT, Ground, altered, days, lost, make_ground, numbered

CART = Cart(Decimal(80), "lea@example.org")
CODES = ("MERCI-AAA", "MERCI-BBB", "MERCI-CCC")


@pytest.fixture
def ground() -> Ground:
    """An empty store."""
    return make_ground()


@pytest.fixture
def model(ground: Ground) -> str:
    """A series of three codes that end in five days; its model is a coupon that nobody is given."""
    until = ground.now + days(5)
    made = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, code="MERCI-MODEL", usage_limit=1, ends_at=until))
    assert ground.codes.issue_codes(ground.access, made.platform_id, CODES).issued == CODES
    ground.calls.clear()
    return made.platform_id


def held(ground: Ground, code: str) -> Coupon:
    (found,) = (one for one in ground.book if one.code == code.lower())
    return found


def honoured(ground: Ground) -> list[str]:
    return [code for code in CODES if not refusal(ground.book, code, CART)]


def over(ground: Ground) -> None:
    """All that was made was made a month and more ago, by every clock."""
    for one in ground.book:
        one.expires_at = one.expires_at and one.expires_at - days(36)


class TestWithdrawing:
    """Some codes of a series are refused, the others go on."""

    def test_the_checkout_refuses_it_and_honours_the_others(self, ground: Ground, model: str) -> None:
        for _ in range(2):
            ground.codes.withdraw_codes(ground.access, model, [" merci-bbb "])
        one = held(ground, CODES[1])
        assert (one.status, one.expires_at) == ("draft", SUSPENDED_AT)
        assert honoured(ground) == [CODES[0], CODES[2]]
        assert ground.calls.count("POST /coupons/batch") == 1

    def test_both_locks_are_put_on_though_its_end_is_past(self, ground: Ground, model: str) -> None:
        ground.clock[0] += days(6)
        ground.codes.withdraw_codes(ground.access, model, CODES)
        assert {held(ground, code).expires_at for code in CODES} == {SUSPENDED_AT}

    def test_suspending_the_model_leaves_what_was_made_of_it(self, ground: Ground, model: str) -> None:
        ground.codes.suspend_code(ground.access, model)
        assert honoured(ground) == list(CODES)

    def test_what_is_gone_is_fine(self, ground: Ground, model: str) -> None:
        ground.desk.delete(held(ground, CODES[0]).id)
        ground.desk.trash(held(ground, CODES[1]).id)
        ground.codes.withdraw_codes(ground.access, model, [*CODES, "never-made"])
        assert (held(ground, CODES[1]).status, held(ground, CODES[2]).status) == ("trash", "draft")
        ground.codes.withdraw_codes(ground.access, "x", CODES)
        ground.codes.withdraw_codes(ground.access, model, [])

    def test_what_vanishes_in_between_is_fine(self, ground: Ground, model: str) -> None:
        gone = held(ground, CODES[0]).id
        ground.before["POST /coupons/batch"] = lambda: ground.desk.delete(gone)
        ground.codes.withdraw_codes(ground.access, model, CODES)
        assert honoured(ground) == []

    def test_a_coupon_of_the_merchants_that_has_got_the_code_is_left_alone(self, ground: Ground, model: str) -> None:
        ground.desk.delete(held(ground, CODES[0]).id)
        own = ground.desk.make(CODES[0], discount_type="percent", amount="10")
        ground.codes.withdraw_codes(ground.access, model, CODES)
        assert (own.status, honoured(ground)) == ("publish", [CODES[0]])

    def test_so_is_one_of_another_series(self, ground: Ground, model: str) -> None:
        other = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, code="MERCI-OTHER"))
        ground.codes.withdraw_codes(ground.access, other.platform_id, CODES)
        assert honoured(ground) == list(CODES)

    def test_a_code_that_is_a_coupon_by_itself_is_known_by_its_number(self, ground: Ground) -> None:
        alone = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, email="lea@example.org", usage_limit=1))
        ground.codes.withdraw_codes(ground.access, alone.platform_id, [TEN_PERCENT.code])
        assert ground.only().status == "draft"
        assert ground.codes.restore_codes(ground.access, alone.platform_id, [TEN_PERCENT.code]).issued == (TEN_PERCENT.code,)
        assert ground.only().status == "publish"

    def test_after_a_lost_answer_it_is_done_and_doing_it_again_is_too(self, ground: Ground, model: str) -> None:
        ground.after["POST /coupons/batch"] = lost
        with pytest.raises(TransientError):
            ground.codes.withdraw_codes(ground.access, model, CODES)
        ground.codes.withdraw_codes(ground.access, model, CODES)
        assert honoured(ground) == []
        assert held(ground, CODES[0]).expires_at == SUSPENDED_AT

    def test_a_store_that_does_not_do_it_is_not_believed(self, ground: Ground, model: str) -> None:
        body = ground.desk.show(held(ground, CODES[0]))
        ground.after["POST /coupons/batch"] = altered(update=[body])
        with pytest.raises(TransientError, match="did not suspend"):
            ground.codes.withdraw_codes(ground.access, model, [CODES[0]])

    def test_another_refusal_keeps_its_words(self, ground: Ground, model: str) -> None:
        told = {"id": 0, "error": {"code": "woocommerce_rest_cannot_edit", "message": "No.", "data": {"status": 403}}}
        ground.instead["POST /coupons/batch"] = httpx2.Response(200, json={"update": [told]})
        with pytest.raises(Rejected, match="cannot_edit"):
            ground.codes.withdraw_codes(ground.access, model, [CODES[0]])


class TestRestoring:
    """What was withdrawn is honoured again."""

    def test_it_has_the_end_that_it_had(self, ground: Ground, model: str) -> None:
        before = held(ground, CODES[0]).expires_at
        ground.codes.withdraw_codes(ground.access, model, CODES)
        for _ in range(2):
            told = ground.codes.restore_codes(ground.access, model, [CODES[0]])
            assert (told.issued, dict(told.refused)) == ((CODES[0],), {})
        assert honoured(ground) == [CODES[0]]
        assert held(ground, CODES[0]).expires_at == before
        state = ground.codes.read_code(ground.access, CODES[0])
        assert state is not None
        assert (state.status, state.used, state.usage_limit) == (CodeStatus.ACTIVE, 0, 1)

    def test_one_whose_end_has_come_meanwhile_stays_ended(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, CODES)
        ground.clock[0] += days(6)
        assert ground.codes.restore_codes(ground.access, model, [CODES[0]]).issued == (CODES[0],)
        assert "has expired" in refusal(ground.book, CODES[0], CART)

    def test_what_is_not_there_is_refused_and_the_others_are_restored(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, CODES)
        ground.desk.trash(held(ground, CODES[1]).id)
        told = ground.codes.restore_codes(ground.access, model, [*CODES, "never-made"])
        assert (told.issued, dict(told.refused)) == ((CODES[0], CODES[2]), {CODES[1]: "gone", "never-made": "gone"})
        assert dict(ground.codes.restore_codes(ground.access, "x", ["A-1"]).refused) == {"A-1": "gone"}

    def test_a_name_that_another_coupon_has_got_is_refused(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, CODES)
        ground.desk.make(CODES[0], amount="1")
        told = ground.codes.restore_codes(ground.access, model, CODES)
        assert (told.issued, dict(told.refused)) == (CODES[1:], {CODES[0]: coupon_calls.EXISTS})
        assert [one.status for one in ground.book if one.code == CODES[0].lower()] == ["draft", "publish"]

    def test_a_series_is_restored_by_one_call_for_many(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, CODES)
        ground.calls.clear()
        assert ground.codes.restore_codes(ground.access, model, CODES).issued == CODES
        assert ground.calls == ["GET /coupons", "POST /coupons/batch"]

    def test_what_vanishes_in_between_is_refused(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, CODES)
        gone = held(ground, CODES[0]).id
        ground.before["POST /coupons/batch"] = lambda: ground.desk.delete(gone)
        assert dict(ground.codes.restore_codes(ground.access, model, CODES).refused) == {CODES[0]: "gone"}

    def test_a_store_that_does_not_do_it_is_not_believed(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, [CODES[0]])
        body = ground.desk.show(held(ground, CODES[0]))
        ground.after["POST /coupons/batch"] = altered(update=[body])
        with pytest.raises(TransientError, match="did not resume"):
            ground.codes.restore_codes(ground.access, model, [CODES[0]])


class TestClearing:
    """Dead codes go, used ones stay."""

    def use(self, ground: Ground, code: str, order_id: int = 1) -> None:
        """Somebody buys with it."""
        ground.book.note_status(order_id, "processing", [code.lower()], "lea@example.org")

    def test_only_what_nobody_used_is_deleted_and_told(self, ground: Ground, model: str) -> None:
        self.use(ground, CODES[1])
        over(ground)
        assert ground.codes.clear_codes(ground.access, model, CODES) == (CODES[0], CODES[2])
        assert [one.code for one in ground.book] == ["merci-model", CODES[1].lower()]
        assert ground.codes.clear_codes(ground.access, model, CODES) == (CODES[0], CODES[2])
        assert held(ground, CODES[1]).usage_count == 1

    def test_a_use_that_was_cancelled_is_none(self, ground: Ground, model: str) -> None:
        self.use(ground, CODES[0])
        ground.book.note_status(1, "cancelled", [CODES[0].lower()], "lea@example.org")
        over(ground)
        assert ground.codes.clear_codes(ground.access, model, [CODES[0]]) == (CODES[0],)

    def test_what_the_checkout_still_takes_stays(self, ground: Ground, model: str) -> None:
        """A merchant gave one of them a later end, or none: it is the merchant's now."""
        over(ground)
        ground.desk.edit(held(ground, CODES[0]).id, date_expires="")
        ground.desk.edit(held(ground, CODES[1]).id, date_expires=(ground.now + days(1)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert ground.codes.clear_codes(ground.access, model, CODES) == (CODES[2],)
        assert len(list(ground.book)) == 3

    def test_a_withdrawn_one_goes_before_its_end(self, ground: Ground, model: str) -> None:
        ground.codes.withdraw_codes(ground.access, model, [CODES[0]])
        assert ground.codes.clear_codes(ground.access, model, CODES) == (CODES[0],)

    def test_a_merchants_own_coupon_is_never_touched(self, ground: Ground, model: str) -> None:
        ground.desk.delete(held(ground, CODES[0]).id)
        own = ground.desk.make(CODES[0], amount="1", date_expires="2026-01-01T00:00:00Z")
        over(ground)
        assert ground.codes.clear_codes(ground.access, model, [CODES[0]]) == (CODES[0],)
        assert ground.book.find(own.id) is own

    def test_nothing_is_sent_that_would_have_to_be_read_again_twice(self, ground: Ground, model: str) -> None:
        number = held(ground, CODES[0]).id
        over(ground)
        ground.sent.clear()
        ground.codes.clear_codes(ground.access, model, [CODES[0]])
        assert ground.sent == [("action.woocommerce_delete_coupon", number)]

    def test_what_vanishes_in_between_is_away_and_what_is_refused_is_not(self, ground: Ground, model: str) -> None:
        over(ground)
        first, second = held(ground, CODES[0]).id, held(ground, CODES[1]).id
        gone: dict[str, Any] = {"id": first, "error": {"code": coupon_calls.UNKNOWN, "message": "Invalid ID.", "data": {"status": 404}}}
        kept: dict[str, Any] = {"id": second, "error": {"code": "woocommerce_rest_cannot_delete", "message": "No.", "data": {}}}
        ground.instead["POST /coupons/batch"] = httpx2.Response(200, json={"delete": [kept, gone]})
        assert ground.codes.clear_codes(ground.access, model, CODES[:2]) == (CODES[0],)

    def test_after_a_lost_answer_it_is_done(self, ground: Ground, model: str) -> None:
        over(ground)
        ground.after["POST /coupons/batch"] = lost
        with pytest.raises(TransientError):
            ground.codes.clear_codes(ground.access, model, CODES)
        assert ground.codes.clear_codes(ground.access, model, CODES) == CODES
        assert [one.code for one in ground.book] == ["merci-model"]


class TestFinding:
    """Many codes with few calls, and whatever they are called."""

    def test_codes_with_a_common_beginning_are_found_by_one_search_a_hundred(self, ground: Ground, model: str) -> None:
        many = list(numbered("merci-x", 120))
        ground.codes.issue_codes(ground.access, model, many)
        ground.calls.clear()
        ground.codes.withdraw_codes(ground.access, model, many)
        assert ground.calls.count("GET /coupons") == 2
        assert ground.calls.count("POST /coupons/batch") == -(-120 // BATCH)
        assert {held(ground, code).status for code in many} == {"draft"}

    def test_it_never_takes_more_pages_than_there_are_codes(self, ground: Ground, model: str) -> None:
        ground.codes.issue_codes(ground.access, model, list(numbered("merci-x", 310)))
        ground.calls.clear()
        ground.codes.withdraw_codes(ground.access, model, CODES[:2])
        assert ground.calls.count("GET /coupons") == 4
        assert honoured(ground) == [CODES[2]]

    @pytest.mark.parametrize("codes", [("ab-1", "ac-2"), ("été & co", "hiver <3"), ("x", "y"), ("seul",)])
    def test_others_are_found_one_by_one(self, ground: Ground, model: str, codes: tuple[str, ...]) -> None:
        assert ground.codes.issue_codes(ground.access, model, codes).issued == codes
        ground.codes.withdraw_codes(ground.access, model, codes)
        assert sorted(one.status for one in ground.book) == sorted(["publish"] * 4 + ["draft"] * len(codes))

    @pytest.mark.parametrize(("value", "told"), [('"102"', "102"), ("102", "102"), ("null", "null"), ("[1]", "[1]")])
    def test_the_note_is_read_whatever_a_plugin_made_of_it(self, value: str, told: str) -> None:
        body = msgspec.json.decode(f'{{"id":1,"meta_data":[{{"key":"{SERIES}","value":{value}}}]}}', type=CouponBody)
        assert series_of(body) == told
        assert series_of(CouponBody(1)) is None


def test_woocommerce_has_no_address_that_applies_a_code(ground: Ground) -> None:
    assert ground.codes.use_url("https://galets.example", "MERCI") is None
