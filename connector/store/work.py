"""Leases: who works on what. A held row lock is the lease; a process that dies lets go of it."""

from typing import NamedTuple

from sqlalchemy import text

from connector.store.db import Session, run


class LeasedShop(NamedTuple):
    """A shop whose inbox is held, with what its deliveries are understood and applied by."""

    id: int
    account_id: int
    platform: str
    state: str
    country: str | None
    activity_clock: str
    threshold_minutes: int


def lease_inbox(session: Session, shop_id: int) -> LeasedShop | None:
    """Hold the shop's inbox until the transaction ends; None if somebody else does, or if there is no such shop."""
    rows = run(session, _LEASE, {"shop": shop_id})
    return LeasedShop._make(rows[0]) if rows else None


def lock_access(session: Session, shop_id: int) -> None:
    """
    Until the end of the transaction nobody else acquires or refreshes this shop's tokens; waits for the one who does.

    The platform is asked meanwhile, so this transaction may be idle for as long as a platform may take.
    """
    session.execute(text("set local idle_in_transaction_session_timeout = '60s'"))
    session.execute(text("select pg_advisory_xact_lock(hashtext('connector.access'), :shop)"), {"shop": shop_id % 2**31})


_LEASE = f"""
    select {", ".join(f"s.{field}" for field in LeasedShop._fields)}
    from shop_work w join shops s on s.id = w.shop_id where w.shop_id = %(shop)s for update of w skip locked
"""
