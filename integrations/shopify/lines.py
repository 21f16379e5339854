"""
The lines of Shopify's checkouts, carts and orders in our words.

A record is told again and again while most of its lines stay as they were. So a body hands its lines over as raw bytes, and
what equal bytes mean is remembered instead of being read anew.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

import msgspec

from connector import decoding
from connector.canonical import LineItem
from integrations.shopify.payloads import Amount, AmountSet, Line, decode, payload_error
from integrations.shopify.values import currency, money, text

REMEMBERED = 8192
LONGEST_REMEMBERED = 2048
"""Bytes of a line; longer ones are read anew, so that what is remembered stays within a few megabytes."""

R = TypeVar("R")
_LINE = decoding.decoder(Line)


def to_lines(lines: Sequence[msgspec.Raw]) -> tuple[LineItem, ...]:
    """
    Map the lines of a checkout or an order.

    Documented samples repeat keys, so a repeated one gets a counter (`k`, `k#2`, …). Raises: PayloadError (`missing_price`,
    `bad_money`, `wrong_shape`).
    """
    return _told_apart(map(_plain, lines))


def to_cart_lines(lines: Sequence[msgspec.Raw]) -> tuple[tuple[LineItem, ...], set[str]]:
    """
    Map the lines of a cart; also the currencies they are in.

    The plain prices of a cart line name no currency; the sets do, and the buyer's comes first. Raises: PayloadError
    (`missing_currency`, `bad_currency`) and as `to_lines`.
    """
    found = [_presented(raw) for raw in lines]
    return _told_apart(item for item, _ in found), {code for _, code in found}


def _once(read: Callable[[bytes], R]) -> Callable[[msgspec.Raw], R]:
    """`read`, remembering what equal bytes meant."""
    remembered = lru_cache(REMEMBERED)(read)

    def recall(raw: msgspec.Raw) -> R:
        content = bytes(raw)
        return remembered(content) if len(content) <= LONGEST_REMEMBERED else read(content)

    return recall


@_once
def _plain(raw: bytes) -> LineItem:
    return _line(decode(_LINE, raw))


@_once
def _presented(raw: bytes) -> tuple[LineItem, str]:
    line = decode(_LINE, raw)
    unit, whole = _presentment(line.price_set), _presentment(line.line_price_set)
    if unit is None:
        raise payload_error("missing_currency")
    code = currency(unit.currency_code)
    if whole is not None and currency(whole.currency_code) != code:
        raise payload_error("bad_currency", "a line in two currencies")
    return _line(msgspec.structs.replace(line, price=unit.amount, line_price=None if whole is None else whole.amount)), code


def _presentment(amounts: AmountSet | None) -> Amount | None:
    return None if amounts is None else amounts.presentment_money or amounts.shop_money


def _line(line: Line) -> LineItem:
    unit_price = money(line.price)
    if unit_price is None:
        raise payload_error("missing_price")
    total = money(line.line_price)
    return LineItem(
        key=text(line.key) or text(line.id) or text(line.variant_id) or "",
        title=text(line.title) or text(line.presentment_title) or text(line.name) or "",
        quantity=line.quantity,
        unit_price=unit_price,
        total=unit_price * line.quantity if total is None else total,
        product_id=text(line.product_id),
        variant_id=text(line.variant_id),
        variant_title=text(line.variant_title),
        sku=text(line.sku),
    )


def _told_apart(items: Iterable[LineItem]) -> tuple[LineItem, ...]:
    """The lines with keys of their own; one without any key is known by its place."""
    taken: set[str] = set()
    apart = []
    for position, item in enumerate(items, 1):
        wanted = item.key or str(position)
        key, count = wanted, 1
        while key in taken:
            count += 1
            key = f"{wanted}#{count}"
        taken.add(key)
        apart.append(item if key == item.key else replace(item, key=key))
    return tuple(apart)
