"""
Hand messages over: look | ask the store | claim | call | record.

Where a store can be asked, it is asked right before, without any lock: meanwhile the message is leased, and who dies leaves it to the
next one. The claim looks at everything again, under locks, and commits before anything leaves. Plain SMTP is sent at most once: a
hand-over whose end nobody knows stays `unknown` and is never repeated by itself. A refusal for now is tried again later.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import structlog

from connector.canonical import Channel
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from connector.messages.reminder import ReminderContent, compose_reminder
from connector.metrics import CANCELLED
from connector.platforms import Reads
from connector.rules.automations import Outcome, Reason, ShopFacts, StoreFacts, Verdict, decide_by_store, decide_sending
from connector.store import automations, outgoing, people
from connector.store.automation_tables import MessageRow
from connector.store.automations import Decided
from connector.store.checkouts import facts_of
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.outgoing import Held, LineView
from sync.asking import Question, StoreWord, ask_store, note_unheard_order
from sync.handing_over import address_to, again_at, hand_over
from sync.jobs import Job
from sync.services import Services

BATCH = 100
SLICE_SECONDS = 0.25
"""After so long a shop goes to the end of the line: others' messages wait no longer for a shop that has thousands."""

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
        claimed = _take_next(services, shop_id)
        if claimed is None:
            return count
        if isinstance(claimed, Settled):
            continue
        result, refusal = _hand_over(services.mail, services, claimed)
        _record(services, shop_id, claimed, result, refusal)
        count += 1
    with services.db.transaction(shop=shop_id) as session:
        wake_after_commit(session, Job.SEND.value, shop_id)
    return count


def claim(services: Services, shop_id: int) -> Claimed | None:
    """Take the shop's next message that may still be sent; those that may not are settled on the way. None when none is due."""
    while isinstance(found := _take_next(services, shop_id), Settled):
        pass
    return found


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that does not leave now: by this verdict, which is written, or (None) because it is not ours any more."""

    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class LetGo:
    """A message that may leave as far as we know. It is ours `until` then, while its store is asked without any lock."""

    message_id: int
    until: datetime
    question: Question


def _take_next(services: Services, shop_id: int) -> Claimed | Settled | None:
    """The shop's next due message, claimed or settled; None if there is none."""
    with services.db.transaction(shop=shop_id) as session:
        held = outgoing.hold_next(session, shop_id)
        if held is None:
            return None
        channel, reads = held.message.channel, services.platforms[held.shop.platform].reads
        found = _decide(session, services, held, None, StoreWord()) if reads is None else _let_go(session, services, held)
    if isinstance(found, LetGo):
        assert reads is not None
        found = _ask_and_claim(services, reads, shop_id, found)
    if isinstance(found, Settled) and found.verdict is not None and found.verdict.outcome is Outcome.STOP:
        services.metrics.messages_cancelled(channel, 1)
    return found


def _let_go(session: Session, services: Services, held: Held) -> LetGo | Settled:
    now, message, checkout = app_now(session), held.message, held.checkout
    address = _look(session, services, held, None, now)
    if isinstance(address, Settled):
        return address
    assert message.id is not None
    assert checkout.id is not None
    lines = outgoing.load_lines(session, checkout.id)
    wanted = tuple(dict.fromkeys((line.product_id, line.variant_id) for line in lines if line.product_id is not None))
    question = Question(checkout.id, checkout.token, checkout.cart_token, checkout.created_at, wanted)
    return LetGo(message.id, outgoing.mark_looked_at(message, now), question)


def _ask_and_claim(services: Services, reads: Reads, shop_id: int, asked: LetGo) -> Claimed | Settled:
    word = ask_store(services, reads, shop_id, asked.question)
    with services.db.transaction(shop=shop_id) as session:
        held = outgoing.hold_again(session, asked.message_id, asked.question.checkout_id)
        return Settled() if held is None else _decide(session, services, held, asked.until, word)


