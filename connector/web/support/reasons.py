"""Why one of the staff looks into a shop's personal data or changes something: asked once in half an hour, and written down."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import StaffPermission
from connector.store import audit, shops
from connector.store.tables import ShopRow
from connector.web.asking import local_path
from connector.web.auth import StaffAsk, staff_acting, staff_reading
from connector.web.inputs import known_id
from connector.web.language import N_

SHORTEST, LONGEST = 5, 500
MINUTES = int(audit.REASON_LASTS.total_seconds() // 60)
TOO_SHORT = N_("Please say in a few words why, with at least {shortest} signs.")
TOO_LONG = N_("Please keep it short: up to {longest} signs.")

router = APIRouter()
Asked = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.PERSONAL))]
Given = Annotated[StaffAsk, Depends(staff_acting(StaffPermission.PERSONAL))]


@dataclass(frozen=True, slots=True)
class ReasonPage:
    """The question, with what was typed and why it was not taken."""

    shop_name: str
    shop_url: str
    after: str
    typed: str
    problem: str
    minutes: int
    longest: int


@router.get("/support/shops/{shop}/reason")
def ask_reason(ask: Asked, shop: str) -> Response:
    """The question."""
    with ask.system("support asks for a shop") as session:
        row = shops.find_shop(session, known_id(shop))
    return _show(ask, row, _after(row, ask.request.query_params.get("next", "")), "", "")


@router.post("/support/shops/{shop}/reason")
def give_reason(ask: Given, shop: str) -> Response:
    """Write the reason down and lead on to what was wanted."""
    typed = " ".join(ask.fields.get("reason", "").split())
    with ask.system("support gives a reason") as session:
        row = shops.find_shop(session, known_id(shop))
        problem = TOO_SHORT if len(typed) < SHORTEST else TOO_LONG if len(typed) > LONGEST else ""
        if not problem:
            ask.audit(session, audit.REASON, shop=row, object=ask.session_public_id, reason=typed)
    after = _after(row, ask.fields.get("next", ""))
    if problem:
        words = ask.gettext(problem).format(shortest=SHORTEST, longest=LONGEST)
        return _show(ask, row, after, typed, words)
    return ask.redirect(after, "reason-given")


def _show(ask: StaffAsk, row: ShopRow, after: str, typed: str, problem: str) -> Response:
    page = ReasonPage(row.name, _page(row), after, typed, problem, MINUTES, LONGEST)
    return ask.render("support_reason.html", page, status=422 if problem else 200)


def _after(row: ShopRow, wanted: str) -> str:
    """Where to go then: a page of the support's own, else the shop's."""
    path = local_path(wanted, _page(row))
    return path if path.startswith("/support/") else _page(row)


def _page(row: ShopRow) -> str:
    return f"/support/shops/{row.public_id}"
