"""What a post-purchase offer gives, and until when, in words: the same in its e-mail, on the shopper's page and in the merchant's."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation

from connector.codes import CodeKind
from connector.messages.phrases import phrase_language
from connector.messages.writing import last_moment, money, number, percentage

ENGLISH: Mapping[str, str] = {
    "percentage": "{value} off",
    "fixed_amount": "{value} off",
    "free_shipping": "Free shipping",
    "other": "A discount",
    "minimum": "{gives} on orders of {minimum} or more",
    "until_day": "Valid until {day}",
    "until_time": "Valid until {day}, {time}",
    "no_end": "No end date",
}
FRENCH: Mapping[str, str] = {
    "percentage": "{value} de réduction",
    "fixed_amount": "{value} de réduction",
    "free_shipping": "Livraison offerte",
    "other": "Une remise",
    "minimum": "{gives} dès {minimum} d’achat",
    "until_day": "Valable jusqu’au {day}",
    "until_time": "Valable jusqu’au {day} à {time}",
    "no_end": "Sans date de fin",
}
WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}


def gives(kind: str | None, value: Decimal | None, currency: str | None, minimum: Decimal | None, language: str) -> str:
    """
    What a code gives: `10% off`, `€5.00 off on orders of €40.00 or more`, `Free shipping`.

    `kind`: a CodeKind; one that we do not know, or that came without a value, is just a discount. `currency`: of a fixed value and of
    the minimum.
    """
    words = WORDS[phrase_language(language)]
    text = words["free_shipping"] if kind == CodeKind.FREE_SHIPPING else words["other"]
    if kind == CodeKind.PERCENTAGE and value is not None:
        text = words["percentage"].format(value=percentage(value, language))
    if kind == CodeKind.FIXED_AMOUNT and value is not None:
        text = words["fixed_amount"].format(value=_amount(value, currency, language))
    return words["minimum"].format(gives=text, minimum=_amount(minimum, currency, language)) if minimum else text


def until(ends_at: datetime | None, zone: tzinfo, language: str) -> str:
    """
    Until when a code is good, as a whole phrase: a day of the shop's (`Valid until 30 November 2026`), with the time and its zone where
    it does not end with that day.
    """
    words = WORDS[phrase_language(language)]
    if ends_at is None:
        return words["no_end"]
    day, time = last_moment(ends_at, zone, language)
    return words["until_time"].format(day=day, time=time) if time else words["until_day"].format(day=day)


def _amount(value: Decimal, currency: str | None, language: str) -> str:
    if currency is None:
        return number(value, language)
    try:
        return money(value, currency, language)
    except InvalidOperation:  # more digits than any sum of money has: as it came
        return f"{value} {currency}"
