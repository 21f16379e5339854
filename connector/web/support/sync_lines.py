"""Runs of syncing in lines and tables: what pages of support show of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from connector.canonical import Resource
from connector.rules.resyncing import Proof, SliceCounts, Verdict, prove
from connector.rules.syncing import RunKind, Scope, SliceState
from connector.store import staff
from connector.store.db import Session
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow, SyncSliceRow
from connector.store.sync_runs import RunView
from connector.web.auth import StaffAsk
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.language import N_
from connector.web.merchant.phrases import count_text
from connector.web.support.sync_masks import shown_value
from connector.web.sync_phrases import (
    DIFFERENCE_KINDS,
    DIFFERENCES,
    DRY_RUN,
    KINDS,
    RUNS,
    SLICE_KINDS,
    SLICES,
    STATE_KINDS,
    STATES,
    field_order,
    field_text,
    scope_text,
    shown_id,
)
from connector.web.withholding import KINDS as SINGULAR

SYSTEM = N_("by itself")
OPEN_FIELDS = 12
"""Of so many fields a record's table stands open; a longer one opens by a click."""
PROVEN = N_("0 differences in every field the API returns.")
WOULD_CHANGE = N_("The dry run found differences. Nothing was changed.")
DRY_EQUAL = N_("0 differences in every field the API returns. There is nothing to apply.")
STILL_DIFFERS = N_("Not everything is as the store has it.")
NOT_WHOLE = N_("Not everything could be read, so nothing is proven.")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list."""

    url: str
    kind: str
    is_dry_run: bool
    scope: str
    state: str
    state_kind: str
    who: str
    why: str
    asked_at: Moment
    finished_at: Moment | None


@dataclass(frozen=True, slots=True)
class SliceLine:
    """One slice of a run. `most` is what its bar runs to, 0 for no bar."""

    kind: str
    is_again: bool
    state: str
    state_kind: str
    done: int
    most: int
    counted: str
    missing: str
    changed: str
    unchanged: str
    newer: str
    unreadable: str
    unrecoverable: str
    error: str


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field that differs: ours and the store's."""

    name: str
    code: str
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One record that differs, with its fields."""

    kind: str
    platform_id: str
    what: str
    what_kind: str
    is_applied: bool
    is_open: bool
    fields: tuple[FieldLine, ...]


@dataclass(frozen=True, slots=True)
class ProofView:
    """What a run proved, in words. `counts`: pairs of a name and how many; `hidden`: kinds that the store does not show."""

    kind: str
    title: str
    counts: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    store_digest: str
    ours_digest: str


def staff_names(session: Session) -> Mapping[str, str]:
    """What our people are called, by how runs name who asked. Needs a system transaction."""
    return {f"staff {row.public_id}": row.name for row in staff.list_staff(session)}


def run_line(ask: StaffAsk, run: SyncRunRow, url: str, names: Mapping[str, str], place: tzinfo) -> RunLine:
    """A run as the list has it."""
    return RunLine(
        url=f"{url}/{run.public_id}",
        kind=ask.gettext(RUNS[run.kind]),
        is_dry_run=run.is_dry_run,
        scope=scope_of(ask, run, place),
        state=ask.gettext(STATES[run.state]),
        state_kind=STATE_KINDS.get(run.state, ""),
        who=who_asked(ask, run, names),
        why=run.reason,
        asked_at=moment(run.created_at, place, ask.language),
        finished_at=moment_or_none(run.finished_at, place, ask.language),
    )


def who_asked(ask: StaffAsk, run: SyncRunRow, names: Mapping[str, str]) -> str:
    """The person's name, or how the audit calls them."""
    return ask.gettext(SYSTEM) if run.asked_by == "system" else names.get(run.asked_by, run.asked_by)


def scope_of(ask: StaffAsk, run: SyncRunRow, place: tzinfo) -> str:
    """What a run covers, in words."""
    return scope_text(Scope.from_json(run.scope), ask.gettext, lambda at: moment(at, place, ask.language).short)


def title_of(ask: StaffAsk, run: SyncRunRow) -> str:
    """What a run is called."""
    return ask.gettext(DRY_RUN if run.is_dry_run else RUNS[run.kind])


def slice_lines(ask: StaffAsk, view: RunView) -> tuple[SliceLine, ...]:
    """The slices in their order; what only came once more at the end is marked, and left out as long as it found nothing."""
    known: set[str] = set()
    lines = []
    for one in view.slices:
        is_again = one.resource in known
        if not is_again or one.seen or one.error:
            lines.append(_slice(ask, one, is_again=is_again))
        known.add(one.resource)
    return tuple(lines)


