"""
What no page tells: one record by its id, and records of ours that the store did not list.

Nothing counts as removed before the store was asked for it by its id.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from connector.canonical import Removed, Resource
from connector.platforms import Access, NotPermitted, Rejected
from connector.reading import Change
from connector.store import comparing, slices
from connector.store.db import Session
from connector.store.run_tables import SyncSliceRow
from sync.held import Held
from sync.taking import Found

AT_ONCE = 20
EDGE = timedelta(days=1)
"""What is about to vanish from sight is left alone: the store's clock is not ours."""
WALKED = (Resource.PRODUCT, Resource.CUSTOMER, Resource.ORDER, Resource.DISCOUNT_CODE)
"""Checkouts are not among them: stores forget theirs, and what became an order is no checkout any more."""

log = structlog.get_logger()


def take_one(held: Held, slice_: SyncSliceRow) -> None:
    """Read a single record, and write it; one that is gone is removed."""
    assert slice_.platform_id is not None
    ids = [slice_.platform_id]
    read_at = held.now()
    found = Found()
    _ask(held, slice_.kind, ids[0], found, read_at)

    def checkpoint(session: Session) -> None:
        _note_asked(session, held, slice_, found, ids)
        slices.finish(session, slice_)

    held.write(slice_, found, checkpoint, read_at)


def take_missing(held: Held, slice_: SyncSliceRow, until: float) -> bool:
    """Ask for those of ours in a slice's span that the store did not list, until none is left, or the turn is over: then false."""
    while True:
        ids, is_hidden = _candidates(held, slice_)
        if not ids:
            break
        read_at = held.now()
        found, unsettled = _asked(held, slice_.kind, ids, read_at, is_hidden=is_hidden)
        checkpoint = partial(_note_asked, held=held, slice_=slice_, found=found, ids=ids, unsettled=unsettled)
        held.write(slice_, found, checkpoint, read_at)
        if time.monotonic() >= until:
            return False
    held.change(partial(slices.finish, slice_=slice_))
    return True


def _candidates(held: Held, slice_: SyncSliceRow) -> tuple[list[str], bool]:
    """Some of them; and whether the store hides records of this kind for their age: these are none of them."""
    if not held.is_resync or slice_.kind not in WALKED:
        return [], False
    now = held.now()
    shown_since = held.ask(lambda access: held.reads.reaches_back(access, slice_.kind, now))
    edge = None if shown_since is None else shown_since + EDGE
    with held.services.db.transaction(shop=held.shop_id) as session:
        found = comparing.missing_here_or_there(
            session, held.run_id, held.shop_id, slice_.kind, since=slice_.since, until=slice_.until, created_since=edge
        )
    return found[:AT_ONCE], edge is not None


def _asked(held: Held, kind: Resource, ids: list[str], now: datetime, *, is_hidden: bool) -> tuple[Found, int]:
    """
    What the store says of each, and of how many it says neither that they are there nor that they are gone.

    Who hides records only for their age (`is_hidden`) hides none of these for it: what is not shown is gone.
    """
    found, unsettled = Found(), 0
    for one in ids:
        try:
            _ask(held, kind, one, found, now)
        except (NotPermitted, Rejected) as error:
            if is_hidden and isinstance(error, NotPermitted):
                found.gone.append(Removed(kind, now, one))
                continue
            log.info("sync.unsettled", shop_id=held.shop_id, resource=kind.value, call=error.call)
            unsettled += 1
    return found, unsettled


def _ask(held: Held, kind: Resource, platform_id: str, found: Found, now: datetime) -> None:
    record = held.ask(partial(_record_now, held, kind, platform_id))
    if record is None:
        found.gone.append(Removed(kind, now, platform_id))
    else:
        found.records.append(record)


def _record_now(held: Held, kind: Resource, platform_id: str, access: Access) -> Change | None:
    return held.reads.record_now(access, kind, platform_id)


def _note_asked(session: Session, held: Held, slice_: SyncSliceRow, found: Found, ids: Sequence[str], unsettled: int = 0) -> None:
    slices.note_seen(session, held.shop_id, held.run_id, slice_.kind, ids)
    removed = [one.platform_id for one in found.gone if one.platform_id is not None]
    slices.note_removed(session, held.run, slice_, removed, unsettled=unsettled)
