"""Discount codes of a pretend Shopify shop: made once whatever happens, read by code, many at once, suspended and taken away."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector import clock
from connector.codes import CodeKind, CodeStatus, DiscountCode
from connector.platforms import CodeTaken, Rejected, ThrottledError, TransientError
from connector.rules.discounts import Ineligible, why_not
from integrations.sandbox.faults import Kind
from integrations.sandbox.shopify_shop import Shopper
from integrations.shopify.client import Client
from integrations.shopify.discounts import ShopifyCodes
from tests.integrations.discount_ground import TEN_PERCENT, Ground, opened


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with opened(tmp_path_factory.mktemp("discounts")) as ground:
        yield ground


@pytest.fixture
def ground(running: Ground) -> Iterator[Ground]:
    running.clock.at = clock.now().replace(microsecond=0)
    yield running
    running.empty()


class TestIssuing:
    """What we make."""

    def test_a_percentage_is_for_everybody_and_everything(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        (made,) = ground.discounts
        assert made.wanted["customerGets"] == {"value": {"percentage": 0.1}, "items": {"all": True}}
        assert (made.wanted["context"], made.wanted["appliesOncePerCustomer"]) == ({"all": "ALL"}, True)
        assert (state.platform_id, state.code, state.kind, state.value) == (str(made.id), "THANKS-7Q2K", CodeKind.PERCENTAGE, Decimal(10))
        assert (state.status, state.title, state.usage_limit, state.ends_at) == (CodeStatus.ACTIVE, "Thank you", None, None)
        assert (state.once_per_customer, state.restrictions, state.used, state.codes) == (True, (), 0, 1)
        assert why_not(state, ground.clock.at) == ()

    @pytest.mark.parametrize("percentage", ["0.1", "12.5", "33.33", "100"])
    def test_a_percentage_comes_back_as_it_went(self, ground: Ground, percentage: str) -> None:
        code = replace(TEN_PERCENT, value=Decimal(percentage))
        ground.codes.issue_code(ground.access, code)
        again = ground.codes.issue_code(ground.access, code)
        assert again.value == Decimal(percentage)
        assert len(ground.discounts) == 1

    def test_a_fixed_amount_has_its_limits(self, ground: Ground) -> None:
        until = ground.clock.at + timedelta(days=7)
        wanted = DiscountCode(
            "FIVE", CodeKind.FIXED_AMOUNT, Decimal("5.50"), "USD", ends_at=until, usage_limit=30, minimum_subtotal=Decimal("20.00")
        )
        state = ground.codes.issue_code(ground.access, wanted)
        assert (state.kind, state.value, state.currency) == (CodeKind.FIXED_AMOUNT, Decimal("5.50"), "USD")
        assert (state.ends_at, state.usage_limit, state.minimum_subtotal) == (until, 30, Decimal("20.00"))
        assert state.title == "FIVE"
        assert ground.codes.issue_code(ground.access, wanted) == state

    def test_free_shipping_goes_everywhere(self, ground: Ground) -> None:
        wanted = DiscountCode("SHIPFREE", CodeKind.FREE_SHIPPING, minimum_subtotal=Decimal("30.00"))
        state = ground.codes.issue_code(ground.access, wanted)
        assert ground.discounts[0].wanted["destination"] == {"all": True}
        assert (state.kind, state.value, state.minimum_subtotal, state.restrictions) == (
            CodeKind.FREE_SHIPPING,
            None,
            Decimal("30.00"),
            (),
        )
        assert ground.codes.issue_code(ground.access, wanted).platform_id == state.platform_id

    def test_one_that_begins_later_is_scheduled(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, starts_at=ground.clock.at + timedelta(days=1)))
        assert state.status is CodeStatus.SCHEDULED
        assert why_not(state, ground.clock.at) == (Ineligible.SCHEDULED,)

    @pytest.mark.parametrize(
        "code",
        [
            replace(TEN_PERCENT, email="mary@example.com"),
            replace(TEN_PERCENT, value=None),
            DiscountCode("X", CodeKind.OTHER, Decimal(1)),
        ],
    )
    def test_what_shopify_has_not_is_refused_before_it_is_asked_for(self, ground: Ground, code: DiscountCode) -> None:
        with pytest.raises(Rejected):
            ground.codes.issue_code(ground.access, code)
        assert ground.discounts == []

    @pytest.mark.parametrize(("value", "word"), [(Decimal(150), "between"), (Decimal(0), "between")])
    def test_a_refusal_keeps_shopifys_words(self, ground: Ground, value: Decimal, word: str) -> None:
        with pytest.raises(Rejected, match=word):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, value=value))

    def test_a_refusal_without_field_or_code_is_one(self, ground: Ground) -> None:
        ground.twin.shop.discounts.refuse_next("Discount could not be saved.")
        with pytest.raises(Rejected, match="could not be saved"):
            ground.codes.issue_code(ground.access, TEN_PERCENT)


class TestOnce:
    """Doing it twice makes one."""

    def test_twice_is_once_in_any_letter_case(self, ground: Ground) -> None:
        first = ground.codes.issue_code(ground.access, TEN_PERCENT)
        second = ground.codes.issue_code(ground.access, replace(TEN_PERCENT, code="thanks-7q2k", title="Another title"))
        assert first.platform_id == second.platform_id
        assert len(ground.discounts) == 1

    def test_what_was_used_meanwhile_is_still_the_same_code(self, ground: Ground) -> None:
        first = ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.twin.use_code("thanks-7q2k")
        assert ground.codes.issue_code(ground.access, TEN_PERCENT) == replace(first, used=1)

    @pytest.mark.parametrize(
        "changes",
        [
            {"value": Decimal(11)},
            {"kind": CodeKind.FREE_SHIPPING, "value": None},
            {"usage_limit": 5},
            {"once_per_customer": False},
            {"ends_at": datetime(2027, 1, 1, tzinfo=UTC)},
            {"starts_at": datetime(2026, 1, 1, tzinfo=UTC)},
            {"minimum_subtotal": Decimal(20)},
        ],
    )
    def test_a_different_discount_under_the_code_is_taken(self, ground: Ground, changes: dict[str, Any]) -> None:
        ground.codes.issue_code(ground.access, TEN_PERCENT)
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, **changes))
        assert len(ground.discounts) == 1

    def test_one_that_is_only_for_some_is_another_discount(self, ground: Ground) -> None:
        customer = ground.twin.shop.keep_customer(Shopper("mary@example.com"))
        ground.twin.make_discount("THANKS-7Q2K", 10, customers=[customer.id])
        with pytest.raises(CodeTaken):
            ground.codes.issue_code(ground.access, replace(TEN_PERCENT, once_per_customer=False))

    @pytest.mark.parametrize("kind", [Kind.TRUNCATE, Kind.SHORT, Kind.LOSE])
    def test_an_answer_that_was_lost_is_looked_for(self, ground: Ground, kind: Kind) -> None:
        ground.twin.faults.spoil_next(kind, after=1)
        state = ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert [one.id for one in ground.discounts] == [int(state.platform_id)]

    def test_what_was_not_made_is_not_said_to_be(self, ground: Ground) -> None:
        ground.twin.faults.spoil_next(Kind.ERROR, after=1, status=502)
        with pytest.raises(TransientError):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.discounts == []
        assert ground.codes.issue_code(ground.access, TEN_PERCENT).code == "THANKS-7Q2K"

    def test_a_throttle_is_no_unclear_answer(self, ground: Ground) -> None:
        ground.twin.faults.spoil_next(Kind.THROTTLE, after=1)
        with pytest.raises(ThrottledError):
            ground.codes.issue_code(ground.access, TEN_PERCENT)
        assert ground.discounts == []

    @pytest.mark.parametrize(("percentage", "is_ours"), [(10, True), (20, False)])
    def test_somebody_who_was_faster_is_found(self, ground: Ground, percentage: int, is_ours: bool) -> None:
        wanted = replace(TEN_PERCENT, once_per_customer=False)

        class Slow(Client):
            """Between our look and our wish somebody makes the code."""

            def mutate(self, *arguments: Any, **options: Any) -> Any:
                ground.twin.make_discount("Thanks-7q2k", percentage)
                return super().mutate(*arguments, **options)

        codes = ShopifyCodes(Slow(ground.client.transport))
        if is_ours:
            assert codes.issue_code(ground.access, wanted).code == "Thanks-7q2k"
        else:
            with pytest.raises(CodeTaken):
                codes.issue_code(ground.access, wanted)
        assert len(ground.discounts) == 1
