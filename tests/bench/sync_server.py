"""
The stores of the sync's benchmarks as servers: WooCommerce's REST API and Shopify's bulk operations, each on loopback, with TLS.

Made by functions here for `uvicorn --factory`; how many orders the store has is in the environment (BENCH_ORDERS). How it answers is set
by `POST /bench/manner`, and `GET /bench/log` tells what was asked. A server ends by itself once whoever started it is gone.
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.bench.contestants import App, Receive, Scope, Send, body_of
from tests.bench.sync_shopify import FILES, GRAPHQL, ShopifyShop
from tests.bench.sync_woo import BEGIN, Shop

LIFE_SECONDS = 1200.0
"""No server lives longer, whatever becomes of the others."""
PIECE = 1024 * 1024


@dataclass(slots=True)
class Manner:
    """
    How a store answers: `latency` seconds for each page, and `base` and `per_record` seconds of one of `workers` (0: as many as asked).

    `factor` makes all of that longer.
    """

    latency: float = 0.0
    workers: int = 0
    base: float = 0.0
    per_record: float = 0.0
    factor: float = 1.0

    def seconds(self, records: int) -> float:
        """How long a page takes once a worker has it."""
        return self.factor * (self.latency + self.base + self.per_record * records)


@dataclass(slots=True)
class Asked:
    """One request: when it came and was answered, how many records it brought, how slow the worker was that took it."""

    came: float
    factor: float = 1.0
    answered: float = 0.0
    records: int = 0


@dataclass(slots=True)
class Desk:
    """A store's workers, and what they were asked since the manner was set."""

    manner: Manner = field(default_factory=Manner)
    asked: list[Asked] = field(default_factory=list)
    room: asyncio.Semaphore | None = None

    def behave(self, manner: Manner) -> None:
        """From now on like this; another `factor` alone leaves workers and log as they are."""
        if manner.workers != self.manner.workers or manner.factor == 1.0:
            self.room = asyncio.Semaphore(manner.workers) if manner.workers else None
            self.asked = []
        self.manner = manner

    async def serve(self, asked: Asked) -> None:
        """Take as long as such a page takes."""
        async with self.room or nullcontext():
            asked.factor = self.manner.factor
            await asyncio.sleep(self.manner.seconds(asked.records))


def woocommerce() -> App:
    """The prerendered WooCommerce store. Its first record was made at BENCH_BEGIN (ISO 8601, with offset) if that is said."""
    begin = datetime.fromisoformat(os.environ["BENCH_BEGIN"]) if "BENCH_BEGIN" in os.environ else BEGIN
    shop, desk = Shop(int(os.environ["BENCH_ORDERS"]), begin), Desk()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body = await body_of(receive)
        path = scope["path"]
        if path.startswith("/bench/"):
            await _reply(send, 200, _desk(desk, path, body))
            return
        asked = Asked(time.monotonic())
        desk.asked.append(asked)
        found = shop.answer(path, dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)))
        asked.records = found.records
        await desk.serve(asked)
        asked.answered = time.monotonic()
        totals = [(b"x-wp-total", str(found.total).encode()), (b"x-wp-totalpages", str(found.pages).encode())]
        await _reply(send, found.status, found.body, totals)

    return app


def shopify() -> App:
    """The prerendered Shopify store: bulk operations with their files, and pages under a bucket."""
    shop = ShopifyShop(int(os.environ["BENCH_ORDERS"]), per_second=float(os.environ.get("BENCH_PER_SECOND", "100")))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body = await body_of(receive)
        path = scope["path"]
        if path == "/bench/log":
            await _reply(send, 200, json.dumps(shop.bucket_log()).encode())
        elif path == GRAPHQL:
            await _reply(send, 200, shop.answer(json.loads(body)))
        elif path.startswith(FILES):
            await _send_file(send, shop, path.removeprefix(FILES))
        else:
            await _reply(send, 404, b"{}")

    return app


def _desk(desk: Desk, path: str, body: bytes) -> bytes:
    if path == "/bench/manner":
        wanted: Mapping[str, Any] = json.loads(body)
        desk.behave(Manner(**wanted))
        return b"{}"
    return json.dumps([asdict(one) for one in desk.asked]).encode()


async def _live(receive: Receive, send: Send) -> None:
    """The lifespan protocol, with somebody who looks whether the parent is still there."""
    await receive()
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _watch(parent: int) -> None:
    end = time.monotonic() + LIFE_SECONDS
    while os.getppid() == parent and time.monotonic() < end:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


async def _reply(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    fields = [(b"content-type", b"application/json; charset=UTF-8"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def _send_file(send: Send, shop: ShopifyShop, name: str) -> None:
    """A bulk operation's file, stamped piece by piece."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/jsonl")]})
    for piece in shop.file(name, PIECE):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})
