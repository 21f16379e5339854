"""
Erasing people and shops, and watching that it is done in time.

A request stays open until all is done, and its row says how far that is: whoever goes on after a crash begins where the last one
ended. Every step is a short transaction that may be done again. From the first step on nothing of these people is taken in any more
(`sync.privacy`), so what is erased stays so.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from connector.errors import NotFound
from connector.platforms import Access, AccessLost, PlatformError
from connector.rules.subjects import Fact, Subject, body_facts, spelled, telling
from connector.store import audit, deliveries, erasing, erasing_offers, erasing_runs, erasing_shop, notices, privacy, shops, spoken
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.deliveries import Outcome
from connector.store.notices import Cause
from connector.store.privacy import Kind
from connector.store.spoken import Place
from connector.store.sync_tables import PrivacyRequestRow
from connector.store.tables import ShopRow
from sync import inbox
from sync.access import call_shop
from sync.jobs import Job
from sync.services import Services

SLICE_SECONDS = 5.0
"""After so long a shop goes to the end of the line, with its place kept."""
AGAIN = timedelta(minutes=10)
HOMELESS = 100
FORGET_DAYS = 90
"""So long after a data request was answered we still know whom it was about: the merchant may want the file once more."""

log = structlog.get_logger()


@dataclass(slots=True)
class Work:
    """How far one erasure of a person is; kept in its request's row."""

    counts: Counter[str] = field(default_factory=Counter)
    until: datetime | None = None
    place: Place | None = None
    has_rows_done: bool = False

    @classmethod
    def read(cls, said: dict[str, Any]) -> "Work":
        """What `said` wrote."""
        place, until = said.get("place"), said.get("until")
        return cls(
            Counter(said.get("counts", {})),
            datetime.fromisoformat(until) if until else None,
            Place(datetime.fromisoformat(place[0]), place[1]) if place else None,
            bool(said.get("has_rows_done")),
        )

    def said(self) -> dict[str, Any]:
        """As JSON."""
        place = [self.place.at.isoformat(), self.place.id] if self.place else None
        until = self.until.isoformat() if self.until else None
        return {"counts": dict(self.counts), "until": until, "place": place, "has_rows_done": self.has_rows_done}


@dataclass(slots=True)
class Erasure:
    """One person who is being erased."""

    request_id: int
    public_id: str
    subject: Subject
    work: Work

    @property
    def wanted(self) -> frozenset[Fact]:
        """What tells them, phones in every spelling."""
        return spelled(self.subject.facts)


def erase(services: Services, shop_id: int) -> int:
    """
    Do what open requests of a shop ask for, for a few seconds; returns how many were finished. 0: those of shops we do not know.

    What is left over goes on after a new wake.
    """
    if shop_id == 0:
        return settle_homeless(services)
    try:
        return _erase(services, shop_id)
    except Exception:
        _rest(services, shop_id)
        raise


def _erase(services: Services, shop_id: int) -> int:
    until = time.monotonic() + SLICE_SECONDS
    with services.db.system_transaction("open erasures of a shop") as session:
        requests = privacy.open_erasures(session, shop_id)
    finished = 0
    for request in (one for one in requests if one.kind == Kind.SHOP_REDACT):
        finished += _erase_shop(services, shop_id, request, until)
    people = [_begin(services, shop_id, one) for one in requests if one.kind == Kind.CUSTOMER_REDACT]
    for person in people:
        _erase_rows(services, shop_id, person)
    if people and _scan(services, shop_id, people, until):
        finished += sum(_finish(services, shop_id, person) for person in people)
    with services.db.system_transaction("ring for erasures that are not done") as session:
        if privacy.open_erasures(session, shop_id):
            wake_after_commit(session, Job.ERASE.value, shop_id)
    return finished


def settle_homeless(services: Services) -> int:
    """Requests for shops that we do not know: there is nothing of theirs here but the request itself, which goes. Returns how many."""
    with services.db.system_transaction("privacy requests of unknown shops") as session:
        waiting = deliveries.claim_pending(session, None, HOMELESS)
        spoken.forget_bodies(session, [one.id for one in waiting])
        deliveries.mark(session, [Outcome(one.id, "applied", "unknown_shop") for one in waiting])
        for one in waiting:
            log.info("privacy.unknown_shop", delivery_id=one.id, topic=one.topic)
    return len(waiting)


