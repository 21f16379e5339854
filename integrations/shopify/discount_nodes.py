"""
What the GraphQL Admin API answers about discounts, and how that maps to ours and ours to its inputs.

Source: GraphQL Admin API 2026-10, unions `DiscountCode` and `Discount`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from connector.codes import CodeKind, CodeState, CodeStatus, DiscountCode, Restriction
from connector.platforms import Rejected
from integrations.shopify.answers import PLATFORM

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
BASIC, FREE_SHIPPING = "DiscountCodeBasic", "DiscountCodeFreeShipping"
KINDS = frozenset({BASIC, FREE_SHIPPING, "DiscountCodeBxgy", "DiscountCodeApp"})
"""Discounts with codes; others of a list are automatic."""
HUNDRED = Decimal(100)
SKEW = timedelta(minutes=1)
"""Shopify's clock may be behind ours: a code that holds from now on holds at once."""

_RESTRICTED: Mapping[str, tuple[Restriction, ...]] = {
    "DiscountBuyerSelectionAll": (),
    "DiscountCustomerSegments": (Restriction.SEGMENTS,),
    "DiscountMarkets": (Restriction.MARKETS,),
}
"""By the type of `context`; any other is for certain customers."""


class Node(msgspec.Struct, rename="camel"):
    """GraphQL spells its fields in camelCase."""


class Typed(Node):
    """Something of which only its type is asked for."""

    typename: str = msgspec.field(name="__typename")


class Amount(Node):
    """Money as decimal text."""

    amount: Decimal
    currency_code: str


class Minimum(Typed):
    """What an order must come to: `DiscountMinimumSubtotal`, or `DiscountMinimumQuantity`."""

    greater_than_or_equal_to_subtotal: Amount | None = None


class Value(Typed):
    """`DiscountPercentage` (a fraction of one), `DiscountAmount`, or `DiscountOnQuantity`."""

    percentage: Decimal | None = None
    amount: Amount | None = None


class Gets(Node):
    """What the shopper gets off, and on what."""

    items: Typed
    value: Value
    applies_on_one_time_purchase: bool = True


class Code(Node):
    """One code of a discount, and how often that one was used as far as Shopify has counted."""

    code: str
    async_usage_count: int = 0


class Codes(Node):
    """Some codes of a discount."""

    nodes: list[Code]


class Number(Node):
    """How many codes."""

    count: int


class Discount(Typed):
    """Any discount; what only some kinds have is optional. An automatic one has nothing of this but its type."""

    status: str = ""
    updated_at: Instant | None = None
    title: str | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    usage_limit: int | None = None
    applies_once_per_customer: bool = False
    async_usage_count: int = 0
    codes_count: Number | None = None
    codes: Codes | None = None
    asked: Codes | None = None
    context: Typed | None = None
    minimum_requirement: Minimum | None = None
    customer_gets: Gets | None = None
    applies_on_one_time_purchase: bool = True
    destination_selection: Typed | None = None


def to_code_state(gid: str, found: Discount, asked: str = "") -> CodeState | None:
    """
    A discount as we know codes; None if it is automatic, has no code or no time of change.

    A discount may have many codes: `asked` is the one it was found by, else its first one stands for it. The limit of uses holds for
    each code by itself, so `used` is that code's own.
    """
    first = found.codes.nodes[0].code if found.codes and found.codes.nodes else None
    name = first if not asked or (first or "").casefold() == asked.casefold() else asked
    if found.typename not in KINDS or name is None or first is None or found.updated_at is None:
        return None
    value = found.customer_gets.value if found.customer_gets else None
    percentage = value.percentage if value else None
    minimum = found.minimum_requirement.greater_than_or_equal_to_subtotal if found.minimum_requirement else None
    amount = value.amount if value else None
    money = amount or minimum
    return CodeState(
        platform_id=gid.rpartition("/")[2],
        source_version=found.updated_at.astimezone(UTC),
        code=name,
        kind=_kind(found.typename, value),
        status=CodeStatus(found.status.lower()) if found.status in {"ACTIVE", "SCHEDULED"} else CodeStatus.EXPIRED,
        title=found.title,
        value=percentage * HUNDRED if percentage is not None else amount.amount if amount else None,
        currency=money.currency_code if money else None,
        starts_at=_utc(found.starts_at),
        ends_at=_utc(found.ends_at),
        usage_limit=found.usage_limit,
        used=_used(found, name),
        once_per_customer=found.applies_once_per_customer,
        minimum_subtotal=minimum.amount if minimum else None,
        restrictions=_restrictions(found),
        codes=found.codes_count.count if found.codes_count else None,
    )