def _look(session: Session, services: Services, held: Held, lease: datetime | None, now: datetime) -> str | Settled:
    """The address the message may go to by all that we know; if it may not, that is written."""
    message, shop = held.message, held.shop
    assert shop.id is not None
    # Shoppers correct their address after the message was queued: the one it would go to now is what counts.
    address = held.checkout.email_norm or message.address
    people.lock_address(session, services.vault, shop.id, Channel.EMAIL, address, shared=True)
    if not outgoing.still_queued(session, message, lease):
        return Settled()
    suppressed = people.suppressed_among(session, services.vault, shop.id, Channel.EMAIL, [address])
    verdict = decide_sending(
        facts_of(held.checkout),
        automations.automation_facts(held.automation),
        ShopFacts(shop.state == "connected", shop.threshold_minutes, is_elsewhere=shop.stranger_at is not None),
        is_suppressed=bool(suppressed),
        enrolled_at=message.queued_at,
        now=now,
    )
    return address if verdict.outcome is Outcome.GO else _settle(session, message, verdict)


def _decide(session: Session, services: Services, held: Held, lease: datetime | None, word: StoreWord) -> Claimed | Settled:
    message, shop, now = held.message, held.shop, app_now(session)
    assert shop.id is not None
    address = _look(session, services, held, lease, now)
    if isinstance(address, Settled):
        return address
    lines = [line for line in outgoing.load_lines(session, message.checkout_id) if (line.product_id, line.variant_id) not in word.gone]
    store = StoreFacts(word.has_answered, is_purchased=word.order_id is not None, is_sold_out=not lines, retry_seconds=word.retry_seconds)
    verdict = decide_by_store(store, message.looks, now)
    if word.order_id is not None:
        note_unheard_order(session, shop.id, word.order_id)
    if verdict.outcome is not Outcome.GO:
        message.looks += verdict.outcome is Outcome.WAIT
        return _settle(session, message, verdict)
    automations.decide(session, shop.id, [Decided(message.checkout_id, message.automation_id, verdict.reason)])
    message.address = address
    outgoing.mark_sending(message, now)
    session.flush()
    return _claimed(services, held, lines)


def _settle(session: Session, message: MessageRow, verdict: Verdict) -> Settled:
    """Write that a message does not leave, or not now, and why."""
    automations.decide(session, message.shop_id, [Decided(message.checkout_id, message.automation_id, verdict.reason)])
    message.lease_until = None
    if verdict.outcome is Outcome.STOP:
        message.state, message.reason = CANCELLED, verdict.reason.value
    elif verdict.at is not None:
        message.due_at = verdict.at
    return Settled(verdict)


def _claimed(services: Services, held: Held, lines: Sequence[LineView]) -> Claimed:
    message, checkout, shop = held.message, held.checkout, held.shop
    assert message.id is not None
    link, unsubscribe = (
        _public(services, f"/{door}/{token}") for door, token in (("r", message.link_token), ("u", message.unsubscribe_token))
    )
    content = outgoing.reminder_content(shop, checkout, lines, held.automation.extra_text, link_url=link, unsubscribe_url=unsubscribe)
    if len(lines) < checkout.line_count:
        # The checkout's own total counts what cannot be had any more.
        content = replace(content, total=sum((line.total for line in lines), Decimal(0)))
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
    """Compose and send; the Reason counts if it is refused."""

    def compose() -> Envelope:
        return address_to(
            services,
            compose_reminder(claimed.content),
            public_id=claimed.public_id,
            shop_name=claimed.shop_name,
            to=claimed.address,
            unsubscribe_url=claimed.unsubscribe_url,
        )

    result, is_composed = hand_over(mail, claimed.public_id, compose)
    return result, Reason.REFUSED if is_composed else Reason.NOT_COMPOSED


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
    if result.handover is Handover.SENT:
        return {"state": "sent", "reason": None, "handed_over_at": now}, Reason.SENT
    if result.handover is Handover.UNKNOWN:
        return {"state": "unknown", "reason": Reason.UNKNOWN_OUTCOME.value}, Reason.UNKNOWN_OUTCOME
    if later := again_at(result, attempt, now):
        return {"state": "queued", "reason": Reason.RETRYING.value, "due_at": later}, Reason.RETRYING
    return {"state": "refused", "reason": refusal.value}, refusal
