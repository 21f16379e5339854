"""
An open-loop client: requests start at random instants of a given mean rate, whether or not earlier ones were answered.

A closed loop waits for its own answers and so never sees the queue that it causes; here a latency counts from the instant
at which the request was due.
"""

import asyncio
import random
import time
from collections.abc import Sequence

CONNECTIONS = 64
ANSWER_SECONDS = 10.0


def arrivals(rate: float, seconds: float, *, seed: int) -> list[float]:
    """Poisson arrivals: seconds from the start, ascending."""
    chance, at, found = random.Random(seed), 0.0, []
    while (at := at + chance.expovariate(rate)) < seconds:
        found.append(at)
    return found


def send_paced(port: int, requests: Sequence[bytes], due: Sequence[float]) -> list[float]:
    """
    Send each request at its instant over at most CONNECTIONS connections; answers the latencies, ms.

    Raises RuntimeError (in an exception group) if one is not answered with 200.
    """
    return asyncio.run(_send_all(port, requests, due))


async def _send_all(port: int, requests: Sequence[bytes], due: Sequence[float]) -> list[float]:
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    free: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()
    for line in lines:
        free.put_nowait(line)
    begun = time.monotonic()
    latencies: list[float] = []

    async def send(request: bytes, at: float) -> None:
        line = await free.get()
        await asyncio.wait_for(_exchange(*line, request), ANSWER_SECONDS)
        latencies.append((time.monotonic() - begun - at) * 1000)
        free.put_nowait(line)

    try:
        async with asyncio.TaskGroup() as group:
            for request, at in zip(requests, due, strict=True):
                if (pause := begun + at - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                group.create_task(send(request, at))
    finally:
        for _, writer in lines:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return latencies


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    sizes = [int(value) for name, _, value in (field.partition(":") for field in fields) if name.lower() == "content-length"]
    await reader.readexactly(sum(sizes))
    if " 200 " not in status:
        raise RuntimeError(f"a paced request was answered with {status!r}: this measures nothing")
