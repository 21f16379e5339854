"""
Pages of a store, read ahead by a thread of their own while others are written; what waits between the two is bounded.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType

from connector.reading import Page

AHEAD = 8
"""So many pages wait at most; beyond that the reading waits for the writing."""
LOOK_SECONDS = 0.2
_Thing = Page | BaseException | None


class Pages:
    """
    Use as a context: a thread reads what `read` gives; `take` hands it out. An error of the reading is raised where its page would be.

    Leaving the context ends the reading; a call of the store that is under way is waited for.
    """

    def __init__(self, read: Callable[[], Iterator[Page]]) -> None:
        self._read = read
        self._ready: queue.Queue[_Thing] = queue.Queue(AHEAD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._held: _Thing = None
        self._is_over = False

    def __enter__(self) -> "Pages":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()

    def take(self, records: int, patience: float) -> list[Page]:
        """
        The next pages that are ready, with about so many records together; at least one, unless `patience` seconds bring none.

        Empty with `is_over`: there are no more. Raises what the reading raised, once all before it was taken.
        """
        found: list[Page] = []
        count = 0
        while count < records and not self._is_over:
            thing = self._next(0.0 if found else patience)
            if isinstance(thing, Page):
                found.append(thing)
                count += len(thing.records)
            elif isinstance(thing, BaseException):
                if found:
                    self._held = thing
                    break
                raise thing
            elif not self._is_over:
                break
        return found

    @property
    def is_over(self) -> bool:
        """Whether all pages were taken."""
        return self._is_over

    def _next(self, patience: float) -> _Thing:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        try:
            thing = self._ready.get(timeout=patience) if patience else self._ready.get_nowait()
        except queue.Empty:
            return None
        if thing is None:
            self._is_over = True
        return thing

    def _run(self) -> None:
        pages: Iterator[Page] | None = None
        try:
            pages = self._read()
            for page in pages:
                if not self._put(page):
                    return
            self._put(None)
        except BaseException as error:  # whatever ends this thread, nobody may wait for it for ever
            self._put(error)
        finally:
            close = getattr(pages, "close", None)
            if close is not None:
                close()

    def _put(self, thing: _Thing) -> bool:
        while not self._stopping.is_set():
            try:
                self._ready.put(thing, timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False
