"""WooCommerce's loose values, read strictly: ids, money, times, currencies, addresses. Each says PayloadError for what it is not."""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from connector.platforms import PayloadError
from integrations.woocommerce.payloads import PLATFORM, Number, Text
from integrations.woocommerce.plaintext import text

_MONEY = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,10})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_ADDRESS = re.compile(r"https?://[^\s<>\"\\]{1,2000}", re.IGNORECASE)
# ISO 4217 minor units other than two.
_NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])
_MOST_PIECES = 2_147_483_647
_LARGE = 1 << 63
_CENT = Decimal("0.01")
REMEMBERED = 4096
"""So many amounts and times: less than a megabyte of each."""


def identifier(value: int | str) -> str:
    """A platform id as text. Raises PayloadError for anything that names no record."""
    found = optional_id(value)
    if found is None:
        raise PayloadError("a record without an id", platform=PLATFORM, reason="id")
    return found


def optional_id(value: Number) -> str | None:
    """An id that may be missing; WooCommerce writes 0 for none (guests, simple products, deleted products)."""
    if type(value) is int and 0 < value < _LARGE:
        return str(value)
    raw = text(value)
    if raw is None or not _ID.fullmatch(raw) or not raw.strip("0-"):
        return None
    return raw


def money(value: Number) -> Decimal | None:
    """An exact amount; null and "" are None. Raises PayloadError for texts that are no plain decimal number."""
    return _amount(value) if type(value) is str else _amount(text(value))


# The same amounts come again and again within a record: nothing, whole sums, each line's own.
@lru_cache(REMEMBERED)
def _amount(value: str | None) -> Decimal | None:
    raw = text(value)
    if raw is None:
        return None
    if not _MONEY.fullmatch(raw):
        raise PayloadError("an amount that is no number", platform=PLATFORM, reason="money")
    return Decimal(raw)


def pieces(value: Number) -> Decimal:
    """A quantity as it stands, broken ones included; null and "" are 0. Raises PayloadError, also for more than two thousand million."""
    quantity = money(value) or Decimal(0)
    if quantity > _MOST_PIECES:
        raise PayloadError("a quantity beyond reason", platform=PLATFORM, reason="quantity")
    return quantity


def per_unit(amount: Decimal, quantity: Decimal, currency: str) -> Decimal:
    """
    Price of one piece: exact if two decimals can hold it, else rounded half up to the currency's usual decimals.

    WooCommerce keeps line sums, not piece prices; three for 10.00 has no exact price.
    """
    price = amount / quantity
    if price == price.quantize(_CENT):
        return price
    decimals = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    return price.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def currency_code(value: str) -> str:
    """An ISO 4217 code. Raises PayloadError."""
    if not _CURRENCY.fullmatch(value):
        raise PayloadError("a currency that is none", platform=PLATFORM, reason="currency")
    return value


def country_code(value: Text) -> str | None:
    """An ISO 3166-1 alpha-2 code in capitals, or None."""
    return None if value is None else _country(value)


@lru_cache(REMEMBERED)
def _country(value: Text) -> str | None:
    raw = text(value)
    return raw.upper() if raw and _COUNTRY.fullmatch(raw) else None


def instant(value: str | None) -> datetime | None:
    """
    A `*_gmt` time as aware UTC; null, "" and MySQL's zero dates are None. An offset, which core never writes, is honoured.

    Raises PayloadError for anything else.
    """
    return None if value is None else _instant(value)


# A record's times are asked for more than once: by the walk through its list, and by what is made of it.
@lru_cache(REMEMBERED)
def _instant(value: str) -> datetime | None:
    raw = text(value)
    if raw is None or raw.startswith(("0000-", "-0001-")):
        return None
    if not _TIME.fullmatch(raw):
        raise PayloadError("a time that is none", platform=PLATFORM, reason="time")
    try:
        found = datetime.fromisoformat(raw)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PayloadError("a time that is none", platform=PLATFORM, reason="time") from error


def web_address(value: Text, scheme: str = "http") -> str | None:
    """An address that a mail or page may use: http or https, or only https if asked for; else None."""
    return None if value is None else _address(value, scheme)


# Pictures and pages are those of a few products; what an order's own address costs here is nothing.
@lru_cache(REMEMBERED // 4)
def _address(value: Text, scheme: str) -> str | None:
    raw = text(value)
    return raw if raw and _ADDRESS.fullmatch(raw) and raw.lower().startswith(scheme) else None
