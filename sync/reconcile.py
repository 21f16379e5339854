"""
What webhooks missed: all that changed in a shop since it was last known to be right, compared with what we keep.

Each kind of record has a mark; a comparison goes on from there page by page, in the next turn too, and each page is written with its
mark. What differs is written quietly, see `taking`. What a delivery must have told and did not is counted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog

from connector.canonical import Checkout, Product, Resource
from connector.codes import CodeState
from connector.errors import NotFound
from connector.platforms import Access, NotPermitted, Platform, PlatformError, Reads, Rejected, ShopClosed, ThrottledError, TransientError
from connector.reading import Change, Page
from connector.rules.gaps import Noted
from connector.store import comparing, shops, slices, sync_marks
from connector.store.behind import behind, heard_of
from connector.store.db import Session, app_now
from connector.store.run_tables import SyncMarkRow
from connector.store.work import LeasedShop
from sync import inbox, taking
from sync.access import call_shop
from sync.services import Services
from sync.taking import Found, Taken

SECONDS = 45.0
"""So long a turn may go on with one shop; the rest is compared in its next turns."""
KINDS = (Resource.CHECKOUT, Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE)
MOST_FAILURES = 2
"""One kind that a store cannot show does not hold up the others; after so many it does not answer at all."""
MOST_WORDS = 300
SILENT_FIELDS = frozenset({"used", "status", "source_version"})
"""Of a code, these change without that anything is sent: it was used, or its time has come."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Span:
    """
    Changes between two instants, or all records. `is_marked`: how far they are compared is remembered.

    `told_since`: webhooks must have told of what changed since then.
    """

    kind: Resource
    since: datetime | None = None
    until: datetime | None = None
    is_marked: bool = False
    told_since: datetime | None = None


@dataclass(slots=True)
class Turn:
    """
    One turn of comparing a shop, up to `until`. `since`: where kinds begin that have no mark yet. `end`: of the turn, by `monotonic`.
    `installed_at`: of the shop.

    What it found: `newest`, by the topics of which one must have told it, the newest change; `noted`, all those changes; `withheld` by
    kind; whether all is compared (`is_over`); and how many kinds the store did not show for now (`failures`). `asked_at`: when the store
    was asked last: what a delivery told since is newer than its answer.
    """

    services: Services
    shop_id: int
    platform: Platform
    reads: Reads
    since: datetime
    until: datetime
    installed_at: datetime
    marks: dict[Resource, SyncMarkRow] = field(default_factory=dict)
    end: float = field(default_factory=lambda: time.monotonic() + SECONDS)
    newest: dict[frozenset[str], datetime] = field(default_factory=dict)
    noted: list[Noted] = field(default_factory=list)
    withheld: dict[Resource, set[str]] = field(default_factory=dict)
    is_over: bool = True
    failures: int = 0
    asked_at: datetime | None = None

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self.end

    def told_by(self, change: Change, span: Span) -> frozenset[str]:
        """The topics of ours of which one must have told of a change."""
        return self.reads.told_by(change, span.told_since or self.since) & self.platform.topics


def compare_all(turn: Turn) -> None:
    """
    Compare each kind of record from its mark on, as far as the turn goes.

    What we may not read is left out, and one kind that cannot be read now. Raises PlatformError, NotFound.
    """
    for kind in KINDS:
        try:
            turn.is_over = _compare(turn, kind) and turn.is_over
        except (ThrottledError, ShopClosed):
            raise
        except (NotPermitted, Rejected) as error:
            _note_trouble(turn, kind, error)
        except TransientError as error:
            turn.failures += 1
            if turn.failures >= MOST_FAILURES:
                raise
            _note_trouble(turn, kind, error)


def catch_up(turn: Turn, off: frozenset[str]) -> None:
    """
    Compare what changed up to this moment: webhooks with topics of `off` were off, so nothing of it is on its way.

    The next turn compares it once more. Raises PlatformError, NotFound.
    """
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        now = app_now(session)
    for kind in KINDS:
        try:
            _read(turn, Span(kind, turn.until, now, told_since=turn.until), None, off)
        except (NotPermitted, Rejected) as error:
            log.info("reconcile.not_compared", shop_id=turn.shop_id, kind=kind.value, call=error.call)


def take_page(turn: Turn, span: Span, page: Page, off: frozenset[str] | None, also: Callable[[Session], None]) -> None:
    """
    Write what differs of a page, count what webhooks missed, and do what belongs to it, all or nothing.

    `off`: only topics of these are known not to have come. Raises NotFound if the shop is gone.
    """
    found = taking.gather([page])
    told = {(span.kind, one.platform_id): topics for one in page.records if (topics := turn.told_by(one, span))}
    noted: list[Noted] = []
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        if found.seen:
            shop = inbox.hold(session, turn.shop_id)
            if shop is None or shop.state == "uninstalled":
                raise NotFound(f"shop {turn.shop_id} is not connected")
            noted = _write(session, turn, shop, span, found, told, off)
        _note_withheld(session, turn, span.kind, found)
        missed = sum(one.is_missed for one in noted)
        sync_marks.note_missed(session, turn.shop_id, span.kind, missed)
        also(session)
    turn.noted += noted
    if missed:
        turn.services.metrics.webhooks_missed.add(turn.platform.name, span.kind.value, by=missed)
        log.warning("webhooks.missed", shop_id=turn.shop_id, kind=span.kind.value, records=missed)


