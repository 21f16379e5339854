"""
Hand the e-mails of grants over: claim | call | record.

The claim looks at everything again, under locks, and commits before anything leaves. Plain SMTP is sent at most once: a hand-over whose
end nobody knows stays `unknown` and is never repeated by itself. A refusal for now is tried again later.
"""

import time
from dataclasses import dataclass
from datetime import datetime

import structlog

from connector.canonical import Channel
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from connector.messages.offer_mail import OfferContent, compose_offer
from connector.metrics import CANCELLED
from connector.rules.grant_mails import MailFacts, MailReason, MailVerdict, judge_mail
from connector.rules.grants import GrantState
from connector.rules.offers import OfferState
from connector.store import grant_content, grant_mails, grants, people
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.grant_mails import HeldMail
from connector.store.offer_tables import GrantMailRow
from sync.handing_over import address_to, again_at, hand_over
from sync.jobs import Job
from sync.services import Services

BATCH = 100
SLICE_SECONDS = 0.25
"""After so long a shop goes to the end of the line, as with reminders."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    """A mail that is ours to hand over, with all that its text needs."""

    grant_id: int
    public_id: str
    attempt: int
    address: str
    content: OfferContent


def send_offers(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Send a shop's due mails of grants, up to `limit` and for a quarter of a second; returns how many were claimed.

    Without a Sender nothing is claimed. What is left over waits at the end of the line.
    """
    if services.mail is None:
        return 0
    began, count = time.monotonic(), 0
    while count < limit and time.monotonic() - began < SLICE_SECONDS:
        claimed = _take_next(services, shop_id)
        if claimed is None:
            return count
        if isinstance(claimed, MailVerdict):
            continue
        _record(services, shop_id, claimed, *_hand_over(services.mail, services, claimed))
        count += 1
    with services.db.transaction(shop=shop_id) as session:
        wake_after_commit(session, Job.OFFER_MAILS.value, shop_id)
    return count


def claim(services: Services, shop_id: int) -> ClaimedMail | None:
    """Take the shop's next mail that may still be sent; those that may not are settled on the way. None when none is due."""
    while isinstance(found := _take_next(services, shop_id), MailVerdict):
        pass
    return found


def _take_next(services: Services, shop_id: int) -> ClaimedMail | MailVerdict | None:
    """The shop's next due mail, claimed, or what became of it instead; None if there is none."""
    with services.db.transaction(shop=shop_id) as session:
        held = grant_mails.hold_next(session, shop_id)
        if held is None:
            return None
        found = _decide(session, services, held)
    if isinstance(found, MailVerdict) and found.stop is not None:
        services.metrics.messages.add(Channel.EMAIL.value, CANCELLED)
    return found


def _decide(session: Session, services: Services, held: HeldMail) -> ClaimedMail | MailVerdict:
    mail, shop, now = held.mail, held.shop, app_now(session)
    assert shop.id is not None
    people.lock_address(session, services.vault, shop.id, Channel.EMAIL, mail.address, shared=True)
    if not grant_mails.still_queued(session, mail):
        return MailVerdict(again_at=now)
    seen = grants.view(session, shop, held.grant, can_send_mail=True)
    facts = MailFacts(
        grant_state=GrantState(held.grant.state),
        grant_reason=held.grant.reason,
        hidden=seen.hidden,
        offer_state=OfferState(held.offer.state),
        is_given=seen.offer.is_given,
        queued_at=mail.queued_at,
        is_installed=shop.state != "uninstalled",
        is_elsewhere=shop.stranger_at is not None,
        is_suppressed=bool(people.suppressed_among(session, services.vault, shop.id, Channel.EMAIL, _spellings(held))),
    )
    verdict = judge_mail(facts, now)
    if not verdict.may_go:
        _settle(mail, verdict)
        return verdict
    grant_mails.mark_sending(mail, now)
    session.flush()
    settings = services.settings
    content = grant_content.content_of(
        session, shop, seen, base_url=settings.browser_url(settings.public_url.rstrip("/")), unsubscribe_token=mail.unsubscribe_token
    )
    return ClaimedMail(mail.grant_id, mail.public_id, mail.attempts, mail.address, content)


def _spellings(held: HeldMail) -> list[str]:
    """The address as it was typed, and as the store's words of consent name it."""
    return list(dict.fromkeys(one for one in (held.mail.address, held.grant.email_norm) if one))


def _settle(mail: GrantMailRow, verdict: MailVerdict) -> None:
    """Write that a mail does not leave, or not now, and why."""
    if verdict.stop is not None:
        mail.state, mail.reason = CANCELLED, verdict.stop
    mail.due_at = verdict.again_at or mail.due_at


def _hand_over(mail: Sender, services: Services, claimed: ClaimedMail) -> tuple[SendResult, MailReason]:
    """Compose and send; the reason counts if it is refused."""

    def compose() -> Envelope:
        return address_to(
            services,
            compose_offer(claimed.content),
            public_id=claimed.public_id,
            shop_name=claimed.content.shop_name,
            to=claimed.address,
            unsubscribe_url=claimed.content.unsubscribe_url,
        )

    result, is_composed = hand_over(mail, claimed.public_id, compose)
    return result, MailReason.REFUSED if is_composed else MailReason.NOT_COMPOSED


def _record(services: Services, shop_id: int, claimed: ClaimedMail, result: SendResult, refusal: MailReason) -> None:
    is_bad_address = result.is_bad_address and result.handover is Handover.REFUSED
    with services.db.transaction(shop=shop_id) as session:
        if is_bad_address:
            people.lock_address(session, services.vault, shop_id, Channel.EMAIL, claimed.address, shared=False)
        values, outcome = _ending(result, refusal, claimed.attempt, app_now(session))
        if not grant_mails.record(session, claimed.grant_id, claimed.attempt, detail=result.detail[:500] or None, **values):
            log.warning("offer_mail.claim_lost", mail=claimed.public_id)
            return
        if is_bad_address:
            people.suppress(session, services.vault, shop_id, Channel.EMAIL, claimed.address, "bounced")
    services.metrics.messages.add(Channel.EMAIL.value, outcome)
    log.info("offer_mail.handed_over", shop_id=shop_id, mail=claimed.public_id, outcome=outcome)


def _ending(result: SendResult, refusal: MailReason, attempt: int, now: datetime) -> tuple[dict[str, object], str]:
    """What is written of a hand-over, and in one word how it ended."""
    if result.handover is Handover.SENT:
        return {"state": "sent", "reason": None, "handed_over_at": now}, "sent"
    if result.handover is Handover.UNKNOWN:
        return {"state": "unknown", "reason": MailReason.UNKNOWN_OUTCOME.value}, MailReason.UNKNOWN_OUTCOME.value
    if later := again_at(result, attempt, now):
        return {"state": "queued", "reason": MailReason.RETRYING.value, "due_at": later}, MailReason.RETRYING.value
    return {"state": "refused", "reason": refusal.value}, refusal.value
