"""What shoppers ask by law: the requests with their due dates, and for a data request all that is kept of that person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import NotFound
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import disclosing, notices, privacy, shops
from connector.store.db import Session, app_now
from connector.store.disclosing import Disclosure
from connector.store.notices import Cause
from connector.store.privacy import Kind
from connector.store.sync_tables import PrivacyRequestRow
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import Moment, moment, moment_or_none, money
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.privacy_words import KINDS, SECTIONS, WORDS, Section, state_of

router = APIRouter(prefix="/app")
Reader = Annotated[MemberAsk, Depends(reading(Permission.PRIVACY))]
Settler = Annotated[MemberAsk, Depends(acting(Permission.PRIVACY))]


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request. `url` is empty where there is nothing more to see."""

    url: str
    kind: str
    shop: str
    requested_at: Moment
    due_at: Moment
    done_at: Moment | None
    state: str
    state_kind: str


@dataclass(frozen=True, slots=True)
class PrivacyPage:
    """All requests of the account, the urgent ones first."""

    requests: tuple[RequestLine, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is kept."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of something, with its lines as texts."""

    facts: tuple[Fact, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Everything of one kind."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One data request and its answer."""

    line: RequestLine
    public_id: str
    parts: tuple[Part, ...]
    deliveries: int
    is_complete: bool
    is_open: bool
    has_person: bool
    is_empty: bool
    opened_at: Moment | None


@router.get("/privacy")
def show_requests(ask: Reader) -> Response:
    """The requests of all shops of the account."""
    with ask.transaction() as session:
        known = {shop.id: shop for shop in shops.list_shops(session) if shop.id is not None}
        rows = privacy.list_requests(session, list(known))
    lines = tuple(_line(ask, row, known[row.shop_id], is_overdue=row.is_overdue) for row in rows)
    return ask.render("privacy.html", PrivacyPage(lines))


@router.get("/privacy/{request}")
def show_request(ask: Reader, request: str) -> Response:
    """All that is kept of the person who asked; that it was looked at is written down."""
    with ask.transaction() as session:
        row, shop = _find(ask, session, request)
        found = _disclosed(ask, session, row, shop)
        if found is not None:
            privacy.mark_opened(session, row.id or 0)
            ask.audit(session, "privacy.opened", shop=shop, object=row.public_id)
        page = _page(ask, row, shop, found, app_now(session))
    return ask.render("privacy_request.html", page, headers={"cache-control": "no-store"})


@router.get("/privacy/{request}/file")
def take_file(ask: Reader, request: str) -> Response:
    """The same as a JSON file, with every webhook that speaks of the person."""
    with ask.transaction() as session:
        row, shop = _find(ask, session, request)
        found = _disclosed(ask, session, row, shop)
        if found is None:
            return ask.redirect(f"/app/privacy/{row.public_id}", "")
        privacy.mark_opened(session, row.id or 0)
        ask.audit(session, "privacy.taken", shop=shop, object=row.public_id)
        content = disclosing.as_json(found)
    headers = {"content-disposition": f'attachment; filename="{row.public_id}.json"', "cache-control": "no-store"}
    return Response(content, media_type="application/json", headers=headers)


@router.post("/privacy/{request}/completion")
def settle_request(ask: Settler, request: str) -> Response:
    """The merchant gave the data to the person: nothing is due any more."""
    with ask.transaction() as session:
        row, shop = _find(ask, session, request)
        if privacy.mark_done(session, row.id or 0, keeps_person=True):
            notices.settle(session, shop.account_id, Cause.DATA_REQUEST_READY, row.public_id)
            ask.audit(session, "privacy.answered", shop=shop, object=row.public_id)
    return ask.redirect("/app/privacy", "request-answered")


def _find(ask: MemberAsk, session: Session, name: str) -> tuple[PrivacyRequestRow, ShopRow]:
    """A data request of the member's own account. Raises NotFound for anything else."""
    row = privacy.find_request(session, known_id(name))
    shop = shops.get_shop(session, row.shop_id)
    if row.kind != Kind.DATA_REQUEST or shop.account_id != ask.account_id:
        raise NotFound("There is no such request.")
    return row, shop


def _disclosed(ask: MemberAsk, session: Session, row: PrivacyRequestRow, shop: ShopRow) -> Disclosure | None:
    if row.person is None:
        return None
    vault = ask.parts.services.vault
    person, _ = privacy.open_person(vault, row.person)
    return disclosing.disclose(session, vault, shop, person)


def _line(ask: MemberAsk, row: Any, shop: ShopRow, *, is_overdue: bool) -> RequestLine:
    place = zone(shop.timezone)
    words, kind = state_of(is_open=row.state == "open", is_overdue=is_overdue, is_opened=row.opened_at is not None)
    return RequestLine(
        url=f"/app/privacy/{row.public_id}" if row.kind == Kind.DATA_REQUEST else "",
        kind=ask.gettext(KINDS[row.kind]),
        shop=shop.name or shop.domain,
        requested_at=moment(row.requested_at, place, ask.language),
        due_at=moment(row.due_at, place, ask.language),
        done_at=moment_or_none(row.done_at, place, ask.language),
        state=ask.gettext(words),
        state_kind=kind,
    )


def _page(ask: MemberAsk, row: PrivacyRequestRow, shop: ShopRow, found: Disclosure | None, now: datetime) -> RequestPage:
    place = zone(shop.timezone)
    return RequestPage(
        line=_line(ask, row, shop, is_overdue=row.state == "open" and row.due_at < now),
        public_id=row.public_id,
        parts=() if found is None else tuple(_part(ask, section, getattr(found, section.name), place) for section in SECTIONS),
        deliveries=0 if found is None else len(found.deliveries),
        is_complete=found is None or found.is_complete,
        is_open=row.state == "open",
        has_person=found is not None,
        is_empty=found is not None and found.is_empty,
        opened_at=moment_or_none(row.opened_at, place, ask.language),
    )


def _part(ask: MemberAsk, section: Section, rows: Sequence[Mapping[str, Any]], place: tzinfo) -> Part:
    return Part(ask.gettext(section.title), tuple(_entry(ask, section, row, place) for row in rows))


def _entry(ask: MemberAsk, section: Section, row: Mapping[str, Any], place: tzinfo) -> Entry:
    facts = [(name, _text(ask, name, row, place)) for name in section.fields]
    lines = tuple(_line_text(line, str(row["currency"]), ask.language) for line in row.get("lines", ()))
    return Entry(tuple(Fact(ask.gettext(WORDS[name]), text) for name, text in facts if text), lines)


def _text(ask: MemberAsk, name: str, row: Mapping[str, Any], place: tzinfo) -> str:
    value = row[name]
    if isinstance(value, datetime):
        return moment(value, place, ask.language).text
    if isinstance(value, Decimal):
        return money(value, str(row["currency"]), ask.language)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return ask.gettext(N_("yes")) if value else ask.gettext(N_("no"))
    return "" if value is None else str(value)


def _line_text(line: Mapping[str, Any], currency: str, language: str) -> str:
    title = " – ".join(part for part in (line["title"], line["variant"]) if part)
    return f"{line['quantity']} × {title}: {money(Decimal(line['total']), currency, language)}"
