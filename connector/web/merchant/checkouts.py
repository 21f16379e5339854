"""The checkouts of a shop: the automation's switch and delay above, the filtered list below, and the same list as a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import automations, listing, reports, shops
from connector.store.automation_tables import AutomationRow
from connector.store.db import Database, Session
from connector.store.listing import Chosen, ListedCheckout, ListedState, ListPage
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, reading
from connector.web.deciding import Judge
from connector.web.formats import Moment, duration, moment, money
from connector.web.language import N_
from connector.web.merchant.forms import SHORT_PRESETS, Delays, delays
from connector.web.merchant.phrases import CHECKOUT_KINDS, CHECKOUT_STATES, MESSAGE_KINDS
from connector.web.phrases import MESSAGE_STATES, reason_text
from connector.web.tables import Pager, address, csv_response, end_of, pager, read_cursor, read_day, read_text, start_of

PAGE = 50
EXPORT_BATCH = 1_000
NO_DAY = N_("A day is written like 2026-11-30; this filter was left out.")
COLUMNS = (
    N_("Checkout"),
    N_("E-mail"),
    N_("First name"),
    N_("Last name"),
    N_("Total"),
    N_("Currency"),
    N_("State"),
    N_("About the reminder"),
    N_("Message"),
    N_("Started"),
    N_("Last activity"),
    N_("Abandoned"),
    N_("Order placed"),
)

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Exporter = Annotated[MemberAsk, Depends(reading(Permission.EXPORT))]


@dataclass(frozen=True, slots=True)
class CheckoutLine:
    """
    One checkout of the list. `name` is its number, or the platform's id where it has none; `reason`: what was or would be decided
    about the reminder.
    """

    public_id: str
    who: str
    number: str
    name: str
    total: str
    state: str
    state_kind: str
    reason: str
    message: str
    message_kind: str
    started_at: Moment


@dataclass(frozen=True, slots=True)
class Filters:
    """What was chosen, as it stands in the address; `problem` if a part of it could not be read."""

    state: str
    words: str
    since: str
    until: str
    problem: str

    @property
    def values(self) -> Mapping[str, str]:
        """The filters under their names in the address."""
        return {"state": self.state, "q": self.words, "from": self.since, "to": self.until}


@dataclass(frozen=True, slots=True)
class Switch:
    """The automation of the shop (SQ-12): on or off, and its delay. `problem`: why what was posted was refused."""

    is_on: bool
    delay_text: str
    delays: Delays
    queued: int
    problem: str
    may_change: bool


@dataclass(frozen=True, slots=True)
class CheckoutsPage:
    """The whole page. `others` are the account's shops as (public id, name); `clear_url` is empty without filters."""

    shop_id: str
    shop_name: str
    timezone: str
    others: tuple[tuple[str, str], ...]
    switch: Switch
    states: tuple[tuple[str, str], ...]
    filters: Filters
    clear_url: str
    export_url: str
    checkouts: tuple[CheckoutLine, ...]
    pages: Pager


@router.get("/app/checkouts")
def choose_shop(ask: Viewer) -> Response:
    """To the checkouts of the first shop; without shops to the page that says so."""
    with ask.transaction() as session:
        known = shops.list_shops(session)
    return ask.redirect(f"/app/shops/{known[0].public_id}/checkouts" if known else "/app")


@router.get("/app/shops/{shop}/checkouts")
def show_checkouts(ask: Viewer, shop: str) -> Response:
    """One page of the list."""
    return show_list(ask, shop, {}, "")


@router.get("/app/shops/{shop}/checkouts.csv")
def export_checkouts(ask: Exporter, shop: str) -> Response:
    """All of the list under the same filters, as a file. The export is written down before its first row leaves."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        filters = read_filters(ask)
        names = ", ".join(name for name, value in filters.values.items() if value)
        ask.audit(session, "checkouts.exported", shop=row, object=row.public_id, reason=f"filters: {names}" if names else None)
    chosen = to_chosen(filters, zone(row.timezone))
    rows = _exported(ask, row, chosen)
    return csv_response(f"checkouts-{row.public_id}", [ask.gettext(title) for title in COLUMNS], rows)


def show_list(ask: MemberAsk, shop: str, typed: Mapping[str, str], problem: str) -> Response:
    """The list, with the switch as it is or as it was `typed` and refused."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        filters, cursor = read_filters(ask), read_cursor(ask.request.query_params)
        found = listing.list_checkouts(
            session, row.id, to_chosen(filters, zone(row.timezone)), before=cursor.before, after=cursor.after, limit=PAGE
        )
        automation = automations.get_automation(session, row.id)
        switch = _switch(ask, session, row, automation, typed, problem)
        lines = _lines(ask, session, row, automation, found)
        known = [(one.public_id, one.name) for one in shops.list_shops(session)]
    return ask.render("checkouts.html", _page(ask, row, filters, switch, found, lines, known), status=422 if problem else 200)


def read_filters(ask: MemberAsk) -> Filters:
    """The filters in the address; what makes no sense there is left out, and a day that is none is complained about."""
    query = ask.request.query_params
    days = {name: query.get(name, "").strip() for name in ("from", "to")}
    is_wrong = any(text and read_day(text) is None for text in days.values())
    known = query.get("state", "") in set(ListedState)
    return Filters(
        state=query["state"] if known else "",
        words=read_text(query.get("q", "")),
        since=days["from"] if read_day(days["from"]) else "",
        until=days["to"] if read_day(days["to"]) else "",
        problem=ask.gettext(NO_DAY) if is_wrong else "",
    )


