"""Run an ASGI app on loopback ports from a background thread: plain http for people, https for programs."""

import asyncio
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connector.errors import ConnectorError

STOP_WITHIN = 2.0
"""Seconds that stop() may take."""


class _Connection(HttpToolsProtocol):
    """uvicorn's connection. Its apps find it as `transport` in the scope, so that a pretend store can break it off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        served = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["transport"] = transport
            await served(scope, receive, send)

        self.app = app


class LocalServer:
    """
    One ASGI app on 127.0.0.1, on an http port, an https port or both.

    Ports are taken when the object is made (0 = any free one), so addresses are known before start(). With
    `lifespan` the app's start-up and shut-down run once, on the first listener.
    """

    def __init__(
        self,
        app: Any,
        *,
        http: bool = True,
        tls: tuple[Path, Path] | None = None,
        http_port: int = 0,
        https_port: int = 0,
        lifespan: bool = False,
    ) -> None:
        if not http and tls is None:
            raise ConnectorError("a server needs an http port or a certificate for an https port")
        self._listeners: list[tuple[uvicorn.Server, socket.socket]] = []
        self.http_port = self._listen(app, http_port, None, lifespan) if http else None
        self.https_port = self._listen(app, https_port, tls, lifespan and not http) if tls else None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="local-server", daemon=True)
        self._failure: BaseException | None = None

    def _listen(self, app: Any, port: int, tls: tuple[Path, Path] | None, lifespan: bool) -> int:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else asyncio leaves Nagle on
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=str(tls[0]) if tls else None,
            ssl_keyfile=str(tls[1]) if tls else None,
        )
        self._listeners.append((uvicorn.Server(config), listener))
        bound: int = listener.getsockname()[1]
        return bound

    @property
    def http_origin(self) -> str:
        """`http://127.0.0.1:port`, for people. Raises ConnectorError if there is no http port."""
        if self.http_port is None:
            raise ConnectorError("this server has no http port")
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def https_address(self) -> str:
        """`127.0.0.1:port`, for address maps. Raises ConnectorError if there is no https port."""
        if self.https_port is None:
            raise ConnectorError("this server has no https port")
        return f"127.0.0.1:{self.https_port}"

    def start(self) -> Self:
        """Serve; returns once every port answers. Raises ConnectorError if the app does not start within 10 s."""
        self._thread.start()
        deadline = time.monotonic() + 10
        while not all(server.started for server, _ in self._listeners):
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise ConnectorError(f"the local server did not start: {self._failure or 'start-up failed'}")
            time.sleep(0.005)
        return self

    def begin_to_stop(self) -> None:
        """Take leave; stop() waits for the end. Several servers that are told this first end at the same time."""
        for server, _ in self._listeners:
            server.should_exit = True

    def stop(self) -> None:
        """End within two seconds; may be called twice."""
        self.begin_to_stop()
        if self._thread.ident is not None:
            self._thread.join(STOP_WITHIN)
        for _, listener in self._listeners:
            listener.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def _serve(self) -> None:
        try:
            serving = [server.serve(sockets=[listener]) for server, listener in self._listeners]
            await asyncio.gather(*serving, self._end_idle())
        except (Exception, SystemExit) as error:  # kept for start(), which runs in another thread
            self._failure = error

    async def _end_idle(self) -> None:
        """After stop(): cut the idle https connections, whose clients would otherwise be waited for to say goodbye."""
        while not all(server.should_exit for server, _ in self._listeners):  # noqa: ASYNC110 - uvicorn has only this flag
            await asyncio.sleep(0.05)
        while any(server.server_state.connections for server, _ in self._listeners):
            await asyncio.sleep(0.05)
            for connection in [one for server, _ in self._listeners for one in server.server_state.connections]:
                if connection.transport.is_closing():
                    connection.transport.abort()
