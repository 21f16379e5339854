"""How amounts, percentages, days, links and long texts are written for the reader of a message."""

from datetime import datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

from connector.errors import Refused
from connector.messages.phrases import phrase_language
from connector.messages.templates import one_line

MAX_EXTRA = 5_000
_MINUTE = timedelta(minutes=1)


def money(amount: Decimal, currency: str, language: str) -> str:
    """An amount as its reader writes it (`24,90 €`), rounded half up to the currency's own decimals, never through a float."""
    exact = amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), rounding=ROUND_HALF_UP)
    text: str = format_currency(exact, currency, locale=locale_of(language))
    return text


def number(value: Decimal, language: str) -> str:
    """A number without needless zeros, with the reader's signs between its digits; endless ones as they came."""
    try:
        text: str = format_decimal(value, locale=locale_of(language), decimal_quantization=False)
    except InvalidOperation:
        return str(value)
    return text


def percentage(value: Decimal, language: str) -> str:
    """So many of a hundred (`12,5 %`), exact; endless ones as they came."""
    try:
        text: str = format_percent(value / 100, locale=locale_of(language), decimal_quantization=False)
    except InvalidOperation:
        return f"{value} %"
    return text


def day(at: datetime, place: tzinfo, language: str) -> str:
    """The day of an instant in that place."""
    local, locale = at.astimezone(place), locale_of(language)
    text: str = format_date(local, format="long", locale=locale)
    # French counts the first day only; the library does not.
    return text.replace("1 ", "1er ", 1) if locale.language == "fr" and local.day == 1 else text


def last_moment(ends_at: datetime, place: tzinfo, language: str) -> tuple[str, str]:
    """
    The day on which something ends in that place, and the time of the day with the zone named.

    No time if it ends with the day: what ends at midnight was good to the end of the day before.
    """
    last = (ends_at - timedelta(microseconds=1)).astimezone(place)
    if (last + _MINUTE).date() != last.date():
        return day(last, place, language), ""
    local = ends_at.astimezone(place)
    name = local.tzname() or "UTC"
    zone = name if name[0].isalpha() else f"UTC{name}"
    return day(local, place, language), f"{format_time(local, format='short', locale=locale_of(language))} ({zone})"


def cut(text: str, length: int) -> str:
    """One line of at most `length` characters, cut between words where there are any."""
    line = one_line(text[:MAX_EXTRA])
    if len(line) <= length:
        return line
    head, _, _ = line[:length].rpartition(" ")
    return (head if len(head) > length // 2 else line[: length - 1]).rstrip(" ,;:.") + "…"


def locale_of(language: str) -> Locale:
    """How numbers and days are written: the reader's region where we know it, always in the language of our words."""
    written = phrase_language(language)
    try:
        locale = Locale.parse(language.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale(written)
    return locale if locale.language == written else Locale(written)


def is_web_url(url: str) -> bool:
    """Whether this is a complete http or https address on one line."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and url == one_line(url) and " " not in url


def web_url(url: str) -> str:
    """The address itself. Raises Refused if it is none."""
    if not is_web_url(url):
        raise Refused("a link in a message must be a complete http or https address")
    return url
