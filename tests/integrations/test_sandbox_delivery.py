"""The delivery machine: retries on the virtual clock, repeats, shuffles, drops, late bodies and merged duplicates."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from connector.errors import ConnectorError
from integrations.sandbox.delivery import Delivery, DeliveryMachine, Outgoing, Policy, State
from integrations.sandbox.tls import make_certificates
from tests.integrations.sandbox_app import START, Clock

RETRIES = (timedelta(seconds=10), timedelta(seconds=30), timedelta(hours=4))


class Receiver:
    """Stands for the app's address: notes what arrives and answers as told."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self.patience = threading.Event()
        self.patience.set()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float = 0.0) -> int:
        self.got.append(headers["id"])
        self.bodies.append(body)
        self.patience.wait(5)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:
            raise ConnectorError("nobody answers")
        return status


def accepts(status: int) -> bool:
    return 200 <= status < 300


@contextmanager
def machine(
    receiver: Receiver, clock: Clock, retries: tuple[timedelta, ...] = RETRIES, seed: int = 1, timeout: float = 5.0
) -> Iterator[DeliveryMachine]:
    running = DeliveryMachine(clock, Policy(timeout, retries, accepts), receiver.post, seed)
    try:
        yield running
    finally:
        receiver.patience.set()
        running.close()


def webhook(name: str, body: Callable[[], bytes] = lambda: b"{}", merge_key: object = None) -> Delivery:
    return Delivery(name, "orders/create", "https://app.test/webhooks", lambda: ({"id": name}, body()), merge_key=merge_key)


def test_a_delivery_that_is_accepted_leaves_once() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.submit(webhook("a"), webhook("b"))
        assert running.settle()
        assert receiver.got == ["a", "b"]
        assert [row.state for row in running.deliveries()] == [State.DELIVERED, State.DELIVERED]
        assert running.deliveries("orders/create") == running.deliveries()
        assert running.deliveries("else") == []
        assert running.next_due() is None


def test_a_refused_delivery_comes_back_on_the_virtual_clock_with_the_same_body() -> None:
    receiver, clock = Receiver(), Clock()
    receiver.statuses = [500, 0, 302, 200]
    counter = iter(range(100))
    with machine(receiver, clock) as running:
        running.submit(webhook("a", lambda: str(next(counter)).encode()))
        for expected in RETRIES:
            assert running.settle()
            assert running.next_due() == START + expected
            clock.at = START + expected
        assert running.settle()
        row = running.deliveries()[0]
    assert receiver.bodies == [b"0"] * 4
    assert row.body == b"0"
    assert [one.status for one in row.attempts] == [500, None, 302, 200]
    assert row.attempts[1].words == "nobody answers"
    assert row.state is State.DELIVERED


def test_a_delivery_is_given_up_after_the_last_retry() -> None:
    receiver, clock = Receiver(), Clock()
    receiver.statuses = [500] * 4
    with machine(receiver, clock) as running:
        running.submit(webhook("a"))
        for wait in RETRIES:
            running.settle()
            clock.at = START + wait
        running.settle()
        assert running.deliveries()[0].state is State.FAILED
        assert running.next_due() is None
        clock.advance(days=9)
        running.settle()
    assert len(receiver.got) == 4


def test_a_receiver_that_takes_too_long_counts_as_failed() -> None:
    receiver = Receiver()
    receiver.patience.clear()
    with machine(receiver, Clock(), retries=(), timeout=0.05) as running:
        running.submit(webhook("a"))
        assert running.settle()
        row = running.deliveries()[0]
        assert row.state is State.FAILED
        assert row.attempts[0].words == "timed out"


def test_every_delivery_can_be_repeated_with_the_same_id() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.mischief.repeat = 1.0
        running.submit(webhook("a"))
        assert running.settle()
        assert receiver.got == ["a", "a"]
        assert len(running.deliveries()) == 1


def test_dropped_deliveries_never_leave() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.mischief.drop = 1.0
        running.submit(webhook("a"))
        assert running.settle()
        assert receiver.got == []
        assert running.deliveries()[0].state is State.DROPPED
        assert running.deliveries()[0].headers == {}
        assert running.deliveries()[0].body == b""


def test_what_gathered_is_shuffled_and_the_same_seed_shuffles_alike() -> None:
    def order(seed: int) -> list[str]:
        receiver = Receiver()
        with machine(receiver, Clock(), seed=seed) as running:
            running.mischief.window = 5
            with running.held():
                running.submit(*(webhook(str(number)) for number in range(12)))
            assert running.settle()
        return receiver.got

    assert order(3) == order(3)
    assert order(3) != sorted(order(3), key=int)
    assert sorted(order(3), key=int) == [str(number) for number in range(12)]


def test_late_deliveries_wait_for_the_virtual_clock() -> None:
    receiver, clock = Receiver(), Clock()
    with machine(receiver, clock) as running:
        running.mischief.delay = timedelta(minutes=40)
        running.submit(webhook("a"))
        assert running.settle()
        assert receiver.got == []
        clock.advance(minutes=40)
        assert running.settle()
        assert receiver.got == ["a"]


def test_settling_gives_up_while_something_due_is_held_back() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running, running.held():
        running.submit(webhook("a"))
        assert not running.settle(0.05)


def test_a_pending_equal_is_not_added_again_and_the_body_is_the_latest() -> None:
    receiver = Receiver()
    state = {"total": b"1"}
    with machine(receiver, Clock()) as running:
        with running.held():
            running.submit(webhook("a", lambda: state["total"], merge_key=(7, 147)))
            running.submit(webhook("b", lambda: state["total"], merge_key=(7, 147)), webhook("c", merge_key=(7, 148)))
            state["total"] = b"2"
        assert running.settle()
        running.submit(webhook("d", lambda: state["total"], merge_key=(7, 147)))
        assert running.settle()
    assert receiver.got == ["a", "c", "d"]
    assert receiver.bodies[0] == b"2"


def test_the_outcome_is_told_after_each_attempt() -> None:
    receiver, told = Receiver(), []
    receiver.statuses = [500, 200]
    with machine(receiver, Clock(), retries=(timedelta(0),)) as running:
        delivery = webhook("a")
        delivery.after = told.append
        running.submit(delivery)
        assert running.settle()
    assert told == [False, True]


def test_a_closed_machine_sends_nothing_more() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        pass
    running.submit(webhook("a"))
    time.sleep(0.05)
    assert receiver.got == []


def test_before_the_app_is_known_nothing_answers(tmp_path: Path) -> None:
    outgoing = Outgoing()
    outgoing.close()
    with pytest.raises(ConnectorError):
        outgoing.post("https://connector.test/webhooks", {}, b"")
    ca = make_certificates(tmp_path, ["connector.test"]).ca_pem
    outgoing.connect({"connector.test": "127.0.0.1:1"}, ca)
    outgoing.connect({"connector.test": "127.0.0.1:2"}, ca)
    with pytest.raises(ConnectorError):
        outgoing.post("https://connector.test/webhooks", {}, b"")
    outgoing.close()
