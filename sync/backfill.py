"""The first pull of a shop: begun once after each install, by whoever looks first, and worked on by the engine."""

import structlog

from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from sync.services import Services

SHOPS_PER_RING = 200

log = structlog.get_logger()


def begin_due(services: Services) -> int:
    """Begin the backfill of each connected shop that had none since it was installed, and end what shops left behind; returns how many."""
    names = [name for name, platform in services.platforms.items() if platform.reads is not None]
    with services.db.system_transaction("shops that were never pulled, and shops that left") as session:
        due = sync_runs.shops_to_backfill(session, names, SHOPS_PER_RING)
        left = sync_runs.shops_that_left(session, SHOPS_PER_RING)
    for shop_id in left:
        with services.db.transaction(shop=shop_id) as session:
            sync_runs.end_of_earlier_install(session, shop_id)
    for shop_id in due:
        with services.db.transaction(shop=shop_id) as session:
            sync_runs.end_of_earlier_install(session, shop_id)
            run, is_new = sync_runs.begin(session, shop_id, RunKind.BACKFILL, Scope())
        if is_new:
            log.info("backfill.begun", shop_id=shop_id, run=run.public_id)
    return len(due)
