"""Whole runs over a store: what they write begins nothing and changes no past attribution; and re-reads are as quiet as who wanted them."""

from dataclasses import replace

import pytest

from connector.canonical import Resource
from connector.rules.syncing import RunKind, Scope
from connector.store import wanted
from sync import rereads
from tests.factories import make_checkout, make_order
from tests.sync.quiet_kit import NOTHING, Told, tell
from tests.sync.sync_stage import SyncStage
from tests.sync.telling import FakeReads
from tests.sync.test_rereads import PROFILE, Store
from tests.sync.world import World

EVERYTHING = Scope((Resource.ORDER, Resource.CHECKOUT))
CHECKOUT = (Resource.CHECKOUT, "tok-1")


@pytest.fixture
def stage(world: World) -> SyncStage:
    """A shop whose automation is on, and its store."""
    world.turn_on()
    return SyncStage(world)


def hold(stage: SyncStage, *names: str) -> None:
    """These checkouts, each of another person, are in the store."""
    start = stage.world.start
    for name in names:
        one = make_checkout(start, created_at=start, platform_id=name, token=name, email=f"{name}@example.org")
        stage.reads.records.setdefault(Resource.CHECKOUT, {})[name] = one


@pytest.mark.spec("BX-46")
def test_a_first_import_writes_everything_fires_nothing_and_refuses_a_second_one_while_it_runs(stage: SyncStage) -> None:
    hold(stage, "a", "b")
    stage.hold_orders(3)
    first, is_new = stage.begin(RunKind.BACKFILL, EVERYTHING)
    second, is_second_new = stage.begin(RunKind.BACKFILL, EVERYTHING)
    assert (is_new, is_second_new, second.public_id) == (True, False, first.public_id)

    stage.work(first)
    told = Told(stage.world)
    told.wait(days=2)
    assert (stage.kept("checkouts"), stage.kept()) == (["a", "b"], ["1", "2", "3"])
    assert told.begun() == NOTHING
    assert stage.world.messages() == []


@pytest.mark.spec("C87")
def test_a_resync_sends_no_messages_and_changes_no_past_attribution(stage: SyncStage) -> None:
    world = stage.world
    left = make_checkout(world.start, created_at=world.start)
    ours = make_order(world.at(20))
    tell(world.services, world.shop.id, left, ours)
    columns = "select converted_order_id, converted_at, converted_by from checkouts where shop_id = :shop and platform_id = 'tok-1'"
    before = world.rows(columns)
    assert before[0]["converted_at"] == world.at(20)
    # The store has the order under another name now, one more that fits better, and checkouts that nobody told us of.
    stage.reads.hold(replace(ours, source_version=world.at(30), email="other@example.org"))
    stage.reads.hold(make_order(world.at(10), platform_id="better", checkout_token="tok-1"))
    hold(stage, "a", "b")

    view = stage.resync(EVERYTHING)
    told = Told(world)
    told.wait(days=2)
    assert view.run.state == "done"
    assert stage.kept() == ["6210", "better"]
    assert world.rows("select email from orders where platform_id = '6210'") == [{"email": "other@example.org"}]
    assert world.rows(columns) == before
    assert told.begun() == NOTHING | {"decisions": 1}
    assert world.reasons() == ["purchased"]


@pytest.fixture
def store(world: World) -> Store:
    """A store that can be asked for its one checkout."""
    world.turn_on()
    store = Store(world)
    reads: FakeReads = store.reads
    assert reads.profile is PROFILE
    reads.records[CHECKOUT] = make_checkout(world.start, created_at=world.start)
    return store


def want(store: Store, *, is_quiet: bool) -> None:
    """Somebody wants the checkout read."""
    with store.world.db.transaction(shop=store.world.shop.id) as session:
        wanted.want(session, store.world.shop.id, [CHECKOUT], is_quiet=is_quiet)


@pytest.mark.parametrize(("wishes", "is_quiet"), [((True,), True), ((True, False), False), ((False, True), False), ((False,), False)])
def test_a_record_is_read_quietly_only_if_nobody_but_a_sync_wants_it(store: Store, wishes: tuple[bool, ...], is_quiet: bool) -> None:
    for wish in wishes:
        want(store, is_quiet=wish)

    assert store.reread() == 1
    assert store.world.one("checkouts")["is_quiet"] is is_quiet
    assert (store.world.one("checkouts")["due_at"] is None) is is_quiet


def test_what_the_store_made_us_want_while_it_was_read_quietly_is_read_once_more(store: Store) -> None:
    want(store, is_quiet=True)
    store.reads.while_asked = lambda: want(store, is_quiet=False)
    assert store.reread() == 1
    assert store.world.one("checkouts")["is_quiet"] is True

    store.reads.while_asked = None
    assert rereads.reread(store.world.services, store.world.shop.id) == 1
    assert store.world.one("checkouts")["is_quiet"] is False
    assert store.wishes() == []


def test_quiet_and_live_wishes_are_not_read_together(store: Store) -> None:
    ids = ("a", "b", "c")
    for one in ids:
        store.reads.records[Resource.CHECKOUT, one] = make_checkout(
            store.world.start, created_at=store.world.start, platform_id=one, token=one
        )
    with store.world.db.transaction(shop=store.world.shop.id) as session:
        wanted.want(session, store.world.shop.id, [(Resource.CHECKOUT, "a"), (Resource.CHECKOUT, "c")], is_quiet=True)
        wanted.want(session, store.world.shop.id, [(Resource.CHECKOUT, "b")])

    assert sorted([store.reread(), store.reread()]) == [1, 2]
    rows = store.world.rows("select platform_id, is_quiet from checkouts where shop_id = :shop order by platform_id")
    assert [tuple(row.values()) for row in rows] == [("a", True), ("b", False), ("c", True)]
