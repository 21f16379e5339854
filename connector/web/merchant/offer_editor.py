"""Writing an offer: a new one, a draft, or the next version of one that is given. One form for text, picture and code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.codes import CodeKind
from connector.errors import Refused
from connector.rules.offer_terms import MOST_BODY, MOST_CODE, MOST_DAYS, MOST_HEADLINE, MOST_PREFIX
from connector.rules.offers import BANNER_HEIGHT, BANNER_WIDTH, OfferState, is_cropped, lacking, visible_part
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import banners, offers
from connector.store.db import Session, app_now
from connector.store.offer_tables import BannerRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, reading, uploading
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.offer_codes import NOTHING_ASKED, CodeLine, Picker, chosen_line, look_for
from connector.web.merchant.offer_forms import EXISTING, MOST_NAME, NEW, UNIQUE, OfferFields, blank_fields, fields_of, typed_fields
from connector.web.merchant.offer_saving import can_send_mail, check, keep_picture, settle, write
from connector.web.offer_phrases import REQUIREMENTS, said

SEARCH, MORE, PUBLISH = "search", "more:", "publish"
CUT = N_("Your picture is {width} × {height}. It is cut to {seen_width} × {seen_height} from its middle, as you see it here.")
KINDS: Mapping[CodeKind, str] = {
    CodeKind.PERCENTAGE: N_("a percentage"),
    CodeKind.FIXED_AMOUNT: N_("a fixed amount"),
    CodeKind.FREE_SHIPPING: N_("free shipping"),
}

router = APIRouter()
Reader = Annotated[MemberAsk, Depends(reading(Permission.AUTOMATE))]
Sender = Annotated[MemberAsk, Depends(uploading(Permission.AUTOMATE))]


@dataclass(frozen=True, slots=True)
class BannerView:
    """A picture in the editor. `cut`: what of it is not seen, in words; empty: all of it is (SH-14)."""

    public_id: str
    cut: str


@dataclass(frozen=True, slots=True)
class EditorPage:
    """
    The form, as saved or as typed. `offer_id`: empty for a new one. `wrong`: what is wrong with which field; `problem`: why nothing was
    saved. `requirements`: what the store lacks for any offer. Without `has_code` there is nothing to publish (SH-10).
    """

    shop_id: str
    shop_name: str
    offer_id: str
    offer_name: str
    is_draft: bool
    is_given: bool
    fields: OfferFields
    kinds: tuple[tuple[str, str], ...]
    banner: BannerView | None
    banner_size: str
    picker: Picker
    chosen: tuple[CodeLine, ...]
    can_lock: bool
    currency: str
    wrong: Mapping[str, str]
    problem: str
    requirements: tuple[str, ...]
    has_code: bool
    most_name: int = MOST_NAME
    most_headline: int = MOST_HEADLINE
    most_body: int = MOST_BODY
    most_code: int = MOST_CODE
    most_prefix: int = MOST_PREFIX
    most_days: int = MOST_DAYS


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the form is shown with."""

    shop: ShopRow
    saved: OfferView | None
    typed: OfferFields
    picker: Picker = NOTHING_ASKED
    problem: str = ""
    field: str = ""


