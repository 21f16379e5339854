"""What the store itself says in the instant before a message leaves."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.canonical import Order, PaymentState
from connector.platforms import Access, AccessLost, NotPermitted, Rejected, ThrottledError, TransientError
from connector.reading import LineNow
from connector.rules.automations import MOST_LOOKS, MOST_TURNS
from connector.store import due
from connector.store.outgoing import LOOK_LEASE
from sync import asking, send, sweep
from sync.jobs import Job
from sync.services import Services
from tests.fake_sender import FakeSender
from tests.sync.bodies import shopify_checkout, shopify_order
from tests.sync.test_send import EMAIL, queue, unsubscribe
from tests.sync.world import World

SILENT = TransientError("no answer", platform="shopify", call="orders of")
BUSY = ThrottledError("throttled", platform="shopify", call="orders of", retry_after=3)
FORBIDDEN = NotPermitted("no scope", platform="shopify", call="orders of")
REFUSED = Rejected("no such field", platform="shopify", call="orders of")


@dataclass
class FakeStore:
    """Answers what is asked right before sending; everything can be bought and nobody has bought, unless said otherwise."""

    orders: list[Order] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    line_errors: list[Exception] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    meanwhile: Any = None

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        """The orders of a checkout; first what happens meanwhile, then an error if there is one left."""
        self.asked.append(token)
        if self.meanwhile is not None:
            self.meanwhile()
        if self.errors:
            raise self.errors.pop(0)
        return self.orders

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        """What is left of the lines."""
        self.asked.append(tuple(wanted))
        if self.line_errors:
            raise self.line_errors.pop(0)
        return [LineNow(product, variant, (variant or product) not in self.gone, Decimal("9.90")) for product, variant in wanted]


@pytest.fixture
def store(services: Services) -> FakeStore:
    """The store that the world's Shopify shop can be asked about."""
    asked = FakeStore()
    services.platforms["shopify"].reads = asked  # type: ignore[assignment]
    return asked


def order_of(world: World, token: str | None = "tok-0", **changes: Any) -> Order:
    """An order that came of a checkout."""
    at = world.at(30)
    made = Order("9001", at, at, at, "EUR", Decimal(10), PaymentState.PAID, checkout_token=token)
    return replace(made, **changes)


def write_money(amount: Decimal) -> str:
    """An amount as the reminder of these checkouts shows it."""
    return f"{amount:.2f}".replace(".", ",")


def due_at(world: World) -> datetime:
    """When the only message is due."""
    at: datetime = world.one("messages")["due_at"]
    return at


@pytest.mark.spec("SQ-06", "RL-121")
def test_an_order_that_no_delivery_told_of_stops_the_message_and_is_read(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)
    store.orders = [order_of(world)]

    with capture_logs() as logs:
        assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", "purchased")]
    assert world.reasons() == ["purchased"]
    assert [(row["resource"], row["platform_id"]) for row in world.rows("select * from wanted_reads")] == [("order", "9001")]
    assert [(one["event"], one["topic"]) for one in logs if one["event"] == "delivery.gap"] == [("delivery.gap", "orders/create")]
    assert world.services.metrics.messages.values() == {("email", "cancelled"): 1}
    assert world.one("messages")["lease_until"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"is_test": True},
        {"cancelled_at": datetime.fromisoformat("2026-11-21T12:00:00+00:00")},
        {"checkout_token": "another"},
        {"checkout_token": None, "cart_token": "another-cart"},
        {"checkout_token": None, "cart_token": None},
    ],
)
def test_an_order_that_does_not_count_stops_nothing(world: World, sender: FakeSender, store: FakeStore, changes: Any) -> None:
    queue(world)
    store.orders = [order_of(world, **changes)]

    assert world.send() == 1
    assert sender.recipients == [EMAIL]


