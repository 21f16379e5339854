"""
What an automation does with an abandoned checkout: enrol it or not, and, in the instant before sending, send or not.

Every answer carries its reason; reasons are written to Decisions and shown to merchants and support as they are.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MOST_LOOKS = 3
"""So often a message is put back because its store does not answer; then it goes out with what we know."""
MOST_TURNS = 10
"""So often it is put back because its store asks us to wait: that passes, but a reminder must not be late by hours."""
LOOK_AGAIN = timedelta(minutes=1)
ELSEWHERE_AGAIN = timedelta(minutes=5)


class Reason(StrEnum):
    """Why something was done, is waiting, or was not done."""

    WAITING = "waiting"
    LEARNED_BY_SYNC = "learned_by_sync"
    NOT_IDENTIFIED = "not_identified"
    NOT_AT_CHECKOUT = "not_at_checkout"
    EMPTIED = "emptied"
    PURCHASED = "purchased"
    CLOSED = "closed"
    ABANDONED_BEFORE_ACTIVATION = "abandoned_before_activation"
    AUTOMATION_OFF = "automation_off"
    SUPPRESSED = "suppressed"
    SHOP_DISCONNECTED = "shop_disconnected"
    NO_RECOVERY_LINK = "no_recovery_link"
    SOLD_OUT = "sold_out"
    STORE_SILENT = "store_silent"
    STORE_ELSEWHERE = "store_elsewhere"
    SHOPPER_ACTIVE = "shopper_active"
    ENROLLED = "enrolled"
    SENDING = "sending"
    SENT = "sent"
    RETRYING = "retrying"
    REFUSED = "refused"
    NOT_COMPOSED = "not_composed"
    UNKNOWN_OUTCOME = "unknown_outcome"


class Outcome(StrEnum):
    """What to do: GO on, WAIT until `at`, or STOP for good."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason; `at` says when to look again (WAIT) or when the step is due (GO)."""

    outcome: Outcome
    reason: Reason
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CheckoutFacts:
    """
    A checkout as the rules see it at one instant. `email` is normalised; `is_converted`: an order of this person exists.

    `is_quiet`: only a sync told of it as it is; no sync begins anything.
    """

    email: str | None
    has_lines: bool
    is_cart: bool
    is_converted: bool
    is_closed: bool
    last_activity_at: datetime
    abandoned_at: datetime | None
    recovery_url: str | None
    is_quiet: bool = False


@dataclass(frozen=True, slots=True)
class AutomationFacts:
    """An automation's switch and wait. `activated_at` is the last time it was turned on."""

    is_on: bool
    activated_at: datetime | None
    wait_minutes: int = 0


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """
    What of the shop matters: connected, and its threshold in minutes.

    `is_elsewhere`: another site speaks in its name, and the store at its own address has not said yet who it is.
    """

    is_connected: bool
    threshold_minutes: int
    is_elsewhere: bool = False


def decide_enrollment(checkout: CheckoutFacts, automation: AutomationFacts, shop: ShopFacts, *, is_suppressed: bool) -> Verdict:
    """
    Whether an abandoned checkout enters an automation (SQ-02, SQ-04, SQ-06, SQ-13, SW-10, AC-05).

    GO: due at abandoned_at + wait. WAIT: not abandoned yet. STOP: with the first reason that holds. What was abandoned before a sync
    told of it goes on.
    """
    if checkout.email is None:
        return Verdict(Outcome.STOP, Reason.NOT_IDENTIFIED)
    stop = _reason_to_stop(checkout, automation, shop, is_suppressed=is_suppressed)
    if stop is not None:
        return Verdict(Outcome.STOP, stop)
    if checkout.abandoned_at is None and checkout.is_quiet:
        return Verdict(Outcome.STOP, Reason.LEARNED_BY_SYNC)
    if checkout.abandoned_at is None:
        return Verdict(Outcome.WAIT, Reason.WAITING, checkout.last_activity_at + timedelta(minutes=shop.threshold_minutes))
    if automation.activated_at is None or checkout.abandoned_at < automation.activated_at:
        return Verdict(Outcome.STOP, Reason.ABANDONED_BEFORE_ACTIVATION)
    return Verdict(Outcome.GO, Reason.ENROLLED, checkout.abandoned_at + timedelta(minutes=automation.wait_minutes))


