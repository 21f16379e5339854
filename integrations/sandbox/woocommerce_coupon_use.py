"""Coupons at the pretend WooCommerce's checkout: who may use one, in the store's words, and what it takes off each line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from integrations.sandbox.woocommerce_coupons import Coupon, CouponBook, formatted

CENT = Decimal("0.01")
HUNDRED = Decimal(100)
_SEQUENCE = {"fixed_product": 1, "percent": 2, "fixed_cart": 3}


class CouponRefused(Exception):
    """The checkout's words, HTML-escaped as it sends them. Store API: 400 `woocommerce_rest_cart_coupon_error`."""


@dataclass(frozen=True, slots=True)
class Cart:
    """
    What the checkout knows when a coupon is tried: gross sum of the lines, e-mail ("" if none yet), account (0: a guest) and its e-mail.

    `order_id`: of an order that is placed again, whose own use does not count.
    """

    subtotal: Decimal
    email: str = ""
    customer_id: int = 0
    account_email: str = ""
    order_id: int = 0


def apply_coupon(book: CouponBook, code: str, applied: Sequence[str], cart: Cart) -> list[str]:
    """The codes in a cart after one more was typed in: one for individual use drives the others out. Raises CouponRefused."""
    name = formatted(code)
    coupon = book.by_code(name)
    if name in applied:
        raise CouponRefused(f"Coupon code {_quoted(name)} has already been applied.")
    if reason := refusal(book, name, cart, is_last=False):
        raise CouponRefused(reason)
    for other in applied:
        held = book.by_code(other)
        if held is not None and held.flags["individual_use"]:
            raise CouponRefused(f"{_quoted(other)} has already been applied and cannot be used in conjunction with other coupons.")
    assert coupon is not None
    return [name] if coupon.flags["individual_use"] else [*applied, name]


def refusal(book: CouponBook, code: str, cart: Cart, *, is_last: bool = True) -> str:
    """
    Why this cart cannot have the coupon, in the store's words; "" if it can. Order of the checks: as in core.

    `is_last`: the order is being placed; only then a guest's former uses count.
    """
    name = formatted(code)
    coupon = book.by_code(name)
    if coupon is None:
        return f"Coupon {_quoted(name)} cannot be applied because it does not exist."
    limit, each = coupon.limits["usage_limit"], coupon.limits["usage_limit_per_user"]
    if limit is not None and coupon.usage_count - book.counted(cart.order_id, name) >= limit:
        return _used_up(name, cart)
    person = str(cart.customer_id) if cart.customer_id else cart.email.lower() * is_last
    if each is not None and person and uses_of(book, coupon, person, cart) >= each:
        return _used_up(name, cart)
    if coupon.expires_at is not None and book.now() > coupon.expires_at + book.behind:
        return f"Coupon {_quoted(name)} has expired."
    if coupon.minimum > cart.subtotal:
        return f"The minimum spend for coupon {_quoted(name)} is {coupon.minimum:.2f} &euro;."
    if coupon.maximum and coupon.maximum < cart.subtotal:
        return f"The maximum spend for coupon {_quoted(name)} is {coupon.maximum:.2f} &euro;."
    if coupon.emails and not expects(coupon, (cart.email, cart.account_email)):
        return f"Please enter a valid email at checkout to use coupon code {_quoted(name)}."
    return ""


def discounts(book: CouponBook, codes: Sequence[str], lines: Sequence[Decimal]) -> list[Decimal]:
    """What these codes take off each line (gross prices in, gross discounts out); never more than a line's price."""
    off = [Decimal(0) for _ in lines]
    found = [coupon for code in codes if (coupon := book.by_code(code)) is not None]
    for coupon in sorted(found, key=lambda one: _SEQUENCE[one.discount_type]):
        for place, part in enumerate(_parts(coupon, lines)):
            off[place] = min(lines[place], off[place] + part)
    return off


def _parts(coupon: Coupon, lines: Sequence[Decimal]) -> list[Decimal]:
    """One coupon by itself: a share of each line, or its amount spread over all, the cents that are left on the last."""
    total = sum(lines, Decimal(0))
    if coupon.discount_type == "percent":
        return [(line * coupon.amount / HUNDRED).quantize(CENT, ROUND_HALF_UP) for line in lines]
    if coupon.discount_type == "fixed_product":
        return [min(line, coupon.amount) for line in lines]
    if not total:
        return [Decimal(0) for _ in lines]
    amount = min(coupon.amount, total)
    parts = [(amount * line / total).quantize(CENT, ROUND_HALF_UP) for line in lines]
    parts[-1] += amount - sum(parts, Decimal(0))
    return parts


def expects(coupon: Coupon, emails: Sequence[str]) -> bool:
    """Whether a coupon that is locked to e-mail addresses is for one of these."""
    return any(_matches(email.lower(), pattern) for email in emails for pattern in coupon.emails)


def uses_of(book: CouponBook, coupon: Coupon, person: str, cart: Cart) -> int:
    """How often somebody (a customer's id as text, or an e-mail) has used it, but for the order that is placed again."""
    return coupon.used_by.count(person) - book.counted(cart.order_id, coupon.code, person)


def _used_up(name: str, cart: Cart) -> str:
    words = f"Usage limit for coupon {_quoted(name)} has been reached."
    return words if cart.customer_id else f"{words} Please try again after some time, or contact us for help."


def _matches(email: str, pattern: str) -> bool:
    """The address itself, else what is taken for a regular expression as it stands, with stars for anything. (DiscountsUtil.php)"""
    try:
        return bool(email) and (email == pattern or re.fullmatch(pattern.replace("*", "(.+)?"), email) is not None)
    except re.error:
        return False


def _quoted(code: str) -> str:
    return f"&quot;{code}&quot;"
