"""Discount codes of a pretend Shopify shop: read, listed, many under one discount, suspended, taken away."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from connector import clock
from connector.codes import CodeKind, CodeState, CodeStatus, DiscountCode, Restriction
from connector.platforms import Access, Gone, NotPermitted, TransientError
from connector.rules.discounts import Ineligible, why_not
from integrations.sandbox.faults import Kind
from integrations.sandbox.shopify_shop import Shopper
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import FREE_SHIPPING
from integrations.shopify.discount_reads import discount_now, discounts_changed
from integrations.shopify.discounts import ShopifyCodes
from integrations.shopify.redeem_codes import POLLS
from integrations.transport import Transport
from tests.integrations.discount_ground import TEN_PERCENT, Ground, opened

ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with opened(tmp_path_factory.mktemp("discounts")) as ground:
        yield ground


@pytest.fixture
def ground(running: Ground) -> Iterator[Ground]:
    running.clock.at = clock.now().replace(microsecond=0)
    yield running
    running.empty()


def make(ground: Ground, kind: str = "DiscountCodeBasic", **wanted: Any) -> int:
    """A discount made by hand in the shop's admin."""
    gets = {"value": {"percentage": 0.2}, "items": {"all": True}}
    basic: dict[str, Any] = {"title": "By hand", "code": "HAND-1", "startsAt": ground.clock.at, "context": {"all": "ALL"}}
    basic |= {"destination": {"all": True}} if kind == FREE_SHIPPING else {"customerGets": gets}
    with ground.twin.shop.lock:
        made, wrong = ground.twin.shop.discounts.create(kind, basic | wanted)
    assert made is not None, wrong
    return made.id


def gids(kind: str, *numbers: int) -> list[str]:
    """Shopify's names of records."""
    return [f"gid://shopify/{kind}/{number}" for number in numbers]


class TestReading:
    """What the shop says of a code."""

    @pytest.mark.parametrize("spelling", ["HAND-1", "hand-1", " Hand-1 "])
    def test_letter_case_does_not_tell_codes_apart(self, ground: Ground, spelling: str) -> None:
        number = make(ground)
        state = ground.codes.read_code(ground.access, spelling)
        assert state is not None
        assert (state.platform_id, state.code) == (str(number), "HAND-1")

    @pytest.mark.parametrize("code", ["NO-SUCH", "", "  "])
    def test_a_free_code_is_none(self, ground: Ground, code: str) -> None:
        assert ground.codes.read_code(ground.access, code) is None

    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            ({"context": {"customerSegments": {"add": gids("Segment", 1)}}}, Ineligible.RESTRICTED_TO_SEGMENTS),
            (
                {
                    "customerGets": {
                        "value": {"percentage": 0.2},
                        "items": {"products": {"productsToAdd": gids("Product", 7900000000001)}},
                    }
                },
                Ineligible.RESTRICTED_TO_PRODUCTS,
            ),
            ({"minimumRequirement": {"quantity": {"greaterThanOrEqualToQuantity": "3"}}}, Ineligible.RESTRICTED_TO_QUANTITY),
            (
                {
                    "customerGets": {
                        "value": {"percentage": 0.2},
                        "items": {"all": True},
                        "appliesOnOneTimePurchase": False,
                        "appliesOnSubscription": True,
                    }
                },
                Ineligible.RESTRICTED_TO_SUBSCRIPTIONS,
            ),
        ],
    )
    def test_what_a_code_is_restricted_to_is_said(self, ground: Ground, wanted: dict[str, Any], reason: Ineligible) -> None:
        make(ground, **wanted)
        assert why_not(ground.codes.read_code(ground.access, "HAND-1"), ground.clock.at) == (reason,)

    def test_codes_for_some_customers_or_countries_are_not_for_everybody(self, ground: Ground) -> None:
        customer = ground.twin.shop.keep_customer(Shopper("mary@example.com"))
        ground.twin.make_discount("ONLY-MARY", customers=[customer.id])
        make(ground, FREE_SHIPPING, code="ONLY-FR", destination={"countries": {"add": ["FR"]}})
        found = {code: ground.codes.read_code(ground.access, code) for code in ("ONLY-MARY", "ONLY-FR")}
        assert why_not(found["ONLY-MARY"], ground.clock.at) == (Ineligible.RESTRICTED_TO_CUSTOMERS,)
        assert why_not(found["ONLY-FR"], ground.clock.at) == (Ineligible.RESTRICTED_TO_MARKETS,)

    def test_a_used_up_code_still_reads_active(self, ground: Ground) -> None:
        make(ground, usageLimit=1)
        ground.twin.use_code("HAND-1")
        state = ground.codes.read_code(ground.access, "HAND-1")
        assert state is not None
        assert (state.status, state.used, state.usage_limit) == (CodeStatus.ACTIVE, 1, 1)
        assert why_not(state, ground.clock.at) == (Ineligible.USED_UP,)

    def test_an_end_that_came_by_itself_is_seen(self, ground: Ground) -> None:
        make(ground, endsAt=ground.clock.at + timedelta(minutes=5))
        ground.clock.advance(minutes=5)
        assert why_not(ground.codes.read_code(ground.access, "HAND-1"), ground.clock.at) == (Ineligible.EXPIRED,)

    def test_a_discount_is_read_by_its_number(self, ground: Ground) -> None:
        number = make(ground)
        state = discount_now(ground.client, ground.access, str(number))
        assert state == ground.codes.read_code(ground.access, "HAND-1")
        assert discount_now(ground.client, ground.access, "123") is None
        assert discount_now(ground.client, ground.access, "no number") is None

    def test_what_is_withheld_does_not_read_as_free(self, ground: Ground) -> None:
        make(ground)
        try:
            ground.twin.change_scopes(("read_orders",))
            with pytest.raises(NotPermitted):
                ground.codes.read_code(ground.access, "HAND-1")
        finally:
            ground.twin.change_scopes(("write_discounts", "read_orders"))


