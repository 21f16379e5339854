"""A line to the test database that can be cut or go dead, as networks and servers do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

PORT = ".s.PGSQL.5432"


class Line:
    """A proxy on a unix socket. `url` leads through it; the database's answers come `delay_seconds` later."""

    def __init__(self, url: str, directory: Path) -> None:
        parts = urlsplit(url)
        self._target = Path(parse_qs(parts.query)["host"][0]) / PORT
        self._socket = directory / PORT
        self.url = f"{parts.scheme}://{parts.netloc.split('@')[0]}@{parts.path}?host={quote(str(directory), safe='')}"
        self.delay_seconds = 0.0
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def connect(self) -> None:
        """Let connections through (again)."""
        self._server = await asyncio.start_unix_server(self._accept, self._socket)

    async def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        with suppress(FileNotFoundError):
            self._socket.unlink()
        for pipe in self._pipes:
            pipe.close()
        self._pipes.clear()
        await asyncio.sleep(0.01)

    def go_dead(self) -> None:
        """Stay connected, accept connections, and let no byte through."""
        self._flows.clear()

    def revive(self) -> None:
        """Let the bytes flow again."""
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        self._pipes |= {writer, far_writer}
        for source, sink, is_answer in ((reader, far_writer, False), (far_reader, writer, True)):
            pump = asyncio.create_task(self._pump(source, sink, is_answer))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await asyncio.sleep(self.delay_seconds if is_answer else 0)
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    async def close(self) -> None:
        """Cut the line for good."""
        self.revive()
        await self.cut()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)


@asynccontextmanager
async def line_to(url: str, directory: Path) -> AsyncIterator[Line]:
    """A line that works, to begin with."""
    line = Line(url, directory)
    await line.connect()
    try:
        yield line
    finally:
        await line.close()
