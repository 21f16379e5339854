"""Why orders earned what they did, for support: looked up by the numbers that people tell us."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlmodel import Session, col

from connector.store.offer_tables import GrantDecisionRow, GrantRow, OfferRow
from connector.store.tables import OrderRow


@dataclass(frozen=True, slots=True)
class Traced:
    """An order with what was decided about it, the offer that this names, and what it earned; None: nothing (yet)."""

    order: OrderRow
    decision: GrantDecisionRow | None
    offer: OfferRow | None
    grant: GrantRow | None


def find_orders(session: Session, shop_id: int, name: str, limit: int) -> list[Traced]:
    """Orders of a shop by their number, with or without its sign, or by their id in the store; newest first."""
    bare = name.strip().lstrip("#")
    named = or_(col(OrderRow.number).in_([bare, f"#{bare}"]), col(OrderRow.platform_id) == bare)
    ids = session.scalars(select(col(OrderRow.id)).where(col(OrderRow.shop_id) == shop_id, named).limit(limit)).all()
    return _trace(session, ids)


def list_lately(session: Session, shop_id: int, limit: int) -> list[Traced]:
    """The newest orders of a shop that were decided about."""
    statement = select(col(GrantDecisionRow.order_id)).where(col(GrantDecisionRow.shop_id) == shop_id)
    return _trace(session, session.scalars(statement.order_by(col(GrantDecisionRow.decided_at).desc()).limit(limit)).all())


def _trace(session: Session, order_ids: Sequence[int | None]) -> list[Traced]:
    statement = (
        select(OrderRow, GrantDecisionRow, OfferRow, GrantRow)
        .outerjoin(GrantDecisionRow, col(GrantDecisionRow.order_id) == col(OrderRow.id))
        .outerjoin(OfferRow, col(OfferRow.id) == col(GrantDecisionRow.offer_id))
        .outerjoin(GrantRow, col(GrantRow.order_id) == col(OrderRow.id))
        .where(col(OrderRow.id).in_(order_ids))
        .order_by(col(OrderRow.id).desc())
    )
    return [Traced(*row) for row in session.execute(statement)]
