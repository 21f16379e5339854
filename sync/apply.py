"""
Deliveries -> canonical events -> rows, a batch per shop in one transaction.

Doing it twice changes nothing, and the order of deliveries does not matter: newest wins by the platform's own version, and
what is derived is computed from all that was seen. A delivery that makes no sense is quarantined with its reason; one that
the database refuses is found by halving the batch, is tried alone from then on, so that it cannot hold up the others, and is
quarantined after five tries. Trouble of the database's own counts against no delivery.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

import structlog

from connector.canonical import (
    Channel,
    Checkout,
    ConsentChanged,
    Customer,
    CustomerMerged,
    DisputeChanged,
    Event,
    Order,
    Product,
    Removed,
    Resource,
    Uninstalled,
)
from connector.metrics import CANCELLED
from connector.platforms import DeliveryContext, OtherSite, PayloadError, Platform
from connector.rules.automations import Reason
from connector.store import automations, checkouts, deliveries, merges, offer_work, people, products, records, removals, shops
from connector.store.checkouts import Touched
from connector.store.db import Session, app_now, is_passing, run, wake_after_commit
from connector.store.deliveries import Outcome, Pending
from connector.store.work import LeasedShop, lease_inbox
from sync import news, privacy
from sync.jobs import Job
from sync.services import Services

MAX_ATTEMPTS = 5
BATCH = 1000
"""The more at once, the more versions of one checkout are written as one row; this many still take a fifth of a second."""
TURN_SECONDS = 0.1
"""So long a shop may go on with what came meanwhile, before others have their turn; a batch that was begun is finished."""
_RECORDS = frozenset({Checkout, Customer, Order, Uninstalled})
"""What `save` writes by itself; only a batch that tells something else costs a look at that."""
E = TypeVar("E")

log = structlog.get_logger()


@dataclass(slots=True)
class Batch:
    """
    What a batch of deliveries says: events by delivery, and what became of each delivery.

    Equal deliveries share one list of events, and each list is told once, in the order of arrival. `strangers`: other sites that spoke.
    `read_at`: when its checkouts, customers and orders were read from the store: as if a delivery had told them then.
    """

    events: dict[int, list[Event]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    told: dict[type, list[Any]] = field(default_factory=lambda: defaultdict(list))
    strangers: list[str] = field(default_factory=list)
    read_at: datetime | None = None

    def add(self, delivery_id: int, events: list[Event], *, is_new: bool) -> None:
        """A delivery that makes sense."""
        self.outcomes.append(Outcome(delivery_id, "applied"))
        self.events[delivery_id] = events
        if is_new:
            self.tell(events)

    def tell(self, events: Iterable[Event]) -> None:
        """Events, whoever told them."""
        for event in events:
            self.told[type(event)].append(event)

    def of(self, kind: type[E]) -> list[E]:
        """All events of one kind."""
        return cast(list[E], self.told.get(kind, []))


def drain(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Apply a shop's waiting deliveries, up to `limit` of them and for one turn; returns how many were handled.

    At most one drain per shop works at a time; another one returns 0 at once. If more waits when the turn is over, the shop goes
    to the end of the line by a new wake. Raises what the database raises for a reason of its own: then its batch was not applied.
    """
    handled, until = 0, time.monotonic() + TURN_SECONDS
    is_over = False
    while True:
        if (handled or is_over) and not _more_waits(services, shop_id, rings=is_over):
            return handled
        taken = _take_batch(services, shop_id, limit - handled)
        if taken is None:
            return handled
        count, refused = taken
        handled += count
        if refused and handled < limit:
            # What was refused is tried again when somebody rings or the sweep comes round, not at once.
            return handled
        is_over = not count or bool(refused) or handled >= limit or time.monotonic() >= until


def _more_waits(services: Services, shop_id: int, *, rings: bool) -> bool:
    """
    Whether to go on with the next batch. With `rings` the shop is rung for instead.

    Whoever rang while we held the inbox was turned away; what came for them shows only now, when we do not. So no wake is lost.
    """
    with services.db.transaction(shop=shop_id) as session:
        waits = deliveries.has_pending(session, shop_id)
        if waits and rings:
            wake_after_commit(session, Job.APPLY.value, shop_id)
    return waits and not rings


