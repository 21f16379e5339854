"""Single codes of a Shopify discount: withdrawn, restored, cleared away, counted and used one by one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from connector import clock
from connector.codes import CodeStatus
from connector.platforms import Access, Gone, NotPermitted, TransientError
from connector.rules.discounts import why_not
from integrations.sandbox.faults import Kind
from integrations.shopify.client import Client
from integrations.shopify.discount_reads import discount_now
from integrations.shopify.discounts import ShopifyCodes
from integrations.shopify.redeem_codes import POLLS
from integrations.transport import Transport
from tests.integrations.discount_ground import TEN_PERCENT, Ground, opened

ACCESS = Access(7, "atelier-brume.myshopify.com", {"access_token": "shpat_made_up"})
ONCE = replace(TEN_PERCENT, usage_limit=1, once_per_customer=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with opened(tmp_path_factory.mktemp("redeem")) as ground:
        yield ground


@pytest.fixture
def ground(running: Ground) -> Iterator[Ground]:
    running.clock.at = clock.now().replace(microsecond=0)
    yield running
    running.empty()


def series(ground: Ground, *codes: str) -> str:
    """A discount with these codes behind its own, each good for one use."""
    state = ground.codes.issue_code(ground.access, ONCE)
    assert ground.codes.issue_codes(ground.access, state.platform_id, codes).issued == codes
    ground.slept.clear()
    return state.platform_id


def held(ground: Ground) -> list[str]:
    """The codes that the shop has."""
    return [code.code for one in ground.discounts for code in one.codes]


class TestWithdrawing:
    """Some codes hold no more, the others do."""

    def test_the_shop_refuses_them_and_takes_the_others(self, ground: Ground) -> None:
        number = series(ground, "A-1", "B-2", "C-3")
        ground.codes.withdraw_codes(ground.access, number, ["a-1", "C-3"])
        assert [ground.twin.use_code(code) for code in ("A-1", "B-2", "C-3")] == [False, True, False]
        assert held(ground) == ["THANKS-7Q2K", "B-2"]
        assert ground.slept == [POLLS[0]]

    def test_twice_is_fine_and_so_is_what_is_gone(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        for _ in range(2):
            ground.codes.withdraw_codes(ground.access, number, ["A-1", "NEVER-THERE"])
        assert held(ground) == ["THANKS-7Q2K"]
        ground.codes.delete_code(ground.access, number)
        ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        ground.codes.withdraw_codes(ground.access, number, [])

    def test_codes_of_another_discount_are_left_alone(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        ground.twin.make_discount("OTHER-1")
        ground.codes.withdraw_codes(ground.access, number, ["OTHER-1"])
        assert held(ground) == ["THANKS-7Q2K", "A-1", "OTHER-1"]

    def test_codes_that_look_alike_are_told_apart(self, ground: Ground) -> None:
        alike = [f"A-1{place}" for place in range(30)]
        number = series(ground, *alike, "A-1")
        ground.codes.withdraw_codes(ground.access, number, ["A-1", "A-17"])
        assert held(ground) == ["THANKS-7Q2K", *(code for code in alike if code != "A-17")]

    def test_what_the_search_does_not_know_yet_is_found_page_by_page(self, ground: Ground) -> None:
        number = series(ground, *[f"U-{place}" for place in range(300)])
        with ground.twin.shop.lock:
            ground.twin.shop.discounts.search_lag = timedelta(hours=1)
        ground.codes.withdraw_codes(ground.access, number, ["U-299", "u-0"])
        assert len(held(ground)) == 299
        assert {"U-299", "U-0"}.isdisjoint(held(ground))

    def test_a_job_that_does_not_end_is_left_for_later(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        with ground.twin.shop.lock:
            ground.twin.shop.discounts.looks_to_remove = 100
        with pytest.raises(TransientError, match="still being taken away"):
            ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        assert tuple(ground.slept) == POLLS
        with ground.twin.shop.lock:
            ground.twin.shop.discounts.looks_to_remove = 2
        ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        assert held(ground) == ["THANKS-7Q2K"]

    @pytest.mark.parametrize("after", [0, 1, 2, 3])
    def test_a_lost_answer_at_any_step_is_made_good_by_doing_it_again(self, ground: Ground, after: int) -> None:
        number = series(ground, "A-1", "B-2")
        ground.twin.faults.spoil_next(Kind.TRUNCATE, after=after)
        with pytest.raises(TransientError):
            ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        assert held(ground) == ["THANKS-7Q2K", "B-2"]

    def test_a_refusal_is_told_unless_the_discount_is_gone(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        ground.twin.shop.discounts.refuse_next("Too busy.", "INTERNAL_ERROR")
        with pytest.raises(Exception, match="Too busy"):
            ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        assert held(ground) == ["THANKS-7Q2K", "A-1"]

    def test_what_is_withheld_does_not_read_as_gone(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        scopes = ground.twin.tokens.change_scopes(("read_orders",))
        try:
            for act in (ground.codes.withdraw_codes, ground.codes.clear_codes):
                with pytest.raises(NotPermitted):
                    act(ground.access, number, ["A-1"])
        finally:
            ground.twin.tokens.change_scopes(scopes)


class TestRestoring:
    """They hold again."""

    def test_the_shop_takes_them_again(self, ground: Ground) -> None:
        number = series(ground, "A-1", "B-2")
        ground.codes.withdraw_codes(ground.access, number, ["A-1"])
        for _ in range(2):
            assert ground.codes.restore_codes(ground.access, number, ["A-1"]).issued == ("A-1",)
        assert ground.twin.use_code("A-1")
        assert held(ground) == ["THANKS-7Q2K", "B-2", "A-1"]

    def test_a_discount_that_is_gone_is_said_to_be(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        ground.codes.delete_code(ground.access, number)
        with pytest.raises(Gone):
            ground.codes.restore_codes(ground.access, number, ["A-1"])


class TestClearing:
    """What nobody used goes, what was used stays."""

    def test_only_unused_ones_go(self, ground: Ground) -> None:
        number = series(ground, "A-1", "B-2", "C-3")
        assert ground.twin.use_code("B-2")
        assert ground.codes.clear_codes(ground.access, number, ["A-1", "b-2", "GONE-1"]) == ("A-1", "GONE-1")
        assert held(ground) == ["THANKS-7Q2K", "B-2", "C-3"]
        assert ground.codes.clear_codes(ground.access, number, ["B-2"]) == ()

    def test_all_of_a_discount_that_is_gone_are_gone(self, ground: Ground) -> None:
        number = series(ground, "A-1")
        ground.codes.delete_code(ground.access, number)
        assert ground.codes.clear_codes(ground.access, number, ["A-1"]) == ("A-1",)


class TestCounting:
    """Limits of a discount hold for each of its codes."""

    def test_each_code_has_its_own_uses(self, ground: Ground) -> None:
        number = series(ground, "A-1", "B-2")
        assert [ground.twin.use_code(code) for code in ("A-1", "A-1", "B-2")] == [True, False, True]
        for code, used in (("A-1", 1), ("b-2", 1), ("THANKS-7Q2K", 0)):
            state = ground.codes.read_code(ground.access, code)
            assert state is not None
            assert (state.used, state.usage_limit, state.codes) == (used, 1, 3)
        whole = discount_now(ground.client, ground.access, number)
        assert whole is not None
        assert (whole.code, whole.used, why_not(whole, ground.clock.at)) == ("THANKS-7Q2K", 0, ())

    def test_one_that_the_search_does_not_know_yet_was_not_used(self, ground: Ground) -> None:
        series(ground, "A-1")
        with ground.twin.shop.lock:
            ground.twin.shop.discounts.search_lag = timedelta(hours=1)
        state = ground.codes.read_code(ground.access, "A-1")
        assert state is not None
        assert (state.used, state.status) == (0, CodeStatus.ACTIVE)


class TestOldCarts:
    """C55, its half that is Shopify's: a code in an old cart that has ended meanwhile is refused at order time."""

    @pytest.mark.spec("C55")
    @pytest.mark.parametrize("code", ["THANKS-7Q2K", "A-1"])
    def test_c55_a_code_of_ours_that_has_ended_is_refused_when_the_order_is_placed(self, ground: Ground, code: str) -> None:
        state = ground.codes.issue_code(ground.access, replace(ONCE, ends_at=ground.clock.at + timedelta(days=1)))
        ground.codes.issue_codes(ground.access, state.platform_id, ["A-1"])
        in_time, too_late = (ground.twin.start_checkout([("CEDAR-L", 1)], email=f"{who}@example.com") for who in ("mary", "nora"))
        assert ground.twin.apply_code(in_time, code)
        assert ground.twin.apply_code(too_late, code)
        ground.clock.advance(hours=23, minutes=59)
        # The cart that is paid a minute before the end has the discount; its use does not count, so that only the time decides.
        assert self.placed(ground, in_time) == (code, "28.80")
        with ground.twin.shop.lock:
            for redeem in ground.discounts[0].codes:
                redeem.uses.clear()
        ground.clock.advance(minutes=1)
        assert self.placed(ground, too_late) == (None, "32.00")
        assert not ground.twin.apply_code(ground.twin.start_checkout([("CEDAR-L", 1)], email="new@example.com"), code)

    def test_where_the_shops_clock_is_slow_switching_off_is_what_refuses_it(self, ground: Ground) -> None:
        state = ground.codes.issue_code(ground.access, replace(ONCE, ends_at=ground.clock.at + timedelta(minutes=5)))
        token = ground.twin.start_checkout([("CEDAR-L", 1)], email="mary@example.com")
        with ground.twin.shop.lock:
            ground.twin.shop.discounts.behind = timedelta(hours=1)
        ground.clock.advance(minutes=30)
        assert ground.twin.apply_code(token, state.code)
        ground.codes.suspend_code(ground.access, state.platform_id)
        seen = ground.codes.read_code(ground.access, state.code)
        assert seen is not None
        assert seen.status is CodeStatus.EXPIRED
        assert self.placed(ground, token) == (None, "32.00")

    @staticmethod
    def placed(ground: Ground, token: str) -> tuple[str | None, str]:
        """The code that an order was placed with, and what was paid."""
        order = ground.twin.shop.find_order(ground.twin.pay(token))
        return order.checkout.discount_code, str(order.total)


