"""
Runs of syncing: begun, held by one worker at a time, paused, cancelled, ended; with what was done so far.

A lease is fenced: whoever lost it, since a worker stood still for too long, can write nothing more of the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.errors import NotFound, Refused
from connector.rules.syncing import ACTIVE, Progress, RunKind, RunState, Scope, SliceState, plan, progress
from connector.store import audit, db
from connector.store.audit import SYSTEM, Actor
from connector.store.db import app_now, wake_after_commit
from connector.store.ids import public_id
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow, SyncSliceRow
from connector.store.tables import ShopRow

JOB = "sync_records"
LEASE = timedelta(seconds=15)
"""A worker says again and again that it is still there; so long after the last word another one takes over."""
_ACTIVE = [state.value for state in ACTIVE]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its slices, in their order, and how far it is."""

    run: SyncRunRow
    slices: Sequence[SyncSliceRow]
    progress: Progress

    def total(self, name: str) -> int:
        """The sum of one count over all slices, such as `changed`."""
        return sum(getattr(one, name) for one in self.slices)

    @property
    def differences(self) -> int:
        """How many records were not as the store has them."""
        return self.total("missing") + self.total("changed")

    @property
    def is_proven(self) -> bool:
        """Whether all that was compared is as the store has it: nothing remains, and both digests are the same."""
        states = {one.state for one in self.slices}
        is_done = SliceState.DONE.value in states and states <= {SliceState.DONE.value, SliceState.SKIPPED.value}
        return is_done and not self.total("remaining") and all(one.store_sum == one.ours_sum for one in self.slices)


def begin(
    session: Session,
    shop_id: int,
    kind: RunKind,
    scope: Scope,
    *,
    actor: Actor = SYSTEM,
    reason: str = "",
    is_dry_run: bool = False,
    dry_run_id: int | None = None,
) -> tuple[SyncRunRow, bool]:
    """
    Begin a run and ring for it; the active one of this kind, and False, if there is one: a second click starts nothing.

    Two who begin at once get the same run. Whoever asks is written into the audit.
    """
    now = app_now(session)
    values = {
        "public_id": public_id("syn"),
        "shop": shop_id,
        "kind": kind.value,
        "scope": msgspec.json.encode(scope.to_json()).decode(),
        "by": actor.name,
        "reason": reason,
        "dry": is_dry_run,
        "dry_run": dry_run_id,
    }
    run_id = session.execute(_BEGIN, values).scalar()
    if run_id is None:
        active = active_run(session, shop_id, kind)
        if active is None:  # it ended between the two looks
            return begin(session, shop_id, kind, scope, actor=actor, reason=reason, is_dry_run=is_dry_run, dry_run_id=dry_run_id)
        wake_after_commit(session, JOB, shop_id)
        return active, False
    _add_slices(session, shop_id, run_id, scope, now)
    run = session.get_one(SyncRunRow, run_id)
    if kind is RunKind.RESYNC:
        write_down(session, run, actor, "resync.asked", reason)
    wake_after_commit(session, JOB, shop_id)
    return run, True


def _add_slices(session: Session, shop_id: int, run_id: int, scope: Scope, high_water: datetime) -> None:
    for position, spec in enumerate(plan(scope, high_water)):
        session.add(
            SyncSliceRow(
                run_id=run_id,
                position=position,
                shop_id=shop_id,
                resource=spec.resource.value,
                since=spec.since,
                until=spec.until,
                platform_id=spec.platform_id,
                notes={},
            )
        )


