"""One offer: how it stands and what helps, its numbers, what it says, what happened to it, whom it was given to and who earned nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.messages.offer_words import until
from connector.rules import offer_terms
from connector.rules.offers import OfferState, Suspension
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import banners, members, offer_browsing, offer_numbers, offers
from connector.store.db import Session
from connector.store.offer_browsing import DecidedLine, GivenLine
from connector.store.offer_tables import OfferEventRow, OfferVersionRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, reading
from connector.web.formats import Moment, moment, moment_or_none, money
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.offer_codes import use_warning
from connector.web.merchant.offer_editor import BannerView, banner_view
from connector.web.merchant.offer_renewal import can_renew
from connector.web.merchant.offer_saving import LACKS, can_send_mail
from connector.web.merchant.offer_waiting import Waiting, waiting_of
from connector.web.merchant.offers import Figures, figures, gives_of, state_of, whys_of
from connector.web.offer_phrases import (
    DECISIONS,
    EVENT_KINDS,
    EVENTS,
    GRANT_KINDS,
    GRANT_REASONS,
    GRANT_STATES,
    OFFER_KINDS,
    OFFER_STATES,
    said,
    why_suspended,
)
from connector.web.tables import address

PAGE = 25
OURS = "Connector"
OUR_STAFF = N_("our support")
GIVEN, ORDERS = "given", "orders"

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class Happening:
    """One step in the offer's life. `kind` is the colour of its dot."""

    at: Moment
    text: str
    detail: str
    who: str
    kind: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """What the offer gave from `at` on."""

    number: int
    at: Moment
    headline: str
    code: str
    gives: str


@dataclass(frozen=True, slots=True)
class GrantLine:
    """One person who was given it. `who`: the e-mail address, else what else is known."""

    who: str
    at: Moment
    order: str
    code: str
    version: int
    state: str
    state_kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """Why an order did or did not earn an offer."""

    order: str
    total: str
    at: Moment
    reason: str
    offer: str
    is_granted: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of a list, and the address of what is older; empty: there is nothing."""

    lines: tuple[GrantLine, ...] | tuple[DecisionLine, ...]
    older: str
    newest: str


@dataclass(frozen=True, slots=True)
class OfferPage:
    """
    The whole page. `problem`: why what was just asked for was not done. `whys`: why the offer is not given now; `needs_code`: a new code
    ends that. `lacks`: what is missing before it can be published. `warning`: where else its code is used.
    """

    shop_id: str
    shop_name: str
    offer_id: str
    name: str
    state: str
    state_word: str
    state_kind: str
    problem: str
    since: Moment
    whys: tuple[str, ...]
    needs_code: bool
    is_being_made: bool
    stops_at: Moment | None
    may_renew: bool
    lacks: tuple[str, ...]
    warning: str
    waiting: Waiting
    figures: Figures
    headline: str
    body: str
    code: str
    is_unique: bool
    prefix: str
    gives: str
    until: str
    fallback_code: str
    locks_email: bool
    minimum_order: str
    most_uses: int
    banner: BannerView | None
    events: tuple[Happening, ...]
    versions: tuple[VersionLine, ...]
    given: Listed
    decided: Listed
    timezone: str
    may_change: bool

    @property
    def is_on(self) -> bool:
        """Whether it was published and not switched off since."""
        return self.state in (OfferState.ACTIVE.value, OfferState.SUSPENDED.value)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the page is made of."""

    shop: ShopRow
    seen: OfferView
    figures: Figures
    warning: str
    waiting: Waiting
    banner: BannerView | None
    events: Sequence[OfferEventRow]
    versions: Sequence[OfferVersionRow]
    given: Sequence[GivenLine]
    decided: Sequence[DecidedLine]
    people: Mapping[str, str]


@router.get("/app/shops/{shop}/offers/{offer}")
def show_offer(ask: Viewer, shop: str, offer: str) -> Response:
    """Everything about one offer."""
    return show_page(ask, shop, offer)


