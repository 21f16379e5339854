"""What an automation does with a checkout, and why."""

from dataclasses import replace
from datetime import datetime

import pytest

from connector.rules.automations import (
    MOST_LOOKS,
    MOST_TURNS,
    AutomationFacts,
    CheckoutFacts,
    Outcome,
    Reason,
    ShopFacts,
    StoreFacts,
    Verdict,
    decide_by_store,
    decide_enrollment,
    decide_sending,
)
from tests.factories import EMAIL, T0, at

ABANDONED_AT = at(60)
ABANDONED = CheckoutFacts(
    email=EMAIL,
    has_lines=True,
    is_cart=False,
    is_converted=False,
    is_closed=False,
    last_activity_at=T0,
    abandoned_at=ABANDONED_AT,
    recovery_url="https://demo.example/recover",
)
ON = AutomationFacts(is_on=True, activated_at=at(-600))
SHOP = ShopFacts(is_connected=True, threshold_minutes=60)


def enrol(
    checkout: CheckoutFacts = ABANDONED, automation: AutomationFacts = ON, shop: ShopFacts = SHOP, *, suppressed: bool = False
) -> Verdict:
    """Decide on enrolment."""
    return decide_enrollment(checkout, automation, shop, is_suppressed=suppressed)


def send(
    checkout: CheckoutFacts = ABANDONED,
    automation: AutomationFacts = ON,
    shop: ShopFacts = SHOP,
    *,
    suppressed: bool = False,
    enrolled_at: datetime = ABANDONED_AT,
    now: datetime = ABANDONED_AT,
) -> Verdict:
    """Decide on sending."""
    return decide_sending(checkout, automation, shop, is_suppressed=suppressed, enrolled_at=enrolled_at, now=now)


STOPS = [
    (replace(ABANDONED, is_converted=True), ON, SHOP, False, Reason.PURCHASED),
    (ABANDONED, ON, ShopFacts(is_connected=False, threshold_minutes=60), False, Reason.SHOP_DISCONNECTED),
    (ABANDONED, AutomationFacts(is_on=False, activated_at=at(-600)), SHOP, False, Reason.AUTOMATION_OFF),
    (replace(ABANDONED, is_closed=True), ON, SHOP, False, Reason.CLOSED),
    (replace(ABANDONED, has_lines=False), ON, SHOP, False, Reason.EMPTIED),
    (replace(ABANDONED, is_cart=True), ON, SHOP, False, Reason.NOT_AT_CHECKOUT),
    (ABANDONED, ON, SHOP, True, Reason.SUPPRESSED),
    (replace(ABANDONED, recovery_url=None), ON, SHOP, False, Reason.NO_RECOVERY_LINK),
]


@pytest.mark.parametrize(("checkout", "automation", "shop", "suppressed", "reason"), STOPS)
def test_every_reason_to_stop_stops_both_enrolment_and_sending(
    checkout: CheckoutFacts, automation: AutomationFacts, shop: ShopFacts, suppressed: bool, reason: Reason
) -> None:
    assert enrol(checkout, automation, shop, suppressed=suppressed) == Verdict(Outcome.STOP, reason)
    assert send(checkout, automation, shop, suppressed=suppressed) == Verdict(Outcome.STOP, reason)


def test_of_several_reasons_the_strongest_is_told() -> None:
    everything = CheckoutFacts(EMAIL, False, True, True, True, T0, at(60), None)
    off = AutomationFacts(is_on=False, activated_at=None)

    assert enrol(everything, off, ShopFacts(False, 60), suppressed=True).reason is Reason.PURCHASED
    assert enrol(replace(everything, is_converted=False), off, SHOP, suppressed=True).reason is Reason.AUTOMATION_OFF


@pytest.mark.spec("SQ-04")
def test_a_checkout_without_an_email_or_that_is_only_a_cart_gets_nothing_and_the_reason_says_so() -> None:
    nobody = replace(ABANDONED, email=None)

    assert enrol(nobody) == send(nobody) == Verdict(Outcome.STOP, Reason.NOT_IDENTIFIED)
    assert enrol(replace(ABANDONED, is_cart=True)).reason is Reason.NOT_AT_CHECKOUT


@pytest.mark.spec("AC-05")
def test_an_abandoned_checkout_is_enrolled_at_abandonment_plus_wait() -> None:
    assert enrol() == Verdict(Outcome.GO, Reason.ENROLLED, at(60))
    assert enrol(automation=replace(ON, wait_minutes=90)) == Verdict(Outcome.GO, Reason.ENROLLED, at(150))


def test_a_checkout_that_is_not_abandoned_yet_waits_until_it_would_be() -> None:
    assert enrol(replace(ABANDONED, abandoned_at=None)) == Verdict(Outcome.WAIT, Reason.WAITING, at(60))


