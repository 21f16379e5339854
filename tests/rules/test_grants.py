"""Who is given an offer and who is not, what takes it back, and until when a link shows it."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.canonical import PaymentState
from connector.rules.discounts import Ineligible
from connector.rules.grants import (
    FRESH,
    PAID,
    Decided,
    Decision,
    GrantReason,
    GrantState,
    OfferOption,
    OrderFacts,
    PersonFacts,
    decide,
    end_of_day_after,
    person_key,
    taken_back,
    why_hidden,
    why_not_earned,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAID_AT = NOW - timedelta(minutes=5)
ORDER = OrderFacts(PaymentState.PAID, PAID_AT, Decimal("40.00"))
ANNA = PersonFacts("email:anna@example.org")
OFFER = OfferOption(1, True, NOW - timedelta(days=10))
UNPAID = sorted(set(PaymentState) - PAID - {PaymentState.REFUNDED, PaymentState.VOIDED})


def reason_of(order: OrderFacts = ORDER, person: PersonFacts = ANNA, *offers: OfferOption) -> Decision | None:
    """Why this order earns nothing, or that it does, of these offers or the usual one."""
    decided = decide(order, person, offers or (OFFER,), NOW)
    return decided.reason if decided else None


def test_a_paid_order_earns_its_buyer_the_offer() -> None:
    assert decide(ORDER, ANNA, [OFFER], NOW) == Decided(Decision.GRANTED, 1)


def test_where_nothing_is_offered_nothing_is_decided() -> None:
    assert decide(ORDER, ANNA, [], NOW) is None
    assert decide(replace(ORDER, is_test=True), ANNA, [], NOW) is None


@pytest.mark.parametrize("state", UNPAID)
def test_an_order_that_is_not_paid_waits(state: PaymentState) -> None:
    assert reason_of(replace(ORDER, payment_state=state, paid_at=None)) is None
    assert reason_of(replace(ORDER, payment_state=state)) is None  # the money came, and went again


@pytest.mark.parametrize("changes", [{"is_test": True}, {"is_cancelled": True}, {"is_deleted": True}])
def test_what_was_never_paid_is_not_decided_whatever_became_of_it(changes: dict[str, Any]) -> None:
    assert reason_of(replace(ORDER, payment_state=PaymentState.PENDING, paid_at=None, **changes)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_test": True}, Decision.TEST_ORDER),
        ({"is_deleted": True}, Decision.ORDER_DELETED),
        ({"is_cancelled": True}, Decision.ORDER_CANCELLED),
        ({"payment_state": PaymentState.VOIDED}, Decision.ORDER_CANCELLED),
        ({"payment_state": PaymentState.REFUNDED}, Decision.ORDER_REFUNDED),
        ({"refunded_total": Decimal("40.00")}, Decision.ORDER_REFUNDED),
        ({"is_disputed": True}, Decision.ORDER_DISPUTED),
        # In this order where several hold.
        ({"is_test": True, "is_cancelled": True}, Decision.TEST_ORDER),
        ({"is_cancelled": True, "payment_state": PaymentState.REFUNDED}, Decision.ORDER_CANCELLED),
        ({"payment_state": PaymentState.REFUNDED, "is_disputed": True}, Decision.ORDER_REFUNDED),
        # A cancelled order whose money waits again is decided all the same: it was paid once.
        ({"is_cancelled": True, "payment_state": PaymentState.PENDING}, Decision.ORDER_CANCELLED),
    ],
)
def test_an_order_that_is_no_purchase_any_more_earns_nothing(changes: dict[str, Any], reason: Decision) -> None:
    order = replace(ORDER, **changes)
    assert why_not_earned(order) is reason
    assert decide(order, ANNA, [OFFER], NOW) == Decided(reason, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_state": PaymentState.PARTIALLY_REFUNDED, "refunded_total": Decimal("39.99")},
        {"total": Decimal(0)},  # paid with nothing: a code gave it all
    ],
)
def test_who_keeps_a_part_of_the_purchase_keeps_what_it_earned(changes: dict[str, Any]) -> None:
    order = replace(ORDER, **changes)
    assert reason_of(order) is Decision.GRANTED
    assert taken_back(order) is None


@pytest.mark.parametrize(("age", "reason"), [(FRESH, Decision.GRANTED), (FRESH + SECOND, Decision.LEARNED_TOO_LATE)])
def test_an_order_that_we_learn_of_long_after_its_payment_earns_nothing(age: timedelta, reason: Decision) -> None:
    assert reason_of(replace(ORDER, paid_at=NOW - age)) is reason


def test_who_cannot_be_told_from_others_gets_nothing() -> None:
    assert reason_of(ORDER, PersonFacts(None)) is Decision.NOT_IDENTIFIED


def test_who_holds_an_unused_offer_gets_no_other_one_of_any() -> None:
    holder = replace(ANNA, holds_unused=True)
    assert decide(ORDER, holder, [OFFER, replace(OFFER, offer_id=2)], NOW) == Decided(Decision.HOLDS_UNUSED_OFFER, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activated_at": PAID_AT}, Decision.GRANTED),
        ({"activated_at": PAID_AT + SECOND}, Decision.PAID_BEFORE_ACTIVATION),
        ({"is_given": False}, Decision.OFFER_SUSPENDED),
        ({"is_given": False, "activated_at": NOW}, Decision.PAID_BEFORE_ACTIVATION),
        ({"minimum_order": Decimal("40.00")}, Decision.GRANTED),
        ({"minimum_order": Decimal("40.01")}, Decision.BELOW_MINIMUM),
        ({"is_given": False, "minimum_order": Decimal("40.01")}, Decision.OFFER_SUSPENDED),
    ],
)
def test_an_offer_goes_only_to_orders_that_meet_its_terms(changes: dict[str, Any], reason: Decision) -> None:
    assert reason_of(ORDER, ANNA, replace(OFFER, **changes)) is reason


@pytest.mark.parametrize(
    ("most_uses", "uses", "reason"),
    [
        (3, 2, Decision.GRANTED),
        (3, 3, Decision.TOO_MANY_INCENTIVES),
        (3, 9, Decision.TOO_MANY_INCENTIVES),
        (1, 1, Decision.TOO_MANY_INCENTIVES),
        (1, 0, Decision.GRANTED),
        (0, 99, Decision.GRANTED),
    ],
)
def test_who_buys_with_codes_time_and_again_gets_no_more(most_uses: int, uses: int, reason: Decision) -> None:
    assert reason_of(ORDER, replace(ANNA, uses=uses), replace(OFFER, most_uses=most_uses)) is reason


def test_of_several_offers_the_first_that_may_be_given_is() -> None:
    stopped, dear, last = replace(OFFER, is_given=False), replace(OFFER, offer_id=2, minimum_order=Decimal(99)), replace(OFFER, offer_id=3)
    assert decide(ORDER, ANNA, [stopped, dear, last, replace(OFFER, offer_id=4)], NOW) == Decided(Decision.GRANTED, 3)


def test_if_none_may_be_given_the_one_that_came_nearest_is_told() -> None:
    early = replace(OFFER, offer_id=1, activated_at=NOW)
    stopped = replace(OFFER, offer_id=2, is_given=False)
    dear = replace(OFFER, offer_id=3, minimum_order=Decimal(99))
    tired = replace(OFFER, offer_id=4, most_uses=1)
    often = replace(ANNA, uses=1)
    expected = {early: Decision.PAID_BEFORE_ACTIVATION, stopped: Decision.OFFER_SUSPENDED, dear: Decision.BELOW_MINIMUM}
    ranked = [tired, dear, stopped, early]
    for offers in itertools.permutations(ranked):
        for count in range(1, 5):
            some = offers[:count]
            nearest = min(some, key=ranked.index)
            assert decide(ORDER, often, some, NOW) == Decided(expected.get(nearest, Decision.TOO_MANY_INCENTIVES), nearest.offer_id)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (ORDER, None),
        (None, GrantReason.ORDER_DELETED),
        (replace(ORDER, is_deleted=True), GrantReason.ORDER_DELETED),
        (replace(ORDER, is_cancelled=True), GrantReason.ORDER_CANCELLED),
        (replace(ORDER, payment_state=PaymentState.VOIDED), GrantReason.ORDER_CANCELLED),
        (replace(ORDER, payment_state=PaymentState.REFUNDED), GrantReason.ORDER_REFUNDED),
        (replace(ORDER, refunded_total=Decimal("40.00")), GrantReason.ORDER_REFUNDED),
        (replace(ORDER, is_disputed=True), GrantReason.ORDER_DISPUTED),
        *((replace(ORDER, payment_state=state), GrantReason.ORDER_UNPAID) for state in UNPAID),
        (replace(ORDER, payment_state=PaymentState.PENDING, is_cancelled=True), GrantReason.ORDER_CANCELLED),
        (replace(ORDER, payment_state=PaymentState.PENDING, is_disputed=True), GrantReason.ORDER_DISPUTED),
    ],
)
def test_an_order_that_is_taken_back_takes_its_grant_along(order: OrderFacts | None, reason: GrantReason | None) -> None:
    assert taken_back(order) is reason


INSTANTS = st.integers(0, 7 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
ORDERS = st.builds(
    OrderFacts,
    payment_state=st.sampled_from(PaymentState),
    paid_at=st.one_of(st.none(), INSTANTS),
    total=st.decimals(0, 99, places=2),
    refunded_total=st.decimals(0, 99, places=2),
    is_test=st.booleans(),
    is_cancelled=st.booleans(),
    is_disputed=st.booleans(),
    is_deleted=st.booleans(),
)
PEOPLE = st.builds(PersonFacts, key=st.one_of(st.none(), st.just("email:a@b.example")), holds_unused=st.booleans(), uses=st.integers(0, 5))
OFFERS = st.lists(
    st.builds(
        OfferOption,
        offer_id=st.integers(1, 9),
        is_given=st.booleans(),
        activated_at=INSTANTS,
        minimum_order=st.one_of(st.none(), st.decimals(0, 99, places=2)),
        most_uses=st.integers(0, 5),
    ),
    max_size=4,
    unique_by=lambda offer: offer.offer_id,
)


@given(order=ORDERS, person=PEOPLE, offers=OFFERS)
def test_whatever_is_given_is_earned_given_and_not_taken_back(order: OrderFacts, person: PersonFacts, offers: list[OfferOption]) -> None:
    decided = decide(order, person, offers, NOW)
    if decided is None:
        assert not offers or order.paid_at is None or order.payment_state not in PAID
        return
    assert decided.offer_id in {offer.offer_id for offer in offers}
    if decided.reason is Decision.GRANTED:
        (offer,) = (one for one in offers if one.offer_id == decided.offer_id)
        assert offer.is_given
        assert taken_back(order) is None
        assert not order.is_test
        assert person.key is not None
        assert not person.holds_unused


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (("Anna.Petit+shop@Example.org", "7", "+33612345678"), "email:anna.petit@example.org"),
        (("anna.petit+x@googlemail.com", None, None), "email:annapetit@gmail.com"),
        ((None, "7", "+33612345678"), "customer:7"),
        (("", "", "+33612345678"), "phone:+33612345678"),
        ((None, None, None), None),
        (("", "", ""), None),
    ],
)
def test_a_person_is_told_by_address_else_customer_else_phone(told: tuple[str | None, str | None, str | None], key: str | None) -> None:
    assert person_key(*told) == key


def hidden(state: GrantState = GrantState.LIVE, **changes: Any) -> str | None:
    """Why a link shows nothing; of a grant that is in order unless told otherwise."""
    usual: dict[str, Any] = {"is_offer_on": True, "code_reasons": (), "ends_at": None, "is_single_use": True, "now": NOW}
    return why_hidden(state, **(usual | changes))


@pytest.mark.parametrize(
    ("state", "changes", "why"),
    [
        (GrantState.LIVE, {}, None),
        (GrantState.PREPARING, {}, "preparing"),
        (GrantState.SUSPENDED, {}, "suspended"),
        (GrantState.ENDED, {}, "ended"),
        (GrantState.USED, {}, "used"),
        (GrantState.USED, {"is_single_use": False}, None),
        (GrantState.USED, {"is_single_use": False, "code_reasons": (Ineligible.USED_UP,)}, "used_up"),
        (GrantState.LIVE, {"ends_at": NOW}, "expired"),
        (GrantState.LIVE, {"ends_at": NOW + SECOND}, None),
        (GrantState.LIVE, {"code_reasons": (Ineligible.MISSING, Ineligible.EXPIRED)}, "missing"),
        (GrantState.LIVE, {"code_reasons": (Ineligible.RESTRICTED_TO_PRODUCTS,)}, "restricted_to_products"),
        (GrantState.LIVE, {"is_offer_on": False}, "offer_off"),
        (GrantState.SUSPENDED, {"is_offer_on": False, "ends_at": NOW}, "suspended"),
    ],
)
def test_a_link_shows_the_offer_only_while_its_code_may_be_used(state: GrantState, changes: dict[str, Any], why: str | None) -> None:
    assert hidden(state, **changes) == why


@pytest.mark.parametrize(
    ("zone", "granted", "days", "end"),
    [
        ("Europe/Paris", "2026-11-22T22:59:59+00:00", 7, "2026-11-29T22:59:59+00:00"),
        ("Europe/Paris", "2026-11-22T23:00:00+00:00", 7, "2026-11-30T22:59:59+00:00"),  # already the 23rd there
        ("UTC", "2026-11-22T00:00:00+00:00", 1, "2026-11-23T23:59:59+00:00"),
        ("Pacific/Auckland", "2026-11-22T11:00:00+00:00", 1, "2026-11-24T10:59:59+00:00"),
        ("Europe/Paris", "2027-03-20T12:00:00+00:00", 8, "2027-03-28T21:59:59+00:00"),  # the clocks go forward that morning
        ("Europe/Paris", "2026-10-20T12:00:00+00:00", 5, "2026-10-25T22:59:59+00:00"),  # and back
        # In Beirut they go back at midnight: the last second before it comes twice, and the day ends with the second one.
        ("Asia/Beirut", "2026-10-20T12:00:00+00:00", 4, "2026-10-24T21:59:59+00:00"),
        ("Asia/Beirut", "2026-03-20T12:00:00+00:00", 8, "2026-03-28T21:59:59+00:00"),
    ],
)
def test_a_code_ends_with_a_day_of_the_shops_calendar(zone: str, granted: str, days: int, end: str) -> None:
    assert end_of_day_after(datetime.fromisoformat(granted), days, ZoneInfo(zone)) == datetime.fromisoformat(end)


@given(
    at=st.integers(0, 2 * 365 * 24 * 3600).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    days=st.integers(1, 365),
    zone=st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Beirut", "America/Havana", "Pacific/Chatham", "Africa/Cairo"]),
)
def test_the_next_second_is_the_next_day(at: datetime, days: int, zone: str) -> None:
    place = ZoneInfo(zone)
    end = end_of_day_after(at, days, place)
    assert end.tzinfo is UTC
    assert end.astimezone(place).date() == at.astimezone(place).date() + timedelta(days=days)
    assert (end + SECOND).astimezone(place).date() == at.astimezone(place).date() + timedelta(days=days + 1)