def _take_batch(services: Services, shop_id: int, limit: int) -> tuple[int, int] | None:
    """Claim and apply once; returns how many were handled, and how many of those must wait for another try. None: not our turn."""
    with services.db.transaction(shop=shop_id) as session:
        shop = lease_inbox(session, shop_id)
        if shop is None:
            return None
        pending = deliveries.claim_pending(session, shop_id, limit)
        outcomes = _try_all(session, services, shop, pending) if pending else []
    states = Counter(outcome.state for outcome in outcomes)
    refused = states.pop("pending", 0)
    for state, count in states.items():
        services.metrics.deliveries.add(state, by=count)
    services.metrics.messages_cancelled(Channel.EMAIL.value, session.info.get(CANCELLED, 0))
    return len(pending), refused


def _try_all(session: Session, services: Services, shop: LeasedShop, pending: Sequence[Pending]) -> list[Outcome]:
    """Apply deliveries together, and each of those that were refused before alone."""
    fresh = [delivery for delivery in pending if not delivery.attempts]
    outcomes = _try(session, services, shop, fresh) if fresh else []
    for delivery in pending:
        if delivery.attempts:
            outcomes += _try(session, services, shop, [delivery])
    return outcomes


def _try(session: Session, services: Services, shop: LeasedShop, pending: Sequence[Pending]) -> list[Outcome]:
    """Apply deliveries in a savepoint; if that fails by halves, until the culprit stands alone."""
    run(session, "savepoint batch")
    try:
        outcomes = _apply(session, services, shop, pending)
    except Exception as error:
        if is_passing(error):
            raise
        session.expunge_all()
        run(session, "rollback to savepoint batch")
        log.warning("apply.batch_failed", shop_id=shop.id, deliveries=len(pending), error=type(error).__name__)
        if len(pending) == 1:
            return [_note_failure(session, pending[0], type(error).__name__)]
    else:
        run(session, "release savepoint batch")
        return outcomes
    middle = len(pending) // 2
    return _try(session, services, shop, pending[:middle]) + _try(session, services, shop, pending[middle:])


def _note_failure(session: Session, delivery: Pending, error: str) -> Outcome:
    is_last = delivery.attempts + 1 >= MAX_ATTEMPTS
    state, reason = ("quarantined", "cannot_be_applied") if is_last else ("pending", error)
    log.warning("apply.failed", delivery_id=delivery.id, topic=delivery.topic, error=error, attempts=delivery.attempts + 1)
    outcome = Outcome(delivery.id, state, reason)
    deliveries.mark(session, [outcome])
    return outcome


def _apply(session: Session, services: Services, shop: LeasedShop, pending: Sequence[Pending]) -> list[Outcome]:
    batch = understand(services.platforms[shop.platform], shop, pending)
    cancelled = save(session, services, shop, batch)
    deliveries.mark(session, batch.outcomes)
    for host in dict.fromkeys(batch.strangers):
        news.take_in_stranger(session, shop, host)
    privacy.sift_raw(session, services.vault, shop.id, pending, batch.events)
    session.info[CANCELLED] = session.info.get(CANCELLED, 0) + cancelled
    return batch.outcomes


def understand(platform: Platform, shop: LeasedShop, pending: Sequence[Pending]) -> Batch:
    """What a shop's deliveries mean; nothing is written. After an uninstall only farewells and privacy requests are applied."""
    batch = Batch()
    heard: dict[tuple[str, datetime, bool], tuple[bytes, list[Event]]] = {}
    for delivery in pending:
        is_request = delivery.topic in platform.compliance_topics
        if delivery.topic not in platform.topics and not is_request:
            batch.outcomes.append(Outcome(delivery.id, "no_meaning_yet"))
        elif shop.state == "uninstalled" and delivery.topic not in platform.farewell_topics and not is_request:
            batch.outcomes.append(Outcome(delivery.id, "after_uninstall"))
        else:
            at = delivery.triggered_at or delivery.received_at
            slot = delivery.topic, at, delivery.triggered_at is None
            body, events = heard.get(slot, (None, []))
            if body != delivery.body:
                context = DeliveryContext(delivery.topic, at, shop.country, delivery.triggered_at, shop.domain, shop.hosts)
                try:
                    events = platform.parse(context, delivery.body)
                except PayloadError as error:
                    log.info("delivery.quarantined", delivery_id=delivery.id, topic=delivery.topic, reason=error.reason)
                    batch.outcomes.append(Outcome(delivery.id, "quarantined", error.reason))
                    if isinstance(error, OtherSite):
                        batch.strangers.append(error.host)
                    continue
                heard[slot] = delivery.body, events
            batch.add(delivery.id, events, is_new=body != delivery.body)
    return batch


