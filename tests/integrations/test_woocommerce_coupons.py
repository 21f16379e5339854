"""Discount codes of a WooCommerce store: made once whatever happens, proven, and read by code."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from connector.codes import CodeKind, CodeStatus, DiscountCode, Restriction
from connector.platforms import AccessLost, CodeTaken, PayloadError, Rejected, ThrottledError, TransientError
from connector.rules.discounts import Ineligible, why_not
from integrations.sandbox.woocommerce_coupon_use import Cart, refusal
from integrations.woocommerce.coupons import CouponBody, coupon_now, to_code_state
from tests.integrations.coupon_ground import TEN_PERCENT, Ground, altered, days, lost, make_ground, page

CART = Cart(Decimal(80), "lea@example.org")


@pytest.fixture
def ground() -> Ground:
    """An empty store."""
    return make_ground()


class TestIssuing:
    """What we make."""

    def test_a_percentage_is_for_everybody_and_everything(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        made = ground.only()
        assert (made.code, made.discount_type, made.amount, made.status) == ("merci-7q2k", "percent", 10, "publish")
        assert (made.flags["individual_use"], made.flags["free_shipping"], made.limits["usage_limit_per_user"]) == (True, False, 1)
        assert (state.platform_id, state.code, state.kind, state.value) == (str(made.id), "merci-7q2k", CodeKind.PERCENTAGE, Decimal(10))
        assert (state.status, state.title, state.usage_limit, state.ends_at) == (CodeStatus.ACTIVE, "Merci", None, None)
        assert (state.once_per_customer, state.restrictions, state.used, state.codes) == (True, (), 0, 1)
        assert why_not(state, ground.now) == ()
        assert refusal(ground.book, "Merci-7Q2K", CART) == ""

    def test_a_fixed_amount_has_its_limits_and_its_exact_end(self, ground: Ground) -> None:
        until = ground.now + days(7)
        wanted = DiscountCode(
            "CINQ", CodeKind.FIXED_AMOUNT, Decimal("5.50"), "EUR", ends_at=until, usage_limit=30, minimum_subtotal=Decimal("20.00")
        )
        state = ground.codes.issue_code(ground.access, wanted)
        made = ground.only()
        assert (made.discount_type, made.amount, made.minimum, made.expires_at) == ("fixed_cart", Decimal("5.50"), 20, until)
        assert (state.value, state.ends_at, state.usage_limit, state.minimum_subtotal) == (Decimal("5.50"), until, 30, Decimal(20))
        assert state.kind is CodeKind.FIXED_AMOUNT

    def test_free_shipping_takes_nothing_else_off(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, DiscountCode("PORT", CodeKind.FREE_SHIPPING))
        made = ground.only()
        assert (made.flags["free_shipping"], made.amount) == (True, 0)
        assert (state.kind, state.value) == (CodeKind.FREE_SHIPPING, None)

    def test_a_code_for_one_address_is_for_no_other(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, email="Lea@Example.org"))
        assert ground.only().emails == ["lea@example.org"]
        assert state.restrictions == (Restriction.EMAILS,)
        assert refusal(ground.book, state.code, CART) == ""
        assert "valid email" in refusal(ground.book, state.code, replace(CART, email="max@example.org"))

    @pytest.mark.parametrize("value", ["0.5", "12.5", "33.33", "100"])
    def test_a_percentage_comes_back_as_it_went(self, ground: Ground, value: str) -> None:
        code = replace(TEN_PERCENT, value=Decimal(value))
        assert ground.codes.issue_code(ground.access, code).value == Decimal(value)
        assert ground.codes.issue_code(ground.access, code).value == Decimal(value)
        assert len(list(ground.book)) == 1

    def test_amounts_go_as_text_and_the_end_with_its_zone(self, ground: Ground) -> None:
        fields: dict[str, Any] = {}
        create = ground.book.create
        ground.book.create = lambda given: create(fields.update(given) or fields)  # type: ignore[method-assign,func-returns-value]
        wanted = replace(TEN_PERCENT, ends_at=ground.now + days(1), minimum_subtotal=Decimal("9.90"), currency="EUR")
        ground.codes.issue_code(ground.access, wanted)
        assert (fields["amount"], fields["minimum_amount"]) == ("10", "9.90")
        assert fields["date_expires"] == (ground.now + days(1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"value": Decimal("10.125")}, "two decimals"),
            ({"email": "a*@example.org"}, "pattern"),
            ({"email": "a|b@example.org"}, "pattern"),
            ({"value": None}, "without a value"),
            ({"value": Decimal(0)}, "without a value"),
            ({"value": Decimal(101)}, "100 percent"),
            ({"kind": CodeKind.OTHER}, "without a value"),
        ],
    )
    def test_what_woocommerce_has_not_is_refused_before_anything_is_asked(self, ground: Ground, change: dict[str, Any], words: str) -> None:
        with pytest.raises(Rejected, match=words):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, **change))
        assert ground.calls == []

    def test_a_beginning_in_the_future_is_refused_and_a_past_one_is_none(self, ground: Ground) -> None:
        with pytest.raises(Rejected, match="begin later"):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, starts_at=ground.now + days(1)))
        ground.codes.issue_code(ground.access, replace(TEN_PERCENT, starts_at=ground.now - days(1)))
        assert ground.only().status == "publish"

    def test_an_amount_in_another_currency_is_refused(self, ground: Ground) -> None:
        ground.currency = "USD"
        with pytest.raises(Rejected, match="USD"):
            ground.codes.issue_code(ground.access, DiscountCode("CINQ", CodeKind.FIXED_AMOUNT, Decimal(5), "EUR"))
        ground.codes.issue_code(ground.access, replace(TEN_PERCENT, currency="EUR"))
        assert [one.code for one in ground.book] == ["merci-7q2k"]


class TestOnce:
    """Twice makes one."""

    def test_asked_twice_there_is_one(self, ground: Ground) -> None:
        first = ground.codes.issue_code(ground.access, TEN_PERCENT)
        again = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, code="merci-7q2k", title="Other words"))
        assert again == first
        assert ground.asked("POST") == 1

    def test_one_that_was_used_meanwhile_is_still_the_same(self, ground: Ground) -> None:
        ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.book.note_status(9, "processing", ["merci-7q2k"], "anna@example.org")
        assert ground.codes.issue_code(ground.access, TEN_PERCENT).used == 1

    @pytest.mark.parametrize("spoil", [lost, page, altered(id=None)])
    def test_after_an_unclear_answer_a_look_finds_it(self, ground: Ground, spoil: Any) -> None:
        ground.after["POST /coupons"] = spoil
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert state.platform_id == str(ground.only().id)

    def test_an_unclear_answer_of_something_that_was_not_done_stays_unclear(self, ground: Ground) -> None:
        ground.instead["POST /coupons"] = httpx2.Response(502, html="Bad gateway")
        with pytest.raises(TransientError):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.calls == ["GET /coupons", "POST /coupons", "GET /coupons"]
        assert list(ground.book) == []

    def test_a_throttled_one_is_not_looked_for(self, ground: Ground) -> None:
        ground.instead["POST /coupons"] = httpx2.Response(429, json={"code": "busy", "message": "Slow down."})
        with pytest.raises(ThrottledError):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.calls == ["GET /coupons", "POST /coupons"]

    def test_whoever_was_faster_with_the_same_made_ours(self, ground: Ground) -> None:
        other = {"code": "merci-7q2k", "discount_type": "percent", "amount": "10", "usage_limit_per_user": 1}
        ground.before["POST /coupons"] = lambda: ground.desk.make(**other)  # type: ignore[arg-type]
        assert ground.codes.issue_code(ground.access, TEN_PERCENT).platform_id == str(ground.only().id)

    def test_whoever_was_faster_with_something_else_has_the_code(self, ground: Ground) -> None:
        ground.before["POST /coupons"] = lambda: ground.desk.make("merci-7q2k", amount="3")
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.only().amount == 3

    def test_a_code_that_is_taken_but_not_found_by_any_look_is_taken(self, ground: Ground) -> None:
        told = {"code": "woocommerce_rest_coupon_code_already_exists", "message": "The coupon code already exists", "data": {"status": 400}}
        ground.instead["POST /coupons"] = httpx2.Response(400, json=told)
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, TEN_PERCENT)

    def test_an_older_one_of_other_terms_that_came_meanwhile_keeps_the_code(self, ground: Ground) -> None:
        ground.before["POST /coupons"] = lambda: ground.desk.make("merci-7q2k", amount="1", status="draft")
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.only().amount == 1

    def test_what_is_deleted_again_may_be_gone_already(self, ground: Ground) -> None:
        ground.before["DELETE /coupons/N"] = lambda: ground.desk.delete(ground.only().id)
        with pytest.raises(Rejected):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, email="lea.example.org"))
        assert list(ground.book) == []

    def test_of_two_made_at_the_same_moment_the_older_one_stays(self, ground: Ground) -> None:
        def both() -> None:
            """Somebody's coupon is looked for before and inserted after ours."""
            older = ground.book.create({"code": "merci-7q2k", "discount_type": "percent", "amount": "10", "usage_limit_per_user": 1})
            older.status = "draft"
            ground.after["POST /coupons"] = lambda response: setattr(older, "status", "publish") or response  # type: ignore[func-returns-value]

        ground.before["POST /coupons"] = both
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert state.platform_id == str(ground.only().id) == "100"

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": "11"},
            {"discount_type": "fixed_cart"},
            {"date_expires": "2027-01-01T00:00:00Z"},
            {"usage_limit": 1},
            {"usage_limit_per_user": 2},
            {"minimum_amount": "5"},
            {"email_restrictions": ["a@example.org"]},
            {"product_ids": [16]},
            {"excluded_product_categories": [3]},
            {"exclude_sale_items": True},
            {"limit_usage_to_x_items": 1},
            {"maximum_amount": "100"},
            {"free_shipping": True},
            {"status": "draft"},
            {"status": "pending"},
            {"meta_data": [{"key": "product_brands", "value": [4]}]},
        ],
    )
    def test_a_code_of_other_terms_is_taken(self, ground: Ground, change: dict[str, Any]) -> None:
        ground.desk.make("merci-7q2k", **({"discount_type": "percent", "amount": "10", "usage_limit_per_user": 1} | change))
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.asked("POST") == 0

    def test_a_minimum_of_nothing_is_none(self, ground: Ground) -> None:
        for _ in range(2):
            state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, minimum_subtotal=Decimal(0)))
            assert (state.minimum_subtotal, len(list(ground.book))) == (None, 1)

    def test_a_code_in_the_bin_is_free(self, ground: Ground) -> None:
        ground.desk.trash(ground.desk.make("merci-7q2k").id)
        ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert [one.status for one in ground.book] == ["trash", "publish"]


