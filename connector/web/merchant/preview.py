"""The reminder as shoppers will get it: shown in a frame, and sent to oneself as a test (SQ-19)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse, Response

from connector.errors import ConnectorError, Refused
from connector.messages.letters import preview_letter
from connector.messages.reminder import ReminderContent, compose_reminder, mailbox, sample_content
from connector.messages.templates import Rendered
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import attempts, automations, outgoing, reports, system_mails
from connector.store.automation_tables import AutomationRow
from connector.store.db import Session
from connector.store.outgoing import LineView
from connector.store.system_mails import SystemMail
from connector.store.tables import CheckoutRow, ShopRow
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import Moment, moment_or_none
from connector.web.language import N_
from connector.web.merchant.mail_policy import mail_policy

MOST_PREVIEWS = 5
PREVIEW_SECONDS = 3_600

NO_ADDRESS = N_("Your account has no e-mail address of yours, so there is nowhere to send the preview.")
NO_SENDER = N_("There is no way to send e-mail yet: whoever runs this service must set SMTP_URL first.")
TOO_MANY = N_("You have sent yourself {most} previews within an hour. Please try again later.")
NOT_COMPOSED = N_("The e-mail could not be written from this checkout: {reason}")

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Actor = Annotated[MemberAsk, Depends(acting(Permission.PREVIEW))]


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """
    The reminder and where its content comes from: the checkout `checkout_name`, or sample data if that is empty.

    `problem`: why it could not be shown or sent.
    """

    shop_id: str
    shop_name: str
    subject: str
    sender: str
    text: str
    checkout_name: str
    checkout_id: str
    checkout_at: Moment | None
    address: str
    problem: str
    is_composed: bool
    may_send: bool


@dataclass(frozen=True, slots=True)
class _Composed:
    """A reminder that was written, and the checkout it was written from (None: sample data)."""

    shop: ShopRow
    checkout: CheckoutRow | None
    language: str
    mail: Rendered | None
    problem: str


@router.get("/app/shops/{shop}/preview")
def show_preview(ask: Viewer, shop: str) -> Response:
    """The page around the mail."""
    return _show(ask, shop, "")


@router.get("/app/shops/{shop}/preview/mail")
def show_mail(ask: Viewer, shop: str) -> Response:
    """The mail itself, for the frame in that page."""
    mail = _compose(ask, shop).mail
    html = "" if mail is None else mail.html
    policy = mail_policy(html, is_sandbox=ask.parts.settings.sandbox)
    return HTMLResponse(html, headers={"content-security-policy": policy})


@router.post("/app/shops/{shop}/preview")
def send_preview(ask: Actor, shop: str) -> Response:
    """Send one test to the member's own address. It counts in no statistic: it is a mail of ours, no message to a shopper."""
    composed = _compose(ask, shop)
    if composed.mail is None:
        return _show(ask, shop, "")
    try:
        _send(ask, composed.shop, preview_letter(composed.mail, composed.language))
    except Refused as error:
        return _show(ask, shop, ask.refusal(error))
    return ask.redirect(f"/app/shops/{shop}/preview", "preview-sent")


def to_content(
    shop: ShopRow, checkout: CheckoutRow | None, lines: Sequence[LineView], extra_text: str | None, ours: str
) -> ReminderContent:
    """
    What the reminder says; without a checkout it says sample data in the shop's name.

    Its links act on nothing: they lead to the shop and to the page `ours`.
    """
    link = shop.url if shop.url.startswith("https://") else ours
    if checkout is not None:
        return outgoing.reminder_content(shop, checkout, lines, extra_text, link_url=link, unsubscribe_url=ours)
    return replace(
        sample_content(shop.language or "en"),
        shop_name=shop.name,
        shop_contact=outgoing.shop_contact(shop),
        currency=shop.currency,
        link_url=link,
        unsubscribe_url=ours,
        extra_text=extra_text,
    )


def _compose(ask: MemberAsk, shop: str) -> _Composed:
    settings = ask.parts.settings
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        checkout, automation, lines = _source(session, row)
    ours = settings.browser_url(f"{settings.public_url.rstrip('/')}/app/shops/{row.public_id}/preview")
    content = to_content(row, checkout, lines, automation.extra_text, ours)
    shown = [replace(line, image_url=line.image_url and settings.browser_url(line.image_url)) for line in content.lines]
    try:
        mail = compose_reminder(replace(content, lines=tuple(shown)))
    except ConnectorError as error:
        return _Composed(row, checkout, content.language, None, ask.refusal(Refused(NOT_COMPOSED, reason=str(error))))
    return _Composed(row, checkout, content.language, mail, "")


def _source(session: Session, row: ShopRow) -> tuple[CheckoutRow | None, AutomationRow, Sequence[LineView]]:
    """The latest checkout that a reminder could be about, its lines, and the automation that would send it."""
    assert row.id is not None
    checkout = reports.latest_full_checkout(session, row.id)
    lines = [] if checkout is None or checkout.id is None else outgoing.load_lines(session, checkout.id)
    return checkout, automations.get_automation(session, row.id), lines


def _send(ask: MemberAsk, shop: ShopRow, letter: Rendered) -> None:
    """Queue the test. Raises Refused."""
    parts, address = ask.parts, ask.member.email
    if address is None:
        raise Refused(NO_ADDRESS)
    if not (parts.settings.sandbox or parts.settings.can_send_mail):
        raise Refused(NO_SENDER)
    with parts.db.system_transaction("count previews of a member") as session:
        is_allowed = attempts.take(
            session, parts.services.vault, "preview", ask.member.public_id, most=MOST_PREVIEWS, seconds=PREVIEW_SECONDS
        )
    if not is_allowed:
        raise Refused(TOO_MANY, most=MOST_PREVIEWS)
    sender = mailbox(shop.name, parts.settings.mail_from)
    mail = SystemMail(to=address, subject=letter.subject, text=letter.text, html=letter.html, sender=sender)
    with ask.transaction() as session:
        name = system_mails.queue(session, parts.services.vault, system_mails.PREVIEW, mail, ask.account_id)
        ask.audit(session, "preview.sent", shop=shop, object=name)


def _show(ask: MemberAsk, shop: str, problem: str) -> Response:
    composed = _compose(ask, shop)
    row, checkout, mail = composed.shop, composed.checkout, composed.mail
    page = PreviewPage(
        shop_id=row.public_id,
        shop_name=row.name,
        subject="" if mail is None else mail.subject,
        sender=mailbox(row.name, ask.parts.settings.mail_from),
        text="" if mail is None else mail.text,
        checkout_name="" if checkout is None else checkout.number or checkout.platform_id,
        checkout_id="" if checkout is None else checkout.public_id,
        checkout_at=None if checkout is None else moment_or_none(checkout.created_at, zone(row.timezone), ask.language),
        address=ask.member.email or "",
        problem=problem or composed.problem,
        is_composed=mail is not None,
        may_send=ask.may(Permission.PREVIEW),
    )
    return ask.render("preview.html", page, status=422 if page.problem else 200)