class TestLists:
    """Codes by pages."""

    def test_changed_discounts_come_oldest_change_first_page_by_page(self, ground: Ground) -> None:
        since = ground.clock.at
        for place in range(90):
            ground.clock.advance(seconds=10)
            make(ground, code=f"CODE-{place}")
        found, cursor, pages = [], None, 0
        while True:
            page = discounts_changed(ground.client, ground.access, since, None, cursor)
            found += [state.code for state in page.records if isinstance(state, CodeState)]
            pages, cursor = pages + 1, page.cursor
            if cursor is None:
                break
        assert found == [f"CODE-{place}" for place in range(90)]
        assert pages == 2

    def test_a_span_has_a_beginning_that_counts_and_an_end_that_does_not(self, ground: Ground) -> None:
        start = ground.clock.at
        for place in range(4):
            make(ground, code=f"CODE-{place}")
            ground.clock.advance(minutes=1)
        page = discounts_changed(ground.client, ground.access, start + timedelta(minutes=1), start + timedelta(minutes=3), None)
        assert [state.code for state in page.records if isinstance(state, CodeState)] == ["CODE-1", "CODE-2"]

    def test_codes_are_found_by_their_words(self, ground: Ground) -> None:
        make(ground, code="SPRING-1", title="Spring sale")
        make(ground, code="AUTUMN-1", title="Autumn sale")
        for words in ("spring", 'spr"ing'.replace('"', "")):
            page = ground.codes.find_codes(ground.access, words)
            assert [state.code for state in page.records if isinstance(state, CodeState)] == ["SPRING-1"]
        assert len(ground.codes.find_codes(ground.access, "").records) == 2


