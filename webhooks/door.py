"""
The webhook door: a bare ASGI application in front of the rest.

Takes `/webhooks/{platform}[/{shop_key}]`, checks who sent the request on its raw bytes, keeps it and answers; everything else
passes to the inner application. Nothing is parsed here and nobody is called. A sender can cause any 4xx and no 5xx; 503
means that we could not keep the delivery and the sender should try again.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from time import perf_counter
from typing import Any

import structlog

from connector.canonical import Headers
from connector.errors import ConnectorError
from connector.metrics import ANSWER_BOUNDS, Counter, Family, Histogram
from connector.platforms import BadSignature, DeliveryMeta, Platform
from connector.store.deliveries import Incoming
from webhooks.directory import ShopDirectory, ShopEntry
from webhooks.inbox import Inbox, InboxFull, Unkeepable

PREFIX = "/webhooks/"
MAX_TEXT = 255
MAX_HEADERS = 16_384
MOST_NAMES = 1_000
RETRY_AFTER = b"5"
NOBODY = "none"
CLOSE = (b"connection", b"close")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger()


class _Answer:
    """A ready answer and the word under which it is counted."""

    __slots__ = ("body", "outcome", "start")

    def __init__(self, outcome: str, status: int, text: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
        kind = ((b"content-type", b"text/plain; charset=utf-8"),) if text else ()
        fields = [(b"content-length", str(len(text)).encode()), *kind, *headers]
        self.outcome = outcome
        self.start = {"type": "http.response.start", "status": status, "headers": fields}
        self.body = {"type": "http.response.body", "body": text}


KEPT = _Answer("kept", 200)
PING = _Answer("ping", 200)
UNKNOWN_SHOP = _Answer("unknown_shop", 200)
UNSIGNED = _Answer("unsigned", 401, b"the signature is missing or wrong\n")
NO_DOOR = _Answer("no_door", 404, b"there is no webhook address like this\n")
NO_SHOP = _Answer("no_shop", 404, b"no shop has this webhook address\n")
NOT_POST = _Answer("not_post", 405, b"webhooks are posted\n", (b"allow", b"POST"))
TOO_LARGE = _Answer("too_large", 413, b"the body is too large\n", CLOSE)
ENCODED = _Answer("encoded", 415, b"send the body without content encoding\n", (b"accept-encoding", b"identity"), CLOSE)
FULL = _Answer("full", 503, b"try again soon\n", (b"retry-after", RETRY_AFTER))
UNAVAILABLE = _Answer("unavailable", 503, b"try again soon\n", (b"retry-after", RETRY_AFTER))
GONE = _Answer("disconnected", 0)
ANSWERS = (KEPT, PING, UNKNOWN_SHOP, UNSIGNED, NO_DOOR, NO_SHOP, NOT_POST, TOO_LARGE, ENCODED, FULL, UNAVAILABLE, GONE)


class Door:
    """
    The ASGI application.

    App-wide secrets are read once: exchanging them means new settings, hence a new process.
    """

    def __init__(self, platforms: Mapping[str, Platform], inbox: Inbox, directory: ShopDirectory, max_body: int, inner: App) -> None:
        self._by_name = dict(platforms)
        self._by_path = {PREFIX + name: platform for name, platform in platforms.items() if not platform.can.shop_in_path}
        self._app_secrets = {platform.name: tuple(platform.app_secrets()) for platform in self._by_path.values()}
        self._inbox = inbox
        self._directory = directory
        self._max_body = max_body
        self._inner = inner
        self._answers = Counter("connector_webhook_answers_total", "Answers of the webhook door.", "platform", "outcome")
        self._seconds = Histogram("connector_webhook_answer_seconds", "How long they took.", "platform", ANSWER_BOUNDS)

    @property
    def counts(self) -> dict[str, int]:
        """How many requests came to which outcome since the start."""
        found = {answer.outcome: 0 for answer in ANSWERS}
        for (_, outcome), count in self._answers.values().items():
            found[outcome] += int(count)
        return found

    def families(self) -> Iterable[Family]:
        """The same by platform, and how long the answers took."""
        return self._answers.family(), self._seconds.family()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a webhook; hand everything else on."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._inner(scope, receive, send)
            return
        began = perf_counter()
        platform, shop_key = self._find_platform(scope["path"])
        try:
            answer = NO_DOOR if platform is None else await self._answer(platform, shop_key, scope, receive)
        except InboxFull:
            answer = FULL
        except ConnectorError as error:
            # The inbox or the directory: our own trouble, never the sender's.
            log.warning("delivery.not_kept", reason=str(error))
            answer = UNAVAILABLE
        name = NOBODY if platform is None else platform.name
        self._answers.add(name, answer.outcome)
        self._seconds.observe(name, perf_counter() - began)
        if answer is not GONE:
            await send(answer.start)
            await send(answer.body)

    def _find_platform(self, path: str) -> tuple[Platform | None, str]:
        """Whose door this is, and the key of the shop where each has an address of its own."""
        platform = self._by_path.get(path)
        if platform is not None:
            return platform, ""
        name, _, shop_key = path[len(PREFIX) :].partition("/")
        platform = self._by_name.get(name)
        if platform is None or not platform.can.shop_in_path or not _SHOP_KEY.fullmatch(shop_key):
            return None, ""
        return platform, shop_key

    async def _answer(self, platform: Platform, shop_key: str, scope: Scope, receive: Receive) -> _Answer:
        if scope["method"] != "POST":
            return NOT_POST
        headers = dict(scope["headers"])
        if b"content-encoding" in headers and headers[b"content-encoding"].strip().lower() not in (b"identity", b""):
            return ENCODED
        if _declared_length(headers) > self._max_body:
            return TOO_LARGE
        if shop_key:
            return await self._answer_at_own_address(platform, shop_key, headers, scope, receive)
        body = await _read(receive, self._max_body)
        if isinstance(body, _Answer):
            return body
        meta = _verified(platform, headers, body, self._app_secrets[platform.name], "")
        if meta is None:
            return UNSIGNED
        # The shop stands in a header. An authentic delivery for a shop that we do not know is counted and answered.
        shop_ref, topic = _clean(meta.shop_ref), _clean(meta.topic)
        shop = await self._directory.find(platform.name, shop_ref, by_key=False)
        if shop is None:
            self._directory.count_unknown(platform.name, shop_ref, topic)
            if topic not in platform.compliance_topics:
                return UNKNOWN_SHOP
        return await self._keep(platform, shop_ref, shop, meta, topic, scope, body)

    async def _answer_at_own_address(self, platform: Platform, shop_key: str, headers: Headers, scope: Scope, receive: Receive) -> _Answer:
        shop = await self._directory.find(platform.name, shop_key, by_key=True)
        if shop is None:
            return NO_SHOP
        body = await _read(receive, self._max_body)
        if isinstance(body, _Answer):
            return body
        if platform.is_ping(headers, body):
            return PING
        meta = _verified(platform, headers, body, shop.secrets, shop_key)
        if meta is None:
            # The secret may have been exchanged a moment ago.
            shop = await self._directory.find_again(platform.name, shop_key, shop, by_key=True)
            meta = None if shop is None else _verified(platform, headers, body, shop.secrets, shop_key)
        if shop is None or meta is None:
            return UNSIGNED
        return await self._keep(platform, shop_key, shop, meta, _clean(meta.topic), scope, body)

    async def _keep(
        self, platform: Platform, shop_ref: str, shop: ShopEntry | None, meta: DeliveryMeta, topic: str, scope: Scope, body: bytes
    ) -> _Answer:
        shop_id = None if shop is None else shop.shop_id
        row = Incoming(platform.name, topic, shop_id, meta.key, meta.triggered_at, _kept_headers(scope["headers"]), body)
        try:
            await self._inbox.keep(row)
        except Unkeepable:
            self._directory.forget(platform.name, shop_ref)
            raise
        return KEPT


def _verified(platform: Platform, headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta | None:
    try:
        return platform.verify(headers, body, secrets, shop_key)
    except BadSignature:
        return None
    except Exception as error:
        # What an adapter stumbles over is nothing that it vouches for. Its words and locals may hold personal data.
        log.error("delivery.unverifiable", platform=platform.name, error=type(error).__name__)
        return None


async def _read(receive: Receive, most: int) -> bytes | _Answer:
    """The whole body, or why there is none; stops as soon as it is longer than `most` bytes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body") and size <= most:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        body = b"".join(chunks)
    if message["type"] != "http.request":
        return GONE
    return body if len(body) <= most else TOO_LARGE


