"""
The engine of backfill and resync: slices of a shop's records, page by page, each page's rows and its checkpoint in one transaction.

A worker holds a run for a turn, then others have theirs. Whatever dies goes on at the last page that was written: the lease of a dead
worker ends within seconds, and one that lost it can write nothing more. Nothing is held while a store is asked.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import islice

import structlog

from connector.asked import Listing
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, Gone, NotPermitted, PlatformError, Rejected, ShopClosed, ThrottledError
from connector.reading import Export, Page
from connector.rules import syncing
from connector.rules.syncing import Expected, RunKind
from connector.store import shops, slices, sync_runs
from connector.store.db import Wake, app_now, wake_after_commit
from connector.store.run_tables import SyncSliceRow
from connector.wire import BrokenReading
from sync import endings, leftovers, taking
from sync.held import Held, LostLease
from sync.jobs import Job
from sync.pulling import Pages
from sync.services import Services

TURN_SECONDS, FILE_SECONDS = 20.0, 60.0
"""So long one shop may go on; a file is sorted anew with each turn, so it may for longer."""
RECORDS_AT_ONCE = 500
"""Written together: the more, the fewer statements; this many keep others from the shop's inbox for a tenth of a second."""
KEEP_SECONDS = 4.0
"""How often a worker that waits for a slow store says that it is still there."""
LOOK_AT_FILE = timedelta(seconds=5)
MOST_FILE_TRIES = 5
"""So often in a row a file may be cut or not be had; then its records are read by pages."""
CLOSED = timedelta(hours=1)
NO_ACCESS = timedelta(minutes=10)
LONGEST_WAIT_SECONDS = 600

log = structlog.get_logger()