class TestProof:
    """What the store kept is read back."""

    def test_an_address_that_is_dropped_without_a_word_is_noticed(self, ground: Ground) -> None:
        with pytest.raises(Rejected, match="email_restrictions"):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, email="lea.example.org"))
        assert list(ground.book) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"date_expires_gmt": "2026-12-01T00:00:00"}, "date_expires"),
            ({"amount": "9.00"}, "amount"),
            ({"code": "merci"}, "code"),
            ({"status": "draft"}, "status"),
            ({"usage_limit_per_user": None}, "usage_limit_per_user"),
        ],
    )
    def test_what_a_plugin_altered_is_deleted_again(self, ground: Ground, change: dict[str, Any], words: str) -> None:
        ground.after["POST /coupons"] = altered(**change)
        with pytest.raises(Rejected, match=f"otherwise than asked: {words}"):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert list(ground.book) == []

    def test_words_of_the_store_are_kept(self, ground: Ground) -> None:
        told = {"code": "coupon_invalid_amount", "message": "Invalid discount amount.", "data": {"status": 400}}
        ground.instead["POST /coupons"] = httpx2.Response(400, json=told)
        with pytest.raises(Rejected, match="coupon_invalid_amount: Invalid discount amount"):
            ground.codes.issue_code(ground.access, TEN_PERCENT)

    def test_dead_keys_are_told(self, ground: Ground) -> None:
        told = {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 401}}
        ground.instead["GET /coupons"] = httpx2.Response(401, json=told)
        with pytest.raises(AccessLost):
            ground.codes.issue_code(ground.access, TEN_PERCENT)


