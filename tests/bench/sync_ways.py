"""What is measured of the sync, one thing after the other; each returns plain figures."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis

from connector.canonical import Resource
from connector.rules.syncing import RunKind, Scope
from connector.web.composition import Composition, compose
from tests.bench import processes, sync_shopify, sync_woo
from tests.bench.sync_ground import SyncGround, peak_mib, store
from tests.bench.sync_server import Manner

WORKERS, BASE, PER_RECORD = 4, 0.3, 0.02
"""The model of a small store: so many requests at once, seconds for each and for each of its orders."""
CEILING = WORKERS * sync_woo.MOST_ON_A_PAGE / (BASE + PER_RECORD * sync_woo.MOST_ON_A_PAGE)
"""Orders a second that it can give at most, in whole pages."""
MODEL_SECONDS, SLOWER_SECONDS = 60.0, 25.0
MODEL_ORDERS = 16_000
BACK_OFF_PAGES = 3
BUCKET_SECONDS = 40.0
RUN_SECONDS = 280.0
WHOLE = (Resource.PRODUCT, Resource.CUSTOMER, Resource.ORDER, Resource.DISCOUNT_CODE)


@dataclass(frozen=True, slots=True)
class Stored:
    """One whole sync by our worker: orders and rows a second, what the worker held at most in MiB."""

    orders: float
    rows: float
    peak_mib: float


@dataclass(slots=True)
class Model:
    """How our reading used the small store: orders a second, and how many calls were under way before and after it became slow."""

    rate: float = 0.0
    before: int = 0
    after: int = 0
    counted: int = 0


@dataclass(frozen=True, slots=True)
class Unchanged:
    """What a second sync of the same records did."""

    writes: int
    messages: int
    differences: int
    records: int
    seconds: float


@dataclass(slots=True)
class Bench:
    """A ground with one WooCommerce store of so many orders."""

    sync: SyncGround
    orders: int
    port: int
    stack: ExitStack = field(default_factory=ExitStack)

    def client(self, way: str, orders: int, **more: Any) -> Mapping[str, float]:
        """One contestant in a process of its own, on the first so many orders."""
        asked = {
            "way": way,
            "settings": self.sync.words({sync_woo.HOST: self.port}),
            "platform": "woocommerce",
            "shop_id": self.sync.woocommerce_id,
            "port": self.port,
            "ca": str(self.sync.certificates.ca_pem),
            "url": self.sync.ground.url,
            "resource": Resource.ORDER.value,
            "orders": orders,
        }
        return self.sync.client({**asked, **more})

    def rate(self, way: str, orders: int, **more: Any) -> float:
        """Records a second. Raises RuntimeError if not all of them came."""
        found = self.client(way, orders, **more)
        if found["records"] < orders:
            raise RuntimeError(f"{way} brought {found['records']} of {orders}: this measures nothing")
        return found["records"] / found["seconds"]

    def slow_down(self, latency: float) -> None:
        """From now on each page takes so many seconds."""
        self.sync.behave(self.port, Manner(latency=latency))


@contextmanager
def opened(sync: SyncGround, orders: int) -> Any:
    """A store with so many orders and what can be asked of it."""
    with store(sync, "woocommerce", orders) as port:
        yield Bench(sync, orders, port)


def store_whole(sync: SyncGround, port: int, orders: int) -> Stored:
    """Our worker syncs a whole shop into empty tables. Raises RuntimeError unless all is there afterwards."""
    sync.empty()
    before = sync.written()
    with _worked(sync, {sync_woo.HOST: port}) as (app, pid):
        found = sync.wait(app, sync.begin(app, sync.woocommerce_id, RunKind.BACKFILL, Scope(resources=WHOLE)), RUN_SECONDS)
        peak = peak_mib(pid)
    _check(sync, orders)
    after = sync.written()
    rows = sum(after.values()) - sum(before.values())
    return Stored(orders / found["seconds"], rows / found["seconds"], peak)


def sync_again(sync: SyncGround, port: int) -> Unchanged:
    """Our worker reads the same shop again. What it writes of it is counted, and so is what it sends."""
    before, messages = sync.written(), sync.number("select count(*) from messages")
    with _worked(sync, {sync_woo.HOST: port}) as (app, _):
        run_id = sync.begin(app, sync.woocommerce_id, RunKind.RESYNC, Scope(resources=WHOLE))
        found = sync.wait(app, run_id, RUN_SECONDS)
    after = sync.written()
    return Unchanged(
        writes=sum(after.values()) - sum(before.values()),
        messages=sync.number("select count(*) from messages") - messages,
        differences=sync.number(f"select sum(missing + changed) from sync_slices where run_id = {run_id}"),
        records=found["seen"],
        seconds=found["seconds"],
    )


def store_export(sync: SyncGround, orders: int) -> Stored:
    """Our worker syncs a whole Shopify shop out of bulk operations."""
    sync.empty()
    before = sync.written()
    with store(sync, "shopify", orders) as port:
        ports = {sync_shopify.DOMAIN: port, sync_shopify.FILE_HOST: port}
        with _worked(sync, ports) as (app, pid):
            scope = Scope(resources=(Resource.CUSTOMER, Resource.ORDER))
            found = sync.wait(app, sync.begin(app, sync.shopify_id, RunKind.BACKFILL, scope), RUN_SECONDS)
            peak = peak_mib(pid)
    _check(sync, orders)
    rows = sum(sync.written().values()) - sum(before.values())
    return Stored(orders / found["seconds"], rows / found["seconds"], peak)


def upserts(bench: Bench, orders: int) -> tuple[float, float]:
    """Rows a second by the statements that write them, and by all that the engine does with records that were read."""
    bench.sync.empty()
    before = bench.sync.written()
    found = bench.client("take", orders)
    rows = sum(bench.sync.written().values()) - sum(before.values())
    return rows / found["writing"], rows / found["seconds"]


def copied(sync: SyncGround) -> float:
    """Rows a second by a binary COPY of what the tables hold into tables like them, indexes and all."""
    tables, count, seconds = ("customers", "contacts", "orders", "order_lines"), 0, 0.0
    with psycopg.connect(sync.ground.url) as connection:
        for name in tables:
            connection.execute(f"create table copy_of_{name} (like {name} including all)".encode())
        connection.commit()
        for name in tables:
            with connection.cursor().copy(f"copy {name} to stdout (format binary)".encode()) as out:
                blocks = list(out)
            began = time.perf_counter()
            cursor = connection.cursor()
            with cursor.copy(f"copy copy_of_{name} from stdin (format binary)".encode()) as into:
                for block in blocks:
                    into.write(block)
            connection.commit()
            seconds += time.perf_counter() - began
            count += cursor.rowcount
        for name in tables:
            connection.execute(f"drop table copy_of_{name}".encode())
    return count / seconds


def use_model(sync: SyncGround) -> Model:
    """Our reading of the small store, which becomes twice as slow in the middle."""
    with opened(sync, MODEL_ORDERS) as bench:
        sync.behave(bench.port, Manner(workers=WORKERS, base=BASE, per_record=PER_RECORD))
        slowed: list[float] = []

        def slow_down() -> None:
            sync.behave(bench.port, Manner(workers=WORKERS, base=BASE, per_record=PER_RECORD, factor=2.0))
            slowed.append(time.monotonic())

        with processes.later(MODEL_SECONDS, slow_down):
            bench.client("read", 0, seconds=MODEL_SECONDS + SLOWER_SECONDS)
        return to_model([one for one in sync.log(bench.port) if one["answered"]], slowed[0])


def to_model(asked: Sequence[Mapping[str, float]], slowed_at: float) -> Model:
    """What the store's log says: it has the same clock as we."""
    came = min(one["came"] for one in asked)
    answered = [one for one in asked if one["answered"] <= slowed_at]
    model = Model(rate=sum(one["records"] for one in answered) / (slowed_at - came))
    model.before = _under_way(asked, slowed_at)
    slow = sorted(one["answered"] for one in asked if one["factor"] > 1)[:BACK_OFF_PAGES]
    model.counted = len(slow)
    if slow:
        # What was asked for before stays under way until it is answered; those beyond the new measure are not followed by others.
        model.after = _under_way(asked, slow[-1] + 0.1)
    return model


