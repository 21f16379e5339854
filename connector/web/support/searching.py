"""
Search over all accounts: one box, results with masked personal data, each leading on.

What names a person is sent as a form, so that no address of ours holds it: it stands in no history and in no log of a proxy.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.responses import RedirectResponse, Response

from connector.rules.identity import normalise_email, parse_phone
from connector.rules.permissions import StaffPermission
from connector.rules.zones import zone
from connector.store import overview, searching
from connector.store.inbox_tables import UnknownShopRow
from connector.store.searching import Hit, Kind, ShopHit, Wanted
from connector.web.auth import StaffAsk, staff_acting, staff_reading
from connector.web.formats import PLATFORM_TITLES, SHOP_STATES, Moment, moment, moment_or_none
from connector.web.language import N_
from connector.web.offer_phrases import DECISIONS, said
from connector.web.support.masks import masked_email, masked_phone
from connector.web.support.offers import grant_text
from connector.web.tables import read_text

MOST_EACH = 20
PERSONAL = frozenset({Kind.EMAIL, Kind.PHONE})
LEAST_SIGNS = 2
KINDS = {"checkout": N_("Checkout"), "order": N_("Order"), "customer": N_("Customer"), "grant": N_("Offer that was given")}
SHOP_KINDS = {"connected": "good", "needs_sign_in": "bad", "uninstalled": ""}
TOO_SHORT = N_("Type at least two signs.")
NO_ADDRESS = N_("This is not a whole e-mail address. People are found by their whole address only.")

_PUBLIC_ID = re.compile(r"(?:chk|shp|acc|grt)_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PHONE = re.compile(r"\+?[0-9][0-9\s().\-/]{4,30}")

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]
LookerPost = Annotated[StaffAsk, Depends(staff_acting(StaffPermission.LOOK))]


@dataclass(frozen=True, slots=True)
class ShopLine:
    """A shop that was found."""

    url: str
    name: str
    domain: str
    platform: str
    state: str
    state_kind: str
    account: str


@dataclass(frozen=True, slots=True)
class HitLine:
    """
    A checkout, an order, a customer or a grant that was found. An empty `url`: only the shop can be shown.

    `note`: how what was given stands, or why an order earned an offer or did not; `note_url` leads to that offer.
    """

    kind: str
    name: str
    url: str
    email: str
    phone: str
    shop: str
    shop_url: str
    platform: str
    at: Moment | None
    note: str
    note_url: str


@dataclass(frozen=True, slots=True)
class UnknownLine:
    """Somebody who sends us authentic deliveries without being connected."""

    shop_ref: str
    platform: str
    topic: str
    count: int
    last_at: Moment


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The box and what was found for what stands in it. `problem`: why nothing was looked for. `unknown`: while the box is empty."""

    query: str
    is_asked: bool
    problem: str
    shops: tuple[ShopLine, ...]
    hits: tuple[HitLine, ...]
    unknown: tuple[UnknownLine, ...] = ()


@router.get("/support")
def show_search(ask: Looker, q: str = "") -> Response:
    """The box, with what was found for a text that names no person."""
    return _show(ask, read_text(q))


@router.post("/support")
def search(ask: LookerPost) -> Response:
    """Look for what was typed; what names no person gets an address that can be opened again."""
    typed = read_text(ask.fields.get("q", ""))
    with ask.system("where our shops are") as session:
        wanted = read_wanted(typed, searching.countries(session))
    if typed and not PERSONAL.intersection(wanted.kinds):
        return RedirectResponse(f"/support?{urlencode({'q': typed})}", 303)
    return _show(ask, typed)


def read_wanted(typed: str, countries: Iterable[str]) -> Wanted:
    """
    Everything that a typed text may mean.

    A phone without its country is read as one of each of `countries`; what may be a phone may be a number as well.
    """
    if _PUBLIC_ID.fullmatch(typed):
        return Wanted(public_id=typed)
    if "@" in typed:
        return Wanted(email=normalise_email(typed))
    if len(typed) < LEAST_SIGNS:
        return Wanted()
    phones: set[str] = set()
    if _PHONE.fullmatch(typed):
        read = [parse_phone(typed, country) for country in (None, *countries)]
        phones = {phone.e164 for phone in read if phone is not None and phone.e164 is not None}
    return Wanted(phones=tuple(sorted(phones)), number=typed, shop=typed)


def _show(ask: StaffAsk, typed: str) -> Response:
    if not typed:
        with ask.system("who sends without being connected") as session:
            unknown = tuple(_unknown(ask, row) for row in overview.unknown_shops(session))
        return ask.render("support_search.html", SearchPage("", False, "", (), (), unknown))
    with ask.system("support searches all accounts") as session:
        wanted = read_wanted(typed, searching.countries(session))
        shops = searching.find_shops(session, wanted, MOST_EACH) if wanted.kinds else []
        hits = searching.find_hits(session, wanted, MOST_EACH) if wanted.kinds else []
        if wanted.kinds:
            ask.audit(session, "support.searched", object=",".join(wanted.kinds), reason=f"{len(shops) + len(hits)} found")
    problem = "" if wanted.kinds else NO_ADDRESS if "@" in typed else TOO_SHORT
    page = SearchPage(
        query=typed,
        is_asked=bool(wanted.kinds),
        problem=ask.gettext(problem) if problem else "",
        shops=tuple(_shop(ask, shop) for shop in shops),
        hits=tuple(_hit(ask, hit) for hit in hits),
    )
    return ask.render("support_search.html", page, status=422 if problem else 200)


def _shop(ask: StaffAsk, shop: ShopHit) -> ShopLine:
    return ShopLine(
        url=f"/support/shops/{shop.public_id}",
        name=shop.name,
        domain=shop.domain,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        state=ask.gettext(SHOP_STATES[shop.state]),
        state_kind=SHOP_KINDS[shop.state],
        account=shop.account_name,
    )


def _unknown(ask: StaffAsk, row: UnknownShopRow) -> UnknownLine:
    platform = PLATFORM_TITLES.get(row.platform, row.platform)
    return UnknownLine(row.shop_ref, platform, row.topic, row.count, moment(row.last_at, UTC, ask.language))


def _hit(ask: StaffAsk, hit: Hit) -> HitLine:
    may_open = hit.checkout_id is not None and ask.may(StaffPermission.PERSONAL)
    offer_url = f"/support/shops/{hit.shop_id}/offers/{hit.offer_id}" if hit.offer_id else ""
    url = f"/support/checkouts/{hit.checkout_id}" if may_open else offer_url if hit.kind == "grant" else ""
    return HitLine(
        kind=ask.gettext(KINDS[hit.kind]),
        name=hit.name,
        url=url,
        email=masked_email(hit.email),
        phone=masked_phone(hit.phone),
        shop=hit.shop_name,
        shop_url=f"/support/shops/{hit.shop_id}",
        platform=PLATFORM_TITLES.get(hit.platform, hit.platform),
        at=moment_or_none(hit.at, zone(hit.timezone), ask.language),
        note=_note(ask, hit),
        note_url="" if hit.kind == "grant" else offer_url,
    )


def _note(ask: StaffAsk, hit: Hit) -> str:
    if hit.kind == "grant" and hit.state is not None:
        return grant_text(ask, hit.state, hit.reason)
    return ask.gettext(said(DECISIONS, hit.reason)) if hit.reason else ""
