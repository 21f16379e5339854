"""
Hand our own mails over: claim | call | record.

Plain SMTP is sent at most once: a hand-over whose end nobody knows stays `unknown`. A refusal for now is tried again later, a
sign-in mail only while its link is good.
"""

import time
from datetime import datetime, timedelta

import structlog

from connector.errors import ConnectorError
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from connector.messages.letters import notice_letter
from connector.messages.offer_letters import OFFER_CAUSES, OfferNews, offer_letter
from connector.messages.reminder import mailbox
from connector.rules.zones import zone
from connector.store import system_mails
from connector.store.db import app_now, wake_after_commit
from connector.store.notices import Cause
from connector.store.system_mails import ClaimedMail, NoticeMail, SystemMail
from sync.jobs import Job
from sync.services import Services

BATCH = 50
SLICE_SECONDS = 1.0
"""After so long the mails go to the end of the line: stores' reminders wait no longer."""
RETRY_SECONDS = (15, 45, 120, 300, 900, 3_600, 10_800, 21_600)
"""Pauses after refusals for now; after the last one the mail is given up."""
NOT_COMPOSED = "could not be composed"
HEADERS = {"Auto-Submitted": "auto-generated"}

log = structlog.get_logger()


def post_mails(services: Services, shop_id: int = 0) -> int:
    """
    Send due mails of our own, for a second at most; returns how many were claimed. They belong to no shop.

    Without a Sender nothing is claimed.
    """
    if services.mail is None:
        return 0
    began, count = time.monotonic(), 0
    while count < BATCH and time.monotonic() - began < SLICE_SECONDS:
        with services.db.system_transaction("claim a mail of our own") as session:
            claimed = system_mails.claim(session)
        if claimed is None:
            return count
        _record(services, claimed, _hand_over(services.mail, services, claimed))
        count += 1
    with services.db.system_transaction("ring for the rest of our own mails") as session:
        wake_after_commit(session, Job.POST.value, shop_id)
    return count


def _hand_over(mail: Sender, services: Services, claimed: ClaimedMail) -> SendResult:
    try:
        envelope = _compose(services, claimed)
    except ConnectorError as error:
        log.warning("mail.not_composed", mail=claimed.public_id, error=type(error).__name__)
        return SendResult(Handover.REFUSED, NOT_COMPOSED)
    return mail.send(envelope)


def _compose(services: Services, claimed: ClaimedMail) -> Envelope:
    said = system_mails.open_mail(services.vault, claimed)
    mail = _write_notice(services, said) if isinstance(said, NoticeMail) else said
    host = services.settings.mail_from.rpartition("@")[2].strip("> ") or "localhost"
    return Envelope(
        message_id=f"{claimed.public_id}@{host}",
        sender=mail.sender,
        to=mail.to,
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        headers=HEADERS,
    )


def _write_notice(services: Services, notice: NoticeMail) -> SystemMail:
    settings = services.settings
    page = "/app/privacy" if notice.cause == Cause.DATA_REQUEST_READY else notice.page or f"/app/shops/{notice.shop_public_id}"
    url = settings.browser_url(settings.public_url.rstrip("/") + page)
    if notice.cause in OFFER_CAUSES:
        ends_at = datetime.fromisoformat(notice.at) if notice.at else None
        about = OfferNews(notice.cause, notice.shop_name, notice.offer, notice.reason, notice.detail, ends_at, zone(notice.zone))
        letter = offer_letter(about, url, notice.language)
    else:
        letter = notice_letter(notice.cause, notice.shop_name, url, notice.language)
    return SystemMail(notice.to, letter.subject, letter.text, letter.html, mailbox("", settings.mail_from))


def _record(services: Services, claimed: ClaimedMail, result: SendResult) -> None:
    with services.db.system_transaction("record a mail of our own") as session:
        state, again_at = _ending(claimed, result, app_now(session))
        is_ours = system_mails.record(session, claimed, state, result.detail[:500] or None, again_at=again_at)
    if not is_ours:
        log.warning("mail.claim_lost", mail=claimed.public_id)
    log.info("mail.handed_over", mail=claimed.public_id, kind=claimed.kind, outcome=state)


def _ending(claimed: ClaimedMail, result: SendResult, now: datetime) -> tuple[str, datetime | None]:
    """The state, and when to try again."""
    match result.handover:
        case Handover.SENT:
            return "sent", None
        case Handover.UNKNOWN:
            return "unknown", None
        case Handover.RETRY if claimed.attempt <= len(RETRY_SECONDS):
            again_at, last = now + timedelta(seconds=RETRY_SECONDS[claimed.attempt - 1]), system_mails.still_good_until(claimed)
            return ("queued", again_at) if last is None or again_at < last else ("refused", None)
        case _:
            return "refused", None