class TestSwitching:
    """Suspended, resumed, gone."""

    def test_a_suspended_code_reads_expired_and_can_be_resumed(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        for _ in range(2):
            ground.codes.suspend_code(ground.access, state.platform_id)
        suspended = ground.codes.read_code(ground.access, state.code)
        assert suspended is not None
        assert suspended.status is CodeStatus.EXPIRED
        assert not ground.twin.use_code(state.code)
        ground.codes.resume_code(ground.access, state.platform_id)
        assert ground.codes.issue_code(ground.access, TEN_PERCENT).status is CodeStatus.ACTIVE
        assert ground.twin.use_code(state.code)

    def test_what_is_gone_is_said_to_be_gone_and_may_be_deleted_again(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        for _ in range(2):
            ground.codes.delete_code(ground.access, state.platform_id)
        assert ground.discounts == []
        assert ground.codes.read_code(ground.access, state.code) is None
        for switch in (ground.codes.suspend_code, ground.codes.resume_code):
            with pytest.raises(Gone):
                switch(ground.access, state.platform_id)
        with pytest.raises(Gone):
            ground.codes.issue_codes(ground.access, state.platform_id, ["A-1"])

    @pytest.mark.parametrize("switch", ["suspend_code", "resume_code", "delete_code"])
    def test_a_refusal_of_something_that_is_there_is_told(self, ground: Ground, switch: str) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.twin.shop.discounts.refuse_next("Not now.", "INTERNAL_ERROR")
        with pytest.raises(Exception, match="Not now"):
            getattr(ground.codes, switch)(ground.access, state.platform_id)
        assert len(ground.discounts) == 1


class TestMany:
    """Unique codes under one discount."""

    def test_any_number_is_added_250_at_a_time(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.twin.shop.discounts.codes_a_look = 100
        wanted = [f"U-{place}" for place in range(510)]
        result = ground.codes.issue_codes(ground.access, state.platform_id, wanted)
        assert result.issued == tuple(wanted)
        assert result.refused == {}
        assert len(ground.discounts[0].codes) == 511
        assert ground.slept[0] == POLLS[0]
        again = ground.codes.read_code(ground.access, "u-509")
        assert again is not None
        assert (again.platform_id, again.code, again.codes) == (state.platform_id, "u-509", 511)

    def test_doing_it_again_adds_only_what_is_missing(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.codes.issue_codes(ground.access, state.platform_id, [f"U-{place}" for place in range(30)])
        result = ground.codes.issue_codes(ground.access, state.platform_id, [f"u-{place}" for place in range(40)])
        assert result.issued == tuple(f"u-{place}" for place in range(40))
        assert len(ground.discounts[0].codes) == 41

    def test_codes_of_others_and_nonsense_are_refused_one_by_one(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        make(ground, code="TAKEN-1")
        result = ground.codes.issue_codes(ground.access, state.platform_id, ["NEW-1", "taken-1", " ", "new-1"])
        assert result.issued == ("new-1",)
        assert result.refused == {"taken-1": "TAKEN", " ": "BLANK"}

    def test_a_lost_answer_is_made_good_by_doing_it_again(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.twin.faults.spoil_next(Kind.TRUNCATE)
        with pytest.raises(TransientError):
            ground.codes.issue_codes(ground.access, state.platform_id, ["U-1", "U-2"])
        assert ground.codes.issue_codes(ground.access, state.platform_id, ["U-1", "U-2"]).issued == ("U-1", "U-2")
        assert len(ground.discounts[0].codes) == 3

    def test_an_addition_that_does_not_end_is_left_for_later(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.twin.shop.discounts.codes_a_look = 1
        with pytest.raises(TransientError, match="still being added"):
            ground.codes.issue_codes(ground.access, state.platform_id, [f"U-{place}" for place in range(40)])
        assert tuple(ground.slept) == POLLS

    def test_a_refused_addition_is_told(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        ground.twin.shop.discounts.refuse_next("Too busy.", "INTERNAL_ERROR")
        with pytest.raises(Exception, match="Too busy"):
            ground.codes.issue_codes(ground.access, state.platform_id, ["U-1"])


def answering(*answers: object) -> tuple[Client, ShopifyCodes]:
    """A shop that answers so."""
    told = iter(answers)
    client = Client(Transport(inner=httpx2.MockTransport(lambda request: httpx2.Response(200, json=next(told)))))
    return client, ShopifyCodes(client, lambda seconds: None)


NODE = {
    "__typename": "DiscountCodeBasic",
    "status": "ACTIVE",
    "updatedAt": "2026-11-21T10:00:00Z",
    "codes": {"nodes": [{"code": "A"}]},
    "context": {"__typename": "DiscountBuyerSelectionAll"},
}


class TestStrangeAnswers:
    """What Shopify never answers, and may."""

    @pytest.mark.parametrize(
        "node",
        [
            {"__typename": "DiscountCodeApp"},
            NODE | {"codes": {"nodes": []}},
            NODE | {"updatedAt": None},
            NODE | {"codes": None},
        ],
    )
    def test_a_discount_without_what_each_has_is_no_answer(self, node: dict[str, Any]) -> None:
        found = {"id": "gid://shopify/DiscountCodeNode/1", "codeDiscount": node}
        _, codes = answering({"data": {"codeDiscountNodeByCode": found}})
        with pytest.raises(TransientError):
            codes.read_code(ACCESS, "A")

    def test_in_a_list_it_is_named_and_the_others_are_kept_and_automatic_ones_are_passed_over(self) -> None:
        nodes = [
            {"id": "gid://shopify/DiscountNode/1", "discount": NODE | {"codes": {"nodes": []}}},
            {"id": "gid://shopify/DiscountNode/2", "discount": NODE},
            {"id": "gid://shopify/DiscountNode/3", "discount": {"__typename": "DiscountAutomaticApp"}},
        ]
        page = {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": "x"}}
        client, _ = answering({"data": {"discountNodes": page}})
        found = discounts_changed(client, ACCESS, None, None, None)
        assert [state.platform_id for state in found.records if isinstance(state, CodeState)] == ["2"]
        assert (found.unreadable, found.cursor) == (("1: no code",), None)

    def test_a_status_and_a_context_that_nobody_knows_count_as_not_good(self) -> None:
        strange = NODE | {"status": "PAUSED", "context": {"__typename": "DiscountMoonPhases"}}
        client, _ = answering({"data": {"nodes": [{"id": "gid://shopify/DiscountCodeNode/1", "codeDiscount": strange}]}})
        state = discount_now(client, ACCESS, "1")
        assert state is not None
        assert (state.status, state.kind, state.restrictions) == (CodeStatus.EXPIRED, CodeKind.OTHER, (Restriction.CUSTOMERS,))

    def test_without_the_scope_nothing_reads_as_gone(self) -> None:
        scopes = {"currentAppInstallation": {"accessScopes": [{"handle": "read_orders"}]}}
        client, _ = answering({"data": {"nodes": [None]} | scopes})
        with pytest.raises(NotPermitted):
            discount_now(client, ACCESS, "1")

    @pytest.mark.parametrize("data", [{}, {"nodes": []}, {"nodes": None}, {"nodes": [None, None]}])
    def test_an_answer_of_another_shape_is_not_gone(self, data: object) -> None:
        client, _ = answering({"data": data})
        with pytest.raises(TransientError):
            discount_now(client, ACCESS, "1")

    def test_a_mutation_that_says_nothing_is_looked_after(self) -> None:
        nothing = {"data": {"codeDiscountNodeByCode": None}}
        silent: dict[str, Any] = {"data": {"discountCodeBasicCreate": {"codeDiscountNode": None, "userErrors": []}}}
        _, codes = answering(nothing, silent, nothing)
        with pytest.raises(TransientError, match="neither"):
            codes.issue_code(ACCESS, DiscountCode("A", CodeKind.PERCENTAGE, Decimal(5)))

    @pytest.mark.parametrize("codes", [None, {"nodes": []}])
    def test_codes_of_which_nothing_is_said_are_not_issued(self, codes: object) -> None:
        adding = {"bulkCreation": {"id": "gid://shopify/DiscountRedeemCodeBulkCreation/1"}, "userErrors": []}
        done = {"done": True, "importedCount": 0, "failedCount": 1}
        told = [{"data": {"discountRedeemCodeBulkCreation": one}} for one in (None, done, done | {"codes": codes})]
        _, book = answering({"data": {"discountRedeemCodeBulkAdd": adding}}, *told)
        with pytest.raises(TransientError, match="what became"):
            book.issue_codes(ACCESS, "1", ["A"])

    def test_an_addition_that_is_neither_taken_nor_refused_is_no_answer(self) -> None:
        _, codes = answering({"data": {"discountRedeemCodeBulkAdd": {"bulkCreation": None, "userErrors": []}}})
        with pytest.raises(TransientError, match="neither"):
            codes.issue_codes(ACCESS, "1", ["A"])

    def test_a_code_refused_without_a_reason_is_refused(self) -> None:
        adding = {"bulkCreation": {"id": "gid://shopify/DiscountRedeemCodeBulkCreation/1"}, "userErrors": []}
        done = {"done": True, "importedCount": 0, "failedCount": 1}
        ended = {"data": {"discountRedeemCodeBulkCreation": done}}
        node: dict[str, Any] = {"code": "a", "discountRedeemCode": None, "errors": []}
        told = {"data": {"discountRedeemCodeBulkCreation": done | {"codes": {"nodes": [node]}}}}
        _, codes = answering({"data": {"discountRedeemCodeBulkAdd": adding}}, ended, told)
        assert codes.issue_codes(ACCESS, "1", ["A"]).refused == {"A": "refused without a reason"}
