"""Whether a code may be given to anybody, and why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.codes import CodeKind, CodeState, CodeStatus, Restriction
from connector.rules.discounts import Ineligible, why_not

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = CodeState("1", NOW, "THANKS10", CodeKind.PERCENTAGE, CodeStatus.ACTIVE, value=Decimal(10))
SOON, JUST_NOW = NOW + timedelta(seconds=1), NOW


def test_a_code_for_everybody_is_good() -> None:
    assert why_not(GOOD, NOW) == ()


def test_a_code_that_the_store_does_not_have_is_missing() -> None:
    assert why_not(None, NOW) == (Ineligible.MISSING,)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"status": CodeStatus.EXPIRED}, ["expired"]),
        ({"ends_at": JUST_NOW}, ["expired"]),
        ({"ends_at": SOON}, []),
        ({"starts_at": SOON}, ["scheduled"]),
        ({"starts_at": JUST_NOW}, []),
        ({"status": CodeStatus.SCHEDULED}, ["scheduled"]),
        ({"status": CodeStatus.SCHEDULED, "starts_at": JUST_NOW}, []),
        ({"status": CodeStatus.EXPIRED, "starts_at": SOON}, ["expired"]),
        ({"usage_limit": 5, "used": 4}, []),
        ({"usage_limit": 5, "used": 5}, ["used_up"]),
        ({"usage_limit": 5, "used": 6}, ["used_up"]),
        ({"used": 1000}, []),
        ({"kind": CodeKind.OTHER}, ["wrong_kind"]),
        ({"kind": CodeKind.FREE_SHIPPING, "value": None}, []),
        ({"once_per_customer": True, "minimum_subtotal": Decimal(50), "codes": 7}, []),
    ],
)
def test_terms_and_times_are_judged_by_now(changes: dict[str, Any], reasons: list[str]) -> None:
    assert [reason.value for reason in why_not(replace(GOOD, **changes), NOW)] == reasons


@pytest.mark.parametrize("restriction", list(Restriction))
def test_each_restriction_has_its_reason(restriction: Restriction) -> None:
    (reason,) = why_not(replace(GOOD, restrictions=(restriction,)), NOW)
    assert reason.value == f"restricted_to_{restriction.value}"


def test_all_reasons_are_told_at_once() -> None:
    bad = replace(GOOD, ends_at=JUST_NOW, usage_limit=1, used=1, kind=CodeKind.OTHER)
    found = why_not(replace(bad, restrictions=(Restriction.SEGMENTS, Restriction.PRODUCTS)), NOW)
    assert [reason.value for reason in found] == [
        "expired",
        "used_up",
        "wrong_kind",
        "restricted_to_segments",
        "restricted_to_products",
    ]


def test_which_kinds_will_do_can_be_said() -> None:
    assert why_not(GOOD, NOW, kinds={CodeKind.FREE_SHIPPING}) == (Ineligible.WRONG_KIND,)
    assert why_not(replace(GOOD, kind=CodeKind.OTHER), NOW, kinds={CodeKind.OTHER}) == ()
