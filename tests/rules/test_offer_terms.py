"""What an offer may say and give, and what it lacks before it can be published."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.codes import CodeKind
from connector.errors import Refused
from connector.rules.offer_terms import Terms, check_terms, kind_of, lacking, renew
from connector.rules.offers import CodeMode

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)
THEIRS = Terms(headline="Merci !", body="Pour votre prochaine commande.", code="THANKS10")
OURS = replace(THEIRS, is_ours=True, kind=CodeKind.PERCENTAGE, value=Decimal(10), ends_at=END)
UNIQUE = replace(OURS, mode=CodeMode.UNIQUE, code=None, is_ours=False, ends_at=None, valid_days=30, prefix="MERCI")


def refusal(terms: Terms, name: str = "Thanks", *, can_lock: bool = True) -> str | None:
    """What a merchant is told to mend first."""
    try:
        check_terms(name, terms, can_lock=can_lock)
    except Refused as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("terms", [Terms(), THEIRS, OURS, UNIQUE, Terms(mode=CodeMode.UNIQUE), Terms(is_ours=True)])
def test_sound_terms_can_be_saved_and_so_can_unfinished_ones(terms: Terms) -> None:
    assert refusal(terms) is None


def test_an_offer_has_a_name() -> None:
    assert "name" in (refusal(THEIRS, "  ") or "")


@pytest.mark.parametrize(
    ("terms", "changes", "words"),
    [
        (THEIRS, {"headline": "x" * 121}, "headline is too long"),
        (THEIRS, {"body": "x" * 2001}, "text is too long"),
        (THEIRS, {"code": "TWO WORDS"}, "one word"),
        (THEIRS, {"code": ""}, "one word"),
        (THEIRS, {"code": "X" * 61}, "one word"),
        (THEIRS, {"code": "A<B"}, "one word"),
        (UNIQUE, {"fallback_code": "TWO WORDS"}, "one word"),
        (THEIRS, {"headline": "Use thanks10"}, "must not hold the code"),
        (THEIRS, {"body": "Use THANKS10."}, "must not hold the code"),
        (UNIQUE, {"fallback_code": "SPARE", "body": "or spare"}, "must not hold the code"),
        (OURS, {"kind": CodeKind.OTHER}, "percentage, a fixed amount or free shipping"),
        (OURS, {"value": Decimal(0)}, "percentage is above 0"),
        (OURS, {"value": Decimal("100.01")}, "percentage is above 0"),
        (OURS, {"kind": CodeKind.FIXED_AMOUNT, "value": Decimal(0)}, "amount is above 0"),
        (OURS, {"minimum_subtotal": Decimal("-0.01")}, "a cart must come to"),
        (OURS, {"usage_limit": 0}, "used once at least"),
        (OURS, {"usage_limit": 1_000_001}, "used once at least"),
        (UNIQUE, {"valid_days": 0}, "1 to 365 days"),
        (UNIQUE, {"valid_days": 366}, "1 to 365 days"),
        (UNIQUE, {"prefix": "merci"}, "capital letters"),
        (UNIQUE, {"prefix": "X" * 13}, "capital letters"),
        (THEIRS, {"minimum_order": Decimal("-0.01")}, "an order must come to"),
        (THEIRS, {"most_uses": -1}, "no sensible limit"),
        (THEIRS, {"most_uses": 1_000_001}, "no sensible limit"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_what_to_mend(terms: Terms, changes: dict[str, Any], words: str) -> None:
    assert words in (refusal(replace(terms, **changes)) or "")


@pytest.mark.parametrize(
    ("terms", "changes"),
    [
        (THEIRS, {"headline": "x" * 120, "body": "x" * 2000, "code": "X" * 60}),
        (THEIRS, {"code": "ÉTÉ-10_x"}),
        (OURS, {"value": Decimal(100)}),
        (OURS, {"value": Decimal("0.01")}),
        (OURS, {"kind": CodeKind.FIXED_AMOUNT, "value": Decimal(500)}),
        (OURS, {"kind": CodeKind.FREE_SHIPPING, "value": None}),
        (OURS, {"minimum_subtotal": Decimal(0), "usage_limit": 1}),
        (UNIQUE, {"valid_days": 1, "prefix": "X" * 12}),
        (UNIQUE, {"valid_days": 365, "prefix": ""}),
        (THEIRS, {"minimum_order": Decimal(0), "most_uses": 0}),
        # The terms of a merchant's own code are what they are.
        (THEIRS, {"kind": CodeKind.OTHER, "value": Decimal(0), "usage_limit": 0, "minimum_subtotal": Decimal(-1)}),
    ],
)
def test_terms_up_to_their_limits_can_be_saved(terms: Terms, changes: dict[str, Any]) -> None:
    assert refusal(replace(terms, **changes)) is None


def test_codes_are_locked_to_an_address_only_where_the_platform_can() -> None:
    locked = replace(UNIQUE, locks_email=True)
    assert refusal(locked) is None
    assert "one e-mail address only" in (refusal(locked, can_lock=False) or "")
    assert refusal(UNIQUE, can_lock=False) is None


@pytest.mark.parametrize(
    ("terms", "changes", "lacks"),
    [
        (THEIRS, {}, ()),
        (OURS, {}, ()),
        (UNIQUE, {}, ()),
        (UNIQUE, {"valid_days": None, "ends_at": END}, ()),
        (THEIRS, {"headline": " "}, ("headline",)),
        (THEIRS, {"code": None}, ("code",)),
        (OURS, {"kind": None, "value": None}, ("kind",)),
        (OURS, {"value": None}, ("value",)),
        (OURS, {"kind": CodeKind.FIXED_AMOUNT, "value": None}, ("value",)),
        (OURS, {"kind": CodeKind.FREE_SHIPPING, "value": None}, ()),
        (OURS, {"ends_at": None}, ("end",)),
        (UNIQUE, {"valid_days": None}, ("end",)),
        (OURS, {"ends_at": NOW}, ("future_end",)),
        (OURS, {"ends_at": NOW + timedelta(seconds=1)}, ()),
        (UNIQUE, {"ends_at": NOW}, ("future_end",)),
        (THEIRS, {"ends_at": NOW}, ()),
        (OURS, {"code": None, "headline": "", "kind": None, "ends_at": None}, ("headline", "code", "kind", "end")),
    ],
)
def test_what_is_lacking_before_an_offer_can_be_published_is_named(terms: Terms, changes: dict[str, Any], lacks: tuple[str, ...]) -> None:
    assert lacking(replace(terms, **changes), NOW) == lacks


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ends_at", "lasts"),
    [
        (NOW + 3 * DAY, timedelta(days=13)),  # it began ten days ago
        (NOW - 10 * DAY + timedelta(hours=1), DAY),  # never less than a day
        (None, timedelta(days=45)),
    ],
)
def test_a_replacement_is_valid_as_long_as_what_it_replaces(ends_at: datetime | None, lasts: timedelta) -> None:
    renewed = renew(replace(OURS, ends_at=ends_at), "NEW", NOW, began_at=NOW - 10 * DAY, validity=timedelta(days=45))
    assert renewed == replace(OURS, code="NEW", ends_at=NOW + lasts)


def test_what_replaces_a_merchants_own_code_is_made_by_us() -> None:
    renewed = renew(replace(THEIRS, kind=CodeKind.FREE_SHIPPING), "NEW", NOW, began_at=NOW, validity=DAY)
    assert renewed.is_made_by_us
    assert renewed.code == "NEW"
    assert lacking(renewed, NOW) == ()


def test_of_unique_codes_only_a_fixed_end_is_renewed() -> None:
    assert renew(UNIQUE, "NEW", NOW, began_at=NOW, validity=DAY) == UNIQUE
    fixed = replace(UNIQUE, valid_days=None, ends_at=NOW)
    assert renew(fixed, "NEW", NOW, began_at=NOW - 5 * DAY, validity=DAY) == replace(fixed, ends_at=NOW + 5 * DAY)


def test_a_kind_is_read_as_it_is_written() -> None:
    assert kind_of(None) is None
    assert kind_of("free_shipping") is CodeKind.FREE_SHIPPING
