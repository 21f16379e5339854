"""Lists read by several calls at once: whatever comes, goes and changes meanwhile, what was there all the time is seen."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.canonical import Resource
from connector.platforms import AccessLost, Rejected
from connector.reading import Page
from integrations.transport import Transport
from integrations.woocommerce import abreast
from integrations.woocommerce.abreast import ByChange, ByNumber
from integrations.woocommerce.ahead import Patience
from integrations.woocommerce.calling import Call
from integrations.woocommerce.client import Head, Listed
from integrations.woocommerce.pages import ORDERS
from integrations.woocommerce.walks import Place, Step
from tests.integrations.woo_kit import ACCESS, BASE, Json, WooStore, cart, customer, order, orders, product, rest_error

SECOND = timedelta(seconds=1)
SMALL = replace(ORDERS, most=10)
HASTY = Patience(first_seconds=0.001)
PATH = ORDERS.path
IN_FLIGHT = 10
"""What is changed between as many answers before the last may be missed: they were on their way."""


def slim(number: int, at: datetime, zone: ZoneInfo | None = None) -> Json:
    """As little of an order as a walk needs."""
    whole = order(number, at, zone=zone)
    return {name: whole[name] for name in ("id", "status", "date_created_gmt", "date_modified", "date_modified_gmt")}


class Busy:
    """A store in which somebody works between any two answers, which take their time by chance. `untouched`: were there all the time."""

    def __init__(self, seed: int, count: int = 120, spread: int = 400) -> None:
        self.chance = random.Random(seed)
        self.records: dict[int, Json] = {
            number: slim(number, BASE + timedelta(seconds=self.chance.randint(0, spread))) for number in range(1000, 1000 + count)
        }
        self.store = WooStore(lists={PATH: list(self.records.values())}, between=self._work)
        self.untouched, self.changed_at = set(self.records), dict.fromkeys(self.records, 0)
        self.acts, self.answers, self.now = 25, 0, BASE + timedelta(hours=1)
        self.call = Call(Transport(inner=httpx2.MockTransport(self._answer)), ACCESS)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        time.sleep(self.chance.random() * 0.002)
        return self.store(request)

    def _work(self) -> None:
        self.answers += 1
        for _ in range(self.chance.choice([0, 0, 1, 2, 6])):
            if self.acts > 0:
                self.acts, self.now = self.acts - 1, self.now + SECOND
                self.chance.choice([self._edit, self._edit, self._delete, self._make, self._restore])()
        self.store.lists[PATH] = list(self.records.values())

    def _touch(self, number: int) -> None:
        self.records[number] = slim(number, self.now)
        self.changed_at[number] = self.answers
        self.untouched.discard(number)

    def _edit(self) -> None:
        self._touch(self.chance.choice(list(self.records)))

    def _make(self) -> None:
        self._touch(max(self.records) + 1)

    def _restore(self) -> None:
        self._touch(self.chance.randrange(1, 1000))

    def _delete(self) -> None:
        number = self.chance.choice(list(self.records))
        del self.records[number]
        self.untouched.discard(number)


def brought(steps: Iterator[Step]) -> list[tuple[int, bytes]]:
    """What a walk brings: numbers, each with what stood there."""
    found = []
    for count, step in enumerate(steps):
        assert count < 500, "the walk does not end"
        found += [(int(number), bytes(raw)) for number, raw in zip(step.ids, step.records, strict=True)]
    return found


def numbers(pages: Iterator[Page]) -> list[str]:
    return [one.platform_id for page in pages for one in page.records]


def some_pages(store: WooStore, what: Resource = Resource.ORDER, since: datetime | None = BASE) -> Iterator[Page]:
    return store.reads.pages(ACCESS, what, since)


# ---------------------------------------------------------------- nothing is lost


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_by_number_all_that_stays_is_seen_once_whatever_else_comes_and_goes(seed: int) -> None:
    busy = Busy(seed)
    found = [number for number, _ in brought(abreast.steps(ByNumber(busy.call, SMALL), Place(), HASTY))]
    assert len(found) == len(set(found))
    assert set(found) >= set(busy.records) & {number for number in busy.untouched if number >= 1000}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100_000), spread=st.sampled_from([0, 2, 40, 400]))
@example(seed=0, spread=0)
def test_by_change_all_is_seen_as_it_is_at_the_end(seed: int, spread: int) -> None:
    busy = Busy(seed, spread=spread)
    if spread > 2:
        # Before WooCommerce sorted by number too, records of one instant came in any order.
        busy.store.tie = lambda one: busy.chance.random()
    newest: dict[int, bytes] = {}
    for number, raw in brought(abreast.steps(ByChange(busy.call, SMALL, BASE), Place(), HASTY)):
        newest[number] = raw
    for number, one in busy.records.items():
        if busy.changed_at[number] <= busy.answers - IN_FLIGHT or number in busy.untouched:
            assert number in newest
            assert one["date_modified_gmt"].encode() in newest[number]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100_000), is_by_number=st.booleans(), stop=st.integers(1, 20))
def test_whoever_stops_anywhere_goes_on_from_the_cursor_without_a_gap(seed: int, is_by_number: bool, stop: int) -> None:
    busy = Busy(seed, spread=90)
    found: set[int] = set()
    place: Place | None = Place()
    for _ in range(100):
        walk = ByNumber(busy.call, SMALL) if is_by_number else ByChange(busy.call, SMALL, BASE)
        assert place is not None
        some = abreast.steps(walk, place, HASTY)
        for _ in range(stop):
            step = next(some, None)
            if step is None:
                break
            found |= {int(one) for one in step.ids}
            place = step.place
        some.close()  # type: ignore[attr-defined]
        if place is None:
            break
    assert place is None
    assert found >= busy.untouched


def test_many_deletions_at_once_move_the_list_by_pages_and_are_noticed() -> None:
    busy = Busy(3, count=400)
    busy.acts = 0
    calls = 0

    def sweep() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            for number in range(1000, 1150):
                del busy.records[number]
            busy.store.lists[PATH] = list(busy.records.values())

    busy.store.between = sweep
    found = {number for number, _ in brought(abreast.steps(ByNumber(busy.call, SMALL), Place(), HASTY))}
    assert found >= set(range(1150, 1400))


def test_the_hour_that_is_there_twice_loses_no_record() -> None:
    paris = ZoneInfo("Europe/Paris")
    night = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    changed = [slim(1000 + n, night + timedelta(seconds=40 * n), zone=paris) for n in range(900)]
    store = WooStore(zone=paris).put("orders", changed)
    found = brought(abreast.steps(ByChange(store.call, ORDERS, night), Place(), HASTY))
    assert {number for number, _ in found} == {1000 + n for n in range(900)}
    assert any("offset" in params for _, params in store.asked)


@pytest.mark.parametrize("spread", [0, 5, 300])
@pytest.mark.parametrize("traits", [{"knows_offset": False}, {"says_pages": False}, {"knows_offset": False, "says_pages": False}])
def test_a_store_that_knows_no_offset_or_tells_no_total_is_read_all_the_same(traits: dict[str, bool], spread: int) -> None:
    things = [slim(1000 + n, BASE + timedelta(seconds=n * spread // 300)) for n in range(300)]
    for walk in (lambda store: ByNumber(store.call, SMALL), lambda store: ByChange(store.call, SMALL, BASE)):
        store = WooStore(**traits).put("orders", things)  # type: ignore[arg-type]
        assert {number for number, _ in brought(abreast.steps(walk(store), Place(), HASTY))} == set(range(1000, 1300))


def listed(*seconds: int) -> Listed:
    """A piece with records that changed so long after BASE."""
    at = [f"{BASE + timedelta(seconds=one):%Y-%m-%dT%H:%M:%S}" for one in seconds]
    return Listed([], [str(one) for one in seconds], [Head(date_modified_gmt=one) for one in at])


@pytest.mark.parametrize(
    ("offset", "seconds", "does_join"),
    [
        (97, (9, 11), True),
        (97, (10, 11), False),
        (97, (11, 12), False),
        (0, (10, 11), True),
        (97, (9, 10), False),
        (97, (9, 12, 11), False),
        (97, (), False),
    ],
)
def test_a_piece_joins_if_it_begins_before_the_last_instant_and_ends_behind_it(
    offset: int, seconds: tuple[int, ...], does_join: bool
) -> None:
    walk = ByChange(WooStore().call, ORDERS, BASE)
    last = BASE + timedelta(seconds=10)
    step = walk.passed(Step([], [], [], Place(after=last - SECOND)))
    assert walk.stretch(step) is not None
    assert walk.joins(abreast.Ask(offset, 100), listed(*seconds)) is does_join


def test_a_piece_in_another_distance_from_utc_never_joins() -> None:
    walk = ByChange(WooStore().call, ORDERS, BASE)
    walk.stretch(walk.passed(Step([], [], [], Place(after=BASE, offset=3600))))
    piece = Listed([], ["1"], [Head(date_modified_gmt="2026-11-20T08:00:10", date_modified="2026-11-20T08:00:10")])
    assert not walk.joins(abreast.Ask(0, 100), piece)


# ---------------------------------------------------------------- how it asks


def test_a_short_list_costs_one_call() -> None:
    for since in (None, BASE):
        store = WooStore().put("orders", orders(60, SECOND))
        assert len(numbers(some_pages(store, since=since))) == 60
        assert len(store.asked) == 1


def test_pages_are_told_in_order_and_unchanged_records_once() -> None:
    store = WooStore().put("orders", orders(950, SECOND))
    found = numbers(some_pages(store))
    assert found == [str(1000 + n) for n in range(950)]
    assert len(store.asked) < 15


def test_an_error_in_the_middle_comes_in_its_place_and_the_cursor_before_it_serves() -> None:
    store = WooStore().put("orders", orders(1500, SECOND))
    whole = store._answer

    def dead(path: str, params: dict[str, str]) -> httpx2.Response:
        if int(params.get("offset", "0")) > 500:
            return rest_error("woocommerce_rest_cannot_view", 401)
        return whole(path, params)

    store._answer = dead  # type: ignore[method-assign]
    got: list[Page] = []
    with pytest.raises(AccessLost):
        got.extend(some_pages(store))
    found = numbers(iter(got))
    assert 500 < len(found) < 700
    cursor = got[-1].cursor
    assert cursor is not None
    store._answer = whole  # type: ignore[method-assign]
    found += numbers(store.reads.pages(ACCESS, Resource.ORDER, BASE, None, cursor))
    assert set(found) == {str(1000 + n) for n in range(1500)}
    assert len(found) <= 1503


@pytest.mark.spec("C81")
@pytest.mark.parametrize("status", [429, 503, 500, 408])
def test_a_store_that_asks_us_to_wait_is_waited_for_and_nothing_fails(status: int) -> None:
    store = WooStore().put("orders", orders(1200, SECOND))
    whole, refused = store._answer, 0

    def busy(path: str, params: dict[str, str]) -> httpx2.Response:
        nonlocal refused
        if len(store.asked) % 5 == 3:
            refused += 1
            return httpx2.Response(status, headers={"retry-after": "0.01"} if status in (429, 503) else {})
        return whole(path, params)

    store._answer = busy  # type: ignore[method-assign]
    store.reads._patience = replace(HASTY, tries=6)
    assert set(numbers(some_pages(store, since=None))) == {str(1000 + n) for n in range(1200)}
    assert refused >= 3


def test_a_long_wait_is_left_to_whoever_reads() -> None:
    store = WooStore().put("orders", orders(300, SECOND))
    store.answers.append(httpx2.Response(429, headers={"retry-after": "120"}))
    with pytest.raises(Exception) as caught:
        list(some_pages(store))
    assert getattr(caught.value, "retry_after", None) == 120
    assert len(store.asked) == 1


# ---------------------------------------------------------------- every kind


def whole_shop() -> WooStore:
    store = WooStore(has_plugin=True)
    store.put("orders", [order(n, BASE + n * SECOND, "pending" if n % 3 else "completed", date_paid_gmt=None) for n in range(1, 361)])
    store.put("customers", [customer(n, BASE + n * SECOND) for n in range(1, 361)])
    store.put("products", [product(n, BASE + n * SECOND) for n in range(1, 121)])
    store.put("coupons", [coupon(n) for n in range(1, 361)])
    store.lists["wc-connector/v1/carts"] = [cart(f"{n:032x}", BASE + n * SECOND) for n in range(230)]
    return store


def coupon(number: int) -> Json:
    return product(number, BASE + number * SECOND, code=f"vague{number}", amount="10.00", discount_type="percent")


def one_by_one(store: WooStore, what: Resource, since: datetime | None) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.reads.changes(ACCESS, what, since, None, cursor)
        found += [one.platform_id for one in page.records]
        cursor = page.cursor
        if cursor is None:
            return found


KINDS: Sequence[Resource] = (Resource.ORDER, Resource.CHECKOUT, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE)


@pytest.mark.parametrize("since", [None, BASE + 100 * SECOND])
@pytest.mark.parametrize("what", KINDS)
def test_of_every_kind_pages_bring_what_changes_brings(what: Resource, since: datetime | None) -> None:
    store = whole_shop()
    found = numbers(some_pages(store, what, since))
    assert set(found) == set(one_by_one(store, what, since))
    # Carts are read one page after the other, each from the last one's instant on.
    assert 20 < len(set(found)) >= len(found) - (2 if what is Resource.CHECKOUT else 0)


def test_checkouts_of_a_store_whose_drafts_have_no_status() -> None:
    store = whole_shop()
    whole = store._answer

    def old(path: str, params: dict[str, str]) -> httpx2.Response:
        if "checkout-draft" in params.get("status", ""):
            return rest_error("rest_invalid_param", 400)
        return whole(path, params)

    store._answer = old  # type: ignore[method-assign]
    assert len(set(numbers(some_pages(store, Resource.CHECKOUT, None)))) == 230 + 240


def test_there_is_nothing_else() -> None:
    with pytest.raises(Rejected):
        list(some_pages(WooStore(), Resource.SHOP))


def test_what_changed_before_an_end_is_all_there_is_though_later_ones_are_there() -> None:
    store = WooStore().put("orders", orders(600, SECOND))
    until = BASE + timedelta(seconds=350)
    for since in (None, BASE):
        assert set(numbers(store.reads.pages(ACCESS, Resource.ORDER, since, until))) == {str(1000 + n) for n in range(350)}


def test_a_store_shows_all_that_it_has() -> None:
    assert WooStore().reads.reaches_back(ACCESS, Resource.ORDER, BASE) is None
