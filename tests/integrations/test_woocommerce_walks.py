"""Walks through a store's lists: nothing is lost while records change, appear and vanish."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.canonical import Resource
from connector.platforms import Rejected, TransientError
from connector.reading import Page
from integrations.woocommerce.pace import pace_of
from integrations.woocommerce.walks import Place, place_of, window
from tests.integrations.woo_kit import ACCESS, BASE, WooStore, customer, order, orders, product

SECOND = timedelta(seconds=1)


def pages(store: WooStore, what: Resource = Resource.ORDER, since: datetime | None = BASE, until: datetime | None = None) -> list[Page]:
    """All pages of a walk, of at most a hundred."""
    found, cursor = [], None
    for _ in range(100):
        page = store.reads.changes(ACCESS, what, since, until, cursor)
        found.append(page)
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the walk does not end")


def ids(found: list[Page]) -> list[str]:
    return [one.platform_id for page in found for one in page.records]


def every(store: WooStore, what: Resource) -> list[str]:
    """All numbers of a kind."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        part, cursor = store.reads.ids(ACCESS, what, cursor)
        found += part
        if cursor is None:
            return found
    raise AssertionError("the walk does not end")


# ---------------------------------------------------------------- by time of change


def test_a_second_and_a_minute_earlier_is_asked_for_in_utc_without_a_zone() -> None:
    store = WooStore().put("orders", orders(3, timedelta(seconds=10)))
    east = (BASE + timedelta(seconds=10, microseconds=900)).astimezone(ZoneInfo("Asia/Tokyo"))
    assert ids(pages(store, since=east, until=BASE + timedelta(seconds=20, microseconds=1))) == ["1000", "1001", "1002"]
    asked = store.asked[0][1]
    assert (asked["modified_after"], asked["modified_before"], asked["dates_are_gmt"]) == (
        "2026-11-20T07:59:09",
        "2026-11-20T08:00:21",
        "true",
    )


def test_the_end_is_exclusive_and_exact() -> None:
    store = WooStore().put("orders", orders(3, timedelta(seconds=10)))
    assert ids(pages(store, until=BASE + timedelta(seconds=20))) == ["1000", "1001"]
    assert store.asked[0][1]["modified_before"] == "2026-11-20T08:00:20"


def test_all_records_without_a_beginning() -> None:
    store = WooStore().put("orders", orders(250, timedelta(hours=7)))
    found = pages(store, since=None)
    assert set(ids(found)) == {str(1000 + number) for number in range(250)}
    assert "modified_after" not in store.asked[0][1]
    assert len(found) == 3


@pytest.mark.parametrize("says_pages", [True, False])
def test_many_records_of_one_second_are_paged(says_pages: bool) -> None:
    store = WooStore(says_pages=says_pages).put("orders", orders(230, timedelta(0)))
    assert set(ids(pages(store))) == {str(1000 + number) for number in range(230)}


@pytest.mark.parametrize("says_pages", [True, False])
def test_exactly_one_full_page_ends(says_pages: bool) -> None:
    store = WooStore(says_pages=says_pages).put("orders", orders(100, SECOND))
    assert len(set(ids(pages(store)))) == 100
    assert len(store.asked) == (1 if says_pages else 2)


def test_a_page_with_records_left_out_is_not_taken_for_the_last() -> None:
    """A record whose object cannot be loaded is missing from its page, and the page is short."""
    store = WooStore().put("orders", orders(150, SECOND))
    whole = store._answer

    def short(path: str, params: dict[str, str]) -> httpx2.Response:
        answer = whole(path, params)
        return httpx2.Response(200, json=answer.json()[1:], headers=answer.headers)

    store._answer = short  # type: ignore[method-assign]
    assert set(ids(pages(store))) >= {str(1000 + number) for number in range(1, 150)} - {"1098", "1099"}
    assert len(store.asked) > 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0, 1, 3, 40]))