def use_bucket(sync: SyncGround) -> tuple[float, int]:
    """The share of a bucket's refill that our reading of pages used once the bucket was empty, and how many calls were refused."""
    with store(sync, "shopify", 20_000) as port:
        words = sync.words({sync_shopify.DOMAIN: port})
        asked = {"way": "read", "settings": words, "platform": "shopify", "shop_id": sync.shopify_id}
        sync.client({**asked, "resource": Resource.ORDER.value, "seconds": BUCKET_SECONDS})
        log = sync.log(port)
    return to_share(log["calls"], log["per_second"]), int(log["throttled"])


def to_share(calls: Sequence[Sequence[float]], per_second: float) -> float:
    """Points spent a second of those that came in, from the first call that left less than the next one has to find, to the last."""
    short = [index for index, (_, _, left, wanted) in enumerate(calls) if left < wanted]
    if not short or short[0] == len(calls) - 1:
        return 0.0
    after = calls[short[0] :]
    return sum(cost for _, cost, _, _ in after[1:]) / (per_second * (after[-1][0] - after[0][0]))


def read_export(sync: SyncGround, orders: int) -> Mapping[str, float]:
    """Our adapter reads a bulk operation's file of orders, and nothing else happens to them."""
    with store(sync, "shopify", orders) as port:
        words = sync.words({sync_shopify.DOMAIN: port, sync_shopify.FILE_HOST: port})
        asked = {"way": "export", "settings": words, "platform": "shopify", "shop_id": sync.shopify_id}
        found = sync.client({**asked, "resource": Resource.ORDER.value})
    if found["records"] != orders:
        raise RuntimeError(f"{found['records']} of {orders} orders came out of the file: {json.dumps(found)}")
    return found


@contextmanager
def _worked(sync: SyncGround, ports: Mapping[str, int]) -> Any:
    """A worker of ours and the means to ring for it; the doorbell knows of no earlier one."""
    with redis.Redis.from_url(sync.ground.redis_url) as client:
        client.flushall()
    with processes.worker(sync.ground, sync.environment(ports)) as pid:
        app: Composition
        with compose(sync.settings(ports)) as app:
            yield app, pid


def _check(sync: SyncGround, orders: int) -> None:
    found = [sync.number(f"select count(*) from {name}") for name in ("orders", "customers", "order_lines")]
    if found != [orders, orders, orders * sync_woo.LINES]:
        raise RuntimeError(f"the tables hold {found} orders, customers and lines of {orders}: this measures nothing")


def _under_way(asked: Sequence[Mapping[str, float]], at: float) -> int:
    return sum(one["came"] <= at < one["answered"] for one in asked)
