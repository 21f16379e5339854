"""A door without a server: requests go in as ASGI calls, deliveries come to rest in the test database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from connector.platforms import Platform
from connector.store.db import Database
from connector.store.deliveries import Incoming
from connector.store.keeping import Keeper, ShopReader, StoreUnavailable
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.fakes import FakePlatform, sign
from webhooks.directory import ShopDirectory
from webhooks.door import App, Door, Message, Receive, Scope, Send
from webhooks.inbox import Inbox, Limits

BODY = b'{"id": "c1", "at": "2026-11-21T10:00:00Z", "currency": "EUR", "total": "12.50"}'
SHOPIFY = "/webhooks/shopify"
MAX_BODY = 10_000


@dataclass(frozen=True)
class Reply:
    """What was answered. Status 0: nothing, because the sender had gone."""

    status: int
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""


async def send_request(
    app: App,
    path: str = SHOPIFY,
    headers: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]] = (),
    body: bytes | Sequence[bytes] = BODY,
    *,
    method: str = "POST",
    hangs_up: bool = False,
) -> Reply:
    """One request, its body in one piece or several; `hangs_up` leaves before the last piece."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces)} for number, piece in enumerate(pieces, 1)
    ]
    if hangs_up:
        messages[-1] = {"type": "http.disconnect"}
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    await app({"type": "http", "method": method, "path": path, "headers": pairs}, receive, send)
    if not sent:
        return Reply(0)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    answered = dict(sent[0]["headers"])
    assert int(answered[b"content-length"]) == len(sent[1]["body"])
    return Reply(sent[0]["status"], answered, sent[1]["body"])


async def inner_app(scope: Scope, receive: Receive, send: Send) -> None:
    """What stands behind the door: says 418 to everything."""
    await send({"type": "http.response.start", "status": 418, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Stand:
    """A running door and what belongs to it; `woken` lists the shops that were woken, in order."""

    door: Door
    inbox: Inbox
    directory: ShopDirectory
    woken: list[int]

    async def post(self, headers: Mapping[bytes, bytes], body: bytes | Sequence[bytes] = BODY, path: str = SHOPIFY, **more: Any) -> Reply:
        """Post to the door."""
        return await send_request(self.door, path, headers, body, **more)


@asynccontextmanager
async def open_door(
    url: str, vault: Vault, *, limits: Limits | None = None, platforms: Mapping[str, Platform] | None = None
) -> AsyncIterator[Stand]:
    """A door on a database, with a FakePlatform of each kind unless others are given."""
    woken: list[int] = []
    inbox = Inbox(Keeper(url), woken.append, limits, [Keeper(url), Keeper(url)])
    directory = ShopDirectory(ShopReader(url), vault)
    fakes: Mapping[str, Platform] = {"shopify": FakePlatform(), "woocommerce": FakePlatform(shop_in_path=True)}
    door = Door(fakes if platforms is None else platforms, inbox, directory, MAX_BODY, inner_app)
    await directory.start()
    await inbox.start()
    try:
        yield Stand(door, inbox, directory, woken)
    finally:
        await inbox.stop()
        await directory.stop()


def make_incoming(number: int = 1, shop_id: int | None = None, **changes: Any) -> Incoming:
    """A row for the inbox; the number makes its key."""
    values: dict[str, Any] = {
        "platform": "shopify",
        "topic": "checkouts/update",
        "shop_id": shop_id,
        "key": number.to_bytes(32, "big"),
        "triggered_at": None,
        "headers": "content-type: application/json\n",
        "body": BODY,
    }
    return Incoming(**{**values, **changes})


async def until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition, some seconds at most."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - the conditions are no events
            await asyncio.sleep(0.005)


@dataclass
class FakeKeeper:
    """
    Keeps in memory. Each batch waits for `gate`; `bad` are keys that it refuses.

    `failures` come first, one for each connection or batch; `fails_at` names batches, counted from 1, that lose the
    connection. `batches` lists the sizes of all batches that were tried.
    """

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    kept: dict[bytes, Incoming] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    fails_at: set[int] = field(default_factory=set)
    bad: set[bytes] = field(default_factory=set)
    is_open: bool = False

    async def open(self, seconds: float = 2.0) -> None:
        """Open, unless the next failure is for us."""
        if self.failures:
            raise self.failures.pop(0)
        self.is_open = True

    async def keep(self, rows: Sequence[Incoming], seconds: float) -> set[int]:
        """Keep all or nothing."""
        self.batches.append(len(rows))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if len(self.batches) in self.fails_at:
            raise StoreUnavailable("gone")
        if any(row.key in self.bad for row in rows):
            raise ValueError("a bad row")
        new = [row for row in rows if row.key not in self.kept]
        self.kept |= {row.key: row for row in new}
        return {row.shop_id for row in new if row.shop_id is not None}

    def abort(self) -> None:
        """Nothing hangs here."""

    async def close(self) -> None:
        """Closed."""
        self.is_open = False


def kept(db: Database) -> list[dict[str, Any]]:
    """Everything in the inbox, with its body."""
    with db.system_transaction("look at the inbox") as session:
        rows = session.execute(
            text("select d.*, b.headers, b.body from deliveries d join delivery_bodies b on b.delivery_id = d.id order by d.id")
        )
        return [dict(row) for row in rows.mappings()]


def woo_path(shop: TestShop) -> str:
    """The shop's own webhook address."""
    return f"/webhooks/woocommerce/{shop.shop_key}"


def woo_sign(shop: TestShop, body: bytes = BODY, **more: str) -> dict[bytes, bytes]:
    """A delivery signed by the shop."""
    return sign(body, shop.webhook_secret.encode(), **more)
