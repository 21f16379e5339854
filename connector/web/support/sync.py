"""How well a shop's records are known, as support sees it: kinds, subscriptions, outages, what made no sense, runs; and a new resync."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.canonical import Resource
from connector.errors import Refused
from connector.rules.permissions import StaffPermission
from connector.rules.resyncing import LONGEST, LONGEST_ID, WHAT, Asked, read_scope
from connector.rules.syncing import RESOURCES, RunKind
from connector.rules.zones import zone
from connector.store import audit, installs, shops, sync_browsing, sync_marks, sync_runs, topic_health
from connector.store.db import Session, app_now
from connector.store.installs import WebhookCheck
from connector.store.run_tables import GapReportRow, QuarantinedRecordRow, SyncMarkRow, SyncRunRow
from connector.store.sync_tables import TopicHealthRow
from connector.store.tables import ShopRow
from connector.web.auth import StaffAsk, staff_acting, staff_reading
from connector.web.formats import PLATFORM_TITLES, Moment, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.phrases import count_text
from connector.web.support.sync_lines import RunLine, lag_of, run_line, staff_names
from connector.web.sync_phrases import EVERYTHING, KINDS, shown_id, span_text
from connector.web.withholding import KINDS as SINGULAR
from connector.web.withholding import REASONS, UNREADABLE, WithheldNote, withheld_note
from sync import resync

RUNS, GAPS, QUARANTINED, LOST = 20, 10, 50, 10
RECOVERED = N_("%(kind)s: %(count)s")

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]
Actor = Annotated[StaffAsk, Depends(staff_acting(StaffPermission.ACT))]


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """How well one kind of record is known. `error`: why it is not read."""

    kind: str
    good_until: Moment | None
    lag: str
    missed: str
    missed_at: Moment | None
    walked_at: Moment | None
    error: str


@dataclass(frozen=True, slots=True)
class TopicLine:
    """One topic's subscription. `is_bridged`: subscribed for this shop alone, as it is not heard otherwise."""

    topic: str
    url: str
    heard_at: Moment | None
    silent_since: Moment | None
    is_bridged: bool


@dataclass(frozen=True, slots=True)
class GapLine:
    """What an outage cost: what was recovered, what cannot be (`more`: beyond those named), and how many messages that caused."""

    since: Moment
    until: Moment
    topics: tuple[str, ...]
    recovered: tuple[str, ...]
    unrecoverable: tuple[tuple[str, str], ...]
    more: str
    messages: int


