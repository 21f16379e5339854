"""Single values out of Shopify's JSON: texts, money, instants. Everything doubtful becomes None or a PayloadError."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from connector.canonical import PaymentState
from integrations.shopify.payloads import Id, payload_error

_CURRENCY = re.compile(r"[A-Z]{3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_GID = re.compile(r"gid://shopify/([A-Za-z]+)/([0-9]+)")
_PLAIN_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
# No shop has amounts of 15 digits before or 6 behind the point; "1E+9999999" would fill the memory of whoever prints it.
_MAX_DIGITS, _MAX_PLACES = 15, 6


def text(value: Id | None) -> str | None:
    """An id or a text, trimmed; blank is None. NUL, which JSON allows and databases do not, is dropped."""
    if value is None:
        return None
    return str(value).replace("\x00", "").strip() or None


def money(amount: Decimal | None) -> Decimal | None:
    """An exact amount. Raises: PayloadError (`bad_money`) for NaN, infinity and absurd sizes."""
    if amount is None or _PLAIN_AMOUNT.fullmatch(str(amount)):
        return amount
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or not -_MAX_PLACES <= exponent <= _MAX_DIGITS or amount.adjusted() >= _MAX_DIGITS:
        raise payload_error("bad_money")
    return amount


def total(amount: Decimal | None) -> Decimal:
    """An amount that must be there. Raises: PayloadError (`missing_total`, `bad_money`)."""
    exact = money(amount)
    if exact is None:
        raise payload_error("missing_total")
    return exact


def currency(code: str | None) -> str:
    """An ISO 4217 code. Raises: PayloadError (`missing_currency`, `bad_currency`)."""
    given = text(code)
    if given is None:
        raise payload_error("missing_currency")
    if not _CURRENCY.fullmatch(given.upper()):
        raise payload_error("bad_currency")
    return given.upper()


def instant(when: datetime | None) -> datetime:
    """An instant that must be there, in UTC; offsets differ inside one body. Raises: PayloadError (`missing_time`, `bad_time`)."""
    if when is None:
        raise payload_error("missing_time")
    try:
        return when.astimezone(UTC)
    except OverflowError as error:
        raise payload_error("bad_time") from error


def optional_instant(when: datetime | None) -> datetime | None:
    """An instant in UTC, or None. Raises: PayloadError (`bad_time`)."""
    return None if when is None else instant(when)


def country_code(raw: str | None) -> str | None:
    """An ISO 3166-1 alpha-2 code, or None for anything longer or shorter."""
    given = text(raw)
    return given.upper() if given and _COUNTRY.fullmatch(given.upper()) else None


def web_address(url: str | None) -> str | None:
    """An https address, or None: anything else must never become a link in a message."""
    given = text(url)
    return given if given is not None and given.lower().startswith("https://") else None


def gid_parts(gid: str | None) -> tuple[str, str] | None:
    """What kind of thing a global id names, and its number as text; None if it is none."""
    found = _GID.fullmatch(text(gid) or "")
    return (found[1], found[2]) if found else None


def payment_state(word: str | None) -> PaymentState:
    """Shopify's financial status in either spelling (`paid`, `PAID`); an unknown or missing word counts as pending."""
    try:
        return PaymentState((text(word) or "").lower())
    except ValueError:
        return PaymentState.PENDING
