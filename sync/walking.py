"""
The daily walk over all records of a shop: what was deleted for good tells nobody, it is missing from the list of all ids.

Nothing counts as removed before the store was asked for it by its id, and nothing is asked for that the store may merely not show.
Where a store cannot say which records of a kind were edited, all of them are compared instead.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from connector.canonical import Removed, Resource
from connector.platforms import Access, AccessLost, NotPermitted, PlatformError, Rejected, ShopClosed, ThrottledError, TransientError
from connector.reading import Change, Page
from connector.store import comparing, slices, sync_marks
from connector.store.db import Session, app_now
from connector.store.run_tables import SyncMarkRow
from sync.access import call_shop
from sync.reconcile import Span, Turn, note_asking, read_page, take_page

EVERY = timedelta(days=1)
SECONDS = 20.0
"""So long a turn may walk; it goes on there in the shop's next turn."""
KINDS = (Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE)
"""Checkouts are not among them: stores forget theirs, and what became an order is no checkout any more."""
WALK = 0
"""Under this number a walk remembers which ids it saw."""
ASKING = "asking"
"""Where a walk stands that has seen all ids: no store names a page so."""
AT_ONCE = 20
EDGE = timedelta(days=1)
"""What is about to vanish from sight is left alone: the store's clock is not ours."""

log = structlog.get_logger()


def walk(turn: Turn) -> None:
    """
    Go on with the walks that are due, until the time for it is over; a store that does not answer is walked another time.

    Raises PlatformError, NotFound.
    """
    end = time.monotonic() + SECONDS
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        now, marks = app_now(session), sync_marks.load_marks(session, turn.shop_id)
    for kind in KINDS:
        mark = marks.get(kind)
        if mark is None or not _is_due(turn, mark, now):
            continue
        try:
            if not _walk(turn, mark, mark.walk_began_at or now, end):
                return
        except (ShopClosed, ThrottledError):
            raise
        except TransientError as error:
            log.info("walk.later", shop_id=turn.shop_id, kind=kind.value, call=error.call)
            return
        except (NotPermitted, Rejected) as error:
            log.info("walk.not_shown", shop_id=turn.shop_id, kind=kind.value, call=error.call)
            with turn.services.db.transaction(shop=turn.shop_id) as session:
                _end(session, turn.shop_id, kind)


def begin_undated(turn: Turn) -> None:
    """Webhooks were off: of records whose edits cannot be asked for, all are compared now and not only tonight."""
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        now = app_now(session)
        for kind in KINDS:
            if kind.value in turn.platform.can.undated:
                sync_marks.note_walk(session, turn.shop_id, kind, now, None)


def _is_due(turn: Turn, mark: SyncMarkRow, now: datetime) -> bool:
    """A shop's first walk comes a day after its install: until then its first pull is enough."""
    return mark.walk_began_at is not None or (mark.walked_at or turn.installed_at) <= now - EVERY


def _walk(turn: Turn, mark: SyncMarkRow, began_at: datetime, end: float) -> bool:
    """Go on with the walk over one kind; false if the time is over before its end."""
    kind, cursor = Resource(mark.resource), mark.walk_cursor
    if cursor is None:
        with turn.services.db.transaction(shop=turn.shop_id) as session:
            slices.forget_seen(session, turn.shop_id, WALK, kind)
    while cursor != ASKING:
        if kind.value in turn.platform.can.undated:
            cursor = _compare_page(turn, Span(kind, told_since=mark.walked_at or turn.installed_at), began_at, cursor)
        else:
            cursor = _list_page(turn, kind, began_at, cursor)
        if time.monotonic() >= end:
            return False
    return _ask_for_missing(turn, kind, began_at, end)


def _list_page(turn: Turn, kind: Resource, began_at: datetime, cursor: str | None) -> str:
    ids, following = call_shop(turn.services, turn.shop_id, lambda access: turn.reads.ids(access, kind, cursor))
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        slices.note_seen(session, turn.shop_id, WALK, kind, ids)
        sync_marks.note_walk(session, turn.shop_id, kind, began_at, following or ASKING)
    return following or ASKING


def _compare_page(turn: Turn, span: Span, began_at: datetime, cursor: str | None) -> str:
    page = read_page(turn, span, cursor)
    ids = [*(one.platform_id for one in page.records), *(words.partition(": ")[0] for words in page.unreadable)]

    def also(session: Session) -> None:
        slices.note_seen(session, turn.shop_id, WALK, span.kind, ids)
        sync_marks.note_walk(session, turn.shop_id, span.kind, began_at, page.cursor or ASKING)

    take_page(turn, span, page, None, also)
    return page.cursor or ASKING


def _ask_for_missing(turn: Turn, kind: Resource, began_at: datetime, end: float) -> bool:
    """
    Ask one by one for those that the walk did not see and the store would have shown; false if the time is over before all are asked.

    A list that comes back all but empty is an accident and no clearance: after a day the walk ends, whatever is left.
    """
    shown_since = call_shop(turn.services, turn.shop_id, lambda access: turn.reads.reaches_back(access, kind, began_at))
    edge = None if shown_since is None else shown_since + EDGE
    while True:
        with turn.services.db.transaction(shop=turn.shop_id) as session:
            missing = comparing.missing_here_or_there(session, WALK, turn.shop_id, kind, until=began_at, created_since=edge)
            if not missing or app_now(session) > began_at + EVERY:
                _end(session, turn.shop_id, kind)
                return True
        asked = missing[:AT_ONCE]
        log.info("walk.missing", shop_id=turn.shop_id, kind=kind.value, records=len(missing))
        page = _ask(turn, kind, asked, is_hidden=shown_since is not None)
        take_page(turn, Span(kind), page, frozenset(), partial(_note_asked, shop_id=turn.shop_id, kind=kind, ids=asked))
        if time.monotonic() >= end:
            return False


def _ask(turn: Turn, kind: Resource, ids: Sequence[str], *, is_hidden: bool) -> Page:
    """
    What the store says of each. One that it does not show is gone if it would have to show it, as records go that it hides
    (`is_hidden`) only for their age. What makes no sense is left as it is.
    """
    records: list[Change] = []
    gone: list[Removed] = []
    note_asking(turn)
    now = turn.asked_at
    assert now is not None
    for one in ids:
        try:
            record = call_shop(turn.services, turn.shop_id, partial(_record_now, turn, kind, one))
        except (TransientError, AccessLost, ShopClosed):
            raise
        except NotPermitted:
            record = None
            if not is_hidden:
                continue
        except PlatformError as error:
            log.info("walk.not_told", shop_id=turn.shop_id, kind=kind.value, call=error.call, error=type(error).__name__)
            continue
        if record is None:
            gone.append(Removed(kind, now, one))
        else:
            records.append(record)
    return Page(tuple(records), gone=tuple(gone))


def _record_now(turn: Turn, kind: Resource, platform_id: str, access: Access) -> Change | None:
    return turn.reads.record_now(access, kind, platform_id)


def _note_asked(session: Session, shop_id: int, kind: Resource, ids: Sequence[str]) -> None:
    slices.note_seen(session, shop_id, WALK, kind, ids)


def _end(session: Session, shop_id: int, kind: Resource) -> None:
    slices.forget_seen(session, shop_id, WALK, kind)
    sync_marks.end_walk(session, shop_id, kind)
