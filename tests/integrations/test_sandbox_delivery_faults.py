"""Faults of single deliveries, on command and by seed; and the whole way to an app that checks signatures."""

import base64
import hashlib
import hmac
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from integrations.sandbox.delivery import DeliveryMachine, State
from integrations.sandbox.faults import DAY, DELIVERIES, Kind
from tests.integrations.sandbox_app import START, Clock, Heard, PlayedApp, played, reset_shopify, reset_woocommerce
from tests.integrations.test_sandbox_delivery import Receiver, machine, webhook

BODY = b'{"a": 1, "b": 2}'


def test_a_repeated_delivery_leaves_twice() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.faults.spoil_next(Kind.REPEAT, after=1)
        running.submit(webhook("a"), webhook("b"), webhook("c"))
        assert running.settle()
    assert receiver.got == ["a", "b", "b", "c"]


def test_a_dropped_delivery_never_leaves() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.faults.spoil_next(Kind.DROP)
        running.submit(webhook("a"), webhook("b"))
        assert running.settle()
        assert [row.state for row in running.deliveries()] == [State.DROPPED, State.DELIVERED]
    assert receiver.got == ["b"]


def test_a_delayed_delivery_waits_on_the_virtual_clock() -> None:
    receiver, clock = Receiver(), Clock()
    with machine(receiver, clock) as running:
        running.faults.delay_next(seconds=90)
        running.submit(webhook("a"), webhook("b"))
        assert running.settle()
        assert running.next_due() == START + timedelta(seconds=90)
        clock.advance(seconds=90)
        assert running.settle()
    assert receiver.got == ["b", "a"]


def test_a_delivery_comes_again_days_later() -> None:
    receiver, clock = Receiver(), Clock()
    with machine(receiver, clock) as running:
        running.faults.spoil_next(Kind.AGAIN)
        running.submit(webhook("a", lambda: BODY))
        assert running.settle()
        assert (receiver.got, running.deliveries()[0].state) == (["a"], State.WAITING)
        clock.advance(seconds=3 * DAY)
        assert running.settle()
        assert running.deliveries()[0].state is State.DELIVERED
        clock.advance(days=30)
        assert running.settle()
    assert receiver.bodies == [BODY, BODY]


def test_a_truncated_body_is_whole_at_the_retry() -> None:
    receiver, clock = Receiver(), Clock()
    receiver.statuses = [401, 200]
    with machine(receiver, clock) as running:
        running.faults.spoil_next(Kind.TRUNCATE)
        running.submit(webhook("a", lambda: BODY))
        assert running.settle()
        clock.advance(seconds=10)
        assert running.settle()
        assert [attempt.status for attempt in running.deliveries()[0].attempts] == [401, 200]
        assert running.deliveries()[0].body == BODY
    assert receiver.bodies == [BODY[:8], BODY]


def test_a_delivery_that_steps_back_is_overtaken_and_still_leaves() -> None:
    receiver = Receiver()
    with machine(receiver, Clock()) as running:
        running.faults.spoil_next(Kind.REORDER, number=1)
        with running.held():
            running.submit(*(webhook(name) for name in "abcd"))
        assert running.settle()
        running.faults.spoil_next(Kind.REORDER)
        running.submit(webhook("alone"))
        assert running.settle()
    assert receiver.got == ["b", "c", "a", "d", "alone"]


def test_what_a_bad_network_does_is_counted_too() -> None:
    receiver = Receiver()
    with machine(receiver, Clock(), seed=3) as running:
        running.mischief.repeat, running.mischief.drop, running.mischief.window = 0.5, 0.2, 4
        with running.held():
            running.submit(*(webhook(str(number)) for number in range(40)))
        assert running.settle()
        rows, counts = running.deliveries(), running.faults.counts
    assert counts["drop"] == sum(row.state is State.DROPPED for row in rows)
    assert counts["repeat"] == sum(times == 2 for times in Counter(receiver.got).values())
    assert counts["reorder"] > 0


def test_the_same_seed_harms_the_same_deliveries() -> None:
    def played_with(seed: int) -> tuple[list[str], dict[str, int]]:
        receiver, clock = Receiver(), Clock()
        with machine(receiver, clock) as running:
            running.faults.at_random(0.5, DELIVERIES, seed, pace=0.01)
            with running.held():
                running.submit(*(webhook(str(number)) for number in range(80)))
            assert running.settle()
            clock.advance(days=5)
            assert running.settle()
            return receiver.got, running.faults.counts

    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")
    assert played_with(seed) == played_with(seed)
    got, counts = played_with(11)
    assert set(counts) == {kind.value for kind in DELIVERIES}
    assert len(set(got)) == 80 - counts["drop"]
    assert len(got) == 80 - counts["drop"] + counts["repeat"] + counts["again"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("deliveries"), clock) as running:
        yield running


def is_genuine(heard: Heard) -> bool:
    digest = hmac.new(b"sandbox-client-secret", heard.body, hashlib.sha256).digest()
    return heard.headers["x-shopify-hmac-sha256"] == base64.b64encode(digest).decode()


def test_a_cut_webhook_does_not_fit_its_signature_and_shopify_sends_the_right_one_later(app: PlayedApp, clock: Clock) -> None:
    reset_shopify(app, clock)
    twin = app.world.shopify
    app.statuses["/webhooks/shopify"] = 401
    twin.deliveries.faults.spoil_next(Kind.TRUNCATE, after=1)
    twin.start_checkout([(a_sku(app), 1)])
    assert app.world.settle()
    cut = app.webhooks("checkouts/create")[-1]
    assert not is_genuine(cut)
    app.statuses.clear()
    clock.advance(seconds=10)
    assert app.world.settle()
    whole = app.webhooks("checkouts/create")[-1]
    assert is_genuine(whole)
    assert whole.body.startswith(cut.body)
    assert whole.headers["x-shopify-webhook-id"] == cut.headers["x-shopify-webhook-id"]


def test_a_slow_webhook_arrives_whole_with_its_length(app: PlayedApp, clock: Clock) -> None:
    reset_shopify(app, clock)
    app.world.shopify.deliveries.faults.slow_next(seconds=0.1)
    app.world.shopify.start_checkout([(a_sku(app), 1)])
    assert app.world.settle()
    slow = app.webhooks("carts/create")[-1]
    assert is_genuine(slow)
    assert int(slow.headers["content-length"]) == len(slow.body)
    assert app.world.shopify.deliveries.faults.counts["slow"] == 1


def test_a_cut_webhook_of_woocommerce_does_not_come_again(app: PlayedApp, clock: Clock) -> None:
    reset_woocommerce(app, clock)
    machine_: DeliveryMachine = app.world.woocommerce.deliveries
    app.statuses["/webhooks/woocommerce/key"] = 401
    machine_.faults.spoil_next(Kind.TRUNCATE)
    app.world.woocommerce.open_checkout([("BOUG-LAV", 2)])
    assert app.world.settle()
    assert machine_.deliveries()[-1].state is State.FAILED
    assert machine_.faults.counts == {"truncate": 1}


def a_sku(app: PlayedApp) -> str:
    return next(iter(app.world.shopify.shop.products.values())).variants[0].sku
