"""
Find what is due or was left behind, and ring for it. Rows are the truth: whatever a lost wake or a killed worker forgot is
found here.
"""

import structlog

from connector.rules.automations import Reason
from connector.store import (
    automations,
    checkouts,
    clock,
    deliveries,
    grant_mails,
    offer_codes,
    offer_work,
    outgoing,
    privacy,
    products,
    retention,
    sync_runs,
    system_mails,
    wanted,
)
from connector.store.automations import Decided
from connector.store.db import Session, wake_after_commit
from sync.jobs import Job
from sync.services import Services

SHOPS_PER_SWEEP = 200
FORGET_BATCHES = 20

log = structlog.get_logger()


def sweep(services: Services) -> int:
    """Ring for every shop with waiting deliveries, due checkouts or due messages; returns how many rings. Keeps our clock in step."""
    with services.db.system_transaction("ring for due work of all shops") as session:
        due = _due(session, services)
        for job, shop in due:
            wake_after_commit(session, job.value, shop)
    return len(due)


def find_due(services: Services) -> list[tuple[Job, int]]:
    """What `sweep` rings for, without ringing: (job, shop), the longest waiting of each job first."""
    with services.db.system_transaction("find due work of all shops") as session:
        return _due(session, services)


def _due(session: Session, services: Services) -> list[tuple[Job, int]]:
    clock.read(session)
    due = [
        *((Job.APPLY, shop) for shop in deliveries.shops_with_pending(session, SHOPS_PER_SWEEP)),
        *((Job.ABANDON, shop) for shop in checkouts.shops_with_due(session, SHOPS_PER_SWEEP)),
        *((Job.REREAD, shop) for shop in wanted.shops_with_due(session, SHOPS_PER_SWEEP)),
        *((Job.OFFERS, shop) for shop in offer_work.shops_with_due(session, SHOPS_PER_SWEEP)),
        *((Job.OFFER_CODES, shop) for shop in offer_codes.shops_with_due(session, SHOPS_PER_SWEEP)),
        *((Job.SYNC, shop) for shop in sync_runs.shops_with_due(session, SHOPS_PER_SWEEP)),
        *((Job.ERASE, shop) for shop in privacy.shops_with_erasures(session, SHOPS_PER_SWEEP)),
    ]
    due += [(Job.ERASE, 0)] if privacy.has_homeless(session) else []
    if services.mail is not None:
        due += [(Job.POST, 0)] if system_mails.has_due(session) else []
        due += [(Job.SEND, shop) for shop in outgoing.shops_with_due(session, SHOPS_PER_SWEEP)]
        due += [(Job.OFFER_MAILS, shop) for shop in grant_mails.shops_with_due(session, SHOPS_PER_SWEEP)]
    return due


def expire(services: Services) -> int:
    """
    Settle messages, and mails of our own, whose sender vanished in mid-send: their outcome is unknown, and they say so.

    Returns how many messages.
    """
    with services.db.system_transaction("expired send leases of all shops") as session:
        expired = outgoing.expire_leases(session)
        for shop, checkout, automation in expired:
            automations.decide(session, shop, [Decided(checkout, automation, Reason.UNKNOWN_OUTCOME)])
        mails = system_mails.expire_leases(session) + grant_mails.expire_leases(session)
    if mails:
        log.warning("mails.unknown", count=mails)
    if expired:
        services.metrics.expired_leases.add(by=len(expired))
        log.warning("messages.unknown", count=len(expired))
    return len(expired)


def clean(services: Services) -> None:
    """Make tomorrow's partitions, drop old bodies, mails and syncs, prune checkouts that nobody can be reached about."""
    with services.db.system_transaction("retention") as session:
        dropped = retention.keep_bodies(session, services.settings.retention_days)
    with services.db.system_transaction("prune unidentified checkouts") as session:
        pruned = checkouts.prune_unidentified(session, 1000)
    with services.db.system_transaction("forget mails of our own") as session:
        mails = retention.forget_mails(session)
    with services.db.system_transaction("forget old syncs") as session:
        syncs = retention.forget_syncs(session)
    if dropped or pruned or mails or syncs:
        log.info("retention.done", partitions=dropped, checkouts=pruned, mails=mails, syncs=syncs)


def forget(services: Services) -> int:
    """Delete deliveries that nobody will repeat any more, in small transactions; returns how many went. The rest next time."""
    count = 0
    for _ in range(FORGET_BATCHES):
        with services.db.system_transaction("forget old deliveries") as session:
            gone = retention.forget_deliveries(session, retention.BATCH)
        count += gone
        if gone < retention.BATCH:
            break
    if count:
        log.info("deliveries.forgotten", count=count)
    return count


def find_products(services: Services) -> None:
    """Ring for shops whose lines refer to products that could not be read before."""
    with services.db.system_transaction("products not read yet") as session:
        for shop in products.shops_with_unknown_products(session, SHOPS_PER_SWEEP):
            wake_after_commit(session, Job.PRODUCTS.value, shop)
