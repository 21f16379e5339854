"""Puts a pretend store's API behind its faults: some answer in its place, some spoil the answer that it gave."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integrations.sandbox.faults import Fault, Faults, Kind
from integrations.sandbox.web import as_json

PIECES = 20
STATUSES = (503, 500, 502, 504)
REASONS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    How one platform words its troubles; each gets the call's path and the fault.

    `call_name` names the API call of a method and a path, None for a page; `shapes` are JSON values that no call expects.
    """

    call_name: Callable[[str, str], str | None]
    throttle: Callable[[str, Fault], Response]
    refuse: Callable[[str, Fault], Response]
    error: Callable[[str, Fault], Response]
    page: Callable[[Fault], Response]
    shapes: Sequence[Any]


def proxy_page(status: int) -> Response:
    """What a proxy says when the machine behind it does not."""
    title = f"{status} {REASONS.get(status, 'Error')}"
    return HTMLResponse(f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center><hr></body></html>", status)


class SpoiltApi:
    """An ASGI app in front of a store's own. Needs LocalServer, which lets it break connections off."""

    def __init__(self, app: ASGIApp, faults: Faults, dialect: Dialect) -> None:
        self._app = app
        self._faults = faults
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with at most one fault."""
        name = self._dialect.call_name(scope["method"], scope["path"]) if scope["type"] == "http" else None
        fault = self._faults.take(name) if name else None
        if fault is None:
            await self._app(scope, receive, send)
        elif (response := self._instead(scope["path"], fault)) is not None:
            await response(scope, receive, send)
        elif fault.kind is Kind.DROP:
            await _break_off(scope, receive, is_rude=True)
        else:
            await self._spoil(scope, receive, send, fault)

    def _instead(self, path: str, fault: Fault) -> Response | None:
        """The answer that comes without the store having done anything; None for faults of another sort."""
        match fault.kind:
            case Kind.THROTTLE:
                return self._dialect.throttle(path, fault)
            case Kind.REFUSE:
                return self._dialect.refuse(path, fault)
            case Kind.ERROR:
                status = fault.status or STATUSES[fault.number % len(STATUSES)]
                return self._dialect.error(path, fault) if status == 500 else proxy_page(status)
            case Kind.HTML:
                return self._dialect.page(fault)
            case Kind.EMPTY:
                return Response(b"", media_type="application/json")
            case Kind.SHAPE:
                return as_json(self._dialect.shapes[fault.number % len(self._dialect.shapes)])
            case _:
                return None

    async def _spoil(self, scope: Scope, receive: Receive, send: Send, fault: Fault) -> None:
        """Let the store do its work, then harm its answer."""
        start, body = await self._answer(scope, receive)
        # Never the whole body, so that what is left of an object or list cannot be read.
        cut = body[: 1 + fault.number % max(1, len(body) - 1)] if fault.number else body[: len(body) // 2]
        match fault.kind:
            case Kind.TRUNCATE:
                await send(_with_length(start, len(cut)))
                await send({"type": "http.response.body", "body": cut})
            case Kind.SHORT:
                await send(_with_length(start, len(body)))
                await send({"type": "http.response.body", "body": cut, "more_body": True})
                await _break_off(scope, receive)
            case Kind.DELAY:
                await asyncio.sleep(fault.seconds)
                await send(start)
                await send({"type": "http.response.body", "body": body})
            case Kind.SLOW:
                await send(_with_length(start, len(body)))
                for piece in _pieces(body):
                    await asyncio.sleep(fault.seconds / PIECES)
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            case _:
                await _break_off(scope, receive, is_rude=True)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        await self._app(scope, receive, keep)
        return kept[0], b"".join(message.get("body", b"") for message in kept[1:])


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def _pieces(body: bytes) -> list[bytes]:
    size = max(1, -(-len(body) // PIECES))
    return [body[at : at + size] for at in range(0, len(body), size)]


async def _break_off(scope: Scope, receive: Receive, *, is_rude: bool = False) -> None:
    """End the connection, after what was sent or (`is_rude`) at once, and wait until the server has noticed."""
    transport: asyncio.Transport = scope["transport"]
    if is_rude:
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
