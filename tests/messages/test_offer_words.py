"""What an offer gives, and until when, as its readers read it."""

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from connector.codes import CodeKind
from connector.messages.offer_words import ENGLISH, FRENCH, gives, until
from connector.rules.zones import zone as zone_of

PARIS = ZoneInfo("Europe/Paris")
NBSP, NARROW = "\u00a0", "\u202f"


def plain(text: str) -> str:
    """With the spaces of a keyboard."""
    return text.replace(NBSP, " ").replace(NARROW, " ")


def test_both_languages_have_the_same_words_to_fill() -> None:
    assert ENGLISH.keys() == FRENCH.keys()
    for key, text in ENGLISH.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", FRENCH[key])), key


@pytest.mark.parametrize(
    ("kind", "value", "minimum", "english", "french"),
    [
        ("percentage", "10", None, "10% off", "10 % de réduction"),
        ("percentage", "12.5000", None, "12.5% off", "12,5 % de réduction"),
        ("percentage", "0.1", None, "0.1% off", "0,1 % de réduction"),
        ("percentage", "100", "40", "100% off on orders of €40.00 or more", "100 % de réduction dès 40,00 € d’achat"),
        ("fixed_amount", "5", None, "€5.00 off", "5,00 € de réduction"),
        ("fixed_amount", "1234.5", "0", "€1,234.50 off", "1 234,50 € de réduction"),
        ("free_shipping", None, None, "Free shipping", "Livraison offerte"),
        ("free_shipping", None, "25", "Free shipping on orders of €25.00 or more", "Livraison offerte dès 25,00 € d’achat"),
        ("percentage", None, None, "A discount", "Une remise"),
        ("fixed_amount", None, None, "A discount", "Une remise"),
        ("other", "3", None, "A discount", "Une remise"),
        (None, None, None, "A discount", "Une remise"),
    ],
)
def test_what_a_code_gives(kind: str | None, value: str | None, minimum: str | None, english: str, french: str) -> None:
    amounts = (Decimal(value) if value else None, "EUR", Decimal(minimum) if minimum else None)
    assert plain(gives(kind, *amounts, "en")) == english
    assert plain(gives(kind, *amounts, "fr-FR")) == french


def test_a_kind_may_be_the_word_or_the_thing() -> None:
    assert gives(CodeKind.PERCENTAGE, Decimal(10), None, None, "en") == gives("percentage", Decimal(10), None, None, "en")


def test_an_amount_without_a_currency_or_without_sense_is_still_told() -> None:
    assert gives("fixed_amount", Decimal("5.00"), None, None, "en") == "5 off"
    endless = Decimal("9" * 40)
    assert gives("fixed_amount", endless, "EUR", None, "en") == f"{endless} EUR off"
    assert gives("fixed_amount", endless, None, None, "en") == f"{endless} off"
    assert gives("percentage", endless, None, None, "en") == f"{endless} % off"


@pytest.mark.parametrize(
    ("ends_at", "zone", "english", "french"),
    [
        # The last second of a day, the midnight after it, and a time of the day.
        (datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC), PARIS, "November 30, 2026", "30 novembre 2026"),
        (datetime(2026, 11, 30, 23, 0, tzinfo=UTC), PARIS, "November 30, 2026", "30 novembre 2026"),
        (datetime(2026, 11, 30, 13, 0, tzinfo=UTC), PARIS, "November 30, 2026, 2:00 PM (CET)", "30 novembre 2026 à 14:00 (CET)"),
        (datetime(2026, 12, 1, 12, 30, tzinfo=UTC), PARIS, "December 1, 2026, 1:30 PM (CET)", "1er décembre 2026 à 13:30 (CET)"),
        (datetime(2026, 7, 11, 21, 59, 59, tzinfo=UTC), PARIS, "July 11, 2026", "11 juillet 2026"),
        (
            datetime(2026, 11, 30, 22, 59, 59, tzinfo=UTC),
            ZoneInfo("Asia/Dubai"),
            "December 1, 2026, 2:59 AM (UTC+04)",
            "1er décembre 2026 à 02:59 (UTC+04)",
        ),
        # The day on which clocks are put back has 25 hours.
        (datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), PARIS, "October 25, 2026", "25 octobre 2026"),
    ],
)
def test_until_when_in_the_days_of_the_shop(ends_at: datetime, zone: tzinfo, english: str, french: str) -> None:
    assert plain(until(ends_at, zone, "en-US")) == f"Valid until {english}"
    assert plain(until(ends_at, zone, "fr")) == f"Valable jusqu’au {french}"


def test_days_are_written_as_in_the_readers_country() -> None:
    assert until(datetime(2026, 11, 30, 23, tzinfo=UTC), PARIS, "en-GB") == "Valid until 30 November 2026"


def test_what_has_no_end_says_so() -> None:
    assert until(None, PARIS, "en") == "No end date"
    assert until(None, PARIS, "fr") == "Sans date de fin"


@pytest.mark.parametrize(("name", "zone"), [("Europe/Paris", PARIS), ("Mars/Olympus", UTC), ("", UTC), ("../etc", UTC)])
def test_a_time_zone_that_nobody_knows_is_utc(name: str, zone: tzinfo) -> None:
    assert zone_of(name) == zone
