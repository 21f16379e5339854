"""
When a checkout counts as abandoned.

The clock runs from the shopper's last activity, told by a fingerprint of what shoppers change, not by the platform's
`updated_at`: price recalculation, taxes, notes and other apps' updates must not reset it (SQ-05). The clock may instead
run from the last addition (SW-02). Versions of a checkout arrive in any order, so activity is computed from all the
versions seen, never from the last delivery.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from connector.canonical import Checkout
from connector.errors import Refused
from connector.rules.identity import normalise_email

SHORTEST_MINUTES = 20
LONGEST_MINUTES = 48 * 60
DEFAULT_MINUTES = 60
PRESET_MINUTES = (20, 30, 60, 120, 360, 600, 1440, 2880)


class ActivityClock(StrEnum):
    """What restarts the wait: any ACTIVITY of the shopper (default), or only the ADDITION of products."""

    ACTIVITY = "activity"
    ADDITION = "addition"


@dataclass(frozen=True, slots=True)
class Version:
    """One seen version of a checkout: the platform's instant, what the shopper had done by then, and how many of each product."""

    at: datetime
    fingerprint: str
    quantities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a checkout stands: due to become abandoned at `due_at`, or not at all for `reason`."""

    due_at: datetime | None
    reason: str = ""


def check_threshold(minutes: int) -> int:
    """Return `minutes` if it is an allowed threshold (SQ-11: 20 minutes to 48 hours, inclusive). Raises Refused."""
    if not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise Refused(
            "The delay must be between {shortest} minutes and 48 hours ({longest} minutes); {minutes} minutes is not.",
            shortest=SHORTEST_MINUTES,
            longest=LONGEST_MINUTES,
            minutes=minutes,
        )
    return minutes


def to_version(checkout: Checkout) -> Version:
    """What a checkout, as it is told now, adds to the versions seen of it."""
    counts = quantities(checkout)
    return Version(checkout.source_version, fingerprint(checkout, counts), counts)


def fingerprint(checkout: Checkout, counts: Mapping[str, int] | None = None) -> str:
    """
    32 hex digits that change when the shopper did something, and only then.

    Counts: products, variants and quantities; e-mail and phone typed; discount codes entered; shipping method chosen.
    Prices, taxes, totals, titles, notes and completion do not. The order of lines does not. `counts`: the checkout's
    quantities, if they are at hand.
    """
    done = (
        sorted((quantities(checkout) if counts is None else counts).items()),
        normalise_email(checkout.email) or "",
        checkout.checkout_phone.raw if checkout.checkout_phone else "",
        sorted(code.lower() for code in checkout.discount_codes),
        checkout.shipping_method or "",
    )
    return hashlib.sha256(msgspec.json.encode(done)).hexdigest()[:32]


def quantities(checkout: Checkout) -> dict[str, int]:
    """How many of each variant (else product, else line) the checkout holds."""
    counts: dict[str, int] = {}
    for line in checkout.lines:
        key = f"v{line.variant_id}" if line.variant_id else f"p{line.product_id}" if line.product_id else f"k{line.key}"
        counts[key] = counts.get(key, 0) + line.quantity
    return counts


def last_activity(versions: Sequence[Version], clock: ActivityClock) -> datetime:
    """
    T0: when the shopper was last active, by the platform's time.

    `versions`: at least one, oldest first. A version is active if its fingerprint differs from the one before it; under
    the ADDITION clock, if it holds more of something than the one before it. The first version always counts.
    """
    latest = versions[0].at
    for before, after in itertools.pairwise(versions):
        if clock is ActivityClock.ADDITION:
            is_active = any(count > before.quantities.get(key, 0) for key, count in after.quantities.items())
        else:
            is_active = after.fingerprint != before.fingerprint
        if is_active:
            latest = after.at
    return latest


def standing(
    *, last_activity_at: datetime, has_lines: bool, is_over: bool, is_cart: bool, threshold_minutes: int, is_quiet: bool = False
) -> Standing:
    """
    When an open checkout becomes abandoned, or why it does not.

    `is_over`: completed, converted by an order, closed or deleted. An emptied checkout is nothing to come back to. A cart
    that never reached the checkout page does not count (SQ-04). `is_quiet`: only a sync told what is in it; no sync begins anything.
    """
    if is_over:
        return Standing(None, "over")
    if not has_lines:
        return Standing(None, "emptied")
    if is_cart:
        return Standing(None, "not_at_checkout")
    if is_quiet:
        return Standing(None, "learned_by_sync")
    return Standing(last_activity_at + timedelta(minutes=threshold_minutes))
