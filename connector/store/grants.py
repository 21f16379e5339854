"""
Grants: whom offers were given to, how each stands at this moment, and why an order earned one or did not.

Whoever changes a grant holds the shop's offer work; no person holds two, by constraint.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlmodel import Session, col

from connector.codes import CodeState
from connector.rules.discounts import why_not
from connector.rules.grants import INCENTIVE_SPAN, Decided, GrantReason, GrantState, PersonFacts, person_key, why_hidden
from connector.rules.offers import CodeMode, is_shown
from connector.store import grant_mails, offers, shops
from connector.store.db import app_now
from connector.store.ids import public_id, token
from connector.store.offer_tables import GrantDecisionRow, GrantRow, OfferCodeRow, OfferRow, OfferVersionRow
from connector.store.offers import OfferView
from connector.store.tables import OrderRow, ShopRow

HOLDING = (GrantState.PREPARING.value, GrantState.LIVE.value)


@dataclass(frozen=True, slots=True)
class GrantView:
    """
    A grant with its version, its offer, and its code as the store had it last. `hidden`: why nothing is shown for it now; None: it is.
    """

    grant: GrantRow
    offer: OfferView
    version: OfferVersionRow
    code: CodeState | None
    ends_at: datetime | None
    hidden: str | None


def find_by_link(session: Session, link_token: str, *, can_send_mail: bool) -> tuple[ShopRow, GrantView] | None:
    """Whose link this is. Needs a system transaction: the link says nothing of the shop."""
    grant = session.scalars(select(GrantRow).where(col(GrantRow.link_token) == link_token)).one_or_none()
    if grant is None:
        return None
    shop = shops.get_shop(session, grant.shop_id)
    return shop, view(session, shop, grant, can_send_mail=can_send_mail)


def of_order(session: Session, shop: ShopRow, order_platform_id: str, *, can_send_mail: bool) -> GrantView | None:
    """What an order earned, if it earned something."""
    statement = select(GrantRow).join(OrderRow, col(OrderRow.id) == col(GrantRow.order_id))
    statement = statement.where(col(OrderRow.shop_id) == shop.id, col(OrderRow.platform_id) == order_platform_id)
    grant = session.scalars(statement).one_or_none()
    return None if grant is None else view(session, shop, grant, can_send_mail=can_send_mail)


def view(session: Session, shop: ShopRow, grant: GrantRow, *, can_send_mail: bool) -> GrantView:
    """How a grant stands now, by our own clock."""
    offer = offers.view(session, shop, [session.get_one(OfferRow, grant.offer_id)], can_send_mail=can_send_mail)[0]
    version = session.get_one(OfferVersionRow, grant.version_id)
    is_known, state = code_of(session, shop, grant)
    is_unique = version.mode == CodeMode.UNIQUE.value
    hidden = why_hidden(
        GrantState(grant.state),
        is_offer_on=is_shown(offer.state, offers.standing(shop, can_send_mail=can_send_mail)),
        code_reasons=why_not(state, offer.now) if is_known else (),
        ends_at=grant.ends_at,
        is_single_use=is_unique or (state.once_per_customer if state else version.once_per_customer),
        now=offer.now,
    )
    return GrantView(grant, offer, version, state, grant.ends_at or (state.ends_at if state else None), hidden)


def code_of(session: Session, shop: ShopRow, grant: GrantRow) -> tuple[bool, CodeState | None]:
    """
    Whether the grant's code was ever read, and how it was; None: the store has it no more.

    A unique code that was not read by itself stands and falls with the discount that it belongs to.
    """
    if grant.code is None:
        return False, None
    model = select(OfferCodeRow).where(col(OfferCodeRow.grant_id) == grant.id, col(OfferCodeRow.model_id).is_not(None))
    own = session.scalars(model).first()
    head = session.get(OfferCodeRow, own.model_id) if own is not None and own.model_id is not None else None
    states = offers.code_states(session, shop, [grant.code, *([head.code] if head else [])])
    for code in (grant.code, head.code if head else None):
        if code is not None and code.lower() in states:
            return True, states[code.lower()]
    return False, None


def decision_of(session: Session, order_id: int) -> GrantDecisionRow | None:
    """Why an order earned something or did not, if it was looked at."""
    return session.get(GrantDecisionRow, order_id)


def person_of(session: Session, order: OrderRow, now: datetime) -> PersonFacts:
    """Who placed an order, whether they hold an unused one of whatever offer (SH-25), and how often they used one (NH-14)."""
    key = person_key(order.email_norm, order.customer_platform_id, order.phone_e164)
    values = {
        "shop": order.shop_id,
        "key": key,
        "email": order.email_norm,
        "customer": order.customer_platform_id,
        "since": now - INCENTIVE_SPAN,
        "order": order.id,
    }
    return PersonFacts(key, session.execute(_HOLDS, values).scalar_one(), session.execute(_USES, values).scalar_one())


def holds_other(session: Session, grant: GrantRow) -> bool:
    """Whether the person of a grant that is not theirs to use now holds another one that is."""
    values = {"shop": grant.shop_id, "key": grant.person_key, "email": grant.email_norm, "customer": grant.customer_platform_id}
    return bool(session.execute(_HOLDS, values).scalar_one())


def give(session: Session, order: OrderRow, offer: OfferView, key: str | None, *, code: str | None, ends_at: datetime | None) -> GrantRow:
    """Give an offer's newest version for an order. Without a code it is in preparation. The caller has decided, and holds the work."""
    assert offer.offer.id is not None
    assert offer.version.id is not None
    state = GrantState.LIVE if code is not None else GrantState.PREPARING
    grant = GrantRow(
        public_id=public_id("grt"),
        shop_id=order.shop_id,
        offer_id=offer.offer.id,
        version_id=offer.version.id,
        order_id=order.id,
        state=state.value,
        state_at=offer.now,
        granted_at=offer.now,
        ends_at=ends_at,
        person_key=key,
        customer_platform_id=order.customer_platform_id,
        email=order.email,
        email_norm=order.email_norm,
        phone_e164=order.phone_e164,
        first_name=order.first_name,
        language=order.language,
        code=code,
        link_token=token(),
    )
    session.add(grant)
    session.flush()
    return grant


