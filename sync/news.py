"""
What deliveries say beside records: that something must be read again, is gone, or is allowed no longer.

A batch without such news never comes here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from connector.canonical import CustomerMerged, Removed, Resource, ScopesChanged, Stale, StockMoved
from connector.store import codes, offer_codes, offer_work, products, shops, strangers, wanted
from connector.store.db import Session, wake_after_commit
from connector.store.work import LeasedShop
from sync.jobs import Job
from sync.services import Services

ENDED_DELAY_SECONDS = 300
"""A store tells of each code that we end there, and hundreds may end at once: to read them again can wait until all are ended."""
STOCK_DELAY_SECONDS = 60
"""Stock moves with every sale, and what is sold out is said at once by a topic of its own: one reading for many moves."""

log = structlog.get_logger()


def take_in(session: Session, services: Services, shop: LeasedShop, told: Mapping[type, Sequence[Any]]) -> None:
    """Write what follows from such events (`told`: by their kind), and have read again what needs it."""
    _take_in_removals(session, shop.id, told.get(Removed, ()))
    for change in sorted(told.get(ScopesChanged, ()), key=lambda one: one.at):
        if shops.note_scopes(session, shop.id, change):
            log.info("shop.scopes_changed", shop_id=shop.id, missing=list(change.missing))
    stale, ended = _stale(session, shop.id, told)
    found = wanted.want(session, shop.id, stale)
    wanted.want(session, shop.id, ended, delay_seconds=ENDED_DELAY_SECONDS)
    found += wanted.want(session, shop.id, _moved(session, shop.id, told.get(StockMoved, ())), delay_seconds=STOCK_DELAY_SECONDS)
    if found:
        wake_after_commit(session, Job.REREAD.value, shop.id)


def take_in_stranger(session: Session, shop: LeasedShop, host: str) -> None:
    """Another site spoke in a shop's name: ask the store at the shop's own address who it is; until it says so nothing is sent."""
    if strangers.note(session, shop.id, host):
        log.warning("shop.elsewhere", shop_id=shop.id, platform=shop.platform)
        wanted.want(session, shop.id, [(Resource.SHOP, str(shop.id))])
        wake_after_commit(session, Job.REREAD.value, shop.id)


def _take_in_removals(session: Session, shop_id: int, gone: Sequence[Removed]) -> None:
    products.mark_deleted(session, shop_id, {one.platform_id for one in gone if one.resource is Resource.PRODUCT and one.platform_id})
    for removal in gone:
        if removal.resource is Resource.DISCOUNT_CODE and removal.platform_id is not None:
            offer_work.note_codes(session, shop_id)
            codes.mark_deleted(session, shop_id, removal.platform_id, removal.at)
    offer_work.note_removed(session, shop_id, [one.platform_id for one in gone if one.resource is Resource.ORDER and one.platform_id])


def _stale(
    session: Session, shop_id: int, told: Mapping[type, Sequence[Any]]
) -> tuple[list[tuple[Resource, str]], list[tuple[Resource, str]]]:
    """
    What is to be read again, and what may wait: codes of ours that we are ending ourselves.

    Of products only those that we keep: what no line names is nothing to us.
    """
    stale = {(one.resource, one.platform_id) for one in told.get(Stale, ())}
    named = {platform_id for resource, platform_id in stale if resource is Resource.PRODUCT}
    kept = {(Resource.PRODUCT, platform_id) for platform_id in products.kept_among(session, shop_id, named)}
    others = {one for one in stale if one[0] is not Resource.PRODUCT}
    discounts = [platform_id for resource, platform_id in others if resource is Resource.DISCOUNT_CODE]
    ended = {(Resource.DISCOUNT_CODE, platform_id) for platform_id in offer_codes.ended_among(session, shop_id, discounts)}
    # Which consents the kept customer has after a merge, only the store can say.
    merged = {(Resource.CUSTOMER, merge.kept_id) for merge in told.get(CustomerMerged, ())}
    return sorted(kept | (others - ended) | merged), sorted(ended)


def _moved(session: Session, shop_id: int, moves: Sequence[StockMoved]) -> list[tuple[Resource, str]]:
    items = {move.inventory_item_id for move in moves}
    return [(Resource.PRODUCT, platform_id) for platform_id in products.kept_with_stock(session, shop_id, items)]
