"""
Slices of a run: where each stands and what it found. Called in the transaction that writes the records, by who holds the run.

Each function takes a slice as it was last committed, and changes it in this transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import text
from sqlmodel import Session

from connector.canonical import Checkout, Removed, Resource
from connector.reading import Change
from connector.rules.comparing import Difference
from connector.rules.syncing import MAX_ATTEMPTS, MAX_SHORT, Expected, SliceState
from connector.store.comparing import Compared
from connector.store.db import app_now, run
from connector.store.run_tables import SyncRunRow, SyncSliceRow
from connector.store.upserts import as_json

MOST_DIFFERENCES = 1000
"""Of a slice so many are kept to be read; all are counted."""
WHOLE = 1 << 256


class Read(Protocol):
    """What pages brought."""

    records: list[Change]
    unreadable: dict[str, str]

    @property
    def seen(self) -> int: ...


class Outcome(Protocol):
    """What became of it."""

    @property
    def compared(self) -> Compared: ...
    @property
    def unrecoverable(self) -> Sequence[Checkout]: ...
    @property
    def refused(self) -> Sequence[Change | Removed]: ...


def begin(session: Session, slice_: SyncSliceRow, expected: Expected | None, export_id: str | None) -> None:
    """The first look at the store: how many there are, and the file that it writes for us."""
    session.add(slice_)
    slice_.started_at = app_now(session)
    slice_.export_id = export_id
    if expected is not None:
        slice_.expected, slice_.is_exact = expected.number, expected.is_exact


def skip(session: Session, slice_: SyncSliceRow, reason: str) -> None:
    """The store does not show us this kind of record."""
    session.add(slice_)
    slice_.state, slice_.error, slice_.finished_at = SliceState.SKIPPED.value, reason[:500], app_now(session)


def fail(session: Session, slice_: SyncSliceRow, reason: str) -> None:
    """The store stopped showing us this kind of record when a part was read."""
    session.add(slice_)
    slice_.state, slice_.error, slice_.finished_at = SliceState.FAILED.value, reason[:500], app_now(session)


def note_export(session: Session, slice_: SyncSliceRow, objects: int) -> None:
    """How far the store's own writing of the file is."""
    session.add(slice_)
    slice_.notes = {**slice_.notes, "objects": objects}


def without_export(session: Session, slice_: SyncSliceRow, reason: str) -> None:
    """The file is not to be had: read by pages, from the beginning."""
    _restart(session, slice_)
    slice_.export_id, slice_.error = None, reason[:500]


def pass_pages(session: Session, slice_: SyncSliceRow, pages: int, cursor: str | None) -> None:
    """The checkpoint: so many more pages are written, and reading goes on at `cursor`."""
    session.add(slice_)
    slice_.pages_done += pages
    slice_.attempts = 0
    slice_.cursor = cursor
    if cursor is None and slice_.export_id is None:
        slice_.is_read = True


def end_reading(session: Session, slice_: SyncSliceRow) -> None:
    """There is no further page."""
    session.add(slice_)
    slice_.is_read = True


def finish(session: Session, slice_: SyncSliceRow) -> None:
    """All was read, and compared."""
    session.add(slice_)
    slice_.state, slice_.finished_at = SliceState.DONE.value, app_now(session)


def come_short(session: Session, slice_: SyncSliceRow, expected: Expected, error: str) -> None:
    """Fewer records came than the store counts: once more from the beginning, or failed."""
    tries = int(slice_.notes.get("short", 0)) + 1
    if tries >= MAX_SHORT:
        session.add(slice_)
        slice_.state, slice_.finished_at = SliceState.FAILED.value, app_now(session)
    else:
        _restart(session, slice_)
        slice_.export_id = None
    slice_.notes = {**slice_.notes, "short": tries}
    slice_.expected, slice_.is_exact, slice_.error = expected.number, expected.is_exact, error[:500]


