"""Checkouts whose clock ran out: mark them abandoned, and let automations decide."""

import structlog

from connector.canonical import Channel
from connector.rules.automations import CheckoutFacts, Outcome, ShopFacts, decide_enrollment
from connector.store import automations, checkouts, people, shops
from connector.store.automation_tables import AutomationRow
from connector.store.automations import Decided, NewMessage
from connector.store.db import Session, wake_after_commit
from connector.store.tables import ShopRow
from sync.jobs import Job
from sync.services import Services

BATCH = 500

log = structlog.get_logger()


def mark_abandoned(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Mark a shop's due checkouts as abandoned and enrol them where an automation wants them; returns how many were marked.

    One transaction: the mark, the enrollment, the queued message and the Decision exist together or not at all.
    """
    with services.db.transaction(shop=shop_id) as session:
        ids = checkouts.claim_abandoned(session, shop_id, limit)
        if ids:
            shop = shops.get_shop(session, shop_id)
            facts = checkouts.load_facts(session, shop_id, ids)
            addresses = {fact.email for fact in facts.values() if fact.email}
            suppressed = people.suppressed_among(session, services.vault, shop_id, Channel.EMAIL, addresses)
            for automation in automations.list_automations(session, shop_id, lock=True):
                _enroll(session, shop, automation, facts, suppressed)
            wake_after_commit(session, Job.SEND.value, shop_id)
        if len(ids) == limit:
            wake_after_commit(session, Job.ABANDON.value, shop_id)
    if ids:
        log.info("checkouts.abandoned", shop_id=shop_id, count=len(ids))
    return len(ids)


def _enroll(session: Session, shop: ShopRow, automation: AutomationRow, facts: dict[int, CheckoutFacts], suppressed: set[str]) -> None:
    assert shop.id is not None
    assert automation.id is not None
    shop_facts = ShopFacts(is_connected=shop.state == "connected", threshold_minutes=shop.threshold_minutes)
    decided: list[Decided] = []
    messages: list[NewMessage] = []
    for checkout_id, fact in facts.items():
        if fact.email is None:
            continue
        verdict = decide_enrollment(fact, automations.automation_facts(automation), shop_facts, is_suppressed=fact.email in suppressed)
        decided.append(Decided(checkout_id, automation.id, verdict.reason))
        if verdict.outcome is Outcome.GO and verdict.at is not None:
            messages.append(NewMessage(checkout_id, fact.email, verdict.at))
    automations.enroll(session, shop.id, automation.id, messages)
    automations.decide(session, shop.id, decided)