@pytest.mark.parametrize(("minutes", "sent"), [(30, 0), (-30, 1)])
def test_an_order_of_the_same_cart_counts_if_it_came_after_the_checkout(
    world: World, sender: FakeSender, store: FakeStore, minutes: float, sent: int
) -> None:
    queue(world)
    world.execute("update checkouts set cart_token = 'cart-0', created_at = :at where shop_id = :shop", at=world.start)
    store.orders = [order_of(world, None, cart_token="cart-0", placed_at=world.at(minutes))]

    assert world.send() == sent
    assert len(sender.handed) == sent


def test_what_cannot_be_bought_any_more_never_appears(world: World, sender: FakeSender, store: FakeStore) -> None:
    world.turn_on()
    world.arrive("checkouts/update", shopify_checkout("tok-0", world.start, email=EMAIL, lines=((101, 1), (102, 2))))
    world.go_to(world.at(60))
    world.abandon()
    world.execute("update checkout_lines set title = 'Savon ' || position where shop_id = :shop")
    first, second = world.rows("select title, product_id, variant_id, total from checkout_lines order by position")
    store.gone = {first["variant_id"] or first["product_id"]}

    assert world.send() == 1
    (envelope,) = sender.handed
    for part in (envelope.html, envelope.text):
        assert second["title"] in part
        assert first["title"] not in part
        assert write_money(second["total"]) in part
    assert store.asked == ["tok-0", ((first["product_id"], first["variant_id"]), (second["product_id"], second["variant_id"]))]


def test_a_checkout_of_which_nothing_is_left_gets_no_message(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)
    store.gone = {row["variant_id"] or row["product_id"] for row in world.rows("select product_id, variant_id from checkout_lines")}

    assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", "sold_out")]
    assert world.reasons() == ["sold_out"]


