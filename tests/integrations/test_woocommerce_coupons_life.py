"""A coupon's life after it was made: suspended, resumed, put into the bin."""

from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest

from connector.codes import CodeStatus
from connector.platforms import CodeTaken, Gone, Rejected, TransientError
from integrations.sandbox.woocommerce_coupon_use import Cart, refusal
from integrations.woocommerce.coupon_nodes import FORMER_END, SUSPENDED_AT
from tests.integrations.coupon_ground import TEN_PERCENT, Ground, altered, days, make_ground, page

CART = Cart(Decimal(80), "lea@example.org")


@pytest.fixture
def ground() -> Ground:
    """An empty store."""
    return make_ground()


class TestSuspending:
    """Locked twice, and opened again."""

    def test_the_checkout_knows_it_no_more_and_our_end_shows_the_former_one(self, ground: Ground) -> None:
        until = ground.now + days(3)
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, ends_at=until))
        ground.codes.suspend_code(ground.access, state.platform_id)
        held = ground.only()
        assert (held.status, held.expires_at) == ("draft", SUSPENDED_AT)
        assert "does not exist" in refusal(ground.book, state.code, CART)
        held.status = "publish"
        assert "has expired" in refusal(ground.book, state.code, CART)
        held.status = "draft"
        now = ground.codes.read_code(ground.access, state.code)
        assert now is not None
        assert (now.status, now.ends_at) == (CodeStatus.EXPIRED, until)

    @pytest.mark.parametrize("ahead", [3, None])
    def test_resuming_gives_the_former_end_back(self, ground: Ground, ahead: int | None) -> None:
        until = None if ahead is None else ground.now + days(ahead)
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, ends_at=until))
        for _ in range(2):
            ground.codes.suspend_code(ground.access, state.platform_id)
        for _ in range(2):
            ground.codes.resume_code(ground.access, state.platform_id)
        held = ground.only()
        assert (held.status, held.expires_at) == ("publish", until)
        assert refusal(ground.book, state.code, CART) == ""
        assert ground.asked("PUT") == 2

    def test_a_store_that_dies_while_it_resumes_has_not_forgotten_the_end(self, ground: Ground) -> None:
        until = ground.now + days(3)
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, ends_at=until))
        ground.codes.suspend_code(ground.access, state.platform_id)

        def half(*args: object) -> None:
            """Meta data and status are written, the end is not."""
            ground.only().status = "publish"
            raise httpx2.ReadTimeout("died")

        ground.before["PUT /coupons/N"] = half
        with pytest.raises(TransientError):
            ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.only().expires_at == SUSPENDED_AT
        ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.only().expires_at == until

    def test_one_that_its_merchant_published_again_is_still_ended_until_it_is_resumed(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.codes.suspend_code(ground.access, state.platform_id)
        ground.desk.edit(ground.only().id, status="publish")
        assert "has expired" in refusal(ground.book, state.code, CART)
        ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.only().expires_at is None

    def test_suspended_again_it_keeps_the_note_of_its_end(self, ground: Ground) -> None:
        until = ground.now + days(3)
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, ends_at=until))
        ground.codes.suspend_code(ground.access, state.platform_id)
        ground.desk.edit(ground.only().id, status="publish")
        ground.codes.suspend_code(ground.access, state.platform_id)
        assert (ground.only().status, ground.only().expires_at) == ("draft", SUSPENDED_AT)
        ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.only().expires_at == until

    def test_one_with_a_new_end_of_its_merchants_is_suspended_anew(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.codes.suspend_code(ground.access, state.platform_id)
        until = ground.now + days(9)
        ground.desk.edit(ground.only().id, status="publish", date_expires=until.strftime("%Y-%m-%dT%H:%M:%SZ"))
        ground.codes.suspend_code(ground.access, state.platform_id)
        ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.only().expires_at == until

    def test_a_draft_of_the_merchants_that_ended_holds_without_an_end(self, ground: Ground) -> None:
        past = (ground.now - days(2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        held = ground.desk.make("vieux", status="draft", date_expires=past)
        ground.codes.resume_code(ground.access, str(held.id))
        assert (held.status, held.expires_at) == ("publish", None)

    def test_a_note_that_is_lost_or_spoilt_means_no_end(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, ends_at=ground.now + days(3)))
        for notes in ([], [{"id": 1, "key": FORMER_END, "value": {"what": 1}}], [{"id": 1, "key": FORMER_END, "value": "soon"}]):
            ground.codes.suspend_code(ground.access, state.platform_id)
            ground.only().meta = notes
            ground.codes.resume_code(ground.access, state.platform_id)
            assert (ground.only().status, ground.only().expires_at) == ("publish", None)

    def test_a_code_that_somebody_else_has_meanwhile_is_not_published_twice(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.codes.suspend_code(ground.access, state.platform_id)
        ground.desk.make("merci-7q2k", amount="1")
        with pytest.raises(CodeTaken):
            ground.codes.resume_code(ground.access, state.platform_id)

    def test_what_is_gone_says_so(self, ground: Ground) -> None:
        binned = ground.desk.make("deux")
        ground.desk.trash(binned.id)
        for number in ("99999", "x", str(binned.id)):
            for act in (ground.codes.suspend_code, ground.codes.resume_code):
                with pytest.raises(Gone):
                    act(ground.access, number)

    @pytest.mark.parametrize("what", ["suspend_code", "resume_code"])
    def test_what_vanishes_in_between_says_so(self, ground: Ground, what: str) -> None:
        held = ground.desk.make("deux", status="publish" if what == "suspend_code" else "draft")
        ground.before["PUT /coupons/N"] = lambda: ground.desk.delete(held.id)
        with pytest.raises(Gone):
            getattr(ground.codes, what)(ground.access, str(held.id))

    def test_a_store_that_does_not_do_it_is_not_believed(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.after["PUT /coupons/N"] = altered(status="publish")
        with pytest.raises(TransientError):
            ground.codes.suspend_code(ground.access, state.platform_id)
        ground.after["PUT /coupons/N"] = altered(date_expires_gmt="2000-01-01T00:00:00")
        with pytest.raises(TransientError):
            ground.codes.resume_code(ground.access, state.platform_id)

    def test_other_refusals_keep_their_words(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        told = {"code": "woocommerce_rest_shop_coupon_not_created", "message": "No.", "data": {"status": 400}}
        ground.instead["PUT /coupons/N"] = httpx2.Response(400, json=told)
        with pytest.raises(Rejected, match="not_created"):
            ground.codes.suspend_code(ground.access, state.platform_id)


class TestDeleting:
    """Into the bin."""

    def test_it_goes_into_the_bin_once(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        for _ in range(2):
            ground.codes.delete_code(ground.access, state.platform_id)
        assert ground.only().status == "trash"
        assert ground.codes.read_code(ground.access, TEN_PERCENT.code) is None

    def test_what_is_gone_is_fine(self, ground: Ground) -> None:
        for number in ("99999", "x"):
            ground.codes.delete_code(ground.access, number)
        assert ground.calls == ["DELETE /coupons/N"]

    def test_a_site_without_a_bin_deletes_for_good(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        told = {"code": "woocommerce_rest_trash_not_supported", "message": "No bin.", "data": {"status": 501}}
        ground.instead["DELETE /coupons/N"] = httpx2.Response(501, json=told)
        ground.codes.delete_code(ground.access, state.platform_id)
        assert list(ground.book) == []

    def test_a_page_has_deleted_nothing(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.after["DELETE /coupons/N"] = page
        with pytest.raises(TransientError):
            ground.codes.delete_code(ground.access, state.platform_id)

    def test_another_refusal_keeps_its_words(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        told = {"code": "rest_invalid_param", "message": "No.", "data": {"status": 400}}
        ground.instead["DELETE /coupons/N"] = httpx2.Response(400, json=told)
        with pytest.raises(Rejected, match="rest_invalid_param"):
            ground.codes.delete_code(ground.access, state.platform_id)
