"""
Hand messages over: claim | call | record.

The claim looks at everything again, under locks, and commits before anything leaves. Plain SMTP is sent at most once: a
hand-over whose end nobody knows stays `unknown` and is never repeated by itself. A refusal for now is tried again later.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from connector.canonical import Channel
from connector.errors import ConnectorError
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from connector.messages.reminder import ReminderContent, compose_reminder, mailbox, reminder_envelope
from connector.metrics import CANCELLED
from connector.rules.automations import Outcome, Reason, ShopFacts, decide_sending
from connector.store import automations, outgoing, people
from connector.store.automations import Decided
from connector.store.checkouts import facts_of
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.outgoing import Held
from sync.jobs import Job
from sync.services import Services

BATCH = 100
SLICE_SECONDS = 0.25
"""After so long a shop goes to the end of the line: others' messages wait no longer for a shop that has thousands."""
RETRY_MINUTES = (1, 5, 15, 60, 180, 360)
"""Pauses after refusals for now; after the last one the message is given up, so a reminder is never a day late."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, with all that its text needs."""

    message_id: int
    public_id: str
    attempt: int
    checkout_id: int
    automation_id: int
    address: str
    content: ReminderContent
    shop_name: str
    unsubscribe_url: str


def send_messages(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Send a shop's due messages, up to `limit` and for a quarter of a second; returns how many were claimed.

    Without a Sender nothing is claimed. What is left over waits at the end of the line.
    """
    if services.mail is None:
        return 0
    began, count = time.monotonic(), 0
    while count < limit and time.monotonic() - began < SLICE_SECONDS:
        claimed = claim(services, shop_id)
        if claimed is None:
            return count
        result, refusal = _hand_over(services.mail, services, claimed)
        _record(services, shop_id, claimed, result, refusal)
        count += 1
    with services.db.transaction(shop=shop_id) as session:
        wake_after_commit(session, Job.SEND.value, shop_id)
    return count


def claim(services: Services, shop_id: int) -> Claimed | None:
    """Take the shop's next message that may still be sent; those that may not are settled on the way. None when none is due."""
    while True:
        with services.db.transaction(shop=shop_id) as session:
            held = outgoing.hold_next(session, shop_id)
            if held is None:
                return None
            claimed = _decide(session, services, held)
        if claimed is not None:
            return claimed
        if held.message.state == CANCELLED:
            services.metrics.messages_cancelled(held.message.channel, 1)


def _decide(session: Session, services: Services, held: Held) -> Claimed | None:
    message, shop = held.message, held.shop
    assert shop.id is not None
    # Shoppers correct their address after the message was queued: the one it would go to now is what counts.
    address = held.checkout.email_norm or message.address
    people.lock_address(session, services.vault, shop.id, Channel.EMAIL, address, shared=True)
    if not outgoing.still_queued(session, message):
        return None
    now = app_now(session)
    suppressed = people.suppressed_among(session, services.vault, shop.id, Channel.EMAIL, [address])
    verdict = decide_sending(
        facts_of(held.checkout),
        automations.automation_facts(held.automation),
        ShopFacts(is_connected=shop.state == "connected", threshold_minutes=shop.threshold_minutes),
        is_suppressed=bool(suppressed),
        enrolled_at=message.queued_at,
        now=now,
    )
    automations.decide(session, shop.id, [Decided(message.checkout_id, message.automation_id, verdict.reason)])
    if verdict.outcome is Outcome.STOP:
        message.state, message.reason = CANCELLED, verdict.reason.value
        return None
    if verdict.outcome is Outcome.WAIT and verdict.at is not None:
        message.due_at = verdict.at
        return None
    message.address = address
    outgoing.mark_sending(message, now)
    session.flush()
    return _claimed(session, services, held)


def _claimed(session: Session, services: Services, held: Held) -> Claimed:
    message, checkout, shop = held.message, held.checkout, held.shop
    assert message.id is not None
    link, unsubscribe = (
        _public(services, f"/{door}/{token}") for door, token in (("r", message.link_token), ("u", message.unsubscribe_token))
    )
    lines = outgoing.load_lines(session, message.checkout_id)
    content = outgoing.reminder_content(shop, checkout, lines, held.automation.extra_text, link_url=link, unsubscribe_url=unsubscribe)
    return Claimed(
        message_id=message.id,
        public_id=message.public_id,
        attempt=message.attempts,
        checkout_id=message.checkout_id,
        automation_id=message.automation_id,
        address=checkout.email or message.address,
        content=content,
        shop_name=shop.name,
        unsubscribe_url=unsubscribe,
    )


def _public(services: Services, path: str) -> str:
    return services.settings.browser_url(services.settings.public_url.rstrip("/") + path)


def _hand_over(mail: Sender, services: Services, claimed: Claimed) -> tuple[SendResult, Reason]:
    """Compose and send; the Reason counts if it is refused. What cannot be composed is refused for good by ourselves."""
    try:
        envelope = _compose(services, claimed)
    except ConnectorError as error:
        log.warning("message.not_composed", message=claimed.public_id, error=str(error))
        return SendResult(Handover.REFUSED, str(error)), Reason.NOT_COMPOSED
    return mail.send(envelope), Reason.REFUSED


def _compose(services: Services, claimed: Claimed) -> Envelope:
    host = services.settings.mail_from.rpartition("@")[2].strip("> ") or "localhost"
    return reminder_envelope(
        compose_reminder(claimed.content),
        message_id=f"{claimed.public_id}@{host}",
        sender=mailbox(claimed.shop_name, services.settings.mail_from),
        to=claimed.address,
        unsubscribe_url=claimed.unsubscribe_url,
    )


def _record(services: Services, shop_id: int, claimed: Claimed, result: SendResult, refusal: Reason) -> None:
    is_bad_address = result.is_bad_address and result.handover is Handover.REFUSED
    with services.db.transaction(shop=shop_id) as session:
        if is_bad_address:
            people.lock_address(session, services.vault, shop_id, Channel.EMAIL, claimed.address, shared=False)
        now = app_now(session)
        values, reason = _ending(result, refusal, claimed.attempt, now)
        if not outgoing.record(session, claimed.message_id, claimed.attempt, detail=result.detail[:500] or None, **values):
            log.warning("message.claim_lost", message=claimed.public_id)
            return
        automations.decide(session, shop_id, [Decided(claimed.checkout_id, claimed.automation_id, reason)])
        if is_bad_address:
            people.suppress(session, services.vault, shop_id, Channel.EMAIL, claimed.address, "bounced")
    services.metrics.messages.add(Channel.EMAIL.value, reason.value)
    log.info("message.handed_over", shop_id=shop_id, message=claimed.public_id, outcome=reason.value)


def _ending(result: SendResult, refusal: Reason, attempt: int, now: datetime) -> tuple[dict[str, object], Reason]:
    match result.handover:
        case Handover.SENT:
            return {"state": "sent", "reason": None, "handed_over_at": now}, Reason.SENT
        case Handover.UNKNOWN:
            return {"state": "unknown", "reason": Reason.UNKNOWN_OUTCOME.value}, Reason.UNKNOWN_OUTCOME
        case Handover.RETRY if attempt <= len(RETRY_MINUTES):
            later = now + timedelta(minutes=RETRY_MINUTES[attempt - 1])
            return {"state": "queued", "reason": Reason.RETRYING.value, "due_at": later}, Reason.RETRYING
        case _:
            return {"state": "refused", "reason": refusal.value}, refusal
