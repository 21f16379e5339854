"""The deliveries of one shop: a list with filters in the address, one with its raw bytes, and handling one again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import NotFound, Refused
from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import browsing, shops
from connector.store.browsing import REPLAYABLE, STATES, Filter, Kept, Listing, Shown
from connector.store.db import wake_after_commit
from connector.store.tables import ShopRow
from connector.web.auth import StaffAsk, staff_acting, staff_reading
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.phrases import DELIVERY_STATES
from connector.web.tables import address, read_day, read_text
from sync.jobs import Job

PAGE = 50
MOST_SHOWN = 256 * 1024
"""Bytes of a body that a page shows; stores send some that no browser would like."""
ALL = N_("All")
DELIVERY_KINDS = {"pending": "info", "applied": "good", "quarantined": "bad"}

DEEPEST = 32
"""Levels of JSON that are indented; deeper ones, which only mischief has, would make a page of blanks."""

# What would be invisible, move other signs about, or be no sign of a page at all.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ufffe\uffff\ud800-\udfff]"
)
_BRACKETS = re.compile(rb"[\[{\]}]")

router = APIRouter(prefix="/support/shops/{shop}/deliveries")
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]
Reader = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.PERSONAL))]
Actor = Annotated[StaffAsk, Depends(staff_acting(StaffPermission.ACT))]


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One delivery of the list. An empty `url`: who looks may not see its bytes."""

    number: int
    url: str
    topic: str
    state: str
    state_kind: str
    reason: str
    attempts: int
    received_at: Moment


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """The list under its filters. `newest` leads back to its beginning, `older` on; empty: no link."""

    shop_name: str
    shop_url: str
    timezone: str
    states: tuple[tuple[str, str], ...]
    topics: tuple[tuple[str, str], ...]
    state: str
    topic: str
    day: str
    clear_url: str
    deliveries: tuple[DeliveryLine, ...]
    newest: str
    older: str


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """
    One delivery. Without `is_kept` its bytes were dropped after `days`.

    `body` is fit to be shown; `cut` says how many bytes of a long one are left out. `problem`: why it was not handled again.
    """

    number: int
    shop_name: str
    shop_url: str
    list_url: str
    topic: str
    state: str
    state_kind: str
    reason: str
    attempts: int
    triggered_at: Moment | None
    received_at: Moment
    handled_at: Moment | None
    speaks_of: int
    is_kept: bool
    days: int
    headers: str
    body: str
    size: int
    cut: int
    replay_url: str
    problem: str


@router.get("")
def show_deliveries(ask: Looker, shop: str) -> Response:
    """One page of the list."""
    query = ask.request.query_params
    row = _shop(ask, shop)
    assert row.id is not None
    wanted = read_filter(query)
    with ask.transaction(row.id) as session:
        found = browsing.list_deliveries(session, row.id, wanted, _number(query["before"]) if query.get("before") else None, PAGE)
        topics = browsing.topics(session, row.id)
    return ask.render("support_deliveries.html", _list_page(ask, row, wanted, found, topics))


@router.get("/{number}")
def show_delivery(ask: Reader, shop: str, number: str) -> Response:
    """One delivery with what was sent to us, which names people: asked for with a reason, and written down."""
    return _show(ask, shop, _number(number), "")


@router.post("/{number}/replay")
def replay_delivery(ask: Actor, shop: str, number: str) -> Response:
    """Handle one delivery again, as the command line's `replay` does with many."""
    row, which = _shop(ask, shop), _number(number)
    assert row.id is not None
    try:
        with ask.transaction(row.id) as session:
            reason = ask.need_reason(session, row)
            browsing.replay_delivery(session, row.id, which)
            ask.audit(session, "support.replayed", shop=row, object=f"delivery {which}", reason=reason)
            wake_after_commit(session, Job.APPLY.value, row.id)
    except Refused as error:
        return _show(ask, shop, which, ask.refusal(error))
    return ask.redirect(f"{_list_url(row)}/{which}", "replayed")


def read_filter(query: Mapping[str, str]) -> Filter:
    """The filters of an address; what is none of ours is left out."""
    state = query.get("state", "")
    return Filter(state if state in STATES else "", read_text(query.get("topic", "")), read_day(query.get("day", "")))


def body_text(body: bytes) -> str:
    """
    Raw bytes as text that can be read: JSON with its lines broken, anything else as it is.

    Numbers stay as they were written. Bytes that are no text, and signs that would be invisible, are written like `\\x1b`.
    """
    return _UNSEEN.sub(_visible, _broken_up(body).decode("utf-8", "backslashreplace").replace("\r\n", "\n"))