class TestReading:
    """What the store has."""

    def test_letter_case_and_spaces_do_not_matter(self, ground: Ground) -> None:
        ground.desk.make("Été-2026", discount_type="percent", amount="12.5")
        state = ground.codes.read_code(ground.access, " ÉTÉ-2026 ")
        assert state is not None
        assert (state.code, state.value) == ("été-2026", Decimal("12.50"))

    @pytest.mark.parametrize("code", ["nothing", "", "  ", "été"])
    def test_a_free_code_is_none(self, ground: Ground, code: str) -> None:
        ground.desk.make("été-2026")
        assert ground.codes.read_code(ground.access, code) is None

    def test_of_a_published_one_and_a_draft_the_published_one_counts(self, ground: Ground) -> None:
        ground.desk.make("deux", amount="1", status="draft")
        made = ground.desk.make("deux", amount="2")
        state = ground.codes.read_code(ground.access, "deux")
        assert state is not None
        assert state.platform_id == str(made.id)

    def test_a_draft_is_found_and_expired(self, ground: Ground) -> None:
        ground.desk.make("deux-fois")
        ground.desk.make("deux", status="draft")
        state = ground.codes.read_code(ground.access, "DEUX")
        assert state is not None
        assert (state.code, state.status) == ("deux", CodeStatus.EXPIRED)

    def test_one_that_ended_is_expired_and_a_used_one_tells(self, ground: Ground) -> None:
        ground.desk.make("vite", date_expires=(ground.now - days(1)).strftime("%Y-%m-%dT%H:%M:%SZ"), usage_limit=1)
        ground.desk.make("lent", usage_limit=1)
        ground.book.note_status(1, "on-hold", ["lent"], "7")
        fast, slow = (ground.codes.read_code(ground.access, code) for code in ("vite", "lent"))
        assert fast is not None
        assert fast.status is CodeStatus.EXPIRED
        assert slow is not None
        assert (slow.used, why_not(slow, ground.now)) == (1, (Ineligible.USED_UP,))

    def test_one_that_wordpress_publishes_later_is_scheduled(self, ground: Ground) -> None:
        made = ground.desk.make("plus-tard", status="future")
        made.created_at = ground.now + days(2)
        state = ground.codes.read_code(ground.access, "plus-tard")
        assert state is not None
        assert (state.status, state.starts_at) == (CodeStatus.SCHEDULED, ground.now + days(2))

    def test_one_without_any_time_makes_no_sense(self) -> None:
        with pytest.raises(PayloadError) as caught:
            to_code_state(CouponBody(id=5, code="a"))
        assert caught.value.reason == "time"

    def test_what_is_no_coupon_is_unclear(self, ground: Ground) -> None:
        ground.instead["GET /coupons"] = httpx2.Response(200, json=[{"id": 5, "code": {"what": 1}}])
        with pytest.raises(TransientError):
            ground.codes.read_code(ground.access, "a")

    def test_by_number_what_is_gone_or_in_the_bin_is_none(self, ground: Ground) -> None:
        kept, binned = ground.desk.make("un"), ground.desk.make("deux")
        ground.desk.trash(binned.id)
        found = coupon_now(ground.call, str(kept.id))
        assert found is not None
        assert found.code == "un"
        assert [coupon_now(ground.call, number) for number in (str(binned.id), "99999", "x", "")] == [None] * 4
