"""Holding a shop's inbox beside its drain."""

from connector.store import work
from connector.store.db import Session, wake_after_commit
from connector.store.work import LeasedShop
from sync.jobs import Job


def hold(session: Session, shop_id: int) -> LeasedShop | None:
    """
    Hold the shop's inbox until the transaction ends, after whoever holds it now; None if there is no such shop.

    Whoever rings for the inbox meanwhile is turned away, so it is rung for once the transaction has committed.
    """
    wake_after_commit(session, Job.APPLY.value, shop_id)
    return work.hold_inbox(session, shop_id)
