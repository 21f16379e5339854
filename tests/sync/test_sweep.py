"""What a lost wake left behind is found, and what is due runs."""

import threading
from datetime import timedelta

import pytest

from connector import clock
from connector.config import Settings
from connector.store import retention
from sync import sweep
from sync.broker import Bell, make_broker
from sync.schedule import Scheduler
from sync.services import Services
from tests.fake_sender import FakeSender
from tests.sync.bodies import shopify_checkout
from tests.sync.working import wait_until, working
from tests.sync.world import Arrival, World, keep

EMAIL = "anna.petit@example.org"


@pytest.fixture
def rung(world: World) -> list[tuple[str, int]]:
    """Every ring, and no work."""
    heard: list[tuple[str, int]] = []
    world.db.on_wake(lambda wake: heard.append((wake.job, wake.shop_id)))
    return heard


def test_a_sweep_finds_waiting_deliveries_due_checkouts_and_due_messages(world: World, woo: World, rung: list[tuple[str, int]]) -> None:
    shop = world.shop.id
    assert sweep.sweep(world.services) == 0

    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))])
    assert sweep.sweep(world.services) == 1
    assert rung == [("apply_inbox", shop)]

    world.turn_on()
    world.arrive("orders/nothing", b"")
    world.go_to(world.at(60))
    rung.clear()
    sweep.sweep(world.services)
    assert rung == [("mark_abandoned", shop)]

    world.abandon()
    rung.clear()
    sweep.sweep(world.services)
    assert rung == [("send_messages", shop)]

    world.send()
    rung.clear()
    assert sweep.sweep(world.services) == 0


def test_without_a_sender_nobody_is_rung_for_messages(world: World, rung: list[tuple[str, int]]) -> None:
    world.turn_on()
    world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
    world.go_to(world.at(60))
    world.abandon()
    rung.clear()

    mute = Services(world.db, world.services.vault, world.services.platforms, None, world.services.settings)
    assert sweep.sweep(mute) == 0
    assert rung == []


def test_a_sweep_keeps_our_clock_in_step_with_the_databases(world: World) -> None:
    world.go_to(world.at(600))
    clock.set_offset(timedelta())

    sweep.sweep(world.services)

    assert abs(clock.now() - world.now()) < timedelta(seconds=5)


def test_cleaning_makes_room_for_the_next_days_and_prunes_whom_nobody_can_reach(world: World) -> None:
    world.arrive("checkouts/update", shopify_checkout("nobody", world.start))
    world.arrive("checkouts/update", shopify_checkout("anna", world.start, email=EMAIL))
    world.execute("update checkouts set last_activity_at = app_now() - interval '8 days'")

    sweep.clean(world.services)
    sweep.clean(world.services)

    assert world.one("checkouts")["platform_id"] == "anna"
    parts = world.rows(
        "select relname from pg_class where relname = 'delivery_bodies_' || to_char(app_now() + interval '2 days', 'YYYYMMDD')"
    )
    assert len(parts) == 1


def test_old_deliveries_are_forgotten_a_few_batches_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(sweep, "FORGET_BATCHES", 3)
    keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout(f"tok-{n}", world.start)) for n in range(9)])
    world.execute("update deliveries set received_at = app_now() - interval '91 days' where id <= (select min(id) + 7 from deliveries)")

    assert [sweep.forget(world.services) for _ in range(3)] == [6, 2, 0]
    assert len(world.rows("select * from deliveries")) == 1


def test_two_schedulers_and_a_worker_do_everything_once_without_a_single_outside_ring(
    world: World, sender: FakeSender, sandbox_settings: Settings
) -> None:
    world.turn_on()
    bell = Bell(make_broker(sandbox_settings), world.services)
    world.db.on_wake(bell.ring)
    schedulers = [Scheduler(world.services) for _ in range(2)]
    threads = [threading.Thread(target=scheduler.run) for scheduler in schedulers]
    with working(bell, threads=4):
        for thread in threads:
            thread.start()
        keep(world.db, world.shop, [Arrival("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))])
        wait_until(lambda: len(world.rows("select * from checkouts")) == 1)
        world.go_to(world.at(61))
        wait_until(lambda: world.messages() == [("sent", None)])
        for scheduler in schedulers:
            scheduler.stop()
        for thread in threads:
            thread.join()

    assert sender.recipients == [EMAIL]


def test_a_turn_that_fails_comes_round_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []

    def fail(services: Services) -> None:
        turns.append(1)
        raise RuntimeError("no")

    monkeypatch.setattr(sweep, "sweep", fail)
    settings = world.services.settings.model_copy(update={"tick_seconds": 0.01})
    scheduler = Scheduler(Services(world.db, world.services.vault, world.services.platforms, None, settings))
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    wait_until(lambda: len(turns) >= 3)
    assert thread.is_alive()
    scheduler.stop()
    thread.join()
