"""
One contestant of the sync as a process of its own: `python -m tests.bench.sync_client '{"way": …}'` prints what it measured as JSON.

Ours read by the adapter, or write by what the engine writes with. The peers go through the `woocommerce` package's list of orders, page
by page, as its README shows it: they read, store each order in a session and commit of its own, or add each page's rows at once.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import create_engine
from woocommerce import API

from connector.canonical import Resource
from connector.config import Settings
from connector.platforms import Access, Reads
from connector.reading import Page
from connector.store.db import app_now, engine_url
from connector.store.work import hold_inbox
from connector.web.composition import Composition, compose
from integrations.registry import make_platforms, make_transport
from sync import taking
from tests.bench import sync_peers, sync_shopify, sync_woo
from tests.bench.sync_ground import KEYS, peak_mib

PAGE = 100
TIMEOUT_SECONDS = 30
AT_ONCE = 500
"""Records in one transaction, as the engine writes them."""
MEASURED = Mapping[str, float]
Ways = Callable[[Mapping[str, Any]], MEASURED]


def read(asked: Mapping[str, Any]) -> MEASURED:
    """Our adapter reads all records of a kind, and nothing else happens to them."""
    settings = Settings.model_validate(asked["settings"])
    with closing(make_transport(settings)) as transport:
        reads, access = _reads(make_platforms(settings, transport)[asked["platform"]].reads, asked)
        began, cpu = time.perf_counter(), time.process_time()
        pages = _pages(reads, access, Resource(asked["resource"]), asked.get("seconds"))
        # Pages overlap where that is how nothing is lost: a record counts once.
        return _measured(len({record.platform_id for page in pages for record in page.records}), began, cpu)


def export(asked: Mapping[str, Any]) -> MEASURED:
    """Our adapter has Shopify write a file, and reads it."""
    settings = Settings.model_validate(asked["settings"])
    with closing(make_transport(settings)) as transport:
        reads, access = _reads(make_platforms(settings, transport)["shopify"].reads, asked)
        what = Resource(asked["resource"])
        export = reads.begin_export(access, what)
        while export.state == "running":
            export = reads.look_at_export(access, export.platform_id)
        began, cpu = time.perf_counter(), time.process_time()
        return _measured(sum(len(page.records) for page in reads.read_export(access, export, what)), began, cpu)


def take(asked: Mapping[str, Any]) -> MEASURED:
    """
    What the engine writes with, on records that were read before the clock starts; customers, then orders.

    `writing`: of these seconds those in which a statement that writes was under way.
    """
    settings = Settings.model_validate(asked["settings"])
    with compose(settings) as app:
        reads, access = _reads(app.services.platforms["woocommerce"].reads, asked)
        pages = [page for kind in (Resource.CUSTOMER, Resource.ORDER) for page in _pages(reads, access, kind, None)]
        records = [record for page in pages for record in page.records]
        blocks = [Page(tuple(records[start : start + AT_ONCE])) for start in range(0, len(records), AT_ONCE)]
        began, cpu = time.perf_counter(), time.process_time()
        with _timed_writes() as writing:
            for block in blocks:
                _take(app, asked["shop_id"], block)
        return {**_measured(len(records), began, cpu), "writing": writing[0]}


def package_read(asked: Mapping[str, Any]) -> MEASURED:
    """The package's loop, and nothing else happens to what it reads."""
    began, cpu = time.perf_counter(), time.process_time()
    return _measured(sum(len(orders) for orders in _listed(asked)), began, cpu)


def package_sessions(asked: Mapping[str, Any]) -> MEASURED:
    """The package's loop with a session and a commit for each order."""
    engine = create_engine(engine_url(asked["url"]))
    began, cpu = time.perf_counter(), time.process_time()
    count = 0
    for orders in _listed(asked):
        for order in orders:
            sync_peers.save_order(engine, asked["shop_id"], order)
            count += 1
    return _measured(count, began, cpu)


def package_add_all(asked: Mapping[str, Any]) -> MEASURED:
    """The package's loop with the rows of each page added at once."""
    engine = create_engine(engine_url(asked["url"]))
    began, cpu = time.perf_counter(), time.process_time()
    count = 0
    for orders in _listed(asked):
        sync_peers.add_orders(engine, asked["shop_id"], orders)
        count += len(orders)
    return _measured(count, began, cpu)


WAYS: Mapping[str, Ways] = {
    "read": read,
    "export": export,
    "take": take,
    "package_read": package_read,
    "package_sessions": package_sessions,
    "package_add_all": package_add_all,
}


@contextmanager
def _timed_writes() -> Iterator[list[float]]:
    """The seconds that statements take which insert or merge rows, until the end of the block."""
    seconds, execute = [0.0], psycopg.Cursor.execute

    def timed(self: psycopg.Cursor[Any], query: Any, *arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(self, query, *arguments, **options)
        finally:
            text = query if isinstance(query, bytes) else str(query).encode()
            if text.lstrip().startswith((b"insert", b"merge")):
                seconds[0] += time.perf_counter() - began

    psycopg.Cursor.execute = timed  # type: ignore[method-assign]
    try:
        yield seconds
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]


def _take(app: Composition, shop_id: int, block: Page) -> None:
    with app.services.db.transaction(shop=shop_id) as session:
        shop = hold_inbox(session, shop_id)
        assert shop is not None
        taking.take(session, app.services, shop, taking.gather([block]), app_now(session))


def _reads(reads: Reads | None, asked: Mapping[str, Any]) -> tuple[Reads, Access]:
    assert reads is not None
    if asked["platform"] == "shopify":
        return reads, Access(asked["shop_id"], sync_shopify.DOMAIN, {"access_token": "shpat_bench", "scope": "read_all_orders"})
    return reads, Access(asked["shop_id"], sync_woo.HOST, KEYS)


def _pages(reads: Reads, access: Access, what: Resource, seconds: float | None) -> Iterator[Page]:
    """All pages, or those that came within so many seconds."""
    end = None if seconds is None else time.monotonic() + seconds
    pages = reads.pages(access, what, None)
    for page in pages:
        yield page
        if end is not None and time.monotonic() > end:
            break


def _listed(asked: Mapping[str, Any]) -> Iterator[Sequence[dict[str, Any]]]:
    """The package's loop: one page after the other, until there is no more."""
    key, secret = KEYS["consumer_key"], KEYS["consumer_secret"]
    address = f"https://127.0.0.1:{asked['port']}"
    api = API(address, key, secret, version="wc/v3", timeout=TIMEOUT_SECONDS, verify_ssl=asked["ca"])
    for number in range(1, asked["orders"] // PAGE + 1):
        answer = api.get("orders", params={"per_page": PAGE, "page": number, "orderby": "id", "order": "asc"})
        answer.raise_for_status()
        orders: list[dict[str, Any]] = answer.json()
        if orders:
            yield orders
        if len(orders) < PAGE:
            return


def _measured(count: int, began: float, cpu: float) -> MEASURED:
    seconds = time.perf_counter() - began
    return {"records": count, "seconds": seconds, "cpu": time.process_time() - cpu, "peak_mib": peak_mib(os.getpid())}


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    print(json.dumps(dict(WAYS[wanted["way"]](wanted))))
