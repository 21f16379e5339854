"""An offer as shoppers will get it: its e-mail and its page, each in a frame, before anybody is given it."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from connector.errors import ConnectorError, Refused
from connector.messages.offer_mail import OfferContent, compose_offer
from connector.messages.reminder import mailbox
from connector.messages.templates import Rendered
from connector.rules.code_pool import spell
from connector.rules.grants import end_of_day_after
from connector.rules.offers import CodeMode
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import banners, offers, outgoing
from connector.store.offer_tables import BannerRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk, reading
from connector.web.headers import content_policy
from connector.web.inputs import known_id
from connector.web.language import N_
from connector.web.merchant.mail_policy import mail_policy
from connector.web.merchant.offer_saving import can_send_mail
from connector.web.pages import render
from connector.web.shopper.offer_card import card_of

NOT_WRITTEN = N_("The e-mail could not be written from this offer: {reason}")
SAMPLE_CODE = "CODE"
SAMPLE_BITS = 0x1_2345_6789_ABCD_EF01
SAMPLE_NAMES = {"fr": "Camille"}
SAMPLE_NAME = "Sam"

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]


@dataclass(frozen=True, slots=True)
class OfferPreviewPage:
    """The page around the two frames. `problem`: why there is nothing to see."""

    shop_id: str
    shop_name: str
    offer_id: str
    name: str
    sender: str
    subject: str
    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class _Composed:
    """What was written, and from what."""

    shop: ShopRow
    seen: OfferView
    picture: BannerRow | None
    content: OfferContent
    mail: Rendered | None
    problem: str


@router.get("/app/shops/{shop}/offers/{offer}/preview")
def show_offer_preview(ask: Viewer, shop: str, offer: str) -> Response:
    """The page around the mail and the shopper's page."""
    composed = _compose(ask, shop, offer)
    row, mail = composed.shop, composed.mail
    page = OfferPreviewPage(
        shop_id=row.public_id,
        shop_name=row.name,
        offer_id=composed.seen.offer.public_id,
        name=composed.seen.offer.name,
        sender=mailbox(row.name, ask.parts.settings.mail_from),
        subject="" if mail is None else mail.subject,
        text="" if mail is None else mail.text,
        problem=composed.problem,
    )
    return ask.render("offer_preview.html", page)


@router.get("/app/shops/{shop}/offers/{offer}/preview/mail")
def show_offer_mail(ask: Viewer, shop: str, offer: str) -> Response:
    """The mail itself, for its frame."""
    mail = _compose(ask, shop, offer).mail
    html = "" if mail is None else mail.html
    return HTMLResponse(html, headers={"content-security-policy": mail_policy(html, is_sandbox=ask.parts.settings.sandbox)})


@router.get("/app/shops/{shop}/offers/{offer}/preview/page")
def show_offer_card(ask: Viewer, shop: str, offer: str) -> Response:
    """The shopper's page, for its frame. Its button leads to itself."""
    composed = _compose(ask, shop, offer)
    row, seen, content = composed.shop, composed.seen, composed.content
    url = "" if composed.picture is None else f"/banners/{composed.picture.public_id}"
    card = card_of(
        row,
        seen.version,
        state=seen.code,
        code=content.code,
        ends_at=content.ends_at,
        language=row.language,
        banner_url=url,
        use_url=ask.request.url.path,
    )
    policy = content_policy(is_sandbox=ask.parts.settings.sandbox).replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    shell = replace(ask.shell(), language=card.language)
    return render(shell, "shopper_offer.html", card, headers={"content-security-policy": policy})


def _compose(ask: MemberAsk, shop: str, offer: str) -> _Composed:
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        seen = offers.get_offer(session, row, known_id(offer), can_send_mail=can_send_mail(ask))
        picture = banners.get_banner(session, seen.version.banner_id)
    content = _content(ask, row, seen, picture)
    try:
        return _Composed(row, seen, picture, content, compose_offer(content), "")
    except ConnectorError as error:
        return _Composed(row, seen, picture, content, None, ask.refusal(Refused(NOT_WRITTEN, reason=str(error))))


def _content(ask: MemberAsk, shop: ShopRow, seen: OfferView, picture: BannerRow | None) -> OfferContent:
    """What the mail says; its links lead back to the preview, so that nothing can be done with them."""
    version, settings = seen.version, ask.parts.settings
    base = settings.public_url.rstrip("/")
    link = settings.browser_url(f"{base}/app/shops/{shop.public_id}/offers/{seen.offer.public_id}/preview")
    language = shop.language or "en"
    is_unique = version.mode == CodeMode.UNIQUE.value
    ends_at = seen.ends_at or version.ends_at
    if is_unique and ends_at is None and version.valid_days is not None:
        ends_at = end_of_day_after(seen.now, version.valid_days, zone(shop.timezone))
    return OfferContent(
        shop_name=shop.name,
        shop_contact=outgoing.shop_contact(shop),
        language=language,
        zone=zone(shop.timezone),
        first_name=SAMPLE_NAMES.get(language[:2], SAMPLE_NAME),
        headline=version.headline,
        body=version.body,
        code=spell(SAMPLE_BITS, version.prefix) if is_unique else version.code or SAMPLE_CODE,
        kind=version.kind,
        value=version.value,
        currency=version.currency or shop.currency,
        minimum_subtotal=version.minimum_subtotal,
        ends_at=ends_at,
        link_url=link,
        unsubscribe_url=link,
        banner_url=None if picture is None else settings.browser_url(f"{base}/banners/{picture.public_id}"),
    )
