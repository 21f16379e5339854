"""
What only the store knows in the instant before a message leaves: whether the order was placed after all, and what can still be bought.

A store that does not answer is left alone for a minute by this process, for all its messages: no thread waits for each of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from connector.canonical import Order, Resource
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, PlatformError, Reads, ThrottledError, TransientError
from connector.store import wanted
from connector.store.db import Session, Wake, wake_after_commit
from sync.access import call_shop
from sync.jobs import Job
from sync.services import Services

AT_ONCE = 50
SILENT_SECONDS = 60.0
Line = tuple[str, str | None]
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    """A checkout to ask about: what links it to orders, and its lines by product and variant id."""

    checkout_id: int
    token: str | None
    cart_token: str | None
    created_at: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class StoreWord:
    """
    What the store said. `order_id`: the order that came of the checkout; `gone`: lines that cannot be bought now.

    Without an answer, `retry_seconds`: so long it asks us to wait, None if it said nothing at all.
    """

    has_answered: bool = True
    order_id: str | None = None
    gone: frozenset[Line] = frozenset()
    retry_seconds: float | None = None


def ask_store(services: Services, reads: Reads, shop_id: int, question: Question) -> StoreWord:
    """
    Ask the store about one checkout. Never raises: what it may not tell us counts as unknown, and so does what it refuses to.

    Credentials that are dead are reported by the call itself; the next look at the shop finds that.
    """
    silence = Wake(Job.SEND.value, shop_id)
    if services.pauses.is_paused(silence):
        return StoreWord(has_answered=False)
    try:
        return call_shop(services, shop_id, partial(_ask, reads, shop_id, question))
    except ThrottledError as error:
        log.info("store.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
        return StoreWord(has_answered=False, retry_seconds=error.retry_after)
    except TransientError as error:
        services.pauses.pause(silence, SILENT_SECONDS)
        log.info("store.silent", shop_id=shop_id, call=error.call, status=error.status)
        return StoreWord(has_answered=False)
    except (NotFound, PlatformError):
        return StoreWord()


def note_unheard_order(session: Session, shop_id: int, order_id: str) -> None:
    """An order was there that no delivery had told us of: have it read and applied as any other."""
    log.warning("delivery.gap", shop_id=shop_id, topic="orders/create")
    wanted.want(session, shop_id, [(Resource.ORDER, order_id)])
    wake_after_commit(session, Job.REREAD.value, shop_id)


def _ask(reads: Reads, shop_id: int, question: Question, access: Access) -> StoreWord:
    """Both questions with one access. Raises TransientError or AccessLost."""
    orders = _tolerated(shop_id, lambda: reads.orders_of(access, question.token, question.cart_token))
    placed = next((order.platform_id for order in orders if _came_of(order, question)), None)
    if placed is not None:
        return StoreWord(order_id=placed)
    gone: set[Line] = set()
    for start in range(0, len(question.lines), AT_ONCE):
        part = question.lines[start : start + AT_ONCE]
        now = _tolerated(shop_id, partial(reads.lines_now, access, part))
        gone |= {line for line, found in zip(part, now, strict=False) if not found.is_available}
    return StoreWord(gone=frozenset(gone))


def _tolerated(shop_id: int, call: Callable[[], list[T]]) -> list[T]:
    """The answer, none of it if the store will never tell. Raises TransientError or AccessLost."""
    try:
        return call()
    except (TransientError, AccessLost):
        raise
    except PlatformError as error:
        log.info("store.does_not_tell", shop_id=shop_id, call=error.call, status=error.status, error=type(error).__name__)
        return []


def _came_of(order: Order, question: Question) -> bool:
    """Tests and cancelled orders never count; a cart may be used for more than one checkout."""
    if order.is_test or order.cancelled_at is not None:
        return False
    if order.checkout_token is not None and question.token is not None:
        return order.checkout_token == question.token
    return order.cart_token is not None and order.cart_token == question.cart_token and order.placed_at >= question.created_at
