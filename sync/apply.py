"""
Deliveries -> canonical events -> rows, a batch per shop in one transaction.

Doing it twice changes nothing, and the order of deliveries does not matter: newest wins by the platform's own version, and
what is derived is computed from all that was seen. A delivery that makes no sense is quarantined with its reason; one that
the database refuses is tried alone, so that it cannot hold up the others, and quarantined after five tries. Trouble of the
database's own counts against no delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import structlog

from connector.canonical import Checkout, Customer, Event, Order, Product, Removed, Resource, Uninstalled
from connector.platforms import DeliveryContext, PayloadError, Platform
from connector.rules.automations import Reason
from connector.store import automations, checkouts, deliveries, people, records, removals, shops
from connector.store.db import Session, app_now, is_passing, wake_after_commit
from connector.store.deliveries import Outcome, Pending
from connector.store.tables import ShopRow
from connector.store.work import lease_inbox
from sync.jobs import Job
from sync.services import Services

MAX_ATTEMPTS = 5
BATCH = 500
E = TypeVar("E")

log = structlog.get_logger()


@dataclass(slots=True)
class Batch:
    """What a batch of deliveries says: events by delivery, and what became of each delivery."""

    events: dict[int, list[Event]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind, in the order of arrival."""
        return [event for events in self.events.values() for event in events if isinstance(event, kind)]


def drain(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Apply up to `limit` waiting deliveries of a shop; returns how many were handled.

    At most one drain per shop works at a time; another one returns 0 at once. If more is waiting, the shop goes to the end
    of the line by a new wake. Raises what the database raises for a reason of its own: then nothing was applied.
    """
    try:
        return _drain(services, shop_id, limit)
    except Exception as error:
        log.warning("apply.batch_failed", shop_id=shop_id, error=type(error).__name__)
        if is_passing(error):
            raise
        return _drain_one_by_one(services, shop_id, limit)


def _drain(services: Services, shop_id: int, limit: int) -> int:
    with services.db.transaction(shop=shop_id) as session:
        if not lease_inbox(session, shop_id):
            return 0
        pending = deliveries.claim_pending(session, shop_id, limit)
        if pending:
            _apply(session, services, shops.get_shop(session, shop_id), pending)
    with services.db.transaction(shop=shop_id) as session:
        # Whoever rang while we held the inbox was turned away; what came for them shows only now. So no wake is lost.
        if deliveries.has_pending(session, shop_id):
            wake_after_commit(session, Job.APPLY.value, shop_id)
    return len(pending)


def _drain_one_by_one(services: Services, shop_id: int, limit: int) -> int:
    """After a batch failed: each delivery in a savepoint of its own, so that the culprit shows itself."""
    with services.db.transaction(shop=shop_id) as session:
        if not lease_inbox(session, shop_id):
            return 0
        pending = deliveries.claim_pending(session, shop_id, limit)
        shop = shops.get_shop(session, shop_id)
        for delivery in pending:
            try:
                with session.begin_nested():
                    _apply(session, services, shop, [delivery])
            except Exception as error:
                if is_passing(error):
                    raise
                session.refresh(shop)
                _note_failure(session, delivery, type(error).__name__)
        if len(pending) == limit:
            wake_after_commit(session, Job.APPLY.value, shop_id)
    return len(pending)


def _note_failure(session: Session, delivery: Pending, error: str) -> None:
    is_last = delivery.attempts + 1 >= MAX_ATTEMPTS
    state, reason = ("quarantined", "cannot_be_applied") if is_last else ("pending", error)
    log.warning("apply.failed", delivery_id=delivery.id, topic=delivery.topic, error=error, attempts=delivery.attempts + 1)
    deliveries.mark(session, [Outcome(delivery.id, state, reason)])


def _apply(session: Session, services: Services, shop: ShopRow, pending: Sequence[Pending]) -> None:
    batch = understand(services.platforms[shop.platform], shop, pending)
    save(session, services, shop, batch)
    deliveries.mark(session, batch.outcomes)


def understand(platform: Platform, shop: ShopRow, pending: Sequence[Pending]) -> Batch:
    """What a shop's deliveries mean; nothing is written. After an uninstall only farewell topics are applied."""
    batch = Batch()
    for delivery in pending:
        if delivery.topic not in platform.topics:
            batch.outcomes.append(Outcome(delivery.id, "no_meaning_yet"))
        elif shop.state == "uninstalled" and delivery.topic not in platform.farewell_topics:
            batch.outcomes.append(Outcome(delivery.id, "after_uninstall"))
        else:
            at = delivery.triggered_at or delivery.received_at
            try:
                found = platform.parse(DeliveryContext(delivery.topic, at, shop.country), delivery.body)
                batch.events[delivery.id] = [_triggered(event, delivery.triggered_at) for event in found]
            except PayloadError as error:
                log.info("delivery.quarantined", delivery_id=delivery.id, topic=delivery.topic, reason=error.reason)
                batch.outcomes.append(Outcome(delivery.id, "quarantined", error.reason))
            else:
                batch.outcomes.append(Outcome(delivery.id, "applied"))
    return batch


def _triggered(event: Event, at: datetime | None) -> Event:
    """The event with the platform's own time of its delivery, which settles which of two versions of one second is newer."""
    return replace(event, triggered_at=at) if isinstance(event, Checkout | Customer | Order) else event


def save(session: Session, services: Services, shop: ShopRow, batch: Batch) -> None:
    """Write what a batch says: people, records, removals, and all that follows for checkouts and messages."""
    assert shop.id is not None
    customers, started, orders = batch.of(Customer), batch.of(Checkout), batch.of(Order)
    people.save_contacts(session, shop.account_id, [*customers, *started, *orders])
    customer_ids = records.save_customers(session, shop.id, customers)
    people.link_customers(session, shop.id, shop.account_id, customer_ids)
    people.save_consents(session, shop.id, people.consent_words([*customers, *started]))
    records.save_products(session, shop.id, batch.of(Product), app_now(session))
    checkout_ids = records.save_checkouts(session, shop.id, started)
    order_ids = records.save_orders(session, shop.id, orders)
    gone = batch.of(Removed)
    removals.save_removals(session, shop.id, gone)
    touched = {Resource.CHECKOUT: checkout_ids, Resource.ORDER: order_ids, Resource.CUSTOMER: customer_ids}
    removed_ids = removals.settle_removals(session, shop.id, gone, touched)
    affected = {*checkout_ids, *removed_ids, *checkouts.matching_checkouts(session, shop.id, order_ids)}
    standings = checkouts.settle(session, shop, sorted(affected))
    automations.decide_ended(session, shop.id, standings.converted, Reason.PURCHASED)
    automations.decide_ended(session, shop.id, standings.ended, Reason.CLOSED)
    _remember_people(session, services, shop.id, batch)
    if started:
        wake_after_commit(session, Job.PRODUCTS.value, shop.id)
    for farewell in batch.of(Uninstalled):
        if shops.uninstall(session, shop.id, farewell.at):
            automations.decide_disconnected(session, shop.id)


def _remember_people(session: Session, services: Services, shop_id: int, batch: Batch) -> None:
    speaks_of = {
        delivery_id: {
            person
            for event in events
            if isinstance(event, Customer | Checkout | Order)
            for person in people.person_hashes(services.vault, shop_id, event)
        }
        for delivery_id, events in batch.events.items()
    }
    people.save_delivery_people(session, shop_id, speaks_of)
