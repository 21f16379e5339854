"""When a checkout counts as abandoned."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.canonical import Phone
from connector.errors import Refused
from connector.rules.abandonment import (
    DEFAULT_MINUTES,
    PRESET_MINUTES,
    ActivityClock,
    Version,
    check_threshold,
    fingerprint,
    last_activity,
    quantities,
    standing,
    to_version,
)
from tests.factories import T0, at, make_checkout, make_line


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("minutes", [20, 48 * 60, *PRESET_MINUTES])
def test_a_delay_from_20_minutes_to_48_hours_is_accepted(minutes: int) -> None:
    assert check_threshold(minutes) == minutes


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("minutes", [19, 48 * 60 + 1, 0, -5])
def test_another_delay_is_refused_and_the_range_is_named(minutes: int) -> None:
    with pytest.raises(Refused, match=r"between 20 minutes and 48 hours"):
        check_threshold(minutes)


def test_the_default_delay_is_an_hour_and_one_of_the_presets() -> None:
    assert DEFAULT_MINUTES == 60
    assert DEFAULT_MINUTES in PRESET_MINUTES


@pytest.mark.spec("SQ-05")
@pytest.mark.parametrize(
    "changes",
    [
        {"total": Decimal(99)},
        {"tax_total": Decimal("3.10"), "subtotal": Decimal("9.40")},
        {"lines": (make_line(title="Bougie Cèdre, nouvelle recette", unit_price=Decimal("13.00"), total=Decimal("13.00")),)},
        {"number": "#617"},
        {"completed_at": at(5)},
        {"recovery_url": "https://demo.example/another"},
        {"first_name": "Anna"},
        {"source_version": at(30)},
    ],
)
def test_what_the_platform_changes_is_no_activity(changes: dict[str, object]) -> None:
    checkout = make_checkout()

    assert fingerprint(replace(checkout, **changes)) == fingerprint(checkout)  # type: ignore[arg-type]


@pytest.mark.spec("SQ-05")
@pytest.mark.parametrize(
    "changes",
    [
        {"lines": (make_line(quantity=2),)},
        {"lines": (make_line("102"),)},
        {"lines": ()},
        {"email": "another@example.org"},
        {"email": None},
        {"checkout_phone": Phone("06 45 67 89 01", "+33645678901")},
        {"discount_codes": ("VAGUE10",)},
        {"shipping_method": "Colissimo"},
    ],
)
def test_what_the_shopper_changes_is_activity(changes: dict[str, object]) -> None:
    checkout = make_checkout()

    assert fingerprint(replace(checkout, **changes)) != fingerprint(checkout)  # type: ignore[arg-type]


def test_neither_the_order_of_lines_nor_the_spelling_of_codes_and_addresses_is_activity() -> None:
    lines = (make_line("101"), make_line("102", 3))
    first = make_checkout(lines=lines, discount_codes=("A", "b"), email="Anna.Petit@example.org")
    second = make_checkout(lines=lines[::-1], discount_codes=("B", "a"), email="anna.petit@example.org ")

    assert fingerprint(first) == fingerprint(second)


def test_a_line_split_in_two_of_the_same_variant_is_no_activity() -> None:
    whole = make_checkout(lines=(make_line("101", 3),))
    split = make_checkout(lines=(make_line("101", 1), make_line("101", 2, key="other")))

    assert fingerprint(whole) == fingerprint(split)


def test_lines_count_by_variant_else_product_else_key() -> None:
    lines = (
        make_line("101", 2),
        make_line("101", 1, key="again"),
        make_line("7", variant_id=None),
        make_line("8", variant_id=None, product_id=None),
    )

    assert quantities(make_checkout(lines=lines)) == {"v101": 3, "pp7": 1, "kk8": 1}


def test_a_checkout_adds_one_version_to_what_was_seen() -> None:
    checkout = make_checkout(at(3), lines=(make_line("101", 2), make_line("102", 1, variant_id=None)))

    assert to_version(checkout) == Version(at(3), fingerprint(checkout), quantities(checkout))
    assert to_version(checkout).quantities == {"v101": 2, "pp102": 1}


def seen(minutes: float, fingerprint: str = "a", **counts: int) -> Version:
    """A version that many minutes after T0."""
    return Version(at(minutes), fingerprint, counts)


@pytest.mark.spec("SQ-05")
def test_t0_is_the_last_version_in_which_the_shopper_did_something() -> None:
    versions = [seen(0), seen(5, "b"), seen(9, "b"), seen(12, "c"), seen(40, "c")]

    assert last_activity(versions, ActivityClock.ACTIVITY) == at(12)


def test_opening_a_checkout_is_activity() -> None:
    assert last_activity([seen(3)], ActivityClock.ACTIVITY) == last_activity([seen(3)], ActivityClock.ADDITION) == at(3)


@pytest.mark.spec("SW-02")
@pytest.mark.parametrize(
    ("after", "t0"),
    [
        ({"v1": 2, "v2": 1}, at(5)),  # more of one thing
        ({"v1": 1, "v2": 1, "v3": 1}, at(5)),  # another thing
        ({"v1": 1}, T0),  # a removal
        ({"v1": 1, "v2": 1}, T0),  # something else than the lines
        ({"v3": 1}, at(5)),  # one thing swapped for another
    ],
)
def test_the_addition_clock_counts_only_what_was_added(after: dict[str, int], t0: object) -> None:
    versions = [Version(T0, "a", {"v1": 1, "v2": 1}), Version(at(5), "b", after)]

    assert last_activity(versions, ActivityClock.ADDITION) == t0


@pytest.mark.spec("SW-02", "AC-03")
def test_an_open_checkout_is_abandoned_after_exactly_the_threshold() -> None:
    due_at = standing(last_activity_at=T0, has_lines=True, is_over=False, is_cart=False, threshold_minutes=20).due_at

    assert due_at == T0 + timedelta(minutes=20)
    assert due_at > T0 + timedelta(minutes=19, seconds=59)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_over": True, "has_lines": False, "is_cart": True}, "over"),
        ({"has_lines": False, "is_cart": True}, "emptied"),
        ({"is_cart": True}, "not_at_checkout"),
        ({"is_cart": True, "is_quiet": True}, "not_at_checkout"),
        ({"is_quiet": True}, "learned_by_sync"),
        ({"is_quiet": True, "is_over": True}, "over"),
    ],
)
def test_what_is_over_emptied_only_a_cart_or_learned_by_a_sync_is_never_abandoned(changes: dict[str, bool], reason: str) -> None:
    facts = {"has_lines": True, "is_over": False, "is_cart": False} | changes
    stands = standing(last_activity_at=T0, threshold_minutes=20, **facts)

    assert stands.due_at is None
    assert stands.reason == reason
