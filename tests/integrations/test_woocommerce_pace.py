"""How hard a store is asked: falling when it suffers, rising again when it does not, never more than eight calls at once."""

import threading
import time
from datetime import timedelta

import httpx2
import pytest

from connector.canonical import Resource
from connector.platforms import Access, AccessLost, Rejected, ThrottledError, TransientError
from integrations.transport import Answer, Transport
from integrations.woocommerce import client
from integrations.woocommerce.calling import Call
from integrations.woocommerce.pace import Pace, pace_of, side_by_side
from integrations.woocommerce.steering import MOST_AT_ONCE, MOST_RECORDS
from tests.integrations.woo_kit import ACCESS, BASE, WooStore, orders


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def answered(pace: Pace, clock: Clock, seconds: float, status: int = 200, records: int = 0, *, is_read: bool = True) -> None:
    def send() -> Answer:
        clock.seconds += seconds
        return Answer(status, {}, b"")

    pace.run("orders", send, records, is_read=is_read)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock, wait_seconds=0.05)


def test_a_store_is_met_with_two_calls_at_once_and_full_pages(pace: Pace) -> None:
    assert (pace.at_once, pace.records) == (2, 100)


@pytest.mark.parametrize("status", [429, 430, 500, 502, 503, 504])
def test_a_store_in_trouble_is_asked_for_half(pace: Pace, clock: Clock, status: int) -> None:
    answered(pace, clock, 0.1, status)
    assert (pace.at_once, pace.records) == (1, 50)


def test_no_answer_counts_as_trouble(pace: Pace) -> None:
    def nothing() -> Answer:
        raise TransientError("no answer", platform="woocommerce")

    with pytest.raises(TransientError):
        pace.run("orders", nothing)
    assert (pace.at_once, pace.records) == (1, 50)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_no_trouble(pace: Pace, clock: Clock, status: int) -> None:
    answered(pace, clock, 0.1, status)
    assert (pace.at_once, pace.records) == (2, 100)


def test_our_own_mistake_says_nothing_of_the_store(pace: Pace) -> None:
    def wrong() -> Answer:
        raise Rejected("cannot be sent", platform="woocommerce")

    with pytest.raises(Rejected):
        pace.run("orders", wrong)
    assert (pace.at_once, pace.records) == (2, 100)


def test_pages_shrink_to_ten_and_no_further_while_they_are_slow(pace: Pace, clock: Clock) -> None:
    sizes = []
    for _ in range(12):
        answered(pace, clock, 6.0, records=pace.records)
        sizes.append(pace.records)
    assert sizes[:3] == [75, 56, 42]
    assert sizes[-1] == 10
    assert pace.at_once == 1


def test_a_slow_single_record_takes_nothing_from_the_pages(pace: Pace, clock: Clock) -> None:
    answered(pace, clock, 6.0)
    assert (pace.at_once, pace.records) == (1, 100)


def test_a_slow_write_is_no_sign_of_trouble(pace: Pace, clock: Clock) -> None:
    answered(pace, clock, 20.0, is_read=False)
    assert (pace.at_once, pace.records) == (2, 100)


@pytest.mark.spec("C90")
def test_a_store_that_slows_down_is_asked_for_less_until_it_has_recovered(pace: Pace, clock: Clock) -> None:
    for _ in range(4):
        answered(pace, clock, 8.0, records=pace.records)
    low = pace.records
    assert (low < 40, pace.at_once) == (True, 1)
    for _ in range(40):
        answered(pace, clock, 0.4, records=pace.records)
    # Read one page after the other it does not show that it bears more than one call beside another.
    assert (pace.at_once, pace.records) == (2, MOST_RECORDS)


def test_small_quick_answers_do_not_make_pages_grow(pace: Pace, clock: Clock) -> None:
    answered(pace, clock, 1.0, 503)
    for _ in range(20):
        answered(pace, clock, 0.1)
    assert (pace.at_once, pace.records) == (4, 50)


def test_answers_between_quick_and_slow_change_nothing(pace: Pace, clock: Clock) -> None:
    for _ in range(20):
        answered(pace, clock, 3.0, records=100)
    assert (pace.at_once, pace.records) == (2, 100)


def test_never_more_than_eight_calls_run_at_once_to_one_store() -> None:
    pace, lock = Pace(), threading.Lock()
    running, most = 0, 0

    def send() -> Answer:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return Answer(200, {}, b"")

    def many() -> None:
        for _ in range(10):
            pace.run("orders", send, 100)

    threads = [threading.Thread(target=many) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, running) == (pace.at_once, 0)
    assert 4 <= most <= MOST_AT_ONCE


