"""
The only place that speaks HTTP to other people's servers (and the only importer of httpx2).

Clients are pooled, every wait is finite, errors are mapped to the PlatformError tree, redirects are never followed.
In sandbox mode an address map leads named hosts to loopback ports; host header, TLS name and certificate check stay
those of the real name. httpx2 is the living continuation of httpx.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import msgspec

from connector.platforms import AccessLost, Gone, NotPermitted, Rejected, ThrottledError, TransientError

TIMEOUT = httpx2.Timeout(connect=5.0, read=20.0, write=10.0, pool=10.0)
LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)
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
        base = inner or httpx2.HTTPTransport(verify=context, limits=LIMITS, retries=0, trust_env=False)
        self._client = httpx2.Client(
            transport=_MappedTransport(base, dict(address_map or {}), is_closed_world),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
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

        `call` is a short name for logs and errors (no ids, no personal data). Raises TransientError if nothing came back.
        """
        try:
            response = self._client.request(method, url, headers=headers, params=params, json=json, content=content, auth=auth)
        except httpx2.HTTPError as error:
            raise TransientError(f"no answer: {type(error).__name__}", platform=platform, call=call) from error
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


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


class _MappedTransport(httpx2.BaseTransport):
    """Leads mapped hosts to loopback; anything else goes its way untouched."""

    def __init__(self, inner: httpx2.BaseTransport, address_map: dict[str, str], is_closed_world: bool) -> None:
        self._inner = inner
        self._map = address_map
        self._is_closed_world = is_closed_world

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        target = self._map.get(request.url.host)
        if target is not None:
            host, _, port = target.rpartition(":")
            request.extensions = {**request.extensions, "sni_hostname": request.url.host}
            request.headers["host"] = request.url.netloc.decode("ascii")
            request.url = request.url.copy_with(host=host, port=int(port))
        elif self._is_closed_world and request.url.host not in LOOPBACK:
            raise httpx2.ConnectError("this host is not part of the sandbox", request=request)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()
