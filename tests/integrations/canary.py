"""A listener on this machine that counts who comes: nobody should."""

import socket
import threading
from contextlib import suppress


class Canary:
    """Listens on every address of this machine and counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port: int = self._listener.getsockname()[1]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        self._listener.settimeout(0.02)
        while not self._end.is_set():
            with suppress(TimeoutError):
                line = self._listener.accept()[0]
                self.connections += 1
                line.close()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()
        self._listener.close()
