"""
Read again what changed, where the platform did not say what: one kind of records at a time, and applied as deliveries are.

Nothing is held while a store is asked: claim | ask | write. What is gone is removed; a store that asks us to wait is asked when that
is over; one that does not answer is asked again and again, more and more seldom; what it refuses for good leaves its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import structlog

from connector.canonical import Channel, DisputeChanged, Event, Order, Product, Removed, Resource, ShopProfile
from connector.codes import CodeState
from connector.errors import NotFound
from connector.platforms import (
    Access,
    AccessLost,
    Gone,
    NotPermitted,
    Platform,
    PlatformError,
    Reads,
    Rejected,
    ShopClosed,
    ThrottledError,
    TransientError,
)
from connector.store import codes, offer_work, shops, strangers, wanted
from connector.store.db import Session, Wake, is_passing, wake_after_commit
from connector.store.wanted import Claimed
from connector.store.work import LeasedShop
from sync import apply, inbox
from sync.access import call_shop
from sync.jobs import Job
from sync.services import Services

AT_ONCE = 20
"""Records of one kind that are read in one turn; then the shop goes to the end of the line."""
CODES_OF_ONE = 20
"""Codes of one discount that are looked up by themselves: of a discount with many, the store tells only the first."""
_REASONS: tuple[tuple[type[PlatformError], str], ...] = ((NotPermitted, "not_permitted"), (Rejected, "rejected"), (Gone, "gone"))

log = structlog.get_logger()


@runtime_checkable
class CodesAtOnce(Protocol):
    """Codes of a platform that shows many discounts by their ids in one call, and where a discount has one code only."""

    def codes_now(self, access: Access, platform_ids: Sequence[str]) -> Mapping[str, CodeState]:
        """These discounts as they are now, by id. One that is missing is gone or makes no sense: it must be asked for by itself."""
        ...


@dataclass(slots=True)
class _Answer:
    """What one question brought: records and removals, codes as they are now, codes that are no more, the shop itself."""

    events: Sequence[Event] = ()
    states: list[CodeState] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    profile: ShopProfile | None = None


@dataclass(slots=True)
class _Found:
    """
    What became of the records that were claimed, by id: the answer, or why there is none now (`later`) or at all (`never`).

    `is_closed`: the platform says that the store itself is closed.
    """

    read: dict[str, _Answer] = field(default_factory=dict)
    later: dict[str, str] = field(default_factory=dict)
    never: dict[str, str] = field(default_factory=dict)
    is_closed: bool = False

    def has_all(self, ids: Sequence[str]) -> bool:
        """Whether it is settled what becomes of all of these."""
        return all(one in self.read or one in self.later or one in self.never for one in ids)


@dataclass(frozen=True, slots=True)
class _Question:
    """A call of the store, and the records that it is about."""

    ids: Sequence[str]
    ask: Callable[[Access], Mapping[str, _Answer]]


def reread(services: Services, shop_id: int) -> int:
    """Read what is due of a shop, up to 20 records of one kind; returns how many were read. Rings again if more is due."""
    wake = Wake(Job.REREAD.value, shop_id)
    if services.pauses.is_paused(wake):
        return 0
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        claimed = wanted.claim(session, shop_id, AT_ONCE) if shop.state == "connected" else None
        if claimed is None:
            return 0
        is_of_codes = claimed.resource is Resource.DISCOUNT_CODE
        kept = codes.kept_of(session, shop_id, list(claimed.attempts), CODES_OF_ONE) if is_of_codes else {}
    found = _Found(never={one: "cannot_be_applied" for one, tries in claimed.attempts.items() if tries >= wanted.MAX_ATTEMPTS})
    _read(services, shop_id, _questions(services.platforms[shop.platform], claimed, kept, found), found)
    _write(services, shop_id, claimed, found)
    return len(found.read)


def _read(services: Services, shop_id: int, questions: Sequence[_Question], found: _Found) -> None:
    """Ask the store. What was not tried in the end is in no list."""
    for question in questions:
        if found.has_all(question.ids):
            continue
        try:
            found.read |= call_shop(services, shop_id, question.ask)
        except ThrottledError as error:
            log.info("rereads.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
            services.pauses.pause(Wake(Job.REREAD.value, shop_id), error.retry_after)
            return
        except ShopClosed as error:
            log.info("rereads.shop_closed", shop_id=shop_id, call=error.call, status=error.status)
            found.later |= dict.fromkeys(question.ids, "shop_closed")
            found.is_closed = True
            return
        except (AccessLost, NotFound) as error:
            log.info("rereads.no_access", shop_id=shop_id, error=type(error).__name__)
            return
        except TransientError as error:
            log.info("rereads.later", shop_id=shop_id, call=error.call, status=error.status)
            found.later |= dict.fromkeys(question.ids, "no_answer")
        except PlatformError as error:
            log.warning("rereads.refused", shop_id=shop_id, call=error.call, status=error.status, error=type(error).__name__)
            reason = next((word for kind, word in _REASONS if isinstance(error, kind)), "unreadable")
            found.never |= dict.fromkeys(question.ids, reason)


def _questions(platform: Platform, claimed: Claimed, kept: Mapping[str, Sequence[str]], found: _Found) -> list[_Question]:
    """What is to be asked; what this platform cannot be asked goes into `found` at once."""
    ids = [one for one in claimed.attempts if one not in found.never]
    if claimed.resource is Resource.PRODUCT:
        return [_Question(ids, lambda access: _by_id(platform.read_products(access, ids)))]
    reads = platform.reads
    if reads is None:
        found.never |= dict.fromkeys(ids, "not_readable")
        return []
    if claimed.resource is Resource.SHOP:
        return [_Question(ids, lambda access: dict.fromkeys(ids, _Answer(profile=reads.shop_now(access))))]
    single = [_one(platform, reads, claimed, one, kept.get(one, ())) for one in ids]
    its_codes: object = platform.codes
    if claimed.resource is Resource.DISCOUNT_CODE and isinstance(its_codes, CodesAtOnce) and len(ids) > 1:
        return [_many(its_codes, ids), *single]
    return single


def _by_id(products: Sequence[Product]) -> dict[str, _Answer]:
    return {product.platform_id: _Answer([product]) for product in products}


def _many(codes_at_once: CodesAtOnce, ids: Sequence[str]) -> _Question:
    """Many codes by one call; those that it does not bring are asked for by themselves."""

    def ask(access: Access) -> dict[str, _Answer]:
        return {one: _Answer(states=[state]) for one, state in codes_at_once.codes_now(access, ids).items() if one in ids}

    return _Question(ids, ask)


def _one(platform: Platform, reads: Reads, claimed: Claimed, platform_id: str, kept: Sequence[str]) -> _Question:
    """One record; of a discount with several codes those that we keep are looked up by themselves."""

    def ask(access: Access) -> dict[str, _Answer]:
        record = reads.record_now(access, claimed.resource, platform_id)
        if record is None:
            return {platform_id: _Answer([Removed(claimed.resource, claimed.at, platform_id)])}
        if isinstance(record, Order) and record.is_disputed is not None:
            return {platform_id: _Answer([record, DisputeChanged(platform_id, record.is_disputed, claimed.at)])}
        if not isinstance(record, CodeState):
            return {platform_id: _Answer([record])}
        answer = _Answer(states=[record])
        others = [code for code in kept if code.lower() != record.code.lower()] if record.codes != 1 and platform.codes else []
        for code in others:
            assert platform.codes is not None
            state = platform.codes.read_code(access, code)
            if state is None:
                answer.lost.append(code)
            else:
                answer.states.append(state)
        return {platform_id: answer}

    return _Question([platform_id], ask)


def _write(services: Services, shop_id: int, claimed: Claimed, found: _Found) -> None:
    """Apply what was read as if it had been delivered; if the database refuses it, each record alone."""
    try:
        _write_at_once(services, shop_id, claimed, found)
    except Exception as error:
        if is_passing(error) or not found.read:
            raise
        log.warning("rereads.batch_failed", shop_id=shop_id, records=len(found.read), error=type(error).__name__)
        for one, answer in list(found.read.items()):
            _write_alone(services, shop_id, claimed, one, answer, found)
        _write_at_once(services, shop_id, claimed, found)


def _write_alone(services: Services, shop_id: int, claimed: Claimed, one: str, answer: _Answer, found: _Found) -> None:
    """Apply one record, and take it out of what was read if that does not work."""
    try:
        with services.db.transaction(shop=shop_id) as session:
            if shop := inbox.hold(session, shop_id):
                _apply(session, services, shop, claimed, [answer])
    except Exception as error:
        if is_passing(error):
            raise
        log.warning("rereads.cannot_apply", shop_id=shop_id, resource=claimed.resource.value, error=type(error).__name__)
        del found.read[one]
        found.later[one] = "cannot_be_applied"


def _write_at_once(services: Services, shop_id: int, claimed: Claimed, found: _Found) -> None:
    with services.db.transaction(shop=shop_id) as session:
        shop = inbox.hold(session, shop_id)
        if shop is None or shop.state == "uninstalled":
            return
        cancelled = _apply(session, services, shop, claimed, list(found.read.values()))
        wanted.settle(session, shop_id, claimed, found.read)
        if found.is_closed:
            shops.note_frozen(session, shop_id)
        for one, reason in found.later.items():
            wanted.postpone(session, shop_id, claimed, [one], reason)
        for one, reason in found.never.items():
            wanted.give_up(session, shop_id, claimed, [one], reason)
        wanted.release(session, shop_id, claimed, set(claimed.attempts) - {*found.read, *found.later, *found.never})
        if wanted.has_due(session, shop_id):
            wake_after_commit(session, Job.REREAD.value, shop_id)
    services.metrics.messages_cancelled(Channel.EMAIL.value, cancelled)


def _apply(session: Session, services: Services, shop: LeasedShop, claimed: Claimed, answers: Sequence[_Answer]) -> int:
    """Write what was read by the way of all deliveries; returns how many queued messages were cancelled."""
    batch = apply.Batch()
    for answer in answers:
        batch.tell(answer.events)
    cancelled = apply.save(session, services, shop, batch, is_quiet=claimed.is_quiet) if batch.told else 0
    if claimed.resource is Resource.DISCOUNT_CODE:
        # Before the codes: whoever decides about offers holds their work first, and codes after it.
        offer_work.note_codes(session, shop.id)
    codes.save_codes(session, shop.id, [state for answer in answers for state in answer.states], claimed.at)
    codes.mark_codes_deleted(session, shop.id, [code for answer in answers for code in answer.lost], claimed.at)
    for answer in answers:
        if answer.profile is not None:
            shops.save_profile(session, shop.id, answer.profile)
            strangers.settle(session, shops.get_shop(session, shop.id))
    return cancelled
