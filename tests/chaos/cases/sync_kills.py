"""
RL-146: a shop is pulled while it sells and its worker is killed again and again, and asked for once more by somebody who clicks twice.

First the backfill that follows an install, then a resync by support. Orders are edited and sold all along; most are told by webhooks,
which are live, some are not told at all while the backfill reads. In the end our rows must be the store's, order by order.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from connector.store.audit import Actor
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.tls import make_certificates
from tests.bench import sync_woo
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.live_store import LiveShop, live_app, order_told
from tests.chaos.posts import Post
from tests.chaos.report import Row
from tests.chaos.size import Size
from tests.chaos.stack import Stack
from tests.conftest import SEALING_KEY, TestShop, install

ORDERS, FEW_ORDERS = 50_000, 1_500
"""In full, and in any smaller run: what is done to so many is the same, and they are read in seconds."""
KILLS = 5
RATE = 20
UNTOLD_EVERY = 5
LATENCY = 0.02
LEASE = timedelta(seconds=16)
"""After so long a dead worker's run is taken over: a short case steps the clock instead of waiting for it."""
RUN_SECONDS, REST_SECONDS = 400.0, 60.0
LOOK_SECONDS = 0.02
SUPPORT = Actor("support of the case")


@dataclass
class Story:
    """The stack, the store and its shop; what was done to them, and what was found wrong."""

    stack: Stack
    db: Database
    store: LiveShop
    shop: TestShop
    rng: random.Random
    is_short: bool
    kills: int = 0
    told: int = 0
    untold: int = 0
    clicks: int = 0
    may_be_silent: bool = True
    ahead: timedelta = timedelta(0)
    violations: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def post(self, number: int) -> Post:
        """One more edit or order. While the backfill reads some of them are told by nobody: another one is, in their place."""
        if self.may_be_silent and number % UNTOLD_EVERY == 0:
            self.untold += 1
            self.store.edit(self.rng.randrange(self.store.count))
        self.told += 1
        if number % 10 == 9:
            return order_told(self.shop, number, self.store.sell(), "order.created")
        return order_told(self.shop, number, self.store.edit(self.rng.randrange(self.store.count)))

    def now(self) -> datetime:
        """The store's clock, which is the database's."""
        return datetime.now(UTC) + self.ahead

    def run_id(self, kind: RunKind) -> int | None:
        """The newest run of a kind."""
        found = self.stack.one("select max(id) from sync_runs where shop_id = %s and kind = %s", self.shop.id, kind.value)
        return int(found) if found is not None else None

    def seen(self, run_id: int) -> int:
        """How many records a run has read."""
        return int(self.stack.one("select coalesce(sum(seen), 0) from sync_slices where run_id = %s", run_id))

    def kill(self) -> None:
        """The worker dies in the middle of the run and comes back; its run goes on once its lease is over."""
        worker = self.stack.worker[0]
        if worker.kill():
            self.kills += 1
        worker.start()
        if self.is_short:
            self.stack.step_clock(LEASE)
            self.ahead += LEASE


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Install, pull, kill, click, compare."""
    orders, kills = ORDERS if size.share >= 1 else FEW_ORDERS, size.count(KILLS, least=2)
    with opened(size, seed, directory, orders) as story:
        driver = Driver(story.stack.ports, story.post, RATE, int(RUN_SECONDS) * RATE)
        driver.start()
        backfill = _await_run(story, RunKind.BACKFILL)
        _kill_within(story, backfill, 2 * orders, kills - 1)
        _click(story, RunKind.BACKFILL, backfill)
        # What nobody tells once most was read would be found by the next reconcile only.
        _await_read(story, backfill, 1.8 * orders)
        story.may_be_silent = False
        _await_end(story, backfill)
        resync = _begin_resync(story)
        _kill_within(story, resync, 2 * orders, 1)
        _click(story, RunKind.RESYNC, resync)
        _await_end(story, resync)
        driver.stop()
        driver.join(REST_SECONDS)
        story.stack.wait_idle(REST_SECONDS)
        _judge(story, driver, resync)
    figures = {"orders": str(orders), "edits told": str(story.told), "untold": str(story.untold), **story.figures}
    title = "a shop is pulled and resynced while it sells, worker killed, clicked twice"
    return [Row("RL-146", title, orders, story.kills + story.untold, story.violations, seed, figures | {"kills": str(story.kills)})]


@contextmanager
def opened(
    size: Size,
    seed: int,
    directory: Path,
    orders: int,
    *,
    shops: int = 0,
    latency: float = LATENCY,
    before: Callable[[Story], None] = lambda story: None,
) -> Iterator[Story]:
    """
    A stack with one worker, and a store that it can call, of which nothing is known here; so many other shops stand beside.

    `before` is done before any role is started.
    """
    with ExitStack() as exits:
        stories: list[Story] = []
        store = LiveShop(orders, lambda: stories[0].now())
        certificates = make_certificates(directory / "tls", [sync_woo.HOST])
        server = LocalServer(live_app(store, lambda: latency), http=False, tls=(certificates.cert_pem, certificates.key_pem))
        server.start()
        exits.callback(server.stop)
        environment = {
            "ADDRESS_MAP": f'{{"{sync_woo.HOST}": "{server.https_address}"}}',
            "EXTRA_CA": str(certificates.ca_pem),
        }
        stack = exits.enter_context(Stack(directory, seed=seed, shops=shops, start=False, environment=environment))
        database = exits.enter_context(closing(Database(stack.postgres.url, pool_size=2)))
        shop = install(database, Vault([SEALING_KEY]), "woocommerce", sync_woo.HOST, "Live")
        _open_shop(stack, shop)
        stories.append(Story(stack, database, store, shop, random.Random(f"{seed}:sync"), is_short=size.share < 1))
        before(stories[0])
        for role in stack.roles:
            role.start()
        stack.wait_ready()
        yield stories[0]


def _open_shop(stack: Stack, shop: TestShop) -> None:
    """Its automation is on since yesterday: whatever is told live and left alone for an hour is worth a message."""
    with stack.connect() as connection:
        connection.execute("update shops set installed_at = app_now() - interval '2 days', threshold_minutes = 60 where id = %s", [shop.id])
        connection.execute("update automations set is_on = true, activated_at = app_now() - interval '1 day' where shop_id = %s", [shop.id])


def _await_run(story: Story, kind: RunKind) -> int:
    if not story.stack.wait_until(lambda: story.run_id(kind) is not None, REST_SECONDS):
        raise TimeoutError(f"no {kind.value} began: {story.stack.scheduler[0].last_words()}")
    run_id = story.run_id(kind)
    assert run_id is not None
    return run_id


def _kill_within(story: Story, run_id: int, total: int, times: int) -> None:
    """Kill the worker at random places of what is to be read."""
    places = sorted(story.rng.uniform(0.05, 0.85) for _ in range(times))
    for place in places:
        if not _await_read(story, run_id, place * total):
            raise TimeoutError(f"the run stands at {story.seen(run_id)} of {total}: {story.stack.worker[0].last_words()}")
        if _is_over(story, run_id):
            story.violations.append("the run was over before its worker could be killed: it proves nothing")
            return
        story.kill()


def _await_read(story: Story, run_id: int, records: float) -> bool:
    """Wait until so many records were read, or the run is over."""
    return story.stack.wait_until(lambda: story.seen(run_id) >= records or _is_over(story, run_id), RUN_SECONDS, LOOK_SECONDS)


def _await_end(story: Story, run_id: int) -> None:
    began = time.monotonic()
    if not story.stack.wait_until(lambda: _is_over(story, run_id), RUN_SECONDS):
        words = story.stack.one("select state || coalesce(': ' || error, '') from sync_runs where id = %s", run_id)
        raise TimeoutError(f"run {run_id} is {words} after {time.monotonic() - began:.0f} s: {story.stack.worker[0].last_words()}")
    state = story.stack.one("select state from sync_runs where id = %s", run_id)
    if state != "done":
        story.violations.append(f"run {run_id} ended {state}: {story.stack.one('select error from sync_runs where id = %s', run_id)}")


def _is_over(story: Story, run_id: int) -> bool:
    return bool(story.stack.one("select state in ('done', 'failed', 'cancelled') from sync_runs where id = %s", run_id))


def _begin_resync(story: Story) -> int:
    with story.db.transaction(shop=story.shop.id) as session:
        made, is_new = sync_runs.begin(session, story.shop.id, RunKind.RESYNC, Scope(), actor=SUPPORT, reason="a case of faults")
        assert is_new
        assert made.id is not None
        return made.id


def _click(story: Story, kind: RunKind, run_id: int) -> None:
    """Somebody asks for the same again while it runs: the run that there is must come back."""
    with story.db.transaction(shop=story.shop.id) as session:
        found, is_new = sync_runs.begin(session, story.shop.id, kind, Scope(), actor=SUPPORT, reason="a second click")
    story.clicks += 1
    if is_new or found.id != run_id:
        story.violations.append(f"a second click began another {kind.value}")


def _judge(story: Story, driver: Driver, resync: int) -> None:
    """Every order as the store has it, one run of each kind, no message, and a proof that says so."""
    lost = sum(one.outcome != "ok" for one in driver.ledger.attempts)
    if lost:
        story.violations.append(f"{lost} webhooks were not acknowledged")
    ours, theirs = _kept(story), _expected(story)
    story.figures["orders compared"] = str(len(theirs))
    story.violations += [f"order {name}: ours {ours.get(name)}, the store's {theirs.get(name)}" for name in _unlike(ours, theirs)]
    runs = story.stack.one("select count(*) from sync_runs where shop_id = %s and kind in ('backfill', 'resync')", story.shop.id)
    if runs != 2:
        story.violations.append(f"{runs} runs, not a backfill and a resync")
    messages = story.stack.one("select count(*) from messages") + story.stack.sink.count
    if messages:
        story.violations.append(f"{messages} messages came of it")
    _judge_people(story)
    with story.db.transaction(shop=story.shop.id) as session:
        found = sync_runs.last_run(session, story.shop.id, RunKind.RESYNC)
        assert found is not None
        assert found.id == resync
        view = sync_runs.view(session, found)
        if not view.is_proven:
            story.violations.append(f"the resync has no proof: {[(one.resource, one.state, one.remaining) for one in view.slices]}")
    again = story.stack.one("select coalesce(sum(seen), 0) from sync_slices s join sync_runs r on r.id = s.run_id where r.id = %s", resync)
    story.figures["records read by the resync"] = str(again)


def _judge_people(story: Story) -> None:
    """What belongs to orders: customers once each, and lines."""
    for name, wanted in (("customers", story.store.customers), ("order_lines", len(story.store.bought()) * sync_woo.LINES)):
        found = story.stack.one(f"select count(*) from {name} where shop_id = %s", story.shop.id)
        if found != wanted:
            story.violations.append(f"{found} {name}, not {wanted}")


def _kept(story: Story) -> dict[str, tuple[str, ...]]:
    """What our rows say of each order."""
    with story.stack.connect() as connection:
        rows = connection.execute(
            "select platform_id, platform_status, first_name, total::numeric(12, 2)::text,"
            " to_char(source_version at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), email_norm, array_to_string(discount_codes, ',')"
            " from orders where shop_id = %s and deleted_at is null",
            [story.shop.id],
        ).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def _expected(story: Story) -> dict[str, tuple[str, ...]]:
    """The same of what the store says."""
    return {
        str(one["id"]): (
            one["status"],
            one["billing"]["first_name"],
            one["total"],
            one["date_modified_gmt"],
            one["billing"]["email"],
            ",".join(line["code"] for line in one["coupon_lines"]),
        )
        for one in story.store.bought()
    }


def _unlike(ours: dict[str, tuple[str, ...]], theirs: dict[str, tuple[str, ...]]) -> list[str]:
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


CASE = Case("sync_kills", ("RL-146",), run, seconds=15)
