"""
A WooCommerce store that sells while it is read: the benchmarks' store, whose orders are edited and added meanwhile.

Every edit and every new order is a signed webhook as well, which the caller posts or keeps back. One order in UNPAID_EVERY waits for its
payment since long: told by a webhook, it would be worth a message.
"""

import asyncio
import base64
import bisect
import hmac
import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.bench import sync_woo
from tests.bench.contestants import App, Receive, Scope, Send
from tests.bench.sync_woo import API, FIRST_ORDER, Answer, Shop
from tests.chaos.posts import Post, delivery_key
from tests.conftest import TestShop

UNPAID_EVERY = 50
UNPAID = "pending"
ORDERS = f"{API}orders"
Moment = tuple[datetime, int]


class LiveShop:
    """Thread-safe. `now` is the store's clock; `orders` are there from the beginning."""

    def __init__(self, orders: int, now: Callable[[], datetime]) -> None:
        self._shop = Shop(2 * orders)
        self._customers = Shop(orders)
        self.customers = orders
        self._now = now
        self._lock = threading.Lock()
        self._changed: dict[int, bytes] = {}
        self._moments: list[Moment] = [(sync_woo.modified_at(place), place) for place in range(orders)]
        self._when = [at for at, _ in self._moments]
        self._unpaid = frozenset(range(0, orders, UNPAID_EVERY))
        waits = {"status": UNPAID, **dict.fromkeys(("date_paid", "date_paid_gmt", "date_completed", "date_completed_gmt"))}
        for place in self._unpaid:
            self._changed[place] = _encoded(self._order(place) | waits)
        self._edits = itertools.count(1)

    @property
    def count(self) -> int:
        """How many orders there are, those that wait for payment among them."""
        with self._lock:
            return len(self._when)

    def edit(self, place: int) -> bytes:
        """
        Somebody changes a name on an order, paid or not; its body from now on.

        Of an order that changed in this very second it is the next one: a store stamps whole seconds, so of two versions of one second
        nobody can tell from webhooks which came last; the next reconcile asks.
        """
        with self._lock:
            while self._when[place] == self._second():
                place = (place + 1) % len(self._when)
            return self._write(place, self._order(place), f"Edited {next(self._edits)}")

    def sell(self) -> bytes:
        """One more order; its body."""
        with self._lock:
            place = len(self._when)
            bisect.insort(self._moments, (sync_woo.modified_at(place), place))
            self._when.append(sync_woo.modified_at(place))
            return self._write(place, self._order(place), f"New {place}")

    def bought(self) -> list[dict[str, Any]]:
        """All orders that were paid, as the API tells them now."""
        with self._lock:
            every = [self._order(place) for place in range(len(self._when))]
        return [one for one in every if one["status"] != UNPAID]

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Any GET below /wp-json/."""
        if path == ORDERS:
            with self._lock:
                return self._list(query)
        if path.startswith(f"{ORDERS}/"):
            place = int(path.removeprefix(f"{ORDERS}/")) - FIRST_ORDER
            with self._lock:
                return Answer(200, self._body(place)) if 0 <= place < len(self._when) else Answer(404, sync_woo.NOTHING)
        return self._customers.answer(path, query)

    def _list(self, query: Mapping[str, str]) -> Answer:
        size = int(query.get("per_page", "10"))
        if not 1 <= size <= sync_woo.MOST_ON_A_PAGE:
            return Answer(400, sync_woo.BAD_PAGE)
        places = self._chosen(query)
        if query.get("order", "desc") != "asc":
            places = places[::-1]
        begin = int(query["offset"]) if "offset" in query else (int(query.get("page", "1")) - 1) * size
        shown = places[begin : begin + size]
        if query.get("_fields") == "id":
            body = json.dumps([{"id": FIRST_ORDER + place} for place in shown]).encode()
        else:
            body = b"[%s]" % b",".join(map(self._body, shown))
        return Answer(200, body, len(places), -(-len(places) // size), len(shown))

    def _chosen(self, query: Mapping[str, str]) -> Sequence[int]:
        """The places that are asked for, oldest change first, or by number."""
        if "include" in query:
            asked = sorted(int(one) - FIRST_ORDER for one in query["include"].split(",") if one.strip().isdecimal())
            return [place for place in asked if 0 <= place < len(self._when)]
        first, last = 0, len(self._moments)
        if "modified_after" in query:
            first = bisect.bisect_right(self._moments, _instant(query["modified_after"]), key=lambda one: one[0])
        if "modified_before" in query:
            last = bisect.bisect_left(self._moments, _instant(query["modified_before"]), key=lambda one: one[0])
        places = [place for _, place in self._moments[first:last]]
        statuses = set(query.get("status", "any").split(","))
        if "any" not in statuses:
            places = [place for place in places if self._status(place) in statuses]
        return places if query.get("orderby") == "modified" else sorted(places)

    def _status(self, place: int) -> str:
        return UNPAID if place in self._unpaid else "completed"

    def _order(self, place: int) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self._body(place))
        return body

    def _body(self, place: int) -> bytes:
        return self._changed.get(place) or self._shop.answer(f"{ORDERS}/{FIRST_ORDER + place}", {}).body

    def _second(self) -> datetime:
        return self._now().astimezone(UTC).replace(microsecond=0)

    def _write(self, place: int, order: dict[str, Any], name: str) -> bytes:
        """Change an order now: it moves to the end of those that changed."""
        now = self._second()
        self._moments.pop(bisect.bisect_left(self._moments, (self._when[place], place)))
        self._when[place] = now
        bisect.insort(self._moments, (now, place))
        at = f"{now:%Y-%m-%dT%H:%M:%S}"
        order |= {"date_modified": at, "date_modified_gmt": at, "billing": order["billing"] | {"first_name": name}}
        self._changed[place] = _encoded(order)
        return self._changed[place]


def live_app(shop: LiveShop, latency: Callable[[], float]) -> App:
    """The store as a server; each answer takes so many seconds."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        found = await asyncio.to_thread(shop.answer, scope["path"], query)
        await asyncio.sleep(latency())
        fields = [
            (b"content-type", b"application/json; charset=UTF-8"),
            (b"content-length", str(len(found.body)).encode()),
            (b"x-wp-total", str(found.total).encode()),
            (b"x-wp-totalpages", str(found.pages).encode()),
        ]
        await send({"type": "http.response.start", "status": found.status, "headers": fields})
        await send({"type": "http.response.body", "body": found.body})

    return app


def order_told(shop: TestShop, number: int, body: bytes, topic: str = "order.updated") -> Post:
    """The signed webhook of an order's body."""
    signature = base64.b64encode(hmac.digest(shop.webhook_secret.encode(), body, "sha256")).decode()
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Delivery-ID": f"live-{number}",
        "X-WC-Webhook-Signature": signature,
    }
    return Post(f"/webhooks/woocommerce/{shop.shop_key}", headers, body, delivery_key(shop.domain, f"live-{number}"))


def _encoded(order: Mapping[str, Any]) -> bytes:
    return json.dumps(order, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
