"""
Who is given a post-purchase offer, and until when: one look at each paid order, one unused code a person.

Every answer carries its reason; reasons are kept and shown to merchants and support as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from connector.canonical import PaymentState
from connector.rules.discounts import Ineligible
from connector.rules.identity import fold_email

FRESH = timedelta(days=3)
"""An order that we learn of later than this after its payment earns nothing: the shopper has long forgotten it."""
INCENTIVE_SPAN = timedelta(days=365)
PAID = frozenset({PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED})


class GrantState(StrEnum):
    """Where a grant is: PREPARING while its own code is made, SUSPENDED while its order is taken back; USED and ENDED are for good."""

    PREPARING = "preparing"
    LIVE = "live"
    SUSPENDED = "suspended"
    USED = "used"
    ENDED = "ended"


class GrantReason(StrEnum):
    """Why a grant is suspended, or has ended."""

    ORDER_REFUNDED = "order_refunded"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_DISPUTED = "order_disputed"
    ORDER_DELETED = "order_deleted"
    ORDER_UNPAID = "order_unpaid"
    HOLDS_OTHER = "holds_other"
    EXPIRED = "expired"
    CODE_DELETED = "code_deleted"
    CODE_USED_UP = "code_used_up"
    CODE_REFUSED = "code_refused"
    USED = "used"
    ERASED = "erased"


class Decision(StrEnum):
    """Why an order earned an offer or did not; written once per order."""

    GRANTED = "granted"
    HOLDS_UNUSED_OFFER = "holds_unused_offer"
    TEST_ORDER = "test_order"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_REFUNDED = "order_refunded"
    ORDER_DISPUTED = "order_disputed"
    ORDER_DELETED = "order_deleted"
    PAID_BEFORE_ACTIVATION = "paid_before_activation"
    LEARNED_TOO_LATE = "learned_too_late"
    OFFER_SUSPENDED = "offer_suspended"
    BELOW_MINIMUM = "below_minimum"
    TOO_MANY_INCENTIVES = "too_many_incentives"
    NOT_IDENTIFIED = "not_identified"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order as the rules see it. `paid_at`: the earliest moment that any version told it was paid."""

    payment_state: PaymentState
    paid_at: datetime | None
    total: Decimal
    refunded_total: Decimal = Decimal(0)
    is_test: bool = False
    is_cancelled: bool = False
    is_disputed: bool = False
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """Who placed an order. `key`: see `person_key`. `uses`: purchases with codes of ours within the last twelve months."""

    key: str | None
    holds_unused: bool = False
    uses: int = 0


@dataclass(frozen=True, slots=True)
class OfferOption:
    """An offer that might be given. `is_given`: see `rules.offers.is_given`. `activated_at`: when it was published last."""

    offer_id: int
    is_given: bool
    activated_at: datetime
    minimum_order: Decimal | None = None
    most_uses: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and the offer that it is about."""

    reason: Decision
    offer_id: int | None = None


def person_key(email: str | None, customer_id: str | None, phone: str | None) -> str | None:
    """What tells a person for "one unused offer each": e-mail with its aliases folded, else the customer's id, else the phone."""
    if email:
        return f"email:{fold_email(email)}"
    if customer_id:
        return f"customer:{customer_id}"
    return f"phone:{phone}" if phone else None


def why_not_earned(order: OrderFacts) -> Decision | None:
    """Why this order, paid once, earns nothing whatever is offered; None: it may."""
    reasons = (
        (order.is_test, Decision.TEST_ORDER),
        (order.is_deleted, Decision.ORDER_DELETED),
        (order.is_cancelled or order.payment_state is PaymentState.VOIDED, Decision.ORDER_CANCELLED),
        (_is_refunded(order), Decision.ORDER_REFUNDED),
        (order.is_disputed, Decision.ORDER_DISPUTED),
    )
    return next((reason for holds, reason in reasons if holds), None)