@example(seed=502, spread=0)  # the last record seen of an instant moves to the end of the same page
def test_a_record_that_changes_during_the_walk_hides_no_other(seed: int, spread: int) -> None:
    chance = random.Random(seed)
    store = WooStore().put("orders", [order(1000 + n, BASE + timedelta(seconds=chance.randint(0, spread))) for n in range(260)])
    changes = [chance.randrange(260) for _ in range(6)]

    def somebody_works() -> None:
        if changes:
            which = changes.pop()
            store.lists["wc/v3/orders"][which] = order(1000 + which, BASE + timedelta(hours=1, seconds=len(changes)))

    store.between = somebody_works
    newest = {}
    for page in pages(store):
        for one in page.records:
            newest[one.platform_id] = one.source_version
    assert set(newest) == {str(1000 + n) for n in range(260)}
    # Seen as it is at the end of the walk, but for what changed with its last page.
    late = [one for one in store.lists["wc/v3/orders"] if newest[str(one["id"])].strftime("%Y-%m-%dT%H:%M:%S") != one["date_modified_gmt"]]
    assert len(late) <= 1


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_record_that_vanishes_during_the_walk_takes_no_other_along(seed: int) -> None:
    chance = random.Random(seed)
    store = WooStore().put("orders", orders(260, timedelta(0)))
    gone: set[str] = set()

    def somebody_deletes() -> None:
        if len(gone) < 8:
            gone.add(str(store.lists["wc/v3/orders"].pop(chance.randrange(len(store.lists["wc/v3/orders"])))["id"]))

    store.between = somebody_deletes
    assert set(ids(pages(store))) >= {str(one["id"]) for one in store.lists["wc/v3/orders"]}


def test_the_hour_that_is_there_twice_loses_no_record() -> None:
    """WordPress sorts by site time: after the clocks were put back, newer records stand among older ones."""
    paris = ZoneInfo("Europe/Paris")
    night = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    changed = [order(1000 + n, night + timedelta(seconds=40 * n), zone=paris) for n in range(400)]
    store = WooStore(zone=paris).put("orders", changed)
    found = pages(store, since=night)
    assert set(ids(found)) == {str(1000 + n) for n in range(400)}


def test_a_year_of_ordinary_nights_is_read_without_repeating_hours() -> None:
    paris = ZoneInfo("Europe/Paris")
    changed = [order(1000 + n, BASE + timedelta(minutes=10 * n), zone=paris) for n in range(400)]
    store = WooStore(zone=paris).put("orders", changed)
    assert len(ids(pages(store))) <= 404


def test_a_store_that_answers_every_page_alike_is_not_asked_for_ever() -> None:
    store = WooStore().put("orders", orders(100, timedelta(0)))
    frozen = httpx2.Response(200, json=store.lists["wc/v3/orders"], headers={"x-wp-totalpages": "9"})
    store._answer = lambda path, params: frozen  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="caches"):
        pages(store)
    assert len(store.asked) <= 6


def test_a_record_that_makes_no_sense_is_named_and_stops_nothing() -> None:
    store = WooStore().put("orders", orders(102, SECOND))
    store.lists["wc/v3/orders"][50]["total"] = "a lot"
    found = pages(store)
    assert len(set(ids(found))) == 101
    assert {one for page in found for one in page.unreadable} == {"1050: money"}


def test_records_without_a_time_are_passed_by_their_number() -> None:
    store = WooStore().put("orders", orders(230, timedelta(0)))
    whole = store._answer

    def timeless(path: str, params: dict[str, str]) -> httpx2.Response:
        answer = whole(path, params)
        records = [one | {"date_modified_gmt": 5 if one["id"] % 2 else "some day"} for one in answer.json()]
        return httpx2.Response(200, json=records, headers=answer.headers)

    store._answer = timeless  # type: ignore[method-assign]
    found = pages(store)
    assert {one.partition(":")[0] for page in found for one in page.unreadable} == {str(1000 + n) for n in range(230)}


@pytest.mark.parametrize("cursor", ["", "x", "[]", "3", '{"seen": "many"}', '{"after": "yesterday"}'])
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Rejected):
        WooStore().reads.changes(ACCESS, Resource.ORDER, BASE, None, cursor)


@given(
    place=st.builds(
        Place,
        after=st.none() | st.datetimes(timezones=st.just(UTC)),
        seen=st.integers(0, 10**9),
        last=st.text(max_size=40),
    )
)
def test_a_place_travels_as_text(place: Place) -> None:
    assert place_of(place.text()) == place


