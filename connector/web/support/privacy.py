"""What the law asks of us, over all stores and for one: kinds and dates, and never whom it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import privacy, shops
from connector.web.auth import StaffAsk, staff_reading
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.inputs import known_id
from connector.web.merchant.privacy_words import KINDS, state_of

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]


@dataclass(frozen=True, slots=True)
class SupportRequest:
    """One request, without the person. `shop_url` is empty for a store that is not known any more."""

    public_id: str
    kind: str
    shop: str
    shop_url: str
    requested_at: Moment
    due_at: Moment
    done_at: Moment | None
    state: str
    state_kind: str


@dataclass(frozen=True, slots=True)
class SupportPrivacyPage:
    """Requests of one store, or the open ones of all (`shop` empty)."""

    shop: str
    shop_url: str
    requests: tuple[SupportRequest, ...]
    overdue: int


@router.get("/support/privacy")
def show_open(ask: Looker) -> Response:
    """What is open anywhere, the most urgent first."""
    with ask.system("support looks at open privacy requests") as session:
        rows = privacy.list_open(session)
    requests = tuple(
        _request(ask, row, row.shop_name or row.domain or "—", f"/support/shops/{row.shop_public_id}" if row.shop_public_id else "")
        for row in rows
    )
    return ask.render("support_privacy.html", SupportPrivacyPage("", "", requests, _overdue(rows)))


@router.get("/support/shops/{shop}/privacy")
def show_of_shop(ask: Looker, shop: str) -> Response:
    """All requests of one store."""
    with ask.system("support looks at privacy requests of a shop") as session:
        row = shops.find_shop(session, known_id(shop))
        rows = privacy.list_requests(session, [row.id or 0])
    name, url = row.name or row.domain, f"/support/shops/{row.public_id}"
    requests = tuple(_request(ask, one, name, url, row.timezone) for one in rows)
    return ask.render("support_privacy.html", SupportPrivacyPage(name, url, requests, _overdue(rows)))


def _request(ask: StaffAsk, row: Any, shop: str, shop_url: str, timezone: str = "UTC") -> SupportRequest:
    place = UTC if timezone == "UTC" else zone(timezone)
    words, kind = state_of(is_open=row.state == "open", is_overdue=row.is_overdue, is_opened=row.opened_at is not None)
    return SupportRequest(
        public_id=row.public_id,
        kind=ask.gettext(KINDS[row.kind]),
        shop=shop,
        shop_url=shop_url,
        requested_at=moment(row.requested_at, place, ask.language),
        due_at=moment(row.due_at, place, ask.language),
        done_at=moment_or_none(row.done_at, place, ask.language),
        state=ask.gettext(words),
        state_kind=kind,
    )


def _overdue(rows: Sequence[Any]) -> int:
    return sum(1 for row in rows if row.is_overdue)
