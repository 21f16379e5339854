"""Discount codes: as we would have them issued, and as a store has them. Frozen values, money exact, times aware UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class CodeKind(StrEnum):
    """What a discount code gives. OTHER: something we never issue (buy x get y, an app's own)."""

    PERCENTAGE = "percentage"
    FIXED_AMOUNT = "fixed_amount"
    FREE_SHIPPING = "free_shipping"
    OTHER = "other"


class CodeStatus(StrEnum):
    """Whether the store honours a code now. A deactivated one is EXPIRED; one that is used up may still be ACTIVE."""

    ACTIVE = "active"
    SCHEDULED = "scheduled"
    EXPIRED = "expired"


class Restriction(StrEnum):
    """For whom or what a code is good only: then it is not good for everybody who may be given it."""

    CUSTOMERS = "customers"
    SEGMENTS = "segments"
    MARKETS = "markets"
    PRODUCTS = "products"
    SUBSCRIPTIONS = "subscriptions"
    QUANTITY = "quantity"
    EMAILS = "emails"


@dataclass(frozen=True, slots=True)
class DiscountCode:
    """
    One code on one Shop, as we would have it issued: a percentage (0 < value ≤ 100), a fixed amount, or free shipping.

    `usage_limit`: uses by all shoppers together. `minimum_subtotal` and a fixed `value` are in `currency`, the shop's own.
    """

    code: str
    kind: CodeKind
    value: Decimal | None = None
    currency: str | None = None
    title: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    usage_limit: int | None = None
    once_per_customer: bool = False
    minimum_subtotal: Decimal | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class CodeState:
    """
    A discount code as the store has it now.

    `platform_id`: of the discount it belongs to (Shopify: the number in its gid; one discount may have many codes). `used`: how
    often, as far as the platform has counted. `codes` is how many codes the discount has, where the platform tells.
    """

    platform_id: str
    source_version: datetime
    code: str
    kind: CodeKind
    status: CodeStatus
    title: str | None = None
    value: Decimal | None = None
    currency: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    usage_limit: int | None = None
    used: int = 0
    once_per_customer: bool = False
    minimum_subtotal: Decimal | None = None
    restrictions: tuple[Restriction, ...] = ()
    codes: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedCodes:
    """What became of many unique codes: those that the discount has now, and those refused, each with the platform's reason."""

    issued: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
