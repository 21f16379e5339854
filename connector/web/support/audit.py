"""Everything that was done, by whom, where and why: read by those of the staff who may."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import NotFound
from connector.rules.permissions import StaffPermission
from connector.store import shops, trail
from connector.store.trail import Entry, Sought
from connector.web.actions import GROUPS, action_text
from connector.web.auth import StaffAsk, staff_reading
from connector.web.formats import Moment, moment
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.support.masks import masked_email
from connector.web.tables import address, read_text

PAGE = 50
PATH = "/support/audit"
EVERYTHING = N_("Everything")
LONGEST_NUMBER = 18

router = APIRouter()
Auditor = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.AUDIT))]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done. `who_code` is the name that never changes."""

    at: Moment
    who: str
    who_code: str
    action: str
    code: str
    shop: str
    shop_url: str
    account: str
    object: str
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True)
class SupportAuditPage:
    """The list under its filters. `newest` leads back to its beginning, `older` on; empty: no link."""

    groups: tuple[tuple[str, str], ...]
    group: str
    actor: str
    shop: str
    shop_name: str
    clear_url: str
    entries: tuple[AuditLine, ...]
    newest: str
    older: str


@router.get(PATH)
def show_audit(ask: Auditor) -> Response:
    """One page of the list; times in UTC."""
    query = ask.request.query_params
    group, actor, shop = query.get("action", ""), read_text(query.get("actor", "")), query.get("shop", "").strip()
    with ask.system("support reads what was done") as session:
        row = shops.find_shop(session, known_id(shop)) if shop else None
        sought = Sought(None if row is None else row.id, group if group in GROUPS else None, actor or None)
        found = trail.list_trail(session, sought, _number(query.get("before", "")), PAGE + 1)
    values = {"action": sought.begins or "", "actor": actor, "shop": shop}
    page = SupportAuditPage(
        groups=(("", ask.gettext(EVERYTHING)), *((name, ask.gettext(words)) for name, words in GROUPS.items())),
        group=values["action"],
        actor=actor,
        shop=shop,
        shop_name="" if row is None else row.name,
        clear_url=PATH if any(values.values()) else "",
        entries=tuple(audit_line(ask, entry, UTC) for entry in found[:PAGE]),
        newest=address(PATH, values) if "before" in query else "",
        older=address(PATH, {**values, "before": str(found[PAGE - 1].id)}) if len(found) > PAGE else "",
    )
    return ask.render("support_audit.html", page)


def audit_line(ask: StaffAsk, entry: Entry, place: tzinfo) -> AuditLine:
    """An entry as staff read it: people of merchants stay masked."""
    return AuditLine(
        at=moment(entry.at, place, ask.language),
        who=entry.staff_name or masked_email(entry.member_email) or entry.actor,
        who_code=entry.actor,
        action=ask.gettext(action_text(entry.action)),
        code=entry.action,
        shop=entry.shop_name or "",
        shop_url=f"/support/shops/{entry.shop_id}" if entry.shop_id else "",
        account=entry.account_name or "",
        object=entry.object or "",
        reason=entry.reason or "",
        request_id=entry.request_id or "",
    )


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise NotFound("There is no such page.")
    return int(text)