def save_decision(session: Session, order: OrderRow, decided: Decided) -> None:
    """Write what was decided about an order, once."""
    assert order.id is not None
    row = GrantDecisionRow(
        order_id=order.id, shop_id=order.shop_id, offer_id=decided.offer_id, reason=decided.reason.value, decided_at=app_now(session)
    )
    session.add(row)
    session.flush()


def set_state(session: Session, grant: GrantRow, state: GrantState, reason: GrantReason | None = None) -> None:
    """Write where a grant is now."""
    grant.state, grant.reason, grant.state_at = state.value, reason.value if reason else None, app_now(session)
    session.flush()


def make_live(session: Session, shop: ShopRow, grant: GrantRow, code: str) -> None:
    """Its own code is there: from now on it is the person's, and they are told. What is not in preparation any more is left alone."""
    if grant.state == GrantState.PREPARING.value:
        grant.code = code
        set_state(session, grant, GrantState.LIVE)
        grant_mails.queue(session, grant)


def refuse_code(session: Session, shop: ShopRow, grant: GrantRow, refusal: str) -> None:
    """No code of their own can be made: they get the one that the merchant named for that (BX-11), if it is good; else nothing."""
    if grant.state != GrantState.PREPARING.value:
        return
    version = session.get_one(OfferVersionRow, grant.version_id)
    fallback = version.fallback_code
    state = offers.code_states(session, shop, [fallback]).get(fallback.lower()) if fallback else None
    if fallback and not why_not(state, app_now(session)):
        grant.ends_at = None
        make_live(session, shop, grant, fallback)
    else:
        set_state(session, grant, GrantState.ENDED, GrantReason.CODE_REFUSED)


def count_by_state(session: Session, offer_id: int) -> dict[str, int]:
    """How many grants of an offer are in each state."""
    statement = select(col(GrantRow.state), func.count()).where(col(GrantRow.offer_id) == offer_id).group_by(col(GrantRow.state))
    return {row[0]: row[1] for row in session.execute(statement)}


_HOLDS = text("""
    select exists (
        select 1 from grants where shop_id = :shop and state in ('preparing', 'live')
          and (person_key = :key or email_norm = :email or customer_platform_id = :customer)
    )
""")
_USES = text("""
    select count(distinct id) from (
        select used_order_id id from grants where shop_id = :shop and person_key = :key and used_at >= :since and used_order_id is not null
        union all
        select o.id from orders o
        where o.shop_id = :shop and (o.email_norm = :email or o.customer_platform_id = :customer) and o.placed_at >= :since
          and o.discount_codes <> '{}' and not o.is_test and o.deleted_at is null and o.cancelled_at is null
          and exists (select 1 from unnest(o.discount_codes) c
                      where exists (select 1 from offer_codes k where k.shop_id = :shop and k.code_key = lower(c))
                         or exists (select 1 from offer_versions v join offers f on f.id = v.offer_id
                                    where f.shop_id = :shop and lower(v.code) = lower(c)))
    ) uses
""")