def test_what_only_a_sync_told_of_never_waits_but_goes_on_if_it_was_abandoned_before() -> None:
    quiet = replace(ABANDONED, is_quiet=True)

    assert enrol(replace(quiet, abandoned_at=None)) == Verdict(Outcome.STOP, Reason.LEARNED_BY_SYNC)
    assert enrol(replace(quiet, abandoned_at=None, is_converted=True)).reason is Reason.PURCHASED
    assert enrol(quiet) == enrol()
    assert send(quiet, now=at(60)) == send(now=at(60))


@pytest.mark.spec("SQ-13")
def test_only_what_is_abandoned_after_activation_counts() -> None:
    before, same, never = (AutomationFacts(is_on=True, activated_at=instant) for instant in (at(60, 1), at(60), None))

    assert enrol(automation=before) == Verdict(Outcome.STOP, Reason.ABANDONED_BEFORE_ACTIVATION)
    assert enrol(automation=never).reason is Reason.ABANDONED_BEFORE_ACTIVATION
    assert enrol(automation=same).outcome is Outcome.GO


@pytest.mark.spec("SQ-06")
def test_a_purchase_before_sending_stops_the_message() -> None:
    assert send().outcome is Outcome.GO
    assert send(replace(ABANDONED, is_converted=True)) == Verdict(Outcome.STOP, Reason.PURCHASED)


@pytest.mark.spec("SQ-05")
def test_a_shopper_who_came_back_is_left_alone_until_the_delay_has_passed_again() -> None:
    edited = replace(ABANDONED, last_activity_at=at(61))

    assert send(edited, now=at(62)) == Verdict(Outcome.WAIT, Reason.SHOPPER_ACTIVE, at(121))
    assert send(edited, now=at(120, 59)).outcome is Outcome.WAIT
    assert send(edited, now=at(121)) == Verdict(Outcome.GO, Reason.SENDING)


def test_the_wait_of_the_automation_counts_again_too() -> None:
    assert send(automation=replace(ON, wait_minutes=30), now=at(89)) == Verdict(Outcome.WAIT, Reason.SHOPPER_ACTIVE, at(90))


@pytest.mark.spec("SQ-20")
def test_nothing_leaves_while_the_automation_is_off() -> None:
    assert send(automation=replace(ON, is_on=False)) == Verdict(Outcome.STOP, Reason.AUTOMATION_OFF)


@pytest.mark.spec("SQ-21")
def test_switching_on_again_does_not_revive_what_was_queued() -> None:
    again = AutomationFacts(is_on=True, activated_at=at(70))

    assert send(automation=again, enrolled_at=at(60), now=at(80)) == Verdict(Outcome.STOP, Reason.AUTOMATION_OFF)
    assert send(automation=replace(again, activated_at=None), now=at(80)).reason is Reason.AUTOMATION_OFF
    assert send(automation=again, enrolled_at=at(70), now=at(80)).outcome is Outcome.GO


@pytest.mark.parametrize(
    ("store", "looks", "verdict"),
    [
        (StoreFacts(), 0, Verdict(Outcome.GO, Reason.SENDING)),
        (StoreFacts(is_purchased=True), 0, Verdict(Outcome.STOP, Reason.PURCHASED)),
        (StoreFacts(is_sold_out=True), 0, Verdict(Outcome.STOP, Reason.SOLD_OUT)),
        (StoreFacts(is_purchased=True, is_sold_out=True), 0, Verdict(Outcome.STOP, Reason.PURCHASED)),
        (StoreFacts(has_answered=False), 0, Verdict(Outcome.WAIT, Reason.STORE_SILENT, at(1))),
        (StoreFacts(has_answered=False), MOST_LOOKS - 1, Verdict(Outcome.WAIT, Reason.STORE_SILENT, at(1))),
        (StoreFacts(has_answered=False), MOST_LOOKS, Verdict(Outcome.GO, Reason.SENDING)),
        (StoreFacts(has_answered=False, retry_seconds=30), MOST_LOOKS, Verdict(Outcome.WAIT, Reason.STORE_SILENT, at(0.5))),
        (StoreFacts(has_answered=False, retry_seconds=0), 0, Verdict(Outcome.WAIT, Reason.STORE_SILENT, at(1 / 60))),
        (StoreFacts(has_answered=False, retry_seconds=600), MOST_TURNS - 1, Verdict(Outcome.WAIT, Reason.STORE_SILENT, at(1))),
        (StoreFacts(has_answered=False, retry_seconds=1), MOST_TURNS, Verdict(Outcome.GO, Reason.SENDING)),
        (StoreFacts(has_answered=False, is_sold_out=True), 0, Verdict(Outcome.STOP, Reason.SOLD_OUT)),
    ],
)
def test_the_stores_own_word_decides_last(store: StoreFacts, looks: int, verdict: Verdict) -> None:
    assert decide_by_store(store, looks, at(0)) == verdict
