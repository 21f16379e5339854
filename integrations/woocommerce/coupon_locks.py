"""
Suspending and resuming coupons: what is written, and whether the store did it. Two locks: a draft, and an end in the year 2000.

A checkout knows no drafts. The end that a coupon had is noted at the coupon itself, and given back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connector import clock
from connector.platforms import TransientError
from integrations.woocommerce.coupon_nodes import FORMER_END, NO_END, SUSPENDED_AT, CouponBody, former_end, wire_time
from integrations.woocommerce.payloads import PLATFORM
from integrations.woocommerce.values import instant


def suspending(body: CouponBody) -> Mapping[str, Any] | None:
    """What REST must be told to suspend this coupon, None if it is suspended."""
    end = instant(body.date_expires_gmt)
    if is_locked(body):
        return None
    fields: dict[str, Any] = {"status": "draft", "date_expires": wire_time(SUSPENDED_AT)}
    if end != SUSPENDED_AT:
        fields["meta_data"] = [{"key": FORMER_END, "value": wire_time(end) if end else NO_END}]
    return fields


def resuming(body: CouponBody) -> Mapping[str, Any] | None:
    """
    What REST must be told to resume it, None if it is not suspended. Where the end that it had is not known, a past one is taken away.

    The note stays: WooCommerce would delete it before it sets the end, and a store that dies in between would have lost it.
    """
    if body.is_published and instant(body.date_expires_gmt) != SUSPENDED_AT:
        return None
    end = resumed_end(body)
    return {"status": "publish", "date_expires": wire_time(end) if end else ""}


def resumed_end(body: CouponBody) -> datetime | None:
    """The end of a suspended coupon once it is resumed."""
    is_noted, former = former_end(body)
    end = instant(body.date_expires_gmt)
    if is_noted:
        return former
    return end if end is not None and end > clock.now() else None


def is_locked(body: CouponBody) -> bool:
    """Whether both locks are on."""
    return not body.is_published and instant(body.date_expires_gmt) == SUSPENDED_AT


def check_locked(changed: CouponBody, call: str) -> None:
    """Raises TransientError if the store says to have done it, and has not."""
    if not is_locked(changed):
        raise TransientError("the store did not suspend the coupon", platform=PLATFORM, call=call, status=200)


def check_opened(changed: CouponBody, end: datetime | None, call: str) -> None:
    """As `check_locked`, for a coupon that is resumed with this end."""
    if not changed.is_published or instant(changed.date_expires_gmt) != end:
        raise TransientError("the store did not resume the coupon", platform=PLATFORM, call=call, status=200)
