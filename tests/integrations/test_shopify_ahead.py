"""Pages read ahead: all records once, limits only slow us down, the refill of the shop's bucket is used, closing ends it."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest

from connector.canonical import Resource
from connector.platforms import ThrottledError, TransientError
from connector.reading import Page
from integrations.sandbox.shopify_cost import Bucket
from integrations.shopify.ahead import LONGEST_WAIT, pages_ahead
from tests.integrations.graph_kit import START
from tests.integrations.reads_kit import ACCESS, Store

THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 996,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 96, "restoreRate": 100.0},
        }
    },
}


def store_of(orders: int) -> Store:
    """A shop with so many orders, a bucket that is full."""
    store = Store(seconds_a_call=0.15)
    for number in range(orders):
        store.twin.buy(quantity=1 + number % 3)
    store.rest()
    return store


def listed(pages: Iterator[Page]) -> list[str]:
    """All ids in the order they came."""
    return [record.platform_id for page in pages for record in page.records]


def leaf(number: int, most: int) -> Page:
    """One page of a made-up list."""
    return Page((), str(number + 1) if number < most else None)


class TestPages:
    def test_hold_all_records_once_in_the_order_of_change(self) -> None:
        store = store_of(60)
        found = listed(store.reads.pages(ACCESS, Resource.ORDER, None))
        assert found == [str(number) for number in store.twin.shop.orders]

    def test_each_cursor_says_where_to_go_on(self) -> None:
        store = store_of(60)
        for since, until in ((None, None), (START + timedelta(minutes=3), START + timedelta(minutes=50))):
            whole = list(store.reads.pages(ACCESS, Resource.ORDER, since, until))
            assert len(whole) > 3
            assert (whole[-1].cursor, None in [one.cursor for one in whole[:-1]]) == (None, False)
            again = listed(store.reads.pages(ACCESS, Resource.ORDER, since, until, whole[1].cursor))
            assert again == listed(iter(whole[2:]))

    @pytest.mark.spec("C81")
    def test_c81_limits_slow_the_reading_and_never_end_it(self) -> None:
        store = store_of(60)
        chance, genuine = random.Random(3), store.reads.pages(ACCESS, Resource.ORDER, None)
        expected = listed(genuine)
        refused = 0

        def refuse(request: httpx2.Request) -> None:
            nonlocal refused
            if not store.answers and chance.random() < 0.6:
                refused += 1
                slow = httpx2.Response(429, json={"errors": "Too many"}, headers={"retry-after": "2.0"})
                store.answers.append(slow if chance.random() < 0.5 else httpx2.Response(200, json=THROTTLED))

        store.before = refuse
        slept = len(store.slept)
        assert listed(store.reads.pages(ACCESS, Resource.ORDER, None)) == expected
        assert refused >= 5
        # Two seconds by Retry-After, nine by what is missing in the bucket.
        assert sum(store.slept[slept:]) >= 2 * refused

    def test_a_wait_that_is_too_long_is_handed_on_and_nothing_before_it_is_lost(self) -> None:
        def read(cursor: str | None) -> Page:
            if cursor == "2":
                raise ThrottledError("later", platform="shopify", retry_after=LONGEST_WAIT + 1)
            return leaf(int(cursor or 0), 5)

        pages = pages_ahead(read, None, lambda seconds: None)
        assert [next(pages).cursor, next(pages).cursor] == ["1", "2"]
        with pytest.raises(ThrottledError):
            next(pages)

    def test_another_error_comes_in_the_place_of_its_page(self) -> None:
        def read(cursor: str | None) -> Page:
            if cursor == "1":
                raise TransientError("oh", platform="shopify")
            return leaf(0, 5)

        pages = pages_ahead(read, None)
        assert next(pages).cursor == "1"
        with pytest.raises(TransientError):
            next(pages)

    def test_pages_that_go_round_in_circles_end(self) -> None:
        with pytest.raises(TransientError):
            list(pages_ahead(lambda cursor: Page((), "2" if cursor == "1" else "1"), None))

    def test_so_do_those_of_a_shop(self) -> None:
        store = Store()
        for after in ("c1", "c2") * 20:
            info = {"hasNextPage": True, "endCursor": after}
            store.answers.append(httpx2.Response(200, json={"data": {"orders": {"nodes": [], "pageInfo": info}}}))
        with pytest.raises(TransientError):
            list(store.reads.pages(ACCESS, Resource.ORDER, None))

    def test_one_page_is_asked_for_while_another_is_used_and_no_more(self) -> None:
        asked: list[str | None] = []
        came = threading.Condition()

        def read(cursor: str | None) -> Page:
            with came:
                asked.append(cursor)
                came.notify_all()
            return leaf(int(cursor or 0), 9)

        pages = pages_ahead(read, None)
        for number in range(4):
            next(pages)
            with came:
                assert came.wait_for(lambda so_far=number + 2: len(asked) >= so_far, 5)
            assert len(asked) == number + 2
        close(pages)
        assert len(asked) == 5

    def test_closing_ends_a_wait_for_the_shop(self) -> None:
        waiting, slept = threading.Event(), list[float]()
        closed = threading.Event()

        def read(cursor: str | None) -> Page:
            if cursor is None:
                return leaf(0, 5)
            raise ThrottledError("wait", platform="shopify", retry_after=50.0)

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            waiting.set()
            closed.wait(5)

        pages = pages_ahead(read, None, sleep)
        next(pages)
        assert waiting.wait(5)
        close(pages)
        closed.set()
        for thread in [one for one in threading.enumerate() if one.name.startswith("shopify")]:
            thread.join(5)
        assert len(slept) == 1

    def test_a_list_of_one_page_needs_no_thread(self) -> None:
        before = threading.active_count()
        pages = pages_ahead(lambda cursor: Page(()), None)
        next(pages)
        assert threading.active_count() <= before
        assert list(pages) == []


def close(pages: Iterator[Page]) -> None:
    """As whoever has read enough does it."""
    pages.close()  # type: ignore[attr-defined]


class TestRefill:
    @pytest.mark.parametrize(("maximum", "per_second"), [(1000.0, 50.0), (2000.0, 100.0), (2000.0, 1000.0)])
    def test_reading_uses_what_the_shop_gives(self, maximum: float, per_second: float) -> None:
        store = store_of(280)
        store.twin.shop.bucket = bucket = Bucket(maximum, per_second, lambda: store.twin.seconds)
        bucket.drain()
        began = store.twin.seconds
        found = listed(store.reads.pages(ACCESS, Resource.ORDER, None))
        refill = per_second * (store.twin.seconds - began)
        # A page must be paid in full before it is known to cost less: what is left of the last one is there for others.
        used, whole = bucket.spent / (refill - bucket.available), bucket.spent / refill
        print(
            f"{len(found)} orders, {bucket.calls} calls, {bucket.throttled} refused, {used:.1%} of the refill used, {whole:.1%} at the end"
        )
        assert len(set(found)) == 280
        assert used >= 0.95
        # The first call finds the bucket empty, which nobody could know.
        assert bucket.throttled <= 1

    def test_others_with_little_to_ask_go_first(self) -> None:
        store = store_of(140)
        store.twin.shop.bucket = bucket = Bucket(1000, 50, lambda: store.twin.seconds)
        bucket.drain()
        pages = 0
        for page in store.reads.pages(ACCESS, Resource.ORDER, None):
            # While the next page waits for its points somebody asks for a count, and waits two seconds for it at most.
            assert store.reads.count(ACCESS, Resource.ORDER).number == 140
            pages += bool(page.records)
        assert pages == 10