def show_page(ask: MemberAsk, shop: str, offer: str, problem: str = "") -> Response:
    """The page; `problem`: why what was just asked for was not done."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        seen = offers.get_offer(session, row, known_id(offer), can_send_mail=can_send_mail(ask))
        loaded = _load(ask, session, row, seen)
    return ask.render("offer.html", _page(ask, loaded, problem), status=422 if problem else 200)


def happening(ask: MemberAsk, event: OfferEventRow, shop: ShopRow, people: Mapping[str, str]) -> Happening:
    """One step in an offer's life, with who took it. `people`: addresses of members by their names in events."""
    reasons = " ".join(ask.gettext(text) for text in why_suspended(event.reason, event.detail)) if event.action == "suspended" else ""
    number = ask.gettext(N_("version %(number)s")) % {"number": event.version}
    return Happening(
        at=moment(event.at, zone(shop.timezone), ask.language),
        text=ask.gettext(said(EVENTS, event.action)),
        detail=reasons or (number if event.action in ("changed", "published") else ""),
        who=_who(ask, event.actor, people),
        kind=EVENT_KINDS.get(event.action, ""),
    )


def version_line(ask: MemberAsk, version: OfferVersionRow, shop: ShopRow) -> VersionLine:
    """What one version said and gave."""
    return VersionLine(
        number=version.version,
        at=moment(version.at, zone(shop.timezone), ask.language),
        headline=version.headline,
        code=version.code or "",
        gives=gives_of(version, shop, ask.language),
    )


def _load(ask: MemberAsk, session: Session, shop: ShopRow, seen: OfferView) -> _Loaded:
    assert shop.id is not None
    assert seen.offer.id is not None
    query, code = ask.request.query_params, seen.version.code
    # Of an offer that is given, orders with its code are what it is for.
    use = None if code is None else offers.used_elsewhere(session, shop.id, code, seen.offer.id)
    picture = banners.get_banner(session, seen.version.banner_id)
    given, decided = query.get(GIVEN, ""), query.get(ORDERS, "")
    return _Loaded(
        shop=shop,
        seen=seen,
        figures=figures(offer_numbers.numbers(session, shop, seen.offer.id, seen.now), ask.language),
        warning="" if use is None else use_warning(ask, use, with_orders=seen.state is OfferState.DRAFT),
        waiting=waiting_of(ask, session, shop, seen.offer.id),
        banner=None if picture is None else banner_view(ask, picture),
        events=offers.list_events(session, seen.offer.id),
        versions=offers.list_versions(session, seen.offer.id),
        given=offer_browsing.list_given(session, seen.offer.id, known_id(given) if given else None, PAGE + 1),
        decided=offer_browsing.list_decided(session, shop.id, known_id(decided) if decided else None, PAGE + 1),
        people={f"member {one.public_id}": one.email or "" for one in members.list_members(session, ask.account_id)},
    )