def to_input(code: DiscountCode, now: datetime) -> dict[str, Any]:
    """
    Our code as GraphQL's input. It is for everybody and for everything, as a code must be that anybody may be given.

    Raises Rejected for what Shopify has not: codes for one e-mail address, kinds without a value.
    """
    if code.email is not None:
        raise Rejected("Shopify has no codes for one e-mail address", platform=PLATFORM, call="discount")
    wanted: dict[str, Any] = {
        "title": code.title or code.code,
        "code": code.code,
        "startsAt": wire_time(code.starts_at or now - SKEW),
        "endsAt": wire_time(code.ends_at) if code.ends_at else None,
        "context": {"all": "ALL"},
        "usageLimit": code.usage_limit,
        "appliesOncePerCustomer": code.once_per_customer,
    }
    if code.minimum_subtotal is not None:
        wanted["minimumRequirement"] = {"subtotal": {"greaterThanOrEqualToSubtotal": str(code.minimum_subtotal)}}
    if code.kind is CodeKind.FREE_SHIPPING:
        return wanted | {"destination": {"all": True}}
    return wanted | {"customerGets": {"value": _wire_value(code), "items": {"all": True}}}


def is_as_wanted(state: CodeState, code: DiscountCode) -> bool:
    """
    Whether a discount is the one that we would make: same terms, for everybody. Its title and what was used of it do not matter.

    Shopify keeps whole seconds.
    """
    return (
        state.kind is code.kind
        and not state.restrictions
        and (code.kind is CodeKind.FREE_SHIPPING or state.value == code.value)
        and (code.currency is None or state.currency in (None, code.currency))
        and (code.starts_at is None or state.starts_at == code.starts_at.replace(microsecond=0))
        and state.ends_at == (code.ends_at.replace(microsecond=0) if code.ends_at else None)
        and state.usage_limit == code.usage_limit
        and state.once_per_customer == code.once_per_customer
        and state.minimum_subtotal == code.minimum_subtotal
    )


def wire_time(at: datetime) -> str:
    """An instant as Shopify writes it: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _used(found: Discount, name: str) -> int:
    """
    How often one code of a discount was used; of many codes only its own uses count.

    One that the search for codes does not know yet was made just now: nobody used it.
    """
    if found.codes_count is None or found.codes_count.count <= 1:
        return found.async_usage_count
    told = [*(found.asked.nodes if found.asked else ()), *(found.codes.nodes if found.codes else ())]
    return next((one.async_usage_count for one in told if one.code.casefold() == name.casefold()), 0)


def _kind(typename: str, value: Value | None) -> CodeKind:
    if typename == FREE_SHIPPING:
        return CodeKind.FREE_SHIPPING
    if typename != BASIC or value is None:
        return CodeKind.OTHER
    return {"DiscountPercentage": CodeKind.PERCENTAGE, "DiscountAmount": CodeKind.FIXED_AMOUNT}.get(value.typename, CodeKind.OTHER)


def _restrictions(found: Discount) -> tuple[Restriction, ...]:
    gets, places = found.customer_gets, found.destination_selection
    named = list(_RESTRICTED.get(found.context.typename if found.context else "", (Restriction.CUSTOMERS,)))
    if gets is not None and gets.items.typename != "AllDiscountItems":
        named.append(Restriction.PRODUCTS)
    if places is not None and places.typename != "DiscountCountryAll":
        named.append(Restriction.MARKETS)
    if not (gets.applies_on_one_time_purchase if gets else found.applies_on_one_time_purchase):
        named.append(Restriction.SUBSCRIPTIONS)
    if found.minimum_requirement is not None and found.minimum_requirement.typename == "DiscountMinimumQuantity":
        named.append(Restriction.QUANTITY)
    return tuple(dict.fromkeys(named))


def _wire_value(code: DiscountCode) -> dict[str, Any]:
    if code.value is None or code.kind not in (CodeKind.PERCENTAGE, CodeKind.FIXED_AMOUNT):
        raise Rejected(f"a code of the kind {code.kind.value} cannot be made without a value", platform=PLATFORM, call="discount")
    if code.kind is CodeKind.PERCENTAGE:
        return {"percentage": float(code.value / HUNDRED)}
    return {"discountAmount": {"amount": str(code.value), "appliesOnEachItem": False}}


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None