def _declared_length(headers: Headers) -> int:
    declared = headers.get(b"content-length", b"0")
    return int(declared) if len(declared) < 20 and declared.isdigit() else 0


def _kept_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The headers worth keeping as `name: value` lines, without signatures and without characters that text cannot hold."""
    lines = [start + value for name, value in headers if (start := _LINES[name])]
    text = b"\n".join(lines)
    if text.count(b"\n") >= len(lines):  # a line break inside a value would look like another header
        text = b"\n".join([line.replace(b"\n", b"") for line in lines])
    return text.translate(None, _CONTROLS)[:MAX_HEADERS].decode("latin-1") + "\n"


class _Lines(dict[bytes, bytes]):
    """How the line of a header begins, `name: `; empty for one that is not kept. Remembers the names it has met, in bounds."""

    def __missing__(self, name: bytes) -> bytes:
        is_secret = name.endswith((b"hmac-sha256", b"signature"))
        is_kept = name.startswith((b"x-shopify-", b"shopify-", b"x-wc-webhook-")) or name in (b"content-type", b"user-agent")
        line = name + b": " if is_kept and not is_secret else b""
        if len(self) < MOST_NAMES:
            self[name] = line
        return line


def _clean(text: str) -> str:
    """Text that the database can hold: no NUL, no half characters, 255 characters at most."""
    if len(text) <= MAX_TEXT and text.isprintable():
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:MAX_TEXT]


_LINES = _Lines()
_SHOP_KEY = re.compile(r"[A-Za-z0-9_\-]{1,128}")
_CONTROLS = bytes({*range(32), *range(127, 160)} - {10})
