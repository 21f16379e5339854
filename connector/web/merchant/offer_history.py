"""What happened to an offer, and what its versions gave: also of one that is deleted, whose numbers are gone (NH-18, SH-26)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.offers import OfferState
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import members, offers
from connector.web.auth import MemberAsk, reading
from connector.web.formats import Moment, moment
from connector.web.inputs import known_id
from connector.web.merchant.offer_page import Happening, VersionLine, happening, version_line
from connector.web.merchant.offer_saving import can_send_mail

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class GoneLine:
    """A deleted offer in the list."""

    public_id: str
    name: str
    at: Moment


@dataclass(frozen=True, slots=True)
class GonePage:
    """The deleted offers of a shop, newest first."""

    shop_id: str
    shop_name: str
    offers: tuple[GoneLine, ...]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The whole life of one offer."""

    shop_id: str
    shop_name: str
    name: str
    events: tuple[Happening, ...]
    versions: tuple[VersionLine, ...]


@router.get("/app/shops/{shop}/offers/deleted")
def show_deleted(ask: Viewer, shop: str) -> Response:
    """Offers that are deleted."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        found = offers.list_offers(session, row, can_send_mail=can_send_mail(ask), with_deleted=True)
    place = zone(row.timezone)
    gone = [one.offer for one in found if one.state is OfferState.DELETED]
    lines = tuple(GoneLine(one.public_id, one.name, moment(one.state_at, place, ask.language)) for one in gone)
    return ask.render("offers_deleted.html", GonePage(row.public_id, row.name, lines))


@router.get("/app/shops/{shop}/offers/{offer}/history")
def show_history(ask: Viewer, shop: str, offer: str) -> Response:
    """Everything that happened to one offer."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        seen = offers.get_offer(session, row, known_id(offer), can_send_mail=can_send_mail(ask), with_deleted=True)
        assert seen.offer.id is not None
        people = {f"member {one.public_id}": one.email or "" for one in members.list_members(session, ask.account_id)}
        page = HistoryPage(
            shop_id=row.public_id,
            shop_name=row.name,
            name=seen.offer.name,
            events=tuple(happening(ask, event, row, people) for event in offers.list_events(session, seen.offer.id)),
            versions=tuple(version_line(ask, one, row) for one in offers.list_versions(session, seen.offer.id)),
        )
    return ask.render("offer_history.html", page)