def decide_sending(
    checkout: CheckoutFacts, automation: AutomationFacts, shop: ShopFacts, *, is_suppressed: bool, enrolled_at: datetime, now: datetime
) -> Verdict:
    """
    The last look, inside the claim, before a message leaves (SQ-05, SQ-06, SQ-20, SQ-21, SW-12).

    An automation switched off, even if switched on again since `enrolled_at`, does not revive what was queued. A shopper
    who came back to the cart is left alone until threshold and wait have passed again.
    """
    stop = _reason_to_stop(checkout, automation, shop, is_suppressed=is_suppressed)
    if stop is not None:
        return Verdict(Outcome.STOP, stop)
    if automation.activated_at is None or enrolled_at < automation.activated_at:
        return Verdict(Outcome.STOP, Reason.AUTOMATION_OFF)
    if checkout.email is None:
        return Verdict(Outcome.STOP, Reason.NOT_IDENTIFIED)
    earliest = checkout.last_activity_at + timedelta(minutes=shop.threshold_minutes + automation.wait_minutes)
    if now < earliest:
        return Verdict(Outcome.WAIT, Reason.SHOPPER_ACTIVE, earliest)
    if shop.is_elsewhere:
        return Verdict(Outcome.WAIT, Reason.STORE_ELSEWHERE, now + ELSEWHERE_AGAIN)
    return Verdict(Outcome.GO, Reason.SENDING)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """
    What the store itself says of a checkout in this instant. `has_answered` False: it may answer later, and if it said when, then
    after `retry_seconds`.

    `is_purchased`: an order came of it that we were not told of. `is_sold_out`: nothing that is in it can be bought any more.
    """

    has_answered: bool = True
    is_purchased: bool = False
    is_sold_out: bool = False
    retry_seconds: float | None = None


def decide_by_store(store: StoreFacts, looks: int, now: datetime) -> Verdict:
    """What the store's word means for a message that `decide_sending` lets go, after so many looks without an answer (SQ-06, NH-07)."""
    if store.is_purchased:
        return Verdict(Outcome.STOP, Reason.PURCHASED)
    if store.is_sold_out:
        return Verdict(Outcome.STOP, Reason.SOLD_OUT)
    if store.has_answered:
        return Verdict(Outcome.GO, Reason.SENDING)
    if store.retry_seconds is None and looks < MOST_LOOKS:
        return Verdict(Outcome.WAIT, Reason.STORE_SILENT, now + LOOK_AGAIN)
    if store.retry_seconds is not None and looks < MOST_TURNS:
        return Verdict(Outcome.WAIT, Reason.STORE_SILENT, now + min(LOOK_AGAIN, timedelta(seconds=max(1.0, store.retry_seconds))))
    return Verdict(Outcome.GO, Reason.SENDING)


def _reason_to_stop(checkout: CheckoutFacts, automation: AutomationFacts, shop: ShopFacts, *, is_suppressed: bool) -> Reason | None:
    """The first reason, strongest first, why this checkout gets nothing from this automation."""
    reasons = (
        (checkout.is_converted, Reason.PURCHASED),
        (not shop.is_connected, Reason.SHOP_DISCONNECTED),
        (not automation.is_on, Reason.AUTOMATION_OFF),
        (checkout.is_closed, Reason.CLOSED),
        (not checkout.has_lines, Reason.EMPTIED),
        (checkout.is_cart, Reason.NOT_AT_CHECKOUT),
        (is_suppressed, Reason.SUPPRESSED),
        (checkout.recovery_url is None, Reason.NO_RECOVERY_LINK),
    )
    return next((reason for holds, reason in reasons if holds), None)
