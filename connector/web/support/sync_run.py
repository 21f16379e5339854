"""One run of syncing as support sees it: how far it is while it runs, what differs field by field, and what it proved at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import NotFound, Refused
from connector.rules.permissions import StaffPermission
from connector.rules.resyncing import Act
from connector.rules.syncing import ACTIVE, RunState
from connector.rules.zones import zone
from connector.store import audit, shops, sync_browsing, sync_runs
from connector.store.db import Session, app_now
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow
from connector.store.sync_runs import RunView
from connector.store.tables import ShopRow
from connector.web.auth import StaffAsk, staff_acting, staff_reading
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.phrases import count_text
from connector.web.support.sync import sync_url
from connector.web.support.sync_lines import (
    DifferenceLine,
    ProofView,
    RunLine,
    SliceLine,
    difference_lines,
    proof_view,
    run_line,
    slice_lines,
    staff_names,
    title_of,
)
from connector.web.sync_phrases import ACTS, DIFFERENCES, rate_text, span_text
from connector.web.tables import address
from sync import resync

PAGE = 25
POLL_SECONDS = 2
QUIET_SECONDS = 30
"""A run that nobody works on for so long, though it is due, waits for workers."""
FOUND = N_("%(kind)s: %(count)s")
ACT_KINDS = {Act.APPLY: "primary", Act.PAUSE: "quiet", Act.RESUME: "primary", Act.CANCEL: "danger"}

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]
Reader = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.PERSONAL))]
Actor = Annotated[StaffAsk, Depends(staff_acting(StaffPermission.ACT))]


@dataclass(frozen=True, slots=True)
class ActButton:
    """Something that may be done with the run."""

    value: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """
    The page. `poll` is how often it looks again by itself, 0 for a run that is over. `most` is what the bar runs to, 0: not known yet.

    `waits_for`: why nothing moves, if nothing does. `is_masked`: people's data is hidden here; `values_url` leads to where it is not.
    """

    shop_name: str
    shop_url: str
    sync_url: str
    url: str
    public_id: str
    title: str
    timezone: str
    line: RunLine
    started_at: Moment | None
    poll: int
    done: int
    most: int
    counted: str
    rate: str
    eta: str
    ends_at: Moment | None
    error: str
    waits_for: str
    acts: tuple[ActButton, ...]
    problem: str
    proof: ProofView | None
    slices: tuple[SliceLine, ...]
    found: tuple[str, ...]
    differences: tuple[DifferenceLine, ...]
    is_masked: bool
    values_url: str
    older: str
    newest: str
    dry_run_url: str
    applied_url: str


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read for the page."""

    shop: ShopRow
    view: RunView
    now: datetime
    differences: Sequence[SyncDifferenceRow]
    counts: Mapping[str, int]
    acts: Sequence[Act]
    dry_run: SyncRunRow | None
    applied: SyncRunRow | None
    names: Mapping[str, str]
    after: int


@router.get("/support/shops/{shop}/sync/{run}")
def show_run(ask: Looker, shop: str, run: str) -> Response:
    """The page, which names nobody."""
    return _show(ask, shop, run, is_masked=True)


@router.get("/support/shops/{shop}/sync/{run}/values")
def show_values(ask: Reader, shop: str, run: str) -> Response:
    """The same with the data of people: asked for with a reason, and written down."""
    return _show(ask, shop, run, is_masked=False)


@router.post("/support/shops/{shop}/sync/{run}/acts")
def act_on_run(ask: Actor, shop: str, run: str) -> Response:
    """Apply, pause, resume or cancel; the reason is the one that was given for looking at the shop, else that of the run."""
    try:
        with ask.system("support acts on a run") as session:
            row = shops.find_shop(session, known_id(shop))
            assert row.id is not None
            found = sync_runs.find_run(session, row.id, known_id(run), lock=True)
            wanted = ask.fields.get("act", "")
            if wanted not in list(Act):
                raise Refused("Say what to do with the run.")
            reason = audit.reason_given(session, ask.session_public_id, row.id) or found.reason
            after, is_new = resync.act(session, row, found, Act(wanted), actor=ask.who(), reason=reason)
            url = f"{sync_url(row)}/{after.public_id}"
    except Refused as error:
        return _show(ask, shop, run, is_masked=True, problem=ask.refusal(error))
    return ask.redirect(url, _toast(Act(wanted), is_new=is_new))


def _toast(act: Act, *, is_new: bool) -> str:
    if act is Act.APPLY:
        return "sync-begun" if is_new else "sync-running"
    return f"sync-{act.value}" if is_new else ""


def _show(ask: StaffAsk, shop: str, run: str, *, is_masked: bool, problem: str = "") -> Response:
    after = _number(ask.request.query_params.get("after", ""))
    with ask.system("support looks at a run") as session:
        row = shops.find_shop(session, known_id(shop))
        assert row.id is not None
        found = sync_runs.find_run(session, row.id, known_id(run))
        if not is_masked:
            reason = ask.need_reason(session, row)
            ask.audit(session, "support.viewed", shop=row, object=found.public_id, reason=reason)
        read = _read(session, row, found, after)
    return ask.render("support_sync_run.html", _page(ask, read, problem, is_masked=is_masked), status=422 if problem else 200)