@router.get("/app/shops/{shop}/offers/new")
def new_offer(ask: Reader, shop: str) -> Response:
    """An empty form."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        return _render(ask, session, _Shown(row, None, blank_fields()))


@router.get("/app/shops/{shop}/offers/{offer}/edit")
def edit_offer(ask: Reader, shop: str, offer: str) -> Response:
    """The offer as it is."""
    with ask.transaction() as session:
        row, saved = _load(ask, session, shop, offer)
        assert saved is not None
        banner = banners.get_banner(session, saved.version.banner_id)
        terms = offers.terms_of(saved.version)
        typed = fields_of(saved.offer.name, terms, banner.public_id if banner else "", zone(row.timezone))
        return _render(ask, session, _Shown(row, saved, typed))


@router.post("/app/shops/{shop}/offers")
def create_offer(ask: Sender, shop: str) -> Response:
    """Save a new offer as a draft, or publish it at once."""
    return _posted(ask, shop, None)


@router.post("/app/shops/{shop}/offers/{offer}")
def change_offer(ask: Sender, shop: str, offer: str) -> Response:
    """Save a draft in place; of any other offer make the next version."""
    return _posted(ask, shop, offer)


def _posted(ask: MemberAsk, shop: str, offer: str | None) -> Response:
    """What the button says: look for codes and show the form again, save, or save and publish. What may not be is shown as typed."""
    with ask.transaction() as session:
        row, saved = _load(ask, session, shop, offer)
        now = app_now(session)
    typed, act = typed_fields(ask.fields), ask.fields.get("act", "")
    try:
        typed = keep_picture(ask, row, typed)
        if act == SEARCH or act.startswith(MORE):
            picker = look_for(ask, row, typed.words, act.removeprefix(MORE) if act != SEARCH else "", typed.chosen, now)
            return _again(ask, _Shown(row, saved, typed, picker))
        draft = check(ask, row, typed, saved, now)
        with ask.transaction() as session:
            locked, held = _load(ask, session, shop, offer, lock=True)
            written = write(ask, session, locked, held.offer if held else None, draft, publishes=act == PUBLISH)
            name, is_waiting = written.public_id, written.state == OfferState.DRAFT.value
    except Refused as error:
        field = str(getattr(error, "field", ""))
        return _again(ask, _Shown(row, saved, typed, problem=ask.refusal(error), field=field), status=422)
    if not is_waiting:
        settle(ask, row)
    done = "offer-published" if act == PUBLISH else "offer-kept" if is_waiting else "saved"
    return ask.redirect(f"/app/shops/{shop}/offers/{name}", done)


def _load(ask: MemberAsk, session: Session, shop: str, offer: str | None, *, lock: bool = False) -> tuple[ShopRow, OfferView | None]:
    row = ask.shop(session, shop)
    if offer is None:
        return row, None
    return row, offers.get_offer(session, row, known_id(offer), can_send_mail=can_send_mail(ask), lock=lock)


def _again(ask: MemberAsk, shown: _Shown, *, status: int = 200) -> Response:
    with ask.transaction() as session:
        return _render(ask, session, shown, status=status)


def _render(ask: MemberAsk, session: Session, shown: _Shown, *, status: int = 200) -> Response:
    row, saved, typed, now = shown.shop, shown.saved, shown.typed, app_now(session)
    assert row.id is not None
    picture = banners.find_banner(session, row.id, known_id(typed.banner)) if typed.banner else None
    lacks = lacking(offers.standing(row, can_send_mail=can_send_mail(ask)))
    offer_id = None if saved is None else saved.offer.id
    page = EditorPage(
        shop_id=row.public_id,
        shop_name=row.name,
        offer_id="" if saved is None else saved.offer.public_id,
        offer_name="" if saved is None else saved.offer.name,
        is_draft=saved is None or saved.state in (OfferState.DRAFT, OfferState.DEACTIVATED),
        is_given=saved is not None and saved.state in (OfferState.ACTIVE, OfferState.SUSPENDED),
        fields=typed,
        kinds=tuple((kind.value, ask.gettext(text)) for kind, text in KINDS.items()),
        banner=None if picture is None else banner_view(ask, picture),
        banner_size=f"{BANNER_WIDTH} × {BANNER_HEIGHT}",
        picker=shown.picker,
        chosen=() if _is_listed(shown) else chosen_line(ask, session, row, typed.chosen, offer_id, now),
        can_lock=ask.parts.services.platforms[row.platform].can.locks_codes_to_email,
        currency=row.currency,
        wrong={shown.field: shown.problem} if shown.field else {},
        problem=shown.problem,
        requirements=tuple(ask.gettext(said(REQUIREMENTS, one)) for one in lacks),
        has_code=_has_code(typed),
    )
    return ask.render("offer_edit.html", page, status=status)


def banner_view(ask: MemberAsk, picture: BannerRow) -> BannerView:
    """A picture, and what of it is cut."""
    if not is_cropped(picture.width, picture.height):
        return BannerView(picture.public_id, "")
    _, _, width, height = visible_part(picture.width, picture.height)
    values = {"width": picture.width, "height": picture.height, "seen_width": width, "seen_height": height}
    return BannerView(picture.public_id, ask.gettext(CUT).format(**values))


def _is_listed(shown: _Shown) -> bool:
    return any(line.is_chosen for line in shown.picker.lines)


def _has_code(typed: OfferFields) -> bool:
    """Whether the form names a code, or asks for one for each."""
    return bool({NEW: typed.code, EXISTING: typed.chosen}.get(typed.mode, typed.mode == UNIQUE))