def note_failure(session: Session, slice_: SyncSliceRow, error: str) -> int:
    """A call of the store failed; returns how often in a row. After too many the slice has failed."""
    session.add(slice_)
    slice_.attempts += 1
    slice_.error = error[:500]
    if slice_.attempts >= MAX_ATTEMPTS:
        slice_.state, slice_.finished_at = SliceState.FAILED.value, app_now(session)
    return slice_.attempts


def note(
    session: Session,
    owner: SyncRunRow,
    slice_: SyncSliceRow,
    found: Read,
    outcome: Outcome,
    after: Compared | None,
    read_at: datetime,
    *,
    keeps_differences: bool,
) -> None:
    """
    Add what some pages brought. `after`: how they compare now that they are written, for the proof; of a dry run, nothing was.

    With `keeps_differences` what differed can be read later, and which records were there is remembered. A dry run puts nothing aside,
    and nothing back: it made nothing good.
    """
    session.add(slice_)
    compared = outcome.compared
    slice_.seen += found.seen
    slice_.missing += compared.missing
    slice_.changed += compared.changed
    slice_.unchanged += compared.unchanged
    slice_.newer += compared.newer
    slice_.unreadable += len(found.unreadable) + len(outcome.refused)
    slice_.unrecoverable += len(outcome.unrecoverable)
    proof = after if after is not None else compared if owner.is_dry_run else None
    if proof is not None:
        slice_.remaining += len(proof.differences)
        slice_.store_sum = _added(slice_.store_sum, proof.store_digest)
        slice_.ours_sum = _added(slice_.ours_sum, proof.ours_digest)
    if after is not None:
        slice_.remaining += sum(1 for one in outcome.refused if isinstance(one, Removed))
    if not owner.is_dry_run:
        refused = {one.platform_id: "cannot_be_applied" for one in outcome.refused if one.platform_id is not None}
        quarantine(session, slice_.shop_id, slice_.kind, {**found.unreadable, **refused})
        unquarantine(session, slice_.shop_id, slice_.kind, [one.platform_id for one in found.records if one.platform_id not in refused])
    if keeps_differences:
        remaining = {one.platform_id for one in after.differences} if after is not None else set()
        _keep_differences(session, owner, slice_, outcome, remaining, read_at)
        ids = [*(one.platform_id for one in found.records), *found.unreadable]
        note_seen(session, slice_.shop_id, owner.id or 0, slice_.kind, ids)


def note_removed(session: Session, owner: SyncRunRow, slice_: SyncSliceRow, platform_ids: Sequence[str], *, unsettled: int = 0) -> None:
    """These are gone from the store; of so many others it did not say whether they are."""
    session.add(slice_)
    slice_.changed += len(platform_ids)
    # A dry run leaves them here: they differ.
    slice_.remaining += unsettled + (len(platform_ids) if owner.is_dry_run else 0)
    found = [Difference(slice_.kind, one, "removed", {}) for one in platform_ids]
    if found:
        _insert_differences(session, owner, slice_, found, set(), app_now(session))


def note_seen(session: Session, shop_id: int, run_id: int, resource: Resource, platform_ids: Sequence[str]) -> None:
    """Remember which records are there; `run_id` 0: by a walk over all ids."""
    if platform_ids:
        session.execute(_SEEN, {"shop": shop_id, "run": run_id, "resource": resource.value, "ids": list(platform_ids)})


def forget_seen(session: Session, shop_id: int, run_id: int, resource: Resource | None = None) -> None:
    """Forget it again."""
    session.execute(_FORGET_SEEN, {"shop": shop_id, "run": run_id, "resource": resource.value if resource else None})


def quarantine(session: Session, shop_id: int, resource: Resource, unreadable: Mapping[str, str]) -> None:
    """Keep which records made no sense, and why."""
    if unreadable:
        values = {"shop": shop_id, "resource": resource.value, "ids": list(unreadable), "reasons": list(unreadable.values())}
        session.execute(_QUARANTINE, values)


