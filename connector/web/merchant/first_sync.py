"""The first sync of a store, as its merchant sees it: how far it is while it runs, and in a sentence how it ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connector.rules.syncing import ACTIVE, RunState, SliceState
from connector.rules.zones import zone
from connector.store import sync_browsing, sync_runs
from connector.store.db import Session, app_now
from connector.store.run_tables import SyncSliceRow
from connector.store.sync_runs import RunView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk
from connector.web.formats import Moment, moment
from connector.web.language import N_
from connector.web.merchant.phrases import count_text
from connector.web.sync_phrases import KINDS, rate_text, span_text

POLL_SECONDS = 5
SHOWN_FOR = timedelta(days=1)
"""So long its end is told on the dashboard."""
TITLES: Mapping[str, str] = {
    RunState.WAITING: N_("The first sync of {shop} begins in a moment."),
    RunState.RUNNING: N_("The first sync of {shop} is running."),
    RunState.PAUSED: N_("The first sync of {shop} rests."),
    RunState.DONE: N_("The first sync of {shop} is done."),
    RunState.FAILED: N_("The first sync of {shop} did not reach its end."),
    RunState.CANCELLED: N_("The first sync of {shop} was ended early."),
}
TEXTS: Mapping[str, str] = {
    RunState.WAITING: N_("What the store has is read. Nothing is sent because of it."),
    RunState.RUNNING: N_("What the store has is read. Nothing is sent because of it, and you can go on working."),
    RunState.PAUSED: N_("Support let it rest; it goes on where it was."),
    RunState.DONE: N_("Read: {counts}."),
    RunState.FAILED: N_("These could not be read: {failed}. What was read stays; support can have the rest read again."),
    RunState.CANCELLED: N_("What was read stays; support can have the rest read again."),
}
HIDDEN = N_("The store does not show us: {hidden}.")
UNREADABLE = N_("Set aside, because they made no sense: {unreadable}.")
AWAY = N_("The store is not connected: it goes on when it is connected again.")
NOTE_KINDS: Mapping[str, str] = {RunState.DONE: "good", RunState.FAILED: "bad", RunState.CANCELLED: "warn", RunState.PAUSED: "warn"}
COUNT = N_("%(kind)s: %(count)s")


@dataclass(frozen=True, slots=True)
class KindLine:
    """How far one kind of record is; `most` is what its bar runs to, 0: nobody knows yet."""

    kind: str
    done: int
    most: int
    counted: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class FirstSync:
    """The card. `poll` is 0 once it is over; then there are no lines."""

    shop_id: str
    kind: str
    title: str
    text: str
    poll: int
    lines: tuple[KindLine, ...]
    rate: str
    eta: str
    ends_at: Moment | None


def first_syncs(ask: MemberAsk, session: Session, rows: Sequence[ShopRow], span: timedelta = SHOWN_FOR) -> tuple[FirstSync, ...]:
    """The cards of those shops whose first sync runs, or ended within `span`."""
    by_id = {row.id: row for row in rows if row.id is not None}
    runs = sync_browsing.first_syncs(session, list(by_id), span) if by_id else []
    return tuple(_card(ask, session, by_id[run.shop_id], sync_runs.view(session, run)) for run in runs)


def _card(ask: MemberAsk, session: Session, shop: ShopRow, view: RunView) -> FirstSync:
    run, is_active = view.run, view.run.state in ACTIVE
    first = _first_of_kind(view.slices)
    seconds = view.progress.eta_seconds if run.state == RunState.RUNNING else None
    eta = None if seconds is None else timedelta(seconds=seconds)
    return FirstSync(
        shop_id=shop.public_id,
        kind=NOTE_KINDS.get(run.state, "info"),
        title=ask.gettext(TITLES[run.state]).format(shop=shop.name),
        text=_text(ask, shop, view, first),
        poll=POLL_SECONDS if is_active else 0,
        lines=tuple(_line(ask, one) for one in first if one.state != SliceState.SKIPPED) if is_active else (),
        rate=rate_text(view.progress.rate, ask.gettext, ask.language) if run.state == RunState.RUNNING else "",
        eta=span_text(eta, ask.gettext, ask.language),
        ends_at=None if eta is None else moment(app_now(session) + eta, zone(shop.timezone), ask.language),
    )


def _first_of_kind(slices: Sequence[SyncSliceRow]) -> list[SyncSliceRow]:
    """One slice of each kind; what only came once more at the end was counted before."""
    return list({one.resource: one for one in reversed(slices)}.values())[::-1]


def _text(ask: MemberAsk, shop: ShopRow, view: RunView, first: Iterable[SyncSliceRow]) -> str:
    if shop.state != "connected" and view.run.state in ACTIVE:
        return ask.gettext(AWAY)
    counts = [_count(ask, one.resource, one.seen) for one in first if one.state == SliceState.DONE]
    failed = dict.fromkeys(one.resource for one in view.slices if one.state == SliceState.FAILED)
    hidden = dict.fromkeys(one.resource for one in view.slices if one.state == SliceState.SKIPPED)
    texts = [ask.gettext(TEXTS[view.run.state]).format(counts=", ".join(counts) or "—", failed=_names(ask, failed))]
    if view.run.state not in (RunState.DONE, RunState.FAILED):
        return texts[0]
    if unreadable := _unreadable(view.slices):
        counts = [_count(ask, kind, number) for kind, number in unreadable.items()]
        texts.append(ask.gettext(UNREADABLE).format(unreadable=", ".join(counts)))
    if hidden:
        texts.append(ask.gettext(HIDDEN).format(hidden=_names(ask, hidden)))
    return " ".join(texts)


def _unreadable(slices: Iterable[SyncSliceRow]) -> Mapping[str, int]:
    """How many records of each kind made no sense, where there are any; what is read once more at the end may be the same ones."""
    found: dict[str, int] = {}
    for one in slices:
        if one.unreadable:
            found[one.resource] = max(found.get(one.resource, 0), one.unreadable)
    return found


def _count(ask: MemberAsk, kind: str, number: int) -> str:
    return ask.gettext(COUNT) % {"kind": ask.gettext(KINDS[kind]), "count": count_text(number, ask.language)}


def _names(ask: MemberAsk, kinds: Iterable[str]) -> str:
    return ", ".join(ask.gettext(KINDS[one]) for one in kinds)


def _line(ask: MemberAsk, one: SyncSliceRow) -> KindLine:
    is_done = one.state == SliceState.DONE
    most = one.seen if is_done else max(one.expected or 0, one.seen) if one.expected is not None else 0
    counted = count_text(one.seen, ask.language)
    if one.expected is not None:
        counted = ask.gettext(N_("%(done)s of %(total)s")) % {"done": counted, "total": count_text(most, ask.language)}
    elif one.started_at is None:
        counted = ask.gettext(N_("still to come"))
    return KindLine(ask.gettext(KINDS[one.resource]), one.seen, most, counted, is_done)
