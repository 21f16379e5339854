"""
A load balancer as one stands in front of our web processes, with an https port for stores and an http port for people.

It takes the processes in turn. One that refuses the connection costs the caller nothing: the next one is asked, for as long as
a caller would wait. When a connection dies after the request was sent and before an answer, the request is given to another
process only if that can do no harm: reading (GET, HEAD), and deliveries under `/webhooks/`, which are kept once by their key
however often they come (nginx: `proxy_next_upstream error timeout non_idempotent` for that location). Everything else that
breaks off is answered with 502, and a person may load the page again.
"""

import asyncio
import contextlib
import http.client
import itertools
import socket
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from integrations.sandbox.servers import LocalServer

PATIENCE_SECONDS = 8.0
ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 0.05
HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"date"}

Message = MutableMapping[str, Any]
Headers = list[tuple[bytes, bytes]]


class Balancer:
    """
    Start it before the processes: `ports` is asked for each request. `repeated` and `refused` count what it made good.

    `longest` tells for each path how long a process took to answer, whether or not the caller was still there.
    """

    def __init__(self, ports: Callable[[], Sequence[int]], tls: tuple[Path, Path]) -> None:
        self._ports = ports
        self._turn = itertools.count()
        self._server = LocalServer(self, tls=tls)
        self.repeated = 0
        self.refused = 0
        self.broken = 0
        self.longest: dict[str, float] = {}

    @property
    def https_port(self) -> int:
        """For stores, which deliver to https only."""
        assert self._server.https_port is not None
        return self._server.https_port

    @property
    def http_origin(self) -> str:
        """For people's browsers."""
        return self._server.http_origin

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.stop()

    async def __call__(self, scope: Message, receive: Callable[[], Any], send: Callable[[Message], Any]) -> None:
        """The ASGI application: one request, passed on."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        target = (scope["raw_path"] + query).decode("ascii")
        status, headers, content = await asyncio.to_thread(self._pass_on, scope["method"], target, scope["headers"], body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _pass_on(self, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
        may_repeat = method in ("GET", "HEAD") or target.startswith("/webhooks/")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            port = self._next()
            line = None
            with contextlib.suppress(OSError):
                line = socket.create_connection(("127.0.0.1", port), timeout=2.0)
            if line is None:
                self.refused += 1
                time.sleep(PAUSE_SECONDS)
                continue
            began = time.monotonic()
            try:
                return _ask(line, method, target, headers, body)
            except (OSError, http.client.HTTPException):
                if not may_repeat:
                    self.broken += 1
                    return 502, [(b"content-type", b"text/plain")], b"the connection broke off\n"
                self.repeated += 1
            finally:
                path = target.partition("?")[0]
                self.longest[path] = max(self.longest.get(path, 0.0), time.monotonic() - began)
        return 503, [(b"retry-after", b"1")], b"nobody is there\n"

    def _next(self) -> int:
        ports = self._ports()
        return ports[next(self._turn) % len(ports)] if ports else 0


def _ask(line: socket.socket, method: str, target: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
    """One request on a connection of its own, and its whole answer. Raises OSError or HTTPException if that breaks off."""
    line.settimeout(ANSWER_SECONDS)
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = line
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            if name not in HOP_BY_HOP:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        kept = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.getheaders()]
        return answer.status, [pair for pair in kept if pair[0] not in HOP_BY_HOP], content
    finally:
        connection.close()
