"""
Privacy requests are written down as they come; and erased people stay erased: what comes late and speaks of them is taken out before
it is written.

Platforms repeat deliveries for hours and people replay them after days. What began before somebody asked to be erased (a checkout, an
order, a customer record, by its own beginning) is not taken in again; what began later is theirs anew and is kept like anybody's. Late
versions of an order are kept without whoever placed it, so that money and counts stay right.
"""

from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from datetime import datetime
from typing import Any

import structlog

from connector.canonical import (
    Channel,
    Checkout,
    ConsentChanged,
    ConsentState,
    Customer,
    CustomerMerged,
    Event,
    Order,
    PrivacyRequest,
    Removed,
    Resource,
    Stale,
    Uninstalled,
)
from connector.rules.subjects import (
    PHONE,
    Fact,
    began_at,
    body_began_at,
    body_facts,
    record_facts,
    telling,
    without_person,
)
from connector.store import notices, people, privacy, shops, spoken
from connector.store.db import Session, wake_after_commit
from connector.store.deliveries import Pending
from connector.store.notices import Cause
from connector.store.privacy import Kind
from connector.store.sealed import Vault
from sync.jobs import Job

Told = MutableMapping[type, list[Any]]

log = structlog.get_logger()


def keep(session: Session, vault: Vault, shop_id: int, events: Mapping[int, Sequence[Event]]) -> None:
    """
    Write the requests among `events` (by delivery) down, each once, sealed; what brought them is forgotten, as it names the person.

    Owners are told that somebody wants their data; erasures are begun after the commit. Of a shop that was erased itself there is
    nothing to tell: such a data request is settled at once.
    """
    asking = {delivery: event for delivery, said in events.items() for event in said if isinstance(event, PrivacyRequest)}
    for event in asking.values():
        kept = privacy.keep_request(session, vault, shop_id, event)
        if kept is None:
            continue
        log.info("privacy.requested", shop_id=shop_id, kind=kept.kind.value, request=kept.public_id)
        if kept.kind is not Kind.DATA_REQUEST:
            wake_after_commit(session, Job.ERASE.value, shop_id)
        elif privacy.is_redacted(session, shop_id):
            row = privacy.find_request(session, kept.public_id)
            privacy.mark_done(session, row.id or 0, {"why": "shop_erased"})
        else:
            notices.tell(session, vault, shops.get_shop(session, shop_id), Cause.DATA_REQUEST_READY, kept.public_id)
    spoken.forget_bodies(session, asking)


def sift(session: Session, vault: Vault, shop_id: int, told: Told, events: Mapping[int, MutableSequence[Event]]) -> None:
    """
    Take out, in place, what a batch says of erased people; the bodies of those deliveries are forgotten.

    `told`: events by their kind; `events`: the same ones by delivery (empty for what was read from the store).
    """
    if not privacy.has_erased(session, shop_id):
        return
    speaking = [(event, facts) for events_of_kind in told.values() for event in events_of_kind if (facts := _facts(event))]
    erased = privacy.erased_among(session, vault, shop_id, {fact for _, facts in speaking for fact in facts})
    if not erased:
        return
    instead: dict[int, Event | None] = {}
    for event, facts in speaking:
        if _is_from_before(_since(event), telling(facts, frozenset(erased)), erased):
            instead[id(event)] = without_person(event) if isinstance(event, Order) else None
            _keep_unsubscribed(session, vault, shop_id, event)
    ids = [delivery for delivery, said in events.items() if any(id(event) in instead for event in said)]
    for said in {id(said): said for said in (*told.values(), *events.values())}.values():
        said[:] = _replaced(said, instead)
    for kind in [kind for kind, said in told.items() if not said]:
        del told[kind]
    forgotten = spoken.forget_bodies(session, ids)
    log.info("erased.came_again", shop_id=shop_id, records=len(instead), bodies=forgotten)


def sift_raw(session: Session, vault: Vault, shop_id: int, pending: Sequence[Pending], events: Mapping[int, Sequence[Event]]) -> None:
    """
    Forget the bodies of deliveries that mean nothing to us and speak of erased people; of an erased shop, all bodies.

    Call it after the deliveries were marked.
    """
    dumb = [one for one in pending if one.id not in events]
    farewells = [one for one in pending if any(isinstance(event, Uninstalled) for event in events.get(one.id, ()))]
    if not (dumb or farewells) or not privacy.has_erased(session, shop_id):
        return
    if privacy.is_redacted(session, shop_id):
        spoken.forget_bodies(session, [one.id for one in pending])
        return
    facts = {one.id: body_facts(one.topic, one.body) for one in dumb}
    erased = privacy.erased_among(session, vault, shop_id, {fact for found in facts.values() for fact in found})
    if erased:
        late = [one.id for one in dumb if _is_from_before(body_began_at(one.body), telling(facts[one.id], frozenset(erased)), erased)]
        spoken.forget_bodies(session, late)


def _facts(event: Event) -> frozenset[Fact]:
    """What an event tells of whose it is; empty for what speaks of nobody."""
    if isinstance(event, Customer | Checkout | Order):
        return record_facts(event)
    if isinstance(event, ConsentChanged):
        kind = "email" if event.consent.channel is Channel.EMAIL else PHONE
        told = {(kind, event.address), ("customer", event.customer_id)}
        return frozenset((kind, value) for kind, value in told if value)
    if isinstance(event, CustomerMerged):
        return frozenset({("customer", event.kept_id), ("customer", event.merged_id)})
    if isinstance(event, Removed | Stale) and event.resource is Resource.CUSTOMER and event.platform_id:
        return frozenset({("customer", event.platform_id)})
    return frozenset()


def _since(event: Event) -> datetime | None:
    if isinstance(event, Customer | Checkout | Order):
        return began_at(event)
    if isinstance(event, ConsentChanged):
        return event.consent.at
    return getattr(event, "at", None)


def _is_from_before(since: datetime | None, found: Iterable[Fact], erased: Mapping[Fact, datetime]) -> bool:
    """Whether it speaks of somebody who was erased after it began; without a beginning it is taken for old."""
    latest = max((erased[fact] for fact in found), default=None)
    return latest is not None and (since is None or since <= latest)


def _keep_unsubscribed(session: Session, vault: Vault, shop_id: int, event: Event) -> None:
    """A late word that somebody unsubscribed counts though they were erased: as a keyed hash."""
    words = [(event.address, event.consent)] if isinstance(event, ConsentChanged) else []
    if isinstance(event, Customer):
        words = [(word.address, word.consent) for word in people.consent_words([event])]
    for address, consent in words:
        if consent.state is ConsentState.UNSUBSCRIBED:
            people.suppress(session, vault, shop_id, consent.channel, address, "unsubscribed")


def _replaced(said: Iterable[Event], instead: Mapping[int, Event | None]) -> list[Event]:
    found = (instead.get(id(event), event) for event in said)
    return [event for event in found if event is not None]