def watch(services: Services) -> None:
    """Raise the alarm if something that the law asks for is overdue; forget whom long answered requests were about."""
    with services.db.system_transaction("privacy requests that are overdue") as session:
        found = privacy.read_overdue(session)
        forgotten = privacy.forget_people(session, FORGET_DAYS)
    if found.overdue:
        log.error("privacy.overdue", open=found.open, overdue=found.overdue, since=found.since and found.since.isoformat())
    if forgotten:
        log.info("privacy.people_forgotten", count=forgotten)


def _begin(services: Services, shop_id: int, request: PrivacyRequestRow) -> Erasure:
    """Look up whom it is about, once; from here on nothing from before the request that speaks of them is taken in."""
    assert request.id is not None
    assert request.person is not None
    person, subject = privacy.open_person(services.vault, request.person)
    work = Work.read(request.erased or {})
    if subject is None:
        with services.db.system_transaction("begin to erase a person") as session:
            inbox.hold(session, shop_id)
            subject = erasing.identify(session, shops.get_shop(session, shop_id), person)
            work.until = app_now(session)
            privacy.note_erased(session, services.vault, shop_id, subject.facts, request.requested_at)
            privacy.note_work(session, request.id, work.said(), privacy.seal_person(services.vault, person, subject))
    return Erasure(request.id, request.public_id, subject, work)


def _erase_rows(services: Services, shop_id: int, person: Erasure) -> None:
    """Everything but bodies, a portion at a time. What was erased is counted in the same transaction."""
    if person.work.has_rows_done:
        return
    for kind, step in _steps(services, shop_id, person.subject):
        count = erasing.BATCH
        while count >= erasing.BATCH:
            with services.db.system_transaction("erase rows of a person") as session:
                count = step(session, shops.get_shop(session, shop_id))
                person.work.counts[kind] += count
                privacy.note_work(session, person.request_id, person.work.said())
    with services.db.system_transaction("data requests of an erased person") as session:
        _settle_data_requests(session, services, shop_id, person.subject)
        person.work.has_rows_done = True
        privacy.note_work(session, person.request_id, person.work.said())


def _steps(services: Services, shop_id: int, subject: Subject) -> Iterator[tuple[str, Callable[[Session, ShopRow], int]]]:
    vault = services.vault
    yield "checkouts", lambda session, shop: erasing.erase_checkouts(session, shop_id, subject)
    yield "grants", lambda session, shop: erasing_offers.erase_grants(session, shop_id, subject)
    yield "syncs", lambda session, shop: erasing_runs.erase_notes(session, shop_id, subject)
    yield "orders", lambda session, shop: erasing.empty_orders(session, shop_id, subject)
    yield "customers", lambda session, shop: erasing.erase_customers(session, shop_id, subject)
    yield "consents", lambda session, shop: erasing.erase_consents(session, vault, shop_id, subject)
    yield "contacts", lambda session, shop: erasing.erase_contacts(session, shop.account_id, subject)
    yield "mails", lambda session, shop: erasing.erase_mails(session, vault, shop.account_id, subject)


def _settle_data_requests(session: Session, services: Services, shop_id: int, subject: Subject) -> None:
    """Nothing is left to tell somebody who is erased; nobody needs to know any more who asked."""
    account_id = shops.get_shop(session, shop_id).account_id
    for row in privacy.data_requests(session, shop_id):
        assert row.id is not None
        assert row.person is not None
        person, _ = privacy.open_person(services.vault, row.person)
        if telling(erasing.facts_of(person), subject.facts):
            privacy.mark_done(session, row.id, {"why": "person_erased"})
            privacy.forget_person(session, row.id)
            notices.settle(session, account_id, Cause.DATA_REQUEST_READY, row.public_id)


def _scan(services: Services, shop_id: int, people: Sequence[Erasure], until: float) -> bool:
    """
    Walk through the bodies that came before these people were noted as erased, and forget those that speak of one of them.

    One walk serves all. False if time ran out first; the place is kept.
    """
    wanted = frozenset().union(*(person.wanted for person in people))
    places = [person.work.place for person in people]
    place = min((one for one in places if one), key=lambda one: (one.at, one.id)) if all(places) else None
    last = max(person.work.until for person in people if person.work.until)
    while True:
        with services.db.system_transaction("bodies that may speak of erased people") as session:
            bodies, place_after = spoken.read_portion(session, shop_id, place, last)
        facts = {one.id: body_facts(one.topic, one.body) for one in bodies}
        told = [delivery for delivery, found in facts.items() if telling(found, wanted)]
        with services.db.system_transaction("forget bodies that speak of erased people") as session:
            if told:
                inbox.hold(session, shop_id)
            spoken.forget_bodies(session, told)
            for person in people:
                person.work.place = place_after or place
                person.work.counts["bodies"] += sum(1 for delivery in told if facts[delivery] & person.wanted)
                privacy.note_work(session, person.request_id, person.work.said())
        if place_after is None:
            return True
        place = place_after
        if time.monotonic() >= until:
            return False


