"""How a run ends: with its marks, and a resync with its proof."""

import structlog

from connector.canonical import Resource
from connector.rules.syncing import RunKind, RunState, Scope, SliceState
from connector.store import slices, sync_marks, sync_runs
from connector.store.audit import SYSTEM
from connector.store.db import Session
from connector.store.run_tables import SyncRunRow
from connector.store.sync_runs import RunView

log = structlog.get_logger()


def end(session: Session, run: SyncRunRow) -> None:
    """All slices of a run that we hold are over: it is done, or has failed."""
    view = sync_runs.view(session, run)
    failed = [one for one in view.slices if one.state == SliceState.FAILED]
    state = RunState.FAILED if failed else RunState.DONE
    error = "; ".join(f"{one.resource}: {one.error}" for one in failed)[:500] or None
    sync_runs.finish(session, run, state, error)
    slices.forget_seen(session, run.shop_id, run.id or 0)
    scope = Scope.from_json(run.scope)
    if not run.is_dry_run and scope.since is None and scope.until is None and scope.platform_id is None:
        for resource in _done(view):
            sync_marks.note_good(session, run.shop_id, resource, run.high_water_at)
    if run.kind == RunKind.RESYNC:
        sync_runs.write_down(session, run, SYSTEM, f"resync.{state.value}", outcome(view))
    log.info("sync.ended", shop_id=run.shop_id, run=run.public_id, kind=run.kind, state=state.value, seen=view.total("seen"))


def outcome(view: RunView) -> str:
    """What came of a run, in one line of counts."""
    counts = ", ".join(f"{view.total(name)} {name}" for name in ("seen", "missing", "changed", "newer", "unreadable", "remaining"))
    return f"{counts}; {'proven' if view.is_proven else 'not proven'}"


def _done(view: RunView) -> list[Resource]:
    """The kinds of which every slice is done."""
    kinds = {one.kind for one in view.slices}
    return [kind for kind in kinds if all(one.state == SliceState.DONE for one in view.slices if one.kind is kind)]
