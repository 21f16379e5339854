"""
A shopper's offer behind its link: a page, JSON for a storefront, and the way to the store. Each link carries its own 128 random bits.

Whether anything is shown is decided at this very read, by our own clock, whatever the rows say: what is over shows no code to anybody.
"""

from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from connector.rules.grants import GrantState
from connector.rules.offers import OfferState
from connector.store import grant_links, grants
from connector.store.db import Session, wake_after_commit
from connector.store.grants import GrantView
from connector.store.tables import ShopRow
from connector.web.composition import Composition
from connector.web.inputs import Parts, known_id
from connector.web.language import translator
from connector.web.pages import render
from connector.web.shell import bare_shell
from connector.web.shopper.offer_card import OfferCard, card_of, hidden_words
from connector.web.shopper.page import HEADERS, TOKEN, ShopperPage, gone, show
from connector.web.shopper.targets import safe_target
from sync.jobs import Job

OPEN = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
"""Storefronts are other sites, and read this without any cookie."""
KEPT = {"cache-control": "public, max-age=31536000, immutable", **OPEN}
ENDINGS = frozenset({"expired", "missing", "used_up"})
"""What the next look at the shop's offers writes down."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A link that leads somewhere: `card` with all that is shown, or `hidden`: why nothing is. `target`: where the code is used."""

    language: str
    hidden: str | None
    card: OfferCard
    target: str | None


@router.api_route("/o/{token}.json", methods=["GET", "HEAD"])
def show_json(token: str, request: Request, parts: Parts) -> Response:
    """The offer for a storefront to show; 410 with nothing but the reason if there is nothing to show."""
    seen = _look(parts, token, notes=False)
    if seen is None:
        return JSONResponse({"status": "unknown"}, 404, HEADERS | OPEN)
    if seen.hidden is not None:
        return JSONResponse({"status": seen.hidden}, 410, HEADERS | OPEN)
    card, ours = seen.card, parts.settings.public_url.rstrip("/")
    content = {
        "status": "shown",
        "code": card.code,
        "headline": card.headline,
        "text": "\n".join(card.paragraphs),
        "gives": card.gives,
        "ends_at": card.ends_at or None,
        "banner_url": ours + card.banner_url if card.banner_url else None,
        "use_url": ours + card.use_url if card.use_url else None,
    }
    return JSONResponse(content, 200, HEADERS | OPEN)


@router.api_route("/o/{token}", methods=["GET", "HEAD"])
def show_page(token: str, request: Request, parts: Parts) -> Response:
    """The offer, or that it is over."""
    seen = _look(parts, token, notes=request.method == "GET")
    if seen is None:
        return gone(request)
    if seen.hidden is not None:
        return _over(request, seen)
    return render(replace(bare_shell(request), language=seen.language), "shopper_offer.html", seen.card, headers=HEADERS)


@router.api_route("/o/{token}/use", methods=["GET", "HEAD"])
def use(token: str, request: Request, parts: Parts) -> Response:
    """Lead to the store, which applies the code by itself where it can."""
    seen = _look(parts, token, notes=request.method == "GET")
    if seen is None:
        return gone(request)
    if seen.hidden is not None:
        return _over(request, seen)
    if seen.target is None:
        return gone(request)
    return RedirectResponse(parts.settings.browser_url(seen.target), 302, HEADERS)


@router.api_route("/banners/{name}", methods=["GET", "HEAD"])
def show_banner(name: str, parts: Parts) -> Response:
    """A merchant's picture, as mails and storefronts show it. It never changes: another picture has another name."""
    with parts.db.system_transaction("a picture of any shop") as session:
        picture = grant_links.read_banner(session, known_id(name))
    if picture is None:
        return Response(status_code=404)
    return Response(picture.content, 200, KEPT, picture.content_type)


def _look(parts: Composition, token: str, *, notes: bool) -> _Seen | None:
    if not TOKEN.fullmatch(token):
        return None
    with parts.db.system_transaction("whose offer is this") as session:
        found = grants.find_by_link(session, token, can_send_mail=parts.services.mail is not None)
        if found is None:
            return None
        shop, view = found
        _ring(session, shop, view)
        if notes and view.hidden is None and view.grant.id is not None:
            grant_links.note_opened(session, view.grant.id)
        banner = grant_links.banner_name(session, view.version.banner_id)
    code = view.grant.code or ""
    target = _target(parts, shop, code)
    card = card_of(
        shop,
        view.version,
        state=view.code,
        code=code,
        ends_at=view.ends_at,
        language=view.grant.language,
        banner_url=f"/banners/{banner}" if banner else "",
        use_url=f"/o/{token}/use" if target else "",
    )
    return _Seen(card.language, view.hidden, card, target)


def _ring(session: Session, shop: ShopRow, view: GrantView) -> None:
    """What we see to be over, and nobody has written down yet, is looked at now."""
    assert shop.id is not None
    is_unwritten = view.grant.state == GrantState.LIVE and view.hidden in ENDINGS
    is_unsuspended = view.offer.state is OfferState.ACTIVE and view.offer.problem is not None
    if is_unwritten or is_unsuspended:
        wake_after_commit(session, Job.OFFERS.value, shop.id)


def _target(parts: Composition, shop: ShopRow, code: str) -> str | None:
    codes = parts.services.platforms[shop.platform].codes
    applies = codes.use_url(shop.url, code) if codes is not None and code else None
    return safe_target(applies, (*shop.hosts, shop.domain.partition("/")[0]), shop.url)


def _over(request: Request, seen: _Seen) -> Response:
    """No code stands in this answer."""
    say = translator(seen.language).gettext
    title, sentence = (say(words) for words in hidden_words(seen.hidden or ""))
    return show(request, ShopperPage(seen.language, title, sentence), 410)
