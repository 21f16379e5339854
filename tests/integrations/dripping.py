"""Servers on loopback that do what a few lines of Python say, one thread a connection: for answers that no library would send."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Serve = Callable[[socket.socket, threading.Event], None]


class Dripping:
    """A loopback server that hands each connection to `serve`; with a certificate it speaks TLS first."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._serve = serve
        self._context = context
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        self._listener.settimeout(0.05)
        while not self._end.is_set():
            with suppress(TimeoutError):
                line = self._listener.accept()[0]
                self._threads.append(threading.Thread(target=self._run, args=(line,)))
                self._threads[-1].start()

    def _run(self, plain: socket.socket) -> None:
        with suppress(OSError), plain:
            plain.settimeout(5)
            line = plain if self._context is None else self._context.wrap_socket(plain, server_side=True)
            with line:
                self._serve(line, self._end)

    def stop(self) -> None:
        self._end.set()
        for thread in (self._accepting, *self._threads):
            thread.join(5)
        self._listener.close()


def drip(line: socket.socket, data: bytes, end: threading.Event) -> None:
    """One byte every 50 ms until the client hangs up."""
    for number in range(len(data)):
        line.sendall(data[number : number + 1])
        if end.wait(0.05):
            return