def active_run(session: Session, shop_id: int, kind: RunKind) -> SyncRunRow | None:
    """The run of this kind that is waiting, running or paused."""
    statement = select(SyncRunRow).where(
        col(SyncRunRow.shop_id) == shop_id, col(SyncRunRow.kind) == kind.value, col(SyncRunRow.state).in_(_ACTIVE)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def last_run(session: Session, shop_id: int, kind: RunKind) -> SyncRunRow | None:
    """The newest run of this kind."""
    statement = select(SyncRunRow).where(col(SyncRunRow.shop_id) == shop_id, col(SyncRunRow.kind) == kind.value)
    return session.scalars(statement.order_by(col(SyncRunRow.id).desc()).limit(1)).one_or_none()


def find_run(session: Session, shop_id: int, run_public_id: str, *, lock: bool = False) -> SyncRunRow:
    """A run of this shop. Raises NotFound."""
    statement = select(SyncRunRow).where(col(SyncRunRow.shop_id) == shop_id, col(SyncRunRow.public_id) == run_public_id)
    run = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if run is None:
        raise NotFound("no such run")
    return run


def list_runs(session: Session, shop_id: int, limit: int = 20) -> Sequence[SyncRunRow]:
    """The shop's runs, newest first."""
    statement = select(SyncRunRow).where(col(SyncRunRow.shop_id) == shop_id).order_by(col(SyncRunRow.id).desc()).limit(limit)
    return session.scalars(statement).all()


def view(session: Session, run: SyncRunRow) -> RunView:
    """How a run stands."""
    statement = select(SyncSliceRow).where(col(SyncSliceRow.run_id) == run.id).order_by(col(SyncSliceRow.position))
    slices = session.scalars(statement.execution_options(populate_existing=True)).all()
    counted = [one for one in slices if one.state != SliceState.SKIPPED]
    # What only comes again at the end was counted before.
    first = {one.resource: one for one in reversed(counted)}
    sized = [one for one in counted if first[one.resource] is one or one.expected is not None]
    at = run.finished_at or app_now(session)
    return RunView(run, slices, progress([one.seen for one in sized], [one.expected for one in sized], run.started_at, at))


def list_differences(session: Session, run_id: int, after_id: int = 0, limit: int = 50) -> Sequence[SyncDifferenceRow]:
    """What a run found, in the order in which it was found."""
    statement = select(SyncDifferenceRow).where(col(SyncDifferenceRow.run_id) == run_id, col(SyncDifferenceRow.id) > after_id)
    return session.scalars(statement.order_by(col(SyncDifferenceRow.id)).limit(limit)).all()


def pause(session: Session, run: SyncRunRow, actor: Actor, reason: str = "") -> None:
    """Let a run rest after the page that is being written. `run` must be locked. Raises Refused for one that is over."""
    _set(session, run, RunState.PAUSED, actor, reason, "paused", (RunState.WAITING, RunState.RUNNING, RunState.PAUSED))


def resume(session: Session, run: SyncRunRow, actor: Actor, reason: str = "") -> None:
    """Let it go on where it was. Raises Refused for one that is over."""
    _set(session, run, RunState.RUNNING if run.started_at else RunState.WAITING, actor, reason, "resumed", (RunState.PAUSED,))
    run.due_at = app_now(session)
    wake_after_commit(session, JOB, run.shop_id)


def cancel(session: Session, run: SyncRunRow, actor: Actor, reason: str = "") -> None:
    """End a run where it is; what it has written stays. Raises Refused for one that is over."""
    _set(session, run, RunState.CANCELLED, actor, reason, "cancelled", ACTIVE)
    run.finished_at = app_now(session)


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Connected shops with a run to be worked on now that nobody works on, the longest waiting first."""
    statement = text("""
        select r.shop_id from sync_runs r join shops s on s.id = r.shop_id and s.state = 'connected'
        where r.state in ('waiting', 'running') and r.kind <> 'reconcile' and r.due_at <= app_now()
          and (r.leased_until is null or r.leased_until <= app_now())
        group by r.shop_id order by min(r.due_at), r.shop_id limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def shops_to_backfill(session: Session, platforms: Sequence[str], limit: int) -> list[int]:
    """Connected shops of which nothing was pulled since they were installed."""
    statement = text("""
        select s.id from shops s where s.state = 'connected' and s.platform = any(:platforms)
          and not exists (select 1 from sync_runs r where r.shop_id = s.id and r.kind = 'backfill' and r.created_at >= s.installed_at)
        order by s.installed_at, s.id limit :limit
    """)
    return list(session.execute(statement, {"platforms": list(platforms), "limit": limit}).scalars())


def shops_that_left(session: Session, limit: int) -> list[int]:
    """Uninstalled shops of which a run is not over yet. Whoever takes in an uninstall holds the inbox, and may not wait for a run."""
    statement = text("""
        select distinct r.shop_id from sync_runs r join shops s on s.id = r.shop_id and s.state = 'uninstalled'
        where r.state in ('waiting', 'running', 'paused') order by r.shop_id limit :limit
    """)
    return list(session.execute(statement, {"limit": limit}).scalars())


def end_of_earlier_install(session: Session, shop_id: int) -> None:
    """What was begun before the shop was installed last, or before it left, is over: most of what it read is of another time."""
    session.execute(_END_EARLIER, {"shop": shop_id})


def claim(session: Session, shop_id: int, kinds: Sequence[RunKind]) -> SyncRunRow | None:
    """Take the most urgent run of these kinds that is due and that nobody works on; it is ours until the lease ends."""
    values = {"shop": shop_id, "kinds": [kind.value for kind in kinds], "lease": public_id("lea"), "span": LEASE}
    run_id = session.execute(_CLAIM, values).scalar()
    return None if run_id is None else session.get_one(SyncRunRow, run_id, populate_existing=True)


def hold(session: Session, run: SyncRunRow) -> bool:
    """
    Lock a claimed run until the transaction ends, and keep it for longer; false if it is not ours any more, was stopped, or the shop left.

    Before the shop's inbox, never after it.
    """
    return bool(db.run(session, _HOLD, {"id": run.id, "lease": run.lease, "span": LEASE}))


def release(session: Session, run: SyncRunRow, *, due_at: datetime | None = None, error: str | None = None) -> None:
    """Let a claimed run go; it goes on at `due_at`, or with the next turn. `error`: what went wrong last."""
    session.execute(_RELEASE, {"id": run.id, "lease": run.lease, "due": due_at, "error": error})


def finish(session: Session, run: SyncRunRow, state: RunState, error: str | None = None) -> None:
    """A claimed run is over."""
    session.execute(_FINISH, {"id": run.id, "lease": run.lease, "state": state.value, "error": error})


def next_slice(session: Session, run: SyncRunRow) -> SyncSliceRow | None:
    """The first slice that is not over."""
    statement = select(SyncSliceRow).where(col(SyncSliceRow.run_id) == run.id, col(SyncSliceRow.state) == SliceState.OPEN.value)
    ordered = statement.order_by(col(SyncSliceRow.position)).limit(1)
    return session.scalars(ordered.execution_options(populate_existing=True)).one_or_none()


def _set(session: Session, run: SyncRunRow, state: RunState, actor: Actor, reason: str, action: str, allowed: Sequence[RunState]) -> None:
    if run.state not in [one.value for one in allowed]:
        raise Refused("This run is over, or does not rest: look at it again.")
    if run.state != state.value:
        run.state = state.value
        write_down(session, run, actor, f"{run.kind}.{action}", reason)


def write_down(session: Session, run: SyncRunRow, actor: Actor, action: str, reason: str) -> None:
    """Into the audit, where the owners of the account read it too."""
    account_id = session.get_one(ShopRow, run.shop_id).account_id
    audit.write(session, actor, action, account_id=account_id, shop_id=run.shop_id, object=run.public_id, reason=reason or None)


_END_EARLIER = text("""
    update sync_runs r set state = 'cancelled', finished_at = app_now(), lease = null, leased_until = null
    from shops s where s.id = :shop and r.shop_id = s.id and (r.created_at < s.installed_at or s.state = 'uninstalled')
      and r.state in ('waiting', 'running', 'paused')
""")
_BEGIN = text("""
    insert into sync_runs
        (public_id, shop_id, kind, state, is_dry_run, dry_run_id, scope, asked_by, reason, high_water_at, created_at, due_at)
    values (:public_id, :shop, :kind, 'waiting', :dry, :dry_run, cast(:scope as jsonb), :by, :reason, app_now(), app_now(), app_now())
    on conflict (shop_id, kind) where state in ('waiting', 'running', 'paused') do nothing returning id
""")
_CLAIM = text("""
    update sync_runs set lease = :lease, leased_until = app_now() + :span, state = 'running', started_at = coalesce(started_at, app_now())
    where id = (
        select id from sync_runs
        where shop_id = :shop and kind = any(:kinds) and state in ('waiting', 'running') and due_at <= app_now()
          and (leased_until is null or leased_until <= app_now())
        order by case kind when 'resync' then 0 when 'reconcile' then 1 else 2 end, id limit 1 for update skip locked
    ) returning id
""")
_HOLD = """
    update sync_runs r set leased_until = app_now() + %(span)s from shops s
    where r.id = %(id)s and r.lease = %(lease)s and r.state = 'running' and s.id = r.shop_id and s.state = 'connected' returning r.id
"""
_RELEASE = text("""
    update sync_runs set lease = null, leased_until = null, due_at = coalesce(:due, app_now()), error = coalesce(:error, error)
    where id = :id and lease = :lease
""")
_FINISH = text("""
    update sync_runs set state = :state, finished_at = app_now(), lease = null, leased_until = null, error = coalesce(:error, error)
    where id = :id and lease = :lease and state in ('waiting', 'running')
""")
