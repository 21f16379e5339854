"""What the pretend Shopify finds wrong with the input of a discount. Codes: `DiscountErrorCode` of the Admin API 2026-10."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

LONGEST = 255


@dataclass(frozen=True, slots=True)
class Wrong:
    """One user error; `path` is relative to the input, None where Shopify names no field."""

    message: str
    code: str | None
    path: tuple[str, ...] | None


def check_input(kind: str, wanted: Mapping[str, Any], *, is_new: bool) -> list[Wrong]:
    """All that is wrong with what shall become a discount of this kind."""
    return [*_names(wanted, is_new), *_times(wanted, is_new), *_limits(wanted), *(_value(wanted) if kind == "DiscountCodeBasic" else ())]


def _names(wanted: Mapping[str, Any], is_new: bool) -> Iterator[Wrong]:
    for name in ("title", "code"):
        text = wanted.get(name)
        if (is_new and text is None) or (text is not None and not text.strip()):
            yield Wrong(f"{name.capitalize()} can't be blank", "BLANK", (name,))
        elif text is not None and len(text) > LONGEST:
            yield Wrong(f"{name.capitalize()} is too long (maximum is {LONGEST} characters)", "TOO_LONG", (name,))


def _times(wanted: Mapping[str, Any], is_new: bool) -> Iterator[Wrong]:
    starts_at, ends_at = wanted.get("startsAt"), wanted.get("endsAt")
    if starts_at is None and is_new:
        yield Wrong("Starts at can't be blank", "BLANK", ("startsAt",))
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        yield Wrong("Ends at needs to be after starts_at", "END_DATE_BEFORE_START_DATE", ("endsAt",))


def _limits(wanted: Mapping[str, Any]) -> Iterator[Wrong]:
    if wanted.get("context") is None:
        yield Wrong("Context can't be blank", "BLANK", ("context",))
    limit, minimum = wanted.get("usageLimit"), wanted.get("minimumRequirement") or {}
    if limit is not None and limit < 1:
        yield Wrong("Usage limit must be greater than 0", "GREATER_THAN", ("usageLimit",))
    subtotal = (minimum.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    if minimum.get("subtotal") and minimum.get("quantity"):
        yield Wrong(
            "Minimum subtotal and quantity cannot both be present",
            "MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT",
            ("minimumRequirement", "quantity", "greaterThanOrEqualToQuantity"),
        )
    elif subtotal is not None and Decimal(subtotal) <= 0:
        yield Wrong(
            "Minimum subtotal must be greater than 0", "GREATER_THAN", ("minimumRequirement", "subtotal", "greaterThanOrEqualToSubtotal")
        )


def _value(wanted: Mapping[str, Any]) -> Iterator[Wrong]:
    gets = wanted.get("customerGets") or {}
    value, items = gets.get("value") or {}, gets.get("items") or {}
    if not items:
        yield Wrong("Items in 'customer get' must be defined", "BLANK", ("customerGets", "items"))
    if not value:
        yield Wrong("Value must be defined", "BLANK", ("customerGets", "value"))
    elif "discountOnQuantity" in value:
        yield Wrong(
            "Discount on quantity field is only permitted with bxgy discounts.", "INVALID", ("customerGets", "value", "discountOnQuantity")
        )
    elif "percentage" in value and not 0 < value["percentage"] <= 1:
        yield Wrong("Value must be between 0.0 and 1.0", "VALUE_OUTSIDE_RANGE", ("customerGets", "value", "percentage"))
    elif "discountAmount" in value and Decimal(value["discountAmount"].get("amount") or 0) <= 0:
        yield Wrong("Value must be greater than 0", "GREATER_THAN", ("customerGets", "value", "discountAmount", "amount"))
