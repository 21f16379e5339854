"""What became of a checkout, in one word for lists."""

from datetime import datetime
from enum import StrEnum

from connector.rules.automations import CheckoutFacts


class CheckoutState(StrEnum):
    """The word shown to people; the first that fits, in the order of `checkout_state`."""

    RECOVERED = "recovered"
    PURCHASED = "purchased"
    CLOSED = "closed"
    NO_CONTACT = "no contact"
    ABANDONED = "abandoned"
    CART = "cart"
    EMPTIED = "emptied"
    IMPORTED = "imported"
    WAITING = "waiting"


def checkout_state(facts: CheckoutFacts, converted_at: datetime | None) -> CheckoutState:
    """
    The state of a checkout. An order outweighs everything; nobody to write to outweighs being abandoned.

    Imported: only a sync told of it, so that it waits for nothing.
    An order placed after the checkout was abandoned is a recovery; `converted_at` is None where only the store said "completed".
    """
    is_recovered = facts.abandoned_at is not None and converted_at is not None and converted_at > facts.abandoned_at
    states = (
        (facts.is_converted and is_recovered, CheckoutState.RECOVERED),
        (facts.is_converted, CheckoutState.PURCHASED),
        (facts.is_closed, CheckoutState.CLOSED),
        (facts.email is None, CheckoutState.NO_CONTACT),
        (facts.abandoned_at is not None, CheckoutState.ABANDONED),
        (facts.is_cart, CheckoutState.CART),
        (not facts.has_lines, CheckoutState.EMPTIED),
        (facts.is_quiet, CheckoutState.IMPORTED),
    )
    return next((state for holds, state in states if holds), CheckoutState.WAITING)
