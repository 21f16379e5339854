"""
The only place that speaks HTTP to other people's servers (and the only importer of httpx2 and what it stands on).

Clients are pooled, every wait is finite and so is their sum, errors are mapped to the PlatformError tree, redirects are never
followed.
In sandbox mode an address map leads named hosts to loopback ports; host header, TLS name and certificate check stay
those of the real name. httpx2 is the living continuation of httpx.
"""

import math
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import httpcore2
import httpx2
import msgspec

from connector.metrics import Metrics
from connector.platforms import AccessLost, Gone, NotPermitted, Rejected, ThrottledError, TransientError

TIMEOUT = httpx2.Timeout(connect=5.0, read=20.0, write=10.0, pool=10.0)
LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)
TOTAL_SECONDS = 30.0
"""From the first attempt to connect to the last byte of the body; a server that drips is cut off here."""
MAX_BODY = 10 * 1024 * 1024
DOWNLOAD_SECONDS = 1800.0
MAX_DOWNLOAD = 8 * 1024 * 1024 * 1024
UNPACKED_PIECE = 256 * 1024
WRITE_PIECE = 16 * 1024
DEFAULT_RETRY_AFTER = 2.0
THROTTLED = "throttled"
LOOPBACK = ("127.0.0.1", "localhost")
T = TypeVar("T")
_end: ContextVar[float] = ContextVar("the instant at which the running call must be over", default=math.inf)


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
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        context = ssl.create_default_context()
        if extra_ca is not None:
            context.load_verify_locations(cafile=str(extra_ca))

        def make() -> httpx2.BaseTransport:
            return inner or _TimedTransport(context)

        self._client = httpx2.Client(
            transport=_MappedTransport(make, dict(address_map or {}), is_closed_world),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            # One client serves many shops for days: what a store sets must not change a later call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"user-agent": "Connector/0.1", "accept": "application/json", "accept-encoding": "gzip"},
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
        content: bytes | Iterable[bytes] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """
        Send one request and return whatever was answered, errors included.

        `call` is a short name for logs and errors (no ids, no personal data). Raises TransientError if nothing or only part
        of it came back, within TOTAL_SECONDS and MAX_BODY; Rejected for an address or header that cannot be put on the wire.
        """
        try:
            request = self._client.build_request(method, url, headers=headers, params=params, json=json, content=content)
        except (httpx2.InvalidURL, ValueError) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}", platform=platform, call=call) from error
        began, outcome = time.monotonic(), "no_answer"
        outer = _end.set(began + TOTAL_SECONDS)
        try:
            response = self._client.send(request, auth=auth, stream=True)
            try:
                body = _read(response, platform, call)
            finally:
                response.close()
        except _NotHere as error:
            raise Rejected("this host is not part of the sandbox", platform=platform, call=call) from error
        except httpx2.HTTPError as error:
            raise TransientError(f"no answer: {type(error).__name__}", platform=platform, call=call) from error
        else:
            answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
            outcome = _outcome(answer.status)
        finally:
            _end.reset(outer)
            self._metrics.call_ended(platform, call, outcome, time.monotonic() - began)
        if outcome == THROTTLED:
            self.throttled(platform, call, retry_after(answer))
        return answer

    def download(self, platform: str, call: str, url: str) -> Iterator[bytes]:
        """
        A file, piece by piece as it comes; nothing but the address is sent.

        Of any length, within DOWNLOAD_SECONDS and MAX_DOWNLOAD. Raises what `raise_for_status` says of anything but 2xx, and
        TransientError, also in the middle, if the file does not come to its end.
        """
        try:
            request = self._client.build_request("GET", url, headers={"accept": "*/*"})
        except (httpx2.InvalidURL, ValueError) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}", platform=platform, call=call) from error
        began, outcome = time.monotonic(), "no_answer"
        # Set for each step and not around the whole: between two pieces other calls may run in this thread.
        end = began + DOWNLOAD_SECONDS
        try:
            with _until(end):
                response = self._client.send(request, stream=True)
            try:
                outcome = _outcome(response.status_code)
                if outcome != "ok":
                    with _until(end):
                        refused = Answer(response.status_code, dict(response.headers), _read(response, platform, call))
                    raise_for_status(refused, platform=platform, call=call)
                outcome, pieces = "no_answer", _pieces(response, MAX_DOWNLOAD, platform, call)
                while True:
                    with _until(end):
                        piece = next(pieces, None)
                    if piece is None:
                        break
                    yield piece
                outcome = "ok"
            finally:
                response.close()
        except httpx2.HTTPError as error:
            raise TransientError(f"no answer: {type(error).__name__}", platform=platform, call=call) from error
        finally:
            self._metrics.call_ended(platform, call, outcome, time.monotonic() - began)

    def throttled(self, platform: str, call: str, seconds: float) -> None:
        """Note that a platform asks us to wait; for those that say so in the body of a good answer."""
        self._metrics.throttled(platform, call, seconds)


