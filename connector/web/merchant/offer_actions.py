"""What can be done to an offer with one button: publish it, give it a new code, switch it off, delete it. The last two ask first."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import Refused
from connector.rules.permissions import Permission
from connector.store import offers
from connector.store.db import Session
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, acting, reading
from connector.web.inputs import known_id
from connector.web.merchant.offer_page import show_page
from connector.web.merchant.offer_renewal import is_under_way, renewed
from connector.web.merchant.offer_saving import can_send_mail, publish, settle, want_code

router = APIRouter()
Reader = Annotated[MemberAsk, Depends(reading(Permission.AUTOMATE))]
Actor = Annotated[MemberAsk, Depends(acting(Permission.AUTOMATE))]


@dataclass(frozen=True, slots=True)
class QuestionPage:
    """The question before an offer is switched off or deleted."""

    shop_id: str
    shop_name: str
    offer_id: str
    name: str
    is_on: bool


@router.post("/app/shops/{shop}/offers/{offer}/publication")
def publish_offer(ask: Actor, shop: str, offer: str) -> Response:
    """From now on paid orders may earn it."""
    try:
        with ask.transaction() as session:
            row, seen = _load(ask, session, shop, offer, lock=True)
            publish(ask, session, row, seen.offer)
    except Refused as error:
        return show_page(ask, shop, offer, ask.refusal(error))
    settle(ask, row)
    return _to_page(ask, row, seen, "offer-published")


@router.post("/app/shops/{shop}/offers/{offer}/replacement")
def renew_code(ask: Actor, shop: str, offer: str) -> Response:
    """The same terms under a new code, which is made at once, and once for a second click. Who holds the old one keeps it."""
    with ask.transaction() as session:
        row, seen = _load(ask, session, shop, offer)
    if is_under_way(seen):
        return _to_page(ask, row, seen, "offer-renewed")
    try:
        terms = renewed(ask, row, seen)
    except Refused as error:
        return show_page(ask, shop, offer, ask.refusal(error))
    number = seen.version.version
    with ask.transaction() as session:
        row, seen = _load(ask, session, shop, offer, lock=True)
        if seen.version.version == number:  # nobody was faster while the store was asked
            version = offers.save(session, row, seen.offer, seen.offer.name, terms, ask.who())
            want_code(session, row, version)
    settle(ask, row)
    return _to_page(ask, row, seen, "offer-renewed")


@router.get("/app/shops/{shop}/offers/{offer}/deactivation")
def ask_before_deactivation(ask: Reader, shop: str, offer: str) -> Response:
    """Ask once more, and say what stays (SH-23)."""
    return _question(ask, shop, offer, "offer_off.html")


@router.post("/app/shops/{shop}/offers/{offer}/deactivation")
def deactivate_offer(ask: Actor, shop: str, offer: str) -> Response:
    """Nobody is given or shown it any more. What is off already stays so."""
    with ask.transaction() as session:
        row, seen = _load(ask, session, shop, offer, lock=True)
        offers.deactivate(session, row, seen.offer, ask.who())
    return _to_page(ask, row, seen, "offer-off")


@router.get("/app/shops/{shop}/offers/{offer}/deletion")
def ask_before_deletion(ask: Reader, shop: str, offer: str) -> Response:
    """Ask once more, and say what goes and what stays (SH-23, SH-26)."""
    return _question(ask, shop, offer, "offer_delete.html")


@router.post("/app/shops/{shop}/offers/{offer}/deletion")
def delete_offer(ask: Actor, shop: str, offer: str) -> Response:
    """It goes from these pages with its numbers."""
    with ask.transaction() as session:
        row, seen = _load(ask, session, shop, offer, lock=True)
        offers.delete(session, row, seen.offer, ask.who())
    return ask.redirect(f"/app/shops/{row.public_id}/offers", "offer-deleted")


def _question(ask: MemberAsk, shop: str, offer: str, template: str) -> Response:
    with ask.transaction() as session:
        row, seen = _load(ask, session, shop, offer)
    is_on = seen.state.value in ("active", "suspended")
    page = QuestionPage(row.public_id, row.name, seen.offer.public_id, seen.offer.name, is_on)
    return ask.render(template, page)


def _load(ask: MemberAsk, session: Session, shop: str, offer: str, *, lock: bool = False) -> tuple[ShopRow, OfferView]:
    row = ask.shop(session, shop)
    return row, offers.get_offer(session, row, known_id(offer), can_send_mail=can_send_mail(ask), lock=lock)


def _to_page(ask: MemberAsk, shop: ShopRow, seen: OfferView, done: str) -> Response:
    return ask.redirect(f"/app/shops/{shop.public_id}/offers/{seen.offer.public_id}", done)