def counts_of(slices: Sequence[SyncSliceRow]) -> list[SliceCounts]:
    """Slices as the rules know them."""
    names = ("missing", "changed", "unchanged", "newer", "unreadable", "unrecoverable", "remaining", "store_sum", "ours_sum")
    return [SliceCounts(Resource(one.resource), SliceState(one.state), *(getattr(one, name) for name in names)) for one in slices]


def proof_of(view: RunView) -> Proof | None:
    """What a run proved."""
    return prove(counts_of(view.slices), view.run.state)


def proof_view(ask: StaffAsk, view: RunView) -> ProofView | None:
    """The same in words; None while there is nothing to say."""
    proof = proof_of(view)
    if proof is None or view.run.kind != RunKind.RESYNC:
        return None
    title, kind = _verdict(proof.verdict, is_dry_run=view.run.is_dry_run)
    words = [
        (N_("records compared"), proof.compared),
        (N_("missing here"), proof.missing),
        (N_("different"), proof.changed),
        (N_("still different"), 0 if view.run.is_dry_run else proof.differing),
        (N_("newer here: a webhook told of a later state"), proof.newer),
        (N_("unreadable, kept aside"), proof.unreadable),
        (N_("not recoverable"), proof.unrecoverable),
    ]
    always = 4 if not view.run.is_dry_run else 3
    return ProofView(
        kind=kind,
        title=ask.gettext(title),
        counts=tuple(
            (ask.gettext(name), count_text(count, ask.language)) for at, (name, count) in enumerate(words) if count or at < always
        ),
        hidden=tuple(ask.gettext(KINDS[one]) for one in proof.hidden),
        store_digest=proof.store_digest,
        ours_digest=proof.ours_digest,
    )


def difference_lines(ask: StaffAsk, rows: Sequence[SyncDifferenceRow], *, is_masked: bool) -> tuple[DifferenceLine, ...]:
    """Records with the fields that differ; masked, what names a person or opens something is hidden."""
    return tuple(_difference(ask, row, is_masked=is_masked) for row in rows)


def lag_of(good_until: datetime | None, now: datetime) -> timedelta | None:
    """How old what we know may be."""
    return None if good_until is None else max(now - good_until, timedelta())


def _slice(ask: StaffAsk, one: SyncSliceRow, *, is_again: bool) -> SliceLine:
    def number(count: int) -> str:
        return count_text(count, ask.language) if count else ""

    most = 0 if one.expected is None or is_again else max(one.expected, one.seen, 1)
    counted = count_text(one.seen, ask.language)
    if most:
        counted = ask.gettext(N_("%(done)s of %(total)s")) % {
            "done": counted,
            "total": count_text(max(one.expected or 0, one.seen), ask.language),
        }
    return SliceLine(
        kind=ask.gettext(KINDS[one.resource]),
        is_again=is_again,
        state=ask.gettext(SLICES[one.state]),
        state_kind=SLICE_KINDS.get(one.state, "info" if one.started_at else ""),
        done=one.seen,
        most=most,
        counted=counted,
        missing=number(one.missing),
        changed=number(one.changed),
        unchanged=number(one.unchanged),
        newer=number(one.newer),
        unreadable=number(one.unreadable),
        unrecoverable=number(one.unrecoverable),
        error=one.error or "",
    )


def _verdict(verdict: Verdict, *, is_dry_run: bool) -> tuple[str, str]:
    if verdict is Verdict.INCOMPLETE:
        return NOT_WHOLE, "bad"
    if verdict is Verdict.EQUAL:
        return (DRY_EQUAL if is_dry_run else PROVEN), "good"
    return (WOULD_CHANGE, "warn") if is_dry_run else (STILL_DIFFERS, "bad")


def _difference(ask: StaffAsk, row: SyncDifferenceRow, *, is_masked: bool) -> DifferenceLine:
    def shown(name: str, value: str | None) -> str:
        return shown_value(name, value, row.resource) if is_masked else value or "—"

    fields = tuple(
        FieldLine(field_text(name, ask.gettext), name, shown(name, ours), shown(name, theirs))
        for name, (ours, theirs) in sorted(row.fields.items(), key=lambda item: field_order(item[0]))
    )
    return DifferenceLine(
        kind=ask.gettext(SINGULAR[Resource(row.resource)]),
        platform_id=shown_id(row.resource, row.platform_id) if is_masked else row.platform_id,
        what=ask.gettext(DIFFERENCES[row.kind]),
        what_kind=DIFFERENCE_KINDS.get(row.kind, ""),
        is_applied=row.is_applied,
        is_open=len(fields) <= OPEN_FIELDS,
        fields=fields,
    )
