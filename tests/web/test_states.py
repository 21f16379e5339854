"""What became of a checkout, in one word."""

from datetime import datetime

import pytest

from connector.rules.automations import CheckoutFacts
from connector.web.states import CheckoutState, checkout_state
from tests.factories import EMAIL, T0, at


def facts(**changes: object) -> CheckoutFacts:
    """An open checkout of somebody who can be told."""
    known = {
        "email": EMAIL,
        "has_lines": True,
        "is_cart": False,
        "is_converted": False,
        "is_closed": False,
        "last_activity_at": T0,
        "abandoned_at": None,
        "recovery_url": "https://x.example",
    }
    return CheckoutFacts(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "converted_at", "state"),
    [
        ({}, None, CheckoutState.WAITING),
        ({"abandoned_at": at(60)}, None, CheckoutState.ABANDONED),
        ({"abandoned_at": at(60), "is_converted": True}, at(61), CheckoutState.RECOVERED),
        ({"abandoned_at": at(60), "is_converted": True}, at(60), CheckoutState.PURCHASED),
        ({"abandoned_at": at(60), "is_converted": True}, None, CheckoutState.PURCHASED),
        ({"is_converted": True, "is_closed": True}, at(5), CheckoutState.PURCHASED),
        ({"is_closed": True, "email": None}, None, CheckoutState.CLOSED),
        ({"email": None, "abandoned_at": at(60)}, None, CheckoutState.NO_CONTACT),
        ({"is_cart": True}, None, CheckoutState.CART),
        ({"has_lines": False}, None, CheckoutState.EMPTIED),
        ({"has_lines": False, "is_quiet": True}, None, CheckoutState.EMPTIED),
        ({"is_quiet": True}, None, CheckoutState.IMPORTED),
        ({"is_quiet": True, "abandoned_at": at(60)}, None, CheckoutState.ABANDONED),
    ],
)
def test_the_first_word_that_fits_is_shown(changes: dict[str, object], converted_at: datetime | None, state: CheckoutState) -> None:
    assert checkout_state(facts(**changes), converted_at) is state