@pytest.mark.parametrize(
    ("shop_url", "code", "url"),
    [
        ("https://demo.myshopify.com", "MERCI-7Q2K", "https://demo.myshopify.com/discount/MERCI-7Q2K"),
        ("https://brume.example/", "10 % / été?", "https://brume.example/discount/10%20%25%20%2F%20%C3%A9t%C3%A9%3F"),
    ],
)
def test_a_link_of_the_online_store_applies_a_code(shop_url: str, code: str, url: str) -> None:
    assert answering().use_url(shop_url, code) == url


def answering(*answers: object) -> ShopifyCodes:
    """A shop that answers so."""
    return waited_for(list(answers), [])


def waited_for(left: list[object], waits: list[float]) -> ShopifyCodes:
    """A shop that answers so, until nothing is `left`; `waits` takes how long it is waited for, in seconds."""
    client = Client(Transport(inner=httpx2.MockTransport(lambda request: httpx2.Response(200, json=left.pop(0)))))
    return ShopifyCodes(client, waits.append)


def found(code: str = "A") -> dict[str, Any]:
    """The answer to a search for codes."""
    nodes = [{"id": "gid://shopify/DiscountRedeemCode/5", "code": code, "asyncUsageCount": 0}]
    places = {f"w{place}": {"nodes": nodes} for place in range(10)}
    node = {"id": "gid://shopify/DiscountCodeNode/1", "codeDiscount": {"__typename": "DiscountCodeBasic"} | places}
    return {"data": {"nodes": [node]}}


