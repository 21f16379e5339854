"""
The servers that our door is compared with: each answers the same signed webhook, each is an ASGI application made by a function here.

What the makers need is in the environment: BENCH_SECRET, and for the one that stores BENCH_DATABASE_URL.
"""

import hashlib
import hmac
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from sqlalchemy import create_engine
from sqlmodel import Session, col, select

from connector.store.db import engine_url
from connector.store.inbox_tables import DeliveryBodyRow, DeliveryRow
from connector.store.tables import ShopRow
from tests.bench.load import SHOP

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OK = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
DENIED = {"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]}
END = {"type": "http.response.body", "body": b""}


async def body_of(receive: Receive) -> bytes:
    """The whole body."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def is_signed(secret: bytes, body: bytes, given: bytes) -> bool:
    """Whether `given` is the base64 HMAC of the body."""
    return hmac.compare_digest(b64encode(hmac.digest(secret, body, "sha256")), given)


async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> bool:
    """Answer the lifespan protocol; True if there is nothing else to do."""
    if scope["type"] != "lifespan":
        return False
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})
    return True


def bare() -> App:
    """The ceiling: read the body, answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if await without_lifespan(scope, receive, send):
            return
        await body_of(receive)
        await send(OK)
        await send(END)

    return app


def signed() -> App:
    """The ceiling of an honest door: read the body, check who signed it, answer."""
    secret = os.environ["BENCH_SECRET"].encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if await without_lifespan(scope, receive, send):
            return
        body = await body_of(receive)
        given = dict(scope["headers"]).get(b"x-shopify-hmac-sha256", b"")
        await send(OK if is_signed(secret, body, given) else DENIED)
        await send(END)

    return app


def idle_fastapi() -> FastAPI:
    """FastAPI that reads the body and does nothing."""
    app = FastAPI()

    @app.post("/webhooks/shopify")
    async def receive(request: Request) -> Response:
        await request.body()
        return Response()

    return app


async def raw_body(request: Request) -> bytes:
    """The raw body, for routes that are no coroutines."""
    return await request.body()


def session_per_request() -> FastAPI:
    """The usual way: a FastAPI route that opens a session, adds the delivery and its body, and commits."""
    secret = os.environ["BENCH_SECRET"].encode()
    engine = create_engine(engine_url(os.environ["BENCH_DATABASE_URL"]), pool_size=40)
    with Session(engine) as session:
        shop_id = session.exec(select(ShopRow.id).where(col(ShopRow.domain) == SHOP)).one()
    app = FastAPI()

    @app.post("/webhooks/shopify")
    def receive(request: Request, body: Annotated[bytes, Depends(raw_body)]) -> Response:
        if not is_signed(secret, body, request.headers.get("x-shopify-hmac-sha256", "").encode()):
            return Response(status_code=401)
        now = datetime.now(UTC)
        key = hashlib.sha256(request.headers["x-shopify-webhook-id"].encode()).digest()
        topic = request.headers["x-shopify-topic"]
        headers = "".join(f"{name}: {value}\n" for name, value in request.headers.items() if name.startswith("x-shopify-"))
        with Session(engine) as session:
            row = DeliveryRow(key=key, shop_id=shop_id, platform="shopify", topic=topic, received_at=now, received_on=now.date())
            session.add(row)
            session.flush()
            assert row.id is not None
            session.add(DeliveryBodyRow(received_on=now.date(), delivery_id=row.id, shop_id=shop_id, headers=headers, body=body))
            session.commit()
        return Response()

    return app
