"""What a shopper who comes back finds: the checkout with what can still be bought, at today's prices, and what changed meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from integrations.sandbox.shopify_bodies import text
from integrations.sandbox.shopify_shop import CENT, TAX_RATE, Checkout, Line, Shop


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkout as it stands at this moment. `changes` are sentences for the shopper; `code` is the discount that is honoured, if any."""

    lines: tuple[Line, ...]
    changes: tuple[str, ...]
    code: str | None
    discount: Decimal
    tax: Decimal

    @property
    def subtotal(self) -> Decimal:
        """All lines before the discount, tax excluded."""
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What is to be paid."""
        return self.subtotal - self.discount + self.tax


def open_again(shop: Shop, checkout: Checkout, code: str = "") -> Opened:
    """
    The checkout as Shopify shows it to somebody who comes back: lines that cannot be bought any more are gone, current prices count.

    `code` is the discount code of the link. Nothing is changed by looking.
    """
    lines = tuple(replace(line, unit_price=line.variant.price) for line in checkout.lines if shop.is_buyable(line))
    honoured = code or checkout.discount_code or ""
    discount = _worth(shop, checkout, honoured, lines) if honoured else None
    changes = [sentence for line in checkout.lines if (sentence := _change(shop, line))]
    if honoured and discount is None:
        changes.append(f"The discount code {honoured} is not valid.")
    taxed = sum((line.total for line in lines), Decimal(0)) - (discount or Decimal(0))
    tax = (taxed * TAX_RATE).quantize(CENT) if checkout.is_taxed else Decimal(0)
    return Opened(lines, tuple(changes), honoured if discount is not None else None, discount or Decimal(0), tax)


def settle(shop: Shop, checkout: Checkout, code: str = "") -> None:
    """The shopper goes on with what `open_again` shows: that is what the checkout holds from now on."""
    opened = open_again(shop, checkout, code)
    checkout.lines = list(opened.lines)
    checkout.discount_code, checkout.discount = opened.code, opened.discount


def buyer(checkout: Checkout) -> str | None:
    """By what the shop tells one shopper from another."""
    return (checkout.email or "").casefold() or checkout.phone


def _worth(shop: Shop, checkout: Checkout, code: str, lines: Sequence[Line]) -> Decimal | None:
    """What a code takes off; None if it is not honoured now, not for this shopper, or not for these lines."""
    found = shop.discounts.find(code)
    if found is None or not shop.discounts.honours(code, buyer(checkout)) or not _is_for(shop, checkout, found.wanted.get("context") or {}):
        return None
    gets = found.wanted.get("customerGets") or {}
    chosen = [line for line in lines if _is_of(line, gets.get("items") or {})]
    subtotal = sum((line.total for line in chosen), Decimal(0))
    minimum = found.wanted.get("minimumRequirement") or {}
    least = (minimum.get("subtotal") or {}).get("greaterThanOrEqualToSubtotal")
    fewest = (minimum.get("quantity") or {}).get("greaterThanOrEqualToQuantity")
    if not chosen or (least is not None and subtotal < Decimal(str(least))):
        return None
    if fewest is not None and sum(line.quantity for line in chosen) < int(fewest):
        return None
    value = gets.get("value") or {}
    if value.get("percentage") is not None:
        return (subtotal * Decimal(str(value["percentage"]))).quantize(CENT)
    if value.get("discountAmount"):
        return min(subtotal, Decimal(str(value["discountAmount"]["amount"])).quantize(CENT))
    return Decimal(0)


def _is_for(shop: Shop, checkout: Checkout, context: Mapping[str, Any]) -> bool:
    """Whether a discount is for this shopper; segments and markets have nobody in this shop."""
    if context.get("customers") is None:
        return context.get("customerSegments") is None and context.get("markets") is None
    who = buyer(checkout)
    known = [one.id for one in shop.customers.values() if one.shopper.email.casefold() == who]
    return any(f"gid://shopify/Customer/{one}" in (context["customers"].get("add") or ()) for one in known)


def _is_of(line: Line, items: Mapping[str, Any]) -> bool:
    """Whether a discount is for this line; collections have nothing in this shop."""
    if items.get("products") is not None:
        return f"gid://shopify/Product/{line.product.id}" in (items["products"].get("productsToAdd") or ())
    return items.get("collections") is None


def _change(shop: Shop, line: Line) -> str:
    if not shop.is_buyable(line):
        why = "is not sold any more" if line.product.id not in shop.products or not line.product.is_published else "is sold out"
        return f"{line.product.title} {why} and was taken out of your checkout."
    if line.variant.price != line.unit_price:
        was, now = text(line.unit_price), text(line.variant.price)
        return f"The price of {line.product.title} has changed from {was} to {now} {shop.currency}."
    return ""
