"""
When another site speaks in a shop's name: a copy of the store, which has its webhooks and their secret, or the store after a move.

What it says is quarantined. Sending pauses (`stranger_at`) until the store at the shop's own address says who it is: does it go by
that name too, what was quarantined is handled again; is it still itself, the other one is a copy and is ignored (`stranger_host`
alone). If it does not answer any more, it has moved, and sending stays paused. Transactions are the caller's.
"""

from sqlalchemy import text
from sqlmodel import Session

from connector.store import deliveries, notices
from connector.store.notices import Cause
from connector.store.sealed import Vault
from connector.store.tables import ShopRow

REASON = "other_site"
STUCK_MINUTES = 10


def note(session: Session, shop_id: int, host: str) -> bool:
    """Another site spoke; true if this one is new, and sending pauses."""
    statement = text("""
        update shops set stranger_host = :host, stranger_at = app_now()
        where id = :shop and stranger_host is distinct from :host returning 1
    """)
    return session.execute(statement, {"shop": shop_id, "host": host[:253]}).scalar() is not None


def settle(session: Session, shop: ShopRow) -> bool:
    """The store at the shop's own address has just answered, its names are in the row; true if quarantined deliveries wait again."""
    if shop.stranger_host is None:
        return False
    assert shop.id is not None
    shop.stranger_at = None
    notices.settle(session, shop.account_id, Cause.SUSPENDED, _key(shop))
    if shop.stranger_host not in shop.hosts:
        session.flush()
        return False
    shop.stranger_host = None
    session.flush()
    statement = text("select id from deliveries where shop_id = :shop and state = 'quarantined' and reason = :reason order by id")
    waiting = list(session.execute(statement, {"shop": shop.id, "reason": REASON}).scalars())
    return bool(waiting) and bool(deliveries.replay(session, waiting))


def tell_if_stuck(session: Session, vault: Vault, shop: ShopRow) -> bool:
    """Tell the owners that sending is paused, once it has been for a while; true if that is new."""
    statement = text("select :at < app_now() - make_interval(mins => :minutes)")
    if shop.stranger_at is None or not session.execute(statement, {"at": shop.stranger_at, "minutes": STUCK_MINUTES}).scalar_one():
        return False
    return notices.tell(session, vault, shop, Cause.SUSPENDED, _key(shop), shop.stranger_host)


def _key(shop: ShopRow) -> str:
    return f"{shop.public_id} elsewhere"