def _page(ask: MemberAsk, loaded: _Loaded, problem: str) -> OfferPage:
    shop, seen = loaded.shop, loaded.seen
    version, state, place = seen.version, state_of(seen), zone(shop.timezone)
    lacks = offer_terms.lacking(offers.terms_of(version), seen.now) if seen.state in (OfferState.DRAFT, OfferState.DEACTIVATED) else ()
    reason = seen.problem.reason.value if seen.problem else seen.offer.reason
    return OfferPage(
        shop_id=shop.public_id,
        shop_name=shop.name,
        offer_id=seen.offer.public_id,
        name=seen.offer.name,
        state=seen.state.value,
        state_word=ask.gettext(said(OFFER_STATES, state)),
        state_kind=OFFER_KINDS.get(state, ""),
        problem=problem,
        since=moment(seen.offer.state_at, place, ask.language),
        whys=whys_of(ask, seen),
        needs_code=reason is not None and reason != Suspension.REQUIREMENTS.value,
        is_being_made=seen.is_being_made and seen.state in (OfferState.ACTIVE, OfferState.SUSPENDED),
        stops_at=moment_or_none(seen.stops_at, place, ask.language),
        may_renew=ask.may(Permission.AUTOMATE) and can_renew(seen),
        lacks=tuple(ask.gettext(said(LACKS, word)) for word in lacks),
        warning=loaded.warning,
        waiting=loaded.waiting,
        figures=loaded.figures,
        headline=version.headline,
        body=version.body,
        code=version.code or "",
        is_unique=version.mode == "unique",
        prefix=version.prefix,
        gives=gives_of(version, shop, ask.language),
        until=_until(ask, seen, shop),
        fallback_code=version.fallback_code or "",
        locks_email=version.locks_email,
        minimum_order="" if version.minimum_order is None else money(version.minimum_order, shop.currency, ask.language),
        most_uses=version.most_uses,
        banner=loaded.banner,
        events=tuple(happening(ask, event, shop, loaded.people) for event in loaded.events),
        versions=tuple(version_line(ask, one, shop) for one in loaded.versions),
        given=_given(ask, loaded),
        decided=_decided(ask, loaded),
        timezone=shop.timezone,
        may_change=ask.may(Permission.AUTOMATE),
    )


def _until(ask: MemberAsk, seen: OfferView, shop: ShopRow) -> str:
    days = seen.version.valid_days
    if seen.version.mode == "unique" and days is not None:
        return ask.ngettext("%(num)d day after it was given", "%(num)d days after it was given", days) % {"num": days}
    ends_at = seen.ends_at or seen.version.ends_at
    return until(ends_at, zone(shop.timezone), ask.language)


def _who(ask: MemberAsk, actor: str, people: Mapping[str, str]) -> str:
    if actor == "system":
        return OURS
    return people.get(actor) or (ask.gettext(OUR_STAFF) if actor.startswith("staff ") else actor)


def _given(ask: MemberAsk, loaded: _Loaded) -> Listed:
    place = zone(loaded.shop.timezone)
    lines = tuple(
        GrantLine(
            who=one.grant.email or one.grant.first_name or one.grant.phone_e164 or "",
            at=moment(one.grant.granted_at, place, ask.language),
            order="" if one.order is None else one.order.number or one.order.platform_id,
            code=one.grant.code or "",
            version=one.version,
            state=ask.gettext(said(GRANT_STATES, one.grant.state)),
            state_kind=GRANT_KINDS.get(one.grant.state, ""),
            reason=ask.gettext(said(GRANT_REASONS, one.grant.reason)) if one.grant.reason else "",
        )
        for one in loaded.given[:PAGE]
    )
    last = loaded.given[PAGE - 1].grant.public_id if len(loaded.given) > PAGE else ""
    return _listed(ask, loaded, lines, GIVEN, last)


def _decided(ask: MemberAsk, loaded: _Loaded) -> Listed:
    place = zone(loaded.shop.timezone)
    lines = tuple(
        DecisionLine(
            order=one.order.number or one.order.platform_id,
            total=money(one.order.total, one.order.currency, ask.language),
            at=moment(one.decision.decided_at, place, ask.language),
            reason=ask.gettext(said(DECISIONS, one.decision.reason)),
            offer=one.offer or "",
            is_granted=one.decision.reason == "granted",
        )
        for one in loaded.decided[:PAGE]
    )
    last = loaded.decided[PAGE - 1].order.public_id if len(loaded.decided) > PAGE else ""
    return _listed(ask, loaded, lines, ORDERS, last)


def _listed(ask: MemberAsk, loaded: _Loaded, lines: tuple[GrantLine, ...] | tuple[DecisionLine, ...], name: str, last: str) -> Listed:
    path = f"/app/shops/{loaded.shop.public_id}/offers/{loaded.seen.offer.public_id}"
    is_further = bool(ask.request.query_params.get(name))
    return Listed(lines, address(path, {name: last}) if last else "", path if is_further else "")