def work(services: Services, shop_id: int) -> None:
    """Work one turn on the shop's most urgent backfill or resync; rings again if that is not over."""
    wake = Wake(Job.SYNC.value, shop_id)
    if services.pauses.is_paused(wake):
        return
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        platform = services.platforms[shop.platform]
        if shop.state != "connected" or platform.reads is None:
            return
        run = sync_runs.claim(session, shop_id, (RunKind.RESYNC, RunKind.BACKFILL))
    if run is None:
        return
    held = Held(services, run, platform, platform.reads)
    try:
        _take_turn(held)
    except LostLease:
        log.info("sync.lost_lease", shop_id=shop_id, run=run.public_id)
    except ThrottledError as error:
        log.info("sync.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
        services.pauses.pause(wake, error.retry_after)
        _let_go(held, timedelta(seconds=error.retry_after))
    except ShopClosed as error:
        _let_go(held, CLOSED, f"the store is closed: {error}")
    except (AccessLost, NotFound) as error:
        _let_go(held, NO_ACCESS, f"the store cannot be called: {type(error).__name__}")
    except PlatformError as error:
        _later(held, f"{type(error).__name__} at {error.call}: {error}")
    except BrokenReading as error:
        _later(held, f"reading broke: {error}")
        raise
    except Exception as error:
        # What it says may hold anything that a record holds.
        _later(held, type(error).__name__)
        raise


def _take_turn(held: Held) -> None:
    began = time.monotonic()
    while True:
        with held.services.db.transaction(shop=held.shop_id) as session:
            if not sync_runs.hold(session, held.run):
                raise LostLease
            slice_ = sync_runs.next_slice(session, held.run)
            if slice_ is None:
                endings.end(session, held.run)
                return
        until = began + (FILE_SECONDS if slice_.export_id else TURN_SECONDS)
        try:
            is_over = _work_on(held, slice_, until)
        except (NotPermitted, Rejected) as error:
            log.info("sync.not_shown", shop_id=held.shop_id, resource=slice_.resource, call=error.call)
            # What was read in part is not "not shown": nobody may take it for whole.
            end = slices.fail if slice_.pages_done or slice_.is_read else slices.skip
            held.change(partial(end, slice_=slice_, reason=str(error)))
            continue
        if not is_over:
            _let_go(held, LOOK_AT_FILE if slice_.export_id and not slice_.pages_done else timedelta(0))
            return


def _work_on(held: Held, slice_: SyncSliceRow, until: float) -> bool:
    """Go on with a slice until it is over, or the turn is: then false."""
    if slice_.started_at is None:
        _begin(held, slice_)
    if slice_.platform_id is not None:
        leftovers.take_one(held, slice_)
        return True
    if not slice_.is_read:
        pages = _pages(held, slice_)
        if pages is None or not _write_pages(held, slice_, pages, until):
            return False
    return _is_whole(held, slice_) and leftovers.take_missing(held, slice_, until)


def _begin(held: Held, slice_: SyncSliceRow) -> None:
    """Ask how many there are, and for a file if that is sooner there. What comes once more at the end is not counted."""
    is_again = slice_.since is not None and slice_.since >= held.run.high_water_at - syncing.OVERLAP
    expected = None if slice_.platform_id is not None or is_again else held.ask(partial(_count, held, slice_))
    export_id = None
    can_export = held.platform.can.exports
    if expected is not None and syncing.wants_export(expected.number, can_export=can_export, until=slice_.until):
        try:
            export_id = held.ask(lambda access: held.reads.begin_export(access, slice_.kind, slice_.since)).platform_id
        except Rejected as error:
            log.info("sync.no_export", shop_id=held.shop_id, resource=slice_.resource, call=error.call)
    held.change(partial(slices.begin, slice_=slice_, expected=expected, export_id=export_id))


def _count(held: Held, slice_: SyncSliceRow, access: Access) -> Expected:
    found = held.reads.count(access, slice_.kind, slice_.since, slice_.until)
    return Expected(found.number, found.is_exact)


def _pages(held: Held, slice_: SyncSliceRow) -> Callable[[], Iterator[Page]] | None:
    """How what is left of a slice is read; None while the store still writes the file."""
    if slice_.export_id is None:
        return _first_asked(held, Listing(slice_.kind, slice_.since, slice_.until, slice_.cursor))
    export_id, done = slice_.export_id, slice_.pages_done
    try:
        export = held.ask(lambda access: held.reads.look_at_export(access, export_id))
    except Gone:
        export = Export(export_id, "failed", reason="the store does not know it any more")
    if export.state == "running":
        held.change(partial(slices.note_export, slice_=slice_, objects=export.objects))
        return None
    if export.state == "failed" or slice_.attempts >= MOST_FILE_TRIES:
        why = export.reason or "it could not be read"
        held.change(partial(slices.without_export, slice_=slice_, reason=f"the store's file failed: {why}"))
        return _pages(held, slice_)
    return _first_asked(held, Listing(slice_.kind, export=export, skip=done))


def _first_asked(held: Held, listing: Listing) -> Callable[[], Iterator[Page]]:
    """The first page settles whether the credentials live; those that end in the middle end the turn."""

    def begin(access: Access) -> tuple[list[Page], Iterator[Page]]:
        pages = held.services.reader.pages(held.platform, access, listing)
        return list(islice(pages, 1)), pages

    def pages() -> Iterator[Page]:
        first, rest = held.ask(begin)
        yield from first
        yield from rest

    return pages


def _write_pages(held: Held, slice_: SyncSliceRow, read: Callable[[], Iterator[Page]], until: float) -> bool:
    """
    Read and write until there is no more, or the turn is over: then false.

    A page is as new as the asking for it, a file as its beginning: what a webhook told since is newer, and stays.
    """
    read_at = slice_.started_at if slice_.export_id and slice_.started_at else held.now()
    with Pages(read) as pages:
        while True:
            some = pages.take(RECORDS_AT_ONCE, KEEP_SECONDS)
            if some:
                courtesy, mark, began = held.services.courtesy, held.services.courtesy.begun(), time.monotonic()
                passed = partial(slices.pass_pages, slice_=slice_, pages=len(some), cursor=some[-1].cursor)
                held.write(slice_, taking.gather(some), passed, read_at)
                if rest := courtesy.rest(mark, time.monotonic() - began):
                    time.sleep(rest)
            elif pages.is_over:
                held.change(partial(slices.end_reading, slice_=slice_))
                return True
            else:
                held.stay()
            if time.monotonic() >= until and not slice_.is_read:
                return False


def _is_whole(held: Held, slice_: SyncSliceRow) -> bool:
    """
    Whether as many records came as the store counts; if fewer, it is asked once more, as some may be gone since.

    A short slice is read again from its beginning, and if it stays short it fails, loudly.
    """
    if not syncing.is_short(slice_.seen, slice_.expected, is_exact=slice_.is_exact):
        return True
    counted = held.ask(partial(_count, held, slice_))
    if not syncing.is_short(slice_.seen, counted.number, is_exact=counted.is_exact):
        return True
    words = f"{slice_.seen} of the {counted.number} records came that the store counts"
    log.error("sync.short", shop_id=held.shop_id, run=held.run.public_id, resource=slice_.resource, words=words)
    held.change(partial(slices.come_short, slice_=slice_, expected=counted, error=words))
    return False


def _let_go(held: Held, wait: timedelta, error: str | None = None) -> None:
    with held.services.db.transaction(shop=held.shop_id) as session:
        sync_runs.release(session, held.run, due_at=app_now(session) + wait, error=error)
        if not wait:
            wake_after_commit(session, Job.SYNC.value, held.shop_id)
    if error:
        log.info("sync.waits", shop_id=held.shop_id, run=held.run.public_id, error=error)


def _later(held: Held, words: str) -> None:
    """What went wrong is tried again after longer and longer; after too many tries the slice fails."""
    attempts = 1
    with held.services.db.transaction(shop=held.shop_id) as session:
        slice_ = sync_runs.next_slice(session, held.run) if sync_runs.hold(session, held.run) else None
        if slice_ is not None:
            attempts = slices.note_failure(session, slice_, words)
    log.warning("sync.later", shop_id=held.shop_id, run=held.run.public_id, error=words, attempts=attempts)
    _let_go(held, timedelta(seconds=min(5 * 2 ** min(attempts, 10), LONGEST_WAIT_SECONDS)), words)
