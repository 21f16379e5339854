"""
Everything that is decided about the offers of a shop: suspended or resumed, given or not, used, taken back, over.

One transaction that holds the shop's offer work, computed from rows by our own clock: done twice it changes nothing, and who dies in
the middle leaves nothing half done. What a store must do for it is only wished for here (`offer_codes`), and mails are only queued.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from connector.rules.grants import FRESH, Decision, OfferOption, decide, end_of_day_after
from connector.rules.offers import FORECAST, CodeMode, OfferState, Problem, Suspension, next_move
from connector.rules.zones import zone
from connector.store import grant_mails, grant_settling, grants, notices, offer_codes, offer_work, offers, shops
from connector.store.audit import SYSTEM
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.notices import About, Cause
from connector.store.offer_tables import GrantRow, OfferWorkRow
from connector.store.offers import OfferView
from connector.store.tables import OrderRow, ShopRow
from sync.jobs import Job
from sync.services import Services

BATCH = 200
"""An order takes a few milliseconds; so many hold up a page that wants to change an offer for half a second."""
HOUSEKEEPING = timedelta(hours=6)
"""So often pools and leftovers are looked at where nothing happens."""
MAKING = timedelta(seconds=20)
"""An order that may earn an offer whose code is being made is looked at again so much later."""
_BY_OFFER = frozenset(
    {None, Decision.OFFER_SUSPENDED, Decision.PAID_BEFORE_ACTIVATION, Decision.BELOW_MINIMUM, Decision.TOO_MANY_INCENTIVES}
)
"""Answers that may be another one once a code is there that is being made."""

log = structlog.get_logger()


def tend(services: Services, shop_id: int, limit: int = BATCH) -> int:
    """
    Look at a shop's offers, and at up to `limit` orders that changed; returns how many orders were looked at.

    Nothing is done, and nobody waited for, if somebody else is looking.
    """
    with services.db.transaction(shop=shop_id) as session:
        work = offer_work.hold(session, shop_id) if offer_work.try_look(session, shop_id) else None
        if work is None:
            return 0
        shop, now = shops.get_shop(session, shop_id), app_now(session)
        seen = offers.list_offers(session, shop, can_send_mail=services.mail is not None)
        offers.settle_endings(session, shop, [offer.ending_key for offer in seen])
        for offer in seen:
            _judge(session, services, shop, offer)
        orders = grant_settling.load_orders(session, offer_work.due_orders(session, shop_id, limit))
        _settle(session, work, orders)
        _decide_all(session, shop, seen, orders)
        offer_codes.want_ends(session, shop_id, now)
        offer_codes.fill_pools(session, shop_id, now)
        offer_codes.want_clearing(session, shop_id, now)
        _plan(session, work, seen)
        if len(orders) == limit:
            wake_after_commit(session, Job.OFFERS.value, shop_id)
        if offer_codes.has_due(session, shop_id):
            wake_after_commit(session, Job.OFFER_CODES.value, shop_id)
        if grant_mails.has_due(session, shop_id):
            wake_after_commit(session, Job.OFFER_MAILS.value, shop_id)
    return len(orders)


def _judge(session: Session, services: Services, shop: ShopRow, seen: OfferView) -> None:
    """Suspend or resume an offer, and tell the owners: once for each suspension (SH-31), once for each end that comes near (NH-18)."""
    offer = seen.offer
    found = next_move(seen.state, Suspension(offer.reason) if offer.reason else None, seen.problem)
    if found is None and _is_repaired(session, seen):
        # The merchant gave it something else since it was suspended, and that is good (SH-33).
        found = next_move(OfferState.SUSPENDED, Suspension.REQUIREMENTS, None)
    if found is not None:
        event = offers.move(session, shop, offer, found.to, SYSTEM, "suspended" if found.problem else "resumed", found.problem)
        log.info("offer.moved", shop_id=shop.id, offer=offer.public_id, to=found.to.value, reason=event.reason)
        if found.problem is not None:
            _tell_suspended(session, services, shop, seen, found.problem)
    if seen.stops_at is not None:
        about = About(name=offer.name, page=_page(shop, seen), at=seen.stops_at)
        notices.tell(session, services.vault, shop, Cause.OFFER_ENDING, seen.ending_key, about=about)


def _is_repaired(session: Session, seen: OfferView) -> bool:
    """Whether a suspended offer got a newer version since, which can be honoured and whose code is there."""
    if seen.state is not OfferState.SUSPENDED or seen.problem is not None or seen.is_being_made:
        return False
    return seen.version.at > seen.offer.state_at


def _tell_suspended(session: Session, services: Services, shop: ShopRow, seen: OfferView, problem: Problem) -> None:
    about = About(name=seen.offer.name, page=_page(shop, seen), reason=problem.reason.value, detail=problem.detail)
    notices.tell(session, services.vault, shop, Cause.OFFER_SUSPENDED, seen.offer.public_id, problem.reason.value, about=about)


def _page(shop: ShopRow, seen: OfferView) -> str:
    return f"/app/shops/{shop.public_id}/offers/{seen.offer.public_id}"


def _settle(session: Session, work: OfferWorkRow, orders: Sequence[OrderRow]) -> None:
    """What becomes of grants: uses first, so that who used theirs with this order holds none any more."""
    now = app_now(session)
    for order in orders:
        grant_settling.settle_use(session, order)
    grant_settling.end_due(session, work.shop_id, now)
    for order in orders:
        grant_settling.settle_standing(session, order, now)
    grant_settling.end_with_codes(session, work.shop_id, now)
    work.codes_changed_at = None
    session.flush()
    for held in list(session):
        # Statements have changed them behind the session's back; offers and versions are as they were read.
        if isinstance(held, GrantRow):
            session.expire(held)


def _decide_all(session: Session, shop: ShopRow, seen: Sequence[OfferView], orders: Sequence[OrderRow]) -> None:
    """Look at each paid order once (SH-34)."""
    given = {one.offer.id: one for one in seen if one.state in (OfferState.ACTIVE, OfferState.SUSPENDED)}
    in_order = sorted(given.values(), key=lambda one: (one.offer.activated_at or one.now, one.offer.id or 0))
    options = [_option(one) for one in in_order if not one.is_being_made]
    is_making = any(one.is_being_made and one.state is OfferState.ACTIVE for one in in_order)
    waiting: list[int] = []
    done: list[int] = []
    for order in orders:
        assert order.id is not None
        (waiting if not _decide(session, shop, given, options, order, is_making=is_making) else done).append(order.id)
    if done:
        log.info("offers.looked_at", shop_id=shop.id, orders=len(done), waiting=len(waiting))
    offer_work.settle_orders(session, done)
    offer_work.postpone_orders(session, waiting, app_now(session) + MAKING)


def _decide(
    session: Session, shop: ShopRow, given: dict[int | None, OfferView], options: Sequence[OfferOption], order: OrderRow, *, is_making: bool
) -> bool:
    """Decide about one order; false if that must wait for a code that is being made."""
    assert order.id is not None
    if grants.decision_of(session, order.id) is not None:
        return True
    if order.paid_at is None or order.is_quiet:
        # What only a sync told of earns nothing; it is looked at once the store itself tells of it.
        return True
    now = app_now(session)
    person = grants.person_of(session, order, now)
    decided = decide(grant_settling.facts_of(order), person, options, now)
    if is_making and now - order.paid_at <= FRESH and (decided.reason if decided else None) in _BY_OFFER:
        return False
    if decided is None:
        return True
    if decided.reason is Decision.GRANTED:
        _give(session, shop, given[decided.offer_id], order, person.key)
    grants.save_decision(session, order, decided)
    return True


def _give(session: Session, shop: ShopRow, offer: OfferView, order: OrderRow, key: str | None) -> None:
    version = offer.version
    if version.mode == CodeMode.SHARED.value:
        grant = grants.give(session, order, offer, key, code=version.code, ends_at=None)
        grant_mails.queue(session, grant)
        return
    ends_at = version.ends_at or end_of_day_after(offer.now, version.valid_days or 1, zone(shop.timezone))
    grant = grants.give(session, order, offer, key, code=None, ends_at=ends_at)
    code = offer_codes.give(session, shop, version, grant, ends_at, offer.now)
    if code is not None:
        grants.make_live(session, shop, grant, code)


def _option(seen: OfferView) -> OfferOption:
    assert seen.offer.id is not None
    return OfferOption(
        offer_id=seen.offer.id,
        is_given=seen.is_given,
        activated_at=seen.offer.activated_at or seen.now,
        minimum_order=seen.version.minimum_order,
        most_uses=seen.version.most_uses,
    )


def _plan(session: Session, work: OfferWorkRow, seen: Sequence[OfferView]) -> None:
    """When all this must be looked at again though nothing happens: our own clock tells of every end (SH-28)."""
    now = app_now(session)
    times = [now + HOUSEKEEPING, grant_settling.next_end(session, work.shop_id, now)]
    for one in seen:
        begins = one.code.starts_at if one.code else None
        times += [one.ends_at, one.ends_at - FORECAST if one.ends_at else None, begins]
    work.due_at = min(at for at in times if at is not None and at > now)
    session.flush()