@pytest.mark.parametrize(("error", "most", "pause"), [(SILENT, MOST_LOOKS, 60.0), (BUSY, MOST_TURNS, BUSY.retry_after)])
def test_a_store_that_does_not_answer_is_asked_again_a_few_times_and_then_the_message_goes_out(
    world: World, sender: FakeSender, store: FakeStore, error: Exception, most: int, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(world.services.pauses, "is_paused", lambda wake: False)
    queue(world)
    store.errors = [error] * 20
    for look in range(1, most + 1):
        before = world.now()
        assert world.send() == 0
        assert timedelta(0) <= due_at(world) - before - timedelta(seconds=pause) < timedelta(seconds=30)
        assert (world.one("messages")["looks"], world.one("messages")["lease_until"]) == (look, None)
        assert world.reasons() == ["store_silent"]
        assert sender.handed == []
        world.go_to(due_at(world))

    assert world.send() == 1
    assert sender.recipients == [EMAIL]
    assert world.one("messages")["attempts"] == 1


def test_a_shop_whose_store_is_silent_goes_to_the_end_of_the_line_as_others_do(
    world: World, sender: FakeSender, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(world, 3)
    store.errors = [SILENT] * 3
    rung: list[str] = []
    world.db.on_wake(lambda wake: rung.append(wake.job))
    monkeypatch.setattr(send, "SLICE_SECONDS", 0.05)
    store.meanwhile = lambda: time.sleep(0.1)

    assert world.send() == 0
    assert sorted(row["looks"] for row in world.rows("select looks from messages")) == [0, 0, 1]
    assert rung == ["send_messages"]


def test_a_store_that_tells_of_orders_and_not_of_lines_is_asked_again(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)
    store.line_errors = [BUSY]

    assert world.send() == 0
    assert (world.one("messages")["looks"], world.reasons()) == (1, ["store_silent"])
    world.go_to(due_at(world))
    assert world.send() == 1
    assert sender.recipients == [EMAIL]


def test_a_silent_store_costs_one_wait_for_all_its_messages(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world, 5)
    store.errors = [SILENT] * 20

    assert world.send() == 0
    assert len(store.asked) == 1
    assert {(row["state"], row["looks"]) for row in world.rows("select state, looks from messages")} == {("queued", 1)}


@pytest.mark.parametrize("error", [FORBIDDEN, REFUSED])
def test_what_the_store_will_never_tell_holds_up_nothing(world: World, sender: FakeSender, store: FakeStore, error: Exception) -> None:
    queue(world)
    store.errors = [error]

    assert world.send() == 1
    assert sender.recipients == [EMAIL]
    assert world.one("messages")["looks"] == 0


def test_a_store_that_does_not_know_us_any_more_ends_it(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)
    store.errors = [AccessLost("token", platform="shopify", call="orders of", status=401)] * 5

    assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", "shop_disconnected")]
    assert world.rows("select state from shops where id = :shop") == [{"state": "needs_sign_in"}]


@pytest.mark.spec("RL-125", "RL-126")
@pytest.mark.parametrize(
    ("happens", "reason", "counted"),
    [
        (lambda world: unsubscribe(world, EMAIL), "suppressed", 1),
        # Whoever cancelled it counts it: the page that switches off, the drain that applies the order.
        (lambda world: world.turn_off(), "automation_off", 0),
        (
            lambda world: world.arrive("orders/create", shopify_order(9, world.at(1), checkout_token="tok-0", email=EMAIL)),
            "purchased",
            1,
        ),
    ],
)
def test_what_happens_while_the_store_is_asked_counts(
    world: World, sender: FakeSender, store: FakeStore, happens: Any, reason: str, counted: int
) -> None:
    queue(world)
    store.meanwhile = lambda: happens(world)

    assert world.send() == 0
    assert sender.handed == []
    assert world.messages() == [("cancelled", reason)]
    assert world.services.metrics.messages.values().get(("email", "cancelled"), 0) == counted


def test_a_message_that_somebody_asks_about_is_nobody_elses(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)
    others: list[int] = []
    store.meanwhile = lambda: others.append(send.send_messages(world.services, world.shop.id))

    assert world.send() == 1
    assert others == [0]
    assert store.asked[0] == "tok-0"
    assert len(sender.handed) == 1


@pytest.mark.spec("RL-120")
def test_who_dies_while_asking_leaves_the_message_to_the_next_one(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)

    def die() -> None:
        raise KeyboardInterrupt

    store.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        world.send()
    store.meanwhile = None
    assert world.send() == 0
    assert (Job.SEND, world.shop.id) not in sweep.find_due(world.services)
    with world.db.system_transaction("what waits") as session:
        assert (due.waiting(session).messages, due.waiting(session).sending) == (0, 1)
    world.go_to(world.now() + LOOK_LEASE)
    assert (Job.SEND, world.shop.id) in sweep.find_due(world.services)
    with world.db.system_transaction("what waits") as session:
        assert (due.waiting(session).messages, due.waiting(session).sending) == (1, 0)
    assert sweep.expire(world.services) == 0

    assert world.send() == 1
    assert world.messages() == [("sent", None)]


@pytest.mark.spec("RL-120")
def test_who_asks_for_too_long_finds_the_message_taken(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world)

    def slow() -> None:
        store.meanwhile = None
        world.go_to(world.now() + LOOK_LEASE)
        assert world.send() == 1

    store.meanwhile = slow
    assert world.send() == 0
    assert len(sender.handed) == 1
    assert world.messages() == [("sent", None)]


@pytest.mark.spec("RL-120")
def test_many_workers_ask_and_send_each_message_once(world: World, sender: FakeSender, store: FakeStore) -> None:
    queue(world, 20)
    threads = [threading.Thread(target=world.send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while world.send():
        pass

    assert sorted(sender.recipients) == sorted(f"p{n}@example.org" for n in range(20))
    assert len([one for one in store.asked if isinstance(one, str)]) == 20


def test_more_lines_than_can_be_asked_about_at_once_are_asked_in_parts(world: World, store: FakeStore) -> None:
    lines = tuple((str(number), None) for number in range(120))
    store.gone = {"7", "119"}
    question = asking.Question(1, "tok-0", None, world.start, lines)
    reads = world.services.platforms["shopify"].reads
    assert reads is not None

    word = asking.ask_store(world.services, reads, world.shop.id, question)

    assert [len(one) for one in store.asked if isinstance(one, tuple)] == [50, 50, 20]
    assert word.gone == {("7", None), ("119", None)}
