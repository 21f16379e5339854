"""
Looking at discount codes that nobody tells us of.

Some platforms send nothing when a code is used or ends, and do not even move its time of change: only reading shows it. Codes that we
keep and that may still hold are read again and again, as everything is that must be read.
"""

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
CODES_PER_TURN = 2_000

log = structlog.get_logger()


def look(services: Services) -> int:
    """Have codes read again of which no platform would tell us; returns how many, the longest unseen first. The rest next time."""
    watched = [name for name, platform in services.platforms.items() if platform.codes is not None and not platform.can.tells_code_use]
    if not watched:
        return 0
    with services.db.system_transaction("codes of all shops that were not looked at lately") as session:
        due = codes.unseen(session, watched, EVERY, NEAR_END, CODES_PER_TURN)
    for shop_id, platform_ids in due.items():
        with services.db.transaction(shop=shop_id) as session:
            wanted.want(session, shop_id, [(Resource.DISCOUNT_CODE, one) for one in platform_ids])
            wake_after_commit(session, Job.REREAD.value, shop_id)
    count = sum(map(len, due.values()))
    if count >= CODES_PER_TURN:
        log.warning("codes.many", count=count)
    return count
