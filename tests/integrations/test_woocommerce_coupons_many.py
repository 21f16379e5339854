"""Many codes of the same terms, and looking for some; each is a coupon of its own."""

import json
from typing import Any

import httpx2
import pytest

from connector.codes import CodeKind
from connector.platforms import Gone, Rejected, TransientError
from integrations.woocommerce import coupon_calls
from integrations.woocommerce.coupon_nodes import SERIES
from integrations.woocommerce.coupon_series import BATCH
from tests.integrations.coupon_ground import TEN_PERCENT, Ground, days, lost, make_ground, numbered

TERMS: dict[str, Any] = {
    "discount_type": "fixed_cart",
    "amount": "7.50",
    "minimum_amount": "30",
    "maximum_amount": "300",
    "usage_limit": 1,
    "usage_limit_per_user": 1,
    "individual_use": True,
    "product_ids": [16, 19],
    "excluded_product_categories": [4],
    "exclude_sale_items": True,
    "email_restrictions": ["*@vip.example"],
    "description": "Merci d’être venus",
    "meta_data": [{"key": "product_brands", "value": [3]}, {"key": "another_plugins", "value": "secret"}],
}


@pytest.fixture
def ground() -> Ground:
    """An empty store."""
    return make_ground()


class TestIssuing:
    """More codes of one coupon's terms."""

    def test_each_is_a_coupon_of_its_own_with_all_its_terms(self, ground: Ground) -> None:
        until = (ground.now + days(5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        model = ground.desk.make("modele", date_expires=until, **TERMS)
        ground.book.note_status(1, "processing", ["modele"], "anna@example.org")
        told = ground.codes.issue_codes(ground.access, str(model.id), ["Lot-A", "lot-b", "LOT-A"])
        assert (sorted(code.lower() for code in told.issued), dict(told.refused)) == (["lot-a", "lot-b"], {})
        _, first, second = ground.book
        for copy in (first, second):
            assert (copy.discount_type, copy.amount, copy.minimum, copy.maximum) == ("fixed_cart", model.amount, 30, 300)
            assert (copy.limits, copy.flags, copy.numbers, copy.emails) == (model.limits, model.flags, model.numbers, model.emails)
            assert (copy.expires_at, copy.description, copy.status) == (model.expires_at, model.description, "publish")
            assert (copy.usage_count, copy.used_by) == (0, [])
            assert [(one["key"], one["value"]) for one in copy.meta] == [("product_brands", [3]), (SERIES, str(model.id))]

    def test_doing_it_again_makes_only_what_is_missing(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)
        ground.codes.issue_codes(ground.access, str(model.id), ["a-1", "a-2"])
        told = ground.codes.issue_codes(ground.access, str(model.id), ["A-1", "a-2", "a-3"])
        assert (told.issued, dict(told.refused)) == (("A-1", "a-2", "a-3"), {})
        assert [one.code for one in ground.book] == ["modele", "a-1", "a-2", "a-3"]

    def test_what_another_coupon_has_is_refused(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)
        ground.desk.make("pris", amount="1")
        ground.desk.make("brouillon", **TERMS, status="draft")
        told = ground.codes.issue_codes(ground.access, str(model.id), ["pris", "brouillon", "libre"])
        taken = "woocommerce_rest_coupon_code_already_exists"
        assert (told.issued, dict(told.refused)) == (("libre",), {"pris": taken, "brouillon": taken})
        assert len(list(ground.book)) == 4

    def test_of_a_suspended_one_they_are_suspended_too_and_resumed_with_its_end(self, ground: Ground) -> None:
        until = ground.now + days(5)
        model = ground.desk.make("modele", **TERMS, date_expires=until.strftime("%Y-%m-%dT%H:%M:%SZ"))
        ground.codes.suspend_code(ground.access, str(model.id))
        for _ in range(2):
            told = ground.codes.issue_codes(ground.access, str(model.id), ["a-1"])
            assert told.issued == ("a-1",)
        copy = list(ground.book)[1]
        assert (copy.status, len(list(ground.book))) == ("draft", 2)
        ground.codes.resume_code(ground.access, str(copy.id))
        assert (copy.status, copy.expires_at) == ("publish", until)

    def test_many_go_by_parts_and_a_lost_answer_leaves_no_second_one(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)
        wanted = list(numbered("lot", BATCH * 2 + 3))
        ground.after["POST /coupons/batch"] = lost
        with pytest.raises(TransientError):
            ground.codes.issue_codes(ground.access, str(model.id), wanted)
        assert len(list(ground.book)) == BATCH + 1
        told = ground.codes.issue_codes(ground.access, str(model.id), wanted)
        assert (told.issued, dict(told.refused)) == (tuple(wanted), {})
        assert sorted(one.code for one in ground.book) == sorted([*wanted, "modele"])

    def test_one_that_the_store_kept_otherwise_is_deleted_and_refused(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)

        def altered(response: httpx2.Response) -> httpx2.Response:
            told = json.loads(response.content)
            told["create"][0]["amount"] = "1.00"
            return httpx2.Response(200, json=told)

        ground.after["POST /coupons/batch"] = altered
        told = ground.codes.issue_codes(ground.access, str(model.id), ["a-1", "a-2"])
        assert (told.issued, dict(told.refused)) == (("a-2",), {"a-1": "kept_otherwise"})
        assert [one.code for one in ground.book] == ["modele", "a-2"]

    def test_other_refusals_are_told_by_the_stores_code(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)
        error = {"code": "woocommerce_rest_cannot_create", "message": "Sorry.", "data": {"status": 403}}
        ground.instead["POST /coupons/batch"] = httpx2.Response(200, json={"create": [{"id": 0, "error": error}]})
        told = ground.codes.issue_codes(ground.access, str(model.id), ["a-1"])
        assert (told.issued, dict(told.refused)) == ((), {"a-1": "woocommerce_rest_cannot_create"})

    def test_an_answer_that_does_not_tell_of_each_is_unclear(self, ground: Ground) -> None:
        model = ground.desk.make("modele", **TERMS)
        ground.instead["POST /coupons/batch"] = httpx2.Response(200, json={"create": []})
        with pytest.raises(TransientError):
            ground.codes.issue_codes(ground.access, str(model.id), ["a-1"])

    @pytest.mark.parametrize("number", ["99999", "x"])
    def test_of_one_that_is_gone_none_are_made(self, ground: Ground, number: str) -> None:
        with pytest.raises(Gone):
            ground.codes.issue_codes(ground.access, number, ["a-1"])

    def test_nothing_wanted_makes_nothing(self, ground: Ground) -> None:
        model = ground.desk.make("modele")
        assert ground.codes.issue_codes(ground.access, str(model.id), ["", "  "]).issued == ()
        assert ground.asked("POST") == 0


class TestFinding:
    """Codes by words."""

    def test_words_are_looked_for_in_code_and_description_whatever_the_state(self, ground: Ground) -> None:
        ground.desk.make("merci-10", description="Pour les fidèles")
        ground.desk.make("autre", description="Merci à tous", status="draft")
        ground.desk.make("rien")
        ground.desk.trash(ground.desk.make("merci-old").id)
        page = ground.codes.find_codes(ground.access, "  MERCI ")
        assert [state.code for state in page.records if hasattr(state, "code")] == ["merci-10", "autre"]
        assert (page.cursor, page.unreadable) == (None, ())

    def test_all_by_pages_oldest_first(self, ground: Ground) -> None:
        for code in numbered("c", 150):
            ground.book.create({"code": code})
        first = ground.codes.find_codes(ground.access, "")
        assert (len(first.records), first.cursor) == (100, "2")
        second = ground.codes.find_codes(ground.access, "", first.cursor)
        assert (len(second.records), second.cursor) == (50, None)
        ids = [int(one.platform_id) for one in (*first.records, *second.records)]
        assert ids == sorted(set(ids))

    def test_one_that_makes_no_sense_stops_nothing(self, ground: Ground) -> None:
        ground.desk.make("bon")
        ground.book.create({"code": "x"}).code = "&nbsp;"
        page = ground.codes.find_codes(ground.access, "")
        assert [one.platform_id for one in page.records] == ["100"]
        assert page.unreadable == ("101: a coupon without a code",)

    @pytest.mark.parametrize("code", ["-10off", '"deux', "a,b", "a b", "été+hiver", "x&y", "d-été&co", "<3", "a'b"])
    def test_codes_with_signs_that_a_search_understands_are_found(self, ground: Ground, code: str) -> None:
        ground.desk.make(f"{code}-other", status="draft")
        made = ground.desk.make(code, status="draft")
        found = ground.codes.read_code(ground.access, code.upper())
        assert found is not None
        assert found.platform_id == str(made.id)

    def test_of_endlessly_many_alike_only_so_many_pages_are_read(self, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(coupon_calls, "MOST_ALIKE", 2)
        for code in numbered("merci", 300):
            ground.book.create({"code": code})
        assert ground.codes.read_code(ground.access, "merci") is None
        assert ground.asked("GET") == 3

    def test_among_very_many_alike_a_draft_is_found(self, ground: Ground) -> None:
        for code in numbered("merci", 250):
            ground.book.create({"code": code})
        ground.book.create({"code": "merci", "status": "draft"})
        with pytest.raises(Rejected):
            ground.codes.issue_code(ground.access, TEN_PERCENT.__class__("merci", CodeKind.PERCENTAGE, TEN_PERCENT.value))
        assert ground.asked("POST") == 0
