"""
Looking at discount codes that nobody tells us of, and at those that offers depend on.

Some platforms send nothing when a code is used or ends, and do not even move its time of change: only reading shows it. Codes that we
keep and that may still hold are read again and again, as everything is that must be read. What an offer gives is read on every platform,
and more often: nobody is given for long what a merchant has changed or taken away, whatever became of the message that told so.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from connector.canonical import Resource
from connector.store import codes, wanted
from connector.store.db import wake_after_commit
from sync.jobs import Job
from sync.services import Services

EVERY = timedelta(minutes=13)
"""With the minute between two turns and the reading itself no look is older than a quarter of an hour."""
NEAR_END = timedelta(minutes=4)
"""So often in the last quarter of an hour: an end that somebody moved is seen before it comes."""
EVERY_OFFER = timedelta(minutes=3, seconds=45)
"""The same for codes that offers depend on: with turn and reading no look is older than five minutes (SH-35)."""
NEAR_END_OFFER = timedelta(seconds=45)
EVERY_SHOP = timedelta(minutes=14)
"""Whether shoppers can enter a store that has offers is asked so often."""
CODES_PER_TURN = 2_000
SHOPS_PER_TURN = 500

log = structlog.get_logger()


def look(services: Services) -> int:
    """
    Have codes read again of which no platform would tell us, and those of offers; returns how many, the longest unseen first.

    The rest next time. Shops with offers are asked now and then whether anybody can buy there.
    """
    with_codes = [name for name, platform in services.platforms.items() if platform.codes is not None]
    if not with_codes:
        return 0
    silent = [name for name in with_codes if not services.platforms[name].can.tells_code_use]
    with services.db.system_transaction("codes and stores of all shops that were not looked at lately") as session:
        found = [codes.unseen_of_offers(session, with_codes, EVERY_OFFER, NEAR_END_OFFER, CODES_PER_TURN)]
        if silent:
            found.append(codes.unseen(session, silent, EVERY, NEAR_END, CODES_PER_TURN))
        readable = [name for name in with_codes if services.platforms[name].reads is not None]
        closed = codes.unseen_shops(session, readable, EVERY_SHOP, SHOPS_PER_TURN)
    _want(services, _together(found), closed)
    count = max(sum(map(len, one.values())) for one in found)
    if count >= CODES_PER_TURN:
        log.warning("codes.many", count=count)
    return sum(map(len, _together(found).values()))


def _together(found: Sequence[Mapping[int, Sequence[str]]]) -> dict[int, list[str]]:
    """Discounts by shop, each once."""
    shops = dict.fromkeys(shop_id for one in found for shop_id in one)
    return {shop_id: list(dict.fromkeys(code for one in found for code in one.get(shop_id, ()))) for shop_id in shops}


def _want(services: Services, due: Mapping[int, Sequence[str]], shop_ids: Sequence[int]) -> None:
    for shop_id in dict.fromkeys([*due, *shop_ids]):
        wishes = [(Resource.DISCOUNT_CODE, one) for one in due.get(shop_id, ())]
        if shop_id in shop_ids:
            wishes.append((Resource.SHOP, str(shop_id)))
        with services.db.transaction(shop=shop_id) as session:
            wanted.want(session, shop_id, wishes)
            wake_after_commit(session, Job.REREAD.value, shop_id)