def to_chosen(filters: Filters, place: tzinfo) -> Chosen:
    """The filters as the store takes them; days are those of the shop, both included."""
    since, until = read_day(filters.since), read_day(filters.until)
    return Chosen(
        state=ListedState(filters.state) if filters.state else None,
        words=filters.words,
        since=None if since is None else start_of(since, place),
        until=None if until is None else end_of(until, place),
    )


def _page(
    ask: MemberAsk,
    row: ShopRow,
    filters: Filters,
    switch: Switch,
    found: ListPage,
    lines: tuple[CheckoutLine, ...],
    known: list[tuple[str, str]],
) -> CheckoutsPage:
    path = f"/app/shops/{row.public_id}/checkouts"
    ends = [one.public_id for one in found.checkouts] or [""]
    states = [(state.value, ask.gettext(text)) for state, text in CHECKOUT_STATES.items()]
    return CheckoutsPage(
        shop_id=row.public_id,
        shop_name=row.name,
        timezone=row.timezone,
        others=tuple(known),
        switch=switch,
        states=(("", ask.gettext("All states")), *states),
        filters=filters,
        clear_url=path if any(filters.values.values()) else "",
        export_url=address(f"{path}.csv", filters.values) if ask.may(Permission.EXPORT) else "",
        checkouts=lines,
        pages=pager(path, filters.values, newest=ends[0], oldest=ends[-1], has_newer=found.has_newer, has_older=found.has_older),
    )


def _switch(ask: MemberAsk, session: Session, row: ShopRow, automation: AutomationRow, typed: Mapping[str, str], problem: str) -> Switch:
    assert row.id is not None
    return Switch(
        is_on=automation.is_on,
        delay_text=duration(row.threshold_minutes, ask.language),
        delays=delays(SHORT_PRESETS, row.threshold_minutes, typed, ask.language),
        queued=reports.queued_count(session, row.id),
        problem=problem,
        may_change=ask.may(Permission.AUTOMATE),
    )


def _lines(ask: MemberAsk, session: Session, row: ShopRow, automation: AutomationRow, found: ListPage) -> tuple[CheckoutLine, ...]:
    place, language = zone(row.timezone), ask.language
    lines = []
    for one, reason in _with_reasons(ask, session, row, automation, found.checkouts):
        checkout = one.row
        lines.append(
            CheckoutLine(
                public_id=checkout.public_id,
                who=checkout.email or "",
                number=checkout.number or "",
                name=checkout.number or checkout.platform_id,
                total=money(checkout.total, checkout.currency, language),
                state=ask.gettext(CHECKOUT_STATES[one.state]),
                state_kind=CHECKOUT_KINDS.get(one.state, ""),
                reason=ask.gettext(reason),
                message="" if one.message_state is None else ask.gettext(MESSAGE_STATES[one.message_state]),
                message_kind=MESSAGE_KINDS.get(one.message_state or "", ""),
                started_at=moment(checkout.created_at, place, language),
            )
        )
    return tuple(lines)


def _with_reasons(
    ask: MemberAsk, session: Session, row: ShopRow, automation: AutomationRow, found: tuple[ListedCheckout, ...]
) -> Iterator[tuple[ListedCheckout, str]]:
    """Each checkout with what was decided about it; where nothing was, with what would be decided now."""
    judge = Judge(session, ask.parts.services.vault, row, automation, [one.facts for one in found if one.reason is None])
    for one in found:
        yield one, reason_text(one.reason or judge.verdict(one.facts).reason)


def _exported(ask: MemberAsk, row: ShopRow, chosen: Chosen) -> Iterator[list[object]]:
    """The rows of the file, read batch by batch: no transaction stands open while they travel."""
    assert row.id is not None
    db: Database = ask.parts.db
    place, cursor = zone(row.timezone), None
    while True:
        with db.transaction(shop=row.id) as session:
            batch = listing.checkouts_behind(session, row.id, chosen, cursor, EXPORT_BATCH)
            automation = automations.get_automation(session, row.id)
            rows = [_cells(ask, one, reason, place) for one, reason in _with_reasons(ask, session, row, automation, tuple(batch))]
        yield from rows
        if len(batch) < EXPORT_BATCH:
            return
        cursor = batch[-1].public_id


def _cells(ask: MemberAsk, one: ListedCheckout, reason: str, place: tzinfo) -> list[object]:
    row = one.row
    return [
        row.number or row.platform_id,
        row.email,
        row.first_name,
        row.last_name,
        row.total,
        row.currency,
        ask.gettext(CHECKOUT_STATES[one.state]),
        ask.gettext(reason),
        None if one.message_state is None else ask.gettext(MESSAGE_STATES[one.message_state]),
        *(_instant(at, place) for at in (row.created_at, row.last_activity_at, row.abandoned_at, row.converted_at)),
    ]


def _instant(at: datetime | None, place: tzinfo) -> str:
    return "" if at is None else at.astimezone(place).isoformat(sep=" ", timespec="seconds")