@given(seen=st.integers(0, 200_000), most=st.integers(10, 100))
@example(seen=22680, most=10)  # any page of 6 to 10 ends there
def test_a_window_holds_the_last_one_seen_and_new_ones(seen: int, most: int) -> None:
    size, page = window(seen, most)
    assert most // 2 < size <= (most if any(seen % one for one in range(most // 2 + 1, most + 1)) or not seen else most + 5)
    first, end = (page - 1) * size, page * size
    assert end > seen
    assert seen == 0 or first <= seen - 1 < end


# ---------------------------------------------------------------- by number


@pytest.mark.parametrize("says_pages", [True, False])
def test_customers_are_walked_by_number_whatever_their_role(says_pages: bool) -> None:
    store = WooStore(says_pages=says_pages).put(
        "customers", [customer(n, BASE, role="subscriber" if n % 3 else "customer") for n in range(1, 251)]
    )
    assert ids(pages(store, Resource.CUSTOMER, None)) == [str(n) for n in range(1, 251)]
    assert {params["role"] for _, params in store.asked} == {"all"}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), smaller=st.booleans())
def test_a_customer_deleted_during_the_walk_takes_no_other_along(seed: int, smaller: bool) -> None:
    chance = random.Random(seed)
    store = WooStore().put("customers", [customer(n, BASE) for n in range(1, 300)])

    def somebody_deletes() -> None:
        for _ in range(chance.randint(0, 60)):
            rest = store.lists["wc/v3/customers"]
            if len(rest) > 120:
                rest.pop(chance.randrange(len(rest)))
        if smaller:
            pace_of(store.transport, ACCESS.domain)._steering.records = chance.randint(10, 80)

    store.between = somebody_deletes
    found = ids(pages(store, Resource.CUSTOMER, None))
    assert len(found) == len(set(found))
    assert set(found) >= {str(one["id"]) for one in store.lists["wc/v3/customers"]}


def test_the_numbers_of_all_records_show_what_was_deleted_for_good() -> None:
    store = WooStore().put("orders", [order(n, BASE, "checkout-draft" if n % 2 else "completed") for n in range(1, 231) if n != 77])
    found = every(store, Resource.ORDER)
    assert set(map(str, range(1, 231))) - set(found) == {"77"}
    assert {params["_fields"] for _, params in store.asked} == {"id"}


def test_what_is_in_the_bin_is_not_among_them() -> None:
    store = WooStore().put("orders", [order(1, BASE), order(2, BASE, "trash")])
    assert every(store, Resource.ORDER) == ["1"]


def test_only_what_has_numbers_can_be_walked_by_them() -> None:
    for what in (Resource.CHECKOUT, Resource.SHOP):
        with pytest.raises(Rejected):
            WooStore().reads.ids(ACCESS, what)


# ---------------------------------------------------------------- by registration


def test_customers_who_registered_since_come_newest_first_and_older_pages_are_not_read() -> None:
    store = WooStore().put("customers", [customer(n, BASE + timedelta(minutes=n)) for n in range(1000)])
    found = pages(store, Resource.CUSTOMER, BASE + timedelta(minutes=850))
    assert ids(found) == [str(n) for n in range(999, 848, -1)]
    assert len(store.asked) == 2
    assert {(params["orderby"], params["order"], params["role"]) for _, params in store.asked} == {("registered_date", "desc", "all")}


def test_customers_who_registered_in_a_span() -> None:
    store = WooStore().put("customers", [customer(n, BASE + timedelta(minutes=n)) for n in range(20)])
    since, until = BASE + timedelta(minutes=5), BASE + timedelta(minutes=8)
    assert ids(pages(store, Resource.CUSTOMER, since, until)) == ["7", "6", "5", "4"]


def test_products_come_in_small_pages_since_their_variations_are_read_too() -> None:
    store = WooStore().put("products", [product(n, BASE + n * SECOND) for n in range(1, 61)])
    assert set(ids(pages(store, Resource.PRODUCT))) == {str(n) for n in range(1, 61)}
    assert max(int(params["per_page"]) for _, params in store.asked) == 25
