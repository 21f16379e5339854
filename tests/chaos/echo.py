"""A little server for tests of the kit."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Echo:
    """A server on loopback that does with each connection what `serve` says; without it, it echoes."""

    def __init__(self, serve: Callable[[socket.socket], None] | None = None) -> None:
        self._serve = serve or self._echo
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            line.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self._lines.append(line)
            threading.Thread(target=self._guarded, args=(line,), daemon=True).start()

    def _guarded(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._serve(line)

    def _echo(self, line: socket.socket) -> None:
        while data := line.recv(65536):
            line.sendall(data)
        line.close()