def _outcome(status: int) -> str:
    """The word under which an answer is counted."""
    if status in (429, 430):
        return THROTTLED
    return "ok" if 200 <= status < 300 else "refused" if 400 <= status < 500 else "failed"


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
    """Decode a JSON answer into a msgspec shape. Raises TransientError for HTML, truncated, misshapen or endlessly nested answers."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(f"unreadable answer: {error}", platform=platform, call=call, status=answer.status) from error


def _read(response: httpx2.Response, platform: str, call: str) -> bytes:
    """The whole body, unpacked. A store that drips or floods is stopped here."""
    return b"".join(_pieces(response, MAX_BODY, platform, call))


def _pieces(response: httpx2.Response, most: int, platform: str, call: str) -> Iterator[bytes]:
    """
    A body of at most so many bytes, piece by piece. Raises TransientError for one that is too long, too slow, cut or packed oddly.

    Unpacked by ourselves, because a library would unpack a small piece into gigabytes before anybody can count them.
    """

    def broken(fault: str) -> TransientError:
        return TransientError(fault, platform=platform, call=call, status=response.status_code)

    coding = response.headers.get("content-encoding", "identity").strip().lower()
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS) if coding in ("gzip", "x-gzip") else None
    if unpacker is None and coding not in ("identity", ""):
        raise broken("the answer is packed as nobody asked")
    assert isinstance(response.stream, httpx2.SyncByteStream)
    length = 0
    try:
        for chunk in response.stream:
            for piece in _unpacked(unpacker, chunk):
                length += len(piece)
                if length > most or time.monotonic() > _end.get():
                    raise broken("the answer is too long or too slow")
                yield piece
    except zlib.error as error:
        raise broken("the answer cannot be unpacked") from error
    if unpacker and length and not unpacker.eof:
        raise broken("the answer stops in its middle")


def _unpacked(unpacker: "zlib._Decompress | None", chunk: bytes) -> Iterator[bytes]:
    """What a chunk holds, never more at once than fits into memory."""
    if unpacker is None:
        yield chunk
        return
    while chunk:
        yield unpacker.decompress(chunk, UNPACKED_PIECE)
        chunk = unpacker.unconsumed_tail


@contextmanager
def _until(end: float) -> Iterator[None]:
    """Waits inside end at this instant."""
    outer = _end.set(end)
    try:
        yield
    finally:
        _end.reset(outer)


def _left(limit: float | None, error: type[Exception]) -> float:
    """Seconds that the next wait may take: its own limit, or what is left of the whole call. Raises `error` if nothing is."""
    left = _end.get() - time.monotonic()
    if left <= 0:
        raise error("the call took too long")
    return min(left, TOTAL_SECONDS if limit is None else limit)


class _TimedTransport(httpx2.HTTPTransport):
    """httpx2's transport on connections that know when the call must be over; its own time-outs begin anew with every byte."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, limits=LIMITS, retries=0, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=_TimedBackend(),
        )


class _TimedBackend(httpcore2.SyncBackend):
    """Connects to the first address that answers. Each gets a time-out, all of them together what is left of the call."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name cannot be resolved: {type(error).__name__}") from error
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for *_, address in found:
            try:
                seconds = _left(timeout, httpcore2.ConnectTimeout)
                return _TimedStream(super().connect_tcp(str(address[0]), port, seconds, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _TimedStream(httpcore2.NetworkStream):
    """A connection whose waits end with the call that uses it."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_PIECE):
            self._inner.write(buffer[start : start + WRITE_PIECE], _left(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore2.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _NotHere(httpx2.ConnectError):
    """A host that a closed world does not have: it will not answer later either."""


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
                raise _NotHere("this host is not part of the sandbox", request=request)
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