def owners(number: int | None) -> dict[str, Any]:
    """The answer to who has these codes."""
    return {"data": {f"c{place}": {"id": f"gid://shopify/DiscountCodeNode/{number}"} if number else None for place in range(25)}}


def removing(job: object) -> dict[str, Any]:
    """The answer to a removal."""
    return {"data": {"discountCodeRedeemCodeBulkDelete": {"job": job, "userErrors": []}}}


class TestStrangeAnswers:
    """What Shopify never answers, and may."""

    def test_a_job_that_shopify_has_forgotten_is_judged_by_what_came_of_it(self) -> None:
        job, forgotten = {"id": "gid://shopify/Job/a-b", "done": False}, {"data": {"job": None}}
        answering(found(), removing(job), forgotten, owners(None)).withdraw_codes(ACCESS, "1", ["A"])
        with pytest.raises(TransientError, match="still there"):
            answering(found(), removing(job), forgotten, owners(1)).withdraw_codes(ACCESS, "1", ["A"])

    def test_a_job_that_is_done_at_once_is_not_waited_for(self) -> None:
        left: list[object] = [found(), removing({"id": "gid://shopify/Job/1", "done": True}), owners(2)]
        waits: list[float] = []
        waited_for(left, waits).withdraw_codes(ACCESS, "1", ["A"])
        assert (left, waits) == ([], []), "who has the code now was asked, and nothing waited for"

    def test_a_removal_without_a_job_is_no_answer(self) -> None:
        with pytest.raises(TransientError, match="neither"):
            answering(found(), removing(None)).withdraw_codes(ACCESS, "1", ["A"])

    def test_a_discount_that_goes_while_codes_are_taken_away_took_them_along(self) -> None:
        refused = {"data": {"discountCodeRedeemCodeBulkDelete": {"job": None, "userErrors": [{"message": "Discount does not exist."}]}}}
        scopes = {"currentAppInstallation": {"accessScopes": [{"handle": "write_discounts"}]}}
        left: list[object] = [found(), refused, {"data": {"nodes": [None]} | scopes}]
        waits: list[float] = []
        waited_for(left, waits).withdraw_codes(ACCESS, "1", ["A"])
        assert (left, waits) == ([], []), "whether the discount is there was asked, and nothing else"

    @pytest.mark.parametrize("data", [{"nodes": []}, {"nodes": [None, None]}, {"nodes": None}, {}])
    def test_an_answer_of_another_shape_is_not_gone(self, data: object) -> None:
        with pytest.raises(TransientError):
            answering({"data": data}).withdraw_codes(ACCESS, "1", ["A"])

    @pytest.mark.parametrize("discount", [{"__typename": "DiscountCodeApp"}, {"w0": {"nodes": None}}, {"w0": 7}])
    def test_a_discount_that_shows_no_codes_is_no_answer(self, discount: dict[str, Any]) -> None:
        node = {"id": "gid://shopify/DiscountCodeNode/1", "codeDiscount": discount}
        with pytest.raises(TransientError, match="no codes"):
            answering({"data": {"nodes": [node]}}).clear_codes(ACCESS, "1", ["A"])

    def test_codes_that_are_there_and_not_shown_are_not_gone(self) -> None:
        page = {"codes": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
        nothing = {"data": {"nodes": [{"id": "gid://shopify/DiscountCodeNode/1", "codeDiscount": page}]}}
        with pytest.raises(TransientError, match="not shown"):
            answering(found("B"), owners(1), nothing).clear_codes(ACCESS, "1", ["A"])