def taken_back(order: OrderFacts | None) -> GrantReason | None:
    """Why the order that earned a grant does not carry it any more (C59); None: it does. None for `order`: we do not have it any more."""
    if order is None:
        return GrantReason.ORDER_DELETED
    reasons = (
        (order.is_deleted, GrantReason.ORDER_DELETED),
        (order.is_cancelled or order.payment_state is PaymentState.VOIDED, GrantReason.ORDER_CANCELLED),
        (_is_refunded(order), GrantReason.ORDER_REFUNDED),
        (order.is_disputed, GrantReason.ORDER_DISPUTED),
        (order.payment_state not in PAID, GrantReason.ORDER_UNPAID),
    )
    return next((reason for holds, reason in reasons if holds), None)


def decide(order: OrderFacts, person: PersonFacts, offers: Sequence[OfferOption], now: datetime) -> Decided | None:
    """
    What an order earns: the first of `offers` (in the order in which they were published) that it may have.

    None: it is not paid yet, or nothing is offered; it is looked at again when that changes. Anything else is for good (SH-34).
    """
    reason = why_not_earned(order)
    if not offers or order.paid_at is None or (reason is None and order.payment_state not in PAID):
        return None
    first = offers[0].offer_id
    if reason is None and now - order.paid_at > FRESH:
        reason = Decision.LEARNED_TOO_LATE
    if reason is None and person.key is None:
        reason = Decision.NOT_IDENTIFIED
    if reason is None and person.holds_unused:
        reason = Decision.HOLDS_UNUSED_OFFER
    if reason is not None:
        return Decided(reason, first)
    refused = [Decided(found, one.offer_id) for one in offers if (found := _why_not_this(order, person, one)) is not None]
    given = next((one for one in offers if _why_not_this(order, person, one) is None), None)
    return Decided(Decision.GRANTED, given.offer_id) if given is not None else min(refused, key=_distance)


def why_hidden(
    state: GrantState,
    *,
    is_offer_on: bool,
    code_reasons: Sequence[Ineligible],
    ends_at: datetime | None,
    is_single_use: bool,
    now: datetime,
) -> str | None:
    """
    Why a shopper's link shows nothing (any more); None: it shows the offer. For pages of shoppers and the JSON answer (SH-03 to SH-05).

    `is_offer_on`: see `rules.offers.is_shown`. `code_reasons`: see `rules.discounts.why_not`, of the grant's own code. What is used is
    still shown where the code may be used again.
    """
    if state is GrantState.PREPARING:
        return "preparing"
    if state in (GrantState.SUSPENDED, GrantState.ENDED):
        return state.value
    if state is GrantState.USED and is_single_use:
        return "used"
    if ends_at is not None and ends_at <= now:
        return "expired"
    if code_reasons:
        return code_reasons[0].value
    return None if is_offer_on else "offer_off"


def end_of_day_after(granted_at: datetime, days: int, zone: tzinfo) -> datetime:
    """The last second of the day that comes `days` after the grant's, in the shop's time zone: people read days, not hours."""
    last: date = granted_at.astimezone(zone).date() + timedelta(days=days)
    # Where the clocks go back at midnight the last second comes twice: the second one ends the day.
    return datetime.combine(last, time(23, 59, 59, fold=1), zone).astimezone(granted_at.tzinfo)


def _why_not_this(order: OrderFacts, person: PersonFacts, offer: OfferOption) -> Decision | None:
    assert order.paid_at is not None
    # Stores tell whole seconds.
    reasons = (
        (order.paid_at < offer.activated_at.replace(microsecond=0), Decision.PAID_BEFORE_ACTIVATION),
        (not offer.is_given, Decision.OFFER_SUSPENDED),
        (offer.minimum_order is not None and order.total < offer.minimum_order, Decision.BELOW_MINIMUM),
        (0 < offer.most_uses <= person.uses, Decision.TOO_MANY_INCENTIVES),
    )
    return next((reason for holds, reason in reasons if holds), None)


_DISTANCES = (Decision.TOO_MANY_INCENTIVES, Decision.BELOW_MINIMUM, Decision.OFFER_SUSPENDED, Decision.PAID_BEFORE_ACTIVATION)


def _distance(decided: Decided) -> int:
    """How far an offer was from being given: the nearest one is told."""
    return _DISTANCES.index(decided.reason)


def _is_refunded(order: OrderFacts) -> bool:
    """Wholly: who sends one of three things back keeps what the purchase earned."""
    return order.payment_state is PaymentState.REFUNDED or (0 < order.total <= order.refunded_total)
