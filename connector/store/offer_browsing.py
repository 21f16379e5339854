"""What the merchant's pages about an offer leaf through: whom it was given to, and what was decided about the shop's last orders."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from connector.rules.offers import OfferState
from connector.store.offer_tables import GrantDecisionRow, GrantRow, OfferCodeRow, OfferRow, OfferVersionRow
from connector.store.tables import OrderRow


@dataclass(frozen=True, slots=True)
class GivenLine:
    """A grant with the order that earned it, as far as we still have that, and the number of the version."""

    grant: GrantRow
    order: OrderRow | None
    version: int


@dataclass(frozen=True, slots=True)
class DecidedLine:
    """A decision about an order, and the name of the offer that it is about, if one."""

    decision: GrantDecisionRow
    order: OrderRow
    offer: str | None


def list_given(session: Session, offer_id: int, before: str | None, limit: int) -> list[GivenLine]:
    """Whom an offer was given to, newest first; `before`: the public id of the last one seen."""
    statement = (
        select(GrantRow, OrderRow, col(OfferVersionRow.version))
        .join(OfferVersionRow, col(OfferVersionRow.id) == col(GrantRow.version_id))
        .outerjoin(OrderRow, col(OrderRow.id) == col(GrantRow.order_id))
        .where(col(GrantRow.offer_id) == offer_id)
        .order_by(col(GrantRow.id).desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(col(GrantRow.id) < select(col(GrantRow.id)).where(col(GrantRow.public_id) == before).scalar_subquery())
    return [GivenLine(grant, order, version) for grant, order, version in session.execute(statement)]


def list_decided(session: Session, shop_id: int, before: str | None, limit: int) -> list[DecidedLine]:
    """What was decided about the orders of a shop, newest order first; `before`: the public id of the last order seen."""
    statement = (
        select(GrantDecisionRow, OrderRow, col(OfferRow.name))
        .join(OrderRow, col(OrderRow.id) == col(GrantDecisionRow.order_id))
        .outerjoin(OfferRow, col(OfferRow.id) == col(GrantDecisionRow.offer_id))
        .where(col(GrantDecisionRow.shop_id) == shop_id)
        .order_by(col(GrantDecisionRow.order_id).desc())
        .limit(limit)
    )
    if before is not None:
        seen = select(col(OrderRow.id)).where(col(OrderRow.shop_id) == shop_id, col(OrderRow.public_id) == before).scalar_subquery()
        statement = statement.where(col(GrantDecisionRow.order_id) < seen)
    return [DecidedLine(decision, order, name) for decision, order, name in session.execute(statement)]


def shops_with_offers(session: Session, shop_ids: Collection[int]) -> set[int]:
    """Of these shops those with an offer that was published and not switched off since."""
    running = (OfferState.ACTIVE.value, OfferState.SUSPENDED.value)
    statement = select(col(OfferRow.shop_id)).where(col(OfferRow.shop_id).in_(shop_ids), col(OfferRow.state).in_(running))
    return set(session.scalars(statement.distinct()))


def codes_for_one(session: Session, shop_id: int, codes: Collection[str]) -> set[str]:
    """Of these codes, lower-cased, those that we made for one person each, or as the head of such a series: nobody else is given them."""
    wanted = [code.strip().lower() for code in codes]
    statement = select(col(OfferCodeRow.code_key)).where(
        col(OfferCodeRow.shop_id) == shop_id, col(OfferCodeRow.code_key).in_(wanted), col(OfferCodeRow.role).in_(("unique", "model"))
    )
    return {str(code) for code in session.scalars(statement)}