def _read(session: Session, shop: ShopRow, run: SyncRunRow, after: int) -> _Read:
    assert run.id is not None
    return _Read(
        shop=shop,
        view=sync_runs.view(session, run),
        now=app_now(session),
        differences=sync_runs.list_differences(session, run.id, after, PAGE + 1),
        counts=sync_browsing.count_differences(session, run.id),
        acts=resync.acts(session, run),
        dry_run=sync_browsing.dry_run_of(session, run),
        applied=sync_browsing.applied_by(session, run) if run.is_dry_run else None,
        names=staff_names(session),
        after=after,
    )


def _page(ask: StaffAsk, read: _Read, problem: str, *, is_masked: bool) -> RunPage:
    shop, run, place = read.shop, read.view.run, zone(read.shop.timezone)
    url, progress = f"{sync_url(shop)}/{run.public_id}", read.view.progress
    here = url if is_masked else f"{url}/values"
    is_active = run.state in ACTIVE
    shown, counts = read.differences[:PAGE], read.counts
    eta = timedelta(seconds=progress.eta_seconds) if progress.eta_seconds is not None and run.state == RunState.RUNNING else None
    return RunPage(
        shop_name=shop.name,
        shop_url=f"/support/shops/{shop.public_id}",
        sync_url=sync_url(shop),
        url=url,
        public_id=run.public_id,
        title=title_of(ask, run),
        timezone=shop.timezone,
        line=run_line(ask, run, sync_url(shop), read.names, place),
        started_at=moment_or_none(run.started_at, place, ask.language),
        poll=POLL_SECONDS if is_active and is_masked else 0,
        done=progress.done,
        most=_most(read.view),
        counted=_counted(ask, read.view),
        rate="" if run.state == RunState.PAUSED else rate_text(progress.rate, ask.gettext, ask.language),
        eta=span_text(eta, ask.gettext, ask.language),
        ends_at=None if eta is None else moment(read.now + eta, place, ask.language),
        error=run.error or "",
        waits_for=_waits_for(ask, read),
        acts=_buttons(ask, read) if is_masked else (),
        problem=problem,
        proof=proof_view(ask, read.view),
        slices=slice_lines(ask, read.view),
        found=tuple(
            ask.gettext(FOUND) % {"kind": ask.gettext(words), "count": count_text(counts[kind], ask.language)}
            for kind, words in DIFFERENCES.items()
            if kind in counts
        ),
        differences=difference_lines(ask, shown, is_masked=is_masked),
        is_masked=is_masked,
        values_url=address(f"{url}/values", _after(read.after)) if is_masked and shown and ask.may(StaffPermission.PERSONAL) else "",
        older=address(here, _after(shown[-1].id or 0)) if len(read.differences) > PAGE else "",
        newest=here if read.after else "",
        dry_run_url="" if read.dry_run is None else f"{sync_url(shop)}/{read.dry_run.public_id}",
        applied_url="" if read.applied is None else f"{sync_url(shop)}/{read.applied.public_id}",
    )


def _buttons(ask: StaffAsk, read: _Read) -> tuple[ActButton, ...]:
    if not ask.may(StaffPermission.ACT):
        return ()
    # What was applied already is not offered again; a run that failed at it may be.
    is_applied = read.applied is not None and read.applied.state not in resync.OVER
    acts = [one for one in read.acts if not (one is Act.APPLY and is_applied)]
    return tuple(ActButton(one.value, ask.gettext(ACTS[one]), ACT_KINDS[one]) for one in acts)


def _most(view: RunView) -> int:
    return 0 if view.progress.total is None else max(view.progress.total, view.progress.done)


def _counted(ask: StaffAsk, view: RunView) -> str:
    done = count_text(view.progress.done, ask.language)
    if view.progress.total is None:
        return ask.gettext(N_("%(done)s read")) % {"done": done}
    return ask.gettext(N_("%(done)s of %(total)s")) % {"done": done, "total": count_text(_most(view), ask.language)}


def _waits_for(ask: StaffAsk, read: _Read) -> str:
    """Why nothing moves: nothing is ever "in progress" without a reason that one can act upon."""
    run = read.view.run
    if run.state not in (RunState.WAITING, RunState.RUNNING):
        return ""
    if read.shop.state != "connected":
        return ask.gettext(N_("The store is not connected: the run goes on when it is connected again."))
    if run.due_at > read.now + timedelta(seconds=1):
        at = moment(run.due_at, zone(read.shop.timezone), ask.language).text
        return ask.gettext(N_("It goes on by itself on %(at)s.")) % {"at": at}
    is_held = run.leased_until is not None and run.leased_until > read.now
    if not is_held and read.now - max(run.due_at, run.created_at) > timedelta(seconds=QUIET_SECONDS):
        return ask.gettext(N_("No worker has taken it up yet: they are busy with other stores, or none runs."))
    return ""


def _after(row_id: int) -> Mapping[str, str]:
    return {"after": str(row_id) if row_id else ""}


def _number(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("There is no such page.")
    return int(text or "0")
