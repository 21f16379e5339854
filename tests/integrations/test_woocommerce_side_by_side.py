"""Calls that are on their way side by side: as many as the store bears, and no more read ahead than is bounded. No timing decides."""

import sys
import threading
from dataclasses import replace
from datetime import timedelta

import httpx2

from integrations.transport import Transport
from integrations.woocommerce import abreast
from integrations.woocommerce.abreast import ByNumber
from integrations.woocommerce.ahead import Patience
from integrations.woocommerce.calling import Call
from integrations.woocommerce.pace import pace_of
from integrations.woocommerce.pages import ORDERS
from integrations.woocommerce.steering import MOST_AT_ONCE, Answered
from integrations.woocommerce.walks import Place
from tests.integrations.woo_kit import ACCESS, WooStore, orders

SMALL = replace(ORDERS, most=10)
HASTY = Patience(first_seconds=0.001)
LONG_SECONDS = 60.0
"""So long a test waits for what must come; nothing is judged by it."""


class Gate:
    """Before a store: lets calls through once `wanted` of them are there at the same time. `begun`: how many ever came; `most`: at once."""

    def __init__(self, store: WooStore) -> None:
        self.store, self.wanted, self.begun, self.running, self.most = store, 1, 0, 0, 0
        self.changed = threading.Condition()
        self.call = Call(Transport(inner=httpx2.MockTransport(self._answer)), ACCESS)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        with self.changed:
            self.begun, self.running = self.begun + 1, self.running + 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.most >= self.wanted, LONG_SECONDS), f"only {self.most} calls came at once"
            self.running -= 1
        return self.store(request)

    def close(self) -> None:
        """Nothing goes through from now on."""
        with self.changed:
            self.wanted = sys.maxsize

    def open(self) -> None:
        """Everything goes through from now on."""
        with self.changed:
            self.wanted = 0
            self.changed.notify_all()

    def wait_for_running(self, count: int) -> None:
        """Until so many calls are at the gate."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.running >= count, LONG_SECONDS), f"only {self.running} calls are under way"


def raise_pace(call: Call) -> None:
    """Let the store's answers have been quick so far, and be quick from now on, however busy this machine is."""
    pace = pace_of(call.transport, call.access.domain)
    pace._now = lambda: 0.0
    for _ in range(2 + 4):
        pace._steering.note(Answered(200, 0.0, 0.0, "orders", SMALL.most, pace.at_once))
    assert pace.at_once == MOST_AT_ONCE == 8


def wait_for_readers() -> None:
    """Until nobody reads ahead any more: what is under way is answered, and nothing more is begun."""
    while readers := [one for one in threading.enumerate() if one.name == "woocommerce"]:
        for one in readers:
            one.join(LONG_SECONDS)
            assert not one.is_alive()


def test_several_pages_are_on_their_way_at_once_and_what_is_read_ahead_is_bounded() -> None:
    gate = Gate(WooStore().put("orders", orders(800, timedelta(seconds=1))))
    raise_pace(gate.call)
    steps = abreast.steps(ByNumber(gate.call, SMALL), Place(), HASTY)
    next(steps)
    assert gate.most == 1
    gate.wanted = 8
    for _ in range(59):
        next(steps)
    wait_for_readers()
    waiting = gate.begun - 60
    # Whoever took the last one has begun nothing for it yet.
    assert 8 + 3 <= waiting <= 8 + 4
    gate.close()
    for _ in range(9):
        next(steps)
    gate.wait_for_running(8)
    begun = gate.begun
    steps.close()  # type: ignore[attr-defined]
    gate.open()
    wait_for_readers()
    assert gate.begun == begun
    assert begun - 69 <= 8 + 4
    assert gate.most == 8
