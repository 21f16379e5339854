"""
For load balancers, supervisors and those who watch: is the process alive, can it work, what does it count.

None of these waits for a database that does not answer: whoever asks is told within two seconds, and nothing here uses the
connections that the work needs. Redis is no condition: it only rings.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from connector import log
from connector.metrics import CONTENT_TYPE, Family, gauge, render
from connector.store.figures import Figures, silent
from connector.store.readiness import SILENT, UNWRITABLE, Readiness
from connector.web.composition import Composition
from connector.web.disk import free_bytes
from connector.web.inputs import Parts
from connector.web.operator import require_operator
from connector.web.protocol import EdgeProtocol

ASK_SECONDS = 1.5
READY_SECONDS = 0.2
FIGURES_SECONDS = 2.0
TRIAL_SECONDS = 1.0
TRIALS = 2
LEAVING = "the process is leaving"
NO_ROOM = "the disk of DATA_DIR has too little room"

METHODS = ["GET", "HEAD"]
T = TypeVar("T")


class InboxState(Protocol):
    """What is asked of the inbox; `webhooks.inbox.Inbox` is one."""

    @property
    def is_failing(self) -> bool: ...
    @property
    def waiting(self) -> int: ...
    def hope(self) -> None: ...


class Health:
    """Looks after one process. `start` keeps the connections of its looks between them, `stop` closes them."""

    def __init__(self, composition: Composition, inbox: InboxState | None = None) -> None:
        self._composition = composition
        self._inbox = inbox
        self._readiness = Readiness(composition.db.url)
        self._figures = Figures(composition.db.url)
        self._is_kept = False
        self._tried_at = -TRIAL_SECONDS
        self._good_trials = 0
        self._problem = _Asked(self._look, READY_SECONDS)
        self._rows = _Asked(self._read, FIGURES_SECONDS)

    def start(self) -> None:
        """Connections are kept from now on."""
        self._is_kept = True

    async def stop(self) -> None:
        """Close them."""
        self._is_kept = False
        await self._problem.stop()
        await self._rows.stop()
        await self._readiness.close()
        await self._figures.close()

    async def problems(self) -> list[str]:
        """Why this process should get no requests now; empty if it should."""
        found = [LEAVING] if self._composition.departure.has_begun else []
        room = await asyncio.to_thread(free_bytes, self._composition.settings.data_dir)
        if room is not None and room < self._composition.settings.min_free_bytes:
            found.append(NO_ROOM)
        problem = await self._problem.ask(ASK_SECONDS)
        return [*found, *([SILENT] if problem is None else [problem] if problem else [])]

    async def text(self) -> str:
        """Everything that is counted, for Prometheus."""
        rows = await self._rows.ask(ASK_SECONDS)
        return render([*self._composition.metrics.families(), *self._own(), *(silent() if rows is None else rows)])

    def _own(self) -> Iterable[Family]:
        yield EdgeProtocol.refused.family()
        yield from log.families()
        if self._inbox is not None:
            yield gauge("inbox_waiting_rows", "Deliveries in memory that wait for their commit.", self._inbox.waiting)
            yield gauge("inbox_failing", "Whether the last batch could not be kept.", float(self._inbox.is_failing))

    async def _look(self) -> str:
        try:
            if self._inbox is not None and self._inbox.is_failing:
                return await self._try_out(self._inbox)
            return await self._readiness.problem()
        finally:
            if not self._is_kept:
                await self._readiness.close()

    async def _try_out(self, inbox: InboxState) -> str:
        """
        While batches fail we write ourselves, once a second: without deliveries nobody else would notice that it works again.

        Once is not enough: on a full disk there are holes that a single write fits into.
        """
        if time.monotonic() - self._tried_at < TRIAL_SECONDS:
            return await self._readiness.problem() or UNWRITABLE
        self._tried_at = time.monotonic()
        problem = await self._readiness.problem(must_write=True)
        self._good_trials = 0 if problem else self._good_trials + 1
        if problem or self._good_trials < TRIALS:
            return problem or UNWRITABLE
        self._good_trials = 0
        inbox.hope()
        return ""

    async def _read(self) -> list[Family]:
        try:
            return await self._figures.read()
        finally:
            if not self._is_kept:
                await self._figures.close()


class _Asked(Generic[T]):
    """One question at a time however many ask it; the answer holds for a moment."""

    def __init__(self, question: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._question = question
        self._seconds = seconds
        self._answer: T | None = None
        self._at = -seconds
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, seconds: float) -> T | None:
        """The answer, or None if there is none in time; the question then goes on, for those who ask next."""
        if time.monotonic() - self._at < self._seconds:
            return self._answer
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._go())
        done, _ = await asyncio.wait([self._asking], timeout=seconds)
        return self._answer if done else None

    async def stop(self) -> None:
        """Forget the question."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _go(self) -> None:
        self._answer = await self._question()
        self._at = time.monotonic()


def health(request: Request) -> Health:
    """The one of this process."""
    found: Health = request.app.state.health
    return found


async def livez(parts: Parts) -> Response:
    """200 as long as the process answers at all. The header tells which process that is: so we know ourselves from outside."""
    return PlainTextResponse("alive\n", headers={"x-connector-instance": parts.instance})


async def readyz(request: Request) -> Response:
    """200 if requests are welcome here, else 503 with the reasons, one on each line."""
    problems = await health(request).problems()
    return PlainTextResponse("".join(f"{problem}\n" for problem in problems) or "ready\n", 503 if problems else 200)


async def metrics(request: Request) -> Response:
    """What this process counts and what waits in the database; for the operator, like the pages."""
    return PlainTextResponse(await health(request).text(), headers={"content-type": CONTENT_TYPE})


router, side = APIRouter(), APIRouter()
for one in (router, side):
    one.add_api_route("/livez", livez, methods=METHODS)
    one.add_api_route("/metrics", metrics, methods=["GET"], dependencies=[Depends(require_operator)])
router.add_api_route("/readyz", readyz, methods=METHODS)
