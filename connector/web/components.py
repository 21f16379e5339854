"""The living page of all components: every part that pages are made of, in every state, with pretend data. In the sandbox only."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector import clock
from connector.errors import NotFound
from connector.rules.permissions import Permission
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import Moment, moment, money
from connector.web.language import N_
from connector.web.ordering import posted_order

PAGE = 5
URL = "/app/_components"
FIRST = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STATES = {
    "waiting": (N_("waiting"), "info"),
    "abandoned": (N_("abandoned"), "warn"),
    "recovered": (N_("recovered"), "good"),
    "lost": (N_("lost"), "bad"),
    "open": (N_("open"), ""),
}
PEOPLE = (
    *("camille.martin@example.org", "Léa Petit", "a-very-long-address-that-nobody-would-type-twice@department.of.a.long.name.example"),
    *("noah.bernard@example.org", "Inès Moreau", "Jules Lefèvre", "louise.garcia@example.org", "Hugo Roux", "Alice Fournier"),
    *("gabriel.girard@example.org", "Chloé Bonnet", "Raphaël Dupont"),
)
STEPS = {
    "mail": N_("First e-mail"),
    "wait": N_("Wait one day"),
    "text": N_("Text message"),
    "last": N_("Last e-mail"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the sample table."""

    number: int
    who: str
    state: str
    kind: str
    total: str
    pieces: int
    at: Moment


@dataclass(frozen=True, slots=True)
class Fact:
    """One pair of a list of facts."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ComponentsPage:
    """Everything there is to see. `query` and `state` are what the filters hold; `order` and `steps` belong to the sortable list."""

    lines: tuple[Line, ...]
    query: str
    state: str
    states: tuple[tuple[str, str], ...]
    newer: str
    older: str
    clear: str
    facts: tuple[Fact, ...]
    steps: tuple[tuple[str, str], ...]
    order: str
    now: Moment
    has_error: bool


@dataclass(frozen=True, slots=True)
class LinePage:
    """One row by itself, as a page or in the side panel."""

    line: Line
    facts: tuple[Fact, ...]
    back: str


router = APIRouter(prefix=URL)
Look = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Change = Annotated[MemberAsk, Depends(acting(Permission.VIEW))]


@router.get("")
def show_components(ask: Look, q: str = "", state: str = "", page: int = 0, order: str = "", wrong: str = "") -> Response:
    """Every component. The sample table has filters and pages, the list an order, as the address says."""
    found = [line for line in _lines(ask) if q.casefold() in line.who.casefold() and state in ("", _state_of(line.number))]
    start = max(page, 0) * PAGE
    shown = ComponentsPage(
        lines=tuple(found[start : start + PAGE]),
        query=q,
        state=state,
        states=(("", ask.gettext(N_("Any state"))), *((key, ask.gettext(words)) for key, (words, _) in STATES.items())),
        newer=_address(q, state, page - 1) if start else "",
        older=_address(q, state, page + 1) if len(found) > start + PAGE else "",
        clear=URL if q or state else "",
        facts=_facts(ask),
        steps=tuple((step, ask.gettext(STEPS[step])) for step in posted_order({"order": order}, tuple(STEPS))),
        order=order,
        now=moment(clock.now(), UTC, ask.language),
        has_error=wrong == "yes",
    )
    return ask.render("components.html", shown)


@router.post("/order")
def change_order(ask: Change) -> Response:
    """Take a new order of the list; nothing is kept but in the address."""
    order = ",".join(posted_order(ask.fields, tuple(STEPS)))
    return ask.redirect(f"{URL}?{urlencode({'order': order}, safe=',')}", "saved")


@router.get("/removal")
def ask_removal(ask: Look) -> Response:
    """A page that asks before something is done, alone or as a dialog."""
    return ask.render("components_removal.html", None)


@router.post("/removal")
def remove(ask: Change) -> Response:
    """Nothing is removed; the page says what would have been."""
    return ask.redirect(URL, "saved")


@router.get("/lines/{number}")
def show_line(number: int, ask: Look) -> Response:
    """One row. Raises NotFound for one that is not there."""
    line = next((line for line in _lines(ask) if line.number == number), None)
    if line is None:
        raise NotFound("There is no such row.")
    return ask.render("components_line.html", LinePage(line, _facts(ask), URL))


def _lines(ask: MemberAsk) -> tuple[Line, ...]:
    lines = []
    for number, who in enumerate(PEOPLE):
        words, kind = STATES[_state_of(number)]
        total = money(Decimal("19.90") * (number * number + 1), "EUR", ask.language)
        at = moment(FIRST - timedelta(hours=7 * number), UTC, ask.language)
        lines.append(Line(number, who, ask.gettext(words), kind, total, number % 4 + 1, at))
    return tuple(lines)


def _state_of(number: int) -> str:
    return tuple(STATES)[number % len(STATES)]


def _facts(ask: MemberAsk) -> tuple[Fact, ...]:
    return (
        Fact(ask.gettext(N_("Store")), "Boutique du Bac"),
        Fact(ask.gettext(N_("Address")), "8 rue du Bac, 75007 Paris"),
        Fact(ask.gettext(N_("Time zone")), "Europe/Paris"),
    )


def _address(query: str, state: str, page: int) -> str:
    given = {"q": query, "state": state, "page": str(page) if page > 0 else ""}
    kept = urlencode({name: value for name, value in given.items() if value})
    return f"{URL}?{kept}" if kept else URL