def unquarantine(session: Session, shop_id: int, resource: Resource, platform_ids: Sequence[str]) -> None:
    """These make sense now."""
    if platform_ids:
        run(session, _UNQUARANTINE, {"shop": shop_id, "resource": resource.value, "ids": as_json(platform_ids)})


def _restart(session: Session, slice_: SyncSliceRow) -> None:
    session.add(slice_)
    for name in ("seen", "missing", "changed", "unchanged", "newer", "unreadable", "unrecoverable", "remaining", "pages_done"):
        setattr(slice_, name, 0)
    slice_.cursor, slice_.is_read, slice_.store_sum, slice_.ours_sum = None, False, "", ""


def _added(kept: str, digest: int) -> str:
    return f"{(int(kept or '0', 16) + digest) % WHOLE:064x}"


def _keep_differences(
    session: Session, owner: SyncRunRow, slice_: SyncSliceRow, outcome: Outcome, remaining: set[str], at: datetime
) -> None:
    room = MOST_DIFFERENCES - (slice_.missing + slice_.changed - outcome.compared.missing - outcome.compared.changed)
    found = [*outcome.compared.differences[: max(room, 0)]]
    found += [Difference(Resource.CHECKOUT, one.platform_id, "unrecoverable", {}) for one in outcome.unrecoverable[:MOST_DIFFERENCES]]
    if found:
        _insert_differences(session, owner, slice_, found, remaining, at)


def _insert_differences(
    session: Session, owner: SyncRunRow, slice_: SyncSliceRow, found: Sequence[Difference], remaining: set[str], at: datetime
) -> None:
    # Many codes of one discount have its id: one row, with what differs in any of them.
    rows: dict[tuple[Resource, str], dict[str, Any]] = {}
    for one in found:
        fields = rows.get((one.resource, one.platform_id), {}).get("fields", {})
        rows[one.resource, one.platform_id] = {
            "run_id": owner.id,
            "shop_id": slice_.shop_id,
            "resource": one.resource.value,
            "platform_id": one.platform_id,
            "kind": one.kind,
            "fields": {**fields, **one.fields},
            "is_applied": not owner.is_dry_run and one.kind != "unrecoverable" and one.platform_id not in remaining,
            "at": at,
        }
    run(session, _DIFFERENCES, {"rows": as_json(list(rows.values()))})


_SEEN = text("""
    insert into sync_seen (shop_id, run_id, resource, platform_id)
    select :shop, :run, :resource, id from unnest(cast(:ids as text[])) t (id) on conflict do nothing
""")
_FORGET_SEEN = text("""
    delete from sync_seen where shop_id = :shop and run_id = :run and (cast(:resource as text) is null or resource = :resource)
""")
_QUARANTINE = text("""
    insert into quarantined_records as q (shop_id, resource, platform_id, reason, first_at, last_at)
    select :shop, :resource, t.id, t.reason, app_now(), app_now()
    from unnest(cast(:ids as text[]), cast(:reasons as text[])) t (id, reason)
    on conflict (shop_id, resource, platform_id) do update set reason = excluded.reason, last_at = excluded.last_at, times = q.times + 1
""")
_UNQUARANTINE = """
    delete from quarantined_records where shop_id = %(shop)s and resource = %(resource)s
        and platform_id = any(array(select json_array_elements_text(cast(%(ids)s as json))))
"""
_DIFFERENCES = """
    insert into sync_differences (run_id, shop_id, resource, platform_id, kind, fields, is_applied, at)
    select run_id, shop_id, resource, platform_id, kind, fields, is_applied, at
    from json_populate_recordset(null::sync_differences, cast(%(rows)s as json))
    on conflict (run_id, resource, platform_id) do update set
        kind = excluded.kind, fields = excluded.fields, is_applied = excluded.is_applied, at = excluded.at
"""