def read_page(turn: Turn, span: Span, cursor: str | None) -> Page:
    """A page of what changed. Raises PlatformError, NotFound."""
    note_asking(turn)
    return call_shop(turn.services, turn.shop_id, partial(_page, turn.reads, span, cursor))


def note_asking(turn: Turn) -> None:
    """The store is asked now."""
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        turn.asked_at = app_now(session)


def _compare(turn: Turn, kind: Resource) -> bool:
    """Compare one kind up to the turn's end; false if the turn is over before."""
    mark = turn.marks.get(kind)
    since = mark.good_until if mark is not None and mark.good_until is not None else turn.since
    if mark is not None and mark.cursor is not None and mark.until is not None and mark.until > since:
        if not _read(turn, _marked(kind, since, mark.until), mark.cursor, None):
            return False
        since = mark.until
    return since >= turn.until or _read(turn, _marked(kind, since, turn.until), None, None)


def _read(turn: Turn, span: Span, cursor: str | None, off: frozenset[str] | None) -> bool:
    """Go through a span from a cursor on; false if the turn is over before its last page."""
    while True:
        page = read_page(turn, span, cursor)
        take_page(turn, span, page, off, partial(_mark, turn=turn, span=span, cursor=page.cursor))
        if span.is_marked:
            for change in page.records:
                if topics := turn.told_by(change, span):
                    at = _told_at(change, span)
                    turn.newest[topics] = max(at, turn.newest.get(topics, at))
        cursor = page.cursor
        if cursor is None:
            return True
        if turn.is_late:
            return False


def _told_at(change: Change, span: Span) -> datetime:
    """When a delivery must have come: of what came to be in the span that instant counts, for only that may be told by its topic."""
    created_at = None if isinstance(change, Product | CodeState) else change.created_at
    is_new = created_at is not None and span.since is not None and created_at >= span.since
    return created_at if is_new and created_at is not None else change.source_version


def _marked(kind: Resource, since: datetime, until: datetime) -> Span:
    return Span(kind, since, until, is_marked=True, told_since=since)


def _page(reads: Reads, span: Span, cursor: str | None, access: Access) -> Page:
    return reads.changes(access, span.kind, span.since, span.until, cursor)


def _mark(session: Session, turn: Turn, span: Span, cursor: str | None) -> None:
    if span.is_marked and span.since is not None and span.until is not None:
        sync_marks.note_page(session, turn.shop_id, span.kind, span.since, span.until, cursor)


def _write(
    session: Session,
    turn: Turn,
    shop: LeasedShop,
    span: Span,
    found: Found,
    told: dict[tuple[Resource, str], frozenset[str]],
    off: frozenset[str] | None,
) -> list[Noted]:
    """Write what differs; returns the changes that a delivery must have told of."""
    kind, whole = span.kind, found.records
    if kind is Resource.CHECKOUT and not turn.platform.can.lists_whole_checkouts:
        listed = [one for one in found.records if isinstance(one, Checkout)]
        whole = list(comparing.complete_checkouts(session, shop.id, listed)[0])
        told = {(kind, one.platform_id): turn.told_by(one, span) for one in whole}
    # Before anything is written: of which we knew less, and did not even know that.
    obliged = [one for one in whole if told.get((kind, one.platform_id))]
    unknown = {one for _, one in behind(session, shop.id, [(kind, one.platform_id, one.source_version) for one in obliged])}
    taken = taking.take(session, turn.services, shop, found, turn.asked_at or app_now(session))
    refused = {one.platform_id: "cannot_be_applied" for one in taken.refused if one.platform_id is not None}
    slices.quarantine(session, shop.id, kind, {**found.unreadable, **refused})
    slices.unquarantine(session, shop.id, kind, [one.platform_id for one in found.records if one.platform_id not in refused])
    unknown |= _unknown_codes(taken)
    missed = unknown - refused.keys() - heard_of(session, shop.id, kind, unknown)
    noted = []
    for one in obliged:
        is_missed = one.platform_id in missed and (off is None or bool(told[kind, one.platform_id] & off))
        noted.append(Noted(kind, one.platform_id, one.source_version, is_missed))
    # A checkout that came to its end cost nothing: its order is read.
    lost = [one for one in taken.unrecoverable if one.completed_at is None]
    return noted + [Noted(kind, one.platform_id, one.source_version, is_missed=True, is_lost=True) for one in lost]


def _unknown_codes(taken: Taken) -> set[str]:
    codes = [one for one in taken.compared.differences if one.resource is Resource.DISCOUNT_CODE]
    return {one.platform_id for one in codes if one.kind == "missing" or not one.fields.keys() <= SILENT_FIELDS}


def _note_withheld(session: Session, turn: Turn, kind: Resource, found: Found) -> None:
    """What is withheld of a kind: of all its pages in this turn together."""
    withheld = turn.withheld.setdefault(kind, set())
    withheld |= found.withheld
    if found.records or withheld:
        shops.note_withheld(session, turn.shop_id, withheld, kind)


def _note_trouble(turn: Turn, kind: Resource, error: PlatformError) -> None:
    log.info("reconcile.not_compared", shop_id=turn.shop_id, kind=kind.value, call=error.call, error=type(error).__name__)
    with turn.services.db.transaction(shop=turn.shop_id) as session:
        sync_marks.note_trouble(session, turn.shop_id, kind, str(error)[:MOST_WORDS])