def save(session: Session, services: Services, shop: LeasedShop, batch: Batch, *, is_quiet: bool = False) -> int:
    """
    Write what a batch says: people, records, removals, and all that follows for checkouts and messages.

    `is_quiet`: a sync tells it: it may end what was begun, and begins nothing. Returns how many queued messages were cancelled.
    """
    privacy.sift(session, services.vault, shop.id, batch.told, batch.events)
    customers, started, orders = batch.of(Customer), batch.of(Checkout), batch.of(Order)
    contact_ids = people.save_contacts(session, shop.account_id, [*customers, *started, *orders])
    customer_ids = records.save_customers(session, shop.id, customers, contact_ids, read_at=batch.read_at)
    people.save_consents(session, shop.id, people.consent_words([*customers, *started, *batch.of(ConsentChanged)]))
    if read := batch.of(Product):
        products.save_products(session, shop.id, read, app_now(session))
    touched = records.save_checkouts(session, shop, started, is_quiet=is_quiet, read_at=batch.read_at)
    order_ids = records.save_orders(session, shop.id, orders, is_quiet=is_quiet, read_at=batch.read_at)
    if Removed in batch.told or CustomerMerged in batch.told or removals.speaks_of(session, shop.id, [*customers, *started, *orders]):
        order_ids = _settle_gone(session, shop, batch, touched, customer_ids, order_ids)
    # No order is changed by a dispute: what a page of orders says of disputes is as new as its reading.
    read_on = [
        DisputeChanged(one.platform_id, one.is_disputed, max(one.source_version, batch.read_at or one.triggered_at or one.source_version))
        for one in orders
        if one.is_disputed is not None
    ]
    disputed = records.save_disputes(session, shop.id, [*read_on, *batch.of(DisputeChanged)], is_quiet=is_quiet)
    offer_work.note_orders(session, shop.id, sorted({*order_ids, *disputed}))
    affected = {*touched, *checkouts.matching_checkouts(session, shop.id, order_ids)}
    standings = checkouts.settle(session, shop, affected, touched, is_quiet=is_quiet)
    cancelled = automations.decide_ended(session, shop.id, standings.converted, Reason.PURCHASED)
    cancelled += automations.decide_ended(session, shop.id, standings.ended, Reason.CLOSED)
    _remember_people(session, services, shop.id, batch)
    if batch.told.keys() - _RECORDS:
        news.take_in(session, services, shop, batch.told)
    if products.names_unknown_products(session, shop.id, started):
        wake_after_commit(session, Job.PRODUCTS.value, shop.id)
    privacy.keep(session, services.vault, shop.id, batch.events)
    for farewell in batch.of(Uninstalled):
        if shops.uninstall(session, shop.id, farewell.at):
            cancelled += automations.decide_disconnected(session, shop.id)
    return cancelled


def _settle_gone(
    session: Session, shop: LeasedShop, batch: Batch, touched: dict[int, Touched], customer_ids: list[int], order_ids: list[int]
) -> list[int]:
    """
    What is removed, and customers that became one: their checkouts and orders are the kept customer's from now on.

    Adds the checkouts concerned to `touched`; returns the orders whose rows changed, with those of `order_ids`.
    """
    merged = batch.of(CustomerMerged)
    gone = [*batch.of(Removed), *merges.save_merges(session, shop.id, merged)]
    moved, moved_orders = merges.settle_merges(session, shop.id, merged, [*batch.of(Checkout), *batch.of(Order)])
    removals.save_removals(session, shop.id, gone)
    written = {Resource.CHECKOUT: list(touched), Resource.ORDER: order_ids, Resource.CUSTOMER: customer_ids}
    for checkout_id in {*removals.settle_removals(session, shop.id, gone, written), *moved}:
        touched[checkout_id] = Touched(touched[checkout_id].last_activity_at if checkout_id in touched else None, None)
    return sorted({*order_ids, *moved_orders})


def _remember_people(session: Session, services: Services, shop_id: int, batch: Batch) -> None:
    @cache
    def hashed(kind: str, value: str) -> bytes:
        return people.person_hash(services.vault, shop_id, kind, value)

    hashes: dict[int, set[bytes]] = {}
    for events in {id(events): events for events in batch.events.values()}.values():
        hashes[id(events)] = {hashed(*fact) for event in events for fact in people.person_facts(event)}
    people.save_delivery_people(session, shop_id, {delivery_id: hashes[id(events)] for delivery_id, events in batch.events.items()})
