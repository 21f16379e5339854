"""Customers that became one hold one unused offer: the older one stays, another is taken back as long as that one holds (SH-25)."""

from collections.abc import Sequence

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.rules.grants import GrantReason, GrantState
from connector.store import grant_mails, grants, offer_codes, offer_work, offers
from connector.store.offer_tables import GrantRow


def follow_merges(session: Session, shop_id: int, kept_of: dict[str, str]) -> list[int]:
    """
    Grants of merged customers are the kept ones' from now on (`kept_of`: by merged id). Returns those that were taken back.

    A shop that never had an offer costs one look. Takes the shop's offer work.
    """
    if not kept_of or offer_work.hold(session, shop_id) is None:
        return []
    merged, kept = list(kept_of), [kept_of[one] for one in kept_of]
    moved = session.execute(_MOVE, {"shop": shop_id, "merged": merged, "kept": kept}).scalars().all()
    taken = _take_back(session, shop_id, sorted({*moved}))
    session.execute(_REKEY, {"shop": shop_id, "merged": merged, "kept": kept})
    if taken:
        offers.ring_codes(session, shop_id)
    return taken


def _take_back(session: Session, shop_id: int, customer_ids: Sequence[str]) -> list[int]:
    """Of several unused ones of a customer all but the oldest."""
    statement = (
        select(GrantRow)
        .where(
            col(GrantRow.shop_id) == shop_id,
            col(GrantRow.customer_platform_id).in_(customer_ids),
            col(GrantRow.state).in_(grants.HOLDING),
        )
        .order_by(col(GrantRow.granted_at), col(GrantRow.id))
        .execution_options(populate_existing=True)
    )
    held: set[str | None] = set()
    taken: list[int] = []
    for grant in session.scalars(statement):
        assert grant.id is not None
        if grant.customer_platform_id in held:
            grants.set_state(session, grant, GrantState.SUSPENDED, GrantReason.HOLDS_OTHER)
            offer_codes.withdraw(session, grant.id)
            taken.append(grant.id)
        held.add(grant.customer_platform_id)
    grant_mails.cancel(session, taken, GrantReason.HOLDS_OTHER.value)
    return taken


_PAIRS = "unnest(cast(:merged as text[]), cast(:kept as text[])) r (merged_id, kept_id)"
_MOVE = text(f"""
    update grants g set customer_platform_id = r.kept_id from {_PAIRS}
    where g.shop_id = :shop and g.customer_platform_id = r.merged_id returning r.kept_id
""")
# Last, when nobody holds two any more: nobody can, by constraint.
_REKEY = text(f"""
    update grants g set person_key = 'customer:' || r.kept_id from {_PAIRS}
    where g.shop_id = :shop and g.person_key = 'customer:' || r.merged_id
""")
