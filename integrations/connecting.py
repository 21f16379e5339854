"""
Connections of the one HTTP client: where they may lead, and that every wait on them ends with the call.

Outside the sandbox a name is resolved once for each connection, every address it has must be a public one, and what is connected
to is one of the addresses that were checked: a name that means something else a moment later changes nothing. TLS name and
certificate stay those of the name.
"""

import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

import httpcore2
import httpx2

from integrations.addresses import LOOPBACK, PORTS, is_public

LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)
WRITE_PIECE = 16 * 1024
LONGEST_WAIT = 30.0
_end: ContextVar[float] = ContextVar("the instant at which the running call must be over", default=math.inf)


class Unreachable(httpx2.ConnectError):
    """Where we do not go, now or later; the words say why and name no address."""


@contextmanager
def until(end: float) -> Iterator[None]:
    """Waits inside end at this instant of the monotonic clock, or sooner where they would have ended anyway."""
    outer = _end.set(min(end, _end.get()))
    try:
        yield
    finally:
        _end.reset(outer)


def is_over() -> bool:
    """Whether the running call has had its time."""
    return time.monotonic() > _end.get()


def make_transport(
    context: ssl.SSLContext, address_map: Mapping[str, str], inner: httpx2.BaseTransport | None, *, is_closed_world: bool
) -> httpx2.BaseTransport:
    """
    A pooled transport. Hosts in the map are led to loopback; in a closed world there are no others but loopback itself.

    `inner` takes the place of the network.
    """

    def make(*, is_guarded: bool) -> httpx2.BaseTransport:
        return inner or _TimedTransport(context, is_guarded=is_guarded)

    return _MappedTransport(make, dict(address_map), is_closed_world)


class _MappedTransport(httpx2.BaseTransport):
    """
    Says where a request goes: to loopback, out, or nowhere.

    Each mapped host has its own pool: pools know connections by address, and two hosts mapped to one port would share a
    TLS connection whose certificate was checked for the first of them only.
    """

    def __init__(self, make: Callable[..., httpx2.BaseTransport], address_map: dict[str, str], is_closed_world: bool) -> None:
        self._make = make
        self._map = address_map
        self._is_closed_world = is_closed_world
        self._lock = Lock()
        self._pools: dict[str, httpx2.BaseTransport] = {"": make(is_guarded=not is_closed_world)}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.host
        target = self._map.get(name)
        if target is None:
            self._refuse(request)
            return self._pools[""].handle_request(request)
        host, _, port = target.rpartition(":")
        request.extensions = {**request.extensions, "sni_hostname": name}
        request.headers["host"] = request.url.netloc.decode("ascii")
        request.url = request.url.copy_with(host=host, port=int(port))
        return self._pool(name).handle_request(request)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _refuse(self, request: httpx2.Request) -> None:
        """Raise Unreachable for what leads to no public https server, or out of a closed world."""
        if self._is_closed_world:
            if request.url.host not in LOOPBACK:
                raise Unreachable("this host is not part of the sandbox", request=request)
        elif request.url.scheme != "https":
            raise Unreachable("only https addresses are called", request=request)
        elif request.url.port is not None and request.url.port not in PORTS:
            raise Unreachable("only the ports 443 and 8443 are called", request=request)

    def _pool(self, name: str) -> httpx2.BaseTransport:
        with self._lock:
            if name not in self._pools:
                self._pools[name] = self._make(is_guarded=False)
            return self._pools[name]


class _TimedTransport(httpx2.HTTPTransport):
    """httpx2's transport on connections that know when the call must be over; its own time-outs begin anew with every byte."""

    def __init__(self, context: ssl.SSLContext, *, is_guarded: bool) -> None:
        super().__init__(verify=context, limits=LIMITS, retries=0, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=_TimedBackend(is_guarded=is_guarded),
        )


class _NotPublic(httpcore2.ConnectError):
    """A name that leads into a private or special network."""


class _TimedBackend(httpcore2.SyncBackend):
    """Connects to the first address that answers. Each gets a time-out, all of them together what is left of the call."""

    def __init__(self, *, is_guarded: bool) -> None:
        self._is_guarded = is_guarded

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in self._addresses(host, port):
            try:
                seconds = _left(timeout, httpcore2.ConnectTimeout)
                return _TimedStream(super().connect_tcp(address, port, seconds, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, from one question. Raises if a single one of them is not public: such a name wants to lead us astray."""
        try:
            found = [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name cannot be resolved: {type(error).__name__}") from error
        if self._is_guarded and not all(map(is_public, found)):
            raise _NotPublic("the name leads to a private or special address")
        return found


def why_unreachable(error: Exception) -> str | None:
    """Words for an error that says: we do not go there, ever. None for one that another try may not meet."""
    return next((str(cause) for cause in _causes(error) if isinstance(cause, Unreachable)), None)


def why_led_astray(error: Exception) -> str | None:
    """Words for a name that leads where we do not go, at the moment: names change."""
    return next((str(cause) for cause in _causes(error) if isinstance(cause, _NotPublic)), None)


def why_untrusted(error: Exception) -> str | None:
    """What is wrong with the other side's certificate, in OpenSSL's words, if that is what ended the call."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending: BaseException | None = error
    while pending is not None:
        yield pending
        pending = pending.__cause__ or pending.__context__


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


def _left(limit: float | None, error: type[Exception]) -> float:
    """Seconds that the next wait may take: its own limit, or what is left of the whole call. Raises `error` if nothing is."""
    left = _end.get() - time.monotonic()
    if left <= 0:
        raise error("the call took too long")
    return min(left, LONGEST_WAIT if limit is None else limit)
