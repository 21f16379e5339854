"""
What people do about a resync: ask for one, apply what its dry run found, let it rest, go on, and end it.

Each is written into the audit with who and why. A second click starts nothing: it gets the run that there is.
"""

from connector.rules import resyncing
from connector.rules.resyncing import Act
from connector.rules.syncing import RunKind, RunState, Scope
from connector.store import sync_browsing, sync_runs
from connector.store.audit import Actor
from connector.store.db import Session
from connector.store.run_tables import SyncRunRow
from connector.store.tables import ShopRow

OVER = (RunState.FAILED, RunState.CANCELLED)


def request(session: Session, shop: ShopRow, scope: Scope, *, actor: Actor, reason: str, is_dry_run: bool) -> tuple[SyncRunRow, bool]:
    """
    Begin a resync of a connected shop; the one under way, and False, if there is one. A dry run writes nothing.

    Raises Refused for a shop of which nothing can be read, and for a reason that says nothing.
    """
    assert shop.id is not None
    resyncing.check_shop(shop.state)
    why = resyncing.check_reason(reason)
    return sync_runs.begin(session, shop.id, RunKind.RESYNC, scope, actor=actor, reason=why, is_dry_run=is_dry_run)


def apply(session: Session, shop: ShopRow, dry_run: SyncRunRow, *, actor: Actor, reason: str = "") -> tuple[SyncRunRow, bool]:
    """
    Write what a dry run found; the store is read again for it, so nothing that changed since is overwritten.

    Applied twice it is applied once: the run that does it, and False. Without a reason it is done for that of the dry run.
    Raises Refused for anything but a dry run that came to its end and found differences.
    """
    assert shop.id is not None
    resyncing.check_shop(shop.state)
    done = sync_browsing.applied_by(session, dry_run)
    if done is not None and done.state not in OVER:
        return done, False
    resyncing.check_applicable(acts(session, dry_run))
    scope, why = Scope.from_json(dry_run.scope), resyncing.check_reason(reason or dry_run.reason)
    return sync_runs.begin(session, shop.id, RunKind.RESYNC, scope, actor=actor, reason=why, dry_run_id=dry_run.id)


def acts(session: Session, run: SyncRunRow) -> tuple[Act, ...]:
    """What may be done with a run now."""
    has_differences = run.is_dry_run and sync_browsing.has_differences(session, run)
    return resyncing.acts_of(run.state, is_dry_run=run.is_dry_run, has_differences=has_differences)


def act(session: Session, shop: ShopRow, run: SyncRunRow, what: Act, *, actor: Actor, reason: str = "") -> tuple[SyncRunRow, bool]:
    """
    Do one of these with a run that is locked; the run to look at then, and whether anything happened.

    Raises Refused for what cannot be done with a run in this state.
    """
    if what is Act.APPLY:
        return apply(session, shop, run, actor=actor, reason=reason)
    before = run.state
    {Act.PAUSE: sync_runs.pause, Act.RESUME: sync_runs.resume, Act.CANCEL: sync_runs.cancel}[what](session, run, actor, reason)
    return run, run.state != before
