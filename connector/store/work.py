"""Leases: who works on what. A held row lock is the lease; a process that dies lets go of it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text

from connector.store.db import Session, run

ASKING_SECONDS = 120
REGISTERING_SECONDS = 600


class LeasedShop(NamedTuple):
    """A shop whose inbox is held, with what its deliveries are understood and applied by."""

    id: int
    account_id: int
    platform: str
    state: str
    country: str | None
    activity_clock: str
    threshold_minutes: int
    domain: str = ""
    hosts: Sequence[str] = ()


def lease_inbox(session: Session, shop_id: int) -> LeasedShop | None:
    """Hold the shop's inbox until the transaction ends; None if somebody else does, or if there is no such shop."""
    rows = run(session, _LEASE, {"shop": shop_id})
    return LeasedShop._make(rows[0]) if rows else None


def hold_inbox(session: Session, shop_id: int) -> LeasedShop | None:
    """
    Hold the shop's inbox until the transaction ends, after whoever holds it now; None if there is no such shop.

    Who rings for the inbox meanwhile is turned away: use `sync.inbox`, or ring for it after the commit.
    """
    rows = run(session, _HOLD, {"shop": shop_id})
    return LeasedShop._make(rows[0]) if rows else None


def try_lock_access(session: Session, platform: str, domain: str) -> bool:
    """
    Until the end of the transaction nobody else acquires or refreshes this shop's tokens; false at once if somebody does now.

    By the shop's address, as a shop that is being installed has no row yet. The platform is asked meanwhile, several times at an
    install, so this transaction may be idle for as long as that takes.
    """
    return _try_lock(session, f"access {platform} {domain}", ASKING_SECONDS)


def try_lock_webhooks(session: Session, shop_id: int) -> bool:
    """
    Until the end of the transaction nobody else registers this shop's webhooks: two who look at once both make what is missing.

    False at once if somebody does now. A store may take long over each, so this transaction may be idle for ten minutes.
    """
    return _try_lock(session, f"webhooks {shop_id}", REGISTERING_SECONDS)


def _try_lock(session: Session, name: str, idle_seconds: int) -> bool:
    session.execute(text(f"set local idle_in_transaction_session_timeout = '{idle_seconds}s'"))
    return try_lock(session, name)


def try_lock(session: Session, name: str) -> bool:
    """Until the end of the transaction nobody else gets the lock of this name; false at once if somebody has it."""
    statement = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool(session.execute(statement, {"name": name}).scalar_one())


_HOLD = f"""
    select {", ".join(f"s.{field}" for field in LeasedShop._fields)}
    from shop_work w join shops s on s.id = w.shop_id where w.shop_id = %(shop)s for update of w
"""
_LEASE = f"{_HOLD} skip locked"
