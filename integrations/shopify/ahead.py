"""
Pages of one list read ahead by one: while a page is written, the next one is asked for.

A shop that asks us to wait is waited for and asked again (its limits slow us down and fail nothing); a wait that is too long for
whoever waits is handed on, and nothing that was read is lost.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from connector.platforms import ThrottledError
from connector.reading import Page
from integrations.shopify.legs import leg_of
from integrations.shopify.paging import astray

LONGEST_WAIT = 60.0
"""Seconds that one page may be waited for in all."""
SHORTEST_WAIT = 0.1
STEP = 0.5
"""Seconds after which a wait looks whether anybody still wants the page."""


def pages_ahead(read: Callable[[str | None], Page], cursor: str | None, sleep: Callable[[float], None] = time.sleep) -> Iterator[Page]:
    """
    What `read` gives for `cursor`, and so on until the last page. Raises what `read` raises, in its page's place.

    Closing the iterator ends it at once; of a call that is under way nobody hears any more.
    """
    stopping = Event()
    page, pool = _patient(read, stopping, sleep, cursor), None
    seen = {leg_of(cursor).place}
    try:
        while (following := page.cursor) is not None:
            if (place := leg_of(following).place) in seen:
                raise astray("changes")
            seen.add(place)
            # Most lists of a shop's last minutes are one page: they need no thread.
            pool = pool or ThreadPoolExecutor(1, "shopify")
            coming = pool.submit(_patient, read, stopping, sleep, following)
            yield page
            page = coming.result()
        yield page
    finally:
        stopping.set()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _patient(read: Callable[[str | None], Page], stopping: Event, sleep: Callable[[float], None], cursor: str | None) -> Page:
    """One page. Raises ThrottledError only for a wait that is too long."""
    waited = 0.0
    while True:
        try:
            return read(cursor)
        except ThrottledError as error:
            wait = max(error.retry_after, SHORTEST_WAIT)
            if waited + wait > LONGEST_WAIT or stopping.is_set():
                raise
        waited += wait
        while wait > 0 and not stopping.is_set():
            sleep(min(wait, STEP))
            wait -= STEP