def test_single_records_go_before_pages() -> None:
    """Somebody waits for a single record, a sync waits for a page."""
    pace, order, lock = Pace(), [], threading.Lock()
    pace._steering.at_once = 1
    gate = threading.Event()

    def asked(name: str, records: int) -> threading.Thread:
        def send() -> Answer:
            if name == "first":
                gate.wait(5)
            with lock:
                order.append(name)
            return Answer(200, {}, b"")

        thread = threading.Thread(target=pace.run, args=(name, send, records))
        thread.start()
        return thread

    threads = [asked("first", 0)]
    while pace._running < 1:
        time.sleep(0.001)
    threads += [asked(f"page {number}", 100) for number in range(3)]
    time.sleep(0.02)
    threads.append(asked("single", 0))
    while not pace._singles:
        time.sleep(0.001)
    gate.set()
    for thread in threads:
        thread.join()
    assert order[:2] == ["first", "single"]


def test_a_call_whose_turn_does_not_come_is_asked_to_wait(pace: Pace) -> None:
    begun, done = threading.Event(), threading.Event()

    def hang() -> Answer:
        begun.set()
        done.wait(5)
        return Answer(503, {}, b"")

    threads = [threading.Thread(target=pace.run, args=("orders", hang)) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait(5)
    while pace._running < 2:
        time.sleep(0.001)
    with pytest.raises(ThrottledError) as caught:
        pace.run("lines", hang)
    assert (caught.value.call, caught.value.retry_after) == ("lines", 0.05)
    done.set()
    for thread in threads:
        thread.join()


def test_each_store_has_its_own_pace_and_each_transport_its_own_stores() -> None:
    one, other = Transport(inner=httpx2.MockTransport(lambda _: httpx2.Response(503))), Transport()
    with pytest.raises(TransientError):
        client.list_webhooks(Call(one, ACCESS))
    assert pace_of(one, "galets.example").records == 50
    assert pace_of(one, "bols.example").records == 100
    assert pace_of(other, "galets.example").records == 100
    other.close()


def test_keys_that_are_missing_say_nothing_of_the_store() -> None:
    store = WooStore()
    with pytest.raises(AccessLost):
        client.list_webhooks(Call(store.transport, Access(7, "galets.example", {})))
    assert (pace_of(store.transport, "galets.example").at_once, store.asked) == (2, [])


@pytest.mark.spec("C90")
def test_a_walk_through_a_store_that_suffers_takes_smaller_pages_then_larger_ones_and_loses_nothing(clock: Clock) -> None:
    store = WooStore().put("orders", orders(900, timedelta(seconds=30)))
    pace_of(store.transport, ACCESS.domain)._now = clock
    each = [0.2] * 3 + [0.01] * 100

    def takes_its_time() -> None:
        clock.seconds += int(store.asked[-1][1]["per_page"]) * each.pop(0)

    store.between = takes_its_time
    seen, cursor = set(), None
    while True:
        page = store.reads.changes(ACCESS, Resource.ORDER, BASE, None, cursor)
        seen |= {one.platform_id for one in page.records}
        cursor = page.cursor
        if cursor is None:
            break
    sizes = [int(params["per_page"]) for _, params in store.asked]
    assert seen == {str(1000 + number) for number in range(900)}
    assert sizes[:4] == [100, 75, 56, 42]
    assert sizes[-1] == 100


def test_things_done_side_by_side_come_in_their_order_and_the_first_error_ends_it(pace: Pace) -> None:
    assert list(side_by_side(pace, range(9), lambda one: one * one)) == [one * one for one in range(9)]

    def fail(one: int) -> int:
        if one == 2:
            raise Rejected("no", platform="woocommerce")
        return one

    found: list[int] = []
    with pytest.raises(Rejected):
        found.extend(side_by_side(pace, range(9), fail))
    assert found == [] or found == [0, 1]


def test_a_store_that_bears_one_call_is_asked_one_thing_after_the_other(pace: Pace, clock: Clock) -> None:
    answered(pace, clock, 0.1, 503)
    threads = set()

    def note(one: int) -> None:
        threads.add(threading.get_ident())

    list(side_by_side(pace, range(5), note))
    assert threads == {threading.get_ident()}