def _broken_up(body: bytes) -> bytes:
    depth = 0
    for bracket in _BRACKETS.finditer(body):
        depth += 1 if bracket[0] in (b"[", b"{") else -1
        if depth > DEEPEST:
            return body
    try:
        formatted = msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, ValueError):
        return body
    return formatted if len(formatted) <= 4 * MOST_SHOWN else body


def _visible(found: re.Match[str]) -> str:
    sign = ord(found[0])
    return f"\\x{sign:02x}" if sign < 256 else f"\\u{sign:04x}"


def _shop(ask: StaffAsk, shop: str) -> ShopRow:
    with ask.system("support asks for a shop") as session:
        return shops.find_shop(session, known_id(shop))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("There is no such delivery.")
    return int(text)


def _list_url(row: ShopRow) -> str:
    return f"/support/shops/{row.public_id}/deliveries"


def _list_page(ask: StaffAsk, row: ShopRow, wanted: Filter, found: Listing, topics: Sequence[str]) -> DeliveriesPage:
    path, place = _list_url(row), zone(row.timezone)
    values = {"state": wanted.state, "topic": wanted.topic, "day": _day(wanted.day)}
    known = sorted({*topics, *([wanted.topic] if wanted.topic else [])})
    every = ("", ask.gettext(ALL))
    return DeliveriesPage(
        shop_name=row.name,
        shop_url=f"/support/shops/{row.public_id}",
        timezone=row.timezone,
        states=(every, *((state, ask.gettext(DELIVERY_STATES[state])) for state in STATES)),
        topics=(every, *((topic, topic) for topic in known)),
        state=wanted.state,
        topic=wanted.topic,
        day=values["day"],
        clear_url=path if any(values.values()) else "",
        deliveries=tuple(_line(ask, row, one, place) for one in found.rows),
        newest=address(path, values) if "before" in ask.request.query_params else "",
        older="" if found.older is None else address(path, {**values, "before": str(found.older)}),
    )


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _line(ask: StaffAsk, row: ShopRow, one: Shown, place: tzinfo) -> DeliveryLine:
    return DeliveryLine(
        number=one.id,
        url=f"{_list_url(row)}/{one.id}" if ask.may(StaffPermission.PERSONAL) else "",
        topic=one.topic,
        state=ask.gettext(DELIVERY_STATES[one.state]),
        state_kind=DELIVERY_KINDS.get(one.state, ""),
        reason=one.reason or "",
        attempts=one.attempts,
        received_at=moment(one.received_at, place, ask.language),
    )


def _show(ask: StaffAsk, shop: str, number: int, problem: str) -> Response:
    row = _shop(ask, shop)
    assert row.id is not None
    with ask.transaction(row.id) as session:
        kept = browsing.load_delivery(session, row.id, number)
        reason = ask.need_reason(session, row)
        ask.audit(session, "support.viewed", shop=row, object=f"delivery {number}", reason=reason)
    return ask.render("support_delivery.html", _page(ask, row, kept, problem), status=422 if problem else 200)


def _page(ask: StaffAsk, row: ShopRow, kept: Kept, problem: str) -> DeliveryPage:
    one, place = kept.row, zone(row.timezone)
    body = kept.body or b""
    may_replay = kept.body is not None and one.state in REPLAYABLE and ask.may(StaffPermission.ACT)
    assert one.id is not None
    return DeliveryPage(
        number=one.id,
        shop_name=row.name,
        shop_url=f"/support/shops/{row.public_id}",
        list_url=_list_url(row),
        topic=one.topic,
        state=ask.gettext(DELIVERY_STATES[one.state]),
        state_kind=DELIVERY_KINDS.get(one.state, ""),
        reason=one.reason or "",
        attempts=one.attempts,
        triggered_at=moment_or_none(one.triggered_at, place, ask.language),
        received_at=moment(one.received_at, place, ask.language),
        handled_at=moment_or_none(one.handled_at, place, ask.language),
        speaks_of=kept.speaks_of,
        is_kept=kept.body is not None,
        days=ask.parts.settings.retention_days,
        headers=body_text((kept.headers or "").encode()),
        body=body_text(body[:MOST_SHOWN]),
        size=len(body),
        cut=max(0, len(body) - MOST_SHOWN),
        replay_url=f"{_list_url(row)}/{one.id}/replay" if may_replay else "",
        problem=problem,
    )