@dataclass(frozen=True, slots=True)
class QuarantinedLine:
    """A record that made no sense when it was read."""

    kind: str
    platform_id: str
    reason: str
    code: str
    first_at: Moment
    last_at: Moment
    times: int


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked of who starts a resync, with what was typed and why it was not taken."""

    options: tuple[tuple[str, str], ...]
    asked: Asked
    why: str
    problem: str
    longest: int
    longest_id: int


@dataclass(frozen=True, slots=True)
class SyncPage:
    """The page. Without `form` who looks may not start a resync; `active` leads to the one under way."""

    shop_name: str
    shop_url: str
    url: str
    timezone: str
    is_connected: bool
    withheld: WithheldNote
    resources: tuple[ResourceLine, ...]
    check_at: Moment | None
    check_is_ready: bool
    check_words: str
    topics: tuple[TopicLine, ...]
    gaps: tuple[GapLine, ...]
    quarantined: tuple[QuarantinedLine, ...]
    runs: tuple[RunLine, ...]
    active: RunLine | None
    form: Form | None


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read for the page."""

    shop: ShopRow
    now: datetime
    marks: Mapping[Resource, SyncMarkRow]
    check: WebhookCheck | None
    health: Sequence[TopicHealthRow]
    gaps: Sequence[GapReportRow]
    quarantined: Sequence[QuarantinedRecordRow]
    runs: Sequence[SyncRunRow]
    active: SyncRunRow | None
    names: Mapping[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class _Typed:
    """What a form brought."""

    asked: Asked = field(default_factory=Asked)
    why: str = ""
    problem: str = ""


@router.get("/support/shops/{shop}/sync")
def show_sync(ask: Looker, shop: str) -> Response:
    """The page."""
    return _show(ask, shop, _Typed())


@router.post("/support/shops/{shop}/sync")
def start_resync(ask: Actor, shop: str) -> Response:
    """Begin a resync, as a dry run unless it is said otherwise; a second click leads to the one under way."""
    fields = ask.fields
    asked = Asked(fields.get("what", "all"), fields.get("id", ""), fields.get("since", ""), fields.get("until", ""))
    why = fields.get("reason", "")
    try:
        with ask.system("support asks for a resync") as session:
            row = shops.find_shop(session, known_id(shop))
            scope = read_scope(asked, zone(row.timezone), app_now(session))
            is_dry_run = fields.get("at_once", "") != "yes"
            run, is_new = resync.request(session, row, scope, actor=ask.who(), reason=why, is_dry_run=is_dry_run)
            url = f"{sync_url(row)}/{run.public_id}"
    except Refused as error:
        return _show(ask, shop, _Typed(asked, why, ask.refusal(error)))
    return ask.redirect(url, "sync-begun" if is_new else "sync-running")


def sync_url(row: ShopRow) -> str:
    """The address of a shop's page of syncing."""
    return f"/support/shops/{row.public_id}/sync"


def _show(ask: StaffAsk, shop: str, typed: _Typed) -> Response:
    with ask.system("support looks at a shop's sync") as session:
        read = _read(ask, session, shops.find_shop(session, known_id(shop)))
    return ask.render("support_sync.html", _page(ask, read, typed), status=422 if typed.problem else 200)


def _read(ask: StaffAsk, session: Session, shop: ShopRow) -> _Read:
    assert shop.id is not None
    return _Read(
        shop=shop,
        now=app_now(session),
        marks=sync_marks.load_marks(session, shop.id),
        check=installs.last_webhook_check(session, shop.id),
        health=topic_health.list_health(session, shop.id),
        gaps=sync_browsing.list_gaps(session, shop.id, GAPS),
        quarantined=sync_browsing.list_quarantined(session, shop.id, QUARANTINED),
        runs=sync_runs.list_runs(session, shop.id, RUNS),
        active=sync_runs.active_run(session, shop.id, RunKind.RESYNC),
        names=staff_names(session),
        reason=audit.reason_given(session, ask.session_public_id, shop.id) or "",
    )


def _page(ask: StaffAsk, read: _Read, typed: _Typed) -> SyncPage:
    shop, place, language = read.shop, zone(read.shop.timezone), ask.language
    url, check = sync_url(shop), read.check
    return SyncPage(
        shop_name=shop.name,
        shop_url=f"/support/shops/{shop.public_id}",
        url=url,
        timezone=shop.timezone,
        is_connected=shop.state == "connected",
        withheld=withheld_note(shop.withheld, PLATFORM_TITLES.get(shop.platform, shop.platform), ask.gettext),
        resources=tuple(_resource(ask, kind, read.marks.get(kind), read.now, place) for kind in RESOURCES),
        check_at=None if check is None else moment(check.at, place, language),
        check_is_ready=check is not None and check.is_ready,
        check_words="" if check is None else check.words,
        topics=tuple(_topic(ask, row, f"/support/shops/{shop.public_id}/deliveries", place) for row in read.health),
        gaps=tuple(_gap(ask, row, place) for row in read.gaps),
        quarantined=tuple(_quarantined(ask, row, place) for row in read.quarantined),
        runs=tuple(run_line(ask, run, url, read.names, place) for run in read.runs),
        active=None if read.active is None else run_line(ask, read.active, url, read.names, place),
        form=_form(ask, read, typed) if ask.may(StaffPermission.ACT) else None,
    )


def _form(ask: StaffAsk, read: _Read, typed: _Typed) -> Form:
    words = {resources: word for word, resources in WHAT.items()}
    return Form(
        options=(("all", ask.gettext(EVERYTHING)), *((words[(one,)], ask.gettext(KINDS[one])) for one in RESOURCES)),
        asked=typed.asked,
        why=typed.why or read.reason,
        problem=typed.problem,
        longest=LONGEST,
        longest_id=LONGEST_ID,
    )


def _resource(ask: StaffAsk, kind: Resource, mark: SyncMarkRow | None, now: datetime, place: tzinfo) -> ResourceLine:
    good_until = None if mark is None else mark.good_until
    return ResourceLine(
        kind=ask.gettext(KINDS[kind]),
        good_until=moment_or_none(good_until, place, ask.language),
        lag=span_text(lag_of(good_until, now), ask.gettext, ask.language),
        missed=count_text(0 if mark is None else mark.missed, ask.language),
        missed_at=None if mark is None else moment_or_none(mark.missed_at, place, ask.language),
        walked_at=None if mark is None else moment_or_none(mark.walked_at, place, ask.language),
        error="" if mark is None else mark.error or "",
    )


def _topic(ask: StaffAsk, row: TopicHealthRow, deliveries: str, place: tzinfo) -> TopicLine:
    return TopicLine(
        topic=row.topic,
        url=f"{deliveries}?topic={row.topic}",
        heard_at=moment_or_none(row.heard_at, place, ask.language),
        silent_since=moment_or_none(row.silent_since, place, ask.language),
        is_bridged=row.fallback_at is not None,
    )


def _gap(ask: StaffAsk, row: GapReportRow, place: tzinfo) -> GapLine:
    more = len(row.unrecoverable) - LOST
    recovered = [(kind, int(count)) for kind, count in row.recovered.items() if count]
    return GapLine(
        since=moment(row.since, place, ask.language),
        until=moment(row.until, place, ask.language),
        topics=tuple(row.topics),
        recovered=tuple(
            ask.gettext(RECOVERED) % {"kind": ask.gettext(KINDS.get(kind, kind)), "count": count_text(count, ask.language)}
            for kind, count in recovered
        ),
        unrecoverable=tuple(
            (ask.gettext(SINGULAR[Resource(one["resource"])]), shown_id(one["resource"], one["platform_id"]))
            for one in row.unrecoverable[:LOST]
        ),
        more=count_text(more, ask.language) if more > 0 else "",
        messages=row.messages,
    )


def _quarantined(ask: StaffAsk, row: QuarantinedRecordRow, place: tzinfo) -> QuarantinedLine:
    return QuarantinedLine(
        kind=ask.gettext(SINGULAR[Resource(row.resource)]),
        platform_id=shown_id(row.resource, row.platform_id),
        reason=ask.gettext(REASONS.get(row.reason, UNREADABLE)),
        code=row.reason,
        first_at=moment(row.first_at, place, ask.language),
        last_at=moment(row.last_at, place, ask.language),
        times=row.times,
    )
