"""Saving what a merchant changes about the automation of a shop, all or nothing, with an audit entry for each thing that changed."""

from connector.canonical import Channel
from connector.rules import activation
from connector.rules.abandonment import ActivityClock
from connector.store import automations, shops
from connector.store.automation_tables import AutomationRow
from connector.store.db import Session, wake_after_commit
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk
from connector.web.merchant.forms import AutomationChange, read_change
from sync.jobs import Job


def save_posted(ask: MemberAsk, shop_name: str) -> None:
    """Save the posted fields for the shop of that public id. Raises Refused, after which nothing has changed, and NotFound."""
    change = read_change(ask.fields)
    with ask.transaction() as session:
        apply_change(ask, session, ask.shop(session, shop_name), change)


def apply_change(ask: MemberAsk, session: Session, shop: ShopRow, change: AutomationChange) -> None:
    """
    Write a change.

    Checkouts are locked before the shop, and the shop before its automation: the lock order of `store.outgoing`.
    """
    assert shop.id is not None
    clock = change.clock or ActivityClock(shop.activity_clock)
    minutes = shop.threshold_minutes if change.minutes is None else change.minutes
    before = (shop.threshold_minutes, shop.activity_clock)
    if (minutes, clock.value) != before:
        shops.set_threshold(session, shop.id, minutes, clock)
        wake_after_commit(session, Job.ABANDON.value, shop.id)
    automation = automations.get_automation(session, shop.id, lock=True)
    _note_terms(ask, session, shop, automation, before)
    text = automation.extra_text if change.extra_text is None else change.extra_text or None
    if text != automation.extra_text:
        automation.extra_text = text
        ask.audit(session, "automation.text", shop=shop, object=automation.public_id)
    if change.turn_on:
        settings = ask.parts.settings
        activation.check(activation.facts(shop, can_send_mail=settings.sandbox or settings.can_send_mail))
        automations.turn_on(session, shop, ask.who())


def turn_off(ask: MemberAsk, shop_name: str) -> None:
    """Turn the automation of a shop off; what is queued is cancelled (SQ-20, SQ-21). Raises NotFound."""
    with ask.transaction() as session:
        cancelled = automations.turn_off(session, ask.shop(session, shop_name), ask.who())
    ask.parts.metrics.messages_cancelled(Channel.EMAIL.value, cancelled)


def _note_terms(ask: MemberAsk, session: Session, shop: ShopRow, automation: AutomationRow, before: tuple[int, str]) -> None:
    """The delay and what it counts from, as they were and as they are."""
    minutes, clock = before
    if minutes != shop.threshold_minutes:
        ask.audit(session, "automation.delay", shop=shop, object=automation.public_id, reason=f"{minutes} -> {shop.threshold_minutes} min")
    if clock != shop.activity_clock:
        ask.audit(session, "automation.clock", shop=shop, object=automation.public_id, reason=f"{clock} -> {shop.activity_clock}")
