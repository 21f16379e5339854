"""Unique codes: how they are written, when a pool is refilled, when a code is cleared away."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.rules.code_pool import ALPHABET, KEPT, LARGEST, LENGTH, SMALLEST, missing_from_pool, pool_size, spell

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BITS = 65


def test_the_alphabet_has_thirty_two_signs_and_none_that_people_mistake() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not set(ALPHABET) & set("IO01")
    assert ALPHABET.upper() == ALPHABET


@given(one=st.integers(0, 2**BITS - 1), other=st.integers(0, 2**BITS - 1))
def test_different_bits_are_different_codes(one: int, other: int) -> None:
    assert len(spell(one)) == LENGTH
    assert set(spell(one)) <= set(ALPHABET)
    assert (spell(one) == spell(other)) is (one == other)


@pytest.mark.parametrize("place", range(BITS))
def test_each_of_the_bits_counts_and_no_more(place: int) -> None:
    assert spell(1 << place) != spell(0)
    assert spell(1 << BITS | 1 << place) == spell(1 << place)


def test_a_prefix_stands_in_front_with_a_dash() -> None:
    assert spell(0, "MERCI") == "MERCI-AAAAAAAAAAAAA"
    assert spell(0) == "AAAAAAAAAAAAA"


@pytest.mark.parametrize(("given_lately", "size"), [(0, SMALLEST), (SMALLEST, SMALLEST), (9, 9), (250, LARGEST), (100_000, LARGEST)])
def test_a_pool_holds_what_a_day_needs(given_lately: int, size: int) -> None:
    assert pool_size(given_lately) == size


@pytest.mark.parametrize(
    ("free", "size", "missing"), [(8, 8, 0), (2, 8, 0), (1, 8, 7), (0, 8, 8), (25, 100, 0), (24, 100, 76), (300, 250, 0), (62, 250, 188)]
)
def test_a_pool_is_filled_once_less_than_a_quarter_is_left(free: int, size: int, missing: int) -> None:
    assert missing_from_pool(free, size) == missing


@given(free=st.integers(0, 500), size=st.integers(SMALLEST, LARGEST))
def test_after_filling_a_pool_is_never_below_a_quarter_nor_above_its_size(free: int, size: int) -> None:
    filled = free + missing_from_pool(free, size)
    assert 4 * filled >= size
    assert filled in (free, size)


def test_what_nobody_used_is_kept_for_thirty_days() -> None:
    assert timedelta(days=30) == KEPT