def _finish(services: Services, shop_id: int, person: Erasure) -> int:
    with services.db.system_transaction("a person is erased") as session:
        person.work.counts["notes"] += spoken.unsay(session, services.vault, shop_id, person.subject.facts)
        is_done = privacy.mark_done(session, person.request_id, {"counts": dict(person.work.counts)})
        if is_done:
            _write_down(session, shop_id, person.public_id, person.work.counts)
    return int(is_done)


def _erase_shop(services: Services, shop_id: int, request: PrivacyRequestRow, until: float) -> int:
    """Erase the whole shop, unless it is installed now: then the request is an old one, or not the platform's."""
    assert request.id is not None
    counts: Counter[str] = Counter((request.erased or {}).get("counts", {}))
    with services.db.system_transaction("the shop that is to be erased") as session:
        shop = shops.get_shop(session, shop_id)
    if shop.redacted_at is None:
        is_installed = _is_installed(services, shop, request)
        if is_installed is not False:
            _put_off(services, request.id, is_installed)
            return 0
        with services.db.system_transaction("begin to erase a shop") as session:
            inbox.hold(session, shop_id)
            erasing_shop.begin(session, shop_id, request.requested_at)
    while True:
        with services.db.system_transaction("erase rows of a shop") as session:
            erasing_runs.hold_runs(session, shop_id)
            inbox.hold(session, shop_id)
            gone = erasing_shop.erase_some(session, services.vault, shop_id)
            counts.update(gone)
            privacy.note_work(session, request.id, {"counts": dict(counts)})
        if not gone:
            break
        if time.monotonic() >= until:
            return 0
    with services.db.system_transaction("a shop is erased") as session:
        has_account_gone = erasing_shop.finish(session, shop_id)
        is_done = privacy.mark_done(session, request.id, {"counts": dict(counts), "account": has_account_gone})
        if is_done:
            _write_down(session, shop_id, request.public_id, counts)
    return int(is_done)


def _rest(services: Services, shop_id: int) -> None:
    """Something failed: what is open goes on after a while, from where it is."""
    with services.db.system_transaction("erasures that failed") as session:
        for request in privacy.open_erasures(session, shop_id):
            privacy.note_work(session, request.id or 0, {**(request.erased or {}), "again_at": (app_now(session) + AGAIN).isoformat()})


def _is_installed(services: Services, shop: ShopRow, request: PrivacyRequestRow) -> bool | None:
    """Whether the shop is installed now; None if the store does not tell at the moment."""
    assert shop.id is not None
    if shop.state == "uninstalled":
        return False
    if shop.installed_at > request.requested_at:
        return True
    reads = services.platforms[shop.platform].reads
    if reads is None or shop.state != "connected":
        return False

    def ask(access: Access) -> object:
        return reads.shop_now(access)

    try:
        call_shop(services, shop.id, ask)
    except (AccessLost, NotFound):
        return False
    except PlatformError as error:
        log.warning("privacy.store_silent", shop_id=shop.id, error=type(error).__name__)
        return None
    return True


def _put_off(services: Services, request_id: int, is_installed: bool | None) -> None:
    with services.db.system_transaction("a shop that is not erased now") as session:
        if is_installed:
            privacy.mark_done(session, request_id, {"why": "installed_again"})
            log.warning("privacy.shop_is_installed", request_id=request_id)
        else:
            privacy.note_work(session, request_id, {"again_at": (app_now(session) + AGAIN).isoformat()})


def _write_down(session: Session, shop_id: int, name: str, counts: Counter[str]) -> None:
    shop = shops.get_shop(session, shop_id)
    said = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()) if count) or "nothing was kept"
    audit.write(session, audit.SYSTEM, "privacy.erased", account_id=shop.account_id, shop_id=shop_id, object=name, reason=said)
    log.info("privacy.erased", shop_id=shop_id, request=name, **counts)
