"""
The only place that speaks HTTP to other people's servers (and the only importer of httpx2).

Clients are pooled, every wait is finite, errors are mapped to the PlatformError tree, redirects are never followed.
In sandbox mode an address map leads named hosts to loopback ports; host header, TLS name and certificate check stay
those of the real name. httpx2 is the living continuation of httpx.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import httpx2
import msgspec

from connector.platforms import AccessLost, Gone, NotPermitted, Rejected, ThrottledError, TransientError

TIMEOUT = httpx2.Timeout(connect=5.0, read=20.0, write=10.0, pool=10.0)
LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)
BODY_SECONDS = 60.0
MAX_BODY = 32 * 1024 * 1024
DEFAULT_RETRY_AFTER = 2.0
LOOPBACK = ("127.0.0.1", "localhost")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, lower-case headers, raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """
    One pooled HTTPS client. Thread-safe; make one per process and close it at the end.

    In a closed world (sandbox mode) hosts that are neither mapped nor on loopback cannot be reached: pretend data never
    leads to a real server.
    """

    def __init__(
        self,
        address_map: Mapping[str, str] | None = None,
        extra_ca: Path | None = None,
        inner: httpx2.BaseTransport | None = None,
        *,
        is_closed_world: bool = False,
    ) -> None:
        context = ssl.create_default_context()
        if extra_ca is not None:
            context.load_verify_locations(cafile=str(extra_ca))

        def make() -> httpx2.BaseTransport:
            return inner or httpx2.HTTPTransport(verify=context, limits=LIMITS, retries=0, trust_env=False)

        self._client = httpx2.Client(
            transport=_MappedTransport(make, dict(address_map or {}), is_closed_world),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            # One client serves many shops for days: what a store sets must not change a later call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"user-agent": "Connector/0.1", "accept": "application/json"},
        )

    def close(self) -> None:
        """Close pooled connections."""
        self._client.close()

    def send(
        self,
        platform: str,
        call: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """
        Send one request and return whatever was answered, errors included.

        `call` is a short name for logs and errors (no ids, no personal data). Raises TransientError if nothing or only part
        of it came back, within BODY_SECONDS and MAX_BODY; Rejected for an address or header that cannot be put on the wire.
        """
        try:
            request = self._client.build_request(method, url, headers=headers, params=params, json=json, content=content)
        except (httpx2.InvalidURL, ValueError) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}", platform=platform, call=call) from error
        try:
            response = self._client.send(request, auth=auth, stream=True)
            try:
                body = _read(response, platform, call)
            finally:
                response.close()
        except httpx2.HTTPError as error:
            raise TransientError(f"no answer: {type(error).__name__}", platform=platform, call=call) from error
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)


def raise_for_status(answer: Answer, *, platform: str, call: str, words: str = "") -> None:
    """
    Map an HTTP status to the PlatformError tree; 2xx returns.

    401 -> AccessLost, 402/403/423 -> NotPermitted, 404/410 -> Gone, 429/430 -> ThrottledError, 3xx and 5xx -> TransientError
    (a redirect of an API means maintenance or a moved store), the rest -> Rejected with the platform's `words`.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    where = {"platform": platform, "call": call, "status": status}
    text = words or f"answered {status}"
    match status:
        case 401:
            raise AccessLost(text, **where)  # type: ignore[arg-type]
        case 402 | 403 | 423:
            raise NotPermitted(text, **where)  # type: ignore[arg-type]
        case 404 | 410:
            raise Gone(text, **where)  # type: ignore[arg-type]
        case 429 | 430:
            raise ThrottledError(text, platform=platform, call=call, status=status, retry_after=retry_after(answer))
        case _ if status < 400 or status >= 500:
            raise TransientError(text, **where)  # type: ignore[arg-type]
        case _:
            raise Rejected(text, **where)  # type: ignore[arg-type]


def retry_after(answer: Answer) -> float:
    """Seconds the platform asks us to wait; decimals occur (`"2.0"`), dates and nonsense count as the default."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return DEFAULT_RETRY_AFTER
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else DEFAULT_RETRY_AFTER


def decode(answer: Answer, shape: type[T], *, platform: str, call: str) -> T:
    """Decode a JSON answer into a msgspec shape. Raises TransientError for HTML, truncated or misshapen answers."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransientError(f"unreadable answer: {error}", platform=platform, call=call, status=answer.status) from error


def _read(response: httpx2.Response, platform: str, call: str) -> bytes:
    """The whole body. Each read has a time-out of its own; a store that drips or floods is stopped here."""
    body = bytearray()
    end = time.monotonic() + BODY_SECONDS
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY or time.monotonic() > end:
            raise TransientError("the answer is too long or too slow", platform=platform, call=call, status=response.status_code)
    return bytes(body)


class _MappedTransport(httpx2.BaseTransport):
    """
    Leads mapped hosts to loopback; anything else goes its way untouched.

    Each mapped host has its own pool: pools know connections by address, and two hosts mapped to one port would share a
    TLS connection whose certificate was checked for the first of them only.
    """

    def __init__(self, make: Callable[[], httpx2.BaseTransport], address_map: dict[str, str], is_closed_world: bool) -> None:
        self._make = make
        self._map = address_map
        self._is_closed_world = is_closed_world
        self._lock = Lock()
        self._pools: dict[str, httpx2.BaseTransport] = {"": make()}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.host
        target = self._map.get(name)
        if target is None:
            if self._is_closed_world and name not in LOOPBACK:
                raise httpx2.ConnectError("this host is not part of the sandbox", request=request)
            return self._pools[""].handle_request(request)
        host, _, port = target.rpartition(":")
        request.extensions = {**request.extensions, "sni_hostname": name}
        request.headers["host"] = request.url.netloc.decode("ascii")
        request.url = request.url.copy_with(host=host, port=int(port))
        return self._pool(name).handle_request(request)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, name: str) -> httpx2.BaseTransport:
        with self._lock:
            if name not in self._pools:
                self._pools[name] = self._make()
            return self._pools[name]
