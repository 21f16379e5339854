"""Leases: who works on what. A held row lock is the lease; a process that dies lets go of it."""

from sqlalchemy import text
from sqlmodel import Session


def lease_inbox(session: Session, shop_id: int) -> bool:
    """Hold the shop's inbox until the transaction ends; false if somebody else does."""
    statement = text("select 1 from shop_work where shop_id = :shop for update skip locked")
    return session.execute(statement, {"shop": shop_id}).scalar() is not None


def lock_access(session: Session, shop_id: int) -> None:
    """
    Until the end of the transaction nobody else acquires or refreshes this shop's tokens; waits for the one who does.

    The platform is asked meanwhile, so this transaction may be idle for as long as a platform may take.
    """
    session.execute(text("set local idle_in_transaction_session_timeout = '60s'"))
    session.execute(text("select pg_advisory_xact_lock(hashtext('connector.access'), :shop)"), {"shop": shop_id % 2**31})
